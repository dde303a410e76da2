"""Functions over arrays: what a numpy.ufunc of a function gives, beside NumPy and plain calls; and how it fails."""
import gc
import threading
import time
import warnings
import weakref

import pytest

import pyjit_wasm as wasm

numpy = pytest.importorskip("numpy")

SOURCE = """(module (import "m" "host" (func $host (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "sum32") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "sum64") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func (export "product32") (param f32 f32) (result f32) (f32.mul (local.get 0) (local.get 1)))
  (func (export "poly") (param f64 f64) (result f64)
    (f64.add (f64.mul (f64.add (f64.mul (local.get 0) (f64.const 3)) (local.get 1)) (local.get 0)) (f64.const -0.5)))
  (func (export "split") (param i32 f64) (result f64 i32)
    (f64.add (f64.convert_i32_s (local.get 0)) (local.get 1)) (i32.sub (i32.const 0) (local.get 0)))
  (func $collatz (export "collatz") (param $n i64) (result i32) (local $steps i32)
    (loop $l (if (i64.gt_u (local.get $n) (i64.const 1)) (then
      (local.set $n (if (result i64) (i64.eqz (i64.and (local.get $n) (i64.const 1)))
        (then (i64.shr_u (local.get $n) (i64.const 1)))
        (else (i64.add (i64.mul (local.get $n) (i64.const 3)) (i64.const 1)))))
      (local.set $steps (i32.add (local.get $steps) (i32.const 1))) (br $l))))
    (local.get $steps))
  (func $quotient (param i32 i32) (result i32) nop (i32.div_s (local.get 0) (local.get 1)))
  (func (export "quotient") (param i32 i32) (result i32) nop (call $quotient (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "call_host") (param i32) (result i32) (call $host (local.get 0)))
  (func $deep (export "deep") (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))
  (func (export "ok") (result i32) (i32.const 42))
  (export "host" (func $host)))"""
SIZES = (0, 1, 2, 127, 128, 129, 1000, 3001)


@pytest.fixture
def exports(load):
    return load(SOURCE, {"m": {"host": lambda number: number * 2}}).exports


def integers(dtype, size, seed=0):
    info = numpy.iinfo(dtype)
    return numpy.random.default_rng(seed).integers(info.min, info.max, size, dtype, endpoint=True)


def numbers(dtype, size, seed=0):
    return numpy.random.default_rng(seed).normal(size=size).astype(dtype)


def poly(a, b):
    return (a * 3.0 + b) * a - 0.5


def collatz(number):
    steps = 0
    while number > 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


# --- results

@pytest.mark.parametrize("name, dtypes", [("sum32", ("int32", "uint32")), ("sum64", ("int64", "uint64"))])
def test_integers(exports, name, dtypes):
    for dtype in dtypes:
        for size in SIZES:
            a, b = integers(dtype, size), integers(dtype, size, 1)
            found = exports[name].map(a, b)
            assert found.dtype == dtype and found.shape == (size,) and numpy.array_equal(found, a + b)


def test_floats(exports):
    for size in SIZES:
        a, b = numbers("f4", size), numbers("f4", size, 1)
        assert numpy.array_equal(exports.product32.map(a, b), a * b)
        a, b = numbers("f8", size), numbers("f8", size, 1)
        assert numpy.array_equal(exports.poly.map(a, b), poly(a, b))


def test_several_results(exports):
    for size in SIZES:
        a, b = integers("i4", size), numbers("f8", size)
        both = exports.split.map(a, b)
        assert type(both) is tuple and [array.dtype for array in both] == ["f8", "i4"]
        assert numpy.array_equal(both[0], a + b) and numpy.array_equal(both[1], -a)


def test_loops_and_calls(exports):
    found = exports.collatz.map(numpy.arange(1, 3000))
    assert found.dtype == numpy.int32 and found.tolist() == [collatz(n) for n in range(1, 3000)]
    assert exports.call_host.map(numpy.arange(1500, dtype="i4")).tolist() == list(range(0, 3000, 2))


