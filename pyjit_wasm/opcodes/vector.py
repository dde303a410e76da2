"""Vector instructions (spec 4.4.3, prefix 0xFD), relaxed ones included.

The integer shapes share one table: the codes of i8x16, i16x8, i32x4 and i64x2 are the same offsets
from 0x60, 0x80, 0xA0 and 0xC0. Only rounding, comparisons and conversions are scattered.
"""
from pyjit_wasm.opcodes.op import F32, F64, I32, I64, OUT_OF_BOUNDS, Op, prefixed
from pyjit_wasm.types import V128

# signatures: parameters, results
NULLARY = ((), (V128,))
UNARY = ((V128,), (V128,))
BINARY = ((V128, V128), (V128,))
TERNARY = ((V128, V128, V128), (V128,))
SHIFT = ((V128, I32), (V128,))
TEST = ((V128,), (I32,))
LOAD = (("addr",), (V128,))
LOAD_LANE = (("addr", V128), (V128,))
STORE = (("addr", V128), ())

# type of a lane on the stack
LANE = {"i8x16": I32, "i16x8": I32, "i32x4": I32, "i64x2": I64, "f32x4": F32, "f64x2": F64}
# first code, lane width, shape, and the shapes with half and twice its lane width
INTEGER_SHAPES = (
    (0x60, 8,  "i8x16", None,    "i16x8"),
    (0x80, 16, "i16x8", "i8x16", "i32x4"),
    (0xA0, 32, "i32x4", "i16x8", "i64x2"),
    (0xC0, 64, "i64x2", "i32x4", None),
)

# offset from the first code, name, signature, lane widths; {n} and {w}: the narrower and wider shape
INTEGER = (
    (0x00, "abs",                UNARY,  (8, 16, 32, 64)),
    (0x01, "neg",                UNARY,  (8, 16, 32, 64)),
    (0x02, "popcnt",             UNARY,  (8,)),
    (0x02, "q15mulr_sat_s",      BINARY, (16,)),
    (0x03, "all_true",           TEST,   (8, 16, 32, 64)),
    (0x04, "bitmask",            TEST,   (8, 16, 32, 64)),
    (0x05, "narrow_{w}_s",       BINARY, (8, 16)),
    (0x06, "narrow_{w}_u",       BINARY, (8, 16)),
    (0x07, "extend_low_{n}_s",   UNARY,  (16, 32, 64)),
    (0x08, "extend_high_{n}_s",  UNARY,  (16, 32, 64)),
    (0x09, "extend_low_{n}_u",   UNARY,  (16, 32, 64)),
    (0x0A, "extend_high_{n}_u",  UNARY,  (16, 32, 64)),
    (0x0B, "shl",                SHIFT,  (8, 16, 32, 64)),
    (0x0C, "shr_s",              SHIFT,  (8, 16, 32, 64)),
    (0x0D, "shr_u",              SHIFT,  (8, 16, 32, 64)),
    (0x0E, "add",                BINARY, (8, 16, 32, 64)),
    (0x0F, "add_sat_s",          BINARY, (8, 16)),
    (0x10, "add_sat_u",          BINARY, (8, 16)),
    (0x11, "sub",                BINARY, (8, 16, 32, 64)),
    (0x12, "sub_sat_s",          BINARY, (8, 16)),
    (0x13, "sub_sat_u",          BINARY, (8, 16)),
    (0x15, "mul",                BINARY, (16, 32, 64)),
    (0x16, "min_s",              BINARY, (8, 16, 32)),
    (0x17, "min_u",              BINARY, (8, 16, 32)),
    (0x18, "max_s",              BINARY, (8, 16, 32)),
    (0x19, "max_u",              BINARY, (8, 16, 32)),
    (0x1A, "dot_{n}_s",          BINARY, (32,)),
    (0x1B, "avgr_u",             BINARY, (8, 16)),
    (0x1C, "extmul_low_{n}_s",   BINARY, (16, 32, 64)),
    (0x1D, "extmul_high_{n}_s",  BINARY, (16, 32, 64)),
    (0x1E, "extmul_low_{n}_u",   BINARY, (16, 32, 64)),
    (0x1F, "extmul_high_{n}_u",  BINARY, (16, 32, 64)),
)

# code for f32x4, code for f64x2, name, signature
FLOATING = (
    (0x67, 0x74, "ceil",    UNARY),
    (0x68, 0x75, "floor",   UNARY),
    (0x69, 0x7A, "trunc",   UNARY),
    (0x6A, 0x94, "nearest", UNARY),
    (0xE0, 0xEC, "abs",     UNARY),
    (0xE1, 0xED, "neg",     UNARY),
    (0xE3, 0xEF, "sqrt",    UNARY),
    (0xE4, 0xF0, "add",     BINARY),
    (0xE5, 0xF1, "sub",     BINARY),
    (0xE6, 0xF2, "mul",     BINARY),
    (0xE7, 0xF3, "div",     BINARY),
    (0xE8, 0xF4, "min",     BINARY),
    (0xE9, 0xF5, "max",     BINARY),
    (0xEA, 0xF6, "pmin",    BINARY),
    (0xEB, 0xF7, "pmax",    BINARY),
    (0x105, 0x107, "relaxed_madd",  TERNARY),
    (0x106, 0x108, "relaxed_nmadd", TERNARY),
    (0x10D, 0x10F, "relaxed_min",   BINARY),
    (0x10E, 0x110, "relaxed_max",   BINARY),
)


def row(sub, mnemonic, signature, imm=()):
    return Op(prefixed(0xFD, sub), mnemonic, *signature, imm=imm)


