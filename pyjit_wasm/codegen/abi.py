"""Signatures in letters, "iI:f", and the LLVM types that the native calling convention passes."""
from pyjit_wasm.errors import UnsupportedError
from pyjit_wasm.runtime.layout import EXEC_ENV, THREAD
from pyjit_wasm.types import F32, F64, I32, I64, RefType

LETTER = {I32: "i", I64: "I", F32: "f", F64: "F"}
LLVM = {"i": "i32", "I": "i64", "f": "float", "F": "double", "r": "i64", "x": "i64"}
REFERENCE_KIND = {"r": 0, "x": 1}


def letter(valtype):
    if isinstance(valtype, RefType):
        return "x" if valtype.heap in ("extern", "noextern", "exn") else "r"
    try:
        return LETTER[valtype]
    except KeyError:
        raise UnsupportedError(f"{valtype} is not supported yet") from None


def signature(functype):
    """The letters of a FuncType."""
    return "".join(map(letter, functype.params)) + ":" + "".join(map(letter, functype.results))


_AS_INTEGER = {"float": "i32", "double": "i64"}
_REGISTERS = 3


def in_registers(types):
    """Whether results come back in registers; else through memory of the thread. LLVM would do the like, but not
    for tail calls."""
    return len(types) <= _REGISTERS


def result_type(types):
    """LLVM type of a function's results. Of several, floats travel as integers: a third one would come
    back in an x87 register, which quiets signalling NaNs."""
    if len(types) == 1:
        return types[0]
    return "{" + ", ".join(_AS_INTEGER.get(t, t) for t in types) + "}" if types and in_registers(types) else "void"


def _memory(f, env):
    return f.load("ptr", f.load("ptr", env, EXEC_ENV.thread), THREAD.results)


def give_back(f, types, values):
    """Write the `ret` of values of LLVM types."""
    if not in_registers(types):
        place = _memory(f, "%env")
        for index, (type, value) in enumerate(zip(types, values)):
            f.store(type, value, place, 16 * index)
        f.do("ret void")
        return
    if len(types) < 2:
        f.do(f"ret {types[0]} {values[0]}" if types else "ret void")
        return
    whole = "poison"
    for index, (type, value) in enumerate(zip(types, values)):
        if type in _AS_INTEGER:
            value = f.let(f"bitcast {type} {value} to {_AS_INTEGER[type]}")
        whole = f.let(f"insertvalue {result_type(types)} {whole}, {_AS_INTEGER.get(type, type)} {value}, {index}")
    f.do(f"ret {result_type(types)} {whole}")


def take_results(f, types, call, env="%env"):
    """Write a call (text from `call` on) made with `env`; the names of its results."""
    if not in_registers(types):
        f.do(call)
        place = _memory(f, env)
        return [f.load(type, place, 16 * index) for index, type in enumerate(types)]
    if not types:
        f.do(call)
        return []
    whole = f.let(call)
    if len(types) == 1:
        return [whole]
    values = [f.let(f"extractvalue {result_type(types)} {whole}, {index}") for index in range(len(types))]
    return [f.let(f"bitcast {_AS_INTEGER[t]} {v} to {t}") if t in _AS_INTEGER else v for t, v in zip(types, values)]
