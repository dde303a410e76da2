"""The list of THREADs, and reaching one of them while it cannot end, as IR.

Only who holds the lock may look at another thread's THREAD or send it signals: a THREAD leaves the list, and its thread goes
on to end, with the lock too. No Python runs meanwhile.
"""
from pyjit_wasm.codegen.text import Function
from pyjit_wasm.runtime.layout import EXEC_ENV, RUNTIME, THREAD, THREADS

DECLARATIONS = """
declare i32 @pthread_mutex_lock(ptr) nounwind
declare i32 @pthread_mutex_unlock(ptr) nounwind
declare i64 @syscall(i64, ...) nounwind
declare i32 @getpid() nounwind
"""
_TGKILL = 234


def _lock(f, action="lock"):
    f.do(f"call i32 @pthread_mutex_{action}(ptr {f.at(_threads(f), THREADS.mutex)})")


def _threads(f):
    return f.load("ptr", "@runtime", RUNTIME.threads)


def send(f, native_id, signal):
    """Emit: send a signal, an i64, to the thread of this process with that native id, an i64; nothing if there is none."""
    pid = f.let(f"sext i32 {f.let('call i32 @getpid()')} to i64")
    f.do(f"call i64 (i64, ...) @syscall(i64 {_TGKILL}, i64 {pid}, i64 {native_id}, i64 {signal})")


def _set_unless_null(f, name, thread, field, value):
    """THREAD `field` of `thread`, unless that is null; `name`: of the labels."""
    f.branch(f.let(f"icmp eq ptr {thread}, null"), f"{name}.done", name)
    f.label(name)
    f.store("ptr", value, thread, field)
    f.do(f"br label %{name}.done")
    f.label(f"{name}.done")


def _begins():
    """`rt_thread_begins(thread)`: it lives from now on."""
    f = Function("void", "rt_thread_begins", "ptr %thread")
    _lock(f)
    first = f.load("ptr", _threads(f), THREADS.first)
    f.store("ptr", first, "%thread", THREAD.next)
    _set_unless_null(f, "second", first, THREAD.previous, "%thread")
    f.store("ptr", "%thread", _threads(f), THREADS.first)
    _lock(f, "unlock")
    f.do("ret void")
    return str(f)


def _ends():
    """`rt_thread_ends(thread)`: what pthreads call when it ends; the THREAD is freed."""
    f = Function("void", "rt_thread_ends", "ptr %thread")
    _lock(f)
    following, previous = f.load("ptr", "%thread", THREAD.next), f.load("ptr", "%thread", THREAD.previous)
    _set_unless_null(f, "following", following, THREAD.previous, previous)
    f.branch(f.let(f"icmp eq ptr {previous}, null"), "first", "inner")
    f.label("first")
    f.store("ptr", following, _threads(f), THREADS.first)
    f.do("br label %out")
    f.label("inner")
    f.store("ptr", following, previous, THREAD.next)
    f.do("br label %out")
    f.label("out")
    _lock(f, "unlock")
    f.do("call void @free(ptr %thread)")
    f.do("ret void")
    return str(f)


def _living():
    """`rt_living(to, limit)`: native ids of living threads, `limit` at most; how many."""
    f = Function("i64", "rt_living", "ptr %to, i64 %limit")
    _lock(f)
    first = f.load("ptr", _threads(f), THREADS.first)
    f.do("br label %look")
    f.label("look")
    f.do(f"%thread = phi ptr [ {first}, %0 ], [ %following, %next ]")
    f.do("%n = phi i64 [ 0, %0 ], [ %n1, %next ]")
    ended = f.let(f"or i1 {f.let('icmp eq ptr %thread, null')}, {f.let('icmp eq i64 %n, %limit')}")
    f.branch(ended, "end", "next")
    f.label("next")
    place = f.let("getelementptr i64, ptr %to, i64 %n")
    f.store("i64", f.load("i64", "%thread", THREAD.native_id), place)
    f.do("%n1 = add i64 %n, 1")
    f.do(f"%following = load ptr, ptr {f.at('%thread', THREAD.next)}")
    f.do("br label %look")
    f.label("end")
    _lock(f, "unlock")
    f.do("ret i64 %n")
    return str(f)


