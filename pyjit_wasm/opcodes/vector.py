"""Vector instructions (spec 4.4.3, prefix 0xFD), relaxed ones included. What the texts mean is in `shapes`.

The integer shapes share one table: the codes of i8x16, i16x8, i32x4 and i64x2 are the same offsets
from 0x60, 0x80, 0xA0 and 0xC0. Only rounding, comparisons and conversions are scattered.

Where relaxed instructions leave a choice, it is one for both tiers: multiplication and addition are fused,
truncation saturates, `relaxed_laneselect` selects bits, `relaxed_min` and `relaxed_max` are `pmin` and `pmax`;
the others do what one instruction of x86 does.
"""
from functools import partial

from pyjit_wasm.opcodes.op import I32, OUT_OF_BOUNDS, Op, double, prefixed
from pyjit_wasm.opcodes.shapes import LANE, filled, lanewise
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

# first code, lane width, shape, and the shapes with half and twice its lane width
INTEGER_SHAPES = (
    (0x60, 8,  "i8x16", None,    "i16x8"),
    (0x80, 16, "i16x8", "i8x16", "i32x4"),
    (0xA0, 32, "i32x4", "i16x8", "i64x2"),
    (0xC0, 64, "i64x2", "i32x4", None),
)

# texts of families


def call(intrinsic, operands=2):
    return f"%q = call {{t}} @llvm.{intrinsic}.{{i}}({', '.join('{t} %' + x for x in 'xyz'[:operands])})"


def shift(operation):
    """By the width or more it is poison in LLVM."""
    return ("%m = and i32 %b, {m}\n%l = {count} i32 %m to {e}\n%o = insertelement {t} poison, {e} %l, i32 0\n"
            "%y = shufflevector {t} %o, {t} poison, <{n} x i32> zeroinitializer\n"
            f"%q = {operation} {{t}} %x, %y")


def pack(field):
    return f"%q = call {{r}} @llvm.x86.{{{field}}}({{t}} %x, {{t}} %y)"


def extend(half, cast):
    return f"%l = shufflevector {{t}} %x, {{t}} poison, {{{half}}}\n%q = {cast} {{h}} %l to {{r}}"


def multiply(half, cast):
    return (f"%l = shufflevector {{t}} %x, {{t}} poison, {{{half}}}\n%m = {cast} {{h}} %l to {{r}}\n"
            f"%o = shufflevector {{t}} %y, {{t}} poison, {{{half}}}\n%u = {cast} {{h}} %o to {{r}}\n"
            "%q = mul {r} %m, %u")


def compare(test):
    return f"%l = {test} {{t}} %x, %y\n%q = sext <{{n}} x i1> %l to {{r}}"


def extremum(intrinsic):
    """LLVM's minimum hands a signalling NaN through."""
    return (f"%l = call {{t}} @llvm.{intrinsic}.{{i}}({{t}} %x, {{t}} %y)\n"
            "%q = call {t} @llvm.canonicalize.{i}({t} %l)")


def pseudo(smaller, larger):
    """%y where a comparison holds, else %x."""
    return f"%l = fcmp olt {{t}} {smaller}, {larger}\n%q = select <{{n}} x i1> %l, {{t}} %y, {{t}} %x"


def saturating(sign):
    """Truncation to i32 lanes `%o`. Outside the range of the result, `fptosi` and `fptoui` are poison."""
    low, above, most = (-2.0 ** 31, 2.0 ** 31, 2 ** 31 - 1) if sign == "s" else (0.0, 2.0 ** 32, -1)
    return (f"%f = fcmp olt {{t}} %x, splat ({{e}} {double(low)})\n"
            f"%g = select <{{n}} x i1> %f, {{t}} splat ({{e}} {double(low)}), {{t}} %x\n"
            f"%h = fcmp olt {{t}} %g, splat ({{e}} {double(above)})\n"   # not for NaN
            "%i = select <{n} x i1> %h, {t} %g, {t} zeroinitializer\n"
            f"%j = fpto{sign}i {{t}} %i to <{{n}} x i32>\n"
            f"%k = fcmp oge {{t}} %x, splat ({{e}} {double(above)})\n"
            f"%o = select <{{n}} x i1> %k, <{{n}} x i32> splat (i32 {most}), <{{n}} x i32> %j\n")


