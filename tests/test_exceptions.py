"""Exceptions between tiers, instances and Python; what catches what."""
import gc

import pytest

import pyjit_wasm as wasm
from modes import MODES

THROWER = """(module
  (tag $t (export "t") (param i32 i64 f32 f64))
  (tag $empty (export "empty"))
  (func (export "throw") (param i32)
    (throw $t (local.get 0) (i64.const -2) (f32.const 2.5) (f64.const -0.125)))
  (func (export "throw_empty") (throw $empty))
  (func (export "through") (param i32) (param $f funcref))
  (func $deep (export "deep") (param $n i32) (param $x i32)
    (if (i32.eqz (local.get $n)) (then (throw $t (local.get $x) (i64.const 1) (f32.const 0) (f64.const 0))))
    (call $deep (i32.sub (local.get $n) (i32.const 1)) (local.get $x))))"""
CATCHER = """(module
  (import "e" "t" (tag $t (param i32 i64 f32 f64)))
  (import "e" "throw" (func $throw (param i32)))
  (import "e" "deep" (func $deep (param i32 i32)))
  (import "e" "throw_empty" (func $throw_empty))
  (func (export "catch") (param $x i32) (result i32 i64 f32 f64)
    (block $h (result i32 i64 f32 f64)
      (try_table (catch $t $h) (call $throw (local.get $x)))
      unreachable))
  (func (export "not_mine") (param $x i32) (result i32)
    (block $h
      (try_table (catch_all $h) (call $throw_empty))
      (return (i32.const 1)))
    (i32.const 2))
  (func (export "sum") (param $n i32) (param $depth i32) (result i32) (local $i i32) (local $sum i32)
    (loop $l
      (block $h (result i32 i64 f32 f64)
        (try_table (catch $t $h) (call $deep (local.get $depth) (local.get $i)))
        unreachable)
      drop drop drop
      (local.set $sum (i32.add (local.get $sum)))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $sum)))"""


def pair(first, second, **settings):
    thrower = wasm.Instance(wasm.Module(THROWER, engine=wasm.Engine(mode=first, tier_up_threshold=1, background=False)))
    catcher = wasm.Instance(wasm.Module(CATCHER, engine=wasm.Engine(mode=second, tier_up_threshold=1, background=False)),
                            {"e": thrower.exports})
    return thrower, catcher


@pytest.mark.parametrize("first", MODES)
@pytest.mark.parametrize("second", MODES)
def test_between_instances_and_modes(first, second):
    thrower, catcher = pair(first, second)
    for _ in range(3):
        assert catcher.exports.catch(7) == (7, -2, 2.5, -0.125)
        assert catcher.exports.not_mine(7) == 2
        assert catcher.exports.sum(100, 10) == 4950
        with pytest.raises(wasm.WasmException) as caught:
            thrower.exports.throw(-1)
        assert caught.value.tag is thrower.exports.t
        assert caught.value.payload == (-1, -2, 2.5, -0.125)


THROUGH = """(module
  (import "host" "call" (func $call (param i32)))
  (tag $t (export "t") (param i32))
  (func (export "run") (param i32) (result i32)
    (block $h (result i32)
      (try_table (result i32) (catch $t $h) (call $call (local.get 0)) (i32.const -1))))
  (func (export "clean") (param i32) (result i32)
    (block $all (result exnref)
      (try_table (catch_all_ref $all) (call $call (local.get 0)))
      (return (i32.const 1)))
    (throw_ref))
  (func (export "swallow") (param i32) (result i32)
    (block $all (try_table (catch_all $all) (call $call (local.get 0))) (return (i32.const 1)))
    (i32.const 2))
  (func (export "throw") (param i32) (throw $t (local.get 0))))"""


def test_from_python_and_through_python(load):
    """A host function throws into wasm, and lets pass what wasm it calls throws."""
    def call(x):
        if x == 1:
            raise wasm.WasmException(inst.exports.t, 41)
        if x == 2:
            inst2.exports.throw(42)
        return None

    inst = load(THROUGH, {"host": {"call": lambda x: call(x)}})
    inst2 = load(f"""(module (import "e" "t" (tag $t (param i32)))
      (func (export "throw") (param i32) (throw $t (local.get 0))))""", {"e": inst.exports})
    assert [inst.exports.run(x) for x in (0, 1, 2)] == [-1, 41, 42]
    for x, value in ((1, 41), (2, 42)):
        with pytest.raises(wasm.WasmException) as caught:
            inst.exports.clean(x)
        assert caught.value.tag is inst.exports.t and caught.value.payload == (value,)
        assert inst.exports.swallow(x) == 2


def test_python_exceptions(load):
    """`catch_all` sees them and may send them on, the same object; traps, exits and interrupts pass by."""
    errors = [ValueError("mine"), wasm.Trap("unreachable"), wasm.WasiExit(3), KeyboardInterrupt()]

    def call(x):
        raise errors[x]

    inst = load(THROUGH, {"host": {"call": call}})
    for name in ("run", "clean"):
        for index, error in enumerate(errors):
            with pytest.raises(type(error)) as caught:
                inst.exports[name](index)
            assert caught.value is error
    assert inst.exports.swallow(0) == 2
    for index in (1, 2, 3):
        with pytest.raises(type(errors[index])):
            inst.exports.swallow(index)