def _reach():
    """`rt_reach(env, id, number, known, signal, inner)`, with the GIL: send a signal to the thread that runs `env`, unless `id`
    is neither 0 nor its pthread_t; its native id, 0 without such a thread. The exec_env that it runs now goes into `inner`.

    With `number` there has to be a call to be interrupted, whose number is returned: `known`, or, if that is 0, the one
    that it got when it was to be interrupted before, else `number`. The end of a call takes its number away: it is
    looked at once more, as a call from C may end without the GIL. None begins without.
    """
    f = Function("i64", "rt_reach", "ptr %env, i64 %id, i64 %number, i64 %known, i64 %signal, ptr %inner")
    _lock(f)
    running = f.load("ptr", "%env", EXEC_ENV.thread, volatile=True)
    first = f.load("ptr", _threads(f), THREADS.first)
    f.do("br label %look")
    f.label("look")
    f.do(f"%thread = phi ptr [ {first}, %0 ], [ %following, %next ]")
    f.branch(f.let("icmp eq ptr %thread, null"), "none", "some")
    f.label("some")
    f.branch(f.let(f"icmp eq ptr %thread, {running}"), "found", "next")
    f.label("next")
    f.do(f"%following = load ptr, ptr {f.at('%thread', THREAD.next)}")
    f.do("br label %look")
    f.label("found")
    native_id = f.load("i64", "%thread", THREAD.native_id)
    right = f.let(f"icmp eq i64 {f.load('i64', '%thread', THREAD.id)}, %id")
    f.branch(f.let(f"or i1 {right}, {f.let('icmp eq i64 %id, 0')}"), "wanted", "none")
    f.label("wanted")
    inner = f.load("ptr", "%thread", THREAD.env, volatile=True)
    f.store("ptr", inner, "%inner")
    f.branch(f.let("icmp eq i64 %number, 0"), "send", "request")
    f.label("request")
    call = _number_call(f, inner)
    f.do("br label %send")
    f.label("send")
    f.do(f"%answer = phi i64 [ {native_id}, %wanted ], [ {call}, %request.done ]")
    f.branch(f.let("icmp eq i64 %signal, 0"), "sent", "tell")
    f.label("tell")
    send(f, native_id, "%signal")
    f.do("br label %sent")
    f.label("sent")
    _lock(f, "unlock")
    f.do("ret i64 %answer")
    f.label("none")
    _lock(f, "unlock")
    f.do("ret i64 0")
    return str(f)


def _number_call(f, inner):
    """The number of the call in %env, which its innermost exec_env is to look for; branches to `none` if it has ended."""
    before = _exchange(f, "%env", "%known", "%number")
    expected = f.let(f"icmp eq i64 {before}, %known")
    call = f.let(f"select i1 {expected}, i64 %number, i64 {before}")
    f.branch(f.let(f"or i1 {expected}, {f.let('icmp eq i64 %known, 0')}"), "numbered", "none")
    f.label("numbered")
    still = f.load("ptr", "%env", EXEC_ENV.thread, volatile=True)
    f.branch(f.let(f"icmp eq ptr {still}, %thread"), "runs", "ended")
    f.label("ended")
    _exchange(f, "%env", call, "0")
    f.do("br label %none")
    f.label("runs")
    f.branch(f.let(f"icmp eq ptr {inner}, null"), "request.done", "inside")
    f.label("inside")
    _exchange(f, inner, "0", call)
    f.do("br label %request.done")
    f.label("request.done")
    return call


def _exchange(f, env, before, after):
    """Make EXEC_ENV.request `after` if it is `before`; what it was."""
    word = f.at(env, EXEC_ENV.request)
    pair = f.let(f"cmpxchg ptr {word}, i64 {before}, i64 {after} seq_cst seq_cst, align 8")
    return f.let(f"extractvalue {{i64, i1}} {pair}, 0")


def source():
    return DECLARATIONS + _begins() + _ends() + _living() + _reach()
