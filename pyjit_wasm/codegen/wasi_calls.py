"""The hot calls of WASI, as IR: `fd_read`, `fd_write`, `clock_time_get`, `random_get` without Python on the usual way.

Each is the `entry` of a WASI_FUNC, in the native calling convention. Whatever is unusual or wrong goes to
`WASI_FUNC.python` with the same arguments before anything is done: the Python functions are the meaning.

`expose` and `last_call` keep the DIRECTs, with the GIL and without running Python in between: what is in one always belongs
together. A call adds itself to `calls`, then reads the word; `expose` clears the word, then reads `calls`. So either the call
finds nothing, or the object that keeps the host descriptor open stays until the call has ended.
"""
from pyjit_wasm import config
from pyjit_wasm.codegen.abi import LLVM, NATIVE, WASI, formal
from pyjit_wasm.codegen.support import DECLARATIONS, INTERFACE, come_back, go_outside
from pyjit_wasm.codegen.system_calls import EINTR
from pyjit_wasm.codegen.text import COLD, Function
from pyjit_wasm.runtime.layout import DIRECT, EXEC_ENV, MEM, THREAD, WASI_FUNC

_READV, _WRITEV = 19, 20
_IOVEC = 8  # bytes of a guest's
_CLOCKS = 2  # CLOCK_REALTIME and CLOCK_MONOTONIC have the same numbers on Linux
_NANOSECONDS = 1_000_000_000


class _Call(Function):
    """A WASI function; what it is given is %a0, %a1... `ask_if` goes to Python."""

    def __init__(self, name):
        self.types = [LLVM[letter] for letter in WASI[name].split(":")[0]]
        super().__init__(f"{NATIVE} i32", name, "ptr nest %func, ptr %env, ptr %inst" + formal(self.types))
        memory = self.load("ptr", "%func", WASI_FUNC.memory)
        self.ask_if(f"icmp eq ptr {memory}, null")
        self.base, self.size = self.load("ptr", memory, MEM.base), self.load("i64", memory, MEM.bytes)

    def ask_if(self, condition):
        self.unlikely(self.let(condition), "ask")

    def wide(self, name):
        return self.let(f"zext i32 {name} to i64")

    def span(self, offset, length):
        """Pointer to `length` bytes of memory, both i64 that make no more than 2**33 together."""
        self.ask_if(f"icmp ugt i64 {self.let(f'add i64 {offset}, {length}')}, {self.size}")
        return self.at(self.base, offset)

    def host(self, call):
        """Call a C function; its result."""
        thread = go_outside(self, "%func")
        result = self.let(call)
        come_back(self, thread)
        return result

    def __str__(self):
        self.label("ask")
        arguments = "".join(f", {type} %a{index}" for index, type in enumerate(self.types))
        python = self.load("ptr", "%func", WASI_FUNC.python)
        errno = self.let(f"musttail call {NATIVE} i32 {python}(ptr nest %func, ptr %env, ptr %inst{arguments})")
        self.do(f"ret i32 {errno}")
        return super().__str__()


def _host_vectors(f, vectors, count):
    """The host's iovecs for `count` of the guest's at `vectors`, which other threads of the host may be changing: each word
    is read once. All buffers are checked."""
    host = f.room(f"[{2 * config.WASI_DIRECT_IOVECS} x i64]")
    f.do("br label %gather")
    f.label("gather")
    f.do("br label %vector")
    f.label("vector")
    f.do("%i = phi i64 [ 0, %gather ], [ %i1, %gathered ]")
    vector, place = f.at(vectors, f.let(f"mul i64 %i, {_IOVEC}")), f.at(host, f.let("mul i64 %i, 16"))
    start, length = (f.wide(f.let(f"load volatile i32, ptr {f.at(vector, offset)}, align 1")) for offset in (0, 4))
    f.store("ptr", f.span(start, length), place)
    f.store("i64", length, place, 8)
    f.do("br label %gathered")
    f.label("gathered")
    f.do("%i1 = add i64 %i, 1")
    f.branch(f.let(f"icmp ult i64 %i1, {count}"), "vector", "complete")
    f.label("complete")
    return host


def _without_gil(f):
    """Release the GIL where the caller keeps it, after a look for signals that have come; an i1 for `_as_before`."""
    kept = f.let(f"icmp eq ptr {f.load('ptr', '%env', EXEC_ENV.tstate)}, null")
    f.branch(kept, "release", "released")
    f.label("release")
    f.unlikely(f.let(f"icmp ne i32 {f.let('call i32 @rt_check(ptr %env)')}, 0"), "raised")
    f.store("ptr", f.let("call ptr @PyEval_SaveThread()"), "%env", EXEC_ENV.tstate)
    f.do("br label %released")
    f.label("released")
    return kept


