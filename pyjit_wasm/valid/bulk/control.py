"""Blocks, branches, calls and exceptions, as kernels."""
from pyjit_wasm.valid.bulk.state import (
    BLOCK, BR_IF, BR_TABLE, CALL, CALLS, CALL_INDIRECT, CATCH, CATCH_ALL, CLAUSES, DELEGATE, ELSE, END, EXCEPTIONS, EXN, EXNREF,
    FACTS, FUNCREF, FUNCTION, HAS_LOOP, I32, IF, INDIRECT, KIND, LEGACY_EXCEPTIONS, LEVEL, LIMIT, LOOP, PARAMS, PARAM_COUNT,
    POS, RESULTS, RESULT_COUNT, RETHROW, RETURN, RETURN_CALL, SIGNATURE, SP, TAIL_CALLS, TARGETS, THROW, THROW_REF, TRY,
    TRY_TABLE, UNREACHABLE, begin, block_type, dead, enter, i32,
    i64, label_count, label_start, leave, pop, pop_all, push_all, same, u32, u8)


def control(at: i64, data: u8, stack: i32, blocks: i32, sigs: i32, valtypes: i32, types, kind):
    """Blocks and branches."""
    if kind == UNREACHABLE:
        return dead(at)
    if kind == LOOP:
        at[FACTS] = at[FACTS] | HAS_LOOP
    if kind == IF and not pop(at, stack, I32):
        return 0
    if BLOCK <= kind <= IF:
        signature = block_type(at, data, types)
        return signature >= 0 and begin(at, stack, blocks, sigs, valtypes, kind, signature)
    if kind == END or kind == ELSE:
        return end(at, stack, blocks, sigs, valtypes, kind)
    if kind == BR_TABLE:
        return br_table(at, data, stack, blocks, sigs, valtypes)
    if kind == BR_IF and not pop(at, stack, I32):
        return 0
    label = at[LEVEL]
    if kind != RETURN:
        label = u32(at, data)
    if label < 0 or label > at[LEVEL]:
        return 0
    start = label_start(at, blocks, sigs, label)
    count = label_count(at, blocks, sigs, label)
    if not pop_all(at, stack, valtypes, start, count):
        return 0
    if kind == BR_IF:
        return push_all(at, stack, valtypes, start, count)
    return dead(at)


def end(at: i64, stack: i32, blocks: i32, sigs: i32, valtypes: i32, kind):
    block = 4 * at[LEVEL]
    before = blocks[block + KIND]
    index = blocks[block + SIGNATURE]
    signature = 4 * index
    if kind == ELSE and before != IF:
        return 0
    if kind == END and before == IF and (
            sigs[signature + PARAM_COUNT] != sigs[signature + RESULT_COUNT]
            or not same(valtypes, sigs[signature + PARAMS], sigs[signature + RESULTS], sigs[signature + PARAM_COUNT])):
        return 0
    if not leave(at, stack, blocks, sigs, valtypes):
        return 0
    if kind == ELSE:
        return enter(at, blocks, ELSE, index) and push_all(
            at, stack, valtypes, sigs[signature + PARAMS], sigs[signature + PARAM_COUNT])
    return at[LEVEL] < 0 or push_all(at, stack, valtypes, sigs[signature + RESULTS], sigs[signature + RESULT_COUNT])


def br_table(at: i64, data: u8, stack: i32, blocks: i32, sigs: i32, valtypes: i32):
    if not pop(at, stack, I32):
        return 0
    targets = u32(at, data)
    if targets > TARGETS:
        return 0
    arity = -1
    while targets >= 0:
        label = u32(at, data)
        if label < 0 or label > at[LEVEL]:
            return 0
        count = label_count(at, blocks, sigs, label)
        if arity >= 0 and count != arity:
            return 0
        arity = count
        sp = at[SP]
        if not pop_all(at, stack, valtypes, label_start(at, blocks, sigs, label), count):
            return 0
        at[SP] = sp
        targets -= 1
    return arity >= 0 and dead(at)


