"""The runtime's own native code, as LLVM IR: traps, stack walks, signals, services, bulk operations.

One object, loaded once per process into the host arena. Everything here is named `rt_*`. Guest code
calls it directly; what it needs from Python goes through `rt_service`, one door.
"""
from pyjit_wasm.codegen import (
    boxing, bulk, counting, failures, held, memory_object, pending, probes, sampling, signal_handlers, system_calls, threads, tiers,
    unwinding)
from pyjit_wasm.codegen.python_calls import call_python, new_integers
from pyjit_wasm.codegen.text import COLD, FRAMED, Function
from pyjit_wasm.runtime import freed
from pyjit_wasm.runtime.layout import EXEC_ENV, EXN, FUNC, KEEPS_PYTHON, RUNTIME, SERVICE, THREAD

DECLARATIONS = """
@runtime = external constant i8
@PyExc_BufferError = external global ptr
declare i32 @_setjmp(ptr) returns_twice nounwind
declare void @longjmp(ptr, i32) noreturn nounwind
declare ptr @pthread_getspecific(i32) nounwind
declare i64 @pthread_self() nounwind
declare i32 @pthread_sigmask(i32, ptr, ptr) nounwind
declare i32 @sigaction(i32, ptr, ptr) nounwind
declare i32 @raise(i32) nounwind
declare i32 @sigaltstack(ptr, ptr) nounwind
declare i32 @munmap(ptr, i64) nounwind
declare i32 @gettid() nounwind
declare i32 @clock_gettime(i32, ptr) nounwind
declare i32 @PyErr_SetInterruptEx(i32) nounwind
declare i32 @timer_settime(ptr, i32, ptr, ptr) nounwind
declare ptr @malloc(i64) nounwind
declare void @free(ptr) nounwind
declare i64 @malloc_usable_size(ptr) nounwind
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
declare void @_Py_Dealloc(ptr) nounwind
declare void @Py_IncRef(ptr) nounwind
declare ptr @PyTuple_New(i64) nounwind
declare i32 @PyTuple_SetItem(ptr, i64, ptr) nounwind
declare ptr @PySequence_Tuple(ptr) nounwind
declare i64 @PyTuple_Size(ptr) nounwind
declare ptr @PyTuple_GetItem(ptr, i64) nounwind
declare i32 @PyBuffer_FillInfo(ptr, ptr, ptr, i64, i32, i32) nounwind
declare i32 @PyObject_GetBuffer(ptr, ptr, i32) nounwind
declare void @PyBuffer_Release(ptr) nounwind
declare ptr @PyBytes_FromStringAndSize(ptr, i64) nounwind
declare ptr @llvm.frameaddress.p0(i32)
declare ptr @llvm.returnaddress(i32)
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.uadd.sat.i64(i64, i64)
"""

# what generated code calls of this object
INTERFACE = """
declare i32 @rt_room(i64) nounwind
declare void @rt_trap(ptr, i64) cold noreturn nounwind
declare void @rt_trap_at(ptr, i64, ptr, ptr) noreturn nounwind
declare i64 @rt_service(ptr, i64, i64, i64, i64) nounwind
declare ptr @rt_raise(i64, i64, i64) nounwind
declare void @rt_set_error(ptr) nounwind
declare i64 @rt_integer(ptr, i1) cold nounwind
declare void @rt_fail(ptr) noreturn nounwind
declare void @rt_unwind(ptr) noreturn nounwind
declare void @rt_poll(ptr) nounwind
declare i64 @rt_system_call(i64, i64, i64, i64) nounwind
declare i32 @rt_check(ptr) nounwind
declare void @rt_throw(ptr) cold noreturn nounwind
declare ptr @rt_new_exception(ptr, i64) nounwind
declare void @rt_note_throw(ptr, i64) nounwind
declare void @rt_note_throw_at(ptr, i64, ptr, ptr) nounwind
declare void @rt_drop_exception(ptr, ptr) nounwind
declare void @rt_hold_exception(ptr, ptr) nounwind
declare i64 @rt_other_type(ptr, i64, i64, i64) nounwind
declare void @rt_count_call(ptr, i64, ptr) nounwind
declare void @rt_move(ptr, ptr, ptr, i64) nounwind
declare void @rt_fill(ptr, ptr, i32, i64) nounwind
declare i64 @rt_memory_fill(ptr, ptr, i64, i32, i64) nounwind
declare i64 @rt_memory_copy(ptr, ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_memory_init(ptr, ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_table_fill(ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_table_copy(ptr, ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_table_init(ptr, ptr, ptr, i64, i64, i64) nounwind
"""