def test_many_parameters_and_results(load):
    """More than registers hold."""
    kinds, dtypes = "i32 i64 f32 f64 " * 5, ["i4", "i8", "f4", "f8"] * 5
    reads = "".join(f"(local.get {index})" for index in range(20))
    turn = load(f'(module (func (export "f") (param {kinds}) (result {kinds}) {reads}))').exports.f
    for size in (3, 3000):
        arrays = [numpy.full(size, index, dtype) + numpy.arange(size, dtype=dtype) for index, dtype in enumerate(dtypes)]
        results = turn.map(*arrays)
        assert all(numpy.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(arrays, results))


LAYOUTS = {
    "contiguous": lambda a: a,
    "reversed": lambda a: a[::-1],
    "every third": lambda a: numpy.repeat(a, 3)[::3],
    "column": lambda a: numpy.stack([a, a + 1], 1)[:, 0],
    "unaligned": lambda a: numpy.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1),
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "narrower": lambda a: a.astype("f4"),
    "integers": lambda a: (a * 100).astype("i2"),
    "read-only": lambda a: numpy.frombuffer(a.tobytes()),
}


@pytest.mark.parametrize("first", LAYOUTS)
@pytest.mark.parametrize("second", LAYOUTS)
def test_layouts(exports, first, second):
    for size in (5, 20_000):
        a, b = LAYOUTS[first](numbers("f8", size)), LAYOUTS[second](numbers("f8", size, 1))
        wanted = poly(a.astype("f8"), b.astype("f8"))
        assert numpy.array_equal(exports.poly.map(a, b), wanted)
        out = numpy.zeros(2 * size)[::2]
        assert exports.poly.map(a, b, out=out) is out and numpy.array_equal(out, wanted)


def test_broadcasting(exports):
    for rows, columns in ((1, 1), (3, 5), (70, 130), (1, 2000), (2000, 1)):
        a, b = numbers("f8", (rows, 1)), numbers("f8", columns, 1)
        for x, y in ((a, b), (a, b[:1]), (a[:1], b), (2.5, b), (a, 2.5), (a.T, a.T), (a, 7)):
            assert numpy.array_equal(exports.poly.map(x, y), poly(numpy.asarray(x, "f8"), numpy.asarray(y, "f8")))
    with pytest.raises(ValueError, match="broadcast"):
        exports.poly.map(numpy.zeros(3), numpy.zeros(4))


def test_numbers(exports):
    found = exports.poly.map(1.5, 2)
    assert found == poly(1.5, 2) and isinstance(found, numpy.float64)
    assert exports.sum32.map(numpy.int32(3), 4) == 7 and exports.poly.map([1, 2], (3, 4)).tolist() == [5.5, 19.5]


def test_in_place(exports):
    for size in SIZES:
        a, b = integers("i4", size), integers("i4", size, 1)
        wanted = a + b
        exports.sum32.map(a, b, out=a)
        assert numpy.array_equal(a, wanted)
        whole = integers("i4", size + 1)
        wanted = whole[:-1] + whole[1:]
        exports.sum32.map(whole[:-1], whole[1:], out=whole[1:])  # overlaps: NumPy makes a copy
        assert numpy.array_equal(whole[1:], wanted)


def test_where(exports):
    for size in SIZES:
        a, b, mask = numbers("f8", size), numbers("f8", size, 1), numbers("f8", size, 2) > 0
        found = exports.poly.map(a, b, where=mask, out=numpy.full(size, 9.0))
        assert numpy.array_equal(found, numpy.where(mask, poly(a, b), 9.0))


def test_methods_of_a_ufunc(exports):
    for size in (5, 3000):
        a = integers("i8", size)
        sums = exports.sum64.ufunc
        assert sums.reduce(a) == a.sum() and numpy.array_equal(sums.accumulate(a), numpy.cumsum(a))
        table = numpy.stack([a, -a, a[::-1]], 1)
        for axis in (0, 1):
            assert numpy.array_equal(sums.accumulate(table, axis), numpy.cumsum(table, axis))
            assert numpy.array_equal(sums.reduce(table, axis), table.sum(axis))
        assert numpy.array_equal(sums.outer(a[:40], a[:50]), numpy.add.outer(a[:40], a[:50]))
        target = numpy.zeros(3, "i8")
        sums.at(target, [0, 1, 0], 5)
        assert target.tolist() == [10, 5, 0]


# --- what it is

