"""Calls with arguments and results in 32-bit cells, as WAMR passes them (wasm_runtime_call_wasm)."""
import ctypes

from pyjit_wasm.types import F32, F64, I32, I64, V128
from pyjit_wasm.values import integer

_CELLS = {I32: 1, F32: 1, I64: 2, F64: 2, V128: 4}
_MASK = 0xFFFFFFFF


def count(valtypes):
    """How many cells values take; a reference one."""
    return sum(_CELLS.get(valtype, 1) for valtype in valtypes)


def call(function, cells):
    """Call a Function; see `ExecEnv.call_cells`."""
    params, results = function.type.params, function.type.results
    view = cells if isinstance(cells, list) else _view(cells)
    if len(view) < count(params):
        raise too_few(len(view), params)
    if view is not cells and len(view) < count(results):
        raise ValueError(f"the results take {count(results)} cells, not {len(view)}")
    found = function.call_bits(list(_values(params, view)))
    written = [cell for valtype, value in zip(results, found) for cell in _cells(valtype, value)]
    view[:len(written)] = written


def too_few(given, params):
    """The error for fewer cells than parameters take."""
    return TypeError(f"invalid argument count {given}, must be no smaller than {count(params)}")


def _view(buffer):
    """The cells of a buffer, without a copy."""
    if not isinstance(buffer, memoryview):
        buffer = memoryview(buffer)
    if buffer.nbytes % 4:
        raise ValueError(f"cells are of 4 bytes, and {buffer.nbytes} bytes are no whole number of them")
    return (ctypes.c_uint32 * (buffer.nbytes // 4)).from_buffer(buffer)


def _values(valtypes, cells):
    """Arguments for `Function.call_bits`."""
    place = 0
    for valtype in valtypes:
        size = _CELLS.get(valtype)
        if size is None:
            yield _reference(cells, place)
        else:
            bits = sum(_cell(cells[place + i]) << 32 * i for i in range(size))
            yield bits.to_bytes(16, "little") if valtype == V128 else bits
        place += size or 1


def _reference(cells, place):
    if not isinstance(cells, list):
        raise TypeError("references take cells of a list")
    return cells[place]


def _cell(number):
    number = integer(number)
    if not -1 << 31 <= number <= _MASK:
        raise OverflowError(f"a cell has 32 bits: {number}")
    return number & _MASK


def _cells(valtype, value):
    """The cells of one result of `call_bits`."""
    size = _CELLS.get(valtype)
    if size is None:
        return [value]
    bits = int.from_bytes(value, "little") if valtype == V128 else value
    return [bits >> 32 * i & _MASK for i in range(size)]
