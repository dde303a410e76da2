"""Trampolines of one signature for callers in C: numbers only, one result at most.

  c_enter      C to wasm: a C function of the signature whose CALL_SITE is in the static chain register. After a failure it
               returns zero, and the exception is pending (`codegen.pending`); while one is, it returns zero at once
  njit_enter   the same for numba: `(CALL_SITE *, results, parameters...) -> i32`, not 0 with a Python exception set

A *thunk* is what a C function pointer points to: it puts one CALL_SITE into the register and goes on in `c_enter`.
"""
from pyjit_wasm.codegen.entries import GIL_STATE, Entry
from pyjit_wasm.codegen.signatures import Signature
from pyjit_wasm.codegen.support import DECLARATIONS, INTERFACE
from pyjit_wasm.codegen.text import COLD, Function
from pyjit_wasm.runtime.layout import EXEC_ENV

_DECLARATIONS = """
declare void @rt_keep_error(ptr) nounwind
declare ptr @PyEval_GetFrame() nounwind
"""
_ZERO = {"i32": "0", "i64": "0", "float": "0.0", "double": "0.0"}


def _parameters(s):
    return "".join(f", {t} {name}" for t, name in zip(s.types, s.names))


def _run(f, s, entry):
    results = entry.run(lambda: s.call(f, entry.func, entry.env, s.names), s.result_types)
    entry.close()
    return results


def c_enter(s):
    result = s.result_types[0] if s.results else "void"
    f = Function(result, "c_enter", "ptr nest %site" + _parameters(s))
    entry = Entry(f, "%site", from_c=True)
    f.unlikely(f.let(f"icmp ne i64 {f.load('i64', entry.env, EXEC_ENV.pending)}, 0"), "nothing")
    entry.open()
    results = _run(f, s, entry)
    f.do(f"ret {result} {results[0]}" if results else "ret void")
    entry.failures()
    f.label("failed")
    f.do(f"call void @rt_keep_error(ptr {entry.env})")
    entry.release()
    f.do("br label %nothing")
    f.label("nothing")
    f.do(f"ret {result} {_ZERO[result]}" if results else "ret void")
    return str(f)


def njit_enter(s):
    """Where no Python code called the thread, as in numba's own threads, nobody could take the exception: it is kept."""
    f = Function("i32", "njit_enter", "ptr %site, ptr %results" + _parameters(s))
    entry = Entry(f, "%site", from_c=True)
    entry.open()
    for i, (type, value) in enumerate(zip(s.result_types, _run(f, s, entry))):
        f.store(type, value, "%results", 8 * i)
    f.do("ret i32 0")
    entry.failures()
    f.label("failed")
    f.branch(f.let(f"icmp eq ptr {f.let('call ptr @PyEval_GetFrame()')}, null"), "keep", "set")
    f.label("keep")
    f.do(f"call void @rt_keep_error(ptr {entry.env})")
    f.do("br label %set")
    f.label("set")
    entry.release()
    f.do("ret i32 1")
    return str(f)


def thunk(letters):
    """IR text of a thunk; `site` and `target` are for the loader to fill in."""
    s = Signature(letters)
    result = s.result_types[0] if s.results else "void"
    f = Function(result, "thunk", _parameters(s)[2:], "nounwind")
    call = f"tail call {result} @target(ptr nest @site{_parameters(s)})"
    if s.results:
        f.do(f"ret {result} {f.let(call)}")
    else:
        f.do(call)
        f.do("ret void")
    types = "".join(f", {t}" for t in s.types)
    return f"@site = external global i8\ndeclare {result} @target(ptr nest{types}) nounwind\n{f}"


def source(letters):
    """IR text of the trampolines of one signature. `c_enter` is left out where there are several results."""
    s = Signature(letters)
    functions = [njit_enter(s)] + [c_enter(s)] * (len(s.results) < 2)
    return "".join((DECLARATIONS, INTERFACE, GIL_STATE, _DECLARATIONS, COLD, *functions))