def test_a_genuine_ufunc(exports):
    ufunc = exports.split.ufunc
    assert type(ufunc) is numpy.ufunc and ufunc is exports.split.ufunc
    assert (ufunc.__name__, ufunc.nin, ufunc.nout) == ("split", 2, 2) and "[i32 f64] -> [f64 i32]" in ufunc.__doc__
    assert len(exports.poly.ufunc.types) == 1 and len(exports.sum32.ufunc.types) == 2


@pytest.mark.parametrize("name, arguments", [
    ("sum32", (numpy.zeros(3, "i8"), 1)), ("sum32", (numpy.zeros(3), 1)), ("sum32", (1.5, 1)), ("sum64", (1.5, 1)),
    ("sum32", (numpy.zeros(3, "i4"), numpy.zeros(3, "u4"))), ("sum64", (numpy.zeros(3, "u8"), numpy.zeros(3, "i8"))),
    ("product32", (numpy.zeros(3), 1)), ("poly", (1j, 1)), ("poly", ("x", 1)), ("poly", (None, 1)), ("poly", (1,)),
    ("poly", ()), ("poly", (1, 2, 3, 4)), ("poly", (object(), 1)), ("poly", (numpy.zeros(2, "M8[s]"), 1))])
def test_wrong_arrays(exports, name, arguments):
    with pytest.raises(TypeError):
        exports[name].map(*arguments)


def test_wrong_options(exports):
    with pytest.raises(TypeError):
        exports.poly.map(1, 2, nonsense=3)
    with pytest.raises(TypeError):
        exports.poly.map(1, 2, out=numpy.zeros(1, "i4"))
    with pytest.raises(ValueError):
        exports.poly.map(1, 2, out=numpy.broadcast_to(numpy.zeros(1), 3))


def test_unsafe_casts_when_asked_for(exports):
    found = exports.sum32.map(numpy.arange(5), 1, dtype="i4", casting="unsafe")
    assert found.dtype == numpy.int32 and found.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("signature, why", [
    ("", "no parameters"), ("(result i32)", "no parameters"), ("(param i32)", "no results"),
    ("(param v128) (result i32)", "not numbers"), ("(param i32) (result externref)", "not numbers"),
    ("(param funcref i32) (result i32)", "not numbers")])
def test_functions_that_arrays_do_not_suit(load, signature, why):
    function = load(f'(module (func (export "f") {signature} unreachable))').exports.f
    for use in (lambda: function.ufunc, lambda: function.map([1])):
        with pytest.raises(TypeError, match=why):
            use()


def test_more_operands_than_numpy_takes(load):
    function = load(f'(module (func (export "f") (param {"i32 " * 200}) (result i32) (local.get 0)))').exports.f
    with pytest.raises(ValueError, match="operands"):
        function.ufunc


# --- failures

def fails_at(place, size=20_000):
    divisors = numpy.ones(size, "i4")
    divisors[place] = 0
    return divisors


def check_trap(error, direct):
    assert (error.code, [(f.funcidx, f.name, f.offset) for f in error.frames]) == (
        direct.code, [(f.funcidx, f.name, f.offset) for f in direct.frames])


USES = {
    "plain": lambda f, a: f.map(a, a),
    "few": lambda f, a: f.map(a[-50:], a[-50:]),
    "repeated": lambda f, a: f.map(7, a),
    "stepping": lambda f, a: f.map(numpy.repeat(a, 2)[::2], a),
    "out": lambda f, a: f.map(a, a, out=numpy.zeros_like(a)),
    "cast": lambda f, a: f.map(a.astype("i2"), a.astype("i1")),
    "swapped": lambda f, a: f.map(a.astype(">i4"), a.astype(">i4")),
    "where": lambda f, a: f.map(a, a, where=numpy.ones(len(a), bool), out=numpy.zeros_like(a)),
    "rows": lambda f, a: f.map(a.reshape(-1, 10)[:, :7], a.reshape(-1, 10)[:, 3:]),
    "reduce": lambda f, a: f.ufunc.reduce(a),
    "reduce swapped": lambda f, a: f.ufunc.reduce(a.astype(">i4")),
    "accumulate": lambda f, a: f.ufunc.accumulate(a),
    "outer": lambda f, a: f.ufunc.outer(a[:10], a),
    "at": lambda f, a: f.ufunc.at(a.copy(), numpy.arange(len(a)), a),
}


