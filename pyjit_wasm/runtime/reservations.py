"""Address space for memories and tables, which never move: it is reserved as a whole and committed as they grow.

Linux limits the mappings of a process (`vm.max_map_count`, 65,530 by default) and joins neighbours that have the same
protection. Reservations therefore lie side by side, apart from what the C library and Python map. The inaccessible end
of one and the inaccessible beginning of the next are one mapping, so a memory takes two. Stack buffers are neighbours as well.
"""
import gc
from _thread import RLock
from functools import partial

from pyjit_wasm import config, forks
from pyjit_wasm.runtime import arena, libc, process
from pyjit_wasm.runtime.lease import Lease

_PAGE = libc.MACHINE_PAGE


class _Region:
    """Chooses addresses: a place of the same size that was given back, else the place below the last reservation, beginning at
    the first of `tops`. If something else is mapped there, it goes on at the next top, and after the last one the
    system chooses. There is no lock, because finalizers and signal handlers come here: two threads may leave a place unused."""

    def __init__(self, *tops):
        self._tops, self._gone = list(tops), {}     # by size: addresses of those that were given back

    def reserve(self, size):
        """An address, inaccessible. MemoryError if there is no room."""
        try:
            start = self._again(size) or self._below(size)
        except MemoryError:
            start = None
        return start or libc.reserve(size)      # this collects garbage if need be

    def _again(self, size):
        """Where one of the same size was, or None."""
        try:
            return self._at(self._gone[size].pop(), size)
        except LookupError:
            return None

    def _below(self, size):
        """Below the last one, or None."""
        for number, top in enumerate(self._tops):
            wanted = self._tops[number] = top - size
            if wanted > _LOWEST:
                start = self._at(wanted, size)
                if start is not None:
                    return start
            self._tops[number] = 0      # no more
        return None

    def _at(self, place, size):
        """The place if it is free, else None. Raises MemoryError."""
        try:
            return libc.reserve_at(place, size)
        except MemoryError:
            self._gone.setdefault(size, []).append(place)
            raise

    def release(self, start, size):
        """Runs in finalizers, perhaps in the middle of `reserve`."""
        libc.release(start, size)
        self._gone.setdefault(size, []).append(start)


def _tops():
    """The upper ends of two parts of the address space that most processes do not use: below the libraries and the generated
    code, and below the program. They are as random as the address of the generated code."""
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
    """A Lease of `size` accessible bytes, all zero, of the C library's heap, which needs no mapping for a few. Raises
    MemoryError."""
    start = libc.zeroed(size)
    return Lease(start, partial(libc.free, start))


class Growth:
    """Commits the reservation at `base`, in elements of `unit` bytes, up to `most` elements. Committed elements are zero at
    first. `committed`: all of them are accessible already."""

    def __init__(self, base, unit, most, committed=False):
        self._base, self._unit, self._most, self._committed = base, unit, most, committed
        self._lock = forks.kept(RLock(), "growth")    # a finalizer may grow the same one in the middle of it

    def grow(self, count, size, resize):
        """Commit `count` more elements. `size()` gives the current number, `resize(before, after)` stores the new one. Returns
        the number before, or -1 if the maximum or the system forbids it."""
        grown = self._grow(count, size, resize)
        if grown is None and gc.collect():     # unreachable cycles may have held the memory
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
