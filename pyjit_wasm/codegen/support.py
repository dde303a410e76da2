"""The runtime's own native code, as LLVM IR: traps, stack walks, signals, services, bulk operations.

One object, loaded once per process into the host arena. Everything here is named `rt_*`. Guest code
calls it directly; what it needs from Python goes through `rt_service`, one door.
"""
from pyjit_wasm import config
from pyjit_wasm.codegen import signal_handlers
from pyjit_wasm.codegen.text import COLD, FRAMED, Function
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import (ACTIVATION, EXEC_ENV, FRAME, FUNC, MEM, PYTHON_EXCEPTION, RUNTIME, SPAN,
                                       TABLE, THREAD)

DECLARATIONS = """
@runtime = external constant i8
declare i32 @_setjmp(ptr) returns_twice nounwind
declare void @longjmp(ptr, i32) noreturn nounwind
declare ptr @pthread_getspecific(i32) nounwind
declare i64 @pthread_self() nounwind
declare i32 @pthread_kill(i64, i32) nounwind
declare i32 @sigaction(i32, ptr, ptr) nounwind
declare i32 @timer_settime(ptr, i32, ptr, ptr) nounwind
declare ptr @memmove(ptr, ptr, i64) nounwind
declare ptr @memset(ptr, i32, i64) nounwind
declare ptr @PyEval_SaveThread() nounwind
declare void @PyEval_RestoreThread(ptr) nounwind
declare i32 @PyErr_CheckSignals() nounwind
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr) nounwind
declare ptr @PyLong_FromLongLong(i64) nounwind
declare i64 @PyLong_AsLongLong(ptr) nounwind
declare i64 @PyLong_AsUnsignedLongLong(ptr) nounwind
declare ptr @PyNumber_Index(ptr) nounwind
declare ptr @PyFloat_FromDouble(double) nounwind
declare double @PyFloat_AsDouble(ptr) nounwind
declare ptr @PyErr_Occurred() nounwind
declare void @PyErr_Clear() nounwind
declare void @PyErr_SetString(ptr, ptr) nounwind
declare i32 @PyErr_ExceptionMatches(ptr) nounwind
declare void @Py_DecRef(ptr) nounwind
declare void @Py_IncRef(ptr) nounwind
declare ptr @PyTuple_New(i64) nounwind
declare i32 @PyTuple_SetItem(ptr, i64, ptr) nounwind
declare ptr @PySequence_Tuple(ptr) nounwind
declare i64 @PyTuple_Size(ptr) nounwind
declare ptr @PyTuple_GetItem(ptr, i64) nounwind
declare i32 @PyBuffer_FillInfo(ptr, ptr, ptr, i64, i32, i32) nounwind
declare ptr @llvm.frameaddress.p0(i32)
declare ptr @llvm.returnaddress(i32)
declare i64 @llvm.umin.i64(i64, i64)
"""

# what generated code calls of this object
INTERFACE = """
declare void @rt_trap(ptr, i64) cold noreturn nounwind
declare void @rt_trap_at(ptr, i64, ptr, ptr) noreturn nounwind
declare i64 @rt_service(ptr, i64, i64, i64, i64) nounwind
declare ptr @rt_raise(i64, i64, i64) nounwind
declare void @rt_unwind(ptr) noreturn nounwind
declare void @rt_poll(ptr) nounwind
declare i64 @rt_memory_fill(ptr, ptr, i64, i32, i64) nounwind
declare i64 @rt_memory_copy(ptr, ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_memory_init(ptr, ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_table_fill(ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_table_copy(ptr, ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_table_init(ptr, ptr, ptr, i64, i64, i64) nounwind
"""

