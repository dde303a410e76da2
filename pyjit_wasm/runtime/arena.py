"""Address space for generated code: two reservations whose parts stay within reach of each other.

`guest` holds what may fault or be interrupted (compiled functions, interpreter handlers); `host`
holds the runtime's own code (trampolines, trap and signal handling), which must not be unwound.
Pages are writable while an object is copied in and executable afterwards, never both.
"""
import ctypes
from functools import partial

from pyjit_wasm import config
from pyjit_wasm.runtime import freed, libc
from pyjit_wasm.runtime.lease import Lease

_PAGE = libc.MACHINE_PAGE


class Arena:
    """First-fit allocation of whole pages inside one reservation [lo, hi). What is released by dying
    leases, perhaps in the middle of an allocation, is taken back at the next one. Free pages are inaccessible, unless the
    system refused that for want of mappings.

    There is no lock, because finalizers and signal handlers come here, and would wait for what they have interrupted. Instead
    a range leaves `_free` {start: size} by one step in which neither they nor other threads can run: bytecode without
    calls, backward jumps and new containers.
    """

    def __init__(self, lo, size):
        self.lo, self.hi = lo, lo + size
        self._free, self._returned = {lo: size}, []

    def allocate(self, size):
        """Lease of writable pages for `size` bytes. MemoryError when the arena is full."""
        size = _pages(size)
        self._take_back()
        start = self._claim(size)
        if start is None:
            raise MemoryError("the code arena is full")
        give_back = partial(self._give_back, start, size)
        try:
            libc.protect(start, size, libc.PROT_RW)
        except BaseException:
            give_back()
            raise
        return Lease(start, give_back)

    def _claim(self, size):
        """The lowest place of `size` bytes that was free, or None."""
        known, changes = self._free, True
        while changes:
            changes = False
            for start in sorted(known):
                try:
                    free = known[start]     # one step from here on
                    if free >= size:
                        del known[start]
                        if free > size:
                            known[start + size] = free - size
                        return start
                except KeyError:    # somebody else has taken some of it, or joined it to another
                    changes = True
        return None

    def _give_back(self, start, size):
        if freed.POISON:
            libc.set_protection(start, size, libc.PROT_NONE)
        self._returned.append((start, size))

    @property
    def used(self):
        """Bytes of the pages that are in use."""
        self._take_back()
        return self.hi - self.lo - sum(list(self._free.values()))

    def _take_back(self):
        """Make free what was released."""
        while self._returned:
            try:
                start, size = self._returned.pop()
            except IndexError:
                return
            libc.discard(start, size)
            libc.set_protection(start, size, libc.PROT_NONE)
            if freed.POISON:
                continue
            self._free[start] = size
            self._join()

    def _join(self):
        """Make one of free neighbours."""
        known = self._free
        for start in sorted(known):
            try:
                while True:
                    size = known[start]     # one step from here on
                    end = start + size
                    more = known[end]
                    del known[end]
                    known[start] = size + more
            except KeyError:    # there is none, or somebody else has it
                pass


def _pages(size):
    return -(-size // _PAGE) * _PAGE


_base = libc.reserve(2 * config.CODE_ARENA)
guest = Arena(_base, config.CODE_ARENA)
host = Arena(_base + config.CODE_ARENA, config.CODE_ARENA)


def write(address, data):
    ctypes.memmove(address, bytes(data), len(data))
