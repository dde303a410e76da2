"""The signal handler that takes samples, as IR: where a thread is, in wasm and in the wasm that waits for it.

A sample goes into a ring that the thread claims when it takes its first one in a session; `runtime.samples` reads it.
Nothing here is called unless somebody samples.
"""
from pyjit_wasm import config
from pyjit_wasm.codegen.signal_handlers import INTERRUPTED, REGISTERS, SIGINFO_CODE, in_range, redirect, walk_interrupted
from pyjit_wasm.codegen.text import Function
from pyjit_wasm.codegen.unwinding import walk_from
from pyjit_wasm.runtime.layout import EXEC_ENV, RING, RUNTIME, SAMPLE, SAMPLED, SERVICE, THREAD

_CLOCK_MONOTONIC = 1


def source(signal):
    """IR text of `rt_on_sample`, the action of that signal."""
    f = Function("void", "rt_on_sample", "i32 %signal, ptr %info, ptr %context")
    words = f.let("alloca [2 x i64], align 16")
    pc, rsp, rbp, ip, ifp = (f.load("ptr", "%context", REGISTERS[r]) for r in INTERRUPTED)
    thread = f.let(f"call ptr @pthread_getspecific(i32 {f.load('i32', '@runtime', RUNTIME.thread_key)})")
    f.unlikely(f.let(f"icmp eq ptr {thread}, null"), "done")
    ring = _ring(f, thread)
    env = f.load("ptr", thread, THREAD.env)
    outside = f.load("ptr", thread, THREAD.outside)
    in_guest = in_range(f, f.let(f"ptrtoint ptr {pc} to i64"), RUNTIME.guest_lo, RUNTIME.guest_hi)
    waits = f.let(f"or i1 {f.let(f'icmp eq ptr {env}, null')}, {f.let(f'icmp ne ptr {outside}, null')}")
    runs_guest = f.let(f"and i1 {in_guest}, {f.let(f'xor i1 {waits}, true')}")
    _note_python(f, thread, env, runs_guest)
    sample = _room(f, ring)
    to = f.at(sample, SAMPLE.size)
    n, where = _innermost(f, env, to, waits, in_guest, pc, rsp, rbp, ip, ifp)
    total = f.let(f"call i64 @rt_outer(ptr {thread}, ptr {to}, i64 {n}, i64 {config.SAMPLE_DEPTH})")
    f.do(f"call i32 @clock_gettime(i32 {_CLOCK_MONOTONIC}, ptr {words})")
    seconds = f.let(f"mul i64 {f.load('i64', words)}, 1000000000")
    reason = f.let(f"sext i32 {f.load('i32', '%info', SIGINFO_CODE)} to i64")
    length = f.let(f"add i64 {total}, {SAMPLE.size // 8}")
    for offset, value in ((SAMPLE.length, length), (SAMPLE.where, where), (SAMPLE.reason, reason),
                          (SAMPLE.time, f.let(f"add i64 {seconds}, {f.load('i64', words, 8)}")),
                          (SAMPLE.python, f.let(f"select i1 {waits}, i64 0, i64 {f.load('i64', thread, THREAD.python)}"))):
        f.store("i64", value, sample, offset)
    _look_later(f, thread, where, signal)
    head = f.let(f"add i64 {f.load('i64', ring, RING.head)}, {length}")
    f.do(f"store atomic i64 {head}, ptr {f.at(ring, RING.head)} release, align 8")
    f.do("br label %done")
    f.label("done")
    f.do("ret void")
    return str(f)


def _innermost(f, env, to, waits, in_guest, pc, rsp, rbp, ip, ifp):
    """Write the stack of wasm that runs, if any does; how many words there are, and one of SAMPLED."""
    f.branch(waits, "waits", "inside")
    f.label("inside")
    f.branch(in_guest, "guest", "runtime")
    f.label("guest")
    interpreted, native = walk_interrupted(f, env, to, config.SAMPLE_DEPTH, (pc, rsp, rbp, ip, ifp), "walked")
    f.label("runtime")
    runtime = walk_from(f, env, None, to, 0, config.SAMPLE_DEPTH, rsp, pc, rbp, "false")
    f.do("br label %walked")
    f.label("waits")
    f.do("br label %walked")
    f.label("walked")
    arrivals = ((0, "waits", SAMPLED.outside), (interpreted, "interpreted", SAMPLED.interpreted),
                (native, "native", SAMPLED.native), (runtime, "runtime", SAMPLED.runtime))
    return (f.let("phi i64 " + ", ".join(f"[ {n}, %{block} ]" for n, block, _ in arrivals)),
            f.let("phi i64 " + ", ".join(f"[ {state}, %{block} ]" for _, block, state in arrivals)))


def _ring(f, thread):
    """The RING of this thread in this session; branches to `done` if there is no session or no free one."""
    session = f.load("i64", "@runtime", RUNTIME.session)
    f.unlikely(f.let(f"icmp eq i64 {session}, 0"), "done")
    mine = f.load("ptr", thread, THREAD.ring)
    f.do("br label %look")
    f.label("look")
    f.branch(f.let(f"icmp eq i64 {f.load('i64', thread, THREAD.session)}, {session}"), "claimed", "claim")
    f.label("claim")
    first = f.load("ptr", "@runtime", RUNTIME.rings)
    f.do("br label %next")
    f.label("next")
    f.do("%i = phi i64 [ 0, %claim ], [ %i1, %taken ]")
    f.unlikely(f.let(f"icmp eq i64 %i, {config.SAMPLE_RINGS}"), "done")
    place = f.let(f"mul i64 %i, {config.SAMPLE_RING}")
    free = f.let(f"getelementptr i8, ptr {first}, i64 {place}")
    pair = f.let(f"cmpxchg ptr {f.at(free, RING.thread)}, i64 0, i64 1 seq_cst seq_cst, align 8")
    f.branch(f.let(f"extractvalue {{i64, i1}} {pair}, 1"), "fresh", "taken")
    f.label("taken")
    f.do("%i1 = add i64 %i, 1")
    f.do("br label %next")
    f.label("fresh")
    f.store("i64", f.let(f"sext i32 {f.let('call i32 @gettid()')} to i64"), free, RING.thread)
    f.store("ptr", free, thread, THREAD.ring)
    f.store("i64", session, thread, THREAD.session)
    f.store("i64", "0", thread, THREAD.looks)
    f.do("br label %claimed")
    f.label("claimed")
    return f.let(f"phi ptr [ {mine}, %look ], [ {free}, %fresh ]")


