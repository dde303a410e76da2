"""Guarded conversions as C compilers write them (codegen.conversions) against a plain oracle, and what only
looks like them."""
import math
import struct

import pytest

import pyjit_wasm as wasm

INTEGERS = {"i32": 32, "i64": 64}
NUMBERS = {"f32": ("f", 4), "f64": ("d", 8)}
KINDS = [(i, n, s) for i in INTEGERS for n in NUMBERS for s in "su"]

# an array of $count numbers at 1024 becomes integers at 8192
SOURCE = """(module (memory (export "memory") 1)
  (func (export "all") (param $count i32) (local $k i32) (local $x {number}) (local $y {integer})
    (loop $next
      block block
        (local.tee $x ({number}.load offset=1024 (i32.mul (local.get $k) (i32.const {number_size}))))
        {condition} i32.eqz br_if 0
        local.get $x {integer}.trunc_{number}_{sign} local.set $y br 1
      end {integer}.const {otherwise} local.set $y end
      ({integer}.store offset=8192 (i32.mul (local.get $k) (i32.const {integer_size})) (local.get $y))
      (br_if $next (i32.ne (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $count))))))"""


def source(integer, number, sign, limit=None):
    bits = INTEGERS[integer]
    if sign == "s":
        otherwise = -1 << bits - 1
        condition = f"{number}.abs {number}.const {limit or f'0x1p{bits - 1}'} {number}.lt"
    else:
        otherwise = 0
        condition = f"{number}.const {limit or f'0x1p{bits}'} {number}.lt local.get $x {number}.const 0 {number}.ge i32.and"
    return SOURCE.format(integer=integer, number=number, sign=sign, condition=condition, otherwise=otherwise,
                         number_size=NUMBERS[number][1], integer_size=bits // 8)


def values(number):
    code, _ = NUMBERS[number]
    edges = [s * 2.0 ** p * f for p in (0, 31, 32, 62, 63, 64) for s in (1, -1) for f in (1, 0.9999999, 1.0000001, 0.5)]
    found = [0.0, -0.0, 0.5, -0.5, -0.99, 1e30, -1e30, math.inf, -math.inf, math.nan, 5e-324, *edges]
    return [struct.unpack(code, struct.pack(code, v))[0] for v in found]


def expected(value, integer, sign):
    bits = INTEGERS[integer]
    if sign == "s":
        return math.trunc(value) if abs(value) < 2.0 ** (bits - 1) else -1 << bits - 1
    return math.trunc(value) if 0 <= value < 2.0 ** bits else 0


def convert(inst, numbers, integer, number):
    """What the guest makes of them, unsigned."""
    memory = memoryview(inst.exports.memory)
    code, size = NUMBERS[number]
    memory[1024:1024 + size * len(numbers)] = struct.pack(f"{len(numbers)}{code}", *numbers)
    inst.exports.all(len(numbers))
    size = INTEGERS[integer] // 8
    return list(memory[8192:8192 + size * len(numbers)].cast("I" if size == 4 else "Q"))


@pytest.mark.parametrize("integer, number, sign", KINDS)
def test_against_the_oracle(engine, integer, number, sign):
    inst = wasm.Instance(wasm.Module(source(integer, number, sign), engine=engine))
    numbers, mask = values(number), (1 << INTEGERS[integer]) - 1
    assert convert(inst, numbers, integer, number) == [expected(v, integer, sign) & mask for v in numbers]


@pytest.mark.parametrize("integer, number, sign", KINDS)
def test_a_wider_condition_still_traps(engine, integer, number, sign):
    """It is no idiom: the conversion is reached by numbers out of range."""
    inst = wasm.Instance(wasm.Module(source(integer, number, sign, limit="0x1p70"), engine=engine))
    assert convert(inst, [1.5, 7.0], integer, number) == [1, 7]
    with pytest.raises(wasm.Trap, match="integer overflow"):
        convert(inst, [1.5, 2.0 ** 66], integer, number)


def test_a_branch_around_the_guard(engine):
    """Something else branches behind the block: it stays as it is."""
    inst = wasm.Instance(wasm.Module("""(module (func (export "f") (param $x f32) (param $skip i32) (result i32) (local $y i32)
      block block
        (br_if 1 (local.get $skip))
        (local.get $x) f32.abs f32.const 0x1p31 f32.lt i32.eqz br_if 0
        local.get $x i32.trunc_f32_s local.set $y br 1
      end i32.const -0x80000000 local.set $y end
      local.get $y))""", engine=engine))
    assert [inst.exports.f(7.9, 0), inst.exports.f(7.9, 1), inst.exports.f(4e9, 0), inst.exports.f(math.nan, 0)] == \
        [7, 0, -2 ** 31, -2 ** 31]


def test_one_local_for_both(engine):
    """$y is read after the constant was chosen; operands outside the blocks stay."""
    inst = wasm.Instance(wasm.Module("""(module (func (export "f") (param $x f64) (param $y i64) (result i64)
      local.get $y
      block block
        (local.get $x) f64.abs f64.const 0x1p63 f64.lt i32.eqz br_if 0
        local.get $x i64.trunc_f64_s local.set $y br 1
      end i64.const -0x8000000000000000 local.set $y end
      local.get $y i64.xor))""", engine=engine))
    assert inst.exports.f(5.0, 12) == 12 ^ 5
    assert inst.exports.f(1e300, 12) == -2 ** 63 ^ 12


# between the blocks' openers and the conversion stands something that the blocks cannot be taken away around
IDIOM = """(br_if 0 (i32.eqz (f32.lt (f32.abs (local.get $x)) (f32.const 0x1p31))))
  (local.set $y (i32.trunc_f32_s (local.get $x))) (br 1)
  end (local.set $y (i32.const -0x80000000)) end"""
AROUND = {
    "br_on_null 0": f"block block (drop (br_on_null 0 (local.get $r))) {IDIOM}",
    "br_on_null 1": f"block block (drop (br_on_null 1 (local.get $r))) {IDIOM}",
    "br_on_null 2": f"block block block (drop (br_on_null 2 (local.get $r))) {IDIOM} end",
    "br_on_non_null": f"(block (result (ref extern)) block block (br_on_non_null 2 (local.get $r)) {IDIOM} (unreachable)) drop",
    "br_if": f"block block (br_if 1 (ref.is_null (local.get $r))) {IDIOM}",
    "an operand": f"block block (i32.const 177) {IDIOM} (loop $l (br_if $l (i32.lt_s (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 9))))",
    "a call": f"block block (call $nothing) {IDIOM}",
}


@pytest.mark.parametrize("name", AROUND)
def test_what_only_surrounds_the_idiom(name, load):
    inst = load(f"""(module (func $nothing)
      (func (export "f") (param $x f32) (param $r externref) (result i32) (local $y i32) (local $n i32)
        {AROUND[name]} (i32.add (local.get $y) (i32.const 1))))""")
    for x, reference in ((5.0, None), (5.0, "something"), (3e9, "something"), (math.nan, None)):
        converted = int(x) if abs(x) < 2 ** 31 else -2 ** 31
        leaves = {"br_on_null 0": None, "br_on_null 1": 0, "br_on_null 2": 0, "br_if": 0}
        if reference is None and name in leaves:
            wanted = -2 ** 31 if leaves[name] is None else 0
        else:
            wanted = 0 if reference is not None and name == "br_on_non_null" else converted
        if name == "br_on_non_null" and reference is None:
            with pytest.raises(wasm.Trap, match="unreachable"):
                inst.exports.f(x, reference)
        else:
            assert inst.exports.f(x, reference) == wanted + 1, (x, reference)


def test_counting_instructions_of_the_idiom(load):
    inst = load(f"""(module (func (export "f") (param $x f32) (result i32) (local $y i32) block block {IDIOM} (local.get $y)))""")
    with wasm.profile(inst, rate=0, counts=True, opcodes=True) as p:
        assert inst.exports.f(5.0) == 5
    counted = p.report.counts.opcodes
    assert counted and sum(counted.values()) > 5