def walk():
    """Record code addresses, innermost first, from a machine pc and frame: `rt_walk(env, pc, fp)`.

    Machine frames are linked by rbp. One that belongs to an interpreter activation is followed by
    that activation's frames in the stack buffer. The walk ends at the entry from Python.
    """
    return f"""
define void @rt_walk(ptr %env, i64 %count0, ptr %pc0, ptr %fp0, i1 %inside) {FRAMED} {{
  %trace.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.trace}
  %trace = load ptr, ptr %trace.p
  %entry.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.entry_fp}
  %entry = load ptr, ptr %entry.p
  %act.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.activation}
  %act0 = load ptr, ptr %act.p
  %exit.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.exit_fp}
  %exit0 = load ptr, ptr %exit.p
  br i1 %inside, label %interp, label %native
native:
  %n = phi i64 [ %count0, %0 ], [ %n.next, %up ], [ %in, %activation.done ]
  %pc = phi ptr [ %pc0, %0 ], [ %pc.next, %up ], [ %pc.next2, %activation.done ]
  %fp = phi ptr [ %fp0, %0 ], [ %fp.next, %up ], [ %fp.next2, %activation.done ]
  %act = phi ptr [ %act0, %0 ], [ %act, %up ], [ %iact.prev, %activation.done ]
  %exit = phi ptr [ %exit0, %0 ], [ %exit, %up ], [ %iexit.prev, %activation.done ]
  %full = icmp uge i64 %n, {config.MAX_TRACE}
  br i1 %full, label %done, label %record
record:
  %slot = getelementptr ptr, ptr %trace, i64 %n
  store ptr %pc, ptr %slot
  %n.next = add i64 %n, 1
  %ended = icmp eq ptr %fp, %entry
  br i1 %ended, label %done1, label %not.entry
not.entry:
  %noact = icmp eq ptr %act, null
  br i1 %noact, label %up, label %check
check:
  %frame.p = getelementptr i8, ptr %act, i64 {ACTIVATION.frame}
  %frame = load ptr, ptr %frame.p
  %at.act = icmp eq ptr %frame, %fp
  br i1 %at.act, label %interp, label %up
up:
  %ret.p = getelementptr i8, ptr %fp, i64 8
  %pc.next = load ptr, ptr %ret.p
  %fp.next = load ptr, ptr %fp
  br label %native
interp:
  %in0 = phi i64 [ %count0, %0 ], [ %n.next, %check ]
  %if0 = phi ptr [ %fp0, %0 ], [ %exit, %check ]
  %iact = phi ptr [ %act0, %0 ], [ %act, %check ]
  br label %frames
frames:
  %in = phi i64 [ %in0, %interp ], [ %in.next, %frame.next ]
  %ifp = phi ptr [ %if0, %interp ], [ %caller, %frame.next ]
  %caller.p = getelementptr i8, ptr %ifp, i64 {FRAME.caller_fp}
  %caller = load ptr, ptr %caller.p
  %boundary = icmp eq ptr %caller, null
  br i1 %boundary, label %activation.done, label %frame.next
frame.next:
  %ifull = icmp uge i64 %in, {config.MAX_TRACE}
  %in.at = select i1 %ifull, i64 {config.MAX_TRACE - 1}, i64 %in
  %islot = getelementptr ptr, ptr %trace, i64 %in.at
  %ip = load ptr, ptr %ifp
  store ptr %ip, ptr %islot
  %in.next = add i64 %in.at, 1
  br i1 %ifull, label %done2, label %frames
activation.done:
  %iact.prev = load ptr, ptr %iact
  %iexit.p = getelementptr i8, ptr %iact, i64 {ACTIVATION.exit_fp}
  %iexit.prev = load ptr, ptr %iexit.p
  %iframe.p = getelementptr i8, ptr %iact, i64 {ACTIVATION.frame}
  %iframe = load ptr, ptr %iframe.p
  %ret.p2 = getelementptr i8, ptr %iframe, i64 8
  %pc.next2 = load ptr, ptr %ret.p2
  %fp.next2 = load ptr, ptr %iframe
  br label %native
done:
  br label %end
done1:
  br label %end
done2:
  br label %end
end:
  %total = phi i64 [ %n, %done ], [ %n.next, %done1 ], [ %in.next, %done2 ]
  %len.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.trace_len}
  store i64 %total, ptr %len.p
  ret void
}}
"""


