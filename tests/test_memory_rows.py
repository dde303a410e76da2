"""Every load and store against bytes in Python, with addresses in all shapes, around all bounds."""
import functools
import random
import zlib
from collections import namedtuple

import pytest

import pyjit_wasm as wasm
from modes import BOUNDS, MODES, engine
from pyjit_wasm.opcodes import memory
from pyjit_wasm.text import assemble
from row_forms import const

ROWS = {op.mnemonic: op for op in memory.ROWS if op.access}
BITS = {"i32": 32, "i64": 64, "f32": 32, "f64": 64}
SIZE, MASK = 65536, 0xFFFFFFFF
OUT_OF_BOUNDS = "out of bounds memory access"
OFFSETS = (1, 7, SIZE - 4, SIZE, MASK)
K = 0xFFFFFF00      # added to an address it wraps around

Shape = namedtuple("Shape", "name text address memory", defaults=(0,))
Shape.__doc__ = "An address operand: its text, and what it is for the arguments a and b."

A, B = "(local.get 0)", "(local.get 1)"
TEMP_A, TEMP_B = f"(block (result i32) {A})", f"(block (result i32) {B})"
LOCAL = Shape("local", A, lambda a, b: a)
SHAPES = (
    LOCAL,
    Shape("temporary", TEMP_A, lambda a, b: a),
    Shape("local + local", f"(i32.add {A} {B})", lambda a, b: a + b),
    Shape("local + itself", f"(i32.add {A} {A})", lambda a, b: a + a),
    Shape("local + constant", f"(i32.add {A} (i32.const {K}))", lambda a, b: a + K),
    Shape("constant + local", f"(i32.add (i32.const {K}) {A})", lambda a, b: a + K),
    Shape("temporary + temporary", f"(i32.add {TEMP_A} {TEMP_B})", lambda a, b: a + b),
    Shape("local + temporary", f"(i32.add {A} {TEMP_B})", lambda a, b: a + b),
    Shape("global + constant", f"(i32.add (global.get $a) (i32.const {K}))", lambda a, b: a + K),
    Shape("sum + constant", f"(i32.add (i32.add {A} {B}) (i32.const {K}))", lambda a, b: a + b + K),
    Shape("stored sum", f"(local.tee 3 (i32.add {A} {B}))", lambda a, b: a + b),
    Shape("sum whose operand changes", f"(local.set 3 {A}) (i32.add (local.get 3) {B}) (local.set 3 {B})",
          lambda a, b: a + b),
    Shape("difference", f"(i32.sub {A} {B})", lambda a, b: a - b),
    Shape("constant", "(i32.const 4097)", lambda a, b: 4097),
    Shape("constant + constant", "(i32.add (i32.const 4097) (i32.const 3))", lambda a, b: 4100),
    Shape("memory 1, local", A, lambda a, b: a, 1),
    Shape("memory 1, local + local", f"(i32.add {A} {B})", lambda a, b: a + b, 1),
    Shape("memory 1, temporary + constant", f"(i32.add {TEMP_A} (i32.const {K}))", lambda a, b: a + K, 1),
)
CONSTANT = {"i32": 0x89ABCDEF, "i64": 0xFEDCBA9876543210, "f32": 0x7FA12345, "f64": 0x7FF4567800001234}

Access = namedtuple("Access", "export op shape offset constant")
Access.__doc__ = "A function with one access; `constant`: a store of one."


def accesses():
    """The functions: each row with each shape of address, without and with an offset."""
    for name, op in ROWS.items():
        for i, shape in enumerate(SHAPES):
            for offset in (0, OFFSETS[i % len(OFFSETS)]):
                for constant in (False, True)[:1 if op.results else 2]:
                    yield Access(f"{name} {shape.name} +{offset} {constant}", op, shape, offset, constant)


ACCESSES = {name: [access for access in accesses() if access.op is op] for name, op in ROWS.items()}


def text(access):
    op, shape = access.op, access.shape
    which = f"{shape.memory} " if shape.memory else ""
    t = (op.results or op.params[1:])[0]
    value = "" if op.results else const(t, CONSTANT[t]) if access.constant else "(local.get 2)"
    return (f'(func (export "{access.export}") (param i32 i32 {t}) {f"(result {t})" if op.results else ""} (local i32) '
            f"(global.set $a (local.get 0)) {shape.text} {value} {op.mnemonic} {which}offset={access.offset})")