def test_wrong_payloads_are_python_errors(load):
    payload = []

    def call(x):
        raise wasm.WasmException(inst.exports.t, *payload)

    inst = load(THROUGH, {"host": {"call": call}})
    for payload, error in (([], TypeError), ([1, 2], TypeError), (["x"], TypeError), ([1 << 40], OverflowError)):
        with pytest.raises(error):
            inst.exports.run(0)


def test_traps_are_not_caught(load):
    inst = load("""(module (tag $t)
      (func $f (result i32) unreachable)
      (func (export "f") (result i32)
        (block $h (try_table (catch $t $h) (catch_all $h) (return (call $f))))
        (i32.const 7)))""")
    with pytest.raises(wasm.Trap, match="unreachable"):
        inst.exports.f()


def test_through_a_module_without_exceptions(engine):
    """Its frames are left behind; the caller's handler is found."""
    def instance(source, imports):
        return wasm.Instance(wasm.Module(source, engine=engine), imports)

    inner = instance(THROWER, {})
    middle = instance("""(module (import "e" "throw" (func $throw (param i32)))
      (func (export "f") (param i32) (result i32) (call $throw (local.get 0)) (i32.const 9)))""", {"e": inner.exports})
    outer = instance("""(module (import "e" "t" (tag $t (param i32 i64 f32 f64)))
      (import "m" "f" (func $f (param i32) (result i32)))
      (table 1 funcref) (elem (i32.const 0) $f)
      (func (export "direct") (param i32) (result i32)
        (block $h (result i32 i64 f32 f64)
          (try_table (catch $t $h) (return (call $f (local.get 0))))
          unreachable)
        drop drop drop)
      (func (export "indirect") (param i32) (result i32)
        (block $h (result i32 i64 f32 f64)
          (try_table (catch $t $h) (return (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))))
          unreachable)
        drop drop drop))""", {"e": inner.exports, "m": middle.exports})
    for x in range(5):
        assert outer.exports.direct(x) == x
        assert outer.exports.indirect(x) == x
        with pytest.raises(wasm.WasmException):
            middle.exports.f(x)


def test_with_tail_calls(load):
    """A function that has made a tail call catches nothing any more."""
    inst = load("""(module (tag $t (param i32))
      (func $throw (param i32) (result i32) (throw $t (local.get 0)))
      (func $tail (param i32) (result i32)
        (block $h (result i32)
          (try_table (catch $t $h) (return_call $throw (local.get 0)))
          unreachable)
        drop (i32.const 1000))
      (func (export "f") (param i32) (result i32)
        (block $h (result i32)
          (try_table (result i32) (catch $t $h) (call $tail (local.get 0))))))""")
    assert [inst.exports.f(x) for x in range(4)] == [0, 1, 2, 3]


def test_in_loops_that_go_native(engine):
    """The loop is taken over by native code inside a try, and throws there: to its own handler, or to the caller's."""
    inst = wasm.Instance(wasm.Module("""(module (tag $t (param i32))
      (func $loop (param $n i32) (param $outside i32) (result i32) (local $i i32)
        (block $h (result i32)
          (try_table (catch $t $h)
            (loop $l
              (if (i32.eq (local.get $i) (local.get $n)) (then (throw $t (local.get $i))))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br $l)))
          unreachable)
        (local.set $i)
        (if (local.get $outside) (then (throw $t (local.get $i))))
        (i32.add (local.get $i) (i32.const 1)))
      (func (export "f") (param i32 i32) (result i32)
        (block $h (result i32)
          (try_table (catch $t $h) (return (call $loop (local.get 0) (local.get 1))))
          unreachable)))""", engine=engine))
    for n in (0, 1, 5, 5000):
        assert inst.exports.f(n, 0) == n + 1
        assert inst.exports.f(n, 1) == n


def test_the_older_encoding(load):
    inst = load("""(module (import "host" "f" (func $f (param i32))) (tag $a (param i32)) (tag $b (param i64 i32))
      (func $throw (param i32)
        (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $a (i32.const 10))))
        (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $b (i64.const 20) (i32.const 21))))
        (call $f (local.get 0)))
      (func (export "f") (param i32) (result i32)
        try (result i32)
          try (result i32)
            (call $throw (local.get 0))
            (i32.const 0)
          catch $a
            (i32.add (i32.const 100))
          catch $b
            drop drop
            rethrow 0
          catch_all
            rethrow 0
          end
        catch $b
          (i32.add (i32.const 200))
          return
        end))""",
                {"host": {"f": lambda x: None if x < 4 else {}[x]}})
    assert [inst.exports.f(x) for x in range(4)] == [0, 110, 221, 0]
    with pytest.raises(KeyError):
        inst.exports.f(4)


