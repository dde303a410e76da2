"""Entries: the way into wasm from outside, from Python and from C.

An entry checks that its thread may run the exec_env, saves the exec_env's state on the machine stack, which makes calls
re-entrant, and marks by `_setjmp` where traps come back to. A caller from Python holds the GIL. One from C may hold it or
not, and may come from a thread that Python does not know.
"""
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import CALL_SITE, ENTRY, EXEC_ENV, PYTHON_EXCEPTION, RUNTIME, SERVICE, THREAD

SAVED = (EXEC_ENV.jmp, EXEC_ENV.top, EXEC_ENV.exit_fp, EXEC_ENV.activation, EXEC_ENV.entry_fp, EXEC_ENV.thread,
         EXEC_ENV.native_limit, EXEC_ENV.tstate, EXEC_ENV.frame)
# (whether it is the exec_env's or the THREAD's, its offset there, its offset in ENTRY)
_OUTER = ((True, EXEC_ENV.activation, ENTRY.activation), (True, EXEC_ENV.exit_fp, ENTRY.exit_fp),
          (True, EXEC_ENV.entry_fp, ENTRY.entry_fp), (False, THREAD.outside, ENTRY.outside),
          (False, THREAD.func, ENTRY.func), (False, THREAD.python, ENTRY.python), (False, THREAD.entry, ENTRY.previous))
_JMP_BUF = "[40 x i64], align 16"

# what entries from C need besides `codegen.support.DECLARATIONS`
GIL_STATE = """
declare i32 @PyGILState_Check() nounwind
declare ptr @PyGILState_GetThisThreadState() nounwind
declare i32 @PyGILState_Ensure() nounwind
"""


def count_crossings(f, change):
    """Python has the GIL."""
    place = f.load("ptr", "@runtime", RUNTIME.crossings)
    f.store("i64", f.let(f"add i64 {f.load('i64', place)}, {change}"), place)


