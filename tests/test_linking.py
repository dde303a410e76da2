"""Imports of every kind, sharing between instances, and how long things live."""
import ctypes
import gc

import pytest

import pyjit_wasm as wasm

APPLY = """(module (import "m" "f" (func $f (param i32 i64 f32 f64) (result f64)))
  (func (export "apply") (param i32 i64 f32 f64) (result f64)
    (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3))))"""


def total(a, b, c, d):
    return a + b + c + d


# --- functions as imports

def test_plain_callables(load):
    seen = []
    inst = load("""(module (import "env" "log" (func $log (param i32 f64)))
      (import "env" "two" (func $two (param i64) (result i64 f32)))
      (func (export "log") (call $log (i32.const -1) (f64.const 0.5)))
      (func (export "two") (param i64) (result i64 f32) (call $two (local.get 0))))""",
                {"env": {"log": lambda *values: seen.append(values), "two": lambda x: (x + 1, x / 2)}})
    assert inst.exports.log() is None and seen == [(-1, 0.5)]
    assert inst.exports.two(7) == (8, 3.5)


class Callable:
    def __call__(self, *arguments):
        return total(*arguments)

    def method(self, *arguments):
        return total(*arguments)


@pytest.mark.parametrize("callable", [total, Callable(), Callable().method, lambda *a: sum(a)])
def test_kinds_of_callables(load, callable):
    assert load(APPLY, {"m": {"f": callable}}).exports.apply(1, 2, 0.5, 0.25) == 3.75


@pytest.mark.parametrize("returned, error", [
    ("text", TypeError), (None, TypeError), (1 << 32, OverflowError), (1.5, TypeError), ((1, 2), TypeError)])
def test_wrong_results_of_a_callable(load, returned, error):
    inst = load("""(module (import "m" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f)))""",
                {"m": {"f": lambda: returned}})
    with pytest.raises(error):
        inst.exports.g()
    with pytest.raises(error):
        inst.exports.g()


@pytest.mark.parametrize("returned", [(1,), (1, 2, 3), 1, None, "xy", (1, "x")])
def test_wrong_number_of_results(load, returned):
    inst = load("""(module (import "m" "f" (func $f (result i32 i32)))
      (func (export "g") (result i32 i32) (call $f)))""", {"m": {"f": lambda: returned}})
    with pytest.raises(TypeError):
        inst.exports.g()


def test_a_callable_without_results_may_return_anything(load):
    inst = load('(module (import "m" "f" (func $f)) (func (export "g") (call $f)))', {"m": {"f": lambda: "ignored"}})
    assert inst.exports.g() is None


def test_a_function_of_another_instance(load):
    provider = load("""(module (func (export "f") (param i32 i64 f32 f64) (result f64)
      (f64.add (f64.convert_i32_s (local.get 0)) (local.get 3))))""")
    for imports in ({"m": {"f": provider.exports.f}}, {"m": provider.exports}):
        inst = load(APPLY, imports)
        assert inst.exports.apply(1, 2, 3, 4) == 5.0


def test_instances_in_different_modes_call_each_other():
    source = """(module (import "m" "f" (func $f (param i32) (result i32)))
      (func (export "f") (param i32) (result i32) (i32.add (i32.const 1) (call $f (i32.mul (local.get 0)
        (i32.const 2))))))"""
    chain = lambda x: x  # noqa: E731
    for mode in ("interp", "jit", "tiered") * 2:
        chain = wasm.load(source, {"m": {"f": chain}}, mode=mode, tier_up_threshold=1, background=False).exports.f
    assert [chain(x) for x in (0, 1, 5)] == [x * 64 + 6 for x in (0, 1, 5)]


def test_a_ctypes_pointer(load):
    pointer = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int32, ctypes.c_int64, ctypes.c_float, ctypes.c_double)(total)
    assert load(APPLY, {"m": {"f": pointer}}).exports.apply(1, 2, 0.5, 0.25) == 3.75


def test_a_c_library_function(load):
    labs = ctypes.CDLL(None).labs
    labs.argtypes, labs.restype = [ctypes.c_int64], ctypes.c_int64
    inst = load("""(module (import "c" "labs" (func $f (param i64) (result i64)))
      (func (export "g") (param i64) (result i64) (call $f (local.get 0))))""", {"c": {"labs": labs}})
    assert inst.exports.g(-5) == 5 and inst.exports.g(1 << 40) == 1 << 40


def test_a_cffi_pointer(load):
    ffi = pytest.importorskip("cffi").FFI()
    callback = ffi.callback("double(int32_t, int64_t, float, double)", total)
    assert load(APPLY, {"m": {"f": callback}}).exports.apply(1, 2, 0.5, 0.25) == 3.75


def test_a_numba_cfunc(load):
    cfunc = pytest.importorskip("numba").cfunc
    compiled = cfunc("float64(int32, int64, float32, float64)")(total)
    assert load(APPLY, {"m": {"f": compiled}}).exports.apply(1, 2, 0.5, 0.25) == 3.75


