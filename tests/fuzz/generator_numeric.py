"""Numeric and vector instructions of random functions, straight from the tables."""
import re

from .generator_values import SCALARS, canonical
from pyjit_wasm.opcodes import numeric, vector

LOOKS_AT_BITS, CARRIES_BITS = ("reinterpret", "copysign"), ("neg", "abs")
SCALAR_ROWS = {t: [op for op in numeric.ROWS if op.ir and op.results == (t,)] for t in SCALARS}

# Relaxed instructions that leave this engine and a deterministic wasmtime a choice which they make differently:
# x86's for indices out of range, sums that saturate, -1 * -1, and the extremum of zeros and NaNs.
DIFFERENT = re.compile(r"relaxed_(swizzle|min|max|q15mulr|dot)")
VECTOR_ROWS = [op for op in vector.ROWS if not op.access and not DIFFERENT.search(op.mnemonic)]
EXTRACTIONS = {t: [op for op in VECTOR_ROWS if op.results == (t,)] for t in SCALARS}
PRODUCERS = [op for op in VECTOR_ROWS if op.results == ("v128",)]
LANES = re.compile(r"x(\d+)\.")
# of float shapes: arithmetic on lanes, which makes NaNs, or hands on those of its operands
ARITHMETIC = re.compile(r"(ceil|floor|trunc|nearest|sqrt|add|sub|mul|div|min|max|relaxed_n?madd)$")
HANDS_ON = re.compile(r"(abs|neg|pmin|pmax)$")
COMPARES = re.compile(r"(eq|ne|lt|gt|le|ge)$")
CONVERTS = re.compile(r"(promote|demote)_")


def scalar(body, t, depth):
    op = body.choices.of(SCALAR_ROWS[t])
    name = op.mnemonic.partition(".")[2]
    if name.startswith("trunc_f") and not body.choices.chance(8):
        op = next(o for o in SCALAR_ROWS[t] if o.mnemonic == op.mnemonic.replace("trunc_f", "trunc_sat_f"))
    if name.startswith(("div_", "rem_")) and not body.choices.chance(6):
        right = f"({t}.or {body.expression(t, depth)} ({t}.const 1))"
        return f"({op.mnemonic} {body.expression(t, depth)} {right})", ""
    if name.startswith(LOOKS_AT_BITS):
        return f"({op.mnemonic} {body.values(op.params, depth)})", ""
    operands = [body.grow(p, depth) for p in op.params]
    dirty = t[0] == "f" and (name not in CARRIES_BITS or operands[0][1])
    return f"({op.mnemonic} {' '.join(text for text, _ in operands)})", t if dirty else ""


def from_vector(body, t, depth):
    if not EXTRACTIONS[t]:
        return scalar(body, t, depth)
    return vector_row(body, body.choices.of(EXTRACTIONS[t]), depth)


def from_any(body, t, depth):
    return vector_row(body, body.choices.of(PRODUCERS), depth)


def vector_row(body, op, depth):
    """(text, dirt) of one instruction: operands keep the dirt that it does not look at."""
    shape, _, name = op.mnemonic.partition(".")
    on_floats = shape[0] == "f" and (ARITHMETIC.match(name) or HANDS_ON.match(name) or COMPARES.match(name))
    operands = [body.grow(p, depth) for p in op.params]
    texts = [canonical(dirt, text) if dirt and not (on_floats and dirt == shape) else text for text, dirt in operands]
    makes = shape[0] == "f" and (ARITHMETIC.match(name) or CONVERTS.match(name))
    hands_on = on_floats and HANDS_ON.match(name) and any(dirt == shape for _, dirt in operands)
    return f"({op.mnemonic} {immediate(body, op)} {' '.join(texts)})", shape if makes or hands_on else ""


def immediate(body, op):
    if "v128" in op.imm:
        return body.constant("v128")[len("(v128.const "):-1]
    if "lanes" in op.imm:
        return " ".join(str(body.choices.below(32)) for _ in range(16))
    return str(body.choices.below(int(LANES.search(op.mnemonic)[1]))) if "laneidx" in op.imm else ""


FOR_SCALARS = (*[scalar] * 4, from_vector)
FOR_VECTORS = (from_any,) * 10
