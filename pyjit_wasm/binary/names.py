"""The `name` custom section (spec 7.4.1): names of the module, of functions and of locals."""
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.errors import DecodeError
from pyjit_wasm.module import Names

MODULE, FUNCTIONS, LOCALS = 0, 1, 2


def names(content):
    """Names from the content of the section, None if there is none. A malformed one is ignored."""
    parts = {}
    try:
        reader = Reader(content or b"")
        while reader.peek() is not None:
            subsection = reader.byte()
            part = Reader(reader.take(reader.size()))
            if subsection in PARTS:
                parts[subsection] = PARTS[subsection](part)
    except DecodeError:
        parts = {}
    return Names(parts.get(MODULE), parts.get(FUNCTIONS, {}), parts.get(LOCALS, {}))


def _association(reader):
    return reader.u32(), reader.name()


def _name_map(reader):
    return dict(reader.vec(_association))


def _indirect_association(reader):
    return reader.u32(), _name_map(reader)


def _indirect_name_map(reader):
    return dict(reader.vec(_indirect_association))


PARTS = {MODULE: Reader.name, FUNCTIONS: _name_map, LOCALS: _indirect_name_map}
