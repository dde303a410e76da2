"""What keeps damaged or hostile debug information from being read for ever: pyelftools trusts counts and references."""
import io

from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.config import DEBUG_READS

# bytes of the forms that tables of files have (DWARF 5, 7.5.6); None: variable
_SIZES = {0x0b: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1e: 16, 0x0e: 4, 0x1f: 4, 0x0f: None, 0x08: None, 0x09: None}
_STRING, _BLOCK, _UDATA = 0x08, 0x09, 0x0f


class TooLong(Exception):
    """More was read than a lookup may."""


class Budget:
    """How many reads are left: all Streams of a module's debug information share one."""

    def __init__(self):
        self.left = 0

    def refill(self):
        """Called when a lookup begins."""
        self.left = DEBUG_READS

    def spend(self, reads):
        """Raises TooLong when there are none left."""
        self.left -= reads
        if self.left < 0:
            raise TooLong


class Stream(io.BytesIO):
    """A section as a file, whose reads are counted."""

    def __init__(self, content, budget):
        super().__init__(content)
        self._budget = budget

    def read(self, size=-1):
        self._budget.spend(1)
        return super().read(size)


def check_line_header(section, offset):
    """Raise an exception if the tables of a line program (DWARF 5, 6.2.4) have many entries without content, which cost
    nothing to write and everything to read. `section`: the bytes of `.debug_line`."""
    reader = Reader(section, offset)
    wide = _fixed(reader, 4) == 0xFFFFFFFF
    if wide:
        _fixed(reader, 8)
    if _fixed(reader, 2) < 5:
        return
    reader.take((2 + 8 if wide else 2 + 4) + 5)  # sizes, header_length, five bytes
    reader.take(reader.byte() - 1)
    for _ in ("directories", "files"):
        _check_table(reader)


def _check_table(reader):
    forms = [(reader.u64(), reader.u64())[1] for _ in range(reader.byte())]
    count = reader.u64()
    if count and not forms:
        raise TooLong
    for _ in range(count):
        for form in forms:
            _skip(reader, form)


def _skip(reader, form):
    size = _SIZES[form]
    if size is not None:
        reader.take(size)
    elif form == _STRING:
        reader.pos = reader.data.index(b"\0", reader.pos) + 1
    elif form == _BLOCK:
        reader.take(reader.u64())
    else:
        reader.u64()


def _fixed(reader, size):
    return int.from_bytes(reader.take(size), "little")
