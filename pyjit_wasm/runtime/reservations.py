"""Room for memories and tables whose addresses never change: address space that is committed as they grow.

A process may have few mappings (`vm.max_map_count`, 65,530 by default), and neighbours with the same protection are one. So
reservations lie side by side, apart from what the C library and Python map: the inaccessible end of one and the
inaccessible beginning of the next are one mapping, stack buffers are one too, and a memory takes two.
"""
import gc
from _thread import RLock
from functools import partial

from pyjit_wasm import config
from pyjit_wasm.runtime import arena, libc, process
from pyjit_wasm.runtime.lease import Lease

_PAGE = libc.MACHINE_PAGE


class _Region:
    """Where reservations go: below the first of `tops`, each below the last one, or where one of the same size was given
    back; when something else is in the way, below the next top; and in the end where the system wants. There is no lock, as
    finalizers and signal handlers come here: two threads at once may leave a place unused."""

    def __init__(self, *tops):
        self._tops, self._gone = list(tops), {}     # by size: addresses of those that were given back

    def reserve(self, size):
        """An address, inaccessible. MemoryError if there is no room."""
        try:
            start = self._again(size) or self._below(size)
        except MemoryError:
            start = None
        return start or libc.reserve(size)      # that looks for garbage first

    def _again(self, size):
        """Where one of the same size was, or None."""
        gone = self._gone.get(size)
        return libc.reserve_at(gone.pop(), size) if gone else None

    def _below(self, size):
        """Below the last one, or None."""
        for number, top in enumerate(self._tops):
            wanted = self._tops[number] = top - size
            if wanted > _LOWEST:
                start = libc.reserve_at(wanted, size)
                if start is not None:
                    return start
            self._tops[number] = 0      # no more
        return None

    def release(self, start, size):
        """Runs in finalizers, perhaps in the middle of `reserve`."""
        libc.release(start, size)
        self._gone.setdefault(size, []).append(start)


def _tops():
    """The ends of two parts of the address space that are free in most processes: below libraries and generated code, and
    below the program. Their addresses are as random as that of the generated code."""
    chance = arena.guest.lo % config.RESERVATIONS_BELOW
    return arena.guest.lo - config.RESERVATIONS_BELOW, _PROGRAM - chance


_LOWEST, _PROGRAM = 1 << 32, 0x5500_0000_0000   # Linux loads programs above that, or at the bottom
_region = libc.permanent(_Region(*_tops()))


def reserve(size):
    """A Lease of `size` inaccessible bytes, whole machine pages. Raises MemoryError."""
    start = _region.reserve(size)
    return Lease(start, partial(_region.release, start, size))


def reserve_guarded(size):
    """The same; a fault of guest code there is a trap."""
    start = _region.reserve(size)
    try:
        process.ranges.add(start, start + size)
    except BaseException:
        _region.release(start, size)
        raise
    return Lease(start, partial(_end_guarded, start, size))


def _end_guarded(start, size):
    process.ranges.remove(start)
    _region.release(start, size)


def zeroed(size):
    """A Lease of `size` bytes that are zero and accessible, of the C library's heap: no mapping of their own if they are
    few. Raises MemoryError."""
    start = libc.zeroed(size)
    return Lease(start, partial(libc.free, start))


class Growth:
    """How far something at `base` has grown: `unit` bytes each, `most` at most. What is committed reads as zero. `committed`:
    all of it is accessible from the start."""

    def __init__(self, base, unit, most, committed=False):
        self._base, self._unit, self._most, self._committed = base, unit, most, committed
        self._lock = RLock()    # a finalizer may grow the same one in the middle of it

    def grow(self, count, size, resize):
        """Make `count` more accessible, and call `resize(before, after)` with the number there was, which `size()` says, and
        is then. The number before, or -1 if they are not to be had."""
        grown = self._grow(count, size, resize)
        if grown is None and gc.collect():     # unreachable cycles may hold what it takes
            grown = self._grow(count, size, resize)
        return -1 if grown is None else grown

    def _grow(self, count, size, resize):
        """The same, or None if the system refuses."""
        with self._lock:
            before = size()
            after = before + count
            if after > self._most:
                return -1
            if not self._committed and not self._commit(before, after):
                return None
            resize(before, after)
            return before

    def _commit(self, before, after):
        start, end = (-(-number * self._unit // _PAGE) * _PAGE for number in (before, after))
        return libc.set_protection(self._base + start, end - start, libc.PROT_RW)