def traps():
    """`rt_trap(env, code)`, called where native code traps; `rt_trap_at(env, code, ip, fp)` by
    interpreter handlers; `rt_fault_at(env, pc, ip, fp)` after a fault inside a handler."""
    return f"""
define void @rt_leave(ptr %env, i64 %status) noreturn {FRAMED} {{
  %status.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.status}
  store i64 %status, ptr %status.p
  %jmp = load ptr, ptr %env
  call void @longjmp(ptr %jmp, i32 1)
  unreachable
}}
define void @rt_unwind(ptr %env) noreturn {FRAMED} {{
  call void @rt_leave(ptr %env, i64 {PYTHON_EXCEPTION})
  unreachable
}}
define void @rt_trap(ptr %env, i64 %code) noreturn {FRAMED} {{
  %pc = call ptr @llvm.returnaddress(i32 0)
  %frame = call ptr @llvm.frameaddress.p0(i32 0)
  %fp = load ptr, ptr %frame
  call void @rt_walk(ptr %env, i64 0, ptr %pc, ptr %fp, i1 false)
  call void @rt_leave(ptr %env, i64 %code)
  unreachable
}}
define void @rt_trap_at(ptr %env, i64 %code, ptr %ip, ptr %fp) noreturn {FRAMED} {{
  %trace.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.trace}
  %trace = load ptr, ptr %trace.p
  store ptr %ip, ptr %trace
  call void @rt_walk(ptr %env, i64 1, ptr null, ptr %fp, i1 true)
  call void @rt_leave(ptr %env, i64 %code)
  unreachable
}}
define void @rt_fault_at(ptr %env, ptr %pc, ptr %ip, ptr %fp) noreturn {FRAMED} {{
  %trace.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.trace}
  %trace = load ptr, ptr %trace.p
  store ptr %pc, ptr %trace
  %second = getelementptr ptr, ptr %trace, i64 1
  store ptr %ip, ptr %second
  call void @rt_walk(ptr %env, i64 2, ptr null, ptr %fp, i1 true)
  call void @rt_leave(ptr %env, i64 {TRAP_CODE["out of bounds memory access"]})
  unreachable
}}
"""


def call_python(f, callable_offset, arguments):
    """PyObject_Vectorcall of the runtime word's callable with new references, which are released."""
    array = f.let(f"alloca [{len(arguments) + 1} x ptr]")
    for index, argument in enumerate(arguments):
        f.store("ptr", argument, array, 8 * index)
    target = f.load("ptr", "@runtime", callable_offset)
    result = f.let(f"call ptr @PyObject_Vectorcall(ptr {target}, ptr {array}, i64 {len(arguments)}, ptr null)")
    for argument in arguments:
        f.do(f"call void @Py_DecRef(ptr {argument})")
    return result


def service():
    """`rt_service(env, which, a, b, c) -> i64`: ask Python for something; a Python exception unwinds.
    `rt_raise(which, a, b) -> null`: the same at an entry, where exceptions are returned to Python."""
    f = Function("i64", "rt_service", "ptr %env, i64 %which, i64 %a, i64 %b, i64 %c")
    tstate = f.load("ptr", "%env", EXEC_ENV.tstate)
    f.branch(f.let(f"icmp eq ptr {tstate}, null"), "call", "take")
    f.label("take")
    f.do(f"call void @PyEval_RestoreThread(ptr {tstate})")
    f.store("ptr", "null", "%env", EXEC_ENV.tstate)
    f.do("br label %call")
    f.label("call")
    boxed = [f.let(f"call ptr @PyLong_FromLongLong(i64 {v})") for v in ("%which", "%a", "%b", "%c")]
    result = call_python(f, RUNTIME.service, boxed)
    f.unlikely(f.let(f"icmp eq ptr {result}, null"), "raised")
    value = f.let(f"call i64 @PyLong_AsLongLong(ptr {result})")
    f.do(f"call void @Py_DecRef(ptr {result})")
    f.branch(f.let(f"icmp eq ptr {tstate}, null"), "return", "give")
    f.label("give")
    f.store("ptr", f.let("call ptr @PyEval_SaveThread()"), "%env", EXEC_ENV.tstate)
    f.do("br label %return")
    f.label("return")
    f.do(f"ret i64 {value}")
    f.label("raised")
    f.do("call void @rt_unwind(ptr %env)")
    f.do("unreachable")
    g = Function("ptr", "rt_raise", "i64 %which, i64 %a, i64 %b")
    boxed = [g.let(f"call ptr @PyLong_FromLongLong(i64 {v})") for v in ("%which", "%a", "%b", "0")]
    g.do(f"ret ptr {call_python(g, RUNTIME.service, boxed)}")
    return str(f) + str(g)


def _check_span(f, start, count, length):
    """Branch to `trap` unless start + count <= length, all i64 and start, count below 2**63."""
    end = f.let(f"add i64 {start}, {count}")
    carry = f.let(f"icmp ult i64 {end}, {start}")
    past = f.let(f"icmp ugt i64 {end}, {length}")
    f.unlikely(f.let(f"or i1 {carry}, {past}"), "trap")