def go_outside(f, func="null"):
    """Guest code calls the host from here, its host function `func`: stack walks start at this frame until `come_back`."""
    thread = f.load("ptr", "%env", EXEC_ENV.thread)
    f.store("ptr", func, thread, THREAD.func)
    f.store("ptr", f.let("call ptr @llvm.frameaddress.p0(i32 0)"), thread, THREAD.outside)
    return thread


def come_back(f, thread):
    f.store("ptr", "null", thread, THREAD.outside)


def take_gil(f):
    """Take the GIL if %env runs without it; what to hand to `give_gil`."""
    tstate = f.load("ptr", "%env", EXEC_ENV.tstate)
    f.branch(f.let(f"icmp eq ptr {tstate}, null"), "locked", "take")
    f.label("take")
    f.do(f"call void @PyEval_RestoreThread(ptr {tstate})")
    f.store("ptr", "null", "%env", EXEC_ENV.tstate)
    f.do("br label %locked")
    f.label("locked")
    return tstate


def give_gil(f, tstate):
    """Release the GIL again if `take_gil` took it."""
    f.branch(f.let(f"icmp eq ptr {tstate}, null"), "as_before", "give")
    f.label("give")
    f.store("ptr", f.let("call ptr @PyEval_SaveThread()"), "%env", EXEC_ENV.tstate)
    f.do("br label %as_before")
    f.label("as_before")


def look_for_request(f, raised):
    """With the GIL, back from Python: branch to `raised` with an exception set if %env is to be interrupted."""
    wanted, go_on = f.new_label("requested"), f.new_label("ok")
    request = f.let(f"icmp ne i64 {f.load('i64', '%env', EXEC_ENV.request)}, 0")
    f.do(f"br i1 {request}, label %{wanted}, label %{go_on}, !prof !0")
    f.label(wanted)
    answer = f.let(f"call ptr @rt_raise(i64 {SERVICE['raise_requested']}, i64 {f.let('ptrtoint ptr %env to i64')}, i64 0)")
    f.unlikely(f.let(f"icmp eq ptr {answer}, null"), raised)
    f.do(f"call void @Py_DecRef(ptr {answer})")
    f.do(f"br label %{go_on}")
    f.label(go_on)


def check():
    """`rt_check(env)`, with the GIL, in the middle of guest code: Python's signal handlers run, requests of other threads
    are looked at. Not 0 if that raised."""
    f = Function("i32", "rt_check", "ptr %env")
    result = f.let("call i32 @PyErr_CheckSignals()")
    f.unlikely(f.let(f"icmp ne i32 {result}, 0"), "raised")
    look_for_request(f, "raised")
    f.do("ret i32 0")
    f.label("raised")
    f.do("ret i32 -1")
    return str(f)


def service():
    """`rt_service(env, which, a, b, c) -> i64`: ask Python for something; a Python exception unwinds.
    `rt_raise(which, a, b) -> null`: the same at an entry, where exceptions are returned to Python."""
    f = Function("i64", "rt_service", "ptr %env, i64 %which, i64 %a, i64 %b, i64 %c")
    thread = go_outside(f)
    tstate = take_gil(f)
    result = call_python(f, RUNTIME.service, new_integers(f, ("%which", "%a", "%b", "%c")))
    f.unlikely(f.let(f"icmp eq ptr {result}, null"), "raised")
    value = f.let(f"call i64 @PyLong_AsLongLong(ptr {result})")
    f.do(f"call void @Py_DecRef(ptr {result})")
    look_for_request(f, "raised")
    give_gil(f, tstate)
    come_back(f, thread)
    f.do(f"ret i64 {value}")
    f.label("raised")
    come_back(f, thread)
    f.do("call void @rt_fail(ptr %env)")
    f.do("unreachable")
    g = Function("ptr", "rt_raise", "i64 %which, i64 %a, i64 %b")
    g.do(f"ret ptr {call_python(g, RUNTIME.service, new_integers(g, ('%which', '%a', '%b', '0')))}")
    return str(f) + str(g)


