"""What numeric instructions compute (spec 4.3), in plain Python: exact integers and fractions, rounded once.

Values are raw bits. `expect(mnemonic, arguments)` gives the raw result, `Trapped(message)`, or
`Nan(bits, canonical)` where the specification leaves a choice.
"""
import struct
from fractions import Fraction
from math import ceil, floor, isqrt, trunc

BITS = {"i32": 32, "i64": 64, "f32": 32, "f64": 64}
PRECISION = {"f32": 24, "f64": 53}      # of the significand, hidden bit included
LEAST = {"f32": -149, "f64": -1074}     # exponent of the least subnormal
LARGEST = {"f32": 128, "f64": 1024}     # everything from 2 to this on is infinite
INF = {"f32": 0x7F800000, "f64": 0x7FF << 52}
QUIET = {"f32": 1 << 22, "f64": 1 << 51}
SIGN = {"f32": 1 << 31, "f64": 1 << 63}
CODES = {"f32": ("<f", "<I"), "f64": ("<d", "<Q")}


class Trapped:
    """The instruction traps with this message."""

    def __init__(self, message):
        self.message = message

    def admits(self, outcome):
        return outcome == self.message

    def __repr__(self):
        return f"trap {self.message}"


class Nan:
    """Any canonical NaN, or any arithmetic one (spec 4.3.3, NaN propagation)."""

    def __init__(self, t, canonical):
        self.type, self.canonical = t, canonical

    def admits(self, outcome):
        if isinstance(outcome, str):
            return False
        magnitude = outcome & ~SIGN[self.type]
        least = INF[self.type] | QUIET[self.type]
        return magnitude == least if self.canonical else least <= magnitude < SIGN[self.type]

    def __repr__(self):
        return "canonical NaN" if self.canonical else "arithmetic NaN"


def admits(expected, outcome):
    """Whether an outcome, raw bits or a trap message, is what was expected."""
    return expected.admits(outcome) if isinstance(expected, (Nan, Trapped)) else outcome == expected


def expect(mnemonic, arguments):
    """What an instruction gives for raw operands."""
    t, _, name = mnemonic.partition(".")
    if name.startswith(("reinterpret", "wrap")):
        return arguments[0] & mask(t)
    if name.startswith(("trunc_", "convert", "promote", "demote")) or name.startswith("extend_"):
        return _CONVERSIONS[name.split("_")[0]](t, name, arguments[0])
    return (_integer if t[0] == "i" else _float)(t, name, *arguments)


# integers

def mask(t):
    return (1 << BITS[t]) - 1


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def _integer(t, name, a, b=0):
    result = _INTEGER[name](a, b, BITS[t]) if name in _INTEGER else _signed_or_not(t, name, a, b)
    return result if isinstance(result, Trapped) else int(result) & mask(t)


def _signed_or_not(t, name, a, b):
    if name in ("extend8_s", "extend16_s", "extend32_s"):
        return signed(a, int(name[6:-2]))
    if name.endswith("_s"):
        a, b = signed(a, BITS[t]), (b if name == "shr_s" else signed(b, BITS[t]))
    return _SIGNED_OR_NOT[name[:-2]](a, b, t)


def _rotate_left(a, b, n):
    b %= n
    return a << b | a >> n - b


def _divide(a, b, t):
    if not b:
        return Trapped("integer divide by zero")
    quotient = trunc(Fraction(a, b))
    return Trapped("integer overflow") if quotient == 1 << BITS[t] - 1 and a < 0 else quotient


def _remainder(a, b, t):
    return a - b * trunc(Fraction(a, b)) if b else Trapped("integer divide by zero")


_INTEGER = {
    "eqz": lambda a, b, n: a == 0, "eq": lambda a, b, n: a == b, "ne": lambda a, b, n: a != b,
    "clz": lambda a, b, n: n - a.bit_length(), "popcnt": lambda a, b, n: a.bit_count(),
    "ctz": lambda a, b, n: (a & -a).bit_length() - 1 if a else n,
    "add": lambda a, b, n: a + b, "sub": lambda a, b, n: a - b, "mul": lambda a, b, n: a * b,
    "and": lambda a, b, n: a & b, "or": lambda a, b, n: a | b, "xor": lambda a, b, n: a ^ b,
    "shl": lambda a, b, n: a << b % n,
    "rotl": _rotate_left, "rotr": lambda a, b, n: _rotate_left(a, n - b % n, n),
}
_SIGNED_OR_NOT = {
    "lt": lambda a, b, t: a < b, "gt": lambda a, b, t: a > b,
    "le": lambda a, b, t: a <= b, "ge": lambda a, b, t: a >= b,
    "div": _divide, "rem": _remainder, "shr": lambda a, b, t: a >> b % BITS[t],
}


# floats

def number(t, bits):
    """The float of raw bits, exact (a double holds every f32)."""
    return struct.unpack(CODES[t][0], struct.pack(CODES[t][1], bits))[0]


def is_nan(t, bits):
    return bits & ~SIGN[t] > INF[t]


def is_inf(t, bits):
    return bits & ~SIGN[t] == INF[t]


def rounded(t, value, negative=None):
    """Raw bits of a Fraction rounded to nearest, ties to even; `negative`: the sign of a zero."""
    negative = value < 0 if negative is None or value else negative
    value = abs(Fraction(value))
    exponent = value.numerator.bit_length() - value.denominator.bit_length()    # or one more than the true one
    if value < Fraction(2) ** exponent:
        exponent -= 1
    quantum = Fraction(2) ** max(exponent - PRECISION[t] + 1, LEAST[t])
    value = round(value / quantum) * quantum
    bits = INF[t] if value >= 2 ** LARGEST[t] else \
        struct.unpack(CODES[t][1], struct.pack(CODES[t][0], value.numerator / value.denominator))[0]
    return bits | (SIGN[t] if negative else 0)


