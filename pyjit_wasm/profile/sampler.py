"""Takes samples while a profile is open, and makes stacks of them: Python code, wasm and host functions in one."""
import threading
import time

from pyjit_wasm.profile.counters import wasm_place
from pyjit_wasm.profile.places import Place
from pyjit_wasm.profile.samples import Samples
from pyjit_wasm.runtime import samples, stacks
from pyjit_wasm.runtime.layout import SAMPLED

_PAUSE = 0.1    # seconds between two looks at the buffers: they hold some thousands of samples


class Sampler:
    """Samples `rate` times a second, of wall-clock time, each thread that runs wasm. `lost`: samples for which there was no
    room."""

    def __init__(self, rate, python):
        self._period = round(1e9 / rate)
        self._raw, self._stacks = [], {}
        self._began, self._start = time.monotonic_ns(), time.time_ns()
        self._ends = threading.Event()
        self._session = samples.Session(self._period, python)
        self._thread = threading.Thread(target=self._run, name="pyjit_wasm sampler", daemon=True)
        self._thread.start()

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
        self.lost = self._session.lost
        taken = [(when - self._began, thread, key) for when, thread, key in _completed(self._raw) if when <= end]
        known = {}
        for _, _, key in taken:
            if key not in known:
                known[key] = _stack(self._stacks.get(key) or stacks.split(key[2], key[1]), *key[:2])
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        seen = [(when, thread, known[key], self._period) for when, thread, key in taken if known[key]]
        return Samples(self._period, "wall", self._start, seen,
                       {thread: names.get(thread, str(thread)) for thread in {entry[1] for entry in seen}})


def _completed(raw):
    """(time, thread, key), where Python code is known only of the last of several samples in it, of the others too."""
    last, found = {}, []
    for when, thread, key in reversed(raw):
        where, python, words = key
        later = last.get(thread)
        if where == SAMPLED.outside and not python and later and later[0] == where and later[2] == words:
            key = later
        last[thread] = key
        found.append((when, thread, key))
    found.sort()
    return found


def _stack(waiting, where, python):
    """The Places of a sample, outermost first. `waiting`: its Stacks; `python`: the Python stack that called the wasm or, outside
    of wasm, that runs."""
    places, known = [], 0
    for stack in reversed(waiting):
        known = _add_python(places, stack.python, known)
        found = stack.places()
        places += [wasm_place(owner.module, funcidx, "jit" if owner.is_native else "interp")
                   for owner, (funcidx, _, _) in reversed(found)]
        name = stack.host_name(found)
        if name is not None:
            places.append(Place("host", name))
    if where == SAMPLED.outside and (known or not waiting):
        _add_python(places, python, known)
    return tuple(places)


def _add_python(places, number, known):
    """Add what a Python stack has beyond its `known` outermost frames; how many are known then."""
    chain = samples.python_stacks[number]
    if not number or len(chain) < known:
        return known
    places += [Place("python", code.co_qualname, code.co_filename, line)
               for code, line in reversed(chain[:len(chain) - known])]
    return len(chain)