@pytest.mark.parametrize("use", USES)
def test_traps(exports, use):
    """They come out with the frames of the call, and everything goes on."""
    with pytest.raises(wasm.Trap) as direct:
        exports.quotient(5, 0)
    for place in (19_999, 19_990) if use != "rows" else (19_999 - 3,):
        for _ in range(3):
            with pytest.raises(wasm.Trap) as caught:
                USES[use](exports.quotient, fails_at(place))
            check_trap(caught.value, direct.value)
            assert exports.ok() == 42 and exports.quotient(7, 2) == 3
            assert exports.quotient.map(fails_at(0)[1:], 1).all()


def test_traps_of_memory_accesses(load_bounded):
    exports = load_bounded(SOURCE, {"m": {"host": int}}).exports
    exports.memory.view("<i4")[:] = numpy.arange(16384)
    places = numpy.arange(0, 65536, 4, dtype="i4")
    assert numpy.array_equal(exports.load.map(places), numpy.arange(16384))
    assert numpy.array_equal(exports.load.map(places[::-1]), numpy.arange(16384)[::-1])
    with pytest.raises(wasm.Trap) as direct:
        exports.load(65533)
    for size in (10, 20_000):
        places = numpy.zeros(size, "u4")
        places[-1] = 65533
        with pytest.raises(wasm.Trap) as caught:
            exports.load.map(places)
        check_trap(caught.value, direct.value)
        assert exports.load(4) == 1


def test_exhaustion(exports):
    for size in (1, 3000):
        with pytest.raises(wasm.Exhaustion):
            exports.deep.map(numpy.ones(size, "i4"))
        assert exports.ok() == 42


@pytest.mark.parametrize("prepare", [lambda a: a, lambda a: a.astype("i2"), lambda a: a.astype(">i4"),
                                     lambda a: a.reshape(-1, 10)[:, ::3]])
def test_exceptions_of_host_functions(load, prepare):
    """The very exception, and nothing is called after it."""
    error, calls = LookupError("enough"), []

    def host(number):
        calls.append(number)
        if len(calls) == 30:
            raise error
        return number

    exports = load(SOURCE, {"m": {"host": host}}).exports
    array = prepare(numpy.arange(20_000, dtype="i4"))
    for _ in range(3):
        calls.clear()
        with pytest.raises(LookupError) as caught:
            exports.call_host.map(array)
        assert caught.value is error and calls == array.ravel()[:30].tolist()
        calls.clear()
        assert exports.call_host.map(numpy.arange(20, dtype="i4")).tolist() == list(range(20))


def test_a_result_of_a_wrong_type(load):
    exports = load(SOURCE, {"m": {"host": lambda number: "x"}}).exports
    for size in (5, 3000):
        with pytest.raises(TypeError):
            exports.call_host.map(numpy.zeros(size, "i4"))


def test_nested_batches(load):
    """A host function uses the instance for arrays again, and one that fails there may go on."""
    def host(number):
        with pytest.raises(wasm.Trap):
            exports.quotient.map(fails_at(5, 50 if number % 2 else 9000), 0)
        return int(exports.sum32.map(numpy.full(20, number, "i4"), 1)[-1])

    exports = load(SOURCE, {"m": {"host": host}}).exports
    assert exports.call_host.map(numpy.arange(30, dtype="i4").astype(">i4")).tolist() == list(range(1, 31))


def test_modules_with_exceptions(load):
    exports = load("""(module (tag $t (export "t") (param i32))
      (func $f (export "f") (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const 7777)) (then (throw $t (local.get 0)))) (i32.mul (local.get 0) (i32.const 2)))
      (func (export "caught") (param i32) (result i32)
        (block $h (result i32) (try_table (catch $t $h) (return (call $f (local.get 0)))) (i32.const 0))))""").exports
    array = numpy.arange(20_000, dtype="i4")
    with pytest.raises(wasm.WasmException) as caught:
        exports.f.map(array)
    assert caught.value.payload == (7777,) and caught.value.tag is exports.t
    assert numpy.array_equal(exports.f.map(array[:5000]), 2 * array[:5000])
    wanted = numpy.where(array == 7777, 7777, 2 * array)
    assert numpy.array_equal(exports.caught.map(array), wanted)


