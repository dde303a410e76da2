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
from pyjit_wasm.codegen import probes
from pyjit_wasm.codegen.abi import (LLVM, NATIVE, STATUS, formal, give_back, keeps_references, layout, pass_arguments,
                                    result_type, take_parameters, take_results)
from pyjit_wasm.codegen.boxing import box, box_all, release, size_errors, unbox
from pyjit_wasm.codegen.entries import Entry, count_crossings
from pyjit_wasm.codegen.support import DECLARATIONS, INTERFACE, come_back, give_gil, go_outside, look_for_request, take_gil
from pyjit_wasm.codegen.text import COLD, Function
from pyjit_wasm.codegen.tiers import between_tiers
from pyjit_wasm.config import STACK_PROBE
from pyjit_wasm.runtime.layout import FUNC, RUNTIME, SERVICE, THREAD

LARGE = 64  # parameters and results of a signature whose trampolines have code for each

EXTERNAL = """
@PyExc_OverflowError = external global ptr
@PyExc_TypeError = external global ptr
@PyExc_ValueError = external global ptr
@PyLong_Type = external global i8
@_Py_NoneStruct = external global i8
"""


VALUE_ROOM = 64  # bytes of an entry's frame for each parameter and result, at most


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

    def parameters(self, f):
        """The parameters' names in a native function."""
        return self.names

    def native(self, name):
        f = Function(f"{NATIVE} {self.result}", name, "ptr nest %func, ptr %env, ptr %inst" + formal(self.types), probes.PROBED)
        take_parameters(f, self.types)
        return f

    def give_back(self, f, values, status="0"):
        """Write the `ret` of results; None are undefined ones."""
        values = ["poison"] * len(self.results) if values is None else values
        give_back(f, self.result_types, [*values, status] if self.status else values)

    def tail_call(self, f, callee):
        """End a native function as the call does, which takes this function's place."""
        if self.result == "void":
            f.do(f"musttail call {NATIVE} void {callee}")
            f.do("ret void")
        else:
            f.do(f"ret {self.result} {f.let(f'musttail call {NATIVE} {self.result} {callee}')}")

    def pass_arguments(self, f, values, env="%env"):
        """As `abi.pass_arguments`."""
        return pass_arguments(f, self.types, values, env)

    def take_results(self, f, call, env):
        """As `abi.take_results`."""
        return take_results(f, self.result_types, call, env)

    def status_of(self, f, results):
        """The status among the results of a call."""
        return results[-1]

    def without_status(self, results):
        """The others."""
        return results[:-1]

    def call(self, f, func, env, values):
        """Call a FUNC's entry: the list of results, the status among them."""
        arguments = self.pass_arguments(f, values, env)
        entry, inst = f.load("ptr", func, self.entry), f.load("ptr", func, FUNC.inst)
        call = f"call {NATIVE} {self.result} {entry}(ptr nest {func}, ptr {env}, ptr {inst}{arguments})"
        return self.take_results(f, call, env)

    def to_frame(self, f, fp, values, what):
        """Store values in the slots below `fp`; `what`: "params" or "results"."""
        for place, c, value in zip(self._places(what), getattr(self, what), values):
            f.store(LLVM[c], value, fp, place - self.header)

    def from_frame(self, f, fp, what):
        """Load values from there."""
        return [f.load(LLVM[c], fp, place - self.header) for place, c in zip(self._places(what), getattr(self, what))]

    def _places(self, what):
        return self.places if what == "params" else self.result_places


