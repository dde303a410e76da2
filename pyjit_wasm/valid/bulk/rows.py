"""The other instructions, as kernels: those of many rows by their signatures, and variables, references, memories, tables."""
from pyjit_wasm.valid.bulk.state import (
    BULK, BYTES, CONST32, CONST64, DATA_DROP, DROP, ELEM_DROP, FACTS, FUNCREF, GLOBAL_GET, GLOBAL_SET, I32, I64, LANE,
    LANE_ACCESS, LIMIT, LOCAL_COUNT, LOCAL_GET, LOCAL_SET, MEMORY_FILL, MEMORY_GROW, MEMORY_INIT, MEMORY_SIZE, POS,
    REF_FUNC, REF_IS_NULL, REF_NULL, SELECT_TYPED, SHUFFLE, TABLE_FILL, TABLE_GET, TABLE_GROW, TABLE_INIT, TABLE_SET,
    TABLE_SIZE, WRITES_REFERENCES, ZERO, apply_row, byte_below, i32, i64, offset, pop, pop_any, push, signed, u32, u8,
    value_type)


def immediate(at: i64, data: u8, stack: i32, mems: i32, mem_count, kind, aux, signature):
    """Instructions of fixed types with an immediate: constants, lanes, memory accesses. `aux`: of a constant its size in
    bytes, of lanes how many there are, of an access its alignment, how many lanes << 3, and 128 if it is atomic."""
    addr = 0
    if kind == CONST32:
        if not signed(at, data, 32):
            return 0
    elif kind == CONST64:
        if not signed(at, data, 64):
            return 0
    elif kind == BYTES:
        if at[POS] + aux > at[LIMIT]:
            return 0
        at[POS] = at[POS] + aux
    elif kind == LANE:
        if not byte_below(at, data, aux):
            return 0
    elif kind == ZERO:
        if not byte_below(at, data, 1):
            return 0
    elif kind == SHUFFLE:
        lanes = 16
        while lanes > 0:
            if not byte_below(at, data, 32):
                return 0
            lanes -= 1
    else:
        addr = access(at, data, mems, mem_count, aux & 7, aux & 128)
        if not addr or kind == LANE_ACCESS and not byte_below(at, data, 16 >> (aux & 7)):
            return 0
    return apply_row(at, stack, signature, addr)


def access(at: i64, data: u8, mems: i32, mem_count, natural, atomic):
    """Read a memarg: the address type of its memory, 0 if it is not valid."""
    align = u32(at, data)
    memory = 0
    if align & 64:
        memory = u32(at, data)
    if align < 0 or align > 127 or memory < 0 or memory >= mem_count:
        return 0
    align = align & 63
    large = offset(at, data)
    if large < 0 or align > natural or atomic and align != natural:
        return 0
    if large and mems[memory] == I32:
        return 0
    return mems[memory]


def variable(at: i64, data: u8, stack: i32, locals: i32, globals: i32, global_count, kind):
    index = u32(at, data)
    if index < 0:
        return 0
    if kind == GLOBAL_GET or kind == GLOBAL_SET:
        if index >= global_count:
            return 0
        type = globals[2 * index]
        if kind == GLOBAL_GET:
            return push(at, stack, type)
        if type >= FUNCREF:
            at[FACTS] = at[FACTS] | WRITES_REFERENCES
        return globals[2 * index + 1] and pop(at, stack, type)
    if index >= at[LOCAL_COUNT]:
        return 0
    type = locals[index]
    if kind == LOCAL_GET:
        return push(at, stack, type)
    return pop(at, stack, type) and (kind == LOCAL_SET or push(at, stack, type))


