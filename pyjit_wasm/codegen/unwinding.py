"""Leaving guest code, as IR: stack walks into EXEC_ENV.trace, and `longjmp` to the entry."""
from pyjit_wasm import config
from pyjit_wasm.codegen.text import FRAMED
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import ACTIVATION, EXEC_ENV, FRAME, PYTHON_EXCEPTION


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


def source():
    return walk() + traps()
