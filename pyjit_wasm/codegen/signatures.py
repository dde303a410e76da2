"""Trampolines, generated once per signature and shared by every function that has it.

A signature is written in letters, parameters and results: "iI:f". Its object holds

  py_enter      Python to wasm: a vectorcall function
  cells_enter   Python to wasm with raw 64-bit cells instead of Python objects
  py_host       wasm to a Python callable                (native calling convention)
  c_host        wasm to a C function pointer             (native calling convention)
  and those of `codegen.tiers`

The native calling convention: (nest FUNC *, exec_env *, INSTANCE *, parameters...) -> results, where
the FUNC travels in the static chain register, which compiled functions do not even look at. `codegen.abi` has
the details. It is `tailcc`: a tail call may replace a frame by one with other parameters.
"""
from pyjit_wasm.codegen.abi import (LLVM, NATIVE, STATUS, formal, give_back, layout, pass_arguments, result_type,
                                    take_parameters, take_results)
from pyjit_wasm.codegen.boxing import box, size_errors, unbox
from pyjit_wasm.codegen.support import DECLARATIONS, INTERFACE, give_gil, take_gil
from pyjit_wasm.codegen.text import COLD, Function
from pyjit_wasm.codegen.tiers import between_tiers
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import CALL_SITE, EXEC_ENV, FUNC, PYTHON_EXCEPTION, RUNTIME, SERVICE, THREAD

EXTERNAL = """
@PyExc_OverflowError = external global ptr
@PyExc_TypeError = external global ptr
@PyExc_ValueError = external global ptr
@_Py_NoneStruct = external global i8
"""


class Signature:
    """Types and texts that the trampolines of one signature share. `status`: those for callers and callees
    whose modules have exceptions; they return a status behind the results."""

    def __init__(self, letters, status=False):
        params, results = letters.split(":")
        self.params, self.results = params, results
        self.types = [LLVM[c] for c in params]
        self.status = status
        self.result_types = [LLVM[c] for c in results] + [STATUS] * status
        self.result = result_type(self.result_types)
        self.entry = FUNC.status_entry if status else FUNC.entry
        self.places, params_size = layout(self.types)
        self.result_places, results_size = layout([LLVM[c] for c in results])
        self.header = max(params_size, results_size)  # FRAME above this many bytes of slots
        self.names = [f"%a{i}" for i in range(len(params))]

    def native(self, name):
        f = Function(f"{NATIVE} {self.result}", name, "ptr nest %func, ptr %env, ptr %inst" + formal(self.types))
        take_parameters(f, self.types)
        return f

    def give_back(self, f, values, status="0"):
        """Write the `ret` of results."""
        give_back(f, self.result_types, [*values, status] if self.status else values)

    def tail_call(self, f, callee):
        """End a native function as the call does, which takes this function's place."""
        if self.result == "void":
            f.do(f"musttail call {NATIVE} void {callee}")
            f.do("ret void")
        else:
            f.do(f"ret {self.result} {f.let(f'musttail call {NATIVE} {self.result} {callee}')}")

    def call(self, f, func, env, values):
        """Call a FUNC's entry: the list of results, the status among them."""
        arguments = pass_arguments(f, self.types, values, env)
        entry, inst = f.load("ptr", func, self.entry), f.load("ptr", func, FUNC.inst)
        call = f"call {NATIVE} {self.result} {entry}(ptr nest {func}, ptr {env}, ptr {inst}{arguments})"
        return take_results(f, self.result_types, call, env)


class _Objects:
    """Arguments are Python objects, the result one too."""

    def arguments(self, f, s, func):
        return [unbox(f, c, f.load("ptr", "%args", 8 * i), "failed", func, i) for i, c in enumerate(s.params)]

    def results(self, f, s, values):
        if not values:
            f.do("call void @Py_IncRef(ptr @_Py_NoneStruct)")
            return "@_Py_NoneStruct"
        boxed = [box(f, c, v) for c, v in zip(s.results, values)]
        if len(boxed) == 1:
            return boxed[0]
        result = f.let(f"call ptr @PyTuple_New(i64 {len(boxed)})")
        for i, item in enumerate(boxed):
            f.do(f"call i32 @PyTuple_SetItem(ptr {result}, i64 {i}, ptr {item})")
        return result

    def count(self, s):
        return len(s.params)


