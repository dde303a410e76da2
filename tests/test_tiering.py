"""Tiers: where functions are and why, switching at loop headers, and changing an instance's mode."""
import pytest

import pyjit_wasm as wasm
from pyjit_wasm.tiering import controller
from pyjit_wasm.tiering.queue import queue

FIB = """(module (func $fib (export "fib") (param i32) (result i32)
  (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0)) (else (i32.add
    (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"""


def eager(source, imports=None, threshold=1, **settings):
    return wasm.load(source, imports, mode="tiered", tier_up_threshold=threshold, background=False, **settings)


def switched(inst):
    """Whether `f`, or a loop in it, went over to native code."""
    tier = inst.function("f").tier
    return tier == "native" or tier == "interp" and "loops go on in native code" in tier.why


# --- where a function is

def test_tiers_and_reasons():
    interp, jit = wasm.load(FIB, mode="interp"), wasm.load(FIB, mode="jit")
    assert interp.function("fib").tier == "interp" and interp.function("fib").tier.why == "not called yet"
    assert interp.exports.fib(10) == 55 and interp.function("fib").tier.why == "mode interp"
    assert jit.function("fib").tier == "native" and "not called yet" in jit.function("fib").tier.why
    assert jit.exports.fib(10) == 55 and "mode jit" in jit.function("fib").tier.why


def test_the_threshold():
    inst = eager('(module (func (export "f")) (func (export "g")))', threshold=10)
    for left in range(9, 0, -1):
        inst.exports.f()
        assert inst.function("f").tier == "interp" and str(left) in inst.function("f").tier.why
    inst.exports.f()
    tier = inst.function("f").tier
    assert tier == "native" and "hot" in tier.why and repr(tier).startswith("<Tier native")
    assert inst.function("g").tier == "interp"


def test_loop_iterations_count():
    inst = eager("""(module (func (export "f") (param i32) (loop $l
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))""", threshold=1000)
    inst.exports.f(100)
    assert inst.function("f").tier == "interp"
    inst.exports.f(2000)
    assert switched(inst)


def test_background_compilation():
    inst = wasm.load(FIB, mode="tiered", tier_up_threshold=100)
    assert inst.exports.fib(15) == 610
    queue.drain()
    assert inst.function("fib").tier == "native"
    assert inst.exports.fib(20) == 6765


def test_a_running_loop_is_taken_over_in_the_background():
    """One single call; without on-stack replacement this takes minutes."""
    inst = wasm.load("""(module (func (export "f") (param i64) (result i64) (local i64) (loop $l
      (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 5)) (i64.const 1)))
      (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
        (local.get 1)))""", mode="tiered")
    steps = 300_000_000
    expected = (pow(5, steps, 4 << 64) - 1) // 4 & (1 << 64) - 1
    assert inst.exports.f(steps) & (1 << 64) - 1 == expected
    assert switched(inst)


def test_bad_background_work_is_reported(monkeypatch):
    """The guest goes on interpreted, and the function says why."""
    def fail(*_):
        raise RuntimeError("no compiler today")

    monkeypatch.setattr(controller, "compile_hot", fail)
    inst = wasm.load(FIB, mode="tiered", tier_up_threshold=5)
    assert inst.exports.fib(15) == 610
    queue.drain()
    assert inst.exports.fib(15) == 610
    assert inst.function("fib").tier == "interp" and "no compiler today" in inst.function("fib").tier.why


# --- on-stack replacement: the same result as the interpreter's, at whatever iteration the switch comes