def _finish(f, trap):
    f.do("ret i64 0")
    f.label("trap")
    f.do(f"ret i64 {TRAP_CODE[trap]}")
    return str(f)


def in_chunks():
    """`rt_move(env, to, from, n)` and `rt_fill(env, to, value, n)`: memmove and memset that let Ctrl-C in
    between chunks, because a C function cannot be unwound."""
    return f"""
define void @rt_poll(ptr %env) {FRAMED} {{
  %thread.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.thread}
  %thread = load ptr, ptr %thread.p
  %flag.p = getelementptr i8, ptr %thread, i64 {THREAD.interrupted}
  %flag = load volatile i64, ptr %flag.p
  %tstate.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.tstate}
  %tstate = load ptr, ptr %tstate.p
  %locked = icmp eq ptr %tstate, null
  %unset = icmp eq i64 %flag, 0
  %quiet = or i1 %locked, %unset
  br i1 %quiet, label %done, label %look
look:
  store i64 0, ptr %flag.p
  call void @PyEval_RestoreThread(ptr %tstate)
  store ptr null, ptr %tstate.p
  %raised = call i32 @PyErr_CheckSignals()
  %fine = icmp eq i32 %raised, 0
  br i1 %fine, label %resume, label %unwind
unwind:
  call void @rt_unwind(ptr %env)
  unreachable
resume:
  %again = call ptr @PyEval_SaveThread()
  store ptr %again, ptr %tstate.p
  br label %done
done:
  ret void
}}
define void @rt_move(ptr %env, ptr %to, ptr %from, i64 %n) {FRAMED} {{
  %backward = icmp ugt ptr %to, %from
  br label %next
next:
  %left = phi i64 [ %n, %0 ], [ %left.next, %chunk ]
  %done = icmp eq i64 %left, 0
  br i1 %done, label %end, label %chunk
chunk:
  %size = call i64 @llvm.umin.i64(i64 %left, i64 {config.CHUNK})
  %left.next = sub i64 %left, %size
  %ahead = sub i64 %n, %left
  %place = select i1 %backward, i64 %left.next, i64 %ahead
  %to.p = getelementptr i8, ptr %to, i64 %place
  %from.p = getelementptr i8, ptr %from, i64 %place
  call ptr @memmove(ptr %to.p, ptr %from.p, i64 %size)
  call void @rt_poll(ptr %env)
  br label %next
end:
  ret void
}}
define void @rt_fill(ptr %env, ptr %to, i32 %value, i64 %n) {FRAMED} {{
  br label %next
next:
  %place = phi i64 [ 0, %0 ], [ %place.next, %chunk ]
  %left = sub i64 %n, %place
  %done = icmp eq i64 %left, 0
  br i1 %done, label %end, label %chunk
chunk:
  %size = call i64 @llvm.umin.i64(i64 %left, i64 {config.CHUNK})
  %to.p = getelementptr i8, ptr %to, i64 %place
  call ptr @memset(ptr %to.p, i32 %value, i64 %size)
  call void @rt_poll(ptr %env)
  %place.next = add i64 %place, %size
  br label %next
end:
  ret void
}}
"""


def memory_operations():
    """Bulk memory operations: return 0 or a trap code, and check before they write."""
    trap = "out of bounds memory access"
    fill = Function("i64", "rt_memory_fill", "ptr %env, ptr %mem, i64 %d, i32 %value, i64 %n")
    _check_span(fill, "%d", "%n", fill.load("i64", "%mem", MEM.bytes))
    target = fill.at(fill.load("ptr", "%mem", MEM.base), "%d")
    fill.do(f"call void @rt_fill(ptr %env, ptr {target}, i32 %value, i64 %n)")
    copy = Function("i64", "rt_memory_copy", "ptr %env, ptr %to, ptr %from, i64 %d, i64 %s, i64 %n")
    _check_span(copy, "%s", "%n", copy.load("i64", "%from", MEM.bytes))
    _check_span(copy, "%d", "%n", copy.load("i64", "%to", MEM.bytes))
    target = copy.at(copy.load("ptr", "%to", MEM.base), "%d")
    source = copy.at(copy.load("ptr", "%from", MEM.base), "%s")
    copy.do(f"call void @rt_move(ptr %env, ptr {target}, ptr {source}, i64 %n)")
    init = Function("i64", "rt_memory_init", "ptr %env, ptr %mem, ptr %span, i64 %d, i64 %s, i64 %n")
    _check_span(init, "%s", "%n", init.load("i64", "%span", SPAN.length))
    _check_span(init, "%d", "%n", init.load("i64", "%mem", MEM.bytes))
    target = init.at(init.load("ptr", "%mem", MEM.base), "%d")
    source = init.at(init.load("ptr", "%span", SPAN.base), "%s")
    init.do(f"call void @rt_move(ptr %env, ptr {target}, ptr {source}, i64 %n)")
    return "".join(_finish(f, trap) for f in (fill, copy, init))


