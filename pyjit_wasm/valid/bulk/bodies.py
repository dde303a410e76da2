"""Validation of all function bodies of a large module at once, as kernels (`codegen.kernels`): spec 3.5.1 again, for the
instructions and types that make up nearly all code.

`check_bodies` says of every function that it is valid, with its facts, or that it does not know: those, and every faulty
one, are for `valid.function`, which has the whole language and the messages.
"""
from pyjit_wasm.valid.bulk.control import call, control, exceptions
from pyjit_wasm.valid.bulk.rows import bulk, immediate, parametric, table, variable
from pyjit_wasm.valid.bulk.state import (
    CALLS, COUNT, ELEM_DROP, FACTS, FC, FD, FE, FUNCTION, GLOBAL_SET, LEVEL, LIMIT, LOCALS, LOCAL_COUNT, LOCAL_GET, OPS,
    PARAMS, PARAM_COUNT, POS, REF_FUNC, RETURN, RETURN_CALL_INDIRECT, SIMPLE, SP, TRY_TABLE, UNKNOWN, ZERO, apply_row,
    enter, i32, i64, u32, u8)


def opcode(at: i64, data: u8):
    """The place in `ops` of the next instruction, -1 if there is none."""
    if at[POS] >= at[LIMIT]:
        return -1
    byte = data[at[POS]]
    at[POS] = at[POS] + 1
    if byte < 0xFC or byte == 0xFF:
        return byte
    sub = u32(at, data)
    if sub < 0:
        return -1
    if byte == 0xFC and sub < FD - FC:
        return FC + sub
    if byte == 0xFD and sub < FE - FD:
        return FD + sub
    if byte == 0xFE and sub < OPS - FE:
        return FE + sub
    return -1


def expand_locals(at: i64, locals: i32, valtypes: i32, start, count, run_counts: i32, run_types: i32, run, last):
    """Fill in the types of the locals, parameters first. Whether there is room."""
    if count > LOCALS:
        return 0
    total = 0
    while total < count:
        locals[total] = valtypes[start + total]
        total += 1
    while run < last:
        more = run_counts[run]
        if total + more > LOCALS:
            return 0
        while more > 0:
            locals[total] = run_types[run]
            total += 1
            more -= 1
        run += 1
    at[LOCAL_COUNT] = total
    return 1


def check_body(at: i64, data: u8, ops: i64, sigs: i32, valtypes: i32, types, func_sigs: i32, func_refs: i32,
               func_count, globals: i32, global_count, tables: i32, table_count, mems: i32, mem_count, tags: i32,
               tag_count, elems: i32, elem_count, data_count, declared: u8, locals: i32, stack: i32, blocks: i32,
               stamps: i32, calls: i32):
    """Whether the body from POS to LIMIT is valid. The function's block has been entered."""
    while at[LEVEL] >= 0:
        place = opcode(at, data)
        if place < 0:
            return 0
        row = ops[place]
        kind = row & 255
        at[COUNT] = at[COUNT] + 1
        good = 0
        if kind == SIMPLE:
            good = apply_row(at, stack, row >> 16, 0)
        elif kind == UNKNOWN:
            return 0
        elif kind <= ZERO:
            good = immediate(at, data, stack, mems, mem_count, kind, row >> 8 & 255, row >> 16)
        elif kind <= RETURN:
            good = control(at, data, stack, blocks, sigs, valtypes, types, kind)
        elif kind <= RETURN_CALL_INDIRECT:
            good = call(at, data, stack, blocks, sigs, valtypes, types, func_sigs, func_count, tables, table_count, stamps,
                        calls, kind)
        elif kind <= TRY_TABLE:
            good = exceptions(at, data, stack, blocks, sigs, valtypes, types, tags, tag_count, kind)
        elif LOCAL_GET <= kind <= GLOBAL_SET:
            good = variable(at, data, stack, locals, globals, global_count, kind)
        elif kind <= REF_FUNC:
            good = parametric(at, data, stack, func_refs, func_count, declared, kind)
        elif kind < ELEM_DROP:
            good = table(at, data, stack, tables, table_count, elems, elem_count, kind)
        elif kind == ELEM_DROP:
            good = bulk(at, data, stack, mems, mem_count, elem_count, kind)
        else:
            good = bulk(at, data, stack, mems, mem_count, data_count, kind)
        if not good:
            return 0
    return at[POS] == at[LIMIT]


def check_bodies(at: i64, data: u8, bodies: i64, count, run_counts: i32, run_types: i32, run_ends: i32, ops: i64, sigs: i32,
                 valtypes: i32, types, func_sigs: i32, func_refs: i32, func_count, globals: i32, global_count,
                 tables: i32, table_count, mems: i32, mem_count, tags: i32, tag_count, elems: i32, elem_count,
                 data_count, declared: u8, locals: i32, stack: i32, blocks: i32, stamps: i32, calls: i32,
                 out: i32):
    """Validate `count` bodies, (start, end, whether to try) each. `out` gets for each whether it is valid, how many
    instructions it has, its facts, and where its part of `calls` ends."""
    at[CALLS] = 0
    index = 0
    run = 0
    while index < count:
        first = at[CALLS]
        signature = func_sigs[func_count - count + index]
        at[POS] = bodies[3 * index]
        at[LIMIT] = bodies[3 * index + 1]
        at[SP] = 0
        at[LEVEL] = -1
        at[FACTS] = 0
        at[COUNT] = 0
        at[FUNCTION] = index + 1
        good = bodies[3 * index + 2] and expand_locals(
            at, locals, valtypes, sigs[4 * signature + PARAMS], sigs[4 * signature + PARAM_COUNT], run_counts, run_types,
            run, run_ends[index]) and enter(at, blocks, UNKNOWN, signature) and check_body(
                at, data, ops, sigs, valtypes, types, func_sigs, func_refs, func_count, globals, global_count, tables,
                table_count, mems, mem_count, tags, tag_count, elems, elem_count, data_count, declared, locals, stack, blocks,
                stamps, calls)
        if not good:
            at[CALLS] = first
        run = run_ends[index]
        out[4 * index] = good
        out[4 * index + 1] = at[COUNT]
        out[4 * index + 2] = at[FACTS]
        out[4 * index + 3] = at[CALLS]
        index += 1
    return 0
