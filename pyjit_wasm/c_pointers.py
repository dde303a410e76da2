"""Exported functions as C function pointers."""
import ctypes
import functools

from pyjit_wasm.codegen import native
from pyjit_wasm.runtime import freed
from pyjit_wasm.runtime.layout import CALL_SITE
from pyjit_wasm.types import F32, F64, I32, I64

C_TYPES = {I32: ctypes.c_int32, I64: ctypes.c_int64, F32: ctypes.c_float, F64: ctypes.c_double}


class CFunction:
    """A wasm function as a C function pointer, made by `Function.c_function`: also a ctypes function object of its type.

    `function` is the Function, `address` what C calls. A call that fails returns 0 to C. Its exception stays with the
    exec_env, further calls with that exec_env return 0 without running wasm, and the exception is raised

    - behind the C function, if wasm has called that as an import,
    - by the next call from Python that uses the exec_env, instead of running it,
    - by `check()`, and at the end of a `with` block of this object,
    - at once if Python itself called this object.

    A call while another thread runs the exec_env has its InUseError printed by `sys.unraisablehook`.
    """

    def check(self):
        """Raise the exception that a failed call from C left in the exec_env, if there is one."""
        error = self._env.take_pending()
        if error is not None:
            raise error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.check()

    def __repr__(self):
        return f"<C function 0x{self.address:x} of {self.function!r}>"


def c_function(function, exec_env=None):
    """See Function.c_function."""
    functype = function.type
    if len(functype.results) > 1 or not all(t in C_TYPES for t in (*functype.params, *functype.results)):
        raise TypeError(f"C has no functions of type {functype}")
    env = function._env if exec_env is None else _of_instance(exec_env, function)
    keep_gil = function._site[CALL_SITE.keep_gil // 8]
    site = freed.words(CALL_SITE.size // 8, env.address, function._inst.address, keep_gil)
    thunk = native.load_thunk(functype, ctypes.addressof(site))
    address = thunk.symbols["thunk"]
    pointer = _pointer_type(functype)(address)
    pointer.function, pointer.address, pointer._env = function, address, env
    _let_go()
    pointer._keep = _Needed(env, function, site, thunk)
    pointer.errcheck = _after_a_call
    return pointer


_in_use = []    # what calls need that go on, or have ended since the last look


class _Needed:
    """What a C function pointer needs, which stays if the pointer goes in the middle of a call."""

    def __init__(self, env, *others):
        self.env, self.others = env, others

    def __del__(self, in_use=_in_use):
        if self.env.thread:
            in_use.append((self.env, self.others))


def _let_go():
    """Of what calls have needed that have ended."""
    for needed in list(_in_use):
        if not needed[0].thread:
            _in_use.remove(needed)


def _of_instance(exec_env, function):
    from pyjit_wasm.exec_env import ExecEnv

    if not isinstance(exec_env, ExecEnv):
        raise TypeError(f"an ExecEnv is required, not {type(exec_env).__name__}")
    if exec_env._env.instance() is not function.instance:
        raise ValueError("the exec_env belongs to another instance")
    return exec_env._env


@functools.cache
def _pointer_type(functype):
    """The ctypes type, one for each type of functions."""
    result = C_TYPES[functype.results[0]] if functype.results else None
    base = ctypes.CFUNCTYPE(result, *(C_TYPES[t] for t in functype.params))
    own = {name: getattr(base, name) for name in ("_flags_", "_argtypes_", "_restype_")}
    return type("CFunction", (CFunction, base), own | {"__doc__": CFunction.__doc__})


def _after_a_call(result, pointer, _):
    """Python called the pointer by ctypes."""
    pointer.check()
    return result
