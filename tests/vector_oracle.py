"""What vector instructions compute (spec 4.4.3), in plain Python: lanes as integers, floats by `oracle`.

A v128 is 16 bytes, other values are raw bits. `expect(mnemonic, operands, lane)` gives the raw result, a number or
`Lanes`, whose lanes are raw bits or `Nan`. `loaded` and `stored` are about memory.
"""
import re
from fractions import Fraction

from oracle import SIGN, Nan, admits, is_inf, is_nan, number, rounded, signed
from oracle import expect as expect_scalar

SHAPE = re.compile(r"[if]\d+x\d+")
WIDTH = {"i8x16": 8, "i16x8": 16, "i32x4": 32, "i64x2": 64, "f32x4": 32, "f64x2": 64}


def operand_shape(mnemonic):
    """The shape in which a row reads its operands: the second that it names, if it does."""
    shapes = SHAPE.findall(mnemonic)
    return shapes[1] if len(shapes) > 1 else shapes[0] if shapes else "i64x2"


def split(vector, width):
    """The lanes of 16 bytes, unsigned."""
    size = width // 8
    return [int.from_bytes(vector[i:i + size], "little") for i in range(0, 16, size)]


def join(lanes, width):
    return b"".join((lane & (1 << width) - 1).to_bytes(width // 8, "little") for lane in lanes)


class Lanes:
    """An expected v128 of lanes `width` bits wide."""

    def __init__(self, width, lanes):
        self.width = width
        self.lanes = [lane if isinstance(lane, Nan) else int(lane) & (1 << width) - 1 for lane in lanes]

    def admits(self, vector):
        found = split(vector, self.width)
        return len(found) == len(self.lanes) and all(map(admits, self.lanes, found))

    def __repr__(self):
        return " ".join(str(lane) if isinstance(lane, Nan) else f"{lane:0{self.width // 4}x}" for lane in self.lanes)


def expect(mnemonic, operands, lane=None):
    shape, _, name = mnemonic.partition(".")
    if name in _BITS:
        return _BITS[name](*(int.from_bytes(v, "little") for v in operands))
    rule = next((rule for prefix, rule in _WHOLE.items() if name.startswith(prefix)), None)
    source = operand_shape(mnemonic)
    vectors = [split(v, WIDTH[source]) if isinstance(v, bytes) else v for v in operands]
    if rule is not None:
        return rule(shape, source, name, vectors, lane)
    if shape[0] == "f" and source[0] == "f":
        return Lanes(WIDTH[shape], [_float_lane(shape[:3], name, *lanes) for lanes in zip(*vectors)])
    return Lanes(WIDTH[shape], [_integer_lane(WIDTH[shape], name, *lanes) for lanes in zip(*vectors)])


# --- bits

ALL = (1 << 128) - 1


def _vector(bits):
    return Lanes(64, split(bits.to_bytes(16, "little"), 64))


def _select(a, b, c):
    return _vector(a & c | b & ~c & ALL)


_BITS = {
    "not": lambda a: _vector(a ^ ALL), "and": lambda a, b: _vector(a & b), "andnot": lambda a, b: _vector(a & ~b),
    "or": lambda a, b: _vector(a | b), "xor": lambda a, b: _vector(a ^ b), "bitselect": _select,
    "relaxed_laneselect": _select, "any_true": lambda a: int(a != 0),
}


# --- lane by lane

def _clamp(value, low, high):
    return min(max(value, low), high)


def _clamp_signed(value, width):
    return _clamp(value, -1 << width - 1, (1 << width - 1) - 1)


def _clamp_unsigned(value, width):
    return _clamp(value, 0, (1 << width) - 1)


_INTEGER = {
    "neg": lambda a: -a, "popcnt": int.bit_count, "add": lambda a, b: a + b, "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b, "eq": lambda a, b: -(a == b), "ne": lambda a, b: -(a != b),
    "avgr_u": lambda a, b: (a + b + 1) // 2,
}
_ORDERED = {"lt": lambda a, b: -(a < b), "gt": lambda a, b: -(a > b), "le": lambda a, b: -(a <= b),
            "ge": lambda a, b: -(a >= b), "min": min, "max": max}
_SATURATING = {"add_sat": lambda a, b: a + b, "sub_sat": lambda a, b: a - b}


def _integer_lane(width, name, *operands):
    if name in _INTEGER:
        return _INTEGER[name](*operands)
    if name == "abs":
        return abs(signed(*operands, width))
    if name in ("q15mulr_sat_s", "relaxed_q15mulr_s"):
        a, b = (signed(x, 16) for x in operands)
        product = a * b + 0x4000 >> 15
        return _clamp_signed(product, 16) if name[0] == "q" else product
    base, _, sign = name.rpartition("_")
    if sign == "s":
        operands = [signed(x, width) for x in operands]
    if base in _SATURATING:
        return (_clamp_signed if sign == "s" else _clamp_unsigned)(_SATURATING[base](*operands), width)
    return _ORDERED[base](*operands)


def _float_lane(t, name, *operands):
    if name in ("eq", "ne", "lt", "gt", "le", "ge"):
        return -expect_scalar(f"{t}.{name}", operands)
    if name in ("pmin", "pmax", "relaxed_min", "relaxed_max"):
        a, b = operands
        if is_nan(t, a) or is_nan(t, b):
            return a
        x, y = number(t, a), number(t, b)
        return b if (y < x if name.endswith("min") else x < y) else a
    if name == "relaxed_madd":
        return _fused(t, *operands)
    if name == "relaxed_nmadd":
        return _fused(t, operands[0] ^ SIGN[t], *operands[1:])
    return expect_scalar(f"{t}.{name}", operands)


def _fused(t, a, b, c):
    """a * b + c, rounded once."""
    if any(is_nan(t, x) for x in (a, b, c)):
        return Nan(t, False)
    sign = (a ^ b) & SIGN[t]
    if is_inf(t, a) or is_inf(t, b):
        if 0 in (a & ~SIGN[t], b & ~SIGN[t]) or is_inf(t, c) and c & SIGN[t] != sign:
            return Nan(t, True)
        return (b if is_inf(t, b) else a) & ~SIGN[t] | sign
    if is_inf(t, c):
        return c
    value = Fraction(number(t, a)) * Fraction(number(t, b)) + Fraction(number(t, c))
    return rounded(t, value, bool(sign and c & SIGN[t]))


# --- whole vectors: functions of (result shape, operand shape, name, operands as lanes, lane number)

def _splat(shape, source, name, operands, lane):
    return Lanes(WIDTH[shape], operands * (128 // WIDTH[shape]))


def _extract(shape, source, name, operands, lane):
    value = operands[0][lane]
    return signed(value, WIDTH[shape]) & 0xFFFFFFFF if name.endswith("_s") else value


def _replace(shape, source, name, operands, lane):
    lanes = list(operands[0])
    lanes[lane] = operands[1]
    return Lanes(WIDTH[shape], lanes)


def _shift(shape, source, name, operands, lane):
    lanes, width = operands[0], WIDTH[shape]
    count = operands[1] % width
    if name == "shr_s":
        lanes = [signed(x, width) for x in lanes]
    return Lanes(width, [x << count if name == "shl" else x >> count for x in lanes])


def _swizzle(shape, source, name, operands, lane):
    values, picks = operands
    if name == "relaxed_swizzle":
        return Lanes(8, [0 if i & 128 else values[i & 15] for i in picks])
    return Lanes(8, [values[i] if i < 16 else 0 for i in picks])


def _bitmask(shape, source, name, operands, lane):
    return sum(x >> WIDTH[shape] - 1 << i for i, x in enumerate(operands[0]))


def _half(lanes, name):
    middle = len(lanes) // 2
    return lanes[:middle] if "_low" in name else lanes[middle:]


def _read(lanes, source, name):
    """Lanes as the last letter of the name wants them."""
    return [signed(x, WIDTH[source]) for x in lanes] if name.endswith("_s") else lanes


def _extend(shape, source, name, operands, lane):
    return Lanes(WIDTH[shape], _read(_half(operands[0], name), source, name))


def _extmul(shape, source, name, operands, lane):
    a, b = (_read(_half(lanes, name), source, name) for lanes in operands)
    return Lanes(WIDTH[shape], [x * y for x, y in zip(a, b)])


def _pairs(lanes):
    return [a + b for a, b in zip(lanes[::2], lanes[1::2])]


def _extadd(shape, source, name, operands, lane):
    return Lanes(WIDTH[shape], _pairs(_read(operands[0], source, name)))


def _dot(shape, source, name, operands, lane):
    a, b = (_read(lanes, source, name) for lanes in operands)
    return Lanes(WIDTH[shape], _pairs([x * y for x, y in zip(a, b)]))


def _relaxed_dot(shape, source, name, operands, lane):
    """The second operand is unsigned here, and the sums saturate."""
    a, b = [signed(x, 8) for x in operands[0]], operands[1]
    sums = [_clamp_signed(x, 16) for x in _pairs([x * y for x, y in zip(a, b)])]
    if shape == "i16x8":
        return Lanes(16, sums)
    return Lanes(32, [x + y for x, y in zip(_pairs(sums), split(join(operands[2], 8), 32))])


def _narrow(shape, source, name, operands, lane):
    clamp = _clamp_signed if name.endswith("_s") else _clamp_unsigned
    lanes = [signed(x, WIDTH[source]) for x in operands[0] + operands[1]]
    return Lanes(WIDTH[shape], [clamp(x, WIDTH[shape]) for x in lanes])


def _convert(shape, source, name, operands, lane):
    """Conversions between numbers, lane by lane as the scalar ones; what is left of the result is 0."""
    verb, sign = name.removeprefix("relaxed_").split("_")[0], name.removesuffix("_zero")[-2:]
    scalar = {"trunc": f"i32.trunc_sat_{source[:3]}{sign}", "convert": f"{shape[:3]}.convert_i32{sign}",
              "demote": "f32.demote_f64", "promote": "f64.promote_f32"}[verb]
    count = 128 // WIDTH[shape]
    lanes = [expect_scalar(scalar, (x,)) for x in operands[0][:count]]
    return Lanes(WIDTH[shape], lanes + [0] * (count - len(lanes)))


_WHOLE = {
    "splat": _splat, "extract_lane": _extract, "replace_lane": _replace, "shl": _shift, "shr": _shift,
    "swizzle": _swizzle, "relaxed_swizzle": _swizzle, "bitmask": _bitmask,
    "all_true": lambda shape, source, name, operands, lane: int(all(operands[0])),
    "extend_": _extend, "extmul_": _extmul, "extadd_": _extadd, "dot_": _dot, "relaxed_dot_": _relaxed_dot,
    "narrow_": _narrow, "trunc_sat_": _convert, "relaxed_trunc_": _convert, "convert_": _convert,
    "demote_": _convert, "promote_": _convert,
}


# --- memory

def loaded(mnemonic, content, vector, lane):
    """The v128 that a load makes of bytes; `vector` is what a lane goes into."""
    name = mnemonic.removeprefix("v128.load")
    if not name:
        return content
    if name.endswith("_lane"):
        size = len(content)
        return vector[:lane * size] + content + vector[(lane + 1) * size:]
    if name.endswith("_splat"):
        return content * (16 // len(content))
    if name.endswith("_zero"):
        return content.ljust(16, b"\0")
    width = int(name.partition("x")[0])
    lanes = split(content + bytes(8), width)[:64 // width]
    return join([signed(x, width) for x in lanes] if name.endswith("_s") else lanes, 2 * width)


def stored(vector, size, lane):
    """The bytes that a store of `size` bytes writes."""
    return vector[(lane or 0) * size:][:size]
