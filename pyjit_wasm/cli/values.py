"""Arguments and results of `run --invoke`."""
from ..types import V128
from .options import CommandError

_BITS = {"i32": 32, "i64": 64}


def _integer(text, valtype):
    value, bits = int(text, 0), _BITS[valtype]
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise ValueError
    return value


def _float(text, valtype):
    return float.fromhex(text) if "0x" in text.lower() else float(text)


def _vector(text, valtype):
    data = bytes.fromhex(text)
    if len(data) != 16:
        raise ValueError
    return data


def _null(text, valtype):
    if text != "null":
        raise ValueError
    return None


_PARSERS = {"i32": _integer, "i64": _integer, "f32": _float, "f64": _float, "v128": _vector}


def parse_arguments(texts, params):
    """The values of `texts` for parameters of the types `params`; a vector is 32 hexadecimal digits, the first
    byte first, a reference can only be `null`. Integers may be signed or unsigned. Raises CommandError."""
    if len(texts) != len(params):
        raise CommandError(f"the function takes {len(params)} arguments, not {len(texts)}")
    return [_argument(position, text, valtype) for position, (text, valtype) in enumerate(zip(texts, params), 1)]


def _argument(position, text, valtype):
    try:
        return _PARSERS.get(valtype, _null)(text, valtype)
    except (ValueError, OverflowError):
        article = "a" if valtype == V128 else "an"
        raise CommandError(f"argument {position}: {text!r} is not {article} {valtype}") from None


def format_results(value, results):
    """One text per result type: integers signed, floats as Python's repr, vectors as they are given, null or the
    reference."""
    values = {0: (), 1: (value,)}.get(len(results), value)
    return ["null" if item is None else item.hex() if isinstance(item, bytes) else repr(item) for item in values]