class Objects:
    """Arguments are Python objects, the result one too."""

    boxed = ()  # what goes into a tuple

    def arguments(self, f, s, func):
        return [unbox(f, c, f.load("ptr", "%args", 8 * i), "failed", func, i) for i, c in enumerate(s.params)]

    def results(self, f, s, values):
        if not values:
            f.do("call void @Py_IncRef(ptr @_Py_NoneStruct)")
            return "@_Py_NoneStruct"
        if len(values) == 1:
            return box(f, s.results, values[0])
        boxed = box_all(f, s.results, values, "failed")
        result = f.let(f"call ptr @PyTuple_New(i64 {len(boxed)})")
        f.unlikely(f.let(f"icmp eq ptr {result}, null"), "no_tuple")
        for i, item in enumerate(boxed):
            f.do(f"call i32 @PyTuple_SetItem(ptr {result}, i64 {i}, ptr {item})")
        self.boxed = boxed
        return result

    def failures(self, f):
        """Where `results` goes; leads on to `failed`."""
        if self.boxed:
            f.label("no_tuple")
            for item in self.boxed:
                f.do(f"call void @Py_DecRef(ptr {item})")
            f.do("br label %failed")

    def count(self, s):
        return len(s.params)


class Cells:
    """The one argument is the address of an array of 64-bit cells, laid out as in a frame: parameters in,
    results out."""

    def find(self, f):
        number = unbox(f, "I", f.load("ptr", "%args"), "failed", "null", 0)
        self.cells = f.let(f"inttoptr i64 {number} to ptr")

    def arguments(self, f, s, func):
        self.find(f)
        return [f.load(t, self.cells, place) for place, t in zip(s.places, s.types)]

    def results(self, f, s, values):
        for place, t, v in zip(s.result_places, s.result_types, values):
            f.store(t, v, self.cells, place)
        f.do("call void @Py_IncRef(ptr @_Py_NoneStruct)")
        return "@_Py_NoneStruct"

    def failures(self, f):
        pass

    def count(self, s):
        return 1


_CALL = "ptr %callable, ptr %args, i64 %nargsf, ptr %names"     # parameters of what Python calls


def enter(s, name, marshal, site_offset):
    """Python to wasm. Whoever calls it with cells does so in a crossing if there are references."""
    room, outer = VALUE_ROOM * (len(s.params) + len(s.results)), ""
    crosses = keeps_references(s.params + s.results)
    if crosses and isinstance(marshal, Objects):
        outer, name = crossing(name), f"{name}_crossing"
    if room >= STACK_PROBE:
        outer, name = outer + _if_room(name, room), f"{name}_with_room"
    f = Function("ptr", name, _CALL)
    entry = Entry(f, f.load("ptr", "%callable", site_offset), crosses=crosses)
    count = check_arity(f, marshal.count(s))
    values = marshal.arguments(f, s, entry.func)
    entry.open()
    results = entry.run(lambda: s.call(f, entry.func, entry.env, values), s.result_types)
    entry.close()
    f.do(f"ret ptr {marshal.results(f, s, results)}")
    entry.failures()
    marshal.failures(f)
    arity_error(f, count)
    size_errors(f, "failed")
    f.label("failed")
    f.do("ret ptr null")
    return outer + str(f)


def crossing(name):
    """The function `name`, which does what `<name>_crossing` does in a crossing, and collects before that if it is time."""
    f = Function("ptr", name, _CALL)
    held, limit = (f.load("i64", "@runtime", offset, volatile=True) for offset in (RUNTIME.held_count, RUNTIME.held_limit))
    f.unlikely(f.let(f"icmp uge i64 {held}, {limit}"), "collect")
    f.do("br label %cross")
    f.label("collect")
    done = f.let(f"call ptr @rt_raise(i64 {SERVICE['collect_exceptions']}, i64 0, i64 0)")
    f.unlikely(f.let(f"icmp eq ptr {done}, null"), "failed")
    f.do(f"call void @Py_DecRef(ptr {done})")
    f.do("br label %cross")
    f.label("cross")
    count_crossings(f, 1)
    result = f.let(f"call ptr @{name}_crossing({_CALL})")
    count_crossings(f, -1)
    f.do(f"ret ptr {result}")
    f.label("failed")
    f.do("ret ptr null")
    return str(f)


def _if_room(name, size):
    """The function `name`, which goes on in `<name>_with_room` if the machine stack has `size` bytes for its frame."""
    f = Function("ptr", name, _CALL)
    f.unlikely(f.let(f"icmp ne i32 {f.let(f'call i32 @rt_room(i64 {size})')}, 0"), "failed")
    f.do(f"ret ptr {f.let(f'call ptr @{name}_with_room({_CALL})')}")
    f.label("failed")
    f.do("ret ptr null")
    return str(f)


