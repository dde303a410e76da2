"""What Memory, Table and Global have in common: one object for each store object, limits from Python numbers."""
from pyjit_wasm.types import I32, I64, Limits
from pyjit_wasm.values import integer


def of_store(cls, inst):
    """The one public object of a store object."""
    found = getattr(inst, "public", None)
    if found is None:
        found = inst.public = object.__new__(cls)
        found._bind(inst)
    return found


_ADDRESS_BITS = {I32: 32, I64: 64}


def limits(min, max, unit, addr):
    """Limits from Python numbers. TypeError, or ValueError for a size no memory or table can have."""
    if addr not in _ADDRESS_BITS:
        raise ValueError(f'an address type is "i32" or "i64", not {addr!r}')
    min, max = integer(min), None if max is None else integer(max)
    for number in (min,) if max is None else (min, max):
        if not 0 <= number < 1 << _ADDRESS_BITS[addr]:
            raise ValueError(f"a size is a number of {unit} of {_ADDRESS_BITS[addr]} bits, not {number}")
    if max is not None and max < min:
        raise ValueError(f"the maximum of {max} {unit} is less than the minimum of {min}")
    return Limits(min, max)
