"""Values in test scripts: arguments of actions and patterns of results.

Values are raw: numbers are their bits as unsigned integers, vectors 16 bytes, references Python objects
(None for null, `HostReference` for `ref.extern n`).
"""
from pyjit_wasm.binary.encode import HEAP_TYPES
from pyjit_wasm.text import literals
from pyjit_wasm.text.immediates import constant, lanes, pack


class HostReference:
    """The reference `ref.extern number` of a script."""

    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return isinstance(other, HostReference) and self.number == other.number

    def __hash__(self):
        return hash(self.number)

    def __repr__(self):
        return f"(ref.extern {self.number})"


class Bits:
    """Pattern of a result, like the following classes: `matches` tells whether a raw value fits.

    A number or vector whose bits under `mask` are those of `value`.
    """

    __slots__ = ("width", "mask", "value")

    def __init__(self, width, mask, value):
        self.width, self.mask, self.value = width, mask, value

    def matches(self, raw):
        if isinstance(raw, bytes):
            raw = int.from_bytes(raw, "little")
        return isinstance(raw, int) and raw & self.mask == self.value

    def __repr__(self):
        digits = self.width // 4
        exact = self.mask == (1 << self.width) - 1
        return f"{self.value:#0{digits + 2}x}" + ("" if exact else f" under {self.mask:#0{digits + 2}x}")


class Null:
    """A null reference."""

    def matches(self, raw):
        return raw is None

    def __repr__(self):
        return "(ref.null)"


class Reference:
    """A reference of some kind that is not null, or one particular host reference."""

    __slots__ = ("keyword", "host")

    def __init__(self, keyword, host=None):
        self.keyword, self.host = keyword, host

    def matches(self, raw):
        if self.host is not None:
            return raw == self.host
        return raw is not None and callable(raw) == (self.keyword == "ref.func")

    def __repr__(self):
        return repr(self.host) if self.host else f"({self.keyword})"


class Either:
    """Any of several patterns."""

    __slots__ = ("patterns",)

    def __init__(self, patterns):
        self.patterns = patterns

    def matches(self, raw):
        return any(pattern.matches(raw) for pattern in self.patterns)

    def __repr__(self):
        return f"either of {self.patterns}"


_NUMBERS = {"i32.const": (literals.integer, 32), "i64.const": (literals.integer, 64),
            "f32.const": (literals.floating, 32), "f64.const": (literals.floating, 64)}
_HOST_REFERENCES = ("ref.extern", "ref.host")                   # with a number
_REFERENCES = ("ref.extern", "ref.func", "ref.i31", "ref.struct", "ref.array", "ref.eq", "ref.any", "ref.exn")


def value(tokens):
    """An argument: a constant."""
    tokens.expect("(")
    keyword = tokens.peek()
    if keyword in _NUMBERS:
        tokens.next()
        raw = constant(tokens, *_NUMBERS[keyword])
    elif tokens.take("v128.const"):
        raw = pack(*lanes(tokens, constant)).to_bytes(16, "little")
    elif tokens.take("ref.null"):
        heap_type(tokens)
        raw = None
    elif keyword in _HOST_REFERENCES:
        tokens.next()
        raw = HostReference(tokens.natural())
    else:
        raise tokens.unexpected()
    tokens.close()
    return raw


def heap_type(tokens):
    """Step over a heap type: all nulls are alike."""
    if tokens.peek() not in HEAP_TYPES:
        tokens.natural()
        return
    tokens.next()


def patterns(tokens):
    """Patterns of results up to a closing parenthesis."""
    while tokens.peek() != ")":
        tokens.expect("(")
        yield pattern(tokens)
        tokens.close()


def pattern(tokens):
    keyword = tokens.peek()
    if keyword in _NUMBERS:
        tokens.next()
        parse_number, width = _NUMBERS[keyword]
        return Bits(width, *masked(tokens, parse_number, width))
    if keyword in _HOST_REFERENCES and tokens.peek(1) != ")":
        tokens.next()
        return Reference(keyword, HostReference(tokens.natural()))
    if keyword in _REFERENCES:
        tokens.next()
        return Reference(keyword)
    if tokens.take("v128.const"):
        width, pairs = lanes(tokens, masked)
        masks, values = zip(*pairs)
        return Bits(128, pack(width, masks), pack(width, values))
    if tokens.take("ref.null"):
        if tokens.peek() != ")":
            heap_type(tokens)
        return Null()
    if tokens.take("either"):
        return Either(list(patterns(tokens)))
    raise tokens.unexpected()


def masked(tokens, parse_number, width):
    """(mask, value) of a literal, of `nan:canonical` (any sign) or `nan:arithmetic` (any sign and payload)."""
    if parse_number is not literals.floating or tokens.peek() not in ("nan:canonical", "nan:arithmetic"):
        return (1 << width) - 1, constant(tokens, parse_number, width)
    nan = literals.floating("nan", width)
    return ((1 << width - 1) - 1 if tokens.next() == "nan:canonical" else nan), nan
