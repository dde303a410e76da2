"""Primitives of the binary format (spec chapter 5), writing: LEB128, vectors, names, sections, codes of types."""
from pyjit_wasm.binary import types

MAGIC = b"\0asm\x01\0\0\0"

# section ids in the order of their appearance; custom sections (id 0) may be anywhere
SECTIONS = {"type": 1, "import": 2, "func": 3, "table": 4, "memory": 5, "tag": 13, "global": 6, "export": 7,
            "start": 8, "elem": 9, "datacount": 12, "code": 10, "data": 11}

NUMBER_TYPES, PACKED_TYPES, HEAP_TYPES = ({name: bytes([code]) for code, name in table.items()}
                                          for table in (types.NUMERIC, types.PACKED, types.HEAP))
REFERENCE_SHORTHANDS = {str(reftype): bytes([code]) for code, reftype in types.REFERENCE.items()}
REF, REF_NULL, SUB, SUB_FINAL, REC = (
    bytes([code]) for code in (types.REF, types.REF_NULL, types.SUB, types.SUB_FINAL, types.REC))
FUNC, STRUCT, ARRAY = b"\x60", b"\x5F", b"\x5E"
EMPTY_BLOCK = b"\x40"
END = b"\x0B"

_BYTES = [bytes([value]) for value in range(256)]


def uleb(value):
    """Unsigned LEB128."""
    if value < 0x80:
        return _BYTES[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sleb(value):
    """Signed LEB128."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def sized(data):
    """A vector of bytes, which is also any contents preceded by its size."""
    return uleb(len(data)) + data


def vector(items):
    """A vector of encoded items."""
    return uleb(len(items)) + b"".join(items)


def name(text):
    return sized(text.encode())


def section(code, contents):
    return _BYTES[code] + sized(contents)


def custom_section(title, contents):
    return section(0, name(title) + contents)


def opcode(code):
    """An opcode as the table has it: a byte, or prefix << 16 | subopcode."""
    return _BYTES[code] if code < 0x100 else _BYTES[code >> 16] + uleb(code & 0xFFFF)


def limits(minimum, maximum=None, addr="i32", shared=False):
    """Limits with the address type folded into the flags."""
    flags = (maximum is not None) | shared << 1 | (addr == "i64") << 2
    return _BYTES[flags] + uleb(minimum) + (b"" if maximum is None else uleb(maximum))
