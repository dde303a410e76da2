"""Signatures in letters, "iI:f", and how the native calling convention passes values.

Functions take (nest FUNC *, exec_env *, INSTANCE *, parameters...). Parameters and results are in registers as far as
there are any; the rest goes through memory of the thread, `THREAD.overflow`. So no function has parameters on the
machine stack, and any can take any other's place in a tail call (LLVM 22 loses stack arguments of `musttail`).
"""
from pyjit_wasm.codegen.text import VECTOR, alignment
from pyjit_wasm.runtime.layout import EXEC_ENV, THREAD
from pyjit_wasm.types import F32, F64, I32, I64, V128, RefType

NATIVE = "tailcc"
HANDLER_PARAMS = "ptr %ip, ptr %fp, ptr %mem, ptr %env, ptr %inst, ptr %x"
BUFFER_VIEW = 80, 0, 16  # Py_buffer: size, offsets of buf and len

LETTER = {I32: "i", I64: "I", F32: "f", F64: "F", V128: "v"}
LLVM = {"i": "i32", "I": "i64", "f": "float", "F": "double", "v": VECTOR}
STATUS = "i64"  # of functions of modules with exceptions, behind the results: 0, or the EXN that is thrown
# references to functions, to external things, to exceptions: nullable and of any type, or with something to check
FUNCTIONS, EXTERNALS, EXCEPTIONS = range(3)
REFERENCE_KIND = {"r": FUNCTIONS, "t": FUNCTIONS, "x": EXTERNALS, "y": EXTERNALS, "e": EXCEPTIONS, "z": EXCEPTIONS}
CHECKED = "tyz"
_REFERENCE = ("rt", "xy", "ez")
LLVM |= {letter: "i64" for letter in REFERENCE_KIND}

# the WASI functions of `codegen.wasi_calls`
WASI = {"fd_read": "iiii:i", "fd_write": "iiii:i", "clock_time_get": "iIi:i", "random_get": "ii:i"}


def keeps_references(letters):
    """Whether a signature has references to what `runtime.collector` may free."""
    return any(REFERENCE_KIND.get(letter, EXTERNALS) != EXTERNALS for letter in letters)


def reference_kind(valtype):
    """FUNCTIONS, EXTERNALS or EXCEPTIONS."""
    return _KIND.get(valtype.heap, FUNCTIONS)


_KIND = {"extern": EXTERNALS, "noextern": EXTERNALS, "exn": EXCEPTIONS, "noexn": EXCEPTIONS}


def letter(valtype):
    if isinstance(valtype, RefType):
        checked = not valtype.nullable or valtype.heap not in ("func", "extern", "exn")
        return _REFERENCE[reference_kind(valtype)][checked]
    return LETTER[valtype]


def signature(functype):
    """The letters of a FuncType."""
    return "".join(map(letter, functype.params)) + ":" + "".join(map(letter, functype.results))


def layout(types):
    """Values of LLVM types one after the other in slots of a frame, or in cells: [byte offset of each], size."""
    offsets, size = [], 0
    for type in types:
        offsets.append(size)
        size += 16 if type == VECTOR else 8
    return offsets, size


_AS_INTEGER = {"float": "i32", "double": "i64"}
_INTEGERS, _FLOATS, _RESULTS = 4, 8, 3  # registers for parameters (floats and vectors share theirs), for results


def overflow(f, env):
    """The memory of the thread that runs an exec_env for what does not fit registers."""
    return f.load("ptr", f.load("ptr", env, EXEC_ENV.thread), THREAD.overflow)


def split(types):
    """(indices of the parameters in registers, of those in memory)."""
    left, places = [_INTEGERS, _FLOATS], ([], [])
    for index, type in enumerate(types):
        kind = type not in ("i32", "i64")
        left[kind] -= 1
        places[left[kind] < 0].append(index)
    return places


def all_registers():
    """LLVM types of all registers that parameters may be in."""
    return ["i64"] * _INTEGERS + [VECTOR] * _FLOATS


def formal(types):
    """Text of the parameters in registers, after others: `%a<index>`."""
    return "".join(f", {types[i]} %a{i}" for i in split(types)[0])


def take_parameters(f, types):
    """At a function's start: define the `%a<index>` that come through memory."""
    memory = split(types)[1]
    place = overflow(f, "%env") if memory else None
    for index in memory:
        f.do(f"%a{index} = load {types[index]}, ptr {f.at(place, 16 * index)}{alignment(types[index])}")


def pass_arguments(f, types, values, env="%env"):
    """Before a call: put arguments into memory; text of those in registers, after others."""
    registers, memory = split(types)
    place = overflow(f, env) if memory else None
    for index in memory:
        f.store(types[index], values[index], place, 16 * index)
    return "".join(f", {types[i]} {values[i]}" for i in registers)


def in_registers(types):
    """Whether results come back in registers."""
    return len(types) <= _RESULTS


def result_type(types):
    """LLVM type of a function's results. Of several, floats travel as integers: a third one would come
    back in an x87 register, which quiets signalling NaNs."""
    if len(types) == 1:
        return types[0]
    return "{" + ", ".join(_AS_INTEGER.get(t, t) for t in types) + "}" if types and in_registers(types) else "void"


def give_back(f, types, values):
    """Write the `ret` of values of LLVM types."""
    if not in_registers(types):
        place = overflow(f, "%env")
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
        place = overflow(f, env)
        return [f.load(type, place, 16 * index) for index, type in enumerate(types)]
    if not types:
        f.do(call)
        return []
    whole = f.let(call)
    if len(types) == 1:
        return [whole]
    values = [f.let(f"extractvalue {result_type(types)} {whole}, {index}") for index in range(len(types))]
    return [f.let(f"bitcast {_AS_INTEGER[t]} {v} to {t}") if t in _AS_INTEGER else v for t, v in zip(types, values)]