def _as_before(f, kept):
    """Take the GIL again where the caller keeps it."""
    take, taken = f.new_label("take"), f.new_label("taken")
    f.branch(kept, take, taken)
    f.label(take)
    f.do(f"call void @PyEval_RestoreThread(ptr {f.load('ptr', '%env', EXEC_ENV.tstate)})")
    f.store("ptr", "null", "%env", EXEC_ENV.tstate)
    f.do(f"br label %{taken}")
    f.label(taken)


def _host_call(f, number, direct, word, vectors, count):
    """Read or write with the host descriptor that is in `word` of the DIRECT at `direct`, while that is counted as in use:
    the kernel's answer. Goes to `closed` if it is not there any more."""
    f.do(f"atomicrmw add ptr {f.at(direct, DIRECT.calls)}, i64 1 seq_cst")
    before = f.let(f"load atomic i64, ptr {word} seq_cst, align 8")
    f.unlikely(f.let(f"icmp eq i64 {before}, 0"), "closed")
    fileno, vectors = f.let(f"sub i64 {before}, 1"), f.let(f"ptrtoint ptr {vectors} to i64")
    answer = f.host(f"call i64 @rt_system_call(i64 {number}, i64 {fileno}, i64 {vectors}, i64 {count})")
    f.do(f"atomicrmw sub ptr {f.at(direct, DIRECT.calls)}, i64 1 seq_cst")
    f.unlikely(f.let(f"icmp ne i64 {f.let(f'load atomic i64, ptr {word} seq_cst, align 8')}, {before}"), "changed")
    f.do("br label %made")
    f.label("changed")
    f.do(f"call void @last_call(ptr %env, ptr {direct})")
    f.do("br label %made")
    f.label("made")
    return answer


def _transfer(name, number, direction, errnos):
    """`fd_read` or `fd_write`."""
    f = _Call(name)
    fd, iovs, count, result = map(f.wide, ("%a0", "%a1", "%a2", "%a3"))
    f.ask_if(f"icmp uge i64 {fd}, {config.WASI_DIRECT}")
    f.ask_if(f"icmp uge i64 {f.let(f'sub i64 {count}, 1')}, {config.WASI_DIRECT_IOVECS}")  # 0 too
    place = f.span(result, "4")
    vectors = _host_vectors(f, f.span(iovs, f.let(f"mul i64 {count}, {_IOVEC}")), count)
    direct = f.at(f.load("ptr", "%func", WASI_FUNC.descriptors), f.let(f"mul i64 {fd}, {DIRECT.size}"))
    word = f.at(direct, direction)
    f.ask_if(f"icmp eq i64 {f.let(f'load atomic i64, ptr {word} monotonic, align 8')}, 0")
    thread = f.load("ptr", "%env", EXEC_ENV.thread)
    kept = _without_gil(f)
    f.do("br label %call")
    f.label("call")
    answer = _host_call(f, number, direct, word, vectors, count)
    f.unlikely(f.let(f"icmp eq i64 {answer}, {-EINTR}"), "interrupted")
    error = f.let(f"call i64 @llvm.smax.i64(i64 {f.let(f'sub i64 0, {answer}')}, i64 0)")
    error = f.let(f"call i64 @llvm.umin.i64(i64 {error}, i64 {len(errnos) - 1})")
    errno = f.let(f"zext i8 {f.load('i8', '@errnos', error)} to i32")
    f.unlikely(f.let(f"icmp ne i32 {errno}, 0"), "answered")
    f.do(f"store i32 {f.let(f'trunc i64 {answer} to i32')}, ptr {place}, align 1")
    f.do("br label %answered")
    f.label("answered")
    f.unlikely(f.let(f"icmp ne i64 {f.load('i64', thread, THREAD.interrupted)}, 0"), "look")
    f.do("br label %looked")
    f.label("look")
    f.do("call void @rt_poll(ptr %env)")
    f.do("br label %looked")
    f.label("looked")
    _as_before(f, kept)
    f.do(f"ret i32 {errno}")
    f.label("interrupted")
    f.store("i64", "1", thread, THREAD.interrupted)
    f.do("call void @rt_poll(ptr %env)")
    f.do("br label %call")
    f.label("closed")
    f.do(f"atomicrmw sub ptr {f.at(direct, DIRECT.calls)}, i64 1 seq_cst")
    f.do(f"call void @last_call(ptr %env, ptr {direct})")
    _as_before(f, kept)
    f.do("br label %ask")
    f.label("raised")
    f.do("call void @rt_unwind(ptr %env)")
    f.do("unreachable")
    return str(f)


