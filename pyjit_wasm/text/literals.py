"""Values (spec 6.3): integers, floating-point numbers, strings, names. Rounding is exact."""
import math
import re
import struct

DIGITS, HEX_DIGITS = "[0-9](?:_?[0-9])*", "[0-9a-fA-F](?:_?[0-9a-fA-F])*"

# a Unicode scalar value: up to 10FFFF, surrogates left out
H = "_?[0-9a-fA-F]"
SCALAR = f"(?:0_?)*(?:(?!_)(?:{H}){{1,3}} | [0-9a-ce-fA-CE-F](?:{H}){{3}} | [dD]_?[0-7](?:{H}){{2}}" \
         f"| [1-9a-fA-F](?:{H}){{4}} | 1_?0(?:{H}){{4}})"
STRING = (r'"(?: [^"\\\x00-\x1f\x7f]++ | \\(?: [tnr"\'\\] | [0-9a-fA-F]{2}'
          rf' | u\{{{SCALAR}\}} ) )*+"')

INTEGER = re.compile(f"[+-]?(?:0x{HEX_DIGITS}|{DIGITS})")
FLOAT = re.compile(rf"""[+-]?(?: 0x{HEX_DIGITS} (?: \.(?:{HEX_DIGITS})? )? (?: [pP][+-]?{DIGITS} )?
                               | {DIGITS} (?: \.(?:{DIGITS})? )? (?: [eE][+-]?{DIGITS} )?
                               | inf | nan | nan:0x{HEX_DIGITS} )""", re.VERBOSE)
NUMBER = re.compile(f"{INTEGER.pattern}|{FLOAT.pattern}|(?:offset|align)=(?:{INTEGER.pattern})|nan:[a-z]+", re.VERBOSE)

SIGNIFICAND = {32: 23, 64: 52}   # explicit bits of it by width of the format
OUT_OF_RANGE = "constant out of range"


def natural(text):
    """An unsigned integer, or None where the text is not one."""
    if not text[:1].isdecimal() or not INTEGER.fullmatch(text):
        return None
    return _magnitude(text)


def _magnitude(text):
    """An integer without sign. Python refuses to convert thousands of decimal digits; that many are out of
    every range, and so is what comes instead."""
    if text[:2] == "0x":
        return int(text, 16)
    significant = text.lstrip("0_") or "0"
    return int(significant) if len(significant) < 100 else 1 << 128


def integer(text, bits):
    """The two's complement of an integer literal, signed or unsigned, as unsigned; None where the text is
    no such literal. Raises OverflowError where it does not fit."""
    if not INTEGER.fullmatch(text):
        return None
    value = -_magnitude(text[1:]) if text[0] == "-" else _magnitude(text.lstrip("+"))
    if not -1 << bits - 1 <= value < 1 << bits:
        raise OverflowError(OUT_OF_RANGE)
    return value & (1 << bits) - 1


def floating(text, bits):
    """The bits of a floating-point literal; None and OverflowError as for `integer`."""
    if not FLOAT.fullmatch(text):
        return None
    sign = (text[0] == "-") << bits - 1
    magnitude = text.lstrip("+-").replace("_", "")
    if magnitude[0] in "in":
        return sign | _special(magnitude, bits)
    value = _double(magnitude)
    data = struct.pack("<d", value) if bits == 64 else _single(value, magnitude)
    return sign | int.from_bytes(data, "little")


def _single(value, magnitude):
    """Single precision in binary of an exact `magnitude`, whose nearest double is `value`."""
    try:
        data = struct.pack("<f", value)
        if struct.unpack("<f", data)[0] == value:
            return data
    except OverflowError:
        pass  # the magnitude itself may still be less than the double
    try:
        return struct.pack("<f", _round_to_odd(value, magnitude))
    except OverflowError:
        raise OverflowError(OUT_OF_RANGE) from None


def _special(magnitude, bits):
    """Infinity, the canonical NaN or a NaN with a payload."""
    explicit = SIGNIFICAND[bits]
    infinity = (1 << bits - 1) - (1 << explicit)
    if magnitude == "inf":
        return infinity
    payload = int(magnitude[4:], 16) if ":" in magnitude else 1 << explicit - 1
    if not 0 < payload < 1 << explicit:
        raise OverflowError(OUT_OF_RANGE)
    return infinity | payload


def _double(magnitude):
    """The nearest double, which Python's own conversions guarantee."""
    try:
        value = float.fromhex(magnitude) if magnitude[:2] == "0x" else float(magnitude)
    except OverflowError:
        raise OverflowError(OUT_OF_RANGE) from None
    if math.isinf(value):
        raise OverflowError(OUT_OF_RANGE)
    return value


def _round_to_odd(value, magnitude):
    """The double next to the exact magnitude whose last bit is odd, unless it is exact: rounding that once
    more, to single precision, is the same as rounding the magnitude once. `value` is the nearest double."""
    numerator, denominator = value.as_integer_ratio()
    exact_numerator, exact_denominator = _ratio(magnitude)
    error = exact_numerator * denominator - numerator * exact_denominator
    even = not int.from_bytes(struct.pack("<d", value), "little") & 1
    if error and even:
        return math.nextafter(value, math.inf if error > 0 else 0.0)
    return value


def _ratio(magnitude):
    """A finite magnitude as numerator and denominator."""
    if magnitude[:2] != "0x":
        from decimal import Decimal  # rarely needed; it takes any number of digits
        return Decimal(magnitude).as_integer_ratio()
    digits, _, exponent = magnitude.lower().partition("p")
    whole, _, fraction = digits.partition(".")
    significand, scale = int(whole + fraction, 16), int(exponent or 0) - 4 * len(fraction)
    return (significand << scale, 1) if scale >= 0 else (significand, 1 << -scale)


ESCAPE = re.compile(rb"""\\(?: u\{([0-9a-fA-F_]+)\} | ([0-9a-fA-F]{2}) | (.) )""", re.VERBOSE)
CONTROL = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


def decode_string(literal):
    """The bytes of a well-formed string literal, quotes included."""
    data = literal[1:-1].encode()
    return ESCAPE.sub(_unescape, data) if b"\\" in data else data


def _unescape(escape):
    scalar, byte, character = escape.groups()
    if byte:
        return bytes([int(byte, 16)])
    if scalar:
        return chr(int(scalar, 16)).encode()
    return CONTROL.get(character, character)


def decode_name(literal):
    """The text of a string literal, None where it is not UTF-8."""
    try:
        return decode_string(literal).decode()
    except UnicodeDecodeError:
        return None
