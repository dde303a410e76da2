"""The `name` custom section (spec 7.4.1): names of the module, of functions and of locals; others for who asks."""
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.errors import DecodeError
from pyjit_wasm.module import Names

MODULE, FUNCTIONS, LOCALS = 0, 1, 2


def names(content):
    """Names from the content of the section, None if there is none. A malformed one is ignored."""
    found = parts(content, PARTS)
    return Names(found.get(MODULE), found.get(FUNCTIONS, {}), found.get(LOCALS, {}))


def parts(content, readers):
    """What the `readers` of some subsections read, by id; nothing of a malformed section."""
    found = {}
    try:
        reader = Reader(content or b"")
        while reader.peek() is not None:
            subsection = reader.byte()
            part = Reader(reader.take(reader.size()))
            if subsection in readers:
                found[subsection] = readers[subsection](part)
    except DecodeError:
        found = {}
    return found


def name_map(reader):
    """{index: name}. There may be millions: nearly all have indices of four bytes at most and fewer than 128 bytes, which are
    read here."""
    found, data = {}, reader.data
    count, end, pos = reader.count(), len(data), reader.pos
    for _ in range(count):
        index = int.from_bytes(data[pos:pos + 4], "little")
        if not index & 0x80:
            index, start = index & 0x7F, pos + 1
        elif not index & 0x8000:
            index, start = index & 0x7F | index >> 1 & 0x3F80, pos + 2
        elif not index & 0x800000:
            index, start = index & 0x7F | index >> 1 & 0x3F80 | index >> 2 & 0x1FC000, pos + 3
        else:
            reader.pos = pos
            index, start = reader.u32(), reader.pos
        if start < end and data[start] < 0x80 and start + data[start] < end:
            pos = start + 1 + data[start]
            found[index] = _text(data[start + 1:pos], start)
        else:
            reader.pos = start
            found[index] = reader.name()
            pos = reader.pos
    reader.pos = pos
    return found


def _text(data, offset):
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise DecodeError("malformed UTF-8 encoding", offset) from None


def indirect_name_map(reader):
    return {reader.u32(): name_map(reader) for _ in range(reader.count())}


PARTS = {MODULE: Reader.name, FUNCTIONS: name_map, LOCALS: indirect_name_map}
