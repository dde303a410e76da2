"""The signal handlers, as IR: faults of guest code become traps, Ctrl-C reaches guest code anywhere."""
from pyjit_wasm.codegen.system_calls import if_waiting
from pyjit_wasm.codegen.text import Function
from pyjit_wasm.codegen.threads import send
from pyjit_wasm.codegen.unwinding import walk_from
from pyjit_wasm.config import MAX_TRACE, SIGNAL_STACK, SIGNAL_STACK_GUARD
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import EXEC_ENV, RUNTIME, THREAD

# ucontext_t on x86-64 Linux: the registers start at byte 40
REGISTERS = {name: 40 + 8 * index for index, name in enumerate(
    "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip".split())}
INTERRUPTED = "rip", "rsp", "rbp", "r12", "r13"     # what walks begin with: the last two are the interpreter's
SIGINFO_CODE, _SIGINFO_ADDRESS = 8, 16
_SA_FLAGS, _SA_SIGINFO = 136, 4
_SS_DISABLE = 2
_SI_TIMER, _SIG_SETMASK = -2, 2
_SIGNAL_MASK = 296      # in ucontext_t: the mask that is in force when the handler has returned
_ACTION_SIZE = 152      # of struct sigaction in C
OUT_OF_BOUNDS = TRAP_CODE["out of bounds memory access"]
_TRIES = 20     # a millisecond apart
_BELOW = 1 << 16    # bytes below the stack pointer at which guest code may touch the stack next


def in_range(f, value, low, high):
    """i1: runtime word `low` <= value < runtime word `high`."""
    above = f.let(f"icmp uge i64 {value}, {f.load('i64', '@runtime', low)}")
    below = f.let(f"icmp ult i64 {value}, {f.load('i64', '@runtime', high)}")
    return f.let(f"and i1 {above}, {below}")


def redirect(f, context, target, arguments, pushed):
    """Make the interrupted thread go on in `target(arguments)`, as if called from the pc `pushed`."""
    rsp = f.load("i64", context, REGISTERS["rsp"])
    rsp = f.let(f"sub i64 {rsp}, 128")  # the red zone
    rsp = f.let(f"and i64 {rsp}, -16")
    rsp = f.let(f"sub i64 {rsp}, 8")
    f.store("i64", pushed, f.let(f"inttoptr i64 {rsp} to ptr"))
    f.store("i64", rsp, context, REGISTERS["rsp"])
    f.store("ptr", f"@{target}", context, REGISTERS["rip"])
    for register, value in zip(("rdi", "rsi", "rdx", "rcx", "r8"), arguments):
        f.store("i64", value, context, REGISTERS[register])
    f.do("ret void")


def _chain(f, signal, info, context):
    """Hand the signal on to the action that was installed before."""
    place = f.let(f"mul i64 {f.let(f'zext i32 {signal} to i64')}, {_ACTION_SIZE}")
    action = f.at(f.load("ptr", "@runtime", RUNTIME.actions), place)
    handler = f.load("ptr", action)
    f.branch(f.let(f"icmp ule ptr {handler}, inttoptr (i64 1 to ptr)"), "default", "call")
    f.label("default")
    f.do(f"call i32 @sigaction(i32 {signal}, ptr {action}, ptr null)")
    sent = f.let(f"icmp sle i32 {f.load('i32', info, SIGINFO_CODE)}, 0")  # by somebody: it would not come again
    f.branch(sent, "again", "defaulted")
    f.label("again")
    f.do(f"call i32 @raise(i32 {signal})")
    f.do("br label %defaulted")
    f.label("defaulted")
    f.do("ret void")
    f.label("call")
    flags = f.let(f"and i32 {f.load('i32', action, _SA_FLAGS)}, {_SA_SIGINFO}")
    f.branch(f.let(f"icmp eq i32 {flags}, 0"), "plain", "full")
    f.label("plain")
    f.do(f"call void {handler}(i32 {signal})")
    f.do("br label %chained")
    f.label("full")
    f.do(f"call void {handler}(i32 {signal}, ptr {info}, ptr {context})")
    f.do("br label %chained")
    f.label("chained")


def _running(f, otherwise):
    """(THREAD, exec_env) of the interrupted thread; branches to `otherwise` if it runs no wasm."""
    thread = f.let(f"call ptr @pthread_getspecific(i32 {f.load('i32', '@runtime', RUNTIME.thread_key)})")
    f.branch(f.let(f"icmp eq ptr {thread}, null"), otherwise, "thread")
    f.label("thread")
    env = f.load("ptr", thread, THREAD.env)
    f.branch(f.let(f"icmp eq ptr {env}, null"), otherwise, "running")
    f.label("running")
    return thread, env


