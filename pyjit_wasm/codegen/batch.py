"""Loops over arrays: what a numpy.ufunc calls, `void loop(char **args, intp *dimensions, intp *steps, void *data)`.

`data` is a BATCH. One entry serves the whole loop, as a call from C does: NumPy may have released the GIL. Inside it runs
what BATCH.code leads to, `(env, FUNC, args, steps, n)`: `each` of this signature's object, which calls the FUNC for each
element, or the `batch<idx>` of a compile unit, into which LLVM inlines the function. That has two loops, one for
contiguous arrays and repeated values, which can be vectorised, and one for any steps. Elements are taken one after the
other where arrays overlap (`reduce`, `accumulate`).

NumPy does not ask a loop whether it failed, and calls it for the rest of a large array. THREAD.batch_failed says that
this thread's exception may be set; if it is, nothing is run. Floating-point flags are left as they were: NumPy would
make warnings of what compiled code does.
"""
from pyjit_wasm.codegen.abi import LLVM, letter, pass_arguments, result_type, take_results
from pyjit_wasm.codegen.entries import GIL_STATE, Entry
from pyjit_wasm.codegen.probes import PROBED
from pyjit_wasm.codegen.signatures import Signature
from pyjit_wasm.codegen.support import DECLARATIONS, INTERFACE
from pyjit_wasm.codegen.text import COLD, Function
from pyjit_wasm.codegen.unit import LOOP
from pyjit_wasm.config import BATCH_INLINE
from pyjit_wasm.runtime.layout import BATCH, FUNC, RUNTIME, SERVICE, THREAD

_DECLARATIONS = """
declare void @PyGILState_Release(i32) nounwind
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
"""
_SIZE = {"i32": 4, "float": 4, "i64": 8, "double": 8}
_BLOCK = 128  # elements that a repeated value is written out for
_CODE = "ptr %env, ptr %func, ptr %args, ptr %steps, i64 %n"  # parameters of what BATCH.code leads to


class _Arrays:
    """What `%args` and `%steps` say, in the Text `f`: where arrays of parameters and results begin, bytes between
    elements."""

    def __init__(self, f, types, result_types):
        self.f, self.params = f, len(types)
        self.types = [*types, *result_types]
        self.pointers = [f.load("ptr", "%args", 8 * k) for k in range(len(self.types))]
        self.steps = [f.load("i64", "%steps", 8 * k) for k in range(len(self.types))]

    def element(self, places, call):
        """One call: `call(values)` gives the names of the results."""
        f = self.f
        values = [f.let(f"load {t}, ptr {p}, align {_SIZE[t]}") for t, p in zip(self.types, places[:self.params])]
        for type, value, place in zip(self.types[self.params:], call(values), places[self.params:]):
            f.do(f"store {type} {value}, ptr {place}, align {_SIZE[type]}")

    def stepping(self, call):
        """Any steps."""
        f = self.f
        f.loop("stepping", "%n", lambda i: self.element(
            [f.at(p, f.let(f"mul i64 {i}, {s}")) for p, s in zip(self.pointers, self.steps)], call))

    def is_contiguous(self):
        """Whether there are elements, and results lie one behind the other, and so does what each parameter comes from,
        unless that is one value."""
        f = self.f
        self.repeated = [f.let(f"icmp eq i64 {step}, 0") for step in self.steps[:self.params]]
        checks = [f.let(f"icmp eq i64 {s}, {_SIZE[t]}") for s, t in zip(self.steps, self.types)]
        checks[:self.params] = [f.let(f"or i1 {a}, {b}") for a, b in zip(checks, self.repeated)]
        return _reduce(f, "and", [f.let("icmp sgt i64 %n, 0"), *checks])

    def contiguous(self, call):
        """From the block `contiguous` to `end`; in stretches if there are repeated values, each of which is written out."""
        f = self.f
        arrays = [f.room(f"[{_BLOCK} x {type}]", 16) for type in self.types[:self.params]]
        some = _reduce(f, "or", self.repeated)
        span = f.let(f"select i1 {some}, i64 {_BLOCK}, i64 %n")
        f.branch(some, "repeat", "blocks")
        f.label("repeat")
        for k, (array, type) in enumerate(zip(arrays, self.types)):
            value = f.load(type, self.pointers[k])
            f.loop(f"fill{k}", _BLOCK, lambda i: f.do(
                f"store {type} {value}, ptr {f.let(f'getelementptr {type}, ptr {array}, i64 {i}')}"))
        f.do("br label %blocks")
        f.label("blocks")
        f.do(f"%first = phi i64 [ 0, %contiguous ], [ 0, %fill{self.params - 1}.done ], [ %first.next, %dense.done ]")
        count = f.let(f"call i64 @llvm.umin.i64(i64 {span}, i64 {f.let('sub i64 %n, %first')})")
        places = [f.let(f"getelementptr {t}, ptr {p}, i64 %first") for t, p in zip(self.types, self.pointers)]
        for k, (repeated, array) in enumerate(zip(self.repeated, arrays)):
            places[k] = f.let(f"select i1 {repeated}, ptr {array}, ptr {places[k]}")
        f.loop("dense", count, lambda i: self.element(
            [f.let(f"getelementptr {t}, ptr {p}, i64 {i}") for t, p in zip(self.types, places)], call))
        f.do(f"%first.next = add i64 %first, {span}")
        f.branch(f.let("icmp slt i64 %first.next, %n"), "blocks", "end")


