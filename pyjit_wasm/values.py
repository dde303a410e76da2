"""Python values and raw bits of wasm values. References go through `function` and `runtime.store`."""
from __future__ import annotations

import struct
from math import ldexp
from operator import index

from pyjit_wasm.codegen.abi import reference_kind
from pyjit_wasm.runtime.layout import SERVICE
from pyjit_wasm.runtime.services import serve
from pyjit_wasm.types import EXNREF, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, DefType, RefType, matches_heap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, Union

    Value = Union[int, float, bytes, object]  # of i32 and i64, of f32 and f64, of v128, of references
    ValueTypeName = Union[Literal["i32", "i64", "f32", "f64", "v128", "funcref", "externref", "exnref"], RefType]

_NAMED = {"i32": I32, "i64": I64, "f32": F32, "f64": F64, "v128": V128, "funcref": FUNCREF, "externref": EXTERNREF,
          "exnref": EXNREF}
_WIDTH = {I32: 32, I64: 64}
_WORD = 0xFFFFFFFFFFFFFFFF
_FLOAT = {F32: ("<f", "<I"), F64: ("<d", "<Q")}


def value_type(name):
    """The value type of a name such as "i32" or "externref"; a RefType is itself. TypeError for others."""
    found = name if isinstance(name, RefType) else _NAMED.get(name) if isinstance(name, str) else None
    if found is None:
        raise TypeError(f"a value type is one of {', '.join(_NAMED)}, not {name!r}")
    return found


def integer(value):
    """The int that a Python object with `__index__` is, asked for once; of a subclass of int the number that it holds, as its
    methods may say anything. TypeError for others."""
    return int.__index__(index(value))


def to_bits(valtype, value, holder):
    """Raw bits of a Python value; `holder` keeps what a reference refers to (see `function.to_ref`). TypeError for the wrong
    type, OverflowError if it does not fit, ValueError for a v128 that is not 16 bytes."""
    if valtype in _WIDTH:
        width, number = _WIDTH[valtype], integer(value)
        if not -1 << width - 1 <= number < 1 << width:
            raise OverflowError("integer does not fit the width")
        return number & (1 << width) - 1
    if valtype in _FLOAT:
        code, word = _FLOAT[valtype]
        return struct.unpack(word, _pack_float(code, value))[0]
    if valtype == V128:
        return int.from_bytes(_vector(value), "little")
    check_reference(valtype, value)
    return serve(SERVICE["to_ref"], value, reference_kind(valtype), holder)


def _vector(value):
    """The bytes of a v128 given as a bytes-like object. TypeError for others, ValueError unless they are 16."""
    data = bytes(memoryview(value))
    if len(data) != 16:
        raise ValueError("a v128 is 16 bytes")
    return data


def to_words(valtype, bits):
    """Raw bits as the words of the slots that a value takes."""
    return (bits & _WORD, bits >> 64) if valtype == V128 else (bits,)


def from_words(valtypes, words):
    """The raw bits of values whose words follow each other, one by one."""
    words = iter(words)
    for valtype in valtypes:
        yield next(words) | (next(words) << 64 if valtype == V128 else 0)


def check_reference(valtype, value):
    """TypeError unless a Python value may be a reference of that type: null or not, the function's type."""
    if value is None:
        if not valtype.nullable:
            raise TypeError("a non-null reference is required")
    elif isinstance(valtype.heap, DefType):
        given = getattr(value, "deftype", None)
        if given is None or not matches_heap(given, valtype.heap):
            raise TypeError(f"a function of type {valtype.heap.comp} is required")
    elif valtype.heap in ("nofunc", "noextern", "noexn"):
        raise TypeError("only None is a reference of this type")


def _pack_float(code, value):
    number = ldexp(value, 0)    # converts as a call does: asks once, lets out what that raises
    try:
        return struct.pack(code, number)
    except OverflowError:  # rounds to an f32 infinity
        return struct.pack(code, float("inf") if number > 0 else float("-inf"))


def from_bits(valtype, bits):
    """The Python value of raw bits; integers come back signed."""
    if valtype in _WIDTH:
        width = _WIDTH[valtype]
        bits &= (1 << width) - 1
        return bits - (1 << width) if bits >> width - 1 else bits
    if valtype in _FLOAT:
        code, word = _FLOAT[valtype]
        mask = 0xFFFFFFFF if valtype == F32 else 0xFFFFFFFFFFFFFFFF
        return struct.unpack(code, struct.pack(word, bits & mask))[0]
    if valtype == V128:
        return bits.to_bytes(16, "little")
    return serve(SERVICE["from_ref"], bits, reference_kind(valtype))