@functools.cache
def binary():
    functions = "\n".join(text(access) for group in ACCESSES.values() for access in group)
    return assemble(f'(module (memory (export "0") 1 1) (memory (export "1") 1 1) (global $a (mut i32) (i32.const 0))'
                    f"\n{functions})")


@functools.cache
def exports(mode, bounds):
    return wasm.Instance(wasm.Module(binary(), engine=engine(mode, bounds))).exports


def loaded(op, content):
    """Raw bits that a load makes of bytes."""
    value = int.from_bytes(content, "little")
    if op.mnemonic.endswith("_s") and value >> 8 * len(content) - 1:
        value -= 1 << 8 * len(content)
    return value & (1 << BITS[op.results[0]]) - 1


def effective(access, a, b):
    return (access.shape.address(a, b) & MASK) + access.offset


def arguments(access, rng, count):
    """Pairs (a, b) in bounds mostly, and where the access just fits, just does not, or wraps around."""
    limit = max(SIZE - access.op.access - access.offset, 0)
    wanted = [rng.randrange(limit + 1) for _ in range(count)]
    wanted += [0, limit, limit + 1, limit + access.op.access, SIZE, MASK, MASK - 3, 1 << 31]
    for address in wanted:
        b = rng.choice((0, 1, 16, 0xFFFFFFF0, rng.getrandbits(32)))
        for a in ((address - access.shape.address(0, b)) & MASK, address):
            yield a, b


def perform(function, call):
    """The results of a call, or the trap's message."""
    try:
        return function.call_bits(call)
    except wasm.Trap as trap:
        return trap.code


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("name", ROWS)
def test_row(name, bounds, mode):
    rng, exported = random.Random(zlib.crc32(name.encode())), exports(mode, bounds)
    op = ROWS[name]
    images = [bytearray(rng.randbytes(SIZE)) for _ in range(2)]
    for number, image in enumerate(images):
        exported[str(number)][:] = image
    t = (op.results or op.params[1:])[0]
    for access in ACCESSES[name]:
        function, image = exported[access.export], images[access.shape.memory]
        for a, b in arguments(access, rng, 1000 if access.shape is LOCAL and not access.offset else 8):
            place, value = effective(access, a, b), rng.getrandbits(BITS[t])
            result = perform(function, (a, b, value))
            where = f"{access.export} ({a:#x}, {b:#x}, {value:#x})"
            if place + op.access > SIZE:
                assert result == OUT_OF_BOUNDS, where
            elif op.results:
                assert result == (loaded(op, image[place:place + op.access]),), where
            else:
                assert result == (), where
                stored = CONSTANT[t] if access.constant else value
                image[place:place + op.access] = stored.to_bytes(8, "little")[:op.access]
                there = exported[str(access.shape.memory)].read_bytes(place, op.access)
                assert there == image[place:place + op.access], where
        for number, image in enumerate(images):
            assert exported[str(number)][:] == image, access.export


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("name", [name for name, op in ROWS.items() if op.results])
def test_load_that_is_not_selected_traps(name, bounds, mode):
    """A masked move of AVX-512 would not."""
    t = ROWS[name].results[0]
    first, second = f"(select ({name} {A}) (local.get 2) {B})", f"(select (local.get 2) ({name} {A}) {B})"
    chosen = f"(local.set 3 ({name} {A})) (if (result {t}) {B} (then (local.get 2)) (else (local.get 3)))"
    functions = "".join(f'(func (export "{i}") (param i32 i32 {t}) (result {t}) (local {t}) {text})'
                        for i, text in enumerate((first, second, chosen)))
    module = wasm.Module(f"(module (memory 1) {functions})", engine=engine(mode, bounds))
    exported = wasm.Instance(module).exports
    for number in "012":
        for condition in (0, 1):
            assert perform(exported[number], (SIZE, condition, 0)) == OUT_OF_BOUNDS, (number, condition)
            assert perform(exported[number], (8, condition, 0)) == (0,)