def parametric(at: i64, data: u8, stack: i32, func_refs: i32, func_count, declared: u8, kind):
    """`drop`, `select`, and references."""
    if kind == DROP:
        return pop_any(at, stack) >= 0
    if kind == REF_IS_NULL:
        type = pop_any(at, stack)
        return (type == 0 or type >= FUNCREF) and push(at, stack, I32)
    if kind == REF_NULL:
        type = value_type(at, data)
        return type >= FUNCREF and push(at, stack, type)
    if kind == REF_FUNC:
        index = u32(at, data)
        if index < 0 or index >= func_count or not declared[index]:
            return 0
        return push(at, stack, func_refs[index])
    if kind == SELECT_TYPED:
        if u32(at, data) != 1:
            return 0
        type = value_type(at, data)
        return type > 0 and pop(at, stack, I32) and pop(at, stack, type) and pop(at, stack, type) and push(at, stack, type)
    if not pop(at, stack, I32):
        return 0
    second = pop_any(at, stack)
    first = pop_any(at, stack)
    if first < 0 or second < 0 or first >= FUNCREF or second >= FUNCREF or first != second and first and second:
        return 0
    if first == 0:
        first = second
    return push(at, stack, first)


def length(first, second):
    """The type of the length in a copy between two address types."""
    if first == I64 and second == I64:
        return I64
    return I32


def bulk(at: i64, data: u8, stack: i32, spaces: i32, count, segment_count, kind):
    """Instructions on memories: `spaces` has their address types, `count` how many there are. Those with segments."""
    if kind == DATA_DROP or kind == ELEM_DROP:
        segment = u32(at, data)
        return 0 <= segment < segment_count
    if kind == MEMORY_INIT:
        segment = u32(at, data)
        if segment < 0 or segment >= segment_count:
            return 0
    index = u32(at, data)
    if index < 0 or index >= count:
        return 0
    addr = spaces[index]
    if kind == MEMORY_SIZE:
        return push(at, stack, addr)
    at[FACTS] = at[FACTS] | BULK
    if kind == MEMORY_GROW:
        return pop(at, stack, addr) and push(at, stack, addr)
    if kind == MEMORY_FILL:
        return pop(at, stack, addr) and pop(at, stack, I32) and pop(at, stack, addr)
    if kind == MEMORY_INIT:
        return pop(at, stack, I32) and pop(at, stack, I32) and pop(at, stack, addr)
    source = u32(at, data)
    if source < 0 or source >= count:
        return 0
    return pop(at, stack, length(addr, spaces[source])) and pop(at, stack, spaces[source]) and pop(at, stack, addr)


def table(at: i64, data: u8, stack: i32, tables: i32, count, elems: i32, elem_count, kind):
    """Instructions on tables: `tables` has the types of elements and addresses, `elems` those of segments."""
    segment = 0
    if kind == TABLE_INIT:
        segment = u32(at, data)
        if segment < 0 or segment >= elem_count:
            return 0
    index = u32(at, data)
    if index < 0 or index >= count:
        return 0
    elem = tables[2 * index]
    addr = tables[2 * index + 1]
    if kind == TABLE_GET:
        return pop(at, stack, addr) and push(at, stack, elem)
    if kind == TABLE_SIZE:
        return push(at, stack, addr)
    at[FACTS] = at[FACTS] | WRITES_REFERENCES
    if kind == TABLE_SET:
        return pop(at, stack, elem) and pop(at, stack, addr)
    at[FACTS] = at[FACTS] | BULK
    if kind == TABLE_GROW:
        return pop(at, stack, addr) and pop(at, stack, elem) and push(at, stack, addr)
    if kind == TABLE_FILL:
        return pop(at, stack, addr) and pop(at, stack, elem) and pop(at, stack, addr)
    if kind == TABLE_INIT:
        return elems[segment] == elem and pop(at, stack, I32) and pop(at, stack, I32) and pop(at, stack, addr)
    source = u32(at, data)
    if source < 0 or source >= count or tables[2 * source] != elem:
        return 0
    return pop(at, stack, length(addr, tables[2 * source + 1])) and pop(at, stack, tables[2 * source + 1]) and pop(
        at, stack, addr)