def call(at: i64, data: u8, stack: i32, blocks: i32, sigs: i32, valtypes: i32, types, func_sigs: i32, func_count,
         tables: i32, table_count, stamps: i32, calls: i32, kind):
    """Calls and tail calls of functions and through tables."""
    if kind == CALL or kind == RETURN_CALL:
        index = u32(at, data)
        if index < 0 or index >= func_count:
            return 0
        if stamps[index] != at[FUNCTION]:
            stamps[index] = at[FUNCTION]
            calls[at[CALLS]] = index
            at[CALLS] = at[CALLS] + 1
        signature = func_sigs[index]
    else:
        signature = u32(at, data)
        table = u32(at, data)
        if signature < 0 or signature >= types or table < 0 or table >= table_count or tables[2 * table] != FUNCREF:
            return 0
        at[FACTS] = at[FACTS] | INDIRECT
        if not pop(at, stack, tables[2 * table + 1]):
            return 0
    callee = 4 * signature
    if sigs[callee + PARAMS] < 0:
        return 0
    if not pop_all(at, stack, valtypes, sigs[callee + PARAMS], sigs[callee + PARAM_COUNT]):
        return 0
    if kind == CALL or kind == CALL_INDIRECT:
        return push_all(at, stack, valtypes, sigs[callee + RESULTS], sigs[callee + RESULT_COUNT])
    at[FACTS] = at[FACTS] | TAIL_CALLS
    caller = 4 * blocks[SIGNATURE]
    if sigs[callee + RESULT_COUNT] != sigs[caller + RESULT_COUNT]:
        return 0
    return same(valtypes, sigs[callee + RESULTS], sigs[caller + RESULTS], sigs[caller + RESULT_COUNT]) and dead(at)


def exceptions(at: i64, data: u8, stack: i32, blocks: i32, sigs: i32, valtypes: i32, types, tags: i32, tag_count,
               kind):
    at[FACTS] = at[FACTS] | EXCEPTIONS
    if kind == THROW_REF:
        return pop(at, stack, EXNREF) and dead(at)
    if kind == THROW:
        tag = u32(at, data)
        if tag < 0 or tag >= tag_count:
            return 0
        signature = 4 * tags[tag]
        return pop_all(at, stack, valtypes, sigs[signature + PARAMS], sigs[signature + PARAM_COUNT]) and dead(at)
    if TRY <= kind <= RETHROW:
        return older_exceptions(at, data, stack, blocks, sigs, valtypes, types, tags, tag_count, kind)
    signature = block_type(at, data, types)
    clauses = u32(at, data)
    if clauses > CLAUSES:
        return 0
    while clauses > 0:
        if not catch(at, data, blocks, sigs, valtypes, tags, tag_count):
            return 0
        clauses -= 1
    return clauses == 0 and signature >= 0 and begin(at, stack, blocks, sigs, valtypes, TRY_TABLE, signature)


def older_exceptions(at: i64, data: u8, stack: i32, blocks: i32, sigs: i32, valtypes: i32, types, tags: i32, tag_count, kind):
    """Those of the older proposal. What catches is a block with the results of its `try`."""
    before = blocks[4 * at[LEVEL] + KIND]
    result = blocks[4 * at[LEVEL] + SIGNATURE]
    if kind == TRY:
        at[FACTS] = at[FACTS] | LEGACY_EXCEPTIONS
        signature = block_type(at, data, types)
        return signature >= 0 and begin(at, stack, blocks, sigs, valtypes, TRY, signature)
    if kind == CATCH_ALL:
        return (before == TRY or before == CATCH) and leave(at, stack, blocks, sigs, valtypes) and enter(
            at, blocks, CATCH_ALL, result)
    index = u32(at, data)
    if kind == CATCH:
        if index < 0 or index >= tag_count or before != TRY and before != CATCH:
            return 0
        signature = 4 * tags[index]
        return leave(at, stack, blocks, sigs, valtypes) and enter(at, blocks, CATCH, result) and push_all(
            at, stack, valtypes, sigs[signature + PARAMS], sigs[signature + PARAM_COUNT])
    if kind == DELEGATE:
        return index >= 0 and before == TRY and index < at[LEVEL] and leave(at, stack, blocks, sigs, valtypes) and push_all(
            at, stack, valtypes, sigs[4 * result + RESULTS], sigs[4 * result + RESULT_COUNT])
    if index < 0 or index > at[LEVEL]:
        return 0
    before = blocks[4 * (at[LEVEL] - index) + KIND]
    return (before == CATCH or before == CATCH_ALL) and dead(at)


def catch(at: i64, data: u8, blocks: i32, sigs: i32, valtypes: i32, tags: i32, tag_count):
    """A clause: whether what it catches is what its label takes."""
    if at[POS] >= at[LIMIT] or data[at[POS]] > 3:
        return 0
    kind = data[at[POS]]
    at[POS] = at[POS] + 1
    start = 0
    count = 0
    if kind < 2:
        tag = u32(at, data)
        if tag < 0 or tag >= tag_count:
            return 0
        start = sigs[4 * tags[tag] + PARAMS]
        count = sigs[4 * tags[tag] + PARAM_COUNT]
    label = u32(at, data)
    if label < 0 or label > at[LEVEL] or label_count(at, blocks, sigs, label) != count + (kind & 1):
        return 0
    wanted = label_start(at, blocks, sigs, label)
    if kind & 1 and valtypes[wanted + count] != EXNREF and valtypes[wanted + count] != EXN:
        return 0
    return same(valtypes, start, wanted, count)
