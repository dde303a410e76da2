"""Pages with a pattern around the reservations of linear memories: what escapes from a memory finds them.

Directly below and above, and further away, `Canaries` maps pages that can be read and written. `damage` says which of them
have changed. What reads them gets the pattern: a result that differs from that of other engines.
"""
import ctypes
import mmap

from pyjit_wasm.runtime import libc

PATTERN = bytes((0xC5, 0x3A, 0xD1, 0x96)) * 0x4000      # 64 KiB that no generator makes
NEAR = 4 << 20                                          # bytes mapped directly below and above
SPACER = 20 << 30
# islands: their distances from either end of the reservation
DISTANCES = tuple(1 << power for power in (24, 27, 30, 31, 32, 33)) + (3 << 31,)
_compare = libc.libc.memcmp
_compare.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
_NOREPLACE, _NORESERVE = 0x100000, 0x4000
_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NOREPLACE | _NORESERVE


def _map(start, size):
    """Whether `size` bytes at `start` could be mapped, readable and writable, where nothing was."""
    if start < 1 << 20:
        return False
    found = libc._mmap(start, size, libc.PROT_RW, _FLAGS, -1, 0)
    if found == start:
        return True
    if found != libc._FAILED:
        libc.release(found, size)
    return False


class Spacer:
    """`with Spacer(): ...`: what is reserved meanwhile has free address space above it afterwards."""

    def __enter__(self):
        self.start = libc.reserve(SPACER)

    def __exit__(self, *_):
        libc.release(self.start, SPACER)


class Canaries:
    """Around memories: MemoryInst objects, which have `start` and `reserved`."""

    def __init__(self, memories):
        self.places = []    # (address, the memory, what it is for people) of pages with the pattern
        for number, memory in enumerate(memories):
            end = memory.start + memory.reserved
            self._put(memory.start - NEAR, NEAR, f"below memory {number}")
            self._put(end, NEAR, f"above memory {number}")
            for distance in DISTANCES:
                self._put(memory.start - distance - len(PATTERN), len(PATTERN), f"{distance:#x} below memory {number}")
                self._put(end + distance, len(PATTERN), f"{distance:#x} above memory {number}")

    def _put(self, start, size, what):
        if not _map(start, size):
            return
        for place in {start, start + size - len(PATTERN)}:
            ctypes.memmove(place, PATTERN, len(PATTERN))
            self.places.append((place, what))

    def damage(self):
        """Where canaries have changed; they are repaired."""
        found = []
        for place, what in self.places:
            if _compare(place, PATTERN, len(PATTERN)):
                found.append(what)
                ctypes.memmove(place, PATTERN, len(PATTERN))
        return found