def widen(cast):
    return f"%i = {cast} {{t}} %x to {{w}}\n%j = {cast} {{t}} %y to {{w}}\n"


PAIRWISE_SUM = ("%u = shufflevector {w} %l, {w} poison, {even}\n%v = shufflevector {w} %l, {w} poison, {odd}\n"
                "%q = add {r} %u, %v")
DOT = widen("sext") + "%l = mul {w} %i, %j\n" + PAIRWISE_SUM
AVERAGE = widen("zext") + ("%l = add {w} %i, %j\n%m = add {w} %l, splat ({d} 1)\n%o = lshr {w} %m, splat ({d} 1)\n"
                           "%q = trunc {w} %o to {t}")
ROUNDED_PRODUCT = "call {t} @llvm.x86.ssse3.pmul.hr.sw.128({t} %x, {t} %y)"
# only -1 * -1 wraps
SATURATING_PRODUCT = (f"%l = {ROUNDED_PRODUCT}\n%m = icmp eq {{t}} %l, splat (i16 -32768)\n"
                      "%o = sext <8 x i1> %m to {t}\n%q = xor {t} %l, %o")
ALL_TRUE = ("%l = icmp ne {t} %x, zeroinitializer\n%m = bitcast <{n} x i1> %l to i{n}\n%c = icmp eq i{n} %m, -1\n"
            "%r = zext i1 %c to i32")
BITMASK = "%l = icmp slt {t} %x, zeroinitializer\n%m = bitcast <{n} x i1> %l to i{n}\n%r = zext i{n} %m to i32"

# offset from the first code, name, signature, lane widths, text; {n} and {w} in a name: the narrower and wider
# shape, which is then the operands'
INTEGER = (
    (0x00, "abs",                UNARY,  (8, 16, 32, 64), "%q = call {t} @llvm.abs.{i}({t} %x, i1 false)"),
    (0x01, "neg",                UNARY,  (8, 16, 32, 64), "%q = sub {t} zeroinitializer, %x"),
    (0x02, "popcnt",             UNARY,  (8,),            call("ctpop", 1)),
    (0x02, "q15mulr_sat_s",      BINARY, (16,),           SATURATING_PRODUCT),
    (0x03, "all_true",           TEST,   (8, 16, 32, 64), ALL_TRUE),
    (0x04, "bitmask",            TEST,   (8, 16, 32, 64), BITMASK),
    (0x05, "narrow_{w}_s",       BINARY, (8, 16),         pack("pack_s")),
    (0x06, "narrow_{w}_u",       BINARY, (8, 16),         pack("pack_u")),
    (0x07, "extend_low_{n}_s",   UNARY,  (16, 32, 64),    extend("low", "sext")),
    (0x08, "extend_high_{n}_s",  UNARY,  (16, 32, 64),    extend("high", "sext")),
    (0x09, "extend_low_{n}_u",   UNARY,  (16, 32, 64),    extend("low", "zext")),
    (0x0A, "extend_high_{n}_u",  UNARY,  (16, 32, 64),    extend("high", "zext")),
    (0x0B, "shl",                SHIFT,  (8, 16, 32, 64), shift("shl")),
    (0x0C, "shr_s",              SHIFT,  (8, 16, 32, 64), shift("ashr")),
    (0x0D, "shr_u",              SHIFT,  (8, 16, 32, 64), shift("lshr")),
    (0x0E, "add",                BINARY, (8, 16, 32, 64), "%q = add {t} %x, %y"),
    (0x0F, "add_sat_s",          BINARY, (8, 16),         call("sadd.sat")),
    (0x10, "add_sat_u",          BINARY, (8, 16),         call("uadd.sat")),
    (0x11, "sub",                BINARY, (8, 16, 32, 64), "%q = sub {t} %x, %y"),
    (0x12, "sub_sat_s",          BINARY, (8, 16),         call("ssub.sat")),
    (0x13, "sub_sat_u",          BINARY, (8, 16),         call("usub.sat")),
    (0x15, "mul",                BINARY, (16, 32, 64),    "%q = mul {t} %x, %y"),
    (0x16, "min_s",              BINARY, (8, 16, 32),     call("smin")),
    (0x17, "min_u",              BINARY, (8, 16, 32),     call("umin")),
    (0x18, "max_s",              BINARY, (8, 16, 32),     call("smax")),
    (0x19, "max_u",              BINARY, (8, 16, 32),     call("umax")),
    (0x1A, "dot_{n}_s",          BINARY, (32,),           DOT),
    (0x1B, "avgr_u",             BINARY, (8, 16),         AVERAGE),
    (0x1C, "extmul_low_{n}_s",   BINARY, (16, 32, 64),    multiply("low", "sext")),
    (0x1D, "extmul_high_{n}_s",  BINARY, (16, 32, 64),    multiply("high", "sext")),
    (0x1E, "extmul_low_{n}_u",   BINARY, (16, 32, 64),    multiply("low", "zext")),
    (0x1F, "extmul_high_{n}_u",  BINARY, (16, 32, 64),    multiply("high", "zext")),
)

