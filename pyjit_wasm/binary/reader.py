"""Reader: a cursor over the bytes of a module, with the primitives of spec 5.2 (integers, vectors, names).

A reader is bounded by its data alone: whoever reads something with a declared size compares the
positions afterwards. Every vector length is checked against the bytes left, so a hostile count fails
before anything is allocated.
"""
from pyjit_wasm.config import LIMITS
from pyjit_wasm.errors import DecodeError


def truncated(offset):
    """The error of running out of bytes."""
    return DecodeError("unexpected end of section or function", offset)


def check_limit(what, found, offset):
    """Check how many of `what`, a key of LIMITS, there are."""
    if found > LIMITS[what]:
        raise DecodeError(f"too many {what}: {found} (at most {LIMITS[what]})", offset)


class Reader:
    """`data` and `pos`; `types`: the DefTypes that type indices refer to; `pending`: how many types
    the recursive group being defined has; `uses_data`: whether an instruction had a data index; `read_bodies`: whether
    the instructions of functions are read."""

    __slots__ = ("data", "pos", "types", "pending", "uses_data", "read_bodies")

    def __init__(self, data, pos=0, types=()):
        self.data, self.pos, self.types = data, pos, types
        self.pending, self.uses_data, self.read_bodies = 0, False, True

    def malformed(self, message, width=1):
        """A DecodeError about the last `width` bytes read."""
        return DecodeError(message, self.pos - width)

    def byte(self):
        try:
            byte = self.data[self.pos]
        except IndexError:
            raise truncated(self.pos) from None
        self.pos += 1
        return byte

    def peek(self):
        """The next byte, which stays unread, or None at the end."""
        return self.data[self.pos] if self.pos < len(self.data) else None

    def take(self, size):
        """The next `size` bytes."""
        start = self.pos
        if size > len(self.data) - start:
            raise truncated(len(self.data))
        self.pos = start + size
        return self.data[start:self.pos]

    def u32(self):
        pos = self.pos
        if pos < len(self.data) and (byte := self.data[pos]) < 0x80:
            self.pos = pos + 1
            return byte
        return self._unsigned(32)

    def u64(self):
        return self._unsigned(64)

    def s32(self):
        return self._signed(32)

    def s33(self):
        return self._signed(33)

    def s64(self):
        return self._signed(64)

    def _unsigned(self, bits):
        value = shift = 0
        while True:
            byte = self._group(shift, bits)
            left = bits - shift
            if left < 7 and (byte & 0x7F) >> left:
                raise self.malformed("integer too large")
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _signed(self, bits):
        value = shift = 0
        while True:
            byte = self._group(shift, bits)
            left = bits - shift
            # the sign bit and the unused bits above it must agree
            if left < 7 and (byte & 0x7F) >> left - 1 not in (0, 0x7F >> left - 1):
                raise self.malformed("integer too large")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value - (1 << shift) if byte & 0x40 else value

    def _group(self, shift, bits):
        """The LEB128 byte whose bits go to `shift` in an integer of that many bits."""
        if shift >= bits:
            raise DecodeError("integer representation too long", self.pos)
        return self.byte()

    def size(self):
        """The declared size in bytes of what follows."""
        start = self.pos
        size = self.u32()
        if size > len(self.data) - self.pos:
            raise DecodeError("length out of bounds", start)
        return size

    def count(self, what=None):
        """The length of a vector: every element takes a byte at least. `what`: a key of LIMITS."""
        start, count = self.pos, self.u32()
        if count > len(self.data) - self.pos:
            raise truncated(len(self.data))
        if what is not None:
            check_limit(what, count, start)
        return count

    def typecode(self):
        """The byte that tells types apart: a negative 7-bit integer."""
        byte = self.byte()
        if byte > 0x7F:
            raise self.malformed("integer representation too long")
        return byte

    def vec(self, item, what=None):
        """A vector, as a list, of what the function `item` reads; `what` as of `count`."""
        return [item(self) for _ in range(self.count(what))]

    def name(self):
        start, size = self.pos, self.size()
        check_limit("bytes in a name", size, start)
        try:
            return str(self.take(size), "utf-8")
        except UnicodeDecodeError:
            raise DecodeError("malformed UTF-8 encoding", start) from None
