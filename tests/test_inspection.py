"""Reports on modules, and which proposals they use, compared with what wasmtime accepts without them."""
import json

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import features
from pyjit_wasm.inspection import inspect
from pyjit_wasm.text import assemble

MODULE = """(module $m
  (type $t (func (param i32) (result i32)))
  (import "env" "log" (func $log (param f64)))
  (import "env" "g" (global $g i64))
  (import "env" "t" (table 1 2 funcref))
  (memory $mem (export "memory") 1 4)
  (table $own i64 3 externref)
  (global $counter (export "counter") (mut i32) (i32.const 0))
  (tag $tag (param i32 i64))
  (func $twice (export "twice") (type $t) local.get 0 local.get 0 i32.add)
  (func (export "also") (export "again") (local i32 i64 i64))
  (func $start nop nop nop)
  (start $start)
  (data (i32.const 8) "abc")
  (@custom "notes" "12345"))"""


def test_report():
    report = inspect(MODULE, 2)
    assert (report.name, report.types, report.functions, report.start) == ("m", 4, 3, 3)
    assert report.size == len(assemble(MODULE)) and report.invalid is None
    assert [(i.module, i.name, i.kind, i.index, i.type) for i in report.imports] == [
        ("env", "log", "func", 0, "(param f64)"), ("env", "g", "global", 0, "i64"),
        ("env", "t", "table", 0, "1 2 funcref")]
    assert [(e.module, e.name, e.kind, e.index, e.type) for e in report.exports] == [
        (None, "memory", "memory", 0, "1 4"), (None, "counter", "global", 1, "(mut i32)"),
        (None, "twice", "func", 1, "(param i32) (result i32)"), (None, "also", "func", 2, ""), (None, "again", "func", 2, "")]
    assert [(m.index, m.name, m.type, m.imported) for m in report.memories] == [(0, "mem", "1 4", False)]
    assert [(t.index, t.name, t.type, t.imported) for t in report.tables] == [
        (0, None, "1 2 funcref", True), (1, "own", "i64 3 externref", False)]
    assert [(g.index, g.name, g.type, g.imported) for g in report.globals] == [
        (0, "g", "i64", True), (1, "counter", "(mut i32)", False)]
    assert [(t.index, t.name, t.type) for t in report.tags] == [(0, "tag", "(param i32 i64)")]
    assert [(f.index, f.name, f.bytes, f.instructions, f.locals) for f in report.largest] == [
        (1, "twice", 6, 4, 0), (3, "start", 4, 4, 0)]
    assert report.instructions == 4 + 1 + 4
    assert json.loads(json.dumps(report.as_dict()))["imports"][1] == {
        "module": "env", "name": "g", "kind": "global", "index": 0, "type": "i64"}


def test_sections():
    """They lie one behind the other, each after its code and its size."""
    binary = assemble(MODULE)
    sections = inspect(binary).sections
    end = 8
    for section in sections:
        assert section.offset >= end + 2
        end = section.offset + section.size
    assert end == len(binary)
    assert {(s.name, s.title, s.count) for s in sections} >= {
        ("type", None, 4), ("import", None, 3), ("func", None, 3), ("code", None, 3), ("start", None, None),
        ("export", None, 5), ("custom", "name", None), ("custom", "notes", None)}
    assert [s.size for s in sections if s.title == "notes"] == [5]


def test_all_functions_by_size():
    report = inspect("examples/wordcount.wasm", None)
    assert len(report.largest) == report.functions == 73
    assert [f.bytes for f in report.largest] == sorted((f.bytes for f in report.largest), reverse=True)
    assert sum(f.instructions for f in report.largest) == report.instructions


def test_invalid_and_malformed():
    report = inspect("(module (func (result i32)) (func (export \"f\")))")
    assert "type mismatch" in report.invalid and report.functions == 2
    with pytest.raises(wasm.DecodeError):
        inspect(b"\0asm\1\0\0")
    with pytest.raises(wasm.ParseError):
        inspect("(module (funk))")


# --- proposals: a module for each, and the settings of wasmtime without which it is refused, where there are any