def table_operations():
    """Bulk table operations on 8-byte references."""
    trap = "out of bounds table access"
    fill = Function("i64", "rt_table_fill", "ptr %env, ptr %table, i64 %d, i64 %value, i64 %n")
    _check_span(fill, "%d", "%n", fill.load("i64", "%table", TABLE.length))
    first = fill.let(f"getelementptr i64, ptr {fill.load('ptr', '%table', TABLE.elems)}, i64 %d")
    fill.do("br label %head")
    fill.label("head")
    fill.do("br label %next")
    fill.label("next")
    fill.do("%i = phi i64 [ 0, %head ], [ %i1, %body ]")
    fill.branch(fill.let("icmp ult i64 %i, %n"), "body", "done")
    fill.label("body")
    fill.do(f"store i64 %value, ptr {fill.let(f'getelementptr i64, ptr {first}, i64 %i')}")
    fill.do("%i1 = add i64 %i, 1")
    fill.do("br label %next")
    fill.label("done")
    fill.do("call void @rt_poll(ptr %env)")
    copy = Function("i64", "rt_table_copy", "ptr %env, ptr %to, ptr %from, i64 %d, i64 %s, i64 %n")
    _move_references(copy, "%to", copy.load("i64", "%from", TABLE.length), copy.load("ptr", "%from", TABLE.elems))
    init = Function("i64", "rt_table_init", "ptr %env, ptr %table, ptr %span, i64 %d, i64 %s, i64 %n")
    _move_references(init, "%table", init.load("i64", "%span", SPAN.length), init.load("ptr", "%span", SPAN.base))
    return "".join(_finish(f, trap) for f in (fill, copy, init))


def _move_references(f, table, length, source):
    _check_span(f, "%s", "%n", length)
    _check_span(f, "%d", "%n", f.load("i64", table, TABLE.length))
    elems = f.load("ptr", table, TABLE.elems)
    target = f.let(f"getelementptr i64, ptr {elems}, i64 %d")
    begin = f.let(f"getelementptr i64, ptr {source}, i64 %s")
    f.do(f"call void @rt_move(ptr %env, ptr {target}, ptr {begin}, i64 {f.let('shl i64 %n, 3')})")


def link_functions():
    """`rt_link(inst, first FUNC, count)`: make an instance's function instances its own."""
    return f"""
define void @rt_link(ptr %inst, ptr %first, i64 %count) {FRAMED} {{
  br label %next
next:
  %i = phi i64 [ 0, %0 ], [ %i1, %body ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %done
body:
  %at = mul i64 %i, {FUNC.size}
  %func = getelementptr i8, ptr %first, i64 %at
  %inst.p = getelementptr i8, ptr %func, i64 {FUNC.inst}
  store ptr %inst, ptr %inst.p
  %i1 = add i64 %i, 1
  br label %next
done:
  ret void
}}
"""


def get_buffer(mem_offset):
    """`bf_getbuffer` of Memory objects, whose MEM pointer lies `mem_offset` bytes into the object."""
    f = Function("i32", "rt_get_buffer", "ptr %self, ptr %view, i32 %flags")
    mem = f.load("ptr", "%self", mem_offset)
    base, length = f.load("ptr", mem, MEM.base), f.load("i64", mem, MEM.bytes)
    f.do(f"%r = call i32 @PyBuffer_FillInfo(ptr %view, ptr %self, ptr {base}, i64 {length}, i32 0, i32 %flags)")
    f.do("ret i32 %r")
    return str(f)


def source(retry_signal, mem_offset):
    """IR text of the whole support object."""
    return "".join((DECLARATIONS, COLD, walk(), traps(), signal_handlers.fault_handler(),
                    signal_handlers.interrupt_handler(retry_signal),
                    service(), in_chunks(), memory_operations(), table_operations(), link_functions(),
                    get_buffer(mem_offset)))
