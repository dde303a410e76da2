"""decode: the bytes of a module to a `Module` (spec 5.5.16)."""
from functools import partial

from pyjit_wasm.binary import bulk
from pyjit_wasm.binary.names import names
from pyjit_wasm.binary.reader import Reader, check_limit, truncated
from pyjit_wasm.binary.sections import SECTIONS, check_size, frozen
from pyjit_wasm.errors import DecodeError
from pyjit_wasm.module import Module
from pyjit_wasm.types import DefType, GlobalType, MemType, TableType, TagType

MAGIC, VERSION = b"\0asm", b"\1\0\0\0"

POSITION = {section: position for position, (section, *_) in enumerate(SECTIONS)}
CUSTOM = 0


def decode(data, read_bodies=True, load_kernel=None):
    """The Module that `data` encodes; raises DecodeError if it is malformed, and ValidationError for
    a type index without a type. Without `read_bodies` nothing is said about the instructions of functions. With
    `load_kernel` (`codegen.kernels.load`) kernels read the long sections."""
    data = bytes(data)
    reader = _bulk_reader(data, load_kernel) if load_kernel else Reader(data)
    reader.read_bodies = read_bodies
    check_limit("bytes in a module", len(data), 0)
    _header(reader)
    content = {name: absent for _, name, _, absent in SECTIONS}
    customs = []
    position = -1
    while reader.peek() is not None:
        section = reader.byte()
        if section == CUSTOM:
            customs.append(_custom(reader))
        elif section not in POSITION:
            raise reader.malformed("malformed section id")
        elif POSITION[section] <= position:
            raise reader.malformed("unexpected content after last section")
        else:
            position = POSITION[section]
            _section(reader, position, content)
    _check_lengths(reader, content)
    module = _module(data, customs, content)
    for what, space in (("functions", module.funcs), ("tables", module.tables), ("memories", module.mems),
                        ("globals", module.globals), ("tags", module.tags)):
        check_limit(what, len(space), reader.pos)   # with those that are imported
    return module


def _bulk_reader(data, load_kernel):
    from pyjit_wasm.binary.bulk_reader import BulkReader

    return BulkReader(data, load_kernel)


def _header(reader):
    for expected, message in ((MAGIC, "magic header not detected"), (VERSION, "unknown binary version")):
        if reader.take(4) != expected:
            raise reader.malformed(message, 4)


def _custom(reader):
    size = reader.size()
    end = reader.pos + size
    name = reader.name()
    if reader.pos > end:
        raise truncated(end)
    return name, reader.take(end - reader.pos)


def _section(reader, position, content):
    _, name, read, _ = SECTIONS[position]
    size = reader.size()
    start = reader.pos
    content[name] = read(reader)
    check_size(reader, start, size)


def _check_lengths(reader, content):
    """The demands on several sections at once."""
    count, datas = content["data_count"], content["datas"]
    if len(content["funcs"]) != len(content["codes"]):
        raise DecodeError("function and code section have inconsistent lengths", reader.pos)
    if count is not None and count != len(datas):
        raise DecodeError("data count and data section have inconsistent lengths", reader.pos)
    if count is None and reader.uses_data:
        raise DecodeError("data count section required", reader.pos)


def _module(data, customs, content):
    imported = [i.type for i in content["imports"]]

    def space(kind, defined):
        return tuple([t for t in imported if isinstance(t, kind)] + list(defined))

    tables, globals_ = content["tables"], content["globals"]
    return Module(
        types=tuple(content["types"]), imports=tuple(content["imports"]),
        funcs=space(DefType, content["funcs"]), tables=space(TableType, [t.type for t in tables]),
        mems=space(MemType, content["mems"]), globals=space(GlobalType, [g.type for g in globals_]),
        tags=space(TagType, content["tags"]),
        codes=frozen(content["codes"]), table_defs=tuple(tables), global_defs=tuple(globals_),
        exports=tuple(content["exports"]), elems=tuple(content["elems"]), datas=frozen(content["datas"]),
        start=content["start"], read_names=partial(names, dict(customs).get("name")), customs=tuple(customs), data=data,
        declared=_declared(content), data_count=content["data_count"], positions=None)


def _declared(content):
    """The functions that occur outside of function bodies, in exports and constant expressions."""
    constants = [t.init for t in content["tables"]] + [g.init for g in content["globals"]]
    constants += [elem.offset for elem in content["elems"]]
    if not isinstance(content["datas"], bulk.Datas):    # those are numbers
        constants += [data.offset for data in content["datas"]]
    declared = {export.index for export in content["exports"] if export.kind == "func"}
    for found in (list(filter(None, constants)), *[elem.inits for elem in content["elems"]]):
        declared.update(bulk.function_indices(found))
    return frozenset(declared)