_HANDLERS = ((RUNTIME.handlers_lo, RUNTIME.handlers_hi), (RUNTIME.vectors_lo, RUNTIME.vectors_hi),
             (RUNTIME.checked_lo, RUNTIME.checked_hi), (RUNTIME.checked_vectors_lo, RUNTIME.checked_vectors_hi))


def in_interpreter(f, address):
    """i1: a code address, an i64, belongs to the interpreter."""
    found = "false"
    for low, high in _HANDLERS:
        found = f.let(f"or i1 {found}, {in_range(f, address, low, high)}")
    return found


# code of a function whose frame is not there yet, or no more: its first bytes as an integer, their mask, where the return
# address is from the stack pointer on
_FRAMELESS = ((0x55, 0xFF, 0), (0xE58948, 0xFFFFFF, 8), (0xC3, 0xFF, 0))     # push rbp; mov rbp, rsp; ret


def _without_frame(f, pc, rsp):
    """(i1: the function at `pc` has no frame now, its return address if so)."""
    code, frameless, caller = f.load("i32", pc), "false", "null"
    for first, mask, place in _FRAMELESS:
        like = f.let(f"icmp eq i32 {f.let(f'and i32 {code}, {mask}')}, {first}")
        frameless = f.let(f"or i1 {frameless}, {like}")
        caller = f.let(f"select i1 {like}, ptr {f.load('ptr', rsp, place)}, ptr {caller}")
    return frameless, caller


def walk_interrupted(f, env, to, limit, registers, done):
    """Emit: write the stack of guest code that a signal has interrupted to `to`, `limit` words at most, and branch to `done` from
    the blocks `interpreted` and `native`: how many there are then, in each. `registers`: rip, rsp, rbp, ip and fp."""
    pc, rsp, rbp, ip, ifp = registers
    f.branch(in_interpreter(f, f.let(f"ptrtoint ptr {pc} to i64")), "interpreted", "native")
    f.label("interpreted")
    f.store("ptr", ip, to)
    interpreted = walk_from(f, env, None, to, 1, limit, rsp, "null", ifp, "true")
    f.do(f"br label %{done}")
    f.label("native")
    behind = f.at(pc, 1)  # walks look up return addresses less one
    f.store("ptr", behind, to)
    frameless, caller = _without_frame(f, pc, rsp)
    start, first = f.let(f"zext i1 {frameless} to i64"), f.let(f"select i1 {frameless}, ptr {caller}, ptr {behind}")
    native = walk_from(f, env, None, to, start, limit, rsp, first, rbp, "false")
    f.do(f"br label %{done}")
    return interpreted, native


def _note_stack(f, env):
    """Write that stack to EXEC_ENV.trace, for `rt_fail_traced`."""
    to, registers = f.load("ptr", env, EXEC_ENV.trace), [f.load("ptr", "%context", REGISTERS[r]) for r in INTERRUPTED]
    interpreted, native = walk_interrupted(f, env, to, MAX_TRACE, registers, "noted")
    f.label("noted")
    f.store("i64", f.let(f"phi i64 [ {interpreted}, %interpreted ], [ {native}, %native ]"), env, EXEC_ENV.trace_len)


def _trap_on_this_stack(f, env, pc):
    """Trap in the handler itself, which has a stack of its own: the machine stack is exhausted."""
    code = TRAP_CODE["call stack exhausted"]
    place = f.let(f"inttoptr i64 {f.let(f'add i64 {pc}, 1')} to ptr")
    ip, fp, rbp = (f.load("ptr", "%context", REGISTERS[r]) for r in ("r12", "r13", "rbp"))
    f.branch(in_interpreter(f, pc), "interpreted", "compiled")
    f.label("interpreted")
    f.do(f"call void @rt_fault_at(ptr {env}, ptr {place}, ptr {ip}, ptr {fp}, i64 {code})")
    f.do("unreachable")
    f.label("compiled")
    f.do(f"call void @rt_trace(ptr {env}, i64 0, ptr {place}, ptr {rbp}, i1 false)")
    f.do(f"call void @rt_leave(ptr {env}, i64 {code})")
    f.do("unreachable")


