"""C functions as imports: ctypes and cffi function pointers, functions of compiled cffi libraries, and numba's compiled
functions, recognised by their declared types and then called natively, with no Python in between."""
import sys
from types import BuiltinFunctionType

from pyjit_wasm.c_pointers import CFunction
from pyjit_wasm.types import F32, F64, I32, I64, FuncType

_INTEGER = {4: I32, 8: I64}  # by size; C passes nothing narrower as it is


def c_function(thing, functype):
    """(address, FuncType) of a C function that an import of a FuncType may be linked to, None where `thing` has to be
    called as a Python object: without declared types, or with types that wasm does not have.

    Raises TypeError for what has no address or cannot be compiled for the import, with a text for people."""
    ctypes, module = sys.modules["ctypes"], str(type(thing).__module__)
    if module.startswith("numba."):
        from pyjit_wasm import numba_imports

        return numba_imports.c_function(thing, functype)
    found = None
    if isinstance(thing, ctypes._CFuncPtr):
        found = _from_ctypes(ctypes, thing)
    elif module == "_cffi_backend":
        found = _from_cffi(thing)
    elif isinstance(thing, BuiltinFunctionType) and _is_library(thing.__self__):
        found = _from_cffi(_cffi().addressof(thing.__self__, thing.__name__))
    if found is not None and not found[0]:
        raise TypeError("a null pointer given")
    if found is not None and len(functype.results) > 1:
        raise TypeError(f"{functype} wanted, but a C function has one result at most")
    return found


def signature(params, results):
    """FuncType of value types, None if one of them is None."""
    return None if None in (*params, *results) else FuncType(tuple(params), tuple(results))


def _pointer(address, functype):
    return None if functype is None else (address, functype)


# the letters ctypes has for integers and pointers of any size; what needs ctypes' own work around a call
_CTYPES_LETTERS = dict.fromkeys("iIlLqQPzZ", _INTEGER.get) | {"f": lambda _: F32, "d": lambda _: F64}
_NEEDS_GIL, _USES_ERRNO = 4, 8  # _FUNCFLAG_PYTHONAPI, _FUNCFLAG_USE_ERRNO


def _from_ctypes(ctypes, thing):
    own_work = thing.errcheck is not None and not isinstance(thing, CFunction)
    if thing.argtypes is None or own_work or thing._flags_ & (_NEEDS_GIL | _USES_ERRNO):
        return None
    results = [] if thing.restype is None else [_ctypes_type(ctypes, thing.restype)]
    functype = signature([_ctypes_type(ctypes, t) for t in thing.argtypes], results)
    return _pointer(ctypes.cast(thing, ctypes.c_void_p).value, functype)


def _ctypes_type(ctypes, kind):
    if not isinstance(kind, type):
        return None  # a converter
    if issubclass(kind, (ctypes._Pointer, ctypes._CFuncPtr)):
        return I64
    letter = kind._type_ if issubclass(kind, ctypes._SimpleCData) else None
    return _CTYPES_LETTERS[letter](ctypes.sizeof(kind)) if letter in _CTYPES_LETTERS else None


_CFFI_FLOATS = {"float": F32, "double": F64}
_CFFI_OTHERS = ("long double", "float _Complex", "double _Complex")


def _cffi():
    return sys.modules["_cffi_backend"].FFI()


def _is_library(thing):
    return type(thing).__module__ == "_cffi_backend" and type(thing).__name__ == "Lib"


def _from_cffi(thing):
    ffi = _cffi()
    kind = ffi.typeof(thing)
    if kind.kind != "function" or kind.ellipsis:
        return None
    results = [] if kind.result.kind == "void" else [_cffi_type(ffi, kind.result)]
    functype = signature([_cffi_type(ffi, a) for a in kind.args], results)
    return _pointer(int(ffi.cast("uintptr_t", thing)), functype)


def _cffi_type(ffi, kind):
    if kind.cname in _CFFI_OTHERS or kind.kind not in ("primitive", "enum", "pointer", "function"):
        return None
    return _CFFI_FLOATS.get(kind.cname) or _INTEGER.get(8 if kind.kind == "function" else ffi.sizeof(kind))