LOOPS = {
    "outermost": """(func (export "f") (param i32) (result i64) (local i64) (loop $l
        (local.set 1 (i64.add (local.get 1) (i64.extend_i32_u (local.get 0))))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))""",
    "inner": """(func (export "f") (param i32) (result i64) (local i32 i32 i64)
        (loop $outer (local.set 2 (i32.const 7))
          (loop $inner (local.set 3 (i64.add (i64.mul (local.get 3) (i64.const 3)) (i64.extend_i32_u (local.get 2))))
            (br_if $inner (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))
          (br_if $outer (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
            (local.get 3))""",
    "three deep": """(func (export "f") (param i32) (result i64) (local i32 i32 i32 i64)
        (loop $a (local.set 2 (i32.const 0)) (loop $b (local.set 3 (i32.const 0)) (loop $c
              (local.set 4 (i64.add (local.get 4) (i64.extend_i32_u (i32.mul (local.get 1) (i32.xor (local.get 2)
                (local.get 3))))))
              (br_if $c (i32.lt_u (local.tee 3 (i32.add (local.get 3) (i32.const 1))) (i32.const 3))))
            (br_if $b (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (i32.const 4))))
          (br_if $a (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0)))) (local.get 4))""",
    "operands below": """(func (export "f") (param i32) (result i64) (local i64)
        (i64.const 1000) (i64.extend_i32_u (local.get 0)) (i64.const 7)
        (loop $l (local.set 1 (i64.add (local.get 1) (i64.const 3)))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        i64.mul i64.add (i64.add (local.get 1)))""",
    "parameters": """(func (export "f") (param i32) (result i64)
        (i64.const 5) (i64.const 1) (local.get 0)
        (loop $l (param i64 i32) (result i64) (local.set 0)
          (i64.add (i64.extend_i32_u (local.get 0))) (i32.sub (local.get 0) (i32.const 1))
          (br_if $l (i32.gt_u (local.get 0) (i32.const 1))) drop) i64.mul)""",
    "parameters changed in place": """(func (export "f") (param i32) (result i64) (local i64)
        (i64.const 1) (i64.const 2) (i64.const 3)
        (loop $l (param i64 i64 i64) (result i64 i64 i64)
          (local.set 1) (i64.mul (i64.const 3)) (local.get 1) i64.add (local.get 1) (i64.extend_i32_u
            (local.get 0)) i64.add
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) i64.add i64.add)""",
    "every type": """(func (export "f") (param i32) (result i64) (local i32 i64 f32 f64 funcref externref i64 f64)
        (local.set 3 (f32.const 0.5)) (local.set 4 (f64.const 1))
        (loop $l (local.set 1 (i32.add (local.get 1) (local.get 0)))
          (local.set 2 (i64.sub (local.get 2) (i64.const 3)))
          (local.set 3 (f32.add (local.get 3) (f32.const 0.25)))
          (local.set 4 (f64.mul (local.get 4) (f64.const 1.0000001)))
          (local.set 7 (i64.rotl (i64.xor (local.get 7) (i64.reinterpret_f64 (local.get 4))) (i64.const 5)))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i64.add (i64.add (i64.extend_i32_u (local.get 1)) (local.get 2))
          (i64.add (i64.add (i64.reinterpret_f64 (local.get 4)) (local.get 7))
            (i64.add (i64.extend_i32_u (i32.reinterpret_f32 (local.get 3)))
              (i64.extend_i32_u (i32.add (ref.is_null (local.get 5)) (ref.is_null (local.get 6))))))))""",
    "one after the other": """(func (export "f") (param i32) (result i64) (local i32 i64)
        (local.set 1 (local.get 0))
        (loop $a (local.set 2 (i64.add (local.get 2) (i64.const 3)))
          (br_if $a (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
        (local.set 1 (local.get 0))
        (loop $b (local.set 2 (i64.mul (local.get 2) (i64.const 3)))
          (br_if $b (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
        (loop $c (local.set 2 (i64.xor (local.get 2) (i64.extend_i32_u (local.get 0))))
          (br_if $c (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 2))""",
    "recursion": """(func $f (export "f") (param i32) (result i64) (local i32 i64)
        (loop $l (if (i32.gt_u (local.get 0) (i32.const 1))
            (then (local.set 2 (i64.add (local.get 2) (call $f (i32.shr_u (local.get 0) (i32.const 1)))))))
          (local.set 2 (i64.add (local.get 2) (i64.const 1)))
          (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 3)))) (local.get 2))""",
    "memory and globals": """(memory 1) (global $g (mut i64) (i64.const 3))
      (func (export "f") (param i32) (result i64) (local i32)
        (global.set $g (i64.const 3)) (i64.store (i32.const 8) (i64.const 1))
        (loop $l (global.set $g (i64.add (global.get $g) (i64.load (i32.const 8))))
          (i64.store (i32.const 8) (i64.mul (global.get $g) (i64.const 3)))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (global.get $g))""",
    "left by br_table": """(func (export "f") (param i32) (result i64) (local i64)
        (block $out (loop $l
            (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 3)) (i64.const 1)))
            (block $b (block $a (br_table $a $b $l $out (i32.rem_u (local.tee 0 (i32.sub (local.get 0)
              (i32.const 1))) (i32.const 3))))
              (local.set 1 (i64.add (local.get 1) (i64.const 10))) (br_if $l (i32.gt_s (local.get 0)
                (i32.const 3))) (br $out))
            (br $l))) (local.get 1))""",
    "a call in the loop": """(func $g (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
      (func (export "f") (param i32) (result i64) (local i64)
        (loop $l (local.set 1 (call $g (i64.mul (local.get 1) (i64.const 3))))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))""",
    "returned from inside": """(func (export "f") (param i32) (result i64) (local i64)
        (loop $l (result i64) (local.set 1 (i64.add (local.get 1) (i64.const 3)))
          (if (i32.eqz (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))) (then (return (local.get 1)))) (br $l)))""",
}