def fault_handler():
    """SIGSEGV and SIGBUS: a guest access to a guard page becomes a trap, of a memory's or below the machine stack; the rest
    is handed on. Guest code that finds no stack where it has its own has exhausted it: a check before calls is to prevent
    that, but the stack's limit may be lowered while it runs."""
    f = Function("void", "rt_on_fault", "i32 %signal, ptr %info, ptr %context")
    pc = f.load("i64", "%context", REGISTERS["rip"])
    f.branch(in_range(f, pc, RUNTIME.guest_lo, RUNTIME.guest_hi), "guest", "foreign")
    f.label("guest")
    _, env = _running(f, "foreign")
    fault = f.load("i64", "%info", _SIGINFO_ADDRESS)
    ranges, count = f.load("ptr", "@runtime", RUNTIME.ranges), f.load("i64", "@runtime", RUNTIME.range_count)
    f.do("br label %next")
    f.label("next")
    f.do("%i = phi i64 [ 0, %running ], [ %i1, %other ]")
    f.branch(f.let(f"icmp ult i64 %i, {count}"), "look", "no_memory")
    f.label("look")
    entry = f.let(f"getelementptr [2 x i64], ptr {ranges}, i64 %i")
    above = f.let(f"icmp uge i64 {fault}, {f.load('i64', entry)}")
    below = f.let(f"icmp ult i64 {fault}, {f.load('i64', entry, 8)}")
    f.branch(f.let(f"and i1 {above}, {below}"), "trap", "other")
    f.label("other")
    f.do("%i1 = add i64 %i, 1")
    f.do("br label %next")
    f.label("trap")
    env_word = f.let(f"ptrtoint ptr {env} to i64")
    f.branch(in_interpreter(f, pc), "handler", "native")
    f.label("handler")
    ip, fp = (f.load("i64", "%context", REGISTERS[r]) for r in ("r12", "r13"))
    redirect(f, "%context", "rt_fault_at", (env_word, pc, ip, fp, OUT_OF_BOUNDS), pc)
    f.label("native")
    # walks look up return addresses less one
    redirect(f, "%context", "rt_trap", (env_word, OUT_OF_BOUNDS), f.let(f"add i64 {pc}, 1"))
    f.label("no_memory")
    low = f.let(f"sub i64 {f.load('i64', '%context', REGISTERS['rsp'])}, {_BELOW}")
    below = f.let(f"icmp ult i64 {fault}, {f.load('i64', env, EXEC_ENV.entry_fp)}")
    f.branch(f.let(f"and i1 {below}, {f.let(f'icmp uge i64 {fault}, {low}')}"), "overflow", "foreign")
    f.label("overflow")
    _trap_on_this_stack(f, env, pc)
    f.label("foreign")
    _chain(f, "%signal", "%info", "%context")
    f.do("ret void")
    return str(f)


def drop_signal_stack():
    """`rt_drop_signal_stack(low)`: a thread ends that was given a stack for these handlers: SIGNAL_STACK_GUARD bytes above
    `low`."""
    f = Function("void", "rt_drop_signal_stack", "ptr %low")
    known = f.let("alloca [3 x i64]")
    f.do(f"call i32 @sigaltstack(ptr null, ptr {known})")
    f.branch(f.let(f"icmp eq ptr {f.load('ptr', known)}, {f.at('%low', SIGNAL_STACK_GUARD)}"), "ours", "done")
    f.label("ours")
    f.store("i64", _SS_DISABLE, known, 8)
    f.do(f"call i32 @sigaltstack(ptr {known}, ptr null)")
    f.do("br label %done")
    f.label("done")
    f.do(f"call i32 @munmap(ptr %low, i64 {SIGNAL_STACK_GUARD + SIGNAL_STACK})")
    f.do("ret void")
    return str(f)


def _if_requested(f, thread, then, otherwise):
    """Branch to `then` if the exec_env that `thread` runs is to be interrupted."""
    f.branch(f.let(f"icmp eq ptr {thread}, null"), otherwise, "known")
    f.label("known")
    env = f.load("ptr", thread, THREAD.env)
    f.branch(f.let(f"icmp eq ptr {env}, null"), otherwise, "runs")
    f.label("runs")
    f.branch(f.let(f"icmp eq i64 {f.load('i64', env, EXEC_ENV.request)}, 0"), otherwise, then)


