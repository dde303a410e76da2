"""The kernels that validate large modules say the same as `valid.function`, of real programs and of corruptions. (The
specification's suite goes through them in tests/test_spec.py.)"""
import ctypes
import random
from pathlib import Path

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.codegen import kernel_text, kernels
from pyjit_wasm.errors import DecodeError, InternalError, ValidationError
from pyjit_wasm.text import assemble
from pyjit_wasm.valid import validate
from pyjit_wasm.valid.bulk import functions
from pyjit_wasm.valid.bulk.state import i32, i64, u8

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = sorted(path for pattern in ("examples/*.wasm", "benchmarks/kernels/*.wasm") for path in ROOT.glob(pattern))
CORRUPTIONS = 1_500
REFUSED = (DecodeError, ValidationError)


def kernel():
    return kernels.load(functions.MAIN, *functions.OTHERS)


def one_by_one(binary):
    try:
        return list(validate(decode(binary)))
    except REFUSED:
        return "refused"


def in_bulk(binary, unknown=None):
    """The same by the kernels; `unknown` gets the functions that they did not know."""
    def check(module):
        found = functions.check(module, kernel())
        if unknown is not None:
            unknown.extend(i for i in range(len(found)) if not found._out[4 * i])
        return found
    try:
        return list(validate(decode(binary, False, kernels.load), check))
    except REFUSED:
        return "refused"


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_programs(path):
    unknown = []
    assert in_bulk(path.read_bytes(), unknown) == one_by_one(path.read_bytes())
    assert not unknown


def test_corruptions():
    """Of code, where most of them change what an instruction is or what it refers to."""
    rng, refused = random.Random(5), 0
    contents = [path.read_bytes() for path in PROGRAMS if path.stat().st_size < 5_000]
    for number in range(CORRUPTIONS):
        content = bytearray(rng.choice(contents))
        code = decode(bytes(content)).codes
        for _ in range(rng.randint(1, 2)):
            content[rng.randrange(code[0].start, code[-1].end)] = rng.choice((rng.randrange(256), 0x1A, 0x0B, 0x20, 0x40, 0x7F))
        expected = one_by_one(bytes(content))
        assert in_bulk(bytes(content)) == expected, number
        refused += expected == "refused"
    assert CORRUPTIONS / 4 < refused < CORRUPTIONS


WHAT_THE_SUITE_HAS_FEW_OF = """(module
  (type $pair (func (param i32 i64) (result i64 i32)))
  (import "m" "g" (global $g (mut funcref))) (import "m" "t" (tag $t (param i32)))
  (memory $a 1) (memory $b i64 1) (table $f 3 funcref) (table $x i64 3 externref)
  (data $d "abc") (elem $e func $swap) (elem declare func $swap)
  (func $swap (export "swap") (type $pair) (local.get 1) (local.get 0))
  (func (param i32) (result i32)
    (block $l (result i32 exnref) (try_table (result i32 exnref) (catch_ref $t $l)
      (throw $t (i32.const 1)))) (throw_ref))
  (func (block $m (result exnref) (try_table (catch_all_ref $m) (nop)) (return)) (drop))
  (func (param i32 i64) (result i64 i32) (local.get 0) (local.get 1) (loop (param i32 i64) (result i64 i32) (call $swap))
    (block (param i64 i32) (result i64 i32) (br_table 0 0 0 (i32.const 1))))
  (func (global.set $g (ref.null func)) (table.set $f (i32.const 0) (global.get $g))
    (memory.copy $a $b (i32.const 0) (i64.const 0) (i32.const 3)) (memory.init $b $d (i64.const 0) (i32.const 0) (i32.const 1))
    (table.init $f $e (i32.const 0) (i32.const 0) (i32.const 1)) (data.drop $d) (elem.drop $e)
    (drop (table.grow $x (ref.null extern) (i64.const 1))) (drop (ref.is_null (table.get $x (i64.const 0))))
    (unreachable) (i32.add) (select) (drop) (br_if 0))
  (func (return_call_indirect $f (i32.const 0))) (func (return_call 5))
  (func (drop (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31 (v128.const i64x2 1 2) (v128.const i64x2 1 2)))
    (v128.store8_lane $b 15 (i64.const 0) (v128.const i64x2 1 2)) (drop (i64.load $b offset=0xffffffffff (i64.const 0)))))"""


def test_all_of_it():
    unknown = []
    binary = assemble(WHAT_THE_SUITE_HAS_FEW_OF)
    assert in_bulk(binary, unknown) == one_by_one(binary) != "refused"
    assert not unknown


