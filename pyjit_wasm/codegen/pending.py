"""What keeps the exception of a call from C until a Python boundary, as IR."""
from pyjit_wasm.codegen.text import Function
from pyjit_wasm.runtime.layout import SERVICE

_DECLARATIONS = """
declare void @PyErr_Fetch(ptr, ptr, ptr) nounwind
declare void @PyErr_NormalizeException(ptr, ptr, ptr) nounwind
declare i32 @PyException_SetTraceback(ptr, ptr) nounwind
declare void @PyErr_WriteUnraisable(ptr) nounwind
"""


def keep_error():
    """`rt_keep_error(env)`: called with the GIL held. A Python exception that is set is kept pending in `env`, or in
    what this thread runs if that is null. Where it cannot be kept it goes to `sys.unraisablehook`."""
    f = Function("void", "rt_keep_error", "ptr %env")
    error = f.let("alloca [3 x ptr]")
    where = f"ptr {error}, ptr {f.at(error, 8)}, ptr {f.at(error, 16)}"
    f.do(f"call void @PyErr_Fetch({where})")
    f.unlikely(f.let(f"icmp eq ptr {f.load('ptr', error)}, null"), "nothing")  # it is kept already
    f.do(f"call void @PyErr_NormalizeException({where})")
    type, value, traceback = (f.load("ptr", error, 8 * i) for i in range(3))
    f.branch(f.let(f"icmp eq ptr {traceback}, null"), "whole", "traced")
    f.label("traced")
    f.do(f"call i32 @PyException_SetTraceback(ptr {value}, ptr {traceback})")
    f.do("br label %whole")
    f.label("whole")
    numbers = [f.let(f"ptrtoint ptr {p} to i64") for p in (value, "%env")]
    kept = f.let(f"call ptr @rt_raise(i64 {SERVICE['keep_pending']}, i64 {numbers[0]}, i64 {numbers[1]})")
    f.branch(f.let(f"icmp eq ptr {kept}, null"), "lost", "done")
    f.label("lost")
    f.do("call void @PyErr_WriteUnraisable(ptr null)")
    f.do("br label %done")
    f.label("done")
    for thing in (kept, traceback, value, type):
        f.do(f"call void @Py_DecRef(ptr {thing})")
    f.do("br label %nothing")
    f.label("nothing")
    f.do("ret void")
    return _DECLARATIONS + str(f)
