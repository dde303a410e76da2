"""Address space for generated code: two reservations whose parts stay within reach of each other.

`guest` holds what may fault or be interrupted (compiled functions, interpreter handlers); `host`
holds the runtime's own code (trampolines, trap and signal handling), which must not be unwound.
Pages are writable while an object is copied in and executable afterwards, never both.
"""
import ctypes
from _thread import allocate_lock
from functools import partial

from pyjit_wasm import config
from pyjit_wasm.runtime import freed, libc
from pyjit_wasm.runtime.lease import Lease

_PAGE = libc.MACHINE_PAGE


class Arena:
    """First-fit allocation of whole pages inside one reservation [lo, hi). What is released by dying
    leases, perhaps in the middle of an allocation, is taken back at the next one. Free pages are inaccessible, unless the
    system refused that for want of mappings."""

    def __init__(self, lo, size):
        self.lo, self.hi = lo, lo + size
        self._free, self._returned = [(lo, size)], []
        self._lock = allocate_lock()

    def allocate(self, size):
        """Lease of writable pages for `size` bytes. MemoryError when the arena is full."""
        size = _pages(size)
        with self._lock:
            self._take_back()
            for index, (start, free) in enumerate(self._free):
                if free >= size:
                    give_back = partial(self._give_back, start, size)
                    libc.protect(start, size, libc.PROT_RW)
                    self._free[index:index + 1] = [(start + size, free - size)] if free > size else []
                    return Lease(start, give_back)
        raise MemoryError("the code arena is full")

    def _give_back(self, start, size, poison=freed.POISON):     # Python may be ending, and this module be empty
        if poison:
            libc.set_protection(start, size, libc.PROT_NONE)
        self._returned.append((start, size))

    @property
    def used(self):
        """Bytes of the pages that are in use."""
        with self._lock:
            self._take_back()
            return self.hi - self.lo - sum(size for _, size in self._free)

    def _take_back(self):
        """Join what was released to its free neighbours."""
        while self._returned:
            start, size = self._returned.pop()
            libc.discard(start, size)
            libc.set_protection(start, size, libc.PROT_NONE)
            if freed.POISON:
                continue
            ranges = sorted([*self._free, (start, size)])
            joined = [ranges[0]]
            for begin, length in ranges[1:]:
                last, extent = joined[-1]
                if last + extent == begin:
                    joined[-1] = (last, extent + length)
                else:
                    joined.append((begin, length))
            self._free = joined


def _pages(size):
    return -(-size // _PAGE) * _PAGE


_base = libc.reserve(2 * config.CODE_ARENA)
guest = Arena(_base, config.CODE_ARENA)
host = Arena(_base + config.CODE_ARENA, config.CODE_ARENA)


def write(address, data):
    ctypes.memmove(address, bytes(data), len(data))
