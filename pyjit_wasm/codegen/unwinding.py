"""Stack walks, and leaving guest code: `longjmp` to the entry. As IR."""
from pyjit_wasm import config
from pyjit_wasm.codegen.text import FRAMED, Function
from pyjit_wasm.runtime.layout import ACTIVATION, ENTRY, EXEC_ENV, FRAME, PYTHON_EXCEPTION, RUNTIME, THREAD


def walk():
    """Write code addresses, innermost first, from a machine pc and frame on, into `%to` behind the `%n0` words that are
    there; how many there are then, `%limit` at most.

    Machine frames are linked by rbp. One that belongs to an interpreter activation is followed by that activation's frames
    in the stack buffer; with `%inside` the walk starts there. It ends at the entry's frame. A signal may have come when
    rbp was something else: frames must lie between `%low0` and the entry's, each above the last, or the walk ends.
    """
    return f"""
define i64 @rt_walk(ptr %env, ptr %act0, ptr %exit0, ptr %entry, ptr %to, i64 %n0, i64 %limit, ptr %low0, ptr %pc0, \
ptr %fp0, i1 %inside) {FRAMED} {{
  %stack.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.stack}
  %stack = load ptr, ptr %stack.p
  %stack.end.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.stack_end}
  %stack.end = load ptr, ptr %stack.end.p
  br i1 %inside, label %interp, label %native
native:
  %n = phi i64 [ %n0, %0 ], [ %n.next, %up ], [ %in, %activation.done ]
  %pc = phi ptr [ %pc0, %0 ], [ %pc.next, %up ], [ %pc.next2, %activation.done ]
  %fp = phi ptr [ %fp0, %0 ], [ %fp.next, %up ], [ %fp.next2, %activation.done ]
  %low = phi ptr [ %low0, %0 ], [ %fp, %up ], [ %iframe, %activation.done ]
  %act = phi ptr [ %act0, %0 ], [ %act, %up ], [ %iact.prev, %activation.done ]
  %exit = phi ptr [ %exit0, %0 ], [ %exit, %up ], [ %iexit.prev, %activation.done ]
  %full = icmp uge i64 %n, %limit
  br i1 %full, label %done, label %record
record:
  %slot = getelementptr ptr, ptr %to, i64 %n
  store ptr %pc, ptr %slot
  %n.next = add i64 %n, 1
  %ended = icmp eq ptr %fp, %entry
  br i1 %ended, label %done1, label %plausible
plausible:
  %fp.word = ptrtoint ptr %fp to i64
  %odd = and i64 %fp.word, 7
  %aligned = icmp eq i64 %odd, 0
  %above = icmp uge ptr %fp, %low
  %below = icmp ult ptr %fp, %entry
  %between = and i1 %above, %below
  %good = and i1 %between, %aligned
  br i1 %good, label %not.entry, label %done1
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
  %in0 = phi i64 [ %n0, %0 ], [ %n.next, %check ]
  %if0 = phi ptr [ %fp0, %0 ], [ %exit, %check ]
  %iact = phi ptr [ %act0, %0 ], [ %act, %check ]
  %none = icmp eq ptr %iact, null
  br i1 %none, label %done3, label %frames
frames:
  %in = phi i64 [ %in0, %interp ], [ %in.next, %frame.next ]
  %ifp = phi ptr [ %if0, %interp ], [ %caller, %frame.next ]
  %iabove = icmp uge ptr %ifp, %stack
  %ibelow = icmp ult ptr %ifp, %stack.end
  %igood = and i1 %iabove, %ibelow
  br i1 %igood, label %iframe.here, label %activation.done
iframe.here:
  %caller.p = getelementptr i8, ptr %ifp, i64 {FRAME.caller_fp}
  %caller = load ptr, ptr %caller.p
  %down = icmp ult ptr %caller, %ifp
  %some = icmp ne ptr %caller, null
  %more = and i1 %down, %some
  br i1 %more, label %frame.next, label %activation.done
frame.next:
  %ifull = icmp uge i64 %in, %limit
  %last = sub i64 %limit, 1
  %in.at = select i1 %ifull, i64 %last, i64 %in
  %islot = getelementptr ptr, ptr %to, i64 %in.at
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
done3:
  br label %end
end:
  %total = phi i64 [ %n, %done ], [ %n.next, %done1 ], [ %in.next, %done2 ], [ %in0, %done3 ]
  ret i64 %total
}}
"""


_WALKED = ((EXEC_ENV.activation, ENTRY.activation), (EXEC_ENV.exit_fp, ENTRY.exit_fp), (EXEC_ENV.entry_fp, ENTRY.entry_fp))


def walk_from(f, env, words, to, n, limit, low, pc, fp, inside):
    """Emit a call of `rt_walk` with an exec_env's words as they are now, or as an ENTRY at `words` has them."""
    base, field = (env, 0) if words is None else (words, 1)
    loaded = ", ".join(f"ptr {f.load('ptr', base, offsets[field])}" for offsets in _WALKED)
    return f.let(f"call i64 @rt_walk(ptr {env}, {loaded}, ptr {to}, i64 {n}, i64 {limit}, ptr {low}, ptr {pc}, ptr {fp}, "
                 f"i1 {inside})")


def trace():
    """`rt_trace(env, n, pc, fp, inside)`: the stack of the innermost entry into EXEC_ENV.trace."""
    f = Function("void", "rt_trace", "ptr %env, i64 %n, ptr %pc, ptr %fp, i1 %inside")
    to = f.load("ptr", "%env", EXEC_ENV.trace)
    total = walk_from(f, "%env", None, to, "%n", config.MAX_TRACE, "%fp", "%pc", "%fp", "%inside")
    f.store("i64", total, "%env", EXEC_ENV.trace_len)
    f.do("ret void")
    return str(f)