def _propagated(t, *operands):
    """The NaN that comes of operands (of whatever float type; pairs of type and bits)."""
    return Nan(t, all(bits & ~SIGN[of] == INF[of] | QUIET[of] for of, bits in operands if is_nan(of, bits)))


def _float(t, name, a, b=None):
    if name in _BITWISE:
        return _BITWISE[name](t, a, b)
    operands = (a,) if b is None else (a, b)
    nans = any(is_nan(t, bits) for bits in operands)
    if name in _COMPARISONS:
        return int(name == "ne") if nans else int(_COMPARISONS[name](number(t, a), number(t, b)))
    if nans:
        return _propagated(t, *((t, bits) for bits in operands))
    return _ARITHMETIC[name](t, *operands)


_BITWISE = {
    "abs": lambda t, a, b: a & ~SIGN[t], "neg": lambda t, a, b: a ^ SIGN[t],
    "copysign": lambda t, a, b: a & ~SIGN[t] | b & SIGN[t],
}
_COMPARISONS = {
    "eq": lambda x, y: x == y, "ne": lambda x, y: x != y, "lt": lambda x, y: x < y,
    "gt": lambda x, y: x > y, "le": lambda x, y: x <= y, "ge": lambda x, y: x >= y,
}


def _add(t, a, b):
    if is_inf(t, a) or is_inf(t, b):
        return Nan(t, True) if is_inf(t, a) and is_inf(t, b) and a != b else a if is_inf(t, a) else b
    return rounded(t, Fraction(number(t, a)) + Fraction(number(t, b)), bool(a & b & SIGN[t]))


def _multiply(t, a, b):
    sign, zero = (a ^ b) & SIGN[t], 0 in (a & ~SIGN[t], b & ~SIGN[t])
    if is_inf(t, a) or is_inf(t, b):
        return Nan(t, True) if zero else INF[t] | sign
    return rounded(t, Fraction(number(t, a)) * Fraction(number(t, b)), bool(sign))


def _quotient(t, a, b):
    sign, zeros = (a ^ b) & SIGN[t], (not a & ~SIGN[t], not b & ~SIGN[t])
    if all(zeros) or is_inf(t, a) and is_inf(t, b):
        return Nan(t, True)
    if is_inf(t, a) or zeros[1]:
        return INF[t] | sign
    return sign if is_inf(t, b) else rounded(t, Fraction(number(t, a)) / Fraction(number(t, b)), bool(sign))


def _root(t, a):
    if not a & ~SIGN[t] or a == INF[t]:
        return a
    if a & SIGN[t]:
        return Nan(t, True)
    square, shift = Fraction(number(t, a)), 700     # enough bits below the point for the least subnormal
    scaled = int(square * 4 ** shift)
    root = isqrt(scaled)
    return rounded(t, Fraction(2 * root + (root * root != scaled), 2 << shift))


def _extremum(t, a, b, pick, zero):
    x, y = number(t, a), number(t, b)
    if x == y:
        return zero(a, b)   # zeros of either sign: their bits decide
    return a if pick(x, y) == x else b


def _integral(rounding):
    def apply(t, a):
        return a if is_inf(t, a) else rounded(t, Fraction(rounding(Fraction(number(t, a)))), bool(a & SIGN[t]))
    return apply


_ARITHMETIC = {
    "add": _add, "sub": lambda t, a, b: _add(t, a, b ^ SIGN[t]), "mul": _multiply, "div": _quotient, "sqrt": _root,
    "min": lambda t, a, b: _extremum(t, a, b, min, int.__or__),
    "max": lambda t, a, b: _extremum(t, a, b, max, int.__and__),
    "ceil": _integral(ceil), "floor": _integral(floor), "trunc": _integral(trunc), "nearest": _integral(round),
}


# conversions

def _truncate(to, name, bits):
    """`trunc_f32_s`, `trunc_sat_f64_u` ..."""
    *_, source, sign = name.split("_")
    saturating, width = "_sat_" in name, BITS[to]
    low, high = (-1 << width - 1, (1 << width - 1) - 1) if sign == "s" else (0, (1 << width) - 1)
    if is_nan(source, bits):
        return 0 if saturating else Trapped("invalid conversion to integer")
    if is_inf(source, bits):
        value = high + 1 if bits == INF[source] else low - 1
    else:
        value = trunc(Fraction(number(source, bits)))
    if not low <= value <= high and not saturating:
        return Trapped("integer overflow")
    return min(max(value, low), high) & mask(to)


def _convert(to, name, bits):
    """`convert_i32_s` ..."""
    _, source, sign = name.split("_")
    return rounded(to, Fraction(signed(bits, BITS[source]) if sign == "s" else bits))


def _resize(to, name, bits):
    """`promote_f32`, `demote_f64`."""
    source = name.split("_")[1]
    if is_nan(source, bits):
        return _propagated(to, (source, bits))
    sign = bool(bits & SIGN[source])
    if is_inf(source, bits):
        return INF[to] | (SIGN[to] if sign else 0)
    return rounded(to, Fraction(number(source, bits)), sign)


_CONVERSIONS = {
    "trunc": _truncate, "convert": _convert, "promote": _resize, "demote": _resize,
    "extend": lambda to, name, bits: (signed(bits, 32) if name[-1] == "s" else bits) & mask(to),
}