OLDER_EXCEPTIONS = """(module (tag $a (param i32 i64)) (tag $b) (type $t (func (param i32) (result i32)))
  (func (try (do) (catch $b))) (func (try (do (throw $b)) (catch_all (rethrow 0))))
  (func (param i32) (result i32) (local.get 0) (try (param i32) (result i32) (do (drop) (i32.const 1))
    (catch $a (drop)) (catch $b (i32.const 2)) (catch_all (i32.const 3))))
  (func (result i32) (try (result i32) (do (try (result i32) (do (call 2 (i32.const 1))) (delegate 0))) (catch_all (unreachable))))
  (func (block (try (do (try (do (nop)) (delegate 1))) (delegate 0))) (try (do (br 0)) (catch $b (block (rethrow 1)))))
  (func (loop (try (do (return)) (catch $a (drop) (drop) (try (do) (catch_all (rethrow 1) (rethrow 0))))) (br 0))))"""


def test_older_exceptions():
    """And with one byte of the code changed."""
    unknown, binary, rng, refused = [], assemble(OLDER_EXCEPTIONS), random.Random(3), 0
    assert in_bulk(binary, unknown) == one_by_one(binary) != "refused"
    assert not unknown
    code = decode(binary).codes
    for _ in range(CORRUPTIONS):
        content = bytearray(binary)
        content[rng.randrange(code[0].start, code[-1].end)] = rng.choice((0, 1, 2, 0x06, 0x07, 0x08, 0x09, 0x0B, 0x18, 0x19, 0x1A, 0x40))
        expected = one_by_one(bytes(content))
        assert in_bulk(bytes(content)) == expected, content.hex()
        refused += expected == "refused"
    assert CORRUPTIONS / 4 < refused < CORRUPTIONS


def test_engines_without_older_exceptions(monkeypatch):
    monkeypatch.setattr("pyjit_wasm.config.BULK_VALIDATION", 0)
    with pytest.raises(ValidationError, match="legacy exception handling is switched off"):
        wasm.Module(OLDER_EXCEPTIONS, engine=wasm.Engine(legacy_exceptions=False))
    assert all(facts.legacy_exceptions for facts in wasm.Module(OLDER_EXCEPTIONS).code.facts)


@pytest.mark.parametrize("source", (
    f"(module (func {'(i32.const 0)' * 70_000} (unreachable)))", "(module (func " + "(block " * 11_000 + ")" * 11_000 + "))"))
def test_more_than_the_kernels_have_room_for(source):
    """Operands, blocks: `valid.function` checks those."""
    unknown, binary = [], assemble(source)
    assert in_bulk(binary, unknown) == one_by_one(binary) != "refused"
    assert unknown == [0]


def test_a_large_module(engine, monkeypatch):
    """Through the public API: it runs, and a faulty function is refused with the message and offset of `valid.function`."""
    monkeypatch.setattr("pyjit_wasm.config.BULK_VALIDATION", 0)
    module = wasm.Module('(module (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))',
                         engine=engine)
    assert wasm.Instance(module).exports.f(14) == 42
    faulty = assemble('(module (func) (func (result i32) (i64.const 0)))')
    with pytest.raises(ValidationError) as found:
        wasm.Module(faulty, engine=engine)
    with pytest.raises(ValidationError) as expected:
        validate(decode(faulty))
    assert str(found.value) == str(expected.value)
    with pytest.raises(DecodeError, match="illegal opcode"):
        wasm.Module(faulty[:-3] + b"\xff\x01\x0b", engine=engine)


def test_kernels_are_python():
    """Run as they are they do the same."""
    binary = assemble(WHAT_THE_SUITE_HAS_FEW_OF)
    module = decode(binary, False, kernels.load)
    native, _ = functions._run(module, kernel())
    plain, _ = functions._run(module, functions.MAIN)
    assert list(plain) == list(native)


LIMIT = 100


def odd(number):
    return number & 1 or number == 4


def sums(a: i32, n, b: u8, c: i64):
    """A docstring."""
    i = 0
    total = 0
    while i < n:
        value = a[i]
        i += 1
        if odd(value) and not value == 5:
            total += value * 2
            continue
        elif 0 <= value < LIMIT:
            b[i - 1] = value
        else:
            break
        c[0] = c[0] - (value << 40)
    return -total << 1


@pytest.mark.parametrize("numbers", ([], [1, 2, 3, 5, 4, 99, -3, 200, 7], [100], [-1, -2], [2 ** 31 - 1, -2 ** 31]))
def test_a_kernel(numbers):
    a, b, c = (ctypes.c_int32 * 10)(*numbers), (ctypes.c_uint8 * 10)(), (ctypes.c_int64 * 1)()
    small, large = [0] * 10, [0]
    assert kernels.load(sums, odd)(a, len(numbers), b, ctypes.addressof(c)) == sums(
        numbers, len(numbers), small, large)
    assert (list(b), list(c)) == (small, large)


def test_what_is_no_kernel():
    def pairs(a):
        a, b = a, a
        return b

    def foreign(a):
        return len(a)
    for function in (pairs, foreign):
        with pytest.raises(InternalError):
            kernel_text.source(function)