# code for f32x4, code for f64x2, name, signature, text
FLOATING = (
    (0x67, 0x74, "ceil",    UNARY,  call("ceil", 1)),
    (0x68, 0x75, "floor",   UNARY,  call("floor", 1)),
    (0x69, 0x7A, "trunc",   UNARY,  call("trunc", 1)),
    (0x6A, 0x94, "nearest", UNARY,  call("roundeven", 1)),
    (0xE0, 0xEC, "abs",     UNARY,  call("fabs", 1)),
    (0xE1, 0xED, "neg",     UNARY,  "%q = fneg {t} %x"),
    (0xE3, 0xEF, "sqrt",    UNARY,  call("sqrt", 1)),
    (0xE4, 0xF0, "add",     BINARY, "%q = fadd {t} %x, %y"),
    (0xE5, 0xF1, "sub",     BINARY, "%q = fsub {t} %x, %y"),
    (0xE6, 0xF2, "mul",     BINARY, "%q = fmul {t} %x, %y"),
    (0xE7, 0xF3, "div",     BINARY, "%q = fdiv {t} %x, %y"),
    (0xE8, 0xF4, "min",     BINARY, extremum("minimum")),
    (0xE9, 0xF5, "max",     BINARY, extremum("maximum")),
    (0xEA, 0xF6, "pmin",    BINARY, pseudo("%y", "%x")),
    (0xEB, 0xF7, "pmax",    BINARY, pseudo("%x", "%y")),
    (0x105, 0x107, "relaxed_madd",  TERNARY, call("fma", 3)),
    (0x106, 0x108, "relaxed_nmadd", TERNARY, "%l = fneg {t} %x\n%q = call {t} @llvm.fma.{i}({t} %l, {t} %y, {t} %z)"),
    (0x10D, 0x10F, "relaxed_min",   BINARY, pseudo("%y", "%x")),
    (0x10E, 0x110, "relaxed_max",   BINARY, pseudo("%x", "%y")),
)


def row(sub, mnemonic, signature, ir=None, imm=()):
    return Op(prefixed(0xFD, sub), mnemonic, *signature, ir, imm=imm)


def lane_row(sub, mnemonic, signature, text, operands=None, imm=()):
    """A row about lanes, the operands' of shape `operands`, by default the shape it is named after."""
    shape = mnemonic.partition(".")[0]
    return row(sub, mnemonic, signature, partial(lanewise, text, signature, operands or shape, shape), imm)