def _note_python(f, thread, env, runs_guest):
    """Ask which Python code called the innermost entry, if that is wanted and not known: in guest code Python may run."""
    wanted = f.let(f"icmp ne i64 {f.load('i64', '@runtime', RUNTIME.sample_python)}, 0")
    known = f.let(f"icmp ne i64 {f.load('i64', thread, THREAD.python)}, 0")
    asks = f.let(f"and i1 {f.let(f'and i1 {wanted}, {runs_guest}')}, {f.let(f'xor i1 {known}, true')}")
    f.branch(asks, "ask", "asked")
    f.label("ask")
    tstate, owner = f.load("ptr", env, EXEC_ENV.tstate), f.load("ptr", env, EXEC_ENV.owner)
    held = f.let(f"icmp eq ptr {tstate}, null")
    f.branch(held, "holding", "take")
    f.label("take")
    f.do(f"call void @PyEval_RestoreThread(ptr {tstate})")
    f.store("ptr", "null", env, EXEC_ENV.tstate)
    f.do("br label %holding")
    f.label("holding")
    f.store("i64", "1", owner)  # frames of the interpreter may be anywhere above env.top: it must not be entered now
    answer = f.let(f"call ptr @rt_raise(i64 {SERVICE['python_stack']}, i64 0, i64 0)")
    f.store("ptr", thread, owner)
    f.branch(f.let(f"icmp eq ptr {answer}, null"), "raised", "answered")
    f.label("raised")  # a Python signal handler did
    redirect(f, "%context", "rt_unwind", (f.let(f"ptrtoint ptr {env} to i64"),), f.load("i64", "%context", REGISTERS["rip"]))
    f.label("answered")
    f.store("i64", f.let(f"call i64 @PyLong_AsLongLong(ptr {answer})"), thread, THREAD.python)
    f.do(f"call void @Py_DecRef(ptr {answer})")
    f.branch(held, "asked", "give")
    f.label("give")
    f.store("ptr", f.let("call ptr @PyEval_SaveThread()"), env, EXEC_ENV.tstate)
    f.do("br label %asked")
    f.label("asked")


def _room(f, ring):
    """Where the next sample goes; branches to `done` if its reader is too far behind. A sample does not go around the end."""
    size, most = (config.SAMPLE_RING - RING.size) // 8, SAMPLE.size // 8 + config.SAMPLE_DEPTH
    head, tail = f.load("i64", ring, RING.head), f.load("i64", ring, RING.tail)
    place = f.let(f"urem i64 {head}, {size}")
    left = f.let(f"sub i64 {size}, {place}")
    wraps = f.let(f"icmp ult i64 {left}, {most}")
    skipped = f.let(f"select i1 {wraps}, i64 {left}, i64 0")
    start = f.let(f"add i64 {head}, {skipped}")
    used = f.let(f"sub i64 {f.let(f'add i64 {start}, {most}')}, {tail}")
    f.branch(f.let(f"icmp ugt i64 {used}, {size}"), "full", "fits")
    f.label("full")
    f.store("i64", f.let(f"add i64 {f.load('i64', ring, RING.lost)}, 1"), ring, RING.lost)
    f.do("br label %done")
    f.label("fits")
    f.branch(wraps, "wrap", "straight")
    f.label("wrap")
    f.store("i64", "0", f.let(f"getelementptr i64, ptr {f.at(ring, RING.size)}, i64 {place}"))  # length 0: go to the start
    f.store("i64", start, ring, RING.head)
    f.do("br label %straight")
    f.label("straight")
    at = f.let(f"select i1 {wraps}, i64 0, i64 {place}")
    return f.let(f"getelementptr i64, ptr {f.at(ring, RING.size)}, i64 {at}")


def _look_later(f, thread, where, signal):
    """In the main thread, outside of guest code: have Python look at its own stack as soon as it can, unless it will already."""
    words = [f.load("i64", "@runtime", word) for word in (RUNTIME.sample_python, RUNTIME.python_looks)]
    wanted = f.let(f"icmp ne i64 {f.let(f'and i64 {words[0]}, {words[1]}')}, 0")
    outside = f.let(f"icmp eq i64 {where}, {SAMPLED.outside}")
    main = f.let(f"icmp eq i64 {f.let('call i64 @pthread_self()')}, {f.load('i64', '@runtime', RUNTIME.main_thread)}")
    idle = f.let(f"icmp eq i64 {f.load('i64', thread, THREAD.looks)}, 0")
    here = f.let(f"and i1 {f.let(f'and i1 {wanted}, {outside}')}, {f.let(f'and i1 {main}, {idle}')}")
    f.branch(here, "later", "now")
    f.label("later")
    f.store("i64", "1", thread, THREAD.looks)
    f.do(f"call i32 @PyErr_SetInterruptEx(i32 {signal})")
    f.do("br label %now")
    f.label("now")