def _clock_time_get():
    f = _Call("clock_time_get")
    f.ask_if(f"icmp uge i32 %a0, {_CLOCKS}")
    place, time = f.span(f.wide("%a2"), "8"), f.room("[2 x i64]")
    f.ask_if(f"icmp ne i32 {f.host(f'call i32 @clock_gettime(i32 %a0, ptr {time})')}, 0")
    seconds, rest = f.load("i64", time), f.load("i64", time, 8)
    now = f.let(f"add i64 {f.let(f'mul i64 {seconds}, {_NANOSECONDS}')}, {rest}")
    f.do(f"store i64 {now}, ptr {place}, align 1")
    f.do("ret i32 0")
    return str(f)


def _random_get():
    f = _Call("random_get")
    length = f.wide("%a1")
    f.ask_if(f"icmp ugt i64 {length}, {config.WASI_DIRECT_RANDOM}")
    place = f.span(f.wide("%a0"), length)
    made = f.host(f"call i64 @getrandom(ptr {place}, i64 {length}, i32 0)")
    f.ask_if(f"icmp ne i64 {made}, {length}")
    f.do("ret i32 0")
    return str(f)


def _expose():
    """`expose(direct, read, write, object)`: from now on a descriptor is read and written by these words; 0 for those that
    it has not, and for the object if there is none. As long as calls use an object that was here before, that stays, and the
    new one is not taken."""
    f = Function("void", "expose", "ptr %direct, i64 %read, i64 %write, ptr %object")
    words = [(f.at("%direct", DIRECT.read), "%read"), (f.at("%direct", DIRECT.write), "%write")]
    for word, _ in words:
        f.do(f"store atomic i64 0, ptr {word} seq_cst, align 8")
    before = f.load("ptr", "%direct", DIRECT.object)
    f.do("call void @Py_IncRef(ptr %object)")
    calls = f.let(f"atomicrmw add ptr {f.at('%direct', DIRECT.calls)}, i64 0 seq_cst")
    other = f.let(f"icmp ne ptr {before}, %object")
    used = f.let(f"and i1 {other}, {f.let(f'icmp ne i64 {calls}, 0')}")
    f.unlikely(f.let(f"and i1 {used}, {f.let(f'icmp ne ptr {before}, null')}"), "used")
    f.store("ptr", "%object", "%direct", DIRECT.object)
    for word, value in words:
        f.do(f"store atomic i64 {value}, ptr {word} seq_cst, align 8")
    f.do(f"call void @Py_DecRef(ptr {before})")
    f.do("ret void")
    f.label("used")
    f.do("call void @Py_DecRef(ptr %object)")
    f.do("ret void")
    return str(f)


def _last_call():
    """`last_call(env, direct)`, without the GIL: what was closed while calls used it is released if this was the last."""
    f = Function("internal void", "last_call", "ptr %env, ptr %direct")
    f.do(f"call void @PyEval_RestoreThread(ptr {f.load('ptr', '%env', EXEC_ENV.tstate)})")
    f.store("ptr", "null", "%env", EXEC_ENV.tstate)
    words = f.let(f"or i64 {f.load('i64', '%direct', DIRECT.read)}, {f.load('i64', '%direct', DIRECT.write)}")
    used = f.let(f"or i64 {words}, {f.load('i64', '%direct', DIRECT.calls)}")
    f.branch(f.let(f"icmp eq i64 {used}, 0"), "release", "done")
    f.label("release")
    closed = f.load("ptr", "%direct", DIRECT.object)
    f.store("ptr", "null", "%direct", DIRECT.object)
    f.do(f"call void @Py_DecRef(ptr {closed})")
    f.do("br label %done")
    f.label("done")
    f.store("ptr", f.let("call ptr @PyEval_SaveThread()"), "%env", EXEC_ENV.tstate)
    f.do("ret void")
    return str(f)


def source(errnos):
    """IR text. `errnos`: the WASI number for each host errno from 0 on, bytes; the last one is for all others."""
    table = "".join(f"\\{number:02X}" for number in errnos)
    texts = (f'@errnos = private constant [{len(errnos)} x i8] c"{table}"\n'
             "declare i64 @getrandom(ptr, i64, i32) nounwind\n"
             "declare i64 @llvm.smax.i64(i64, i64)\n")
    return "".join((DECLARATIONS, INTERFACE, COLD, texts, _transfer("fd_read", _READV, DIRECT.read, errnos),
                    _transfer("fd_write", _WRITEV, DIRECT.write, errnos), _clock_time_get(), _random_get(), _expose(),
                    _last_call()))