PROPOSALS = {
    features.MUTABLE_GLOBALS: (None, '(global (export "g") (mut i32) (i32.const 0))'),
    features.SIGN_EXTENSION: (None, "(func (drop (i64.extend8_s (i64.const 1))))"),
    features.SATURATING: (None, "(func (drop (i32.trunc_sat_f32_s (f32.const 1))))"),
    features.MULTI_VALUE: ("multi_value", "(func (result i32 i64) (i32.const 1) (i64.const 2))"),
    features.BULK_MEMORY: (None, "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))"),
    features.REFERENCE_TYPES: (None, "(func (param externref))"),
    features.SIMD: ("simd relaxed_simd", "(func (drop (i32x4.splat (i32.const 1))))"),
    features.THREADS: ("threads", "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))"),
    features.TAIL_CALLS: ("tail_call", "(func $f (return_call $f))"),
    features.EXTENDED_CONST: (None, "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
    features.MULTI_MEMORY: ("multi_memory", "(memory 1) (memory 1)"),
    features.MEMORY64: ("memory64", "(memory i64 1)"),
    features.LEGACY_EXCEPTIONS: (None, "(tag $t) (func try throw $t catch $t end)"),
    features.EXCEPTIONS: ("exceptions", "(func (block $b (try_table (catch_all $b))))"),
    features.TYPED_REFERENCES: (
        "function_references gc", "(type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0)))"),
    features.GC: ("gc", "(func (drop (ref.i31 (i32.const 1))))"),
    features.RELAXED_SIMD: ("relaxed_simd", "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))"),
    features.BRANCH_HINTING: (None, '(func (param i32) (block (@metadata.code.branch_hint "\\00") (br_if 0 (local.get 0))))'),
}
# what is used besides
ALSO = {features.RELAXED_SIMD: {features.SIMD}}
MORE = {
    features.MULTI_VALUE: ["(func (block (type $t) (drop) (i32.const 0) (drop))) (type $t (func))"],
    features.BULK_MEMORY: ['(data "passive")', "(elem func)"],
    features.REFERENCE_TYPES: ["(table 1 funcref) (table 1 funcref)", "(table 1 funcref) (func (drop (table.size 0)))",
                               "(func (drop (ref.is_null (ref.null func))))", "(global funcref (ref.null func))",
                               "(func (drop (select (result i32) (i32.const 0) (i32.const 0) (i32.const 0))))"],
    features.SIMD: ["(func (local v128))", "(global v128 (v128.const i64x2 0 0))"],
    features.THREADS: ["(memory 1 1 shared)", "(func (atomic.fence))"],
    features.MEMORY64: ["(table i64 1 funcref)"],
    features.EXCEPTIONS: ["(tag)", "(tag) (func (throw 0))", "(func (param exnref))"],
    features.TYPED_REFERENCES: ["(func $f) (table 1 (ref func) (ref.func $f))"],
    features.GC: ["(type (sub (func)))", "(type (array i8))",
                  "(rec (type (func)) (type (func (param i32))))", "(func (param anyref))"],
}
CASES = [(name, source) for name, (_, source) in PROPOSALS.items()] + [
    (name, source) for name, sources in MORE.items() for source in sources]


@pytest.mark.parametrize("name, source", CASES)
def test_proposals(name, source):
    used = set(inspect(f"(module {source})").proposals)
    assert name in used
    if source == PROPOSALS[name][1]:
        assert used == {name} | ALSO.get(name, set())


def test_every_proposal_is_tried():
    assert set(PROPOSALS) == set(features.PROPOSALS)


@pytest.mark.parametrize("name", [name for name, (settings, _) in PROPOSALS.items() if settings])
@pytest.mark.parametrize("allowed", [True, False])
def test_wasmtime_needs_the_proposal(name, allowed):
    wasmtime = pytest.importorskip("wasmtime")
    settings, source = PROPOSALS[name]
    config = wasmtime.Config()
    for setting in settings.split():
        setattr(config, f"wasm_{setting}", allowed)
    engine, binary = wasmtime.Engine(config), assemble(f"(module {source})")
    if allowed:
        wasmtime.Module.validate(engine, binary)
    else:
        with pytest.raises(wasmtime.WasmtimeError):
            wasmtime.Module.validate(engine, binary)


def test_a_plain_module_uses_none():
    assert inspect("""(module (table 1 funcref) (memory 1) (global i32 (i32.const 1)) (elem (i32.const 0) 0)
      (data (i32.const 0) "x") (func (export "f") (param i32) (result i32)
        (block (result i32) (call_indirect (result i32) (i32.const 0)))))""").proposals == ()


def test_every_instruction_is_of_a_known_proposal():
    from pyjit_wasm.opcodes import ROWS
    assert {name for op in ROWS for name in features.of_instruction(op)} <= set(features.PROPOSALS)
