"""What the sections of a module hold (spec 5.5), item by item; every function takes a `Reader`."""
from pyjit_wasm.binary.body import constant, expression
from pyjit_wasm.binary.reader import check_limit
from pyjit_wasm.binary.types import (functype, globaltype, memtype, reftype, tabletype, tagtype, type_section,
                                     valtype)
from pyjit_wasm.errors import DecodeError
from pyjit_wasm.module import Code, Data, Elem, Export, Global, Import, Table
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.types import FUNCREF, RefType

EXTERNAL_KINDS = ("func", "table", "memory", "global", "tag")
IMPORTED = (functype, tabletype, memtype, globaltype, tagtype)

# flags of element segments
NOT_ACTIVE, EXPLICIT, EXPRESSIONS = 1, 2, 4     # EXPLICIT: table index if active, else declarative
FUNCREF_NON_NULL = RefType(False, "func")


def import_(reader):
    module, name, kind = reader.name(), reader.name(), reader.byte()
    if kind >= len(IMPORTED):
        raise reader.malformed("malformed import kind")
    return Import(module, name, IMPORTED[kind](reader))


def table(reader):
    if reader.peek() != 0x40:
        return Table(tabletype(reader), None)
    if reader.take(2) != b"\x40\x00":
        raise reader.malformed("malformed table")
    return Table(tabletype(reader), constant(reader))


def global_(reader):
    return Global(globaltype(reader), constant(reader))


def export(reader):
    name, kind = reader.name(), reader.byte()
    if kind >= len(EXTERNAL_KINDS):
        raise reader.malformed("malformed export kind")
    return Export(name, EXTERNAL_KINDS[kind], reader.u32())


def _elemkind(reader):
    if reader.byte():
        raise reader.malformed("malformed element kind")
    return FUNCREF_NON_NULL


def ref_func(reader):
    """A function index, as the constant expression it abbreviates."""
    offset = reader.pos
    return [(BY_NAME["ref.func"], reader.u32(), offset)]


def elem(reader):
    start = reader.pos
    flags = reader.u32()
    if flags > (NOT_ACTIVE | EXPLICIT | EXPRESSIONS):
        raise DecodeError("malformed elements segment kind", start)
    mode, index, offset = "active", 0, None
    if flags & NOT_ACTIVE:
        mode = "declarative" if flags & EXPLICIT else "passive"
    else:
        index = reader.u32() if flags & EXPLICIT else 0
        offset = constant(reader)
    typed = flags & (NOT_ACTIVE | EXPLICIT)
    if flags & EXPRESSIONS:
        elemtype, init = reftype(reader) if typed else FUNCREF, constant
    else:
        elemtype, init = _elemkind(reader) if typed else FUNCREF_NON_NULL, ref_func
    return Elem(elemtype, frozen(reader.vec(init, "elements in a segment")), mode, index, offset)


def _locals(reader):
    return reader.u32(), valtype(reader)


def code(reader):
    """A function body; its instructions are decoded, but only to see whether they are well formed."""
    size = reader.size()
    start = reader.pos
    check_limit("bytes in a function body", size, start)
    runs = tuple(reader.vec(_locals))
    check_limit("locals", sum(count for count, _ in runs), start)
    body = reader.pos
    if reader.read_bodies:
        expression(reader)
        check_size(reader, start, size)
    elif body > start + size:
        raise DecodeError("section size mismatch", start)
    else:
        reader.pos = start + size
    return Code(runs, body, reader.pos)


def data(reader):
    mode, memory, offset = reader.u32(), 0, None
    if mode > 2:
        raise reader.malformed("malformed data segment kind")
    if mode == 2:
        memory = reader.u32()
    if mode != 1:
        offset = constant(reader)
    size = reader.u32()
    start = reader.pos
    reader.take(size)
    return Data(start, reader.pos, "passive" if mode == 1 else "active", memory, offset)


def data_count(reader):
    start, count = reader.pos, reader.u32()
    check_limit("data segments", count, start)
    return count


def check_size(reader, start, size):
    """Check that what was read from `start` on has its declared size."""
    if reader.pos != start + size:
        raise DecodeError("section size mismatch", start)


def frozen(items):
    """A vector as it stays: a tuple, unless it is a sequence that makes its items."""
    return tuple(items) if isinstance(items, list) else items


def vec_of(item, what):
    """The reader of a section that is a vector of what `item` reads, a `what` each."""
    return lambda reader: reader.vec(item, what)


# in the order the sections must have: id, name of the content, reader, content of a missing section
SECTIONS = (
    (1, "types", type_section, ()),
    (2, "imports", vec_of(import_, "imports"), ()),
    (3, "funcs", vec_of(functype, "functions"), ()),
    (4, "tables", vec_of(table, "tables"), ()),
    (5, "mems", vec_of(memtype, "memories"), ()),
    (13, "tags", vec_of(tagtype, "tags"), ()),
    (6, "globals", vec_of(global_, "globals"), ()),
    (7, "exports", vec_of(export, "exports"), ()),
    (8, "start", lambda reader: reader.u32(), None),
    (9, "elems", vec_of(elem, "element segments"), ()),
    (12, "data_count", data_count, None),
    (10, "codes", vec_of(code, "functions"), ()),
    (11, "datas", vec_of(data, "data segments"), ()),
)