def _reduce(f, operation, conditions):
    result, *rest = conditions
    for condition in rest:
        result = f.let(f"{operation} i1 {result}, {condition}")
    return result


def loop(unit, funcidx):
    """`@batch<idx>` of a compile unit."""
    functype = unit.module.funcs[funcidx].comp
    types, result_types = ([LLVM[letter(t)] for t in side] for side in (functype.params, functype.results))
    scope = unit.scope(f"{LOOP}{funcidx}", 0)
    f = Function("void", f"{LOOP}{funcidx}", _CODE, f"#0 !dbg {scope}")
    arrays, inst = _Arrays(f, types, result_types), f.load("ptr", "%func", FUNC.inst)

    def call(values, attribute=""):
        arguments = pass_arguments(f, types, values) if unit.tail else _all(types, values)
        return take_results(f, result_types, f"call {unit.convention} {result_type(result_types)} @f{funcidx}(ptr %env, "
                            f"ptr {inst}{arguments}){attribute}, !dbg {unit.location(0, scope)}")

    f.branch(arrays.is_contiguous(), "contiguous", "any")
    f.label("contiguous")
    inlined = unit.facts[funcidx - unit.module.imported_funcs].instructions <= BATCH_INLINE
    arrays.contiguous(lambda values: call(values, " alwaysinline" if inlined else ""))
    f.label("any")
    arrays.stepping(call)
    f.do("br label %end")
    f.label("end")
    f.do("ret void")
    return str(f)


def _all(types, values):
    return "".join(f", {type} {value}" for type, value in zip(types, values))


def _each(s):
    f = Function("internal void", "each", _CODE, PROBED)
    _Arrays(f, s.types, s.result_types).stepping(lambda values: s.call(f, "%func", "%env", values))
    f.do("ret void")
    return str(f)


def _enter(s):
    f = Function("void", "batch", "ptr %args, ptr %dimensions, ptr %steps, ptr %site")
    entry, flags, n = Entry(f, "%site", from_c=True), f.room("i32", 4), f.load("i64", "%dimensions")
    f.do(f"call void @llvm.x86.sse.stmxcsr(ptr {flags})")
    _look_for_failure(f)
    entry.open()
    code = _choose(f, entry.env, n)

    def call():
        f.do(f"call void {code}(ptr {entry.env}, ptr {entry.func}, ptr %args, ptr %steps, i64 {n})")
        return []

    entry.run(call, [])
    entry.close()
    f.do("br label %end")
    entry.failures()
    f.label("failed")
    thread = _thread(f)
    f.branch(f.let(f"icmp eq ptr {thread}, null"), "noted", "note")
    f.label("note")
    f.store("i64", "1", thread, THREAD.batch_failed)
    f.do("br label %noted")
    f.label("noted")
    entry.release()
    f.do("br label %end")
    f.label("end")
    f.do(f"call void @llvm.x86.sse.ldmxcsr(ptr {flags})")
    f.do("ret void")
    return str(f)


def _thread(f):
    return f.let(f"call ptr @pthread_getspecific(i32 {f.load('i32', '@runtime', RUNTIME.thread_key)})")


def _look_for_failure(f):
    """Return if this thread's exception is set."""
    thread = _thread(f)
    f.branch(f.let(f"icmp eq ptr {thread}, null"), "fine", "known")
    f.label("known")
    failed = f.load("i64", thread, THREAD.batch_failed)
    f.branch(f.let(f"icmp eq i64 {failed}, 0"), "fine", "suspect")
    f.label("suspect")
    state = f.let("call i32 @PyGILState_Ensure()")
    error = f.let("call ptr @PyErr_Occurred()")
    f.do(f"call void @PyGILState_Release(i32 {state})")
    f.branch(f.let(f"icmp eq ptr {error}, null"), "forget", "refuse")
    f.label("refuse")
    f.do("ret void")
    f.label("forget")
    f.store("i64", "0", thread, THREAD.batch_failed)
    f.do("br label %fine")
    f.label("fine")


def _choose(f, env, n):
    """BATCH.code, which is asked for when there were enough elements; `each` until then."""
    f.do("br label %choose")
    f.label("choose")
    code = f.load("ptr", "%site", BATCH.code)
    f.branch(f.let(f"icmp eq ptr {code}, null"), "undecided", "chosen")
    f.label("undecided")
    left = f.let(f"sub i64 {f.load('i64', '%site', BATCH.left)}, {n}")
    f.store("i64", left, "%site", BATCH.left)
    f.branch(f.let(f"icmp sgt i64 {left}, 0"), "chosen", "ask")
    f.label("ask")
    site = f.let("ptrtoint ptr %site to i64")
    answer = f.let(f"call i64 @rt_service(ptr {env}, i64 {SERVICE['prepare_batch']}, i64 {site}, i64 0, i64 0)")
    made = f.let(f"inttoptr i64 {answer} to ptr")
    f.branch(f.let(f"icmp eq i64 {answer}, 0"), "refused", "chosen")
    f.label("refused")
    f.do("br label %chosen")
    f.label("chosen")
    return f.let(f"phi ptr [ {code}, %choose ], [ @each, %undecided ], [ {made}, %ask ], [ @each, %refused ]")


def source(letters):
    """IR text of one signature's object."""
    s = Signature(letters)
    return "".join((DECLARATIONS, INTERFACE, GIL_STATE, _DECLARATIONS, COLD, _each(s), _enter(s)))