def access(sub, name, signature, size, *imm):
    """A memory access of `size` bytes."""
    return Op(prefixed(0xFD, sub), f"v128.{name}", *signature, imm=("memarg", *imm), traps=OUT_OF_BOUNDS, access=size)


def integer():
    for first, width, shape, narrower, wider in INTEGER_SHAPES:
        for offset, name, signature, widths in INTEGER:
            if width in widths:
                yield row(first + offset, f"{shape}.{name.format(n=narrower, w=wider)}", signature)


def floating():
    for f32x4, f64x2, name, signature in FLOATING:
        yield row(f32x4, f"f32x4.{name}", signature)
        yield row(f64x2, f"f64x2.{name}", signature)


def run(first, shape, names, signature):
    """Instructions of consecutive codes."""
    for i, name in enumerate(names.split()):
        yield row(first + i, f"{shape}.{name}", signature)


def lanes(splat, extract, shape):
    """Splat, and from code `extract` on: extraction, signed and unsigned below 32 bits, and replacement."""
    t = LANE[shape]
    yield row(splat, f"{shape}.splat", ((t,), (V128,)))
    names = ("extract_lane_s", "extract_lane_u") if shape in ("i8x16", "i16x8") else ("extract_lane",)
    for i, name in enumerate(names):
        yield row(extract + i, f"{shape}.{name}", ((V128,), (t,)), ("laneidx",))
    yield row(extract + len(names), f"{shape}.replace_lane", ((V128, t), (V128,)), ("laneidx",))


def by_size(first, name, signature, *imm):
    """One access for each size of a lane."""
    for i, size in enumerate((1, 2, 4, 8)):
        yield access(first + i, name.format(8 * size), signature, size, *imm)


COMPARE = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"
COMPARE_SIGNED = "eq ne lt_s gt_s le_s ge_s"
COMPARE_FLOAT = "eq ne lt gt le ge"

ROWS = (
    # memory
    access(0x00, "load", LOAD, 16),
    access(0x01, "load8x8_s", LOAD, 8),
    access(0x02, "load8x8_u", LOAD, 8),
    access(0x03, "load16x4_s", LOAD, 8),
    access(0x04, "load16x4_u", LOAD, 8),
    access(0x05, "load32x2_s", LOAD, 8),
    access(0x06, "load32x2_u", LOAD, 8),
    *by_size(0x07, "load{}_splat", LOAD),
    access(0x0B, "store", STORE, 16),
    *by_size(0x54, "load{}_lane", LOAD_LANE, "laneidx"),
    *by_size(0x58, "store{}_lane", STORE, "laneidx"),
    access(0x5C, "load32_zero", LOAD, 4),
    access(0x5D, "load64_zero", LOAD, 8),
    # constants and lanes
    row(0x0C, "v128.const", NULLARY, ("v128",)),
    row(0x0D, "i8x16.shuffle", BINARY, ("lanes",)),
    row(0x0E, "i8x16.swizzle", BINARY),
    row(0x100, "i8x16.relaxed_swizzle", BINARY),
    *lanes(0x0F, 0x15, "i8x16"),
    *lanes(0x10, 0x18, "i16x8"),
    *lanes(0x11, 0x1B, "i32x4"),
    *lanes(0x12, 0x1D, "i64x2"),
    *lanes(0x13, 0x1F, "f32x4"),
    *lanes(0x14, 0x21, "f64x2"),
    # bits
    row(0x4D, "v128.not", UNARY),
    *run(0x4E, "v128", "and andnot or xor", BINARY),
    row(0x52, "v128.bitselect", TERNARY),
    row(0x53, "v128.any_true", TEST),
    row(0x109, "i8x16.relaxed_laneselect", TERNARY),
    row(0x10A, "i16x8.relaxed_laneselect", TERNARY),
    row(0x10B, "i32x4.relaxed_laneselect", TERNARY),
    row(0x10C, "i64x2.relaxed_laneselect", TERNARY),
    # comparisons
    *run(0x23, "i8x16", COMPARE, BINARY),
    *run(0x2D, "i16x8", COMPARE, BINARY),
    *run(0x37, "i32x4", COMPARE, BINARY),
    *run(0xD6, "i64x2", COMPARE_SIGNED, BINARY),
    *run(0x41, "f32x4", COMPARE_FLOAT, BINARY),
    *run(0x47, "f64x2", COMPARE_FLOAT, BINARY),
    # arithmetic
    *integer(),
    *floating(),
    *run(0x7C, "i16x8", "extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u", UNARY),
    *run(0x7E, "i32x4", "extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u", UNARY),
    row(0x111, "i16x8.relaxed_q15mulr_s", BINARY),
    row(0x112, "i16x8.relaxed_dot_i8x16_i7x16_s", BINARY),
    row(0x113, "i32x4.relaxed_dot_i8x16_i7x16_add_s", TERNARY),
    # conversions
    row(0x5E, "f32x4.demote_f64x2_zero", UNARY),
    row(0x5F, "f64x2.promote_low_f32x4", UNARY),
    *run(0xF8, "i32x4", "trunc_sat_f32x4_s trunc_sat_f32x4_u", UNARY),
    *run(0xFA, "f32x4", "convert_i32x4_s convert_i32x4_u", UNARY),
    *run(0xFC, "i32x4", "trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero", UNARY),
    *run(0xFE, "f64x2", "convert_low_i32x4_s convert_low_i32x4_u", UNARY),
    *run(0x101, "i32x4", "relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u", UNARY),
    *run(0x103, "i32x4", "relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero", UNARY),
)