class Entry:
    """Writes one entry into the Text `f`: `open`, `run`, `close`, a return, then `failures`, which end with a branch to
    the label `failed`, a Python exception set and the GIL held. `site`: name of the CALL_SITE; `from_c`: whether the
    caller may be without the GIL; `crosses`: it is entered and left in a crossing (runtime.crossings), which does not last
    while wasm runs."""

    def __init__(self, f, site, from_c=False, crosses=False):
        self.f, self.from_c, self.crosses = f, from_c, crosses
        self.jmp, self.saved = f.let(f"alloca {_JMP_BUF}"), f.let(f"alloca [{len(SAVED)} x i64]")
        self.entry = f.let(f"alloca [{ENTRY.size} x i8], align 8")
        self.site = site
        self.env, self.func = f.load("ptr", site, CALL_SITE.env), f.load("ptr", site, CALL_SITE.func)
        self.released = "null"  # the caller's PyThreadState if it is without the GIL

    def open(self):
        f, env = self.f, self.env
        if self.from_c:
            self._look_for_gil()
        self._find_thread()
        self._take_ownership()
        self.outer = f.load("ptr", "%thread", THREAD.env)
        for i, offset in enumerate(SAVED):
            f.store("i64", f.load("i64", env, offset), self.saved, 8 * i)
        self._keep_outer()
        frame = f.let("call ptr @llvm.frameaddress.p0(i32 0)")
        limit = f.load("ptr", "%thread", THREAD.native_limit)
        f.store("ptr", limit, env, EXEC_ENV.native_limit)
        f.store("ptr", self.jmp, env, EXEC_ENV.jmp)
        f.store("ptr", "null", env, EXEC_ENV.activation)
        f.store("ptr", self.released, env, EXEC_ENV.tstate)
        f.store("ptr", frame, env, EXEC_ENV.entry_fp)
        f.store("ptr", "%thread", env, EXEC_ENV.thread)
        f.store("ptr", env, "%thread", THREAD.env)
        self._count_crossings(-1)
        f.unlikely(f.let(f"icmp ult ptr {frame}, {limit}"), "exhausted")
        landed = f.let(f"call i32 @_setjmp(ptr {self.jmp}) returns_twice")
        f.unlikely(f.let(f"icmp ne i32 {landed}, 0"), "landed")

    def run(self, call, types):
        """Emit `call()`, which emits a call and gives the names of its results, of these types. The GIL is released around
        it unless the site says that the function is brief."""
        f, env = self.f, self.env
        keep = f.let(f"icmp ne i64 {f.load('i64', self.site, CALL_SITE.keep_gil)}, 0")
        if self.from_c:
            keep = f.let(f"or i1 {keep}, {f.let(f'icmp ne ptr {self.released}, null')}")
        f.branch(keep, "short", "long")
        f.label("short")
        first = call()
        f.do("br label %returned")
        f.label("long")
        f.store("ptr", f.let("call ptr @PyEval_SaveThread()"), env, EXEC_ENV.tstate)
        second = call()
        f.do(f"call void @PyEval_RestoreThread(ptr {f.load('ptr', env, EXEC_ENV.tstate)})")
        f.store("ptr", "null", env, EXEC_ENV.tstate)
        f.do("br label %returned")
        f.label("returned")
        return [f.let(f"phi {t} [ {a}, %short ], [ {b}, %long ]") for t, a, b in zip(types, first, second)]

    def close(self):
        f = self.f
        self._count_crossings(1)
        saved = {offset: f.load("i64", self.saved, 8 * i) for i, offset in enumerate(SAVED)}
        for offset, value in saved.items():
            f.store("i64", value, self.env, offset)
        f.store("ptr", self.outer, "%thread", THREAD.env)
        self._restore_outer()
        over, done = f.new_label("over"), f.new_label("over")
        f.branch(f.let(f"icmp eq i64 {saved[EXEC_ENV.thread]}, 0"), over, done)
        f.label(over)
        f.store("i64", "0", self.env, EXEC_ENV.request)     # a request is for what ran
        f.do(f"br label %{done}")
        f.label(done)
        f.do(f"store atomic ptr {self.owner_before}, ptr {self.owner} release, align 8")  # perhaps without the GIL: the last

    def _count_crossings(self, change):
        if self.crosses:
            count_crossings(self.f, change)

    def _keep_outer(self):
        """What stack walks want to know of the wasm that waits for this entry."""
        f = self.f
        self.nested = f.let(f"icmp ne ptr {self.outer}, null")
        f.branch(self.nested, "nested", "outermost")
        f.label("nested")
        f.store("ptr", self.outer, self.entry, ENTRY.env)
        for source, offset, place in _OUTER:
            f.store("i64", f.load("i64", self.outer if source else "%thread", offset), self.entry, place)
        f.store("ptr", self.entry, "%thread", THREAD.entry)
        f.do("br label %outermost")
        f.label("outermost")
        f.store("i64", "0", "%thread", THREAD.outside)
        f.store("i64", "0", "%thread", THREAD.python)

    def _restore_outer(self):
        f = self.f
        outer, done = f.new_label("outer"), f.new_label("outer")
        f.store("i64", "0", "%thread", THREAD.outside)
        f.branch(self.nested, outer, done)
        f.label(outer)
        for source, offset, place in _OUTER:
            if not source:
                f.store("i64", f.load("i64", self.entry, place), "%thread", offset)
        f.do(f"br label %{done}")
        f.label(done)

    def failures(self):
        f, env = self.f, self.env
        f.label("landed")
        tstate = f.load("ptr", env, EXEC_ENV.tstate)
        f.branch(f.let(f"icmp eq ptr {tstate}, null"), "locked", "unlocked")
        f.label("unlocked")
        f.do(f"call void @PyEval_RestoreThread(ptr {tstate})")
        f.store("ptr", "null", env, EXEC_ENV.tstate)
        f.do("br label %locked")
        f.label("locked")
        landed = f.load("i64", env, EXEC_ENV.status)
        f.do("br label %leave")
        f.label("exhausted")
        self._hold()
        f.store("i64", "0", env, EXEC_ENV.trace_len)
        f.do("br label %full")
        f.label("full")
        f.do("br label %leave")
        f.label("leave")
        status = f.let(f"phi i64 [ {landed}, %locked ], [ {TRAP_CODE['call stack exhausted']}, %full ]")
        self.close()
        f.branch(f.let(f"icmp eq i64 {status}, {PYTHON_EXCEPTION}"), "failed", "trapped")
        f.label("trapped")
        address = f.let(f"ptrtoint ptr {env} to i64")
        error = f.let(f"call ptr @rt_raise(i64 {SERVICE['trap_error']}, i64 {status}, i64 {address})")
        f.do(f"call void @rt_set_error(ptr {error})")
        f.do("br label %failed")
        f.label("in_use")
        address = f.let(f"ptrtoint ptr {env} to i64")
        f.do(f"call ptr @rt_raise(i64 {SERVICE['raise_in_use']}, i64 {address}, i64 0)")
        f.do("br label %failed")

    def release(self):
        """Where the caller was without the GIL, be without it again."""
        if self.from_c:
            self._if_released("call ptr @PyEval_SaveThread()")

    def _hold(self):
        """Where the caller was without the GIL, take it."""
        if self.from_c:
            self._if_released(f"call void @PyEval_RestoreThread(ptr {self.released})")

    def _if_released(self, action):
        f = self.f
        act, done = f.new_label("gil"), f.new_label("gil")
        f.branch(f.let(f"icmp eq ptr {self.released}, null"), done, act)
        f.label(act)
        f.do(action)
        f.do(f"br label %{done}")
        f.label(done)

    def _look_for_gil(self):
        """A thread that Python does not know gets a PyThreadState, which it keeps."""
        f = self.f
        f.do("br label %held.check")
        f.label("held.check")
        held = f.let(f"icmp ne i32 {f.let('call i32 @PyGILState_Check()')}, 0")
        f.branch(held, "gil.known", "unheld")
        f.label("unheld")
        mine = f.let("call ptr @PyGILState_GetThisThreadState()")
        f.do(f"br i1 {f.let(f'icmp eq ptr {mine}, null')}, label %stranger, label %gil.known, !prof !0")
        f.label("stranger")
        f.do("call i32 @PyGILState_Ensure()")
        fresh = f.let("call ptr @PyEval_SaveThread()")
        f.do("br label %gil.known")
        f.label("gil.known")
        self.released = f.let(f"phi ptr [ null, %held.check ], [ {mine}, %unheld ], [ {fresh}, %stranger ]")

    def _find_thread(self):
        """%thread: this thread's THREAD, made by a service when it runs wasm for the first time."""
        f = self.f
        known = f.let(f"call ptr @pthread_getspecific(i32 {f.load('i32', '@runtime', RUNTIME.thread_key)})")
        f.do("br label %have")
        f.label("have")
        f.do(f"br i1 {f.let(f'icmp eq ptr {known}, null')}, label %new_thread, label %threaded, !prof !0")
        f.label("new_thread")
        self._hold()
        made = f.let(f"call ptr @rt_raise(i64 {SERVICE['new_thread']}, i64 0, i64 0)")
        f.branch(f.let(f"icmp eq ptr {made}, null"), "failed", "made")
        f.label("made")
        number = f.let(f"call i64 @PyLong_AsLongLong(ptr {made})")
        f.do(f"call void @Py_DecRef(ptr {made})")
        self.release()
        fresh = f.let(f"inttoptr i64 {number} to ptr")
        f.do("br label %found")
        f.label("found")
        f.do("br label %threaded")
        f.label("threaded")
        f.do(f"%thread = phi ptr [ {known}, %have ], [ {fresh}, %found ]")

    def _take_ownership(self):
        """Only the thread that owns an exec_env may run it; the GIL protects taking it."""
        f = self.f
        word = self.owner = f.load("ptr", self.env, EXEC_ENV.owner)  # while it runs, `owner` may point elsewhere
        if self.from_c:
            f.branch(f.let(f"icmp eq ptr {f.load('ptr', word)}, %thread"), "owned", "claim")
            f.label("claim")
            self._hold()
            f.unlikely(f.let(f"icmp ne ptr {f.load('ptr', word)}, null"), "in_use")
            f.store("ptr", "%thread", word)
            self.release()
            f.do("br label %claimed")
            f.label("claimed")
            f.do("br label %owned")
            f.label("owned")
            self.owner_before = f.let("phi ptr [ %thread, %threaded ], [ null, %claimed ]")
            return
        self.owner_before = f.load("ptr", word)
        idle = f.let(f"icmp eq ptr {self.owner_before}, null")
        mine = f.let(f"icmp eq ptr {self.owner_before}, %thread")
        f.unlikely(f.let(f"xor i1 {f.let(f'or i1 {idle}, {mine}')}, true"), "in_use")
        f.store("ptr", "%thread", word)
