"""The state of validation as kernels have it (`codegen.kernels`): reading numbers, the operand stack, blocks.

A type is a number: 0 Unknown, the constants below, and one for every other type of the module, which matches itself alone.
"""
from pyjit_wasm.binary.bulk_kernels import LIMIT, POS, i32, i64, u8, u32
from pyjit_wasm.config import LIMITS

I32, I64, F32, F64, V128, FUNCREF, EXTERNREF, EXNREF, EXN = range(1, 10)
FIRST_OTHER = 16
ADDR = 15               # in the signature of a row: the address type of its memory

# facts of a function, as bits
HAS_LOOP, TAIL_CALLS, EXCEPTIONS, INDIRECT, BULK, WRITES_REFERENCES, LEGACY_EXCEPTIONS = 1, 2, 4, 8, 16, 32, 64

# how an instruction is read and what it does; the first are for many rows
(UNKNOWN, SIMPLE, LANE, ACCESS, LANE_ACCESS, SHUFFLE, CONST32, CONST64, BYTES, ZERO,
 UNREACHABLE, BLOCK, LOOP, IF, ELSE, END, BR, BR_IF, BR_TABLE, RETURN, CALL, CALL_INDIRECT, RETURN_CALL,
 RETURN_CALL_INDIRECT, THROW, THROW_REF, TRY, CATCH, CATCH_ALL, DELEGATE, RETHROW, TRY_TABLE, DROP, SELECT, SELECT_TYPED, LOCAL_GET, LOCAL_SET, LOCAL_TEE,
 GLOBAL_GET, GLOBAL_SET, REF_NULL, REF_IS_NULL, REF_FUNC, TABLE_GET, TABLE_SET, TABLE_SIZE, TABLE_GROW, TABLE_FILL,
 TABLE_COPY, TABLE_INIT, ELEM_DROP, MEMORY_SIZE, MEMORY_GROW, MEMORY_FILL, MEMORY_COPY, MEMORY_INIT,
 DATA_DROP) = range(57)

# where the rows behind prefix bytes begin in `ops`, and how many there may be
FC, FD, FE, OPS = 256, 320, 640, 768

STACK, DEPTH = 1 << 16, 10_000     # more operands or blocks: not known here
LOCALS, TARGETS, CLAUSES = (LIMITS[what] for what in ("locals", "targets of a br_table", "clauses of a try_table"))

# the state of validation, words of `at`
SP, HEIGHT, DEAD, LEVEL, FACTS, COUNT, LOCAL_COUNT, CALLS, FUNCTION = range(2, 11)     # behind POS and LIMIT
AT = 11
# a block, words of `blocks`: what began it, the stack's height below it, whether the rest cannot be reached, its signature
KIND, BELOW, REST_DEAD, SIGNATURE = range(4)
# a signature, words of `sigs`: where its parameters begin in `valtypes` (-1: no function type), how many, the results
PARAMS, PARAM_COUNT, RESULTS, RESULT_COUNT = range(4)


def offset(at: i64, data: u8):
    """Skip a LEB128 number of 64 bits: whether it needs more than 32, -1 if it is malformed."""
    pos = at[POS]
    limit = at[LIMIT]
    large = 0
    shift = 0
    while pos < limit:
        byte = data[pos]
        pos += 1
        if shift > 28 and byte & 127 or shift == 28 and byte & 112:
            large = 1
        if byte < 128:
            if shift == 63 and byte > 1:
                return -1
            at[POS] = pos
            return large
        if shift == 63:
            return -1
        shift += 7
    return -1


def signed(at: i64, data: u8, bits):
    """Skip a signed LEB128 number of 32 or 64 bits: 0 if it is malformed."""
    pos = at[POS]
    limit = at[LIMIT]
    shift = 0
    while pos < limit:
        byte = data[pos]
        pos += 1
        if bits - shift < 7:
            unused = (byte & 127) >> (bits - shift - 1)
            if byte > 127 or unused != 0 and unused != 127 >> (bits - shift - 1):
                return 0
        if byte < 128:
            at[POS] = pos
            return 1
        shift += 7
    return 0


def byte_below(at: i64, data: u8, limit):
    """Whether the next byte, which is skipped, is less."""
    if at[POS] >= at[LIMIT]:
        return 0
    at[POS] = at[POS] + 1
    return data[at[POS] - 1] < limit


def push(at: i64, stack: i32, type):
    stack[at[SP]] = type
    at[SP] = at[SP] + 1
    return at[SP] < STACK


def pop(at: i64, stack: i32, type):
    """Whether there was an operand of that type."""
    sp = at[SP]
    if sp == at[HEIGHT]:
        return at[DEAD]
    at[SP] = sp - 1
    actual = stack[sp - 1]
    return actual == type or actual == 0


def pop_any(at: i64, stack: i32):
    """The type of the operand that is popped, -1 if there is none."""
    sp = at[SP]
    if sp == at[HEIGHT]:
        if at[DEAD]:
            return 0
        return -1
    at[SP] = sp - 1
    return stack[sp - 1]


