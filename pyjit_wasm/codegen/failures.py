"""How Python exceptions that wasm is left with get set, as IR: with wasm frames in their tracebacks (`runtime.tracebacks`)."""
from pyjit_wasm.codegen.python_calls import call_python, new_integers
from pyjit_wasm.codegen.text import FRAMED, Function
from pyjit_wasm.codegen.unwinding import walk_from
from pyjit_wasm.config import THROW_TRACE
from pyjit_wasm.runtime.layout import EXEC_ENV, RUNTIME, SERVICE

_DECLARATIONS = """
@PyExc_Exception = external global ptr
declare void @PyErr_SetObject(ptr, ptr) nounwind
declare ptr @PyObject_Type(ptr) nounwind
declare ptr @PyException_GetTraceback(ptr) nounwind
declare void @PyErr_Restore(ptr, ptr, ptr) nounwind
"""


def set_error():
    """`rt_set_error(error)`: set an exception object that a service has made, which keeps its traceback. Null: it has failed,
    and another one is set."""
    f = Function("void", "rt_set_error", "ptr %error")
    f.unlikely(f.let("icmp eq ptr %error, null"), "failed")
    type = f.let("call ptr @PyObject_Type(ptr %error)")
    f.do(f"call void @PyErr_SetObject(ptr {type}, ptr %error)")
    f.do(f"call void @Py_DecRef(ptr {type})")
    f.do("call void @Py_DecRef(ptr %error)")
    f.do("br label %failed")
    f.label("failed")
    f.do("ret void")
    return str(f)


def fail():
    """`rt_fail(env)`: what guest code has called has raised a Python exception. With the GIL: note the wasm frames in its
    traceback, then unwind. Its caller is that trampoline or routine. `rt_fail_traced(env)`: the same with the frames in
    EXEC_ENV.trace."""
    g = Function("void", "rt_fail", "ptr %env", f"noreturn {FRAMED}")
    pc, frame = g.let("call ptr @llvm.returnaddress(i32 0)"), g.let("call ptr @llvm.frameaddress.p0(i32 0)")
    g.do(f"call void @rt_trace(ptr %env, i64 0, ptr {pc}, ptr {g.load('ptr', frame)}, i1 false)")
    g.do("call void @rt_fail_traced(ptr %env)")
    g.do("unreachable")
    f = Function("void", "rt_fail_traced", "ptr %env", f"noreturn {FRAMED}")
    error = f.let("alloca [3 x ptr]")
    where = f"ptr {error}, ptr {f.at(error, 8)}, ptr {f.at(error, 16)}"
    f.do(f"call void @PyErr_Fetch({where})")
    f.do(f"call void @PyErr_NormalizeException({where})")
    type, value, traceback = (f.load("ptr", error, 8 * i) for i in range(3))
    f.branch(f.let(f"icmp eq ptr {traceback}, null"), "whole", "traced")
    f.label("traced")
    f.do(f"call i32 @PyException_SetTraceback(ptr {value}, ptr {traceback})")
    f.do(f"call void @Py_DecRef(ptr {traceback})")
    f.do("br label %whole")
    f.label("whole")
    f.do(f"call void @Py_IncRef(ptr {value})")
    numbers = new_integers(f, (SERVICE["add_traceback"], f.let("ptrtoint ptr %env to i64")))
    done = call_python(f, RUNTIME.service, [numbers[0], value, numbers[1]])
    f.branch(f.let(f"icmp eq ptr {done}, null"), "failed", "added")
    f.label("added")
    f.do(f"call void @Py_DecRef(ptr {done})")
    f.do("br label %restore")
    f.label("failed")  # Ctrl-C takes its place, an error does not
    ordinary = f.let(f"call i32 @PyErr_ExceptionMatches(ptr {f.load('ptr', '@PyExc_Exception')})")
    f.branch(f.let(f"icmp ne i32 {ordinary}, 0"), "forget", "replace")
    f.label("forget")
    f.do("call void @PyErr_Clear()")
    f.do("br label %restore")
    f.label("replace")
    f.do(f"call void @Py_DecRef(ptr {value})")
    f.do(f"call void @Py_DecRef(ptr {type})")
    f.do("br label %unwind")
    f.label("restore")
    longer = f.let(f"call ptr @PyException_GetTraceback(ptr {value})")
    f.do(f"call void @PyErr_Restore(ptr {type}, ptr {value}, ptr {longer})")
    f.do("br label %unwind")
    f.label("unwind")
    f.do("call void @rt_unwind(ptr %env)")
    f.do("unreachable")
    return str(g) + str(f)


def note_callers(f, exn):
    """Emit: the stack of the caller goes into EXEC_ENV.trace, behind the exception `exn` (i64)."""
    frame = f.let("call ptr @llvm.frameaddress.p0(i32 0)")
    _note(f, exn, 1, f.let("call ptr @llvm.returnaddress(i32 0)"), f.load("ptr", frame), "false")


def _note(f, exn, n, pc, fp, inside):
    to = f.load("ptr", "%env", EXEC_ENV.trace)
    f.store("i64", exn, to)
    f.store("i64", walk_from(f, "%env", None, to, n, THROW_TRACE, fp, pc, fp, inside), "%env", EXEC_ENV.trace_len)


def note_throw():
    """`rt_note_throw(env, exn)`: native code throws an exception, whose stack is noted now, as its frames will be gone when
    nobody has caught it. `rt_note_throw_at(env, exn, ip, fp)`: the same in the interpreter."""
    f = Function("void", "rt_note_throw", "ptr %env, i64 %exn")
    note_callers(f, "%exn")
    f.do("ret void")
    g = Function("void", "rt_note_throw_at", "ptr %env, i64 %exn, ptr %ip, ptr %fp")
    g.store("ptr", "%ip", g.load("ptr", "%env", EXEC_ENV.trace), 8)
    _note(g, "%exn", 2, "null", "%fp", "true")
    g.do("ret void")
    return str(f) + str(g)


def source():
    return _DECLARATIONS + set_error() + fail() + note_throw()