def exceptions():
    """`rt_throw(env)`: the exception in flight leaves wasm, or goes through frames of modules without exceptions.
    `rt_new_exception(tag, payload slots)`, null if there is no memory. `rt_drop_exception(env, exn)`: free it, unless
    somebody holds it."""
    f = Function("void", "rt_throw", "ptr %env")
    exn = f.load("i64", "%env", EXEC_ENV.exception)
    f.store("i64", "0", "%env", EXEC_ENV.exception)
    f.branch(f.let(f"icmp eq i64 {f.load('i64', f.load('ptr', '%env', EXEC_ENV.trace))}, {exn}"), "noted", "elsewhere")
    f.label("elsewhere")  # thrown by a host function, or another one was thrown meanwhile
    failures.note_callers(f, exn)
    f.do("br label %noted")
    f.label("noted")
    take_gil(f)
    env = f.let("ptrtoint ptr %env to i64")
    error = f.let(f"call ptr @rt_raise(i64 {SERVICE['exception_error']}, i64 {exn}, i64 {env})")
    f.do(f"call void @rt_set_error(ptr {error})")
    f.do("call void @rt_unwind(ptr %env)")
    f.do("unreachable")
    g = Function("ptr", "rt_new_exception", "ptr %tag, i64 %slots")
    size = g.let(f"add i64 {g.let('shl i64 %slots, 3')}, {EXN.size}")
    exn = g.let(f"call ptr @malloc(i64 {size})")
    g.branch(g.let(f"icmp eq ptr {exn}, null"), "none", "some")
    g.label("none")
    g.do("ret ptr null")
    g.label("some")
    g.store("ptr", "%tag", exn, EXN.tag)
    g.store("i64", "0", exn, EXN.held)
    g.do(f"ret ptr {exn}")
    h = Function("void", "rt_drop_exception", "ptr %env, ptr %exn")
    held = h.load("i64", "%exn", EXN.held)
    h.do(f"switch i64 {held}, label %done [ i64 0, label %free i64 {KEEPS_PYTHON}, label %python ]")
    h.label("python")
    exn = h.let("ptrtoint ptr %exn to i64")
    h.do(f"call i64 @rt_service(ptr %env, i64 {SERVICE['drop_exception']}, i64 {exn}, i64 0, i64 0)")
    h.do("br label %done")
    h.label("free")
    if freed.POISON:
        h.do(f"call ptr @memset(ptr %exn, i32 {freed.BYTE}, i64 {h.let('call i64 @malloc_usable_size(ptr %exn)')})")
    else:
        h.do("call void @free(ptr %exn)")
    h.do("br label %done")
    h.label("done")
    h.do("ret void")
    return str(f) + str(g) + str(h)


def other_type():
    """`rt_other_type(env, differs, actual, wanted)`: 1 if two types differ and the first is no subtype either."""
    f = Function("i64", "rt_other_type", "ptr %env, i64 %differs, i64 %actual, i64 %wanted")
    f.unlikely(f.let("icmp ne i64 %differs, 0"), "look")
    f.do("ret i64 0")
    f.label("look")
    found = f.let(f"call i64 @rt_service(ptr %env, i64 {SERVICE['matches_type']}, i64 %actual, i64 %wanted, i64 0)")
    f.do(f"ret i64 {f.let(f'xor i64 {found}, 1')}")
    return str(f)


def _counted(name, parameters, body):
    """A function that does `body` for each %i below its last parameter, %count."""
    return f"""
define void @{name}({parameters}, i64 %count) {FRAMED} {{
  br label %next
next:
  %i = phi i64 [ 0, %0 ], [ %i1, %body ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %done
body:
{body}
  %i1 = add i64 %i, 1
  br label %next
done:
  ret void
}}
"""


def link_functions():
    """`rt_link(inst, first FUNC, count)`: make an instance's function instances its own."""
    return _counted("rt_link", "ptr %inst, ptr %first", f"""
  %at = mul i64 %i, {FUNC.size}
  %func = getelementptr i8, ptr %first, i64 %at
  %inst.p = getelementptr i8, ptr %func, i64 {FUNC.inst}
  store ptr %inst, ptr %inst.p""")


