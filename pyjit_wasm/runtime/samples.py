"""Samples of where threads are, in wasm and in the Python code around it, taken by a signal handler.

A *session* is the time during which samples are taken; there is one at a time. Timers of the kernel send the signal to
threads that run wasm, or somebody sends it to one. See `codegen.sampling` for what the handler does.
"""
import atexit
import ctypes
import itertools
import os
import sys
import threading
import time

from pyjit_wasm import config
from pyjit_wasm.runtime import libc, process, signals
from pyjit_wasm.runtime.layout import RING, RUNTIME, THREAD
from pyjit_wasm.runtime.services import provides

SENT = -6  # Sample.reason: tgkill; a timer otherwise
_CAPACITY = (config.SAMPLE_RING - RING.size) // 8
_ALL = config.SAMPLE_RING * config.SAMPLE_RINGS
_PATIENCE = 1.0     # seconds to wait for a thread that is asked for one sample,
_AGAIN = 0.02       # which is asked again and again meanwhile

_state = threading.RLock()  # held while a session begins or ends
_asking = threading.RLock() # while a thread is asked
_numbers = itertools.count(1)
_rings, _readers = [], []


class PythonStacks:
    """Python stacks by number, from 1 on: tuples of (code, line), innermost first. Threads and signal handlers may note them at
    the same time."""

    def __init__(self):
        self._next, self._numbers, self._stacks = itertools.count(1), {}, {}

    def note(self, frame):
        """The number of the stack that ends in a frame."""
        stack = []
        while frame is not None:
            stack.append((frame.f_code, frame.f_lineno))
            frame = frame.f_back
        stack = tuple(stack)
        number = self._numbers.setdefault(stack, next(self._next))
        self._stacks[number] = stack
        return number

    def shrink(self):
        """Forget them if they are very many; what is running may still name some, which are () then."""
        if len(self._stacks) > config.PYTHON_STACKS:
            self._numbers.clear()
            self._stacks.clear()

    def __getitem__(self, number):
        return self._stacks.get(number, ())


python_stacks = PythonStacks()
looks = []  # of this session: (time, number of the stack that Python ran in the main thread)


class Sample:
    """`thread`: native id; `where`: one of SAMPLED; `reason`: si_code; `time`: nanoseconds of `time.monotonic_ns`; `python`:
    number in `python_stacks` of the stack that called the wasm, if that runs; `words`: see `runtime.stacks`."""

    __slots__ = ("thread", "where", "reason", "time", "python", "words")

    def __init__(self, thread, where, reason, time, python, words):
        self.thread, self.where, self.reason, self.time, self.python, self.words = thread, where, reason, time, python, words


