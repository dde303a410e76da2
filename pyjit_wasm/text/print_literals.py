"""Numbers, strings and identifiers to text that reads back as exactly the same (spec 6.3)."""
import functools
import re
import struct

from pyjit_wasm.text import literals
from pyjit_wasm.text.lexer import IDCHAR

PLAIN_IDENTIFIER = re.compile(f"{IDCHAR}+")
MOST_DIGITS = 9     # that a single-precision float may need

ESCAPES = {"\t": r"\t", "\n": r"\n", "\r": r"\r", '"': r"\"", "\\": r"\\"}
BYTES = [ESCAPES.get(chr(byte)) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:02x}") for byte in range(256)]


@functools.lru_cache(4096)
def floating(bits, width):
    """A float of these bits: the shortest decimal, `inf` or `nan`, with its payload unless it is canonical."""
    sign = "-" if bits >> width - 1 else ""
    return sign + _magnitude(bits & (1 << width - 1) - 1, width)


def _magnitude(bits, width):
    infinity = literals.floating("inf", width)
    if bits < infinity:
        return _single(bits) if width == 32 else repr(struct.unpack("<d", bits.to_bytes(8, "little"))[0])
    for keyword in ("inf", "nan"):
        if bits == literals.floating(keyword, width):
            return keyword
    return f"nan:{bits - infinity:#x}"


def _single(bits):
    value, = struct.unpack("<f", bits.to_bytes(4, "little"))
    decimals = (f"{value:.{digits}g}" for digits in range(6, MOST_DIGITS + 1))
    return next(text for text in decimals if literals.floating(text, 32) == bits)


def string(data):
    """Any bytes as a string literal in ASCII."""
    return f'"{"".join([BYTES[byte] for byte in data])}"'


def name(text):
    """A name as a string literal: characters that can be seen stay."""
    return f'"{"".join([_character(character) for character in text])}"'


def _character(character):
    if character in ESCAPES or not character.isprintable():
        return "".join([BYTES[byte] for byte in character.encode()])
    return character


def identifier(text):
    """A name that is not empty as an identifier."""
    return "$" + (text if PLAIN_IDENTIFIER.fullmatch(text) else name(text))


def printable(text):
    """The text for a terminal: as it is, unless it has control characters; then as in a Python string."""
    return text if text.isprintable() else repr(text)[1:-1]
