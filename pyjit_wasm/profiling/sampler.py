"""Takes samples while a profile is open, and makes stacks of them: Python code, wasm and host functions in one."""
import threading
import time

from pyjit_wasm import large_stacks
from pyjit_wasm.profiling.places import Place
from pyjit_wasm.profiling.samples import Samples
from pyjit_wasm.runtime import samples, stacks, trace
from pyjit_wasm.runtime.layout import SAMPLED

_PAUSE = 0.1    # seconds between two looks at the buffers: they hold some thousands of samples


class Sampler:
    """Samples `rate` times a second, of wall-clock time, each thread that runs wasm."""

    def __init__(self, rate, python):
        self._period = round(1e9 / rate)
        self._raw, self._stacks = [], {}
        self._began, self._start = time.monotonic_ns(), time.time_ns()
        self._ends = threading.Event()
        self._session = samples.Session(self._period, python)
        self._thread = threading.Thread(target=self._run, name="pyjit_wasm sampler", daemon=True)
        large_stacks.start(self._thread.start)

    def _run(self):
        while not self._ends.wait(_PAUSE):
            self._take(self._session.read())

    def _take(self, found):
        """Keep samples; owners of their addresses are looked up now, as code may be gone later."""
        for sample in found:
            key = sample.where, sample.python, sample.words
            if key not in self._stacks:
                self._stacks[key] = stacks.split(sample.words, sample.python)
            self._raw.append((sample.time, sample.thread, key))

    def stop(self):
        """Take no more samples; `Samples`."""
        end = time.monotonic_ns()
        self._take(self._session.close())
        self._ends.set()
        self._thread.join()
        taken = sorted(sample for sample in self._raw if sample[0] <= end)
        looks = _looks_of(taken, list(samples.looks))
        seen, known = [], {}
        for index, (when, thread, key) in enumerate(taken):
            look = looks.get(index, 0)
            stack = known.get((key, look))
            if stack is None:
                stack = known[key, look] = _stack(self._stacks[key], look)
            if stack:
                seen.append((when - self._began, thread, stack, self._period))
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        return Samples(self._period, "wall", self._start, seen,
                       {thread: names.get(thread, str(thread)) for thread in {entry[1] for entry in seen}})


def _looks_of(taken, looks):
    """{index of a sample of the main thread outside of guest code: the number of the Python stack seen right after it}."""
    found, main, following = {}, threading.main_thread().native_id, len(looks)
    words = None
    for index in range(len(taken) - 1, -1, -1):
        when, thread, key = taken[index]
        if thread != main:
            continue
        first = following == len(looks) or (following and looks[following - 1][0] >= when)
        while following and looks[following - 1][0] >= when:
            following -= 1
        words = key[2] if first else words
        if key[0] == SAMPLED.outside and following < len(looks) and key[2] == words:
            found[index] = looks[following][1]
        else:
            words = None
    return found


def _stack(waiting, running):
    """The Places of a sample, outermost first. `waiting`: its Stacks; `running`: the number of the Python stack that runs, 0 if it
    is not known or wasm runs."""
    places, known = [], 0
    for index in range(len(waiting) - 1, -1, -1):
        stack = waiting[index]
        chain = _chain(stack.python)
        if not chain:  # Python has not looked below this wasm: what comes next tells, as the host function is in it
            inner = next((s.python for s in waiting[index - 1::-1] if s.python), 0) if index else 0
            chain = _below(_chain(inner or running), stack.code, known)
        known = _add_python(places, chain, known)
        calls = stack.calls()
        for owner, call in reversed(calls):
            places += [_wasm(owner, frame) for frame in reversed(trace.resolved(owner, call))]
        name = stack.host_name(calls)
        if name is not None:
            places.append(Place("host", name))
    if known or not waiting:
        _add_python(places, _chain(running), known)
    return tuple(places)


def _wasm(owner, frame):
    """The Place of a Frame; what was inlined in the source has one of its own."""
    return Place("wasm", frame.name, frame.file or "", frame.line, owner.module.names.module or "", frame.funcidx,
                 "jit" if owner.is_native else "interp")


def _chain(number):
    """(code, line) of a Python stack, outermost first."""
    return samples.python_stacks[number][::-1]


def _below(chain, code, known):
    """The part of a Python stack below the first call of `code` that comes after the `known` outermost frames."""
    return next((chain[:index] for index in range(known, len(chain)) if chain[index][0] is code), ())


def _add_python(places, chain, known):
    """Add what a Python stack has beyond its `known` outermost frames; how many are known then."""
    places += [Place("python", code.co_qualname, code.co_filename, line) for code, line in chain[known:]]
    return max(known, len(chain))