def test_a_c_pointer_of_another_type(load):
    pointer = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int32)(lambda x: x)
    with pytest.raises(wasm.LinkError, match="incompatible import type"):
        load(APPLY, {"m": {"f": pointer}})


def test_a_c_function_may_call_wasm_again(child, mode):
    """C code that calls back: the GIL is taken by the callback, not by us."""
    done = child(f"""
        pointer = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)(lambda n: inst.exports.sum(n - 1) + n if n else 0)
        inst = load('''(module (import "m" "f" (func $f (param i32) (result i32))) (memory 1)
          (func (export "sum") (param i32) (result i32) (loop $l (br_if $l (i32.const 0)))
            (call $f (local.get 0))))''', {{"m": {{"f": pointer}}}}, {mode!r})
        print(inst.exports.sum(20), inst.exports.sum(3))""", timeout=20)
    assert done.stdout == "210 6\n", done.stderr


# --- memories, tables, globals as imports

def test_a_memory_from_python(load):
    memory = wasm.Memory(1, 3)
    source = """(module (import "m" "memory" (memory 1 3))
      (func (export "set") (param i32) (i32.store8 (i32.const 5) (local.get 0)))
      (func (export "grow") (result i32) (memory.grow (i32.const 1))))"""
    first, second = load(source, {"m": {"memory": memory}}), load(source, {"m": {"memory": memory}})
    first.exports.set(65)
    assert memory[5] == 65
    assert (first.exports.grow(), second.exports.grow(), second.exports.grow()) == (1, 2, -1) and memory.pages == 3


def test_an_imported_memory_exported_is_the_same_object(load):
    memory = wasm.Memory(1)
    inst = load('(module (import "m" "m" (memory 1)) (export "m" (memory 0)))', {"m": {"m": memory}})
    assert inst.exports.m is memory


def test_tables(load):
    inst = load("""(module (type $t (func (result i32))) (table (export "t") 3 5 funcref) (elem (i32.const 1) $one)
      (func $one (export "one") (result i32) (i32.const 1)) (func (export "two") (result i32) (i32.const 2))
      (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))""")
    table = inst.exports.t
    assert len(table) == 3 and table[0] is None and table[1] is inst.exports.one and table[-2] is inst.exports.one
    table[0] = inst.exports.two
    assert inst.exports.call(0) == 2
    assert table.grow(2, inst.exports.one) == 3 and inst.exports.call(4) == 1
    table[0] = None
    with pytest.raises(wasm.Trap, match="uninitialized element"):
        inst.exports.call(0)


def test_bad_uses_of_tables():
    table = wasm.Table(2, 4)
    for bad in (2, -3, 1 << 40):
        with pytest.raises(IndexError):
            table[bad]
        with pytest.raises(IndexError):
            table[bad] = None
    for bad in (print, 1, "x"):
        with pytest.raises(TypeError):
            table[0] = bad
    for count in (3, -1, 1 << 40):
        with pytest.raises(ValueError):
            table.grow(count)


def test_a_table_shared_by_instances(load):
    table = wasm.Table(4)
    load("""(module (import "m" "t" (table 4 funcref)) (func $f (result i32) (i32.const 42))
      (elem (i32.const 2) $f))""",
         {"m": {"t": table}})
    gc.collect()
    user = load("""(module (type $t (func (result i32))) (import "m" "t" (table 4 funcref))
      (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))""", {"m": {"t": table}})
    assert user.exports.call(2) == 42 and table[2]() == 42


def test_external_references(load):
    table = wasm.Table(2, elem="externref")
    inst = load("""(module (import "m" "t" (table $t 2 externref))
      (func (export "swap") (param i32 externref) (result externref)
        (table.get $t (local.get 0)) (table.set $t (local.get 0) (local.get 1))))""", {"m": {"t": table}})
    thing = object()
    assert inst.exports.swap(1, thing) is None and table[1] is thing and inst.exports.swap(1, None) is thing


def test_function_references_as_values(load):
    inst = load("""(module (type $t (func (result i32))) (table 1 funcref) (elem declare func $f)
      (func $f (export "f") (result i32) (i32.const 5)) (func (export "get") (result funcref) (ref.func $f))
      (func (export "call") (param funcref) (result i32) (table.set (i32.const 0) (local.get 0))
        (call_indirect (type $t) (i32.const 0))))""")
    assert inst.exports.get() is inst.exports.f and inst.exports.call(inst.exports.f) == 5
    for bad in (print, 1, object()):
        with pytest.raises(TypeError):
            inst.exports.call(bad)
    with pytest.raises(wasm.Trap, match="uninitialized element"):
        inst.exports.call(None)