class _Cells:
    """The one argument is the address of an array of 64-bit cells, laid out as in a frame: parameters in,
    results out."""

    def arguments(self, f, s, func):
        number = f.let(f"call i64 @PyLong_AsLongLong(ptr {f.load('ptr', '%args')})")
        self.cells = f.let(f"inttoptr i64 {number} to ptr")
        return [f.load(t, self.cells, place) for place, t in zip(s.places, s.types)]

    def results(self, f, s, values):
        for place, t, v in zip(s.result_places, s.result_types, values):
            f.store(t, v, self.cells, place)
        f.do("call void @Py_IncRef(ptr @_Py_NoneStruct)")
        return "@_Py_NoneStruct"

    def count(self, s):
        return 1


SAVED = (EXEC_ENV.jmp, EXEC_ENV.top, EXEC_ENV.exit_fp, EXEC_ENV.activation, EXEC_ENV.entry_fp, EXEC_ENV.thread,
         EXEC_ENV.native_limit, EXEC_ENV.tstate)


def enter(s, name, marshal, site_offset):
    """Python to wasm. The exec_env's state is saved, `_setjmp` marks where traps come back to."""
    f = Function("ptr", name, "ptr %callable, ptr %args, i64 %nargsf, ptr %names")
    jmp, saved = f.let("alloca [40 x i64], align 16"), f.let(f"alloca [{len(SAVED) + 1} x i64]")
    site = f.load("ptr", "%callable", site_offset)
    count = f.let(f"and i64 %nargsf, {(1 << 63) - 1}")
    bad_count = f.let(f"icmp ne i64 {count}, {marshal.count(s)}")
    f.unlikely(f.let(f"or i1 {bad_count}, {f.let('icmp ne ptr %names, null')}"), "arity")
    env, func = f.load("ptr", site, CALL_SITE.env), f.load("ptr", site, CALL_SITE.func)
    values = marshal.arguments(f, s, func)
    _find_thread(f)
    owner = f.load("ptr", env, EXEC_ENV.thread)
    idle, mine = f.let(f"icmp eq ptr {owner}, null"), f.let(f"icmp eq ptr {owner}, %thread")
    f.unlikely(f.let(f"xor i1 {f.let(f'or i1 {idle}, {mine}')}, true"), "in_use")
    outer = f.load("ptr", "%thread", THREAD.env)
    for i, offset in enumerate(SAVED):
        f.store("i64", f.load("i64", env, offset), saved, 8 * i)
    frame = f.let("call ptr @llvm.frameaddress.p0(i32 0)")
    limit = f.load("ptr", "%thread", THREAD.native_limit)
    f.store("ptr", limit, env, EXEC_ENV.native_limit)
    f.store("ptr", jmp, env, EXEC_ENV.jmp)
    f.store("ptr", "null", env, EXEC_ENV.activation)
    f.store("ptr", "null", env, EXEC_ENV.tstate)
    f.store("ptr", frame, env, EXEC_ENV.entry_fp)
    f.store("ptr", "%thread", env, EXEC_ENV.thread)
    f.store("ptr", env, "%thread", THREAD.env)
    f.unlikely(f.let(f"icmp ult ptr {frame}, {limit}"), "exhausted")
    landed = f.let(f"call i32 @_setjmp(ptr {jmp}) returns_twice")
    f.unlikely(f.let(f"icmp ne i32 {landed}, 0"), "landed")
    keep = f.let(f"icmp ne i64 {f.load('i64', site, CALL_SITE.keep_gil)}, 0")
    f.branch(keep, "short", "long")
    f.label("short")
    first = s.call(f, func, env, values)
    f.do("br label %returned")
    f.label("long")
    f.store("ptr", f.let("call ptr @PyEval_SaveThread()"), env, EXEC_ENV.tstate)
    second = s.call(f, func, env, values)
    f.do(f"call void @PyEval_RestoreThread(ptr {f.load('ptr', env, EXEC_ENV.tstate)})")
    f.store("ptr", "null", env, EXEC_ENV.tstate)
    f.do("br label %returned")
    f.label("returned")
    values = [f.let(f"phi {t} [ {a}, %short ], [ {b}, %long ]") for t, a, b in zip(s.result_types, first, second)]
    _restore(f, env, saved, outer)
    f.do(f"ret ptr {marshal.results(f, s, values)}")
    _failures(f, env, saved, outer)
    return str(f)


