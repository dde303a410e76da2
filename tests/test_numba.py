"""numba in both directions: its compiled functions as imports, wasm functions inside compiled code."""
import ctypes
import gc
import pickle
import sys
import textwrap
import threading
import warnings
import weakref

import pytest

import pyjit_wasm as wasm

numba = pytest.importorskip("numba")
np = pytest.importorskip("numpy")
njit, cfunc = numba.njit, numba.cfunc


def caller(params, results):
    """A module that passes on what it gets to the import `c.f` of that type."""
    signature = f"(param {params}) (result {results})"
    arguments = " ".join(f"(local.get {i})" for i in range(len(params.split())))
    return f"""(module (import "c" "f" (func $f {signature}))
      (func (export "run") {signature} (call $f {arguments})))"""


# --- compiled functions as imports

def add(a, b):
    return a + b


@njit
def swap(a, b):
    return b, a


@njit
def three(a, b):
    return a + 1.5, b, 2.5 * b


@njit
def several(a):
    return a, a, a, a


@njit
def nothing(a):
    pass


@njit
def is_small(n):
    return n < 10


@njit
def fail(n):
    if n == 1:
        raise ValueError("x")
    if n == 2:
        raise KeyError("value", n)
    if n == 3:
        raise MemoryError
    return 12 // n


RESULTS = {
    "wrapped": ("i32 i32", "i32", njit(add), (2 ** 31 - 1, 2), -2 ** 31 + 1),
    "i64": ("i64 i64", "i64", njit(add), (2 ** 62, 2 ** 61), 2 ** 62 + 2 ** 61),
    "f32": ("f32 f64", "f32", njit(add), (0.5, 0.25), 0.75),
    "mixed": ("i32 f64", "f64", njit(add), (3, 0.25), 3.25),
    "an integer becomes a float": ("i32 i64", "f64", njit(add), (3, 4), 7.0),
    "boolean": ("i32", "i32", is_small, (5,), 1),
    "none": ("i32", "", nothing, (5,), None),
    "not wanted": ("i32 i32", "", njit(add), (5, 6), None),
    "two": ("i32 f64", "f64 i32", swap, (7, 0.5), (0.5, 7)),
    "two of a kind": ("i64 i64", "i64 i64", swap, (7, 8), (8, 7)),
    "three": ("f32 f64", "f32 f64 f64", three, (1, 0.5), (2.5, 0.5, 1.25)),
    "four, by Python": ("i32", "i32 i64 f32 f64", several, (3,), (3, 3, 3.0, 3.0)),
}


@pytest.mark.parametrize("name", RESULTS)
def test_njit(load, name):
    params, results, function, arguments, expected = RESULTS[name]
    run = load(caller(params, results), {"c": {"f": function}}).exports.run
    assert run(*arguments) == expected and run(*arguments) == expected


@pytest.mark.parametrize("name", RESULTS)
def test_njit_is_called_natively(name):
    params, results, function, _, _ = RESULTS[name]
    inst = wasm.load(caller(params, results), {"c": {"f": function}})
    assert inst._inst.funcs[0].python == (name == "four, by Python")


def test_many_parameters(load):
    total = njit(lambda a, b, c, d, e, f, g, h, i, j, k, m: a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g + h + i + j + k - m)
    kinds, values = "i64 f64 " * 6, range(1, 13)
    expected = sum(v * w for v, w in zip(values, (1, 2, 3, 4, 5, 6, 1, 1, 1, 1, 1, -1)))
    assert load(caller(kinds, "f64"), {"c": {"f": total}}).exports.run(*values) == expected


EXCEPTIONS = [(0, ZeroDivisionError, ("integer division by zero",)), (1, ValueError, ("x",)), (2, KeyError, ("value", 2)),
              (3, MemoryError, ())]


@pytest.mark.parametrize("params", ["i32", "i64"])
def test_exceptions_of_njit(load, params, capfd):
    """The very type and arguments come out, at once, and nothing is printed."""
    inst = load(f"""(module (import "c" "f" (func $f (param {params}) (result {params})))
      (global $after (export "after") (mut i32) (i32.const 0))
      (func (export "run") (param {params}) (result {params})
        (call $f (local.get 0)) (global.set $after (i32.const 1))))""", {"c": {"f": fail}})
    for number, kind, arguments in EXCEPTIONS * 3:
        inst.exports.after.value = 0
        with pytest.raises(kind) as caught:
            inst.exports.run(number)
        assert type(caught.value) is kind and caught.value.args == arguments
        assert inst.exports.after.value == 0
        assert inst.exports.run(4) == 3
    assert capfd.readouterr() == ("", "")


