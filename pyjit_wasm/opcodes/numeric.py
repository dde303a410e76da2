"""Numeric and conversion instructions (spec 4.3, 2.4.1). Comments say where LLVM is not WebAssembly."""
from pyjit_wasm.opcodes.op import (F32, F64, I32, I64, Guard, Op, binop, cvtop, double, prefixed, relop,
                                   testop, unop)

DIVIDE_BY_ZERO = Guard("integer divide by zero", "%c = icmp eq {t} %b, 0")
DIVIDE_OVERFLOW = Guard("integer overflow",
                        "%om = icmp eq {t} %a, {min}\n%on = icmp eq {t} %b, -1\n%c = and i1 %om, %on")

CLZ = "%r = call {t} @llvm.ctlz.{i}({t} %a, i1 false)"
CTZ = "%r = call {t} @llvm.cttz.{i}({t} %a, i1 false)"
POPCNT = "%r = call {t} @llvm.ctpop.{i}({t} %a)"
# a shift by the width or more is poison in LLVM
SHIFT = "%m = and {t} %b, {m}\n%r = "
# MIN rem -1 is undefined in LLVM and 0 in WebAssembly
REM_S = "%n = icmp eq {t} %b, -1\n%d = select i1 %n, {t} 1, {t} %b\n%r = srem {t} %a, %d"


# LLVM's minimum hands a signalling NaN through
EXTREMUM = "%m = call {{t}} @llvm.{}.{{i}}({{t}} %a, {{t}} %b)\n%r = call {{t}} @llvm.canonicalize.{{i}}({{t}} %m)"


def integer(t, eqz, relops, unops, binops, extends):
    """All integer instructions of one width, given the first opcode of each run."""
    yield testop(eqz, t, "eqz", "%c = icmp eq {t} %a, 0\n%r = zext i1 %c to i32")
    for i, (name, compare, swapped, negated) in enumerate((
            ("eq", "icmp eq", "eq", "ne"), ("ne", "icmp ne", "ne", "eq"),
            ("lt_s", "icmp slt", "gt_s", "ge_s"), ("lt_u", "icmp ult", "gt_u", "ge_u"),
            ("gt_s", "icmp sgt", "lt_s", "le_s"), ("gt_u", "icmp ugt", "lt_u", "le_u"),
            ("le_s", "icmp sle", "ge_s", "gt_s"), ("le_u", "icmp ule", "ge_u", "gt_u"),
            ("ge_s", "icmp sge", "le_s", "lt_s"), ("ge_u", "icmp uge", "le_u", "lt_u"))):
        yield relop(relops + i, t, name, compare, swapped, negated)
    for i, (name, ir) in enumerate((("clz", CLZ), ("ctz", CTZ), ("popcnt", POPCNT))):
        yield unop(unops + i, t, name, ir)
    for i, (name, ir, traps, commutes) in enumerate((
            ("add", "%r = add {t} %a, %b", (), True),
            ("sub", "%r = sub {t} %a, %b", (), False),
            ("mul", "%r = mul {t} %a, %b", (), True),
            ("div_s", "%r = sdiv {t} %a, %b", (DIVIDE_BY_ZERO, DIVIDE_OVERFLOW), False),
            ("div_u", "%r = udiv {t} %a, %b", (DIVIDE_BY_ZERO,), False),
            ("rem_s", REM_S, (DIVIDE_BY_ZERO,), False),
            ("rem_u", "%r = urem {t} %a, %b", (DIVIDE_BY_ZERO,), False),
            ("and", "%r = and {t} %a, %b", (), True),
            ("or", "%r = or {t} %a, %b", (), True),
            ("xor", "%r = xor {t} %a, %b", (), True),
            ("shl", SHIFT + "shl {t} %a, %m", (), False),
            ("shr_s", SHIFT + "ashr {t} %a, %m", (), False),
            ("shr_u", SHIFT + "lshr {t} %a, %m", (), False),
            ("rotl", "%r = call {t} @llvm.fshl.{i}({t} %a, {t} %a, {t} %b)", (), False),
            ("rotr", "%r = call {t} @llvm.fshr.{i}({t} %a, {t} %a, {t} %b)", (), False))):
        yield binop(binops + i, t, name, ir, traps, commutes)
    for i, bits in enumerate((8, 16, 32)[:2 if t == I32 else 3]):
        yield unop(extends + i, t, f"extend{bits}_s", f"%n = trunc {{t}} %a to i{bits}\n%r = sext i{bits} %n to {{t}}")


