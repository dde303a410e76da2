"""Reading the long sections of a large module, as kernels (`codegen.kernels`): spec 5.5 again, for the items that make up
nearly all of them.

`at` has the position, POS, and the end of the module, LIMIT. A kernel that meets what it does not know, or a fault, gives up:
such sections are for `binary.sections`, which has all of it and the messages.
"""
from pyjit_wasm.binary.bulk import DATA, PASSIVE
from pyjit_wasm.config import LIMITS

u8, i32, i64 = "u8", "i32", "i64"    # annotations: arrays of such elements
POS, LIMIT = 0, 1
MALFORMED = 1 << 40
UNKNOWN, FULL = -1, -2      # what `read_codes` gives if it gives up, and if there is no room for more
I32_CONST, END = 0x41, 0x0B
LARGEST = (1 << 31) - 1
MAX_LOCALS, MAX_BODY = LIMITS["locals"], LIMITS["bytes in a function body"]


def leb128(at: i64, data: u8):
    """The bits of the next LEB128 number of five bytes at most, -1 if there is none."""
    pos = at[POS]
    limit = at[LIMIT]
    value = 0
    shift = 0
    while pos < limit and shift < 35:
        byte = data[pos]
        pos += 1
        value |= (byte & 127) << shift
        if byte < 128:
            at[POS] = pos
            return value
        shift += 7
    return -1


def u32(at: i64, data: u8):
    """The next LEB128 number of 32 bits, -1 if it is malformed."""
    value = leb128(at, data)
    if value >> 32:
        return -1
    return value


def s32(at: i64, data: u8):
    """The next signed LEB128 number of 32 bits, MALFORMED if it is."""
    start = at[POS]
    value = leb128(at, data)
    bits = 7 * (at[POS] - start)
    if value < 0:
        return MALFORMED
    if value >> (bits - 1):
        value -= 1 << bits
    if value < -LARGEST - 1 or value > LARGEST:
        return MALFORMED
    return value


NUMBERS = leb128, u32, s32      # kernels that others call


def read_indices(at: i64, data: u8, count, indices: i32, places: i32):
    """Read `count` indices, and where they are. Whether it could."""
    index = 0
    while index < count:
        places[index] = at[POS]
        value = u32(at, data)
        if value < 0 or value > LARGEST:
            return 0
        indices[index] = value
        index += 1
    return 1


def read_codes(at: i64, data: u8, count, known: u8, bodies: i64, run_counts: i32, run_types: u8, run_ends: i32, room):
    """Read `count` function bodies but for their instructions. `known`: which bytes are value types whose locals have a default.
    `bodies` gets (start, end, 1) each, `run_ends` where its locals end in the lists of runs, which have `room`. How many
    runs there are."""
    index = 0
    run = 0
    while index < count:
        size = u32(at, data)
        start = at[POS]
        if size < 0 or size > at[LIMIT] - start or size > MAX_BODY:
            return UNKNOWN
        more = u32(at, data)
        if more < 0:
            return UNKNOWN
        total = 0
        while more > 0:
            if run == room:
                return FULL
            number = u32(at, data)
            if number < 0 or at[POS] >= at[LIMIT] or not known[data[at[POS]]]:
                return UNKNOWN
            total += number
            if total > MAX_LOCALS:
                return UNKNOWN
            run_counts[run] = number
            run_types[run] = data[at[POS]]
            at[POS] = at[POS] + 1
            run += 1
            more -= 1
        if at[POS] > start + size:
            return UNKNOWN
        bodies[3 * index] = at[POS]
        bodies[3 * index + 1] = start + size
        bodies[3 * index + 2] = 1
        run_ends[index] = run
        at[POS] = start + size
        index += 1
    return run


def read_datas(at: i64, data: u8, count, segments: i64):
    """Read `count` data segments that are passive, or for memory 0 at a constant offset of 32 bits. Whether it could."""
    index = 0
    while index < count:
        flags = u32(at, data)
        if flags != 0 and flags != 1:
            return 0
        place = PASSIVE
        offset = 0
        if flags == 0:
            place = at[POS]
            if place >= at[LIMIT] or data[place] != I32_CONST:
                return 0
            at[POS] = place + 1
            offset = s32(at, data)
            if offset == MALFORMED or at[POS] >= at[LIMIT] or data[at[POS]] != END:
                return 0
            at[POS] = at[POS] + 1
        size = u32(at, data)
        start = at[POS]
        if size < 0 or size > at[LIMIT] - start:
            return 0
        at[POS] = start + size
        segments[DATA * index] = start
        segments[DATA * index + 1] = start + size
        segments[DATA * index + 2] = offset
        segments[DATA * index + 3] = place
        index += 1
    return 1