def pop_all(at: i64, stack: i32, valtypes: i32, start, count):
    while count > 0:
        count -= 1
        if not pop(at, stack, valtypes[start + count]):
            return 0
    return 1


def push_all(at: i64, stack: i32, valtypes: i32, start, count):
    if at[SP] + count >= STACK:
        return 0
    i = 0
    while i < count:
        stack[at[SP] + i] = valtypes[start + i]
        i += 1
    at[SP] = at[SP] + count
    return 1


def same(valtypes: i32, first, second, count):
    i = 0
    while i < count:
        if valtypes[first + i] != valtypes[second + i]:
            return 0
        i += 1
    return 1


def apply_row(at: i64, stack: i32, signature, addr):
    """Pop and push what a row says: number of parameters, their types, number of results, their type, 4 bits each."""
    count = signature & 15
    while count > 0:
        type = signature >> (4 * count) & 15
        if type == ADDR:
            type = addr
        if not pop(at, stack, type):
            return 0
        count -= 1
    if signature >> 20 & 15:
        return push(at, stack, signature >> 24 & 15)
    return 1


def enter(at: i64, blocks: i32, kind, signature):
    level = at[LEVEL] + 1
    if level >= DEPTH:
        return 0
    at[LEVEL] = level
    block = 4 * level
    at[HEIGHT] = at[SP]
    at[DEAD] = 0
    blocks[block + KIND] = kind
    blocks[block + BELOW] = at[SP]
    blocks[block + REST_DEAD] = 0
    blocks[block + SIGNATURE] = signature
    return 1


def begin(at: i64, stack: i32, blocks: i32, sigs: i32, valtypes: i32, kind, signature):
    """Enter a block of that signature, with its parameters from the stack."""
    start = sigs[4 * signature + PARAMS]
    count = sigs[4 * signature + PARAM_COUNT]
    if start < 0 or not pop_all(at, stack, valtypes, start, count):
        return 0
    if at[LEVEL] >= 0:
        blocks[4 * at[LEVEL] + REST_DEAD] = at[DEAD]
    return enter(at, blocks, kind, signature) and push_all(at, stack, valtypes, start, count)


def leave(at: i64, stack: i32, blocks: i32, sigs: i32, valtypes: i32):
    """End a block: its results must be there and nothing else. They are popped."""
    block = 4 * at[LEVEL]
    signature = 4 * blocks[block + SIGNATURE]
    if not pop_all(at, stack, valtypes, sigs[signature + RESULTS], sigs[signature + RESULT_COUNT]):
        return 0
    if at[SP] != blocks[block + BELOW]:
        return 0
    at[LEVEL] = at[LEVEL] - 1
    if at[LEVEL] >= 0:
        at[HEIGHT] = blocks[block - 4 + BELOW]
        at[DEAD] = blocks[block - 4 + REST_DEAD]
    return 1


def dead(at: i64):
    """What follows up to the end of the block is never executed."""
    at[SP] = at[HEIGHT]
    at[DEAD] = 1
    return 1


def label_start(at: i64, blocks: i32, sigs: i32, label):
    """Where the types that a branch takes begin in `valtypes`."""
    block = 4 * (at[LEVEL] - label)
    signature = 4 * blocks[block + SIGNATURE]
    if blocks[block + KIND] == LOOP:
        return sigs[signature + PARAMS]
    return sigs[signature + RESULTS]


def label_count(at: i64, blocks: i32, sigs: i32, label):
    block = 4 * (at[LEVEL] - label)
    signature = 4 * blocks[block + SIGNATURE]
    if blocks[block + KIND] == LOOP:
        return sigs[signature + PARAM_COUNT]
    return sigs[signature + RESULT_COUNT]


def block_type(at: i64, data: u8, types):
    """The signature of a block type, -1 if it is not known here. Behind the module's types there is one without results,
    then one for each of the constant types."""
    if at[POS] >= at[LIMIT]:
        return -1
    type = value_type(at, data)
    if type >= 0:
        return types + type
    byte = data[at[POS]]
    if byte == 0x40:
        at[POS] = at[POS] + 1
        return types
    if byte & 192 == 64:
        return -1
    index = u32(at, data)
    if index < 0 or index >= types or data[at[POS] - 1] & 64:
        return -1
    return index


def value_type(at: i64, data: u8):
    """A value type of one byte; -1, and nothing is skipped, if it is not known here."""
    if at[POS] >= at[LIMIT]:
        return -1
    byte = data[at[POS]]
    type = -1
    if 0x7B <= byte <= 0x7F:
        type = 0x80 - byte
    elif byte == 0x70:
        type = FUNCREF
    elif byte == 0x6F:
        type = EXTERNREF
    elif byte == 0x69:
        type = EXNREF
    if type > 0:
        at[POS] = at[POS] + 1
    return type
