"""Pointers that step through innermost loops (codegen.recurrences) against the interpreter, which has none:
traps, wrap-around of 32-bit addresses in both directions, memarg offsets, distances inside a group."""
import pytest

import pyjit_wasm as wasm

# $p runs from its argument in steps; the loop ends after $n iterations; every access is `load`
SOURCE = """(module (memory (export "memory") 2 3)
  (func (export "sum") (param $p i32) (param $n i32) (result i32) (local $s i32)
    (loop $l
      {sums}
      (local.set $p (i32.add (local.get $p) (i32.const {step})))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s))
  (func (export "copy") (param $p i32) (param $q i32) (param $n i32)
    (loop $l
      {copies}
      (local.set $p (i32.add (local.get $p) (i32.const {step})))
      (local.set $q (i32.add (local.get $q) (i32.const {step})))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"""
SUM = """(local.set $s (i32.add (i32.mul (local.get $s) (i32.const 31))
  (i32.load offset={offset} (i32.add (local.get $p) (i32.const {distance})))))"""
COPY = """(i32.store offset={offset} (i32.add (local.get $p) (i32.const {distance}))
  (i32.load offset={offset} (i32.add (local.get $q) (i32.const {distance}))))"""

SHAPES = {  # (distance, memarg offset) of the accesses of one iteration
    "one": [(0, 0)],
    "unrolled": [(0, 0), (4, 0), (8, 0), (12, 0)],
    "backwards": [(12, 0), (8, 0), (4, 0), (0, 0)],
    "by memarg": [(0, 0), (0, 4), (0, 8)],
    "memarg below": [(8, 0), (0, 16), (0, 0)],
    "far apart": [(0, 0), (65536, 0), (65540, 0), (-65540, 0)],
    "high memarg": [(0, 4294967280), (4, 0)],
}
STEPS = (4, 16, -4, -16, 65536, -65536, 3)
STARTS = (0, 4, 64, 65536, 131068, 131072, 4294967280, 4294967292, 4294901760, 2147483644)


def outcome(inst, name, *arguments):
    """The result, or why it trapped; and the memory, if it did not."""
    memory = memoryview(inst.exports.memory)
    memory[:] = bytes(i * 7 & 255 for i in range(256)) * (len(memory) // 256)
    try:
        return inst.exports[name](*arguments), memory.tobytes()
    except wasm.Trap as trap:
        return trap.code, None


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("shape", SHAPES)
def test_against_the_interpreter(shape, step):
    sums, copies = ("\n".join(text.format(distance=d, offset=o) for d, o in SHAPES[shape]) for text in (SUM, COPY))
    source = SOURCE.format(step=step, sums=sums, copies=copies)
    interp, jit = (wasm.load(source, mode=mode) for mode in ("interp", "jit"))
    for start in STARTS:
        for count in (1, 2, 5, 64, 40000):
            assert outcome(jit, "sum", start, count) == outcome(interp, "sum", start, count), (start, count)
    for start, source_start in ((0, 64), (64, 0), (65536, 0), (1000, 1004), (1004, 1000), (131000, 8), (8, 131000)):
        for count in (1, 3, 30):
            arguments = start, source_start, count
            assert outcome(jit, "copy", *arguments) == outcome(interp, "copy", *arguments), arguments


def test_the_top_of_the_address_space_stays_closed():
    """What the argument in codegen.recurrences rests on."""
    inst = wasm.load('(module (memory (export "memory") 1) (func (export "grow") (param i32) (result i32) '
                     "(memory.grow (local.get 0))))", mode="jit")
    assert inst.exports.grow(65535) == -1
    assert inst.exports.grow(65534) == 1 and len(inst.exports.memory) == 65535 * 65536