def access(sub, name, signature, size, text, *imm):
    """A memory access of `size` bytes."""
    return Op(prefixed(0xFD, sub), f"v128.{name}", *signature, text, imm=("memarg", *imm), traps=OUT_OF_BOUNDS,
              access=size)


def integer():
    for first, width, shape, narrower, wider in INTEGER_SHAPES:
        for offset, name, signature, widths, text in INTEGER:
            if width in widths:
                operands = narrower if "{n}" in name else wider if "{w}" in name else shape
                full_name = f"{shape}.{name.format(n=narrower, w=wider)}"
                yield lane_row(first + offset, full_name, signature, text, operands)


def floating():
    for f32x4, f64x2, name, signature, text in FLOATING:
        yield lane_row(f32x4, f"f32x4.{name}", signature, text)
        yield lane_row(f64x2, f"f64x2.{name}", signature, text)


# of the lane %l
SPLAT = ("%o = insertelement {t} poison, {e} %l, i32 0\n"
         "%q = shufflevector {t} %o, {t} poison, <{n} x i32> zeroinitializer")


def lanes(splat, extract, shape):
    """Splat, and from code `extract` on: extraction, signed and unsigned below 32 bits, and replacement."""
    t = LANE[shape]
    yield lane_row(splat, f"{shape}.splat", ((t,), (V128,)), "%l = {put} %a to {e}\n" + SPLAT)
    casts = {"_s": "sext {e}", "_u": "zext {e}"} if shape in ("i8x16", "i16x8") else {"": "bitcast {e}"}
    for i, (sign, cast) in enumerate(casts.items()):
        yield lane_row(extract + i, f"{shape}.extract_lane{sign}", ((V128,), (t,)),
                       f"%l = extractelement {{t}} %x, i32 %lane\n%r = {cast} %l to {{s}}", imm=("laneidx",))
    yield lane_row(extract + len(casts), f"{shape}.replace_lane", ((V128, t), (V128,)),
                   "%l = {put} %b to {e}\n%q = insertelement {t} %x, {e} %l, i32 %lane", imm=("laneidx",))


LOADED_LANE = "%l = load {e}, ptr %p, align 1\n"
MEMORY_SHAPES = ((1, "i8x16"), (2, "i16x8"), (4, "i32x4"), (8, "i64x2"))


def by_size(first, name, signature, text, *imm, sizes=(1, 2, 4, 8)):
    """One access for each size of a lane."""
    shapes = [(size, shape) for size, shape in MEMORY_SHAPES if size in sizes]
    for i, (size, shape) in enumerate(shapes):
        yield access(first + i, name.format(8 * size), signature, size, partial(filled, text, shape, shape), *imm)


def extending_loads():
    for i, (shape, result, name) in enumerate((("i8x16", "i16x8", "8x8"), ("i16x8", "i32x4", "16x4"),
                                               ("i32x4", "i64x2", "32x2"))):
        for j, (sign, cast) in enumerate((("s", "sext"), ("u", "zext"))):
            text = f"%l = load i64, ptr %p, align 1\n%m = bitcast i64 %l to {{h}}\n%q = {cast} {{h}} %m to {{r}}"
            yield access(1 + 2 * i + j, f"load{name}_{sign}", LOAD, 8, partial(filled, text, shape, result))


def comparisons(first, shape, tests):
    """Comparisons of consecutive codes."""
    result = shape.replace("f", "i")
    for i, (name, test) in enumerate(tests.items()):
        yield row(first + i, f"{shape}.{name}", BINARY, partial(lanewise, compare(test), BINARY, shape, result))


ORDERINGS = {"lt_s": "icmp slt", "lt_u": "icmp ult", "gt_s": "icmp sgt", "gt_u": "icmp ugt",
             "le_s": "icmp sle", "le_u": "icmp ule", "ge_s": "icmp sge", "ge_u": "icmp uge"}