class _Ring:
    """The buffer of samples at an address, read by one thread at a time."""

    def __init__(self, address):
        self._head = (ctypes.c_uint64 * (RING.size // 8)).from_address(address)
        self._words = (ctypes.c_uint64 * _CAPACITY).from_address(address + RING.size)

    thread = property(lambda self: self._head[RING.thread // 8])

    def read(self):
        """The Samples that came since the last time."""
        found, words = [], self._words
        tail, head = self._head[RING.tail // 8], self._head[RING.head // 8]
        while tail < head:
            place = tail % _CAPACITY
            length = words[place]
            if not length:
                tail += _CAPACITY - place
                continue
            _, where, reason, when, python, *addresses = words[place:place + length]
            found.append(Sample(self.thread, where, ctypes.c_int64(reason).value, when, python, tuple(addresses)))
            tail += length
        self._head[RING.tail // 8] = tail
        return found


def _prepare():
    """Make the rings, and install the handler: once, and for ever, as a signal may come late."""
    address = libc.reserve(_ALL)
    try:
        libc.protect(address, _ALL, libc.PROT_RW)
    except MemoryError:
        libc.release(address, _ALL)
        raise
    process.put(RUNTIME.rings, address)
    _rings[:] = [_Ring(address + index * config.SAMPLE_RING) for index in range(config.SAMPLE_RINGS)]
    signals.take_samples(_look)


def _look(_, frame):
    """Python's handler of SAMPLE_SIGNAL, which runs soon after a sample was taken of the main thread outside of guest code."""
    thread = process.this_thread()
    if thread and _word(thread + THREAD.session).value == process.get(RUNTIME.session):
        looks.append((time.monotonic_ns(), python_stacks.note(frame)))
        _word(thread + THREAD.looks).value = 0


_word = ctypes.c_uint64.from_address


@provides
def python_stack(*_):
    """The number of the Python stack below the guest code that is interrupted."""
    return python_stacks.note(sys._getframe(2))


class Session:
    """Samples are taken while one is open: of threads that run wasm every `period` nanoseconds, or if that is None, of those
    that are asked. `python`: with Python stacks. RuntimeError if another one is open that takes samples by itself."""

    def __init__(self, period=None, python=False):
        self._timers, self._period, self.asked, self._lock = {}, period, [], threading.RLock()
        with _state:
            if not _rings:
                _prepare()
            if _readers:
                raise RuntimeError("samples are being taken already")
            _readers.append(self)
            libc.discard(process.get(RUNTIME.rings), _ALL)
            process.put(RUNTIME.sample_python, int(python))
            process.put(RUNTIME.session, next(_numbers))
            looks.clear()
            python_stacks.shrink()
            atexit.register(self.close)  # Python lets the signal end the process then
            if period:
                process.on_new_thread.append(self.watch)
                for thread in process.living():
                    self.watch(thread)

    def watch(self, thread):
        """Send the signal to a thread, given by its native id, from now on. One that has ended may have had the same id."""
        before = self._timers.pop(thread, None)
        if before is not None:
            signals.stop_timer(before)
        try:
            self._timers[thread] = signals.start_timer(thread, self._period)
        except OSError:
            return  # the thread has ended
        if self not in _readers:    # it was closed meanwhile
            signals.stop_timer(self._timers.pop(thread))

    def read(self):
        """The Samples since the last time, of all threads."""
        with self._lock:
            found = [sample for ring in _rings if ring.thread > 1 for sample in ring.read()]
        for sample in found:
            if sample.reason == SENT:
                self.asked.append(sample)
        return [sample for sample in found if sample.reason != SENT]

    def close(self):
        """Take no more samples; the last ones."""
        with _state:
            if self not in _readers:
                return []
            if self._period:
                process.on_new_thread.remove(self.watch)
            for timer in self._timers.values():
                signals.stop_timer(timer)
            process.put(RUNTIME.session, 0)
            time.sleep(0.001)  # a handler may still be writing
            last = self.read()
            _readers.remove(self)
            atexit.unregister(self.close)
            return last


def ask(env):
    """One Sample of the thread that runs a runtime ExecEnv, or None if none does, or it does not answer."""
    session = None
    with _asking:
        try:
            session = Session()
        except RuntimeError:  # the one that is open will read it
            pass
        reader = session or _readers[0]
        try:
            return _wait_for(reader, env.address)
        finally:
            if session is not None:
                session.close()


def _after_fork():
    """Timers and other threads did not come along."""
    _readers.clear()
    process.put(RUNTIME.session, 0)
    global _state, _asking
    _state, _asking = threading.RLock(), threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


def _wait_for(reader, env):
    """The sample of the thread that runs the EXEC_ENV at an address; others are of threads that were asked too late."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        thread, _ = process.reach(env, signals.SAMPLE_SIGNAL)
        if not thread:
            return None
        again = time.monotonic() + _AGAIN
        while time.monotonic() < again:
            if reader._period is None:
                reader.read()
            found = [sample for sample in list(reader.asked) if sample.thread == thread]
            if found:
                reader.asked.clear()
                return found[-1]
            time.sleep(0.0002)
    return None
