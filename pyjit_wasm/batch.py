"""A numpy.ufunc of a Function: NumPy broadcasts, casts and checks, one native loop calls wasm."""
import ctypes
import gc
import itertools

import numpy

from pyjit_wasm import config
from pyjit_wasm.codegen import abi, native
from pyjit_wasm.errors import InternalError
from pyjit_wasm.runtime import freed
from pyjit_wasm.runtime.layout import BATCH

# the loops of a ufunc, in the order in which NumPy tries them
_TYPES = {"i": ("int32", "uint32"), "I": ("int64", "uint64"), "f": ("float32", "float32"), "F": ("float64", "float64")}
_NEVER = 1 << 62

# numpy/ufuncobject.h: the C API's table, the constant, and the object's fields up to what it keeps alive
_FROM_FUNC_AND_DATA, _NO_IDENTITY = 1, -1


class _UFuncObject(ctypes.Structure):
    _fields_ = [("head", ctypes.c_char * object.__basicsize__), ("nin", ctypes.c_int), ("nout", ctypes.c_int),
                ("nargs", ctypes.c_int), ("identity", ctypes.c_int), ("functions", ctypes.c_void_p),
                ("data", ctypes.c_void_p), ("ntypes", ctypes.c_int), ("reserved", ctypes.c_int),
                ("name", ctypes.c_void_p), ("types", ctypes.c_void_p), ("doc", ctypes.c_void_p),
                ("ptr", ctypes.c_void_p), ("obj", ctypes.c_void_p)]


def ufunc(function):
    """The numpy.ufunc of a Function, which it keeps alive. TypeError if it has no parameters or no results, or others
    than numbers; ValueError for more than NumPy takes."""
    params, results = abi.signature(function.type).split(":")
    for what, letters in (("parameters", params), ("results", results)):
        if not letters:
            raise TypeError(f"{function.name} has no {what}: arrays need both parameters and results")
        if not set(letters) <= set(_TYPES):
            raise TypeError(f"{function.name} has {what} that are not numbers: {function.type}")
    site = _site(function)
    loops = dict.fromkeys(tuple(_TYPES[c][sign] for c in params + results) for sign in ((0, 1) if set(params) & set("iI")
                                                                                        else (0,)))
    types = bytes(numpy.dtype(name).num for name in itertools.chain(*loops))
    arrays = _pointers(native.batch(function.type).loop, len(loops)), _pointers(ctypes.addressof(site), len(loops))
    texts = [ctypes.create_string_buffer(text) for text in (
        types, function.name.encode(), f"The WebAssembly function {function.name}: {function.type}.".encode())]
    made = _from_func_and_data(*arrays, texts[0], len(loops), len(params), len(results), _NO_IDENTITY, *texts[1:], 0)
    _keep(made, (function, site, arrays, texts), texts[1])
    return made


def _site(function):
    """The BATCH of a Function, as ctypes words."""
    own = function.instance is not None
    left = config.BATCH_ELEMENTS if own else _NEVER  # a host function is not compiled
    site = freed.words(BATCH.size // 8, *function._site, 0, left)
    if own:
        function.instance.batches[ctypes.addressof(site)] = site
    return site


def _pointers(address, count):
    return (ctypes.c_void_p * count)(*[address] * count)


def _from_func_and_data(*arguments):
    """PyUFunc_FromFuncAndData of NumPy's C API, found when it is first called."""
    global _from_func_and_data
    core = getattr(numpy, "_core", None) or numpy.core
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = get_pointer(core._multiarray_umath._UFUNC_API, None)
    address = ctypes.c_void_p.from_address(table + 8 * _FROM_FUNC_AND_DATA).value
    pointer, number = ctypes.c_void_p, ctypes.c_int
    _from_func_and_data = ctypes.PYFUNCTYPE(ctypes.py_object, pointer, pointer, pointer, number, number, number, number,
                                            pointer, pointer, number)(address)
    return _from_func_and_data(*arguments)


def _keep(made, things, name):
    """Tie the life of `things` to a ufunc's, as numpy.frompyfunc does; cycles through it can be collected."""
    fields = _UFuncObject.from_address(id(made))
    if fields.name != ctypes.addressof(name) or fields.obj is not None:
        raise InternalError("this NumPy's ufuncs have another layout")
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(things))
    fields.obj = id(things)
    if not gc.is_tracked(made):
        ctypes.pythonapi.PyObject_GC_Track(ctypes.py_object(made))
