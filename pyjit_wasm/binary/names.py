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


def _association(reader):
    return reader.u32(), reader.name()


def name_map(reader):
    return dict(reader.vec(_association))


def _indirect_association(reader):
    return reader.u32(), name_map(reader)


def indirect_name_map(reader):
    return dict(reader.vec(_indirect_association))


PARTS = {MODULE: Reader.name, FUNCTIONS: name_map, LOCALS: indirect_name_map}