def relocate():
    """`rt_relocate(code, places, addresses, count)`: the words at these byte offsets in code, which are numbers, become
    addresses."""
    return _counted("rt_relocate", "ptr %code, ptr %places, ptr %addresses", """
  %place.p = getelementptr i32, ptr %places, i64 %i
  %place = load i32, ptr %place.p
  %offset = zext i32 %place to i64
  %word = getelementptr i8, ptr %code, i64 %offset
  %number = load i64, ptr %word
  %address.p = getelementptr ptr, ptr %addresses, i64 %number
  %address = load ptr, ptr %address.p
  store ptr %address, ptr %word""")


def wide_division():
    """`__udivti3` and `__umodti3`, by which LLVM divides integers of 128 bits: it does to count the iterations of some loops
    over 64 bits. Nobody else calls them, and nothing divides by 0."""
    return f"""
define {{i128, i128}} @rt_divide(i128 %a, i128 %b) {FRAMED} {{
  %either = or i128 %a, %b
  %narrow = icmp ult i128 %either, {1 << 64}
  br i1 %narrow, label %quick, label %next
quick:
  %a64 = trunc i128 %a to i64
  %b64 = trunc i128 %b to i64
  %q64 = udiv i64 %a64, %b64
  %r64 = urem i64 %a64, %b64
  %q.quick = zext i64 %q64 to i128
  %r.quick = zext i64 %r64 to i128
  br label %done
next:
  %bit = phi i128 [ 127, %0 ], [ %bit.next, %next ]
  %q = phi i128 [ 0, %0 ], [ %q.next, %next ]
  %r = phi i128 [ 0, %0 ], [ %r.next, %next ]
  %over = icmp slt i128 %r, 0
  %a.shifted = lshr i128 %a, %bit
  %a.bit = and i128 %a.shifted, 1
  %r.doubled = shl i128 %r, 1
  %r.more = or i128 %r.doubled, %a.bit
  %enough = icmp uge i128 %r.more, %b
  %fits = or i1 %over, %enough
  %r.less = sub i128 %r.more, %b
  %r.next = select i1 %fits, i128 %r.less, i128 %r.more
  %q.doubled = shl i128 %q, 1
  %q.bit = zext i1 %fits to i128
  %q.next = or i128 %q.doubled, %q.bit
  %last = icmp eq i128 %bit, 0
  %bit.next = sub i128 %bit, 1
  br i1 %last, label %done, label %next
done:
  %q.done = phi i128 [ %q.quick, %quick ], [ %q.next, %next ]
  %r.done = phi i128 [ %r.quick, %quick ], [ %r.next, %next ]
  %half = insertvalue {{i128, i128}} poison, i128 %q.done, 0
  %both = insertvalue {{i128, i128}} %half, i128 %r.done, 1
  ret {{i128, i128}} %both
}}
define i128 @__udivti3(i128 %a, i128 %b) {FRAMED} {{
  %both = call {{i128, i128}} @rt_divide(i128 %a, i128 %b)
  %q = extractvalue {{i128, i128}} %both, 0
  ret i128 %q
}}
define i128 @__umodti3(i128 %a, i128 %b) {FRAMED} {{
  %both = call {{i128, i128}} @rt_divide(i128 %a, i128 %b)
  %r = extractvalue {{i128, i128}} %both, 1
  ret i128 %r
}}
"""


def source(retry_signal, sample_signal, mem_offset, head):
    """IR text of the whole support object."""
    handlers = "".join((signal_handlers.fault_handler(), signal_handlers.drop_signal_stack(),
                        signal_handlers.interrupt_handler(retry_signal),
                        sampling.source(sample_signal)))
    return "".join((DECLARATIONS, COLD, unwinding.source(), probes.source(), tiers.not_ready(), system_calls.source(),
                    threads.source(), handlers, check(),
                    service(), exceptions(), held.source(), failures.source(), other_type(), boxing.integer(),
                    counting.count_call(), bulk.source(),
                    link_functions(), relocate(), wide_division(), memory_object.source(mem_offset, head), pending.keep_error()))