def test_modules_with_tail_calls(load):
    exports = load("""(module (func $even (export "even") (param i32 i64 i64 i64 i64 i64) (result i32)
        (if (result i32) (local.get 0) (then (return_call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
      (func $odd (export "odd") (param i32) (result i32) (if (result i32) (local.get 0)
        (then (return_call $even (i32.sub (local.get 0) (i32.const 1)) (i64.const 1) (i64.const 2) (i64.const 3)
          (i64.const 4) (i64.const 5))) (else (i32.const 0)))))""").exports
    for size in (20, 1500):
        array = numpy.arange(size, dtype="i4")
        assert numpy.array_equal(exports.odd.map(array), array % 2)
        assert numpy.array_equal(exports.even.map(array, 1, 2, 3, 4, 5), 1 - array % 2)


def test_no_warnings_of_floating_point(exports, load):
    """What compiled code does with flags is no news; what NumPy's casts do still is."""
    divide = load('(module (func (export "f") (param f64 f64) (result f64) (f64.div (local.get 0) (local.get 1))))').exports.f
    with warnings.catch_warnings(), numpy.errstate(all="raise"):
        warnings.simplefilter("error")
        for size in (3, 5000):
            assert numpy.isinf(divide.map(numpy.ones(size), 0.0)).all()
            assert numpy.isnan(divide.map(numpy.zeros(size), 0.0)).all()
        with pytest.raises(FloatingPointError):
            divide.map(numpy.full(3, 1e300), 1.0, out=numpy.zeros(3, "f4"), casting="same_kind")


# --- tiers

def test_small_arrays_are_not_worth_a_loop():
    for mode in ("jit", "tiered", "interp"):
        inst = wasm.load(SOURCE, {"m": {"host": int}}, mode=mode)
        code, a = inst.module.code, numpy.arange(400, dtype="i4")
        assert inst.exports.sum32.map(a, a)[1] == 2 and not code.batches
        for _ in range(4):
            assert inst.exports.sum32.map(a, a)[1] == 2
        assert bool(code.batches) == (mode != "interp")


def test_modes_change(exports, load):
    inst = load(SOURCE, {"m": {"host": lambda number: number + 1}})
    a = numpy.arange(3000, dtype="i4")
    for mode in ("interp", "jit", "tiered", "interp", "tiered"):
        inst.mode = mode
        for _ in range(2):
            assert numpy.array_equal(inst.exports.sum32.map(a, a), 2 * a)
            assert numpy.array_equal(inst.exports.call_host.map(a), a + 1)


def test_instances_share_the_loop():
    module = wasm.Module("""(module (global $g (mut i32) (i32.const 0))
      (func (export "set") (param i32) (global.set $g (local.get 0)))
      (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (global.get $g))))""",
                         engine=wasm.Engine(mode="jit"))
    a, instances = numpy.arange(2000, dtype="i4"), [wasm.Instance(module) for _ in range(3)]
    for number, inst in enumerate(instances):
        inst.exports.set(number)
    for number, inst in enumerate(instances):
        assert numpy.array_equal(inst.exports.f.map(a), a + number)
    assert len(module.code.batches) == 1


def test_functions_that_are_not_the_instances_own(exports, load):
    """Host functions, re-exported imports, functions of other instances, C functions."""
    import ctypes

    a = numpy.arange(3000, dtype="i4")
    assert numpy.array_equal(exports.host.map(a), 2 * a)
    assert numpy.array_equal(wasm.Function(lambda x: x + 1, ["i32"], ["i32"]).map(a), a + 1)
    again = load('(module (import "m" "sum32" (func $f (param i32 i32) (result i32))) (export "f" (func $f)))',
                 {"m": exports})
    assert numpy.array_equal(again.exports.f.map(a, a), 2 * a)
    absolute = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)(("abs", ctypes.CDLL(None)))
    absolute.argtypes, absolute.restype = [ctypes.c_int32], ctypes.c_int32
    inst = load('(module (import "c" "abs" (func $f (param i32) (result i32))) (export "f" (func $f)))',
                {"c": {"abs": absolute}})
    assert numpy.array_equal(inst.exports.f.map(-a), a)


