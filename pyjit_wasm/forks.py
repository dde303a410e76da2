"""Keeps locks across forks. A child has only the thread that forked: what another thread was in the middle of stays as it is
there for ever. So nobody is in the middle of anything when a process forks: the thread that does waits for all locks.
"""
import os
import sys
from _thread import RLock, get_ident
from _weakref import ref
from time import monotonic, sleep

# in the order in which threads take them: who has one does not wait for one before it
_RANKS = ("code", "loading", "worker", "llvm", "switches", "arrivals", "positions", "waiting", "growth", "types", "pages")
_PATIENCE = 60      # seconds; without them the child renews what it did not get, and does without what that was for
_PAUSE = 0.002
_PACKAGES = (__package__, "llvmlite")

_locks = {rank: {} for rank in _RANKS}   # weak references to locks, with what `kept` was given
_forking = RLock()
_forks = []     # ([locks that are held], [(lock, lost) that could not be had]) of forks under way, which signal handlers nest


def kept(lock, rank, lost=None):
    """`lock` itself, which forks wait for from now on as long as it lives. `lost()` is called in a child whose parent has waited
    in vain."""
    _locks[rank][ref(lock, _locks[rank].pop)] = lost
    return lock


def _before():
    end = monotonic() + _PATIENCE
    alone = _forking.acquire(timeout=_PATIENCE)
    _forks.append(([_forking], []) if alone else ([], [(_forking, None)]))
    _wait_for_imports(end)
    for rank in _RANKS:
        for reference, lost in _locks[rank].copy().items():
            lock = reference()
            if lock is not None:
                _take(lock, lost, end)


def _take(lock, lost, end):
    held, missed = _forks[-1]
    if lock.acquire(timeout=max(0, end - monotonic())):
        held.append(lock)
    else:
        missed.append((lock, lost))


def _wait_for_imports(end):
    """Until no other thread imports modules of this package: a child would wait for it for ever."""
    while monotonic() < end and any(map(_is_imported_elsewhere, _module_locks().copy().items())):
        sleep(_PAUSE)


def _module_locks():
    return getattr(sys.modules.get("importlib._bootstrap") or sys.modules["_frozen_importlib"], "_module_locks", {})


def _is_imported_elsewhere(item):
    name, lock = item[0], item[1]()
    return name.startswith(_PACKAGES) and getattr(lock, "owner", None) not in (None, get_ident())


def _in_parent():
    held, _ = _forks.pop()
    while held:
        held.pop().release()


def _in_child():
    for lock, lost in _forks[-1][1]:
        lock._at_fork_reinit()
        if lost is not None:
            lost()
    _in_parent()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