def outer_stacks():
    """`rt_outer(thread, to, n, limit)`: the stacks of all wasm that waits for the host, innermost first, into `to` from word
    n on; how many words there are then. Before each stack come 0, the FUNC that it called, or 0, and the number of the Python
    stack below it, or 0."""
    f = Function("i64", "rt_outer", "ptr %thread, ptr %to, i64 %n, i64 %limit")
    f.do("br label %start")
    f.label("start")
    env, outside = f.load("ptr", "%thread", THREAD.env), f.load("ptr", "%thread", THREAD.outside)
    none = f.let(f"or i1 {f.let(f'icmp eq ptr {outside}, null')}, {f.let(f'icmp eq ptr {env}, null')}")
    first = f.load("ptr", "%thread", THREAD.entry)
    f.branch(none, "entries", "innermost")
    f.label("innermost")
    innermost = _stack_behind(f, env, None, "%n", outside, f.load("ptr", "%thread", THREAD.func),
                              f.load("i64", "%thread", THREAD.python))
    f.do("br label %innermost.done")
    f.label("innermost.done")
    f.do("br label %entries")
    f.label("entries")
    f.do(f"%total = phi i64 [ %n, %start ], [ {innermost}, %innermost.done ], [ %total, %skipped ], [ %more, %walked ]")
    f.do(f"%entry = phi ptr [ {first}, %start ], [ {first}, %innermost.done ], [ %before, %skipped ], [ %before2, %walked ]")
    full = f.let(f"icmp uge i64 {f.let('add i64 %total, 4')}, %limit")
    f.branch(f.let(f"or i1 {f.let('icmp eq ptr %entry, null')}, {full}"), "end", "entry.here")
    f.label("entry.here")
    outside = f.load("ptr", "%entry", ENTRY.outside)
    f.branch(f.let(f"icmp eq ptr {outside}, null"), "skip", "walk")
    f.label("skip")
    f.do(f"%before = load ptr, ptr {f.at('%entry', ENTRY.previous)}")
    f.do("br label %skipped")
    f.label("skipped")
    f.do("br label %entries")
    f.label("walk")
    more = _stack_behind(f, f.load("ptr", "%entry", ENTRY.env), "%entry", "%total", outside,
                         f.load("ptr", "%entry", ENTRY.func), f.load("i64", "%entry", ENTRY.python))
    f.do(f"%before2 = load ptr, ptr {f.at('%entry', ENTRY.previous)}")
    f.do(f"%more = add i64 {more}, 0")
    f.do("br label %walked")
    f.label("walked")
    f.do("br label %entries")
    f.label("end")
    f.do("ret i64 %total")
    return str(f)


def _stack_behind(f, env, entry, n, frame, func, python):
    """The stack that called out from machine frame `frame`, and what comes before it."""
    place = f.let(f"getelementptr ptr, ptr %to, i64 {n}")
    f.store("ptr", "null", place)
    f.store("ptr", func, place, 8)
    f.store("i64", python, place, 16)
    pc, fp = f.load("ptr", frame, 8), f.load("ptr", frame)
    return walk_from(f, env, entry, "%to", f.let(f"add i64 {n}, 3"), "%limit", frame, pc, fp, "false")


def stack():
    """`rt_stack(to, limit)`, a C function with the GIL: the stacks of this thread that wait for it."""
    f = Function("i64", "rt_stack", "ptr %to, i64 %limit")
    thread = f.let(f"call ptr @pthread_getspecific(i32 {f.load('i32', '@runtime', RUNTIME.thread_key)})")
    f.branch(f.let(f"icmp eq ptr {thread}, null"), "stranger", "known")
    f.label("stranger")
    f.do("ret i64 0")
    f.label("known")
    f.do(f"ret i64 {f.let(f'call i64 @rt_outer(ptr {thread}, ptr %to, i64 0, i64 %limit)')}")
    return str(f)


def traps():
    """`rt_trap(env, code)`, called where native code traps; `rt_trap_at(env, code, ip, fp)` by
    interpreter handlers; `rt_fault_at(env, pc, ip, fp, code)` after a fault inside a handler."""
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
  call void @rt_trace(ptr %env, i64 0, ptr %pc, ptr %fp, i1 false)
  call void @rt_leave(ptr %env, i64 %code)
  unreachable
}}
define void @rt_trap_at(ptr %env, i64 %code, ptr %ip, ptr %fp) noreturn {FRAMED} {{
  %trace.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.trace}
  %trace = load ptr, ptr %trace.p
  store ptr %ip, ptr %trace
  call void @rt_trace(ptr %env, i64 1, ptr null, ptr %fp, i1 true)
  call void @rt_leave(ptr %env, i64 %code)
  unreachable
}}
define void @rt_fault_at(ptr %env, ptr %pc, ptr %ip, ptr %fp, i64 %code) noreturn {FRAMED} {{
  %trace.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.trace}
  %trace = load ptr, ptr %trace.p
  store ptr %pc, ptr %trace
  %second = getelementptr ptr, ptr %trace, i64 1
  store ptr %ip, ptr %second
  call void @rt_trace(ptr %env, i64 2, ptr null, ptr %fp, i1 true)
  call void @rt_leave(ptr %env, i64 %code)
  unreachable
}}
"""


def source():
    return walk() + trace() + outer_stacks() + stack() + traps()