def test_functions_made_from_python(load):
    seven = wasm.Function(lambda x: x + 7, ["i32"], ["i32"])
    assert seven(1) == 8 and seven.tier == "host"
    table = wasm.Table(2, init=seven)
    inst = load("""(module (type $t (func (param i32) (result i32))) (import "m" "t" (table 2 funcref))
      (import "m" "f" (func $f (type $t))) (export "same" (func $f))
      (func (export "call") (param i32) (result i32)
        (i32.mul (call $f (i32.const 3)) (call_indirect (type $t) (local.get 0) (i32.const 1)))))""",
                {"m": {"t": table, "f": seven}})
    assert inst.exports.call(5) == 120 and inst.exports.same is seven and table[0] is seven
    with pytest.raises(TypeError):
        seven("x")
    with pytest.raises(ZeroDivisionError):
        wasm.Function(lambda: 1 // 0)()
    for bad in ((3, []), (print, ["i17"]), (print, 5)):
        with pytest.raises((TypeError, ValueError)):
            wasm.Function(*bad)


def test_immutable_globals_from_numbers(load):
    source = """(module (import "m" "a" (global $a i32)) (import "m" "b" (global $b f64)) (global $c i32
      (global.get $a))
      (func (export "get") (result i32 f64 i32) (global.get $a) (global.get $b) (global.get $c)))"""
    assert load(source, {"m": {"a": 0xFFFFFFFF, "b": 2.5}}).exports.get() == (-1, 2.5, -1)


LINK_ERRORS = [
    ('(import "m" "f" (func))', {}, "unknown import"), ('(import "m" "f" (func))', {"m": {}}, "unknown import"),
    ('(import "m" "f" (func))', {"m": {"f": 5}}, "incompatible import type"),
    ('(import "m" "f" (func))', {"m": {"f": wasm.Memory(1)}}, "incompatible import type"),
    ('(import "m" "g" (global i32))', {"m": {"g": "five"}}, "incompatible import type"),
    ('(import "m" "g" (global (mut i32)))', {"m": {"g": 5}}, "incompatible import type"),
    ('(import "m" "g" (global i32))', {"m": {"g": wasm.Global("i64", 1)}}, "incompatible import type"),
    ('(import "m" "g" (global i32))', {"m": {"g": wasm.Global("i32", 1, mutable=True)}}, "incompatible import type"),
    ('(import "m" "m" (memory 2))', {"m": {"m": wasm.Memory(1)}}, "incompatible import type"),
    ('(import "m" "m" (memory 1 2))', {"m": {"m": wasm.Memory(1)}}, "incompatible import type"),
    ('(import "m" "m" (memory 1))', {"m": {"m": bytearray(65536)}}, "incompatible import type"),
    ('(import "m" "t" (table 1 funcref))', {"m": {"t": wasm.Table(1, elem="externref")}}, "incompatible import type"),
    ('(import "m" "t" (table 2 funcref))', {"m": {"t": wasm.Table(1)}}, "incompatible import type"),
    ('(import "m" "t" (table 1 funcref))', {"m": {"t": [None]}}, "incompatible import type")]


@pytest.mark.parametrize("fields, imports, message", LINK_ERRORS)
def test_link_errors(fields, imports, message):
    with pytest.raises(wasm.LinkError, match=message):
        wasm.load(f"(module {fields})", imports, mode="interp")


def test_a_function_of_another_type(load):
    with pytest.raises(wasm.LinkError, match="incompatible import type"):
        load(APPLY, {"m": load('(module (func (export "f")))').exports})


def test_traps_of_instantiation(load):
    for fields, code in [('(memory 1) (data (i32.const 65536) "x")', "out of bounds memory access"),
                         ("(table 1 funcref) (func $f) (elem (i32.const 1) $f)", "out of bounds table access"),
                         ("(func $f unreachable) (start $f)", "unreachable")]:
        with pytest.raises(wasm.Trap) as caught:
            load(f"(module {fields})")
        assert caught.value.code == code


def test_an_error_in_the_start_function(load):
    def fail():
        raise LookupError("from start")

    with pytest.raises(LookupError, match="from start"):
        load('(module (import "m" "f" (func $f)) (start $f))', {"m": {"f": fail}})


TYPED = """(module (type $t (func (param i32) (result i32))) (elem declare func $f)
  (table (export "t") 2 2 (ref null $t)) (global (export "g") (mut (ref null $t)) (ref.null $t))
  (func $f (export "f") (type $t) (local.get 0)) (func $other (export "other"))
  (func (export "take") (param (ref null $t)) (result i32) (ref.is_null (local.get 0)))
  (func (export "take_some") (param (ref $t))))"""


def test_typed_references_from_python(load):
    exports = load(TYPED).exports
    exports.t[0] = exports.f
    exports.g.value = exports.f
    assert exports.t[0] is exports.f and exports.g.value is exports.f
    for bad in (exports.other, print, 1):
        with pytest.raises(TypeError):
            exports.t[1] = bad
        with pytest.raises(TypeError):
            exports.g.value = bad


def test_typed_references_as_arguments(load):
    exports = load(TYPED).exports
    assert (exports.take(None), exports.take(exports.f), exports.take_some(exports.f)) == (1, 0, None)
    with pytest.raises(TypeError):
        exports.take(exports.other)
    for bad in (None, exports.other):
        with pytest.raises(TypeError):
            exports.take_some(bad)
