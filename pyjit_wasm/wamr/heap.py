"""The host-managed heap: a part of linear memory that the host allocates from (WAMR: app heap).

What is where is known to the host only, so nothing that the guest writes can damage it.
"""
import bisect
from _thread import allocate_lock

_ALIGNMENT = 8


class Heap:
    """First-fit allocation in the `size` bytes from the offset `start` on. `used`: bytes that are allocated now, `peak`: that
    were at most. Threads may share it."""

    def __init__(self, start, size):
        self.start, self.size = start, size
        self.used = self.peak = 0
        self._free = [(start, size)]    # (offset, bytes) ascending, none next to another
        self._allocated = {}            # offset: bytes
        self._lock = allocate_lock()

    def allocate(self, size):
        """The offset of so many bytes, aligned to 8, or None if there is no room."""
        size = max(-(-size // _ALIGNMENT), 1) * _ALIGNMENT
        with self._lock:
            for index, (start, room) in enumerate(self._free):
                if room >= size:
                    self._free[index:index + 1] = [(start + size, room - size)] if room > size else []
                    self._allocated[start] = size
                    self.used += size
                    self.peak = max(self.peak, self.used)
                    return start
        return None

    def free(self, offset):
        """Give back what `allocate` returned. ValueError for another offset, and for one that was given back already."""
        with self._lock:
            size = self._allocated.pop(offset, None)
            if size is None:
                raise ValueError(f"nothing is allocated at offset {offset} of the heap")
            self.used -= size
            self._join(offset, size)

    def _join(self, start, size):
        """Make a range free, one with its free neighbours."""
        place = bisect.bisect(self._free, (start, size))
        if place < len(self._free) and start + size == self._free[place][0]:
            size += self._free.pop(place)[1]
        if place and sum(self._free[place - 1]) == start:
            before, room = self._free.pop(place - 1)
            place, start, size = place - 1, before, room + size
        self._free.insert(place, (start, size))