def test_catch_all_sees_exceptions_of_njit(load):
    run = load("""(module (import "c" "f" (func $f (param i32) (result i32)))
      (func (export "run") (param i32) (result i32)
        (block $caught (return (try_table (result i32) (catch_all $caught) (call $f (local.get 0))))) (i32.const -1)))""",
               {"c": {"f": fail}}).exports.run
    assert [run(n) for n in (4, 0, 1, 2, 6)] == [3, -1, -1, -1, 2]


def test_njit_in_threads(load):
    """Each thread gets its own exceptions."""
    source, wrong = caller("i64", "i64"), []

    def work(run, number):
        kind = EXCEPTIONS[number][1]
        for _ in range(200):
            try:
                run(number)
                wrong.append("no exception")
            except kind:
                pass
            if run(12) != 1:
                wrong.append("no result")

    threads = [threading.Thread(target=work, args=(load(source, {"c": {"f": fail}}).exports.run, n)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("function, text", [
    (njit(lambda n: n / 2), "numba compiles <lambda>.. as .int32,. -> float64"),
    (njit(lambda n: (n, n)), "numba compiles"),
    (nothing, "numba compiles nothing.. as .int32,. -> none"),
    (njit(lambda n: n.real.missing), "numba cannot compile"),
    (njit(lambda a, b: a), "numba cannot compile"),
    (njit("int64(int64)")(lambda n: n), "numba cannot compile"),
], ids=["float", "tuple", "none", "error", "count", "declared for another type"])
def test_njit_that_does_not_fit(load, function, text):
    with pytest.raises(wasm.LinkError, match=f"incompatible import type for c.f: .* wanted, {text}"):
        load(caller("i32", "i32"), {"c": {"f": function}})


def test_object_mode_is_python(load):
    function = numba.jit(forceobj=True)(lambda n: len(str(n)))
    assert load(caller("i32", "i32"), {"c": {"f": function}}).exports.run(12345) == 5


def test_njit_with_declared_types(load):
    function = njit("int32(int32)")(lambda n: n * 2)
    assert load(caller("i32", "i32"), {"c": {"f": function}}).exports.run(21) == 42


def test_cfunc(load):
    for kind in ("int32(int32)", "uint32(uint32)", "intc(uintc)"):
        compiled = cfunc(kind)(lambda n: n + 1)
        inst = load(caller("i32", "i32"), {"c": {"f": compiled}})
        assert inst.exports.run(41) == 42 and not inst._inst.funcs[0].python
    nothing = cfunc("void(voidptr, float32)")(lambda p, x: None)
    assert load(caller("i64 f32", ""), {"c": {"f": nothing}}).exports.run(0, 1.0) is None


def test_exceptions_of_a_cfunc(load, monkeypatch):
    """They come out, and are not printed as where C calls it. One with pointers is called as C would, and numba prints."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_type))
    run = load(caller("i32", "i32"), {"c": {"f": cfunc("int32(int32)")(lambda n: 10 // n)}}).exports.run
    with pytest.raises(ZeroDivisionError):
        run(0)
    assert seen == [] and run(5) == 2
    run = load(caller("i64", "i32"), {"c": {"f": cfunc("int32(voidptr)")(lambda p: 10 // (p is None))}}).exports.run
    run(8)
    assert seen == [ZeroDivisionError]


# --- wasm functions in compiled code

WAT = """(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "div") (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1)))
  (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
  (func (export "small") (param f32) (result f32) (f32.neg (local.get 0)))
  (func (export "swap") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0))
  (func (export "four") (param i32) (result i32 i64 f32 f64)
    (local.get 0) (i64.const -2) (f32.const 3) (f64.const 4))
  (func (export "nothing") (param i32))
  (func (export "many") (param f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 i64 i64 i64 i64 i64 i64) (result f64)
    (f64.sub (local.get 9) (f64.convert_i64_s (local.get 15))))
  (func (export "reference") (param externref))
  (func (export "ask") (param i32) (result i32) (call $host (local.get 0)))
  (func (export "spin") (param i64) (result i64)
    (loop $l (br_if $l (i64.ne (i64.const 0) (local.tee 0 (i64.sub (local.get 0) (i64.const 1)))))) (i64.const 7)))"""


@pytest.fixture
def exports(load):
    return load(WAT, {"env": {"host": lambda n: n + 1}}).exports


@njit
def apply(f, a, b):
    return f(a, b)


def test_a_global(exports):
    add = exports.add

    @njit
    def total(n):
        result = np.int32(0)
        for i in range(n):
            result = add(result, np.int32(i))
        return result

    assert total(100) == sum(range(100))


def test_an_argument(exports):
    assert apply(exports.div, 7, -2) == -3
    assert apply(exports.add, np.int32(2 ** 31 - 1), np.int32(1)) == -2 ** 31
    assert apply(exports.swap, 5, 0.5) == (0.5, 5)
    assert apply(exports.div, 9, 3) == 3


def test_a_tuple_of_functions(load):
    functions = tuple(load(WAT, {"env": {"host": int}}).exports.div for _ in range(3))

    @njit
    def total(functions, n):
        result = 0
        for i in range(len(functions)):
            result += functions[i](n, i + 1)
        return result

    assert total(functions, 60) == 60 + 30 + 20


def test_results(exports):
    four, nothing, many, half, small, spin, ask = (
        exports[n] for n in ("four", "nothing", "many", "half", "small", "spin", "ask"))
    assert njit(lambda: four(1))() == (1, -2, 3.0, 4.0)
    assert njit(lambda: nothing(1))() is None
    assert njit(lambda: many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5, 11, 12, 13, 14, 15, 16))() == 10.5 - 16
    assert njit(lambda: (half(3), small(np.float32(0.5)), spin(10_000), ask(41)))() == (1.5, -0.5, 7, 42)


def test_a_function_comes_back_as_the_same_object(exports):
    function = exports.div
    assert njit(lambda f: f)(function) is function
    assert njit(lambda: function)() is function


def test_conversions(exports):
    """Safe ones, constants in range, and unsigned numbers of the width."""
    add, div, half = exports.add, exports.div, exports.half
    assert njit(lambda: (add(1, 0xFFFFFFFF), add(-2 ** 31, 0), half(3), half(np.float32(0.5))))() == (0, -2 ** 31, 1.5, 0.25)
    assert njit(lambda a, b: add(a, b))(np.int8(-3), np.uint32(2 ** 32 - 1)) == -4
    assert njit(lambda a, b: div(a, b))(np.int32(-9), np.uint64(2)) == -4


@pytest.mark.parametrize("call", [
    "lambda a, b: add(a, b)", "lambda a, b: add(1, 2.5)", "lambda a, b: add(1 << 40, 1)", "lambda a, b: add(1)",
    "lambda a, b: add(1, 2, 3)", "lambda a, b: add(1, b=2)", "lambda a, b: add('a', 1)", "lambda a, b: small(0.5)"])
def test_what_does_not_convert(exports, call):
    function = eval(call, {"add": exports.add, "small": exports.small})
    with pytest.raises(numba.TypingError, match="WasmFunction"):
        njit(function)(1, 2)  # two int64


def test_types_that_numba_does_not_have(exports):
    reference = exports.reference
    with pytest.raises(numba.TypingError):
        njit(lambda: reference(1))()


# --- failures

@pytest.mark.parametrize("options", [{}, {"nogil": True}, {"fastmath": True}, {"parallel": True}], ids=str)
def test_a_trap(exports, options):
    """The very Trap comes out of the compiled function, which goes no further."""
    div = exports.div

    def work(steps, divisor):
        steps[0] = 1
        steps[1] = div(10, divisor)
        steps[2] = 1
        return steps[1]

    compiled = njit(**options)(work)
    for _ in range(3):
        steps = np.zeros(3, np.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", numba.core.errors.NumbaPerformanceWarning)
            with pytest.raises(wasm.Trap, match="integer divide by zero") as caught:
                compiled(steps, 0)
        assert [frame.name for frame in caught.value.frames] == ["div"] and steps.tolist() == [1, 0, 0]
        assert compiled(steps, 5) == 2 and exports.div(4, 2) == 2


def test_a_trap_through_compiled_functions(exports):
    div = exports.div
    inner = njit(lambda n: div(1, n))
    outer = njit(lambda n: inner(n) + 1)
    with pytest.raises(wasm.Trap, match="integer divide by zero"):
        outer(0)
    assert outer(1) == 2


def test_an_exception_of_a_python_function(load):
    raised = LookupError("mine")

    def host(n):
        if n < 0:
            raise raised
        return n

    ask = load(WAT, {"env": {"host": host}}).exports.ask
    compiled = njit(lambda n: ask(np.int32(n)))
    with pytest.raises(LookupError) as caught:
        compiled(-1)
    assert caught.value is raised and compiled(3) == 3


def test_wasm_calls_compiled_code_calls_wasm(load, exports):
    """Exceptions of all layers go through."""
    div = exports.div
    run = load(caller("i64", "i64"), {"c": {"f": njit(lambda n: div(100, n))}}).exports.run
    assert run(7) == 14
    for _ in range(3):
        with pytest.raises(wasm.Trap, match="integer divide by zero"):
            run(0)
        assert run(-7) == -14
    again = njit(lambda n: run(n) + fail(n))
    assert again(4) == 25 + 3
    with pytest.raises(wasm.Trap):
        again(0)
    with pytest.raises(ValueError):
        again(1)


def test_a_pending_exception_is_raised(exports):
    """What a C pointer left is raised by the next call from compiled code too."""
    div, pointer = exports.div, exports.div.c_function()
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    assert kind(pointer.address)(1, 0) == 0
    compiled = njit(lambda: div(4, 2))
    with pytest.raises(wasm.Trap, match="integer divide by zero"):
        compiled()
    assert compiled() == 2


def test_a_c_pointer_in_compiled_code(exports):
    """numba calls it as any ctypes function: the exception stays pending."""
    pointer = exports.div.c_function()
    compiled = njit(lambda n: pointer(10, n))
    assert compiled(5) == 2 and compiled(0) == 0
    with pytest.raises(wasm.Trap, match="integer divide by zero"):
        exports.div(1, 1)
    assert compiled(5) == 2


def test_a_thread_that_python_does_not_know(load, exports):
    """pthread_create runs wasm, which calls compiled code, which calls wasm, which traps."""
    div = exports.div
    inst = load(caller("i64", "i64"), {"c": {"f": njit(lambda n: div(100, n))}})
    pointer, c = inst.exports.run.c_function(), ctypes.CDLL(None)
    for number in (4, 0):
        thread, result = ctypes.c_ulong(), ctypes.c_int64()
        assert not c.pthread_create(ctypes.byref(thread), None, pointer, ctypes.c_void_p(number))
        assert not c.pthread_join(thread, ctypes.byref(result))
        assert result.value == (25 if number else 0)
    with pytest.raises(wasm.Trap, match="integer divide by zero"):
        pointer.check()
    assert inst.exports.run(5) == 20


# --- threads

def test_threads_without_the_gil(load):
    """An instance each."""
    def work(f, n):
        result = 0
        for i in range(n):
            result += f(i, 3)
        return result

    compiled, results = njit(nogil=True)(work), []
    expected = sum(i // 3 for i in range(20_000))
    functions = [load(WAT, {"env": {"host": int}}).exports.div for _ in range(2)]
    threads = [threading.Thread(target=lambda f=f: results.append(compiled(f, 20_000))) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 2


def test_two_threads_in_one_instance(load):
    inside, leave = threading.Event(), threading.Event()

    def host(n):
        inside.set()
        leave.wait(20)
        return n

    inst, results = load(WAT, {"env": {"host": host}}), []
    ask, div = inst.exports.ask, inst.exports.div
    compiled = njit(nogil=True)(lambda n: ask(n))
    thread = threading.Thread(target=lambda: results.append(compiled(np.int32(3))))
    thread.start()
    inside.wait(20)
    with pytest.raises(wasm.InUseError):
        njit(lambda: div(4, 2))()
    leave.set()
    thread.join()
    assert results == [3] and njit(lambda: div(4, 2))() == 2


PARALLEL = """
    import numba, numpy as np
    source = '''(module (import "env" "host" (func $host (param i64) (result i64)))
      (func (export "f") (param i64 i64) (result i64) (i64.div_s (call $host (local.get 0)) (local.get 1))))'''
    functions = tuple(load(source, {"env": {"host": lambda n: n + 1}}, MODE).exports.f
                      for _ in range(numba.config.NUMBA_NUM_THREADS))

    @numba.njit(parallel=True)
    def work(n, divisor):
        out = np.zeros(n, np.int64)
        for i in numba.prange(n):
            out[i] = functions[numba.get_thread_id()](i, divisor)
        return out