def test_numpy_is_optional(child):
    done = child("""
        import sys
        assert "numpy" not in sys.modules
        inst = load('(module (memory (export "m") 1) (func (export "f") (param i32) (result i32) (local.get 0)))')
        assert inst.exports.f(3) == 3 and "numpy" not in sys.modules
        sys.modules["numpy"] = None
        for use in (lambda: inst.exports.f.ufunc, lambda: inst.exports.f.map([1]), lambda: inst.exports.m.view()):
            try:
                use()
            except ImportError:
                print("ImportError")""")
    assert done.stdout == "ImportError\n" * 3, done.stderr


# --- threads and interrupts

def test_other_threads_go_on(exports):
    """The GIL is free while a loop runs."""
    done, ticks = [], 0
    thread = threading.Thread(target=lambda: done.append(exports.collatz.map(numpy.full(20_000, 837_799))))
    thread.start()
    while thread.is_alive():
        ticks += 1
        time.sleep(0)
    assert set(done[0].tolist()) == {collatz(837_799)} and ticks > 3


def test_one_instance_in_two_threads(exports):
    """The second gets InUseError, whatever part of an array it is at."""
    array, results = numpy.full(200_000, 27), []

    def work():
        try:
            results.append(exports.collatz.map(array.astype(">i8")))
        except wasm.InUseError as error:
            results.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(isinstance(r, wasm.InUseError) or (r == 111).all() for r in results)
    assert exports.ok() == 42 and (exports.collatz.map(array[:2000]) == 111).all()