def check_arity(f, wanted):
    """Branch to `arity` unless there are so many arguments, none of them by keyword; how many there are."""
    count = f.let(f"and i64 %nargsf, {(1 << 63) - 1}")
    bad_count = f.let(f"icmp ne i64 {count}, {wanted}")
    f.unlikely(f.let(f"or i1 {bad_count}, {f.let('icmp ne ptr %names, null')}"), "arity")
    return count


def arity_error(f, count):
    f.label("arity")
    f.do(f"call ptr @rt_raise(i64 {SERVICE['raise_arity']}, i64 {f.let('ptrtoint ptr %callable to i64')}, i64 {count})")
    f.do("br label %failed")


def py_host(s):
    """wasm to a Python callable. A Python exception unwinds to the entry and comes out unchanged."""
    f = s.native("py_host")
    array = f.let(f"alloca [{len(s.params) + 1} x ptr]")
    thread = go_outside(f, "%func")
    tstate = take_gil(f)
    boxed = box_all(f, s.params, s.names, "failed")
    for i, item in enumerate(boxed):
        f.store("ptr", item, array, 8 * (i + 1))
    host = f.load("ptr", "%func", FUNC.host)
    count = len(boxed) | 1 << 63  # PY_VECTORCALL_ARGUMENTS_OFFSET
    result = f.let(f"call ptr @PyObject_Vectorcall(ptr {host}, ptr {f.at(array, 8)}, i64 {count - (1 << 64)}, "
                   "ptr null)")
    for item in boxed:
        release(f, item)
    f.unlikely(f.let(f"icmp eq ptr {result}, null"), "failed")
    if len(s.results) > 1:
        result = _as_tuple(f, result)
    values = _host_results(f, s, result)
    release(f, result)
    look_for_request(f, "failed")
    give_gil(f, tstate)
    come_back(f, thread)
    give_back(f, s.result_types, values)
    size_errors(f, "unboxed")
    f.label("unboxed")
    f.do(f"call void @Py_DecRef(ptr {result})")
    f.do("br label %failed")
    f.label("failed")
    come_back(f, thread)
    f.do("call void @rt_fail(ptr %env)")
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
    arguments = ", ".join(f"{t} {v}" for t, v in zip(s.types, s.parameters(f)))
    thread = go_outside(f, "%func")
    values = s.take_results(f, f"call {s.result} {host}({arguments})", "%env")
    come_back(f, thread)
    flag = f.load("i64", thread, THREAD.interrupted)
    f.branch(f.let(f"icmp eq i64 {flag}, 0"), "done", "poll")
    f.label("poll")
    f.do("call void @rt_poll(ptr %env)")
    f.do("br label %done")
    f.label("done")
    s.give_back(f, values)
    return str(f)


def functions(part, letters, site_offset):
    """The texts of the functions of a part."""
    s = Signature(letters)
    return {"enter": lambda: [enter(s, "py_enter", Objects(), site_offset)],
            "cells": lambda: [enter(s, "cells_enter", Cells(), site_offset)],
            "host": lambda: [py_host(s)], "c_host": lambda: [c_host(s)],
            "tiers": lambda: between_tiers(s)}[part]()


def is_large(letters):
    """Whether `codegen.large` has the trampolines of a signature."""
    return len(letters) > LARGE


def source(part, letters, site_offset):
    """IR text of a part of the trampolines of one signature. `site_offset`: where a callable keeps its CALL_SITE."""
    write = functions
    if is_large(letters):
        from pyjit_wasm.codegen.large import functions as write
    texts = ('@width = private constant [31 x i8] c"integer does not fit the width\\00"\n'
             '@length = private constant [19 x i8] c"a v128 is 16 bytes\\00"\n'
             '@count = private constant [24 x i8] c"wrong number of results\\00"\n'
             "@exit_code = external constant ptr\n")
    return "".join((DECLARATIONS, INTERFACE, EXTERNAL, COLD, texts, *write(part, letters, site_offset)))
