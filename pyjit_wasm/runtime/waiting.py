"""`memory.atomic.wait` and `notify` (threads proposal): queues of threads of this process, by address."""
import os
from _thread import TIMEOUT_MAX, RLock, allocate_lock

from pyjit_wasm import forks
from pyjit_wasm.runtime import exec_env

WOKEN, NOT_EQUAL, TIMED_OUT = 0, 1, 2

_queues = {}  # address: the locks that threads wait for, the longest waiting first
_lock = forks.kept(RLock(), "waiting")  # a Python signal handler may notify in the middle


def wait(address, unchanged, timeout):
    """Until another thread notifies `address`, for at most `timeout` nanoseconds unless negative, if `unchanged()`.
    Python's signal handlers run meanwhile, and end the wait if they raise; so do requests of other threads."""
    woken = allocate_lock()
    woken.acquire()
    env = exec_env.current()
    with _lock:
        if not unchanged():
            return NOT_EQUAL
        _queues.setdefault(address, []).append(woken)
    try:
        env.waiting = lambda: _wake(woken)
        woken.acquire(timeout=-1 if timeout < 0 else min(timeout / 1e9, TIMEOUT_MAX))
    finally:
        env.waiting = None
        with _lock:  # a notification may come between the end of the time and here
            waiting = woken in _queues.get(address, ())
            if waiting:
                _dequeue(address, [woken])
    return TIMED_OUT if waiting else WOKEN


def notify(address, count):
    """Wake at most `count` threads that wait at `address`: how many."""
    with _lock:
        woken = _queues.get(address, [])[:count]
        _dequeue(address, woken)
        for lock in woken:
            _wake(lock)
    return len(woken)


def _wake(lock):
    if lock.locked():
        lock.release()


def _dequeue(address, locks):
    left = [lock for lock in _queues.get(address, ()) if lock not in locks]
    if left:
        _queues[address] = left
    else:
        _queues.pop(address, None)


os.register_at_fork(after_in_child=_queues.clear)   # who waited is not there
