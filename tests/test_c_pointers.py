"""Exports as C function pointers: what C gets, and where the exceptions go that C cannot take."""
import ctypes
import gc
import sys
import threading
import weakref

import pytest

import pyjit_wasm as wasm

C, PYTHON_API = ctypes.CDLL(None), ctypes.PyDLL(None)  # the GIL is released around calls, or is not

WAT = """(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "mixed") (param i32 i64 f32 f64) (result f64)
    (f64.add (f64.add (f64.convert_i32_s (local.get 0)) (f64.convert_i64_s (local.get 1)))
             (f64.add (f64.promote_f32 (local.get 2)) (local.get 3))))
  (func (export "twelve") (param i32 i64 i32 i64 i32 i64 i32 i64 f64 f32 i64 i32) (result i64)
    (i64.sub (i64.mul (local.get 10) (i64.extend_i32_s (local.get 11)))
             (i64.add (local.get 7) (i64.trunc_f64_s (local.get 8)))))
  (func (export "nothing"))
  (func (export "two") (result i32 i32) (i32.const 1) (i32.const 2))
  (func (export "vector") (param v128))
  (func (export "reference") (result externref) (ref.null extern))
  (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "deep") (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))
  (func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))
  (func (export "ask") (param i32) (result i32) (call $host (local.get 0)))
  (func (export "spin") (param i32) (result i32)
    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7)))"""


@pytest.fixture
def exports(load):
    return load(WAT, {"env": {"host": lambda n: n + 1}}).exports


