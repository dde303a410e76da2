"""C functions as imports: ctypes and cffi function pointers and numba's compiled callbacks, recognised
by their declared C types and then called natively, with no Python in between."""
import sys

from pyjit_wasm.types import F32, F64, I32, I64, FuncType

_NUMBA = {"int32": I32, "uint32": I32, "int64": I64, "uint64": I64, "float32": F32, "float64": F64}


def c_function(thing):
    """(address, FuncType) of a C function pointer with a declared type, else None."""
    ctypes = sys.modules["ctypes"]
    if isinstance(thing, ctypes._CFuncPtr):
        return _from_ctypes(ctypes, thing)
    if type(thing).__module__ == "_cffi_backend":
        return _from_cffi(thing)
    if type(thing).__module__.startswith("numba.") and hasattr(thing, "address"):
        return thing.address, _signature(_NUMBA, [str(t) for t in thing._sig.args], str(thing._sig.return_type))
    return None


def _from_ctypes(ctypes, thing):
    if thing.argtypes is None and thing._argtypes_ is None:
        return None
    names = {getattr(ctypes, f"c_{sign}int{bits}"): (I32, I64)[bits == 64] for sign in ("", "u") for bits in (32, 64)}
    names |= {ctypes.c_float: F32, ctypes.c_double: F64}
    arguments = thing.argtypes if thing.argtypes is not None else thing._argtypes_
    address = ctypes.cast(thing, ctypes.c_void_p).value
    return address, _signature(names, arguments, thing.restype)


def _from_cffi(thing):
    import cffi

    ffi = cffi.FFI()
    kind = ffi.typeof(thing)
    if kind.kind != "function":
        return None
    names = {f"{sign}{name}": I64 if ffi.sizeof(name) == 8 else I32 for name in ("int", "long", "long long")
             for sign in ("", "unsigned ")}
    names |= {f"{sign}int{bits}_t": (I32, I64)[bits == 64] for sign in ("", "u") for bits in (32, 64)}
    names |= {"float": F32, "double": F64}
    signature = _signature(names, [a.cname for a in kind.args], kind.result.cname)
    return int(ffi.cast("uintptr_t", thing)), signature


def _signature(names, arguments, result):
    """FuncType from a table of type names, None if a type has no wasm counterpart."""
    void = result in (None, "void", "none")
    types = [names.get(a) for a in arguments] + ([] if void else [names.get(result)])
    if None in types:
        return None
    return FuncType(tuple(types[:len(arguments)]), tuple(types[len(arguments):]))
