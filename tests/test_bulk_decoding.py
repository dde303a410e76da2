"""What kernels read of a module's long sections is what `binary.sections` reads, of real programs and of corruptions."""
import random
from pathlib import Path

import pytest

from conftest import MODES
from pyjit_wasm.binary import bulk, bulk_kernels, bulk_reader
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.codegen import kernels
from pyjit_wasm.errors import DecodeError, Trap, ValidationError
from pyjit_wasm.text import assemble
from pyjit_wasm.valid import validate

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = sorted(path for pattern in ("examples/*.wasm", "benchmarks/kernels/*.wasm") for path in ROOT.glob(pattern))
CORRUPTIONS = 3_000


def large(datas=150, passive=True):
    """A module with more items than LEAST in every section that kernels read."""
    functions = "".join(f"(func $f{i} (type {i % 2}) {'(local i32 i32 f64 funcref v128)' * (i % 3)} (i32.const {i}))"
                        for i in range(100))
    segments = "".join(f'(data (i32.const {i * 37 - (1 << 31 if i > 147 else 0)}) "{i:03}")' for i in range(datas))
    return f"""(module (type (func (result i32))) (type (func (param i64) (result i32))) (memory (export "m") 1)
        (table (export "t") 100 funcref) {functions} (elem (i32.const 0) func {' '.join(f'$f{i}' for i in range(100))})
        (elem $p func {' '.join(f'$f{99 - i}' for i in range(70))}) {segments} {'(data $passive "passive")' if passive else ''}
        (func (export "f") (param i32) (result i32) (call_indirect (type 0) (local.get 0)))
        (func (export "g") (param i32) (result i32)
          (table.init $p (i32.const 0) (i32.const 0) (i32.const 70)) (call_indirect (type 0) (local.get 0))))"""


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Short sections too."""
    monkeypatch.setattr(bulk_reader, "LEAST", 1)


def syntax(module):
    """All of a Module that kernels may have read, as plain values."""
    def plain(thing):
        if isinstance(thing, (tuple, list, bulk.Codes, bulk.Datas, bulk.FunctionReferences)):
            return [plain(item) for item in thing]
        slots = getattr(type(thing), "__slots__", ())
        return [plain(getattr(thing, name)) for name in slots] if type(thing).__module__ == "pyjit_wasm.module" else thing
    return [plain(getattr(module, name)) for name in ("funcs", "codes", "elems", "datas", "declared", "exports", "names")]


def outcome(binary, load=None):
    """What a module is, or what is wrong with it, instructions apart."""
    try:
        return syntax(decode(binary, False, load))
    except (DecodeError, ValidationError) as error:
        return type(error), str(error), error.offset


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_programs(path):
    binary = path.read_bytes()
    assert outcome(binary, kernels.load) == outcome(binary) != []


def test_kernels_read_it():
    module = decode(assemble(large()), False, kernels.load)
    assert isinstance(module.codes, bulk.Codes) and isinstance(module.datas, bulk.Datas)
    assert all(isinstance(elem.inits, bulk.FunctionReferences) for elem in module.elems)
    assert outcome(module.data, kernels.load) == outcome(module.data)
    assert module.codes[-1].end == module.codes[len(module.codes) - 1].end
    for items in (module.codes, module.datas, module.elems[0].inits):
        with pytest.raises(IndexError):
            items[len(items)]


@pytest.mark.parametrize("change", (
    ('(data $passive "passive")', '(memory $other 1) (data (memory $other) (i32.const 0) "x")'),
    ('(data $passive "passive")', '(global $g i32 (i32.const 5)) (data (global.get $g) "x")'),
    ("(local i32 i32 f64 funcref v128)", "(local (ref null 0))"), ("(local i32 i32 f64 funcref v128)", "(local (ref 0))")))
def test_what_they_do_not_know(change):
    """Sections with other items are read as ever."""
    source = large().replace(*change)
    assert source != large()
    binary = assemble(source)
    assert outcome(binary, kernels.load) == outcome(binary)


def test_corruptions():
    """The same module or the same error with kernels and without them."""
    rng, refused = random.Random(11), 0
    contents = [assemble(large()), assemble(large(20, False)), *[p.read_bytes() for p in PROGRAMS if p.stat().st_size < 3_000]]
    for number in range(CORRUPTIONS):
        content = bytearray(rng.choice(contents))
        for _ in range(rng.randint(1, 2)):
            content[rng.randrange(8, len(content))] = rng.choice((rng.randrange(256), 0x80, 0xFF, 0x7F, 0x41, 0x0B))
        found = outcome(bytes(content), kernels.load)
        assert outcome(bytes(content)) == found, number
        refused += isinstance(found, tuple)
    assert CORRUPTIONS / 8 < refused < CORRUPTIONS


@pytest.mark.parametrize("faulty, message", (
    ("(elem (i32.const 0) func $f0)", None), ('(elem (i64.const 0) func $f0)', "type mismatch"),
    ('(data (i64.const 0) "x")', "type mismatch")))
def test_validation(faulty, message):
    source = large(passive=False)[:-1] + faulty + ")"
    if "(data" in faulty:
        source = source.replace("(memory (export \"m\") 1", "(memory (export \"m\") i64 1").replace("(i64.const 0)", "(i32.const 0)")
    for load in (None, kernels.load):
        module = decode(assemble(source), load is None, load)
        if message is None:
            validate(module)
        else:
            with pytest.raises(ValidationError, match=message):
                validate(module)


def test_a_reference_to_no_function():
    binary = assemble(large(passive=False))
    place = binary.rindex(bytes(range(60, 99))) + 7
    broken = binary[:place] + b"\x7f" + binary[place + 1:]
    found = []
    for load in (None, kernels.load):
        with pytest.raises(ValidationError, match="unknown function 127") as error:
            validate(decode(broken, load is None, load))
        found.append((str(error.value), error.value.offset))
    assert found[0] == found[1]


@pytest.mark.parametrize("mode", MODES)
def test_instances(load, monkeypatch, mode):
    """Segments are where they belong; of those behind one that does not fit nothing is written."""
    monkeypatch.setattr("pyjit_wasm.config.BULK_VALIDATION", 0)
    inst = load(large(148), mode=mode)
    memory = inst.exports.m
    assert all(memory[i * 37:i * 37 + 3] == f"{i:03}".encode() for i in range(148))
    assert [inst.exports.f(i) for i in (0, 2, 98)] == [0, 2, 98] and inst.exports.g(1) == 98
    with pytest.raises(Trap, match="out of bounds memory access"):
        load(large(149), mode=mode)


def test_kernels_are_python():
    """Run as they are, on lists, they do the same."""
    binary = assemble('(module (memory 1) (data (i32.const -5) "abc") (data "d") (data (i32.const 70000) ""))')
    start = decode(binary).datas[0].start - 5
    segments, at = [0] * 12, [start, len(binary)]
    assert bulk_kernels.read_datas(at, binary, 3, segments) and at[0] == len(binary)
    assert [segments[i] for i in (2, 6, 10)] == [-5, 0, 70000] and segments[7] == bulk.PASSIVE
    for value in (0, 1, -1, 63, 64, -64, -65, 2 ** 31 - 1, -2 ** 31):
        encoded = assemble(f'(module (memory 1) (data (i32.const {value}) ""))')
        place = decode(encoded).datas[0].offset[0][2] + 1
        assert bulk_kernels.s32([place, len(encoded)], encoded) == value