def _find_thread(f):
    """%thread: this thread's THREAD, made by a service when it runs wasm for the first time."""
    known = f.let(f"call ptr @pthread_getspecific(i32 {f.load('i32', '@runtime', RUNTIME.thread_key)})")
    f.do("br label %have")
    f.label("have")
    f.do(f"br i1 {f.let(f'icmp eq ptr {known}, null')}, label %new_thread, label %threaded, !prof !0")
    f.label("new_thread")
    made = f.let(f"call ptr @rt_raise(i64 {SERVICE['new_thread']}, i64 0, i64 0)")
    f.branch(f.let(f"icmp eq ptr {made}, null"), "failed", "made")
    f.label("made")
    number = f.let(f"call i64 @PyLong_AsLongLong(ptr {made})")
    f.do(f"call void @Py_DecRef(ptr {made})")
    fresh = f.let(f"inttoptr i64 {number} to ptr")
    f.do("br label %threaded")
    f.label("threaded")
    f.do(f"%thread = phi ptr [ {known}, %have ], [ {fresh}, %made ]")


def _restore(f, env, saved, outer):
    for i, offset in enumerate(SAVED):
        f.store("i64", f.load("i64", saved, 8 * i), env, offset)
    f.store("ptr", outer, "%thread", THREAD.env)


def _failures(f, env, saved, outer):
    """The ways an entry fails: each ends in `ret ptr null` with a Python exception set."""
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
    f.store("i64", "0", env, EXEC_ENV.trace_len)
    f.do("br label %leave")
    f.label("leave")
    status = f.let(f"phi i64 [ {landed}, %locked ], [ {TRAP_CODE['call stack exhausted']}, %exhausted ]")
    _restore(f, env, saved, outer)
    f.branch(f.let(f"icmp eq i64 {status}, {PYTHON_EXCEPTION}"), "failed", "trapped")
    f.label("trapped")
    address = f.let(f"ptrtoint ptr {env} to i64")
    f.do(f"call ptr @rt_raise(i64 {SERVICE['raise_trap']}, i64 {status}, i64 {address})")
    f.do("ret ptr null")
    f.label("arity")
    f.do(f"call ptr @rt_raise(i64 {SERVICE['raise_arity']}, i64 {f.let('ptrtoint ptr %callable to i64')}, i64 "
         f"{f.let('and i64 %nargsf, ' + str((1 << 63) - 1))})")
    f.do("ret ptr null")
    f.label("in_use")
    f.do(f"call ptr @rt_raise(i64 {SERVICE['raise_in_use']}, i64 0, i64 0)")
    f.do("ret ptr null")
    size_errors(f, "failed")
    f.label("failed")
    f.do("ret ptr null")