"""


def test_parallel_loops(child, mode):
    """In numba's own threads, which Python does not know, with Python functions as imports."""
    done = child(f"MODE = {mode!r}" + textwrap.dedent(PARALLEL) + textwrap.dedent("""
        assert work(1000, 3).tolist() == [(i + 1) // 3 for i in range(1000)]
        print("done")"""), timeout=120)
    assert done.stdout == "done\n", done.stderr


def test_traps_in_parallel_loops(child, mode):
    """numba cannot raise what happens in a parallel loop. In its own threads a trap is kept, and raised with the next use of
    the function; in the thread that called, numba's SystemError has it as its cause."""
    done = child(f"MODE = {mode!r}" + textwrap.dedent(PARALLEL) + textwrap.dedent("""
        work(10, 3)
        seen = []
        try:
            work(1000, 0)
        except SystemError as error:
            seen.append(error.__cause__.code)
        for function in functions:
            try:
                function(1, 1)
            except wasm.Trap as trap:
                seen.append(trap.code)
        assert seen == ["integer divide by zero"] * len(functions), seen
        assert work(1000, 3).tolist() == [(i + 1) // 3 for i in range(1000)]
        print("done")"""), timeout=120)
    assert done.stdout == "done\n", done.stderr


# --- lifetime, caches