@pytest.fixture
def unraisable(monkeypatch):
    """The exceptions that went to `sys.unraisablehook`."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_value))
    return seen


def plain(pointer, result=ctypes.c_int32, *params, kind=ctypes.CFUNCTYPE):
    """The bare C function behind a pointer object: what any C code would call."""
    function = kind(result, *params or (ctypes.c_int32, ctypes.c_int32))(pointer.address)
    function.keeps = pointer
    return function


def test_values(exports):
    assert exports.mixed.c_function()(-1, 1 << 40, 0.5, 0.25) == -1 + (1 << 40) + 0.75
    twelve = exports.twelve.c_function()
    assert twelve(1, 2, 3, 4, 5, 6, 7, 8, 9.9, 10.0, -11, 12) == -11 * 12 - (8 + 9)
    assert exports.nothing.c_function()() is None
    assert exports.spin.c_function()(1000) == 7
    assert exports.ask.c_function()(41) == 42


@pytest.mark.parametrize("name", ["two", "vector", "reference"])
def test_types_that_c_does_not_have(exports, name):
    with pytest.raises(TypeError, match="C has no functions of type"):
        exports[name].c_function()


def test_it_is_a_ctypes_function_of_its_type(exports):
    pointer = exports.mixed.c_function()
    kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int32, ctypes.c_int64, ctypes.c_float, ctypes.c_double)
    assert isinstance(pointer, kind)
    assert ctypes.cast(pointer, ctypes.c_void_p).value == pointer.address
    assert pointer.function is exports.mixed and "mixed" in repr(pointer)


def test_cffi_calls_it(exports):
    ffi = pytest.importorskip("cffi").FFI()
    pointer = exports.div.c_function()
    assert ffi.cast("int(*)(int, int)", pointer.address)(-9, 2) == -4


def test_a_call_from_python_raises_at_once(exports):
    div = exports.div.c_function()
    for _ in range(3):
        with pytest.raises(wasm.Trap, match="integer divide by zero") as caught:
            div(1, 0)
        assert [frame.name for frame in caught.value.frames] == ["div"]
        assert div(6, 3) == 2
    with pytest.raises(wasm.Exhaustion):
        exports.deep.c_function()(1)


# --- pending exceptions

@pytest.mark.parametrize("kind", [ctypes.CFUNCTYPE, ctypes.PYFUNCTYPE])
def test_c_gets_zero_until_the_exception_is_reported(exports, kind):
    pointer = exports.div.c_function()
    div = plain(pointer, kind=kind)
    for report in (pointer.check, lambda: pointer.__exit__(None, None, None), lambda: pointer(6, 2),
                   lambda: exports.div(6, 2), lambda: exports.nothing()):
        assert (div(6, 2), div(1, 0), div(6, 2)) == (3, 0, 0)
        with pytest.raises(wasm.Trap, match="integer divide by zero"):
            report()
        assert div(6, 2) == 3 and exports.div(6, 2) == 3
        pointer.check()


def test_a_block_raises_at_its_end(exports):
    with pytest.raises(wasm.Trap):
        with exports.div.c_function() as pointer:
            assert plain(pointer)(1, 0) == 0


def test_a_block_that_fails_has_the_trap_for_its_error(exports):
    with pytest.raises(wasm.Trap) as caught:
        with exports.div.c_function() as pointer:
            1 // plain(pointer)(1, 0)
    assert isinstance(caught.value.__context__, ZeroDivisionError)


def test_exceptions_of_python_functions(load):
    raised = LookupError("mine")

    def host(n):
        if n < 0:
            raise raised
        return n

    pointer = load(WAT, {"env": {"host": host}}).exports.ask.c_function()
    ask = plain(pointer, ctypes.c_int32, ctypes.c_int32)
    assert (ask(5), ask(-1), ask(5)) == (5, 0, 0)
    with pytest.raises(LookupError) as caught:
        pointer.check()
    assert caught.value is raised
    assert ask(5) == 5


# --- a C function that calls back: the C library's qsort on numbers in the guest's memory

SORT = """(module (memory (export "memory") 1)
  (global $base (export "base") (mut i64) (i64.const 0))
  (global $calls (export "calls") (mut i32) (i32.const 0))
  (global $last (export "last") (mut i32) (i32.const -1))
  (func $at (param i64) (result i32) (i32.load (i32.wrap_i64 (i64.sub (local.get 0) (global.get $base)))))
  (func (export "compare") (param $a i64) (param $b i64) (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.eq (global.get $calls) (global.get $last)) (then (unreachable)))
    (i32.sub (call $at (local.get $a)) (call $at (local.get $b)))))"""
NUMBERS = [n * 7919 % 1009 for n in range(300)]


def sorting(load):
    """(exports, (address of numbers in the guest's memory, how many, their size))"""
    exports = load(SORT).exports
    numbers = (ctypes.c_int32 * len(NUMBERS)).from_buffer(memoryview(exports.memory))
    numbers[:] = NUMBERS
    exports.base.value = ctypes.addressof(numbers)
    return exports, (ctypes.addressof(numbers), len(NUMBERS), 4)


def sort_by_ctypes(library):
    def sort(address, count, size, compare):
        function = library["qsort"]
        function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
        function.restype = None
        function(address, count, size, compare.address)
    return sort


def sort_by_cffi(address, count, size, compare):
    ffi = pytest.importorskip("cffi").FFI()
    ffi.cdef("void qsort(void *, size_t, size_t, int (*)(const void *, const void *));")
    pointer = ffi.cast("int(*)(const void *, const void *)", compare.address)
    ffi.dlopen(None).qsort(ffi.cast("void *", address), count, size, pointer)


SORTS = {"ctypes": sort_by_ctypes(C), "with the GIL": sort_by_ctypes(PYTHON_API), "cffi": sort_by_cffi}


@pytest.fixture(params=SORTS.values(), ids=SORTS)
def sort(request):
    return request.param


def test_qsort(load, sort):
    exports, arguments = sorting(load)
    sort(*arguments, exports.compare.c_function())
    assert memoryview(exports.memory).cast("i")[:len(NUMBERS)].tolist() == sorted(NUMBERS)
    assert exports.calls.value > len(NUMBERS)


def test_qsort_with_a_function_that_traps(load, sort):
    exports, arguments = sorting(load)
    exports.last.value = 10
    with pytest.raises(wasm.Trap, match="unreachable") as caught, exports.compare.c_function() as compare:
        sort(*arguments, compare)
    assert [frame.name for frame in caught.value.frames] == ["compare"]
    assert exports.calls.value == 10  # nothing ran behind the trap
    exports.calls.value, exports.last.value = 0, -1
    sort(*arguments, exports.compare.c_function())
    assert memoryview(exports.memory).cast("i")[:len(NUMBERS)].tolist() == sorted(NUMBERS)


def test_qsort_in_two_threads(load, sort):
    """Each has an instance of its own; one of them traps."""
    both, done = [sorting(load) for _ in range(2)], []
    both[1][0].last.value = 50

    def work(exports, arguments):
        try:
            for _ in range(20):
                with exports.compare.c_function() as compare:
                    sort(*arguments, compare)
            done.append(None)
        except wasm.Trap as trap:
            done.append(trap.code)

    threads = [threading.Thread(target=work, args=each) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done, key=str) == [None, "unreachable"]
    assert memoryview(both[0][0].memory).cast("i")[:len(NUMBERS)].tolist() == sorted(NUMBERS)


# --- wasm calls C calls wasm

CALLER = """(module (import "c" "f" (func $f (param i32 i32) (result i32)))
  (global (export "after") (mut i32) (i32.const 0))
  (func (export "run") (param i32 i32) (result i32) (call $f (local.get 0) (local.get 1)) (global.set 0 (i32.const 1))))"""


def test_an_exception_goes_on_behind_the_c_function(load, exports):
    """A pointer as an import of another instance is called natively; the trap ends the outer call at once."""
    run = load(CALLER, {"c": {"f": exports.div.c_function()}}).exports
    assert run.run(-9, 2) == -4
    for _ in range(3):
        run.after.value = 0
        with pytest.raises(wasm.Trap, match="integer divide by zero"):
            run.run(1, 0)
        assert run.after.value == 0
        assert run.run(8, 2) == 4 and exports.div(8, 2) == 4


def test_in_the_same_exec_env(load):
    """The instance calls a C function that calls the instance: the innermost call fails."""
    holder = {}
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32, ctypes.c_int32)

    @kind
    def callback(a, b):  # by ctypes, which would print an exception
        return holder["div"](a, b)

    inst = load("""(module (import "c" "f" (func $f (param i32 i32) (result i32)))
      (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
      (func (export "run") (param i32 i32) (result i32)
        (i32.add (i32.const 100) (call $f (local.get 0) (local.get 1)))))""", {"c": {"f": callback}})
    pointer = inst.exports.div.c_function()
    holder["div"] = plain(pointer)
    assert inst.exports.run(9, 3) == 103
    for _ in range(3):
        with pytest.raises(wasm.Trap, match="integer divide by zero"):
            inst.exports.run(9, 0)
        assert inst.exports.run(9, 3) == 103
    pointer.check()


def test_a_python_function_between(load):
    """Wasm calls Python, which calls C, which calls wasm of the same instance: it is raised behind the Python function."""
    holder, seen = {}, []

    def host(n):
        seen.append(holder["div"](1, n))
        return 5

    inst = load(WAT, {"env": {"host": host}})
    holder["div"] = plain(inst.exports.div.c_function())
    assert inst.exports.ask(1) == 5
    for _ in range(3):
        with pytest.raises(wasm.Trap, match="integer divide by zero"):
            inst.exports.ask(0)
        assert inst.exports.ask(1) == 5
    assert seen == [1] + 3 * [0, 1]


def test_an_exception_of_the_python_function_between(load):
    """The Python function fails too: its exception comes first, the trap with the next call."""
    holder = {}

    def host(n):
        return 1 // holder["div"](1, n)

    inst = load(WAT, {"env": {"host": host}})
    holder["div"] = plain(inst.exports.div.c_function())
    with pytest.raises(ZeroDivisionError):
        inst.exports.ask(0)
    with pytest.raises(wasm.Trap, match="integer divide by zero"):
        inst.exports.ask(1)
    assert inst.exports.ask(1) == 1


def test_modules_with_exceptions(load, exports):
    """Traps pass `catch_all`, exceptions of Python functions do not."""
    catcher = """(module (import "c" "f" (func $f (param i32) (result i32)))
      (func (export "run") (param i32) (result i32)
        (block $caught (return (try_table (result i32) (catch_all $caught) (call $f (local.get 0))))) (i32.const -1)))"""

    def host(n):
        return 10 // n

    asking = load(WAT, {"env": {"host": host}}).exports.ask.c_function()
    run = load(catcher, {"c": {"f": asking}}).exports.run
    assert [run(5), run(0), run(2)] == [2, -1, 5]
    run = load(catcher, {"c": {"f": exports.deep.c_function()}}).exports.run
    with pytest.raises(wasm.Exhaustion):
        run(1)


# --- threads and exec_envs

def test_a_thread_that_python_does_not_know(load):
    """pthread_create runs the export; the thread's trap is raised in the thread that looks."""
    inst = load("""(module (memory 1) (func (export "f") (param i64) (result i64) (i64.load (i32.wrap_i64 (local.get 0)))))""")
    pointer = inst.exports.f.c_function()
    for address in (0, 1 << 30):
        thread = ctypes.c_ulong()
        assert not C.pthread_create(ctypes.byref(thread), None, pointer, ctypes.c_void_p(address))
        assert not C.pthread_join(thread, None)
    with pytest.raises(wasm.Trap, match="out of bounds memory access"):
        pointer.check()
    assert inst.exports.f(8) == 0


def test_an_exec_env_that_another_thread_runs(load, unraisable):
    """C gets zero, and nothing of the thread that runs it is disturbed."""
    inside, leave = threading.Event(), threading.Event()

    def host(n):
        inside.set()
        leave.wait(20)
        return n

    inst = load(WAT, {"env": {"host": host}})
    pointer, results = inst.exports.div.c_function(), []
    thread = threading.Thread(target=lambda: results.append(inst.exports.ask(3)))
    thread.start()
    inside.wait(20)
    assert plain(pointer)(6, 2) == 0
    with pytest.raises(wasm.InUseError):
        inst.exports.div(6, 2)
    leave.set()
    thread.join()
    assert results == [3] and plain(pointer)(6, 2) == 3
    assert [type(error) for error in unraisable] == [wasm.InUseError]


def test_an_exec_env_of_its_own(load):
    inst, other = (load(WAT, {"env": {"host": int}}) for _ in range(2))
    small = wasm.ExecEnv(inst, 4096)
    pointer = inst.exports.div.c_function(small)
    assert pointer(6, 2) == 3
    assert plain(pointer)(6, 0) == 0
    assert inst.exports.div(6, 2) == 3  # its exec_env has nothing to report
    with pytest.raises(wasm.Trap):
        pointer.check()
    with pytest.raises(ValueError, match="another instance"):
        other.exports.div.c_function(small)
    with pytest.raises(TypeError, match="ExecEnv is required"):
        inst.exports.div.c_function(inst.exports.div)


def test_a_function_of_an_exec_env(load):
    """Its pointer runs with that exec_env too."""
    inst = load(WAT, {"env": {"host": int}})
    with wasm.ExecEnv(inst, 4096) as env:
        bound = env.function("div")
        pointer = bound.c_function()
        assert plain(pointer)(6, 2) == 3 and plain(pointer)(6, 0) == 0
        assert inst.exports.div(6, 2) == 3
        with pytest.raises(wasm.Trap, match="integer divide by zero"):
            bound(6, 2)


def test_a_closed_exec_env(load, unraisable):
    inst = load(WAT, {"env": {"host": int}})
    env = wasm.ExecEnv(inst, 4096)
    pointer = inst.exports.div.c_function(env)
    plain(pointer)(1, 0)
    env.close()
    assert plain(pointer)(6, 2) == 0
    pointer.check()
    assert [str(error) for error in unraisable] == ["this exec_env is closed"]


def test_ctrl_c(child, mode):
    """It ends an endless function that C called; the exception comes out where Python looks."""
    done = child(f"""
        inst = load('(module (func (export "f") (param i32) (result i32) (loop $l (br $l)) (i32.const 1)))', mode={mode!r})
        pointer = inst.exports.f.c_function()
        f = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)(pointer.address)
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        print(f(1))
        try:
            pointer.check()
        except KeyboardInterrupt:
            print("interrupted")""", timeout=30)
    assert done.stdout == "0\ninterrupted\n", done.stderr


def test_host_functions(load):
    pointer = wasm.Function(lambda n: 10 // n, ["i32"], ["i32"]).c_function()
    divide = plain(pointer, ctypes.c_int32, ctypes.c_int32)
    assert (divide(5), divide(0), divide(5)) == (2, 0, 0)
    with pytest.raises(ZeroDivisionError):
        pointer.check()
    with pytest.raises(ValueError, match="another instance"):
        pointer.function.c_function(wasm.ExecEnv(load(WAT, {"env": {"host": int}})))


def test_instances_that_are_linked_while_one_waits(load, exports):
    """From then on they have one owner; what is pending is reported as before."""
    pointer = exports.div.c_function()
    assert plain(pointer)(1, 0) == 0
    run = load(CALLER, {"c": {"f": exports.div}}).exports.run
    assert run(6, 2) == 3  # in the exec_env of the other instance
    assert plain(pointer)(6, 2) == 0
    with pytest.raises(wasm.Trap, match="integer divide by zero"):
        exports.div(6, 2)
    assert plain(pointer)(6, 2) == exports.div(6, 2) == run(6, 2) == 3


# --- lifetime

def test_what_it_keeps_alive(load):
    inst = load(WAT, {"env": {"host": int}})
    pointer, instance = inst.exports.div.c_function(), weakref.ref(inst._inst)
    del inst
    gc.collect()
    assert pointer(6, 2) == 3
    del pointer
    gc.collect()
    assert instance() is None


def test_its_code_is_given_back(exports):
    addresses = {exports.div.c_function().address for _ in range(300)}
    assert len(addresses) < 10
