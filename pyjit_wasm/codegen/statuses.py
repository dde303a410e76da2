"""Trampolines of one signature for modules with exceptions.

Functions of such modules return a status behind their results: 0, or the exception that is thrown. Where they meet the
others there are adapters: exceptions go through frames of modules without exceptions as Python exceptions do, by
longjmp to the entry or to the nearest `catching`.

  throwing     native code of a module without exceptions calls a function that returns a status
  catching     the other way round: `_setjmp` marks where an exception comes back to
  to_interp, tail_native, call_native    as in `codegen.tiers`, with a status
"""
from pyjit_wasm.codegen.python_calls import call_python, new_integers
from pyjit_wasm.codegen.signatures import EXTERNAL, Signature, is_large
from pyjit_wasm.codegen.support import DECLARATIONS, INTERFACE, take_gil
from pyjit_wasm.codegen.text import COLD
from pyjit_wasm.codegen.tiers import between_tiers
from pyjit_wasm.runtime.layout import EXEC_ENV, PYTHON_EXCEPTION, RUNTIME, SERVICE

_PYTHON = """
@exit_code = external constant ptr
@unwind_code = external constant ptr
declare void @PyErr_Fetch(ptr, ptr, ptr) nounwind
declare void @PyErr_Restore(ptr, ptr, ptr) nounwind
declare void @PyErr_NormalizeException(ptr, ptr, ptr) nounwind
declare void @rt_leave(ptr, i64) noreturn nounwind
"""
_SAVED = (EXEC_ENV.jmp, EXEC_ENV.top, EXEC_ENV.exit_fp, EXEC_ENV.activation, EXEC_ENV.frame)


def throwing(plain, s):
    f = plain.native("throwing")
    values = s.call(f, "%func", "%env", s.names)
    status = s.status_of(f, values)
    f.unlikely(f.let(f"icmp ne i64 {status}, 0"), "thrown")
    plain.give_back(f, s.without_status(values))
    f.label("thrown")
    f.store("i64", status, "%env", EXEC_ENV.exception)
    f.do("call void @rt_throw(ptr %env)")
    f.do("unreachable")
    return str(f)


def catching(plain, s):
    f = s.native("catching")
    jmp = f.let("alloca [40 x i64], align 16")
    saved = [f.load("i64", "%env", offset) for offset in _SAVED]
    tstate = f.load("ptr", "%env", EXEC_ENV.tstate)
    f.store("ptr", jmp, "%env", EXEC_ENV.jmp)
    landed = f.let(f"call i32 @_setjmp(ptr {jmp}) returns_twice")
    f.unlikely(f.let(f"icmp ne i32 {landed}, 0"), "landed")
    values = plain.call(f, "%func", "%env", s.names)
    f.store("i64", saved[0], "%env", EXEC_ENV.jmp)
    s.give_back(f, values)
    f.label("landed")
    for offset, value in zip(_SAVED, saved):
        f.store("i64", value, "%env", offset)
    status = f.load("i64", "%env", EXEC_ENV.status)
    f.branch(f.let(f"icmp eq i64 {status}, {PYTHON_EXCEPTION}"), "python", "trap")
    f.label("trap")
    f.do(f"call void @rt_leave(ptr %env, i64 {status})")
    f.do("unreachable")
    f.label("python")
    take_gil(f)
    error, exn = _take_error(f)
    f.branch(f.let(f"icmp eq i64 {exn}, 0"), "not_caught", "caught")
    f.label("not_caught")
    f.do("call void @PyErr_Restore(ptr {}, ptr {}, ptr {})".format(*(f.load("ptr", error, 8 * i) for i in range(3))))
    f.do("call void @rt_unwind(ptr %env)")
    f.do("unreachable")
    f.label("caught")
    for i in range(3):
        f.do(f"call void @Py_DecRef(ptr {f.load('ptr', error, 8 * i)})")
    f.branch(f.let(f"icmp eq ptr {tstate}, null"), "as_before", "give")
    f.label("give")
    f.store("ptr", f.let("call ptr @PyEval_SaveThread()"), "%env", EXEC_ENV.tstate)
    f.do("br label %as_before")
    f.label("as_before")
    s.give_back(f, None, exn)
    return str(f)


def _take_error(f):
    """(array of the Python exception's type, value and traceback, the EXN that it is in wasm or 0)."""
    error = f.let("alloca [3 x ptr]")
    where = f"ptr {error}, ptr {f.at(error, 8)}, ptr {f.at(error, 16)}"
    f.do(f"call void @PyErr_Fetch({where})")
    f.do(f"call void @PyErr_NormalizeException({where})")
    value = f.load("ptr", error, 8)
    f.do(f"call void @Py_IncRef(ptr {value})")
    which, nothing = new_integers(f, (SERVICE["take_exception"], 0))
    number = call_python(f, RUNTIME.service, [which, value, nothing])
    f.branch(f.let(f"icmp eq ptr {number}, null"), "failed", "taken")
    f.label("failed")   # another exception takes its place
    for i in range(3):
        f.do(f"call void @Py_DecRef(ptr {f.load('ptr', error, 8 * i)})")
    f.do("call void @rt_unwind(ptr %env)")
    f.do("unreachable")
    f.label("taken")
    exn = f.let(f"call i64 @PyLong_AsLongLong(ptr {number})")
    f.do(f"call void @Py_DecRef(ptr {number})")
    return error, exn


def source(part, letters):
    """IR text of a part of the trampolines of one signature."""
    kind, tables = Signature, ""
    if is_large(letters):
        from pyjit_wasm.codegen.large import LargeSignature as kind

        tables = kind(letters).tables()
    plain, s = kind(letters), kind(letters, status=True)
    functions = {"throwing": lambda: [throwing(plain, s)], "catching": lambda: [catching(plain, s)],
                 "tiers": lambda: between_tiers(s)}[part]()
    return "".join((DECLARATIONS, INTERFACE, EXTERNAL, COLD, _PYTHON, tables, *functions))