def test_compiled_code_keeps_its_functions(load):
    holder = [load(WAT, {"env": {"host": int}}).exports.div]
    function = weakref.ref(holder[0])

    def make(div):
        return njit(lambda n: div(10, n))

    compiled = make(holder.pop())
    assert compiled(5) == 2
    compiled.py_func.__closure__[0].cell_contents = None
    gc.collect()
    assert function() is not None and compiled(2) == 5
    del compiled
    gc.collect()
    assert function() is None


CACHED = '''
import warnings
import numba
import numpy as np
import pyjit_wasm as wasm

add = wasm.load("""(module (func (export "add") (param i32 i32) (result i32)
  (i32.add (local.get 0) (local.get 1))))""", mode=MODE).exports.add

@numba.njit(cache=True)
def by_argument(f, n):
    return f(np.int32(n), 1)

@numba.njit(cache=True)
def by_global(n):
    return add(np.int32(n), 1)

print(by_argument(add, 5), sum(by_argument.stats.cache_hits.values()))
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    print(by_global(5), sum(by_global.stats.cache_hits.values()), "Cannot cache" in str(seen[0].message))
'''


def test_caches_on_disk(tmp_path, child, mode):
    """Code that gets functions as arguments is cached; code that refers to one is not, because it has its address."""
    (tmp_path / "cached.py").write_text(f"MODE = {mode!r}{CACHED}")
    outputs = [child(f"sys.path.insert(0, {str(tmp_path)!r}); import cached", timeout=120) for _ in range(2)]
    assert [done.stdout for done in outputs] == [f"6 {hits}\n6 0 True\n" for hits in (0, 1)], outputs


def test_types_pickle(exports):
    kind = numba.typeof(exports.div)
    assert pickle.loads(pickle.dumps(kind)) == kind == numba.typeof(exports.div)
    assert kind != numba.typeof(exports.add)


def test_numba_is_imported_only_when_used(child):
    done = child("""
        inst = load('(module (func (export "f") (param i32) (result i32) (local.get 0)))')
        inst.exports.f.c_function()(1)
        load('(module (import "c" "f" (func)))', {"c": {"f": ctypes.CFUNCTYPE(None)(print)}})
        print("numba" in sys.modules, "cffi" in sys.modules)""")
    assert done.stdout == "False False\n", done.stderr