@pytest.mark.parametrize("kind", LOOPS)
def test_on_stack_replacement(kind):
    source = f"(module {LOOPS[kind]})"
    interp, jit = wasm.load(source, mode="interp"), wasm.load(source, mode="jit")
    for threshold in (1, 2, 3, 5, 8, 13, 40, 100):
        inst = eager(source, threshold=threshold)
        for argument in (1, 2, 3, 9, 30, 97):
            assert inst.exports.f(argument) == interp.exports.f(argument) == jit.exports.f(argument)
        assert switched(inst) or threshold > 13


def test_frames_of_a_trap_after_on_stack_replacement():
    inst = eager("""(module (memory 1) (func (export "f") (param i32) (loop $l
      (i32.store (local.tee 0 (i32.add (local.get 0) (i32.const 1000))) (i32.const 1)) (br $l)))
      (func (export "outer") (call 0 (i32.const 0))))""", threshold=20)
    with pytest.raises(wasm.Trap, match="out of bounds memory access") as caught:
        inst.exports.outer()
    assert [frame.name for frame in caught.value.frames] == ["f", "outer"]
    assert switched(inst)


# --- modes of an instance

def test_modes_back_and_forth():
    inst = wasm.load(FIB, mode="interp", tier_up_threshold=1, background=False)
    for mode, tier in [("jit", "native"), ("interp", "interp"), ("tiered", "native"), ("interp", "interp")] * 3:
        inst.mode = mode
        assert inst.mode == mode and inst.exports.fib(12) == 144
        assert inst.function("fib").tier == tier


def test_two_instances_of_one_module_in_different_modes():
    module = wasm.Module(FIB, engine=wasm.Engine(tier_up_threshold=1, background=False))
    interp, jit, tiered = (wasm.Instance(module, mode=mode) for mode in ("interp", "jit", "tiered"))
    for _ in range(3):
        assert [i.exports.fib(15) for i in (interp, jit, tiered)] == [610] * 3
    assert [i.function("fib").tier for i in (interp, jit, tiered)] == ["interp", "native", "native"]


SWITCHING = """(module (import "m" "switch" (func $switch (param i32)))
  (func $work (export "work") (param i32) (result i64) (local i64 i32)
    (loop $l (call $switch (local.get 0))
      (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 3)) (call $twice (local.get 0))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))
  (func $twice (param i32) (result i64) (i64.mul (i64.const 2) (i64.extend_i32_u (local.get 0))))
  (func (export "deep") (param i32) (result i64) (if (result i64) (local.get 0)
    (then (call $switch (local.get 0)) (i64.add (i64.const 1) (call 3 (i32.sub (local.get 0) (i32.const 1)))))
    (else (i64.const 0)))))"""


def test_switching_inside_a_call(mode):
    """A host function changes the mode of the instance that is calling it."""
    order = ("jit", "interp", "tiered", "jit", "tiered", "interp")

    def switch(n):
        inst.mode = order[n % len(order)]

    inst = wasm.load(SWITCHING, {"m": {"switch": switch}}, mode=mode, tier_up_threshold=1, background=False)
    plain = wasm.load(SWITCHING, {"m": {"switch": lambda n: None}}, mode="interp")
    for argument in (1, 2, 5, 12, 30):
        assert inst.exports.work(argument) == plain.exports.work(argument)
        assert inst.exports.deep(argument) == argument


def test_a_switch_does_not_end_a_loop(load):
    """The interpreter's loop goes on in the interpreter when the mode is jit by now, and the next call is native."""
    inst = load("""(module (import "m" "f" (func $f)) (func (export "g") (param i32) (result i32) (call $f)
      (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 5)))""",
                {"m": {"f": lambda: setattr(inst, "mode", "jit")}})
    assert inst.exports.g(10_000) == 5 and inst.exports.g(10_000) == 5
    assert inst.function("g").tier == "native"


def test_a_function_too_large_for_the_interpreter(load):
    """Its frame has more slots than operands can name: it is compiled in every mode."""
    inst = load(f"""(module (func (export "f") (param i32) (result i32) (local {"i64 " * 40000})
      (local.set 39999 (i64.const 3)) (i32.add (local.get 0) (i32.wrap_i64 (local.get 39999))))
      (func (export "g") (param i32) (result i32) (call 0 (local.get 0))))""")
    for _ in range(3):
        assert inst.exports.g(4) == 7 and inst.exports.f(1) == 4
    assert inst.function("f").tier == "native"
