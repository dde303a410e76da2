"""Tail calls take the place of their caller's frame: any number of them in constant space, in every mode, across
modes and instances, whatever the numbers of parameters and results."""
import pytest

import pyjit_wasm as wasm

DEEP = 10_000_000
STACK = 1 << 14

# even and odd with different numbers of parameters: more than registers hold, and fewer
EVEN = """(module
  (type $odd (func (param i64) (result i32)))
  (type $even (func (param i64 i64 i64 i64 i64 i64 i64 i64 i64 f64) (result i32)))
  (table funcref (elem $odd $even))
  (func $even (export "even") (type $even)
    (if (i64.eqz (local.get 0)) (then (return (i32.const 1))))
    (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
    {call_odd})
  (func $odd (type $odd)
    (if (i64.eqz (local.get 0)) (then (return (i32.const 0))))
    (i64.sub (local.get 0) (i64.const 1)) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
    (i64.const 7) (i64.const 8) (i64.const 9) (f64.const 10)
    {call_even})
  (func (export "run") (param i64) (result i32)
    (call $odd (local.get 0))))"""
KINDS = {
    "direct": ("(return_call $odd (local.get 0))", "return_call $even"),
    "indirect": ("(return_call_indirect (type $odd) (local.get 0) (i32.const 0))",
                 "i32.const 1 return_call_indirect (type $even)"),
    "by reference": ("(return_call_ref $odd (local.get 0) (ref.func $odd))", "ref.func $even return_call_ref $even"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ten_million_deep(engine, kind):
    call_odd, call_even = KINDS[kind]
    inst = wasm.Instance(wasm.Module(EVEN.format(call_odd=call_odd, call_even=call_even), engine=engine),
                         stack_size=STACK)
    assert inst.exports.run(DEEP) == 0
    assert inst.exports.run(DEEP + 1) == 1


@pytest.mark.parametrize("results", (1, 2, 3, 4, 6))
def test_results_of_any_number(load, results):
    """Those that do not fit registers come back through memory."""
    types = " ".join(["i32", "f64", "i64", "f32", "i32", "f64"][:results])
    constants = " ".join(["(i32.const 1)", "(f64.const 2.5)", "(i64.const -3)", "(f32.const 4.5)", "(i32.const 5)",
                          "(f64.const -6)"][:results])
    inst = load(f"""(module
      (func $f (export "f") (param i32) (result {types})
        (if (i32.eqz (local.get 0)) (then {constants} return))
        (return_call $f (i32.sub (local.get 0) (i32.const 1))))
      (func (export "g") (param i32) (result {types}) (call $f (local.get 0))))""", stack_size=STACK)
    expected = (1, 2.5, -3, 4.5, 5, -6.0)[:results]
    for name in "fg":
        found = inst.exports[name](1_000_000)
        assert (found if results > 1 else (found,)) == expected


PING = """(module
  (import "other" "pong" (func $pong (param i64 i64) (result i64)))
  (func (export "ping") (param i64) (result i64)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 42))))
    (return_call $pong (i64.const 7) (local.get 0))))"""
PONG = """(module
  (type $ping (func (param i64) (result i64)))
  (global $own (export "own") (mut i64) (i64.const 0))
  (table (export "table") 1 funcref)
  (func (export "pong") (param i64 i64) (result i64)
    (global.set $own (i64.add (global.get $own) (i64.const 1)))
    (return_call_indirect (type $ping) (i64.sub (local.get 1) (i64.const 1)) (i32.const 0)))
  (func (export "call") (param i64) (result i64)
    (i64.add (call_indirect (type $ping) (local.get 0) (i32.const 0)) (global.get $own))))"""


@pytest.mark.parametrize("first", ("interp", "jit", "tiered"))
@pytest.mark.parametrize("second", ("interp", "jit", "tiered"))
def test_across_instances_and_modes(first, second):
    """The instance that called first is itself again when the last callee returns."""
    pong = wasm.Instance(wasm.Module(PONG, engine=wasm.Engine(mode=first)), stack_size=STACK)
    ping = wasm.Instance(wasm.Module(PING, engine=wasm.Engine(mode=second)), {"other": pong.exports}, stack_size=STACK)
    pong.exports.table[0] = ping.exports.ping
    assert ping.exports.ping(1_000_000) == 42
    assert pong.exports.own.value == 1_000_000
    assert pong.exports.call(1_000_000) == 42 + 2_000_000
    assert pong.exports.pong(0, 1_000_000) == 42


def test_from_inside_a_loop(engine):
    """The loop goes on in native code, which leaves it by a tail call."""
    inst = wasm.Instance(wasm.Module("""(module
      (func $f (export "f") (param $n i32) (param $sum i64) (result i64) (local $i i32)
        (if (i32.eqz (local.get $n)) (then (return (local.get $sum))))
        (loop $l
          (local.set $sum (i64.add (local.get $sum) (i64.const 1)))
          (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
        (return_call $f (i32.sub (local.get $n) (i32.const 1)) (local.get $sum)))
      (func $other (export "other") (param $a i64) (param $b i64) (param $n i32) (param $sum i64) (result i64)
        (loop $l
          (local.set $sum (i64.add (local.get $sum) (local.get $a)))
          (br_if $l (i32.and (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 7))))
        (if (i32.le_s (local.get $n) (i32.const 0)) (then (return (local.get $sum))))
        (return_call $again (local.get $n) (local.get $sum)))
      (func $again (param $n i32) (param $sum i64) (result i64)
        (return_call $other (i64.const 1) (i64.const 2) (local.get $n) (local.get $sum))))""", engine=engine),
        stack_size=STACK)
    assert inst.exports.f(1_000_000, 0) == 3_000_000
    assert inst.exports.other(1, 2, 800_000, 0) == 800_000


def test_to_python(load):
    seen = []
    inst = load("""(module (import "host" "f" (func $f (param i32) (result i32)))
      (func $g (export "g") (param i64 i64 i32) (result i32) (return_call $f (local.get 2)))
      (func (export "h") (result i32) (i32.add (call $g (i64.const 1) (i64.const 2) (i32.const 3)) (i32.const 100))))""",
                {"host": {"f": lambda x: seen.append(x) or x * 2}})
    assert inst.exports.g(0, 0, 21) == 42
    assert inst.exports.h() == 106
    assert seen == [21, 3]


def test_traps(load):
    inst = load("""(module (type $t (func (param i32) (result i32)))
      (table 2 funcref) (elem (i32.const 0) $none) (func $none)
      (func (export "indirect") (param i32) (result i32) (return_call_indirect (type $t) (local.get 0) (local.get 0)))
      (func (export "null") (param i32) (result i32) (return_call_ref $t (local.get 0) (ref.null $t))))""")
    for argument, message in ((0, "indirect call type mismatch"), (1, "uninitialized element"), (2, "undefined element")):
        with pytest.raises(wasm.Trap, match=message):
            inst.exports.indirect(argument)
    with pytest.raises(wasm.Trap, match="null function reference"):
        inst.exports.null(0)


def test_endless_tail_recursion_is_interrupted_and_ordinary_recursion_still_traps(load):
    inst = load("""(module (func $f (export "f") (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
      (i32.add (call $f (local.get 0)) (i32.const 1))))""")
    with pytest.raises(wasm.Exhaustion):
        inst.exports.f(1)