COMPARE = {"eq": "icmp eq", "ne": "icmp ne", **ORDERINGS}
COMPARE_SIGNED = {name: test for name, test in COMPARE.items() if not name.endswith("_u")}
COMPARE_FLOAT = {"eq": "fcmp oeq", "ne": "fcmp une", "lt": "fcmp olt", "gt": "fcmp ogt", "le": "fcmp ole",
                 "ge": "fcmp oge"}


def signs(first, name, signature, text, operands):
    """Two instructions of consecutive codes; `{sign}` is s or u in the name, `text(sign)` their text."""
    for i, sign in enumerate("su"):
        yield lane_row(first + i, name.format(sign=sign), signature, text(sign), operands)


BITSELECT = ("%l = and <2 x i64> %a, %c\n%m = xor <2 x i64> %c, splat (i64 -1)\n%o = and <2 x i64> %b, %m\n"
             "%r = or <2 x i64> %l, %o")
SHUFFLE_BYTES = "%q = call {{t}} @llvm.x86.ssse3.pshuf.b.128({{t}} %x, {{t}} {})".format
# sums saturate, the second operand is unsigned
RELAXED_DOT = "call <8 x i16> @llvm.x86.ssse3.pmadd.ub.sw.128({t} %y, {t} %x)"
RELAXED_DOT_ADD = (f"%l = {RELAXED_DOT}\n"
                   "%m = call {r} @llvm.x86.sse2.pmadd.wd(<8 x i16> %l, <8 x i16> splat (i16 1))\n"
                   "%o = bitcast {t} %z to {r}\n%q = add {r} %m, %o")
# LLVM folds a round trip through f64 to the operand; canonicalize keeps the quieting of NaNs
DEMOTE = ("%l = call {t} @llvm.canonicalize.{i}({t} %x)\n%m = fptrunc {t} %l to <2 x float>\n"
          "%q = shufflevector <2 x float> %m, <2 x float> zeroinitializer, <4 x i32> <i32 0, i32 1, i32 2, i32 3>")


def truncation(sign):
    return saturating(sign) + "%q = bitcast <4 x i32> %o to {r}"


def truncation_zero(sign):
    return saturating(sign) + ("%q = shufflevector <2 x i32> %o, <2 x i32> zeroinitializer, "
                               "<4 x i32> <i32 0, i32 1, i32 2, i32 3>")


def conversion(sign):
    return f"%q = {sign}itofp {{t}} %x to {{r}}"


def conversion_low(sign):
    return extend("low", f"{sign}itofp")


def pairwise(sign):
    return f"%l = {'sext' if sign == 's' else 'zext'} {{t}} %x to {{w}}\n" + PAIRWISE_SUM