def floating(t, relops, unops, binops):
    """All floating-point instructions of one width. Negated comparisons are absent: NaN."""
    for i, (name, compare, swapped) in enumerate((
            ("eq", "fcmp oeq", "eq"), ("ne", "fcmp une", "ne"), ("lt", "fcmp olt", "gt"),
            ("gt", "fcmp ogt", "lt"), ("le", "fcmp ole", "ge"), ("ge", "fcmp oge", "le"))):
        yield relop(relops + i, t, name, compare, swapped)
    # fabs, fneg and copysign only touch the sign bit, NaN payloads included
    for i, (name, call) in enumerate((("abs", "fabs"), ("neg", None), ("ceil", "ceil"), ("floor", "floor"),
                                      ("trunc", "trunc"), ("nearest", "roundeven"), ("sqrt", "sqrt"))):
        yield unop(unops + i, t, name, f"%r = call {{t}} @llvm.{call}.{{i}}({{t}} %a)" if call else "%r = fneg {t} %a")
    for i, (name, ir) in enumerate((
            ("add", "%r = fadd {t} %a, %b"), ("sub", "%r = fsub {t} %a, %b"), ("mul", "%r = fmul {t} %a, %b"),
            ("div", "%r = fdiv {t} %a, %b"),
            ("min", EXTREMUM.format("minimum")), ("max", EXTREMUM.format("maximum")),
            ("copysign", "%r = call {t} @llvm.copysign.{i}({t} %a, {t} %b)"))):
        yield binop(binops + i, t, name, ir)


def range_guards(to, source, sign):
    """NaN, then outside the open interval of values whose truncation fits."""
    bits = 32 if to == I32 else 64
    above = 2.0 ** (bits - (sign == "s"))
    if sign == "u":
        low, test = -1.0, "ogt"
    elif bits == 32 and source == F64:
        low, test = -2.0 ** 31 - 1, "ogt"
    else:
        low, test = -2.0 ** (bits - 1), "oge"  # one less is not representable
    t = "float" if source == F32 else "double"
    return (Guard("invalid conversion to integer", f"%c = fcmp uno {t} %a, %a"),
            Guard("integer overflow", f"%ol = fcmp {test} {t} %a, {double(low)}\n"
                                      f"%oh = fcmp olt {t} %a, {double(above)}\n"
                                      "%oi = and i1 %ol, %oh\n%c = xor i1 %oi, true"))


def truncations(first, to):
    for i, (source, sign) in enumerate(((F32, "s"), (F32, "u"), (F64, "s"), (F64, "u"))):
        yield cvtop(first + i, to, f"trunc_{source}_{sign}", source, f"%r = fpto{sign}i {{t}} %a to {{r}}",
                    range_guards(to, source, sign))


def saturating(first, to):
    for i, (source, sign) in enumerate(((F32, "s"), (F32, "u"), (F64, "s"), (F64, "u"))):
        yield cvtop(prefixed(0xFC, first + i), to, f"trunc_sat_{source}_{sign}", source,
                    f"%r = call {{r}} @llvm.fpto{sign}i.sat.{to}.{source}({{t}} %a)")


def conversions(first, to):
    for i, (source, sign) in enumerate(((I32, "s"), (I32, "u"), (I64, "s"), (I64, "u"))):
        yield cvtop(first + i, to, f"convert_{source}_{sign}", source, f"%r = {sign}itofp {{t}} %a to {{r}}")


REINTERPRET = "%r = bitcast {t} %a to {r}"
# LLVM folds a round trip through f64 to the operand; canonicalize keeps the quieting of NaNs
DEMOTE = "%q = call double @llvm.canonicalize.f64(double %a)\n%r = fptrunc double %q to float"

ROWS = (
    Op(0x41, "i32.const", (), (I32,), imm=("i32",)),
    Op(0x42, "i64.const", (), (I64,), imm=("i64",)),
    Op(0x43, "f32.const", (), (F32,), imm=("f32",)),
    Op(0x44, "f64.const", (), (F64,), imm=("f64",)),
    *integer(I32, eqz=0x45, relops=0x46, unops=0x67, binops=0x6A, extends=0xC0),
    *integer(I64, eqz=0x50, relops=0x51, unops=0x79, binops=0x7C, extends=0xC2),
    *floating(F32, relops=0x5B, unops=0x8B, binops=0x92),
    *floating(F64, relops=0x61, unops=0x99, binops=0xA0),
    cvtop(0xA7, I32, "wrap_i64", I64, "%r = trunc {t} %a to {r}"),
    *truncations(0xA8, I32),
    cvtop(0xAC, I64, "extend_i32_s", I32, "%r = sext {t} %a to {r}"),
    cvtop(0xAD, I64, "extend_i32_u", I32, "%r = zext {t} %a to {r}"),
    *truncations(0xAE, I64),
    *conversions(0xB2, F32),
    cvtop(0xB6, F32, "demote_f64", F64, DEMOTE),
    *conversions(0xB7, F64),
    cvtop(0xBB, F64, "promote_f32", F32, "%r = fpext {t} %a to {r}"),
    cvtop(0xBC, I32, "reinterpret_f32", F32, REINTERPRET),
    cvtop(0xBD, I64, "reinterpret_f64", F64, REINTERPRET),
    cvtop(0xBE, F32, "reinterpret_i32", I32, REINTERPRET),
    cvtop(0xBF, F64, "reinterpret_i64", I64, REINTERPRET),
    *saturating(0, I32),
    *saturating(4, I64),
)