def py_host(s):
    """wasm to a Python callable. A Python exception unwinds to the entry and comes out unchanged."""
    f = s.native("py_host")
    array = f.let(f"alloca [{len(s.params) + 1} x ptr]")
    tstate = take_gil(f)
    boxed = [box(f, c, v) for c, v in zip(s.params, s.names)]
    for i, item in enumerate(boxed):
        f.store("ptr", item, array, 8 * (i + 1))
    host = f.load("ptr", "%func", FUNC.host)
    count = len(boxed) | 1 << 63  # PY_VECTORCALL_ARGUMENTS_OFFSET
    result = f.let(f"call ptr @PyObject_Vectorcall(ptr {host}, ptr {f.at(array, 8)}, i64 {count - (1 << 64)}, "
                   "ptr null)")
    for item in boxed:
        f.do(f"call void @Py_DecRef(ptr {item})")
    f.unlikely(f.let(f"icmp eq ptr {result}, null"), "failed")
    if len(s.results) > 1:
        result = _as_tuple(f, result)
    values = _host_results(f, s, result)
    f.do(f"call void @Py_DecRef(ptr {result})")
    give_gil(f, tstate)
    give_back(f, s.result_types, values)
    size_errors(f, "unboxed")
    f.label("unboxed")
    f.do(f"call void @Py_DecRef(ptr {result})")
    f.do("br label %failed")
    f.label("failed")
    f.do("call void @rt_unwind(ptr %env)")
    f.do("unreachable")
    return str(f)


def _as_tuple(f, result):
    """Several results may come as any sequence."""
    items = f.let(f"call ptr @PySequence_Tuple(ptr {result})")
    f.do(f"call void @Py_DecRef(ptr {result})")
    f.unlikely(f.let(f"icmp eq ptr {items}, null"), "failed")
    return items


def _host_results(f, s, result):
    if len(s.results) < 2:
        return [unbox(f, c, result, "unboxed", "%func", ~0) for c in s.results]
    size = f.let(f"call i64 @PyTuple_Size(ptr {result})")
    f.unlikely(f.let(f"icmp ne i64 {size}, {len(s.results)}"), "unboxed.count")
    items = [f.let(f"call ptr @PyTuple_GetItem(ptr {result}, i64 {i})") for i in range(len(s.results))]
    values = [unbox(f, c, item, "unboxed", "%func", ~i) for i, (c, item) in enumerate(zip(s.results, items))]
    go_on = f.new_label("counted")
    f.do(f"br label %{go_on}")
    f.label("unboxed.count")
    f.do(f"call void @PyErr_SetString(ptr {f.load('ptr', '@PyExc_TypeError')}, ptr @count)")
    f.do("br label %unboxed")
    f.label(go_on)
    return values


def c_host(s):
    """wasm to a C function pointer; a signal that came while it ran is looked at behind it."""
    f = s.native("c_host")
    host = f.load("ptr", "%func", FUNC.host)
    arguments = ", ".join(f"{t} {v}" for t, v in zip(s.types, s.names))
    values = take_results(f, s.result_types, f"call {s.result} {host}({arguments})")
    flag = f.load("i64", f.load("ptr", "%env", EXEC_ENV.thread), THREAD.interrupted)
    f.branch(f.let(f"icmp eq i64 {flag}, 0"), "done", "poll")
    f.label("poll")
    f.do("call void @rt_poll(ptr %env)")
    f.do("br label %done")
    f.label("done")
    give_back(f, s.result_types, values)
    return str(f)


def source(letters, site_offset):
    """IR text of the trampolines of one signature. `site_offset`: where a callable keeps its CALL_SITE."""
    s = Signature(letters)
    functions = [enter(s, "py_enter", _Objects(), site_offset), enter(s, "cells_enter", _Cells(), site_offset),
                 py_host(s), c_host(s), *between_tiers(s)]
    texts = ('@width = private constant [31 x i8] c"integer does not fit the width\\00"\n'
             '@length = private constant [19 x i8] c"a v128 is 16 bytes\\00"\n'
             '@count = private constant [24 x i8] c"wrong number of results\\00"\n'
             "@exit_code = external constant ptr\n")
    return "".join((DECLARATIONS, INTERFACE, EXTERNAL, COLD, texts, *functions))