def test_instances_in_threads_of_their_own(engine):
    module, results = wasm.Module(SOURCE, engine=engine), []

    def work():
        exports = wasm.Instance(module, {"m": {"host": int}}).exports
        results.append(exports.collatz.map(numpy.arange(1, 20_000)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(numpy.array_equal(r, results[0]) for r in results)


@pytest.mark.parametrize("array", ["numpy.ones(10 ** 7, 'i4')", "numpy.ones(10 ** 7, '>i4')", "numpy.ones(20, 'i4')"])
def test_ctrl_c(child, mode, array):
    steps = 10 ** 9 if "20" in array else 1000
    done = child(f"""
        import numpy
        inst = load('''(module (func (export "f") (param i32) (result i32) (local i32 i64)
            (local.set 2 (i64.extend_i32_u (local.get 0)))
            (loop $l (local.set 2 (i64.mul (i64.const 6364136223846793005)
                (i64.xor (local.get 2) (i64.shr_u (local.get 2) (i64.const 29)))))
              (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const {steps}))))
            (i32.wrap_i64 (local.get 2))) (func (export "ok") (result i32) (i32.const 42)))''', mode={mode!r})
        inst.exports.f.map(numpy.ones(1, 'i4')[:0])
        array, sent = {array}, []
        threading.Timer(0.5, lambda: (sent.append(time.perf_counter()), os.kill(os.getpid(), signal.SIGINT))).start()
        try:
            inst.exports.f.map(array)
        except KeyboardInterrupt:
            print(time.perf_counter() - sent[0], inst.exports.ok())""", timeout=20)
    assert done.stdout, done.stderr
    seconds, ok = done.stdout.split()
    assert float(seconds) < 1 and ok == "42"


# --- lifetime

def test_a_ufunc_keeps_its_function(load):
    ufunc = load("""(module (global $g i32 (i32.const 5)) (func (export "f") (param i32) (result i32)
      (i32.add (local.get 0) (global.get $g))))""").exports.f.ufunc
    gc.collect()
    kept = [bytearray(b"\xff" * size) for size in range(64, 4096, 16) for _ in range(8)]
    for size in (3, 3000):
        assert ufunc(numpy.zeros(size, "i4")).tolist() == [5] * size
    del kept


def test_ufuncs_are_collected(load):
    inst = load(SOURCE, {"m": {"host": int}})
    inst.exports.sum32.map(numpy.zeros(3000, "i4"), 1)
    inst.exports.host.map(numpy.zeros(3000, "i4"))
    free = wasm.Function(lambda x: x, ["i32"], ["i32"])
    free.map(numpy.zeros(10, "i4"))
    things = [inst, inst.exports.sum32, inst.exports.host, inst._inst, inst.module.code, free]
    references = [weakref.ref(thing) for thing in things]
    ufunc = inst.exports.sum32.ufunc
    del inst, things, free
    gc.collect()
    dead = [reference() is None for reference in references]
    assert dead[0] and dead[-1] and not dead[1] and not dead[3]
    del ufunc
    gc.collect()
    assert [r() for r in references if r() is not None] == []


def test_memory_stays(child, mode):
    done = child(f"""
        import numpy
        engine = wasm.Engine(mode={mode!r}, tier_up_threshold=1, background=False)
        module = wasm.Module('''(module (func (export "f") (param i32 f64) (result f64)
            (if (i32.eqz (local.get 0)) (then unreachable)) (local.get 1)))''', engine=engine)
        ones, zeros = numpy.ones(2000, 'i4'), numpy.zeros(2000, 'i4')
        def work():
            f = wasm.Instance(module).exports.f
            f.map(ones, 2.0)
            try:
                f.map(zeros, 2.0)
            except wasm.Trap:
                pass
        def resident():
            gc.collect()
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096
        for _ in range(300): work()
        before = resident()
        for _ in range(3000): work()
        print(resident() - before)""", timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 3 << 20


# --- exec_envs

def test_functions_of_an_exec_env(load):
    """Each has a ufunc of its own; a change of mode reaches all."""
    inst = load(SOURCE, {"m": {"host": lambda number: number + 1}})
    env, other, a = wasm.ExecEnv(inst), wasm.ExecEnv(inst, 1 << 16), numpy.arange(3000, dtype="i4")
    functions = [env.function("sum32"), other.function("sum32"), inst.exports.sum32]
    assert len({id(function.ufunc) for function in functions}) == 3
    for mode in ("jit", "interp", "tiered"):
        inst.mode = mode
        for function in functions:
            assert numpy.array_equal(function.map(a, a), 2 * a)
    assert numpy.array_equal(env.function("call_host").map(a), a + 1)
    env.close()
    with pytest.raises(wasm.InUseError):
        functions[0].map(a, a)
    assert numpy.array_equal(functions[1].map(a, a), 2 * a)


def test_interrupts_from_other_threads(load):
    inst = load(SOURCE, {"m": {"host": int}})
    env, error, seen = wasm.ExecEnv(inst), KeyError("stop"), []

    def work():
        try:
            env.function("collatz").map(numpy.full(20_000_000, 837_799))
        except KeyError as raised:
            seen.append(raised)

    thread = threading.Thread(target=work)
    thread.start()
    while not env.interrupt(error):
        time.sleep(0.001)
    thread.join(20)
    assert seen == [error] and inst.exports.ok() == 42


# --- side effects

def test_elements_are_taken_in_order(load_bounded):
    """Stores, a counter in a global, and an array that is a view of the memory which the function reads and writes."""
    inst = load_bounded("""(module (memory (export "memory") 2) (global $n (export "n") (mut i32) (i32.const 0))
      (func (export "count") (param $place i32) (result i32)
        (i32.store (local.get $place) (global.get $n))
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (global.get $n))
      (func (export "sum") (param $place i32) (param $x i32) (result i32)
        (i32.add (local.get $x) (i32.load (local.get $place)))))""")
    exports, size = inst.exports, 5000
    places = numpy.arange(0, 4 * size, 4, dtype="i4")
    assert exports.count.map(places).tolist() == list(range(1, size + 1)) and exports.n.value == size
    assert exports.memory.view("<i4", 0, size).tolist() == list(range(size))
    assert exports.count.map(places[::-1], out=numpy.zeros(2 * size, "i4")[::2])[-1] == 2 * size
    assert exports.memory.view("<i4", 0, size).tolist() == list(range(2 * size - 1, size - 1, -1))
    for step in (1, 2):
        view = exports.memory.view("<i4", 0, step * size + step)[::step]
        view[:] = 0
        view[0] = 1
        # each element is written where the next call reads
        exports.sum.map(step * places, 3, out=view[1:])
        assert view.tolist() == [1 + 3 * index for index in range(size + 1)]
