"""Rules of memory and table instructions (spec 3.4.5 to 3.4.7)."""
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.types import I32, I64, matches
from pyjit_wasm.valid.body import lookup


def memory(body, index):
    return lookup(body.module.mems, index, "memory")


def table(body, index):
    return lookup(body.module.tables, index, "table")


def data_segment(body, index):
    return lookup(body.module.datas, index, "data segment")


def elem_segment(body, index):
    return lookup(body.module.elems, index, "elem segment")


def length_type(first, second):
    """The address type of the length in a copy between two address types."""
    return I64 if first == second == I64 else I32


def signatures(op):
    """(parameters, results) of a row by address type."""
    def substituted(types, addr):
        return tuple([addr if t == "addr" else t for t in types])
    return {addr: (substituted(op.params, addr), substituted(op.results, addr)) for addr in (I32, I64)}


def access(op):
    """The rule of a load or store; its immediate is the memarg alone."""
    by_address_type, natural = signatures(op), op.access.bit_length() - 1

    def rule(body, imm):
        align, memidx, offset = imm
        addr = memory(body, memidx).addr
        if align > natural:
            raise ValidationError("alignment must not be larger than natural")
        if align < natural and op.atomic:
            raise ValidationError("atomic alignment must be natural")
        if offset > 0xFFFFFFFF and addr == I32:
            raise ValidationError("offset out of range")
        body.apply(*by_address_type[addr])
    return rule


def lane_access(op):
    """The rule of a load or store of one lane."""
    whole, lanes = access(op), 16 // op.access

    def rule(body, imm):
        memarg, lane = imm
        if lane >= lanes:
            raise ValidationError(f"invalid lane index {lane}")
        whole(body, memarg)
    return rule


def memory_size(body, imm):
    body.stack.append(memory(body, imm).addr)


def memory_grow(body, imm):
    body.bulk = True
    addr = memory(body, imm).addr
    body.apply((addr,), (addr,))


def memory_init(body, imm):
    dataidx, memidx = imm
    body.bulk = True
    addr = memory(body, memidx).addr
    data_segment(body, dataidx)
    body.pop_all((addr, I32, I32))


def memory_copy(body, imm):
    body.bulk = True
    target, source = [memory(body, index).addr for index in imm]
    body.pop_all((target, source, length_type(target, source)))


def memory_fill(body, imm):
    body.bulk = True
    addr = memory(body, imm).addr
    body.pop_all((addr, I32, addr))


def data_drop(body, imm):
    data_segment(body, imm)


def table_get(body, imm):
    tabletype = table(body, imm)
    body.apply((tabletype.addr,), (tabletype.elem,))


def table_set(body, imm):
    body.writes_references = True
    tabletype = table(body, imm)
    body.pop_all((tabletype.addr, tabletype.elem))


def table_size(body, imm):
    body.stack.append(table(body, imm).addr)


def table_grow(body, imm):
    body.bulk = body.writes_references = True
    tabletype = table(body, imm)
    body.apply((tabletype.elem, tabletype.addr), (tabletype.addr,))


def table_fill(body, imm):
    body.bulk = body.writes_references = True
    tabletype = table(body, imm)
    body.pop_all((tabletype.addr, tabletype.elem, tabletype.addr))


def table_copy(body, imm):
    body.bulk = body.writes_references = True
    target, source = [table(body, index) for index in imm]
    if not matches(source.elem, target.elem):
        raise ValidationError(f"type mismatch: source element type {source.elem} does not match {target.elem}")
    body.pop_all((target.addr, source.addr, length_type(target.addr, source.addr)))


def table_init(body, imm):
    elemidx, tableidx = imm
    body.bulk = body.writes_references = True
    tabletype, segment = table(body, tableidx), elem_segment(body, elemidx)
    if not matches(segment.reftype, tabletype.elem):
        raise ValidationError(f"type mismatch: element segment's type {segment.reftype} does not match "
                              f"{tabletype.elem}")
    body.pop_all((tabletype.addr, I32, I32))


def elem_drop(body, imm):
    elem_segment(body, imm)


RULES = {
    "memory.size": memory_size, "memory.grow": memory_grow, "memory.init": memory_init,
    "memory.copy": memory_copy, "memory.fill": memory_fill, "data.drop": data_drop,
    "table.get": table_get, "table.set": table_set, "table.size": table_size, "table.grow": table_grow,
    "table.fill": table_fill, "table.copy": table_copy, "table.init": table_init, "elem.drop": elem_drop,
}
