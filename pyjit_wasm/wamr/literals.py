"""Arguments as text and results as text, as `wasm_application_execute_func` reads and prints them.

Numbers are read by the C library's own functions, as there: integers in base 0 and modulo their width (`strtoul`), floats
with `nan:0x...`, whose number is the significand.
"""
import ctypes
import math
import struct

from pyjit_wasm.runtime.libc import libc
from pyjit_wasm.types import F32, F64, I32, I64, V128, RefType, heap_top
from pyjit_wasm.values import check_reference

_SIGNIFICAND = {F32: 23, F64: 52}
_WIDTH = {I32: 32, I64: 64, F32: 32, F64: 64}
_PACKED = {F32: ("<f", "<I"), F64: ("<d", "<Q")}

_strtoull, _strtof, _strtod = libc.strtoull, libc.strtof, libc.strtod
for _function, _result, _base in ((_strtoull, ctypes.c_uint64, [ctypes.c_int]), (_strtof, ctypes.c_float, []),
                                  (_strtod, ctypes.c_double, [])):
    _function.restype, _function.argtypes = _result, [ctypes.c_void_p, ctypes.c_void_p, *_base]


class _Cursor:
    """Reads numbers from the bytes of an argument, one behind the other. `rest`: what has not been read."""

    def __init__(self, text):
        self._data = text.encode(errors="surrogateescape")
        self._buffer = ctypes.create_string_buffer(self._data)
        self._end = ctypes.c_void_p(ctypes.addressof(self._buffer))

    def read(self, function, *base):
        return function(self._end, ctypes.byref(self._end), *base)

    def skip(self, count):
        self._end.value += count

    @property
    def rest(self):
        return self._data[self._end.value - ctypes.addressof(self._buffer):]


def parse(text, valtype, module_inst):
    """An argument for `Function.call_bits`. ValueError for what is none. A function is its index, another reference its
    number, both may be `null`."""
    if isinstance(valtype, RefType):
        try:
            value = _reference(text, valtype, module_inst)
            check_reference(valtype, value)
        except (KeyError, TypeError) as error:
            raise ValueError(str(error)) from error
        return value
    cursor = _Cursor(text)
    if valtype == V128:
        bits = _vector(cursor)
    elif valtype in _SIGNIFICAND:
        bits = _float(cursor, text, valtype)
    else:
        bits = cursor.read(_strtoull, 0) & (1 << _WIDTH[valtype]) - 1
    _require_end(cursor)
    return bits


def _require_end(cursor):
    if cursor.rest and not cursor.rest.startswith(b"_"):    # what follows `_` is a comment
        raise ValueError(cursor.rest)


def _float(cursor, text, valtype):
    value = cursor.read(_strtof if valtype == F32 else _strtod)
    pack, word = _PACKED[valtype]
    bits, = struct.unpack(word, struct.pack(pack, value))
    if math.isnan(value):
        sign, size = 1 << _WIDTH[valtype] - 1, _SIGNIFICAND[valtype]
        bits = bits | sign if text.startswith("-") else bits
        if cursor.rest.startswith(b":"):
            cursor.skip(1)
            bits = bits >> size << size | cursor.read(_strtoull, 0) & (1 << size) - 1
    return bits


def _vector(cursor):
    """Two integers of 64 bits, the low one first, and one byte between them."""
    low = cursor.read(_strtoull, 0)
    if not cursor.rest:
        raise ValueError("a vector is two integers")
    cursor.skip(1)
    return struct.pack("<2Q", low, cursor.read(_strtoull, 0))


def _reference(text, valtype, module_inst):
    """The reference; KeyError if there is no such function."""
    if text[:4] in ("null", "NULL"):
        return None
    cursor = _Cursor(text)
    number = cursor.read(_strtoull, 0)
    _require_end(cursor)
    return module_inst.function(number) if heap_top(valtype.heap) == "func" else number


def write(value, valtype):
    """The text of a result of `Function.call_bits`."""
    if isinstance(valtype, RefType):
        return _format_reference(value, valtype)
    if valtype == V128:
        return "<0x{:016x} 0x{:016x}>:v128".format(*struct.unpack("<2Q", value))
    if valtype in (I32, I64):
        return f"0x{value:x}:{valtype}"
    pack, word = _PACKED[valtype]
    number, = struct.unpack(pack, struct.pack(word, value))
    sign = "-" if math.isnan(number) and value >> _WIDTH[valtype] - 1 else ""   # as printf shows it
    return f"{sign}{number:.7g}:{valtype}"


def _format_reference(value, valtype):
    if heap_top(valtype.heap) == "func":
        return "func:ref.null" if value is None else f"{value.index}:ref.func"
    return "extern:ref.null" if value is None else f"{value if isinstance(value, int) else id(value):#x}:ref.extern"