def test_tags_from_python(load):
    tag = wasm.Tag(["i32", "f64"])
    inst = load("""(module (import "m" "t" (tag $t (param i32 f64)))
      (func (export "f") (throw $t (i32.const 1) (f64.const 2))))""", {"m": {"t": tag}})
    with pytest.raises(wasm.WasmException) as caught:
        inst.exports.f()
    assert caught.value.tag is tag and caught.value.payload == (1, 2.0)
    with pytest.raises(wasm.LinkError):
        load('(module (import "m" "t" (tag (param i64))))', {"m": {"t": tag}})


def test_collected_instances_leave_their_exceptions_usable(mode):
    inst = wasm.load(THROWER, mode=mode)
    with pytest.raises(wasm.WasmException) as caught:
        inst.exports.throw(3)
    tag = caught.value.tag
    del inst
    gc.collect()
    assert caught.value.payload[0] == 3 and caught.value.tag is tag


HOLDER = """(module (tag $t (param i32))
  (table $kept (export "kept") 4 exnref)
  (global $last (mut exnref) (ref.null exn))
  (func $catch (param $x i32) (result i32 exnref)
    (block $h (result i32 exnref)
      (try_table (catch_ref $t $h) (throw $t (local.get $x)))
      unreachable))
  (func (export "run") (param $n i32) (local $i i32) (local $first exnref)
    (call $catch (i32.const -7)) (local.set $first) drop
    (loop $l
      (call $catch (local.get $i)) (global.set $last) drop
      (table.set $kept (i32.and (local.get $i) (i32.const 3)) (global.get $last))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (throw_ref (local.get $first)))
  (func (export "throw") (param $i i32) (throw_ref (table.get $kept (local.get $i)))))"""


def test_held_exceptions_are_collected(child, mode):
    """Locals, globals and tables keep those they refer to; memory does not grow with the others."""
    many = 60_000 if mode == "interp" else 2_000_000
    done = child(f"""
        import resource
        inst = load({HOLDER!r}, mode={mode!r})
        def run(n):
            try:
                inst.exports.run(n)
            except wasm.WasmException as error:
                assert error.payload == (-7,), error
            for i in range(4):
                try:
                    inst.exports.throw(i)
                except wasm.WasmException as error:
                    assert error.payload[0] & 3 == i and error.payload[0] >= n - 4, (i, error)
        run(30_000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run({many})
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert after - before < 4096, (before, after)
        print("ok")""")
    assert done.stdout == "ok\n", done.stderr


def test_references_to_exceptions_cross_to_python(load):
    tag, seen = wasm.Tag(["i32"]), []
    inst = load("""(module (import "m" "t" (tag $t (param i32)))
      (import "m" "f" (func $f (param exnref) (result exnref)))
      (func (export "catch") (param i32) (result exnref)
        (block $h (result exnref) (try_table (catch_all_ref $h) (throw $t (local.get 0))) (ref.null exn)))
      (func (export "throw") (param exnref) (throw_ref (local.get 0)))
      (func (export "pass") (param exnref) (throw_ref (call $f (local.get 0)))))""",
                {"m": {"t": tag, "f": lambda error: seen.append(error) or wasm.WasmException(tag, 6)}})
    caught = inst.exports.catch(5)
    assert isinstance(caught, wasm.WasmException) and caught.tag is tag and caught.payload == (5,)
    for argument, value in ((caught, 5), (wasm.WasmException(tag, 9), 9)):
        with pytest.raises(wasm.WasmException) as thrown:
            inst.exports.throw(argument)
        assert thrown.value.payload == (value,)
    with pytest.raises(wasm.WasmException) as thrown:
        getattr(inst.exports, "pass")(caught)
    assert thrown.value.payload == (6,) and seen[0].payload == (5,)
    with pytest.raises(wasm.Trap, match="null exception reference"):
        inst.exports.throw(None)
    with pytest.raises(TypeError):
        inst.exports.throw(3)


def test_the_older_encoding_can_be_switched_off():
    source = "(module (func try catch_all end))"
    wasm.Module(source)
    with pytest.raises(wasm.ValidationError, match="switched off"):
        wasm.Module(source, engine=wasm.Engine(legacy_exceptions=False))
    wasm.Module("(module (tag $t) (func (block $h (try_table (catch $t $h)))))", engine=wasm.Engine(legacy_exceptions=False))


def test_a_tag_lives_as_long_as_its_exceptions(load):
    """The instance that threw is gone, another one has a reference to what it threw, and new tags take its place."""
    keeper = load("""(module (import "m" "throw" (func $throw))
      (global $kept (mut exnref) (ref.null exn))
      (func (export "catch")
        (global.set $kept (block $h (result exnref) (try_table (catch_all_ref $h) (call $throw)) unreachable)))
      (func (export "throw") (throw_ref (global.get $kept))))""", {"m": {"throw": lambda: thrower.exports.throw()}})
    thrower = load('(module (tag $t (param i64 i64)) (func (export "throw") (throw $t (i64.const 1) (i64.const 2))))')
    keeper.exports.catch()
    del thrower
    gc.collect()
    tags = [wasm.Tag(["i32"] * 30) for _ in range(100)]
    with pytest.raises(wasm.WasmException) as caught:
        keeper.exports.throw()
    assert caught.value.payload == (1, 2) and caught.value.tag not in tags