ROWS = (
    # memory
    access(0x00, "load", LOAD, 16, "%r = load <2 x i64>, ptr %p, align 1"),
    *extending_loads(),
    *by_size(0x07, "load{}_splat", LOAD, LOADED_LANE + SPLAT),
    access(0x0B, "store", STORE, 16, "store <2 x i64> %b, ptr %p, align 1"),
    *by_size(0x54, "load{}_lane", LOAD_LANE, LOADED_LANE + "%y = bitcast <2 x i64> %b to {t}\n"
             "%q = insertelement {t} %y, {e} %l, i32 %lane", "laneidx"),
    *by_size(0x58, "store{}_lane", STORE, "%y = bitcast <2 x i64> %b to {t}\n"
             "%l = extractelement {t} %y, i32 %lane\nstore {e} %l, ptr %p, align 1", "laneidx"),
    *by_size(0x5C, "load{}_zero", LOAD, LOADED_LANE + "%q = insertelement {t} zeroinitializer, {e} %l, i32 0",
             sizes=(4, 8)),
    # constants and lanes
    row(0x0C, "v128.const", NULLARY, imm=("v128",)),
    row(0x0D, "i8x16.shuffle", BINARY, imm=("lanes",)),
    lane_row(0x0E, "i8x16.swizzle", BINARY,
             "%l = call {t} @llvm.uadd.sat.{i}({t} %y, {t} splat (i8 112))\n" + SHUFFLE_BYTES("%l")),
    lane_row(0x100, "i8x16.relaxed_swizzle", BINARY, SHUFFLE_BYTES("%y")),
    *lanes(0x0F, 0x15, "i8x16"),
    *lanes(0x10, 0x18, "i16x8"),
    *lanes(0x11, 0x1B, "i32x4"),
    *lanes(0x12, 0x1D, "i64x2"),
    *lanes(0x13, 0x1F, "f32x4"),
    *lanes(0x14, 0x21, "f64x2"),
    # bits
    row(0x4D, "v128.not", UNARY, "%r = xor <2 x i64> %a, splat (i64 -1)"),
    row(0x4E, "v128.and", BINARY, "%r = and <2 x i64> %a, %b"),
    row(0x4F, "v128.andnot", BINARY, "%l = xor <2 x i64> %b, splat (i64 -1)\n%r = and <2 x i64> %a, %l"),
    row(0x50, "v128.or", BINARY, "%r = or <2 x i64> %a, %b"),
    row(0x51, "v128.xor", BINARY, "%r = xor <2 x i64> %a, %b"),
    row(0x52, "v128.bitselect", TERNARY, BITSELECT),
    row(0x53, "v128.any_true", TEST,
        "%l = bitcast <2 x i64> %a to i128\n%c = icmp ne i128 %l, 0\n%r = zext i1 %c to i32"),
    row(0x109, "i8x16.relaxed_laneselect", TERNARY, BITSELECT),
    row(0x10A, "i16x8.relaxed_laneselect", TERNARY, BITSELECT),
    row(0x10B, "i32x4.relaxed_laneselect", TERNARY, BITSELECT),
    row(0x10C, "i64x2.relaxed_laneselect", TERNARY, BITSELECT),
    # comparisons
    *comparisons(0x23, "i8x16", COMPARE),
    *comparisons(0x2D, "i16x8", COMPARE),
    *comparisons(0x37, "i32x4", COMPARE),
    *comparisons(0xD6, "i64x2", COMPARE_SIGNED),
    *comparisons(0x41, "f32x4", COMPARE_FLOAT),
    *comparisons(0x47, "f64x2", COMPARE_FLOAT),
    # arithmetic
    *integer(),
    *floating(),
    *signs(0x7C, "i16x8.extadd_pairwise_i8x16_{sign}", UNARY, pairwise, "i8x16"),
    *signs(0x7E, "i32x4.extadd_pairwise_i16x8_{sign}", UNARY, pairwise, "i16x8"),
    lane_row(0x111, "i16x8.relaxed_q15mulr_s", BINARY, f"%q = {ROUNDED_PRODUCT}"),
    lane_row(0x112, "i16x8.relaxed_dot_i8x16_i7x16_s", BINARY, f"%q = {RELAXED_DOT}", "i8x16"),
    lane_row(0x113, "i32x4.relaxed_dot_i8x16_i7x16_add_s", TERNARY, RELAXED_DOT_ADD, "i8x16"),
    # conversions
    lane_row(0x5E, "f32x4.demote_f64x2_zero", UNARY, DEMOTE, "f64x2"),
    lane_row(0x5F, "f64x2.promote_low_f32x4", UNARY, extend("low", "fpext"), "f32x4"),
    *signs(0xF8, "i32x4.trunc_sat_f32x4_{sign}", UNARY, truncation, "f32x4"),
    *signs(0xFA, "f32x4.convert_i32x4_{sign}", UNARY, conversion, "i32x4"),
    *signs(0xFC, "i32x4.trunc_sat_f64x2_{sign}_zero", UNARY, truncation_zero, "f64x2"),
    *signs(0xFE, "f64x2.convert_low_i32x4_{sign}", UNARY, conversion_low, "i32x4"),
    *signs(0x101, "i32x4.relaxed_trunc_f32x4_{sign}", UNARY, truncation, "f32x4"),
    *signs(0x103, "i32x4.relaxed_trunc_f64x2_{sign}_zero", UNARY, truncation_zero, "f64x2"),
)