def interrupt_handler(retry_signal):
    """A signal that Python has a handler for, and the retry signal, which the retry timer sends and who requests an interrupt
    of an exec_env: run Python's signal handlers in the middle of guest code, look for a request, and unwind if that raises. A
    system call that generated code waits in is given up. Elsewhere in a running exec_env: try again in a millisecond. Where
    Python runs it will look by itself, unless it is just about to enter guest code: a few more tries see to that. Python's
    handlers run in the main thread, so another one that got the signal sends it there."""
    f = Function("void", "rt_on_interrupt", "i32 %signal, ptr %info, ptr %context")
    retries = f.let(f"icmp eq i32 %signal, {retry_signal}")
    f.branch(retries, "chained", "tell")
    f.label("tell")
    _chain(f, "%signal", "%info", "%context")
    known = f.let(f"call ptr @pthread_getspecific(i32 {f.load('i32', '@runtime', RUNTIME.thread_key)})")
    main = f.load("i64", "@runtime", RUNTIME.main_thread)
    f.branch(f.let(f"icmp eq i64 {f.let('call i64 @pthread_self()')}, {main}"), "here", "elsewhere")
    f.label("elsewhere")
    f.branch(retries, "perhaps", "not_me")
    f.label("perhaps")
    _if_requested(f, known, "here", "done")
    f.label("not_me")
    send(f, f.load("i64", "@runtime", RUNTIME.main_id), retry_signal)
    f.do("ret void")
    f.label("here")
    f.branch(f.let(f"icmp eq ptr {known}, null"), "done", "mine")
    f.label("mine")
    left = f.load("i64", known, THREAD.tries)
    fresh = f.let(f"icmp ne i32 {f.load('i32', '%info', SIGINFO_CODE)}, {_SI_TIMER}")
    fresh = f.let(f"or i1 {fresh}, {f.let(f'xor i1 {retries}, true')}")
    f.store("i64", f.let(f"select i1 {fresh}, i64 {_TRIES}, i64 {left}"), known, THREAD.tries)
    thread, env = _running(f, "perhaps_soon")
    tstate = f.load("ptr", env, EXEC_ENV.tstate)
    f.branch(f.let(f"icmp eq ptr {tstate}, null"), "perhaps_soon", "released")
    f.label("perhaps_soon")
    left = f.let(f"sub i64 {f.load('i64', known, THREAD.tries)}, 1")
    f.store("i64", left, known, THREAD.tries)
    f.branch(f.let(f"icmp sgt i64 {left}, 0"), "retry", "done")
    f.label("released")
    pc = f.load("i64", "%context", REGISTERS["rip"])
    f.branch(in_range(f, pc, RUNTIME.guest_lo, RUNTIME.guest_hi), "guest", "host")
    f.label("host")
    if_waiting(f, pc, "give_up", "later")
    f.label("give_up")
    f.store("ptr", "@rt_system_call_given_up", "%context", REGISTERS["rip"])
    f.do("br label %done")
    f.label("guest")
    f.do(f"call void @PyEval_RestoreThread(ptr {tstate})")
    f.store("ptr", "null", env, EXEC_ENV.tstate)
    # frames of the interpreter may be anywhere above env.top: this exec_env must not be entered now
    owner = f.load("ptr", env, EXEC_ENV.owner)
    f.store("i64", "1", owner)
    # what Python starts now is not to inherit that this signal is blocked, and others of it may come
    f.do(f"call i32 @pthread_sigmask(i32 {_SIG_SETMASK}, ptr {f.at('%context', _SIGNAL_MASK)}, ptr null)")
    raised = f.let("call i32 @rt_check(ptr " + env + ")")
    f.store("ptr", thread, owner)
    f.branch(f.let(f"icmp eq i32 {raised}, 0"), "resume", "raise")
    f.label("resume")
    f.store("ptr", f.let("call ptr @PyEval_SaveThread()"), env, EXEC_ENV.tstate)
    f.do("br label %done")
    f.label("raise")
    _note_stack(f, env)
    redirect(f, "%context", "rt_fail_traced", (f.let(f"ptrtoint ptr {env} to i64"),), pc)
    f.label("later")
    f.store("i64", "1", thread, THREAD.interrupted)
    f.do("br label %retry")
    f.label("retry")
    timer = f.load("ptr", "@runtime", RUNTIME.retry_timer)
    f.do(f"call i32 @timer_settime(ptr {timer}, i32 0, ptr @millisecond, ptr null)")
    f.do("br label %done")
    f.label("done")
    f.do("ret void")
    return "@millisecond = private constant [4 x i64] [i64 0, i64 0, i64 0, i64 1000000]\n" + str(f)
