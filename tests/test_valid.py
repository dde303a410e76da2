"""The validator: modules in text through an independent assembler, and hand-made binaries."""
import subprocess
import sys
import time

import pytest

from pyjit_wasm.binary.decode import decode
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.opcodes import BY_CODE
from pyjit_wasm.valid import Facts, validate
from pyjit_wasm.valid.rules import rule

HEADER = b"\0asm\1\0\0\0"


def assembled(text):
    return decode(bytes(pytest.importorskip("wasmtime").wat2wasm(f"(module {text})")))


def valid(text):
    return validate(assembled(text))


def function(code):
    """A module with one tag and one function, both [] -> [], given the code without its last `end`."""
    body = b"\0" + code + b"\x0b"
    return decode(HEADER + b"\1\4\1\x60\0\0" + b"\3\2\1\0" + b"\x0d\3\1\0\0" +
                  b"\x0a" + bytes([len(body) + 2, 1, len(body)]) + body)


def test_every_row_has_a_rule_or_a_signature():
    for op in BY_CODE.values():
        assert rule(op) or (op.params is not None and op.results is not None and "addr" not in op.params), op


def test_facts():
    first, second, third = valid("""
      (table 1 funcref) (memory 1)
      (func (call 1) (call 2) (return_call 1))
      (func (loop (br_if 0 (i32.const 0))) (call_indirect (i32.const 0)))
      (func (drop (memory.grow (i32.const 1))))""")
    assert isinstance(first, Facts)
    assert (first.instructions, first.calls, first.has_loop, first.indirect, first.bulk) == (
        4, frozenset((1, 2)), False, False, False)
    assert (second.has_loop, second.indirect, second.calls) == (True, True, frozenset())
    assert third.bulk and not third.has_loop
    for bulk in ("(memory.fill (i32.const 0) (i32.const 0) (i32.const 0))",
                 "(table.copy (i32.const 0) (i32.const 0) (i32.const 0))"):
        assert valid(f"(memory 1) (table 1 funcref) (func {bulk})")[0].bulk


@pytest.mark.parametrize("text, message", [
    # control
    ("(func (result i32))", "type mismatch: instruction requires [i32] but stack has []"),
    ("(func (i32.const 1))", "type mismatch: block requires [] but stack has [i32]"),
    ("(func (i32.const 1) (i64.const 2) (drop (i32.add)))",
     "type mismatch: instruction requires [i32 i32] but stack has [i32 i64]"),
    ("(func (drop))", "type mismatch"), ("(func (i32.const 0) (block (drop)))", "type mismatch"),
    ("(func (br 1))", "unknown label"), ("(func (block (br_table 0 2 (i32.const 0))))", "unknown label"),
    ("(func (drop (block (result i32) (block (br_table 0 1 (i32.const 0))) (i32.const 0))))", "type mismatch"),
    ("(func (result i32) (if (result i32) (i32.const 0) (then (i32.const 0))))", "type mismatch"),
    ("(func (unreachable) (i64.const 0) (i32.eqz) (drop))", "type mismatch"),
    ("(func (call 3))", "unknown function 3"), ("(func (call_indirect (i32.const 0)))", "unknown table 0"),
    ("(table 1 externref) (func (call_indirect (i32.const 0)))", "type mismatch"),
    ("(func (result i32) (return_call 1)) (func (result i64) (i64.const 0))", "type mismatch"),
    ("(func (drop (select (ref.null func) (ref.null func) (i32.const 0))))", "type mismatch"),
    ("(func (select (result i32 i32) (i32.const 0) (i32.const 0) (i32.const 0)) (drop) (drop))",
     "invalid result arity"),
    ("(func (throw 0))", "unknown tag 0"),
    ("(tag (param i32)) (func (block (try_table (catch 0 0))))", "type mismatch"),
    ("(func (block (try_table (catch_all_ref 0))))", "type mismatch"),
    ("(func (throw_ref (i32.const 0)))", "type mismatch"),
    # variables
    ("(func (drop (local.get 2)))", "unknown local 2"), ("(func (local.set 0 (i32.const 0)))", "unknown local 0"),
    ("(func (local (ref func)) (drop (local.get 0)))", "uninitialized local"),
    ("(func (local (ref func)) (block (local.set 0 (ref.func 0))) (drop (local.get 0))) (export \"f\" (func 0))",
     "uninitialized local"),
    ("(func (global.set 0 (i32.const 1)))", "unknown global 0"),
    ("(global i32 (i32.const 0)) (func (global.set 0 (i32.const 1)))", "immutable global"),
    # memories and tables
    ("(func (drop (i32.load (i32.const 0))))", "unknown memory 0"),
    ("(memory 1) (func (drop (i32.load align=8 (i32.const 0))))", "alignment must not be larger than natural"),
    ("(memory 1) (func (drop (v128.load8_lane align=2 0 (i32.const 0) (v128.const i64x2 0 0))))", "alignment"),
    ("(memory i64 1) (func (drop (i32.load (i32.const 0))))", "type mismatch"),
    ("(memory 1) (memory i64 1) (func (memory.copy 0 1 (i32.const 0) (i64.const 0) (i64.const 0)))", "type mismatch"),
    ("(memory 1) (func (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 0))) (data \"\")",
     "unknown data segment 1"),
    ("(func (elem.drop 0))", "unknown elem segment 0"),
    ("(table 1 funcref) (table 1 externref) (func (table.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 0)))",
     "type mismatch"),
    ("(memory 65537)", "memory size must be at most 65536 pages (4GiB)"),
    ("(memory 2 1)", "size minimum must not be greater"),
    ("(memory i64 0x1_0000_0000_0001)", "memory size"),
    ("(table 2 1 funcref)", "size minimum must not be greater than maximum"),
    ("(table 1 (ref func))", "type mismatch"),
    # references and aggregates
    ("(func (drop (ref.func 0)))", "undeclared function reference"),
    ("(func (drop (ref.func 9)))", "unknown function 9"),
    ("(func (drop (ref.is_null (i32.const 0))))", "type mismatch"),
    ("(type (struct (field i8))) (func (param (ref 0)) (drop (struct.get 0 0 (local.get 0))))", "type mismatch"),
    ("(type (struct (field i32))) (func (param (ref 0)) (struct.set 0 0 (local.get 0) (i32.const 0)))",
     "immutable field"),
    ("(type (struct (field i32))) (func (param (ref 0)) (drop (struct.get 0 1 (local.get 0))))", "unknown field 1"),
    ("(type (struct (field (ref any)))) (func (drop (struct.new_default 0)))", "type mismatch"),
    ("(type (array i8)) (func (param (ref 0)) (array.set 0 (local.get 0) (i32.const 0) (i32.const 0)))",
     "immutable array"),
    ("(type (array (mut i8))) (type (array i16)) (func (param (ref 0) (ref 1)) (array.copy 0 1 (local.get 0) "
     "(i32.const 0) (local.get 1) (i32.const 0) (i32.const 0)))", "array types do not match"),
    ("(type (array anyref)) (data \"\") (func (drop (array.new_data 0 0 (i32.const 0) (i32.const 0))))",
     "array type is not"),
    ("(func (param anyref) (result eqref) (br_on_cast 0 eqref anyref (local.get 0)) (unreachable))", "type mismatch"),
    ("(type (struct)) (func (drop (ref.cast (ref 0) (ref.null func))))", "type mismatch"),
    # lanes
    ("(func (drop (i8x16.shuffle 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 32 (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
     "invalid lane index"),
    ("(func (drop (i64x2.extract_lane 2 (v128.const i64x2 0 0))))", "invalid lane index"),
    ("(memory 1) (func (drop (v128.load32_lane 4 (i32.const 0) (v128.const i64x2 0 0))))", "invalid lane index"),
    # modules
    ("(global i32 (i64.const 0))", "type mismatch"), ("(global i32)", "type mismatch"),
    ("(global i32 (i32.ctz (i32.const 0)))", "constant expression required"),
    ("(global (mut i32) (i32.const 0)) (global i32 (global.get 0))", "constant expression required"),
    ("(global i32 (global.get 0))", "unknown global 0"),
    ("(table 1 funcref) (elem (i64.const 0))", "type mismatch"),
    ("(elem (table 1) (i32.const 0) func)", "unknown table 1"),
    ("(data (i32.const 0))", "unknown memory 0"),
    ("(func $f (result i32) (i32.const 0)) (start $f)", "start function"),
    ("(func) (export \"a\" (func 0)) (export \"a\" (func 0))", "duplicate export name"),
    ("(export \"a\" (memory 0))", "unknown memory 0"), ("(tag (result i32))", "non-empty tag result type"),
    ("(type (sub final (struct))) (type (sub 0 (struct)))", "sub type"),
    ("(type (sub (struct (field i32)))) (type (sub 0 (struct (field i64))))", "sub type"),
    ("(type (sub (array (mut anyref)))) (type (sub 0 (array (mut eqref))))", "sub type"),
    ("(type (struct)) (func (type 0))", "type mismatch"),
])
def test_invalid(text, message):
    with pytest.raises(ValidationError) as caught:
        valid(text)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("text", [
    "(func (result i32) (unreachable))", "(func (unreachable) (select) (drop))",
    "(func (result i32) (unreachable) (i32.add))", "(func (param i32) (local.get 0) (block (param i32) (drop)))",
    "(func (result i32) (block (result i32) (br_table 0 0 (i32.const 1) (i32.const 0))))",
    "(func (unreachable) (br_on_null 0) (drop))", "(func (result anyref) (unreachable) (ref.as_non_null))",
    "(func $f (local (ref func)) (local.set 0 (ref.func $f)) (block (drop (local.get 0)))) (elem declare func $f)",
    "(type (sub (struct (field anyref)))) (type (sub 0 (struct (field eqref) (field i8)))) "
    "(func (param (ref 1)) (result (ref null 0)) (local.get 0))",
    "(type (sub (func (param eqref) (result anyref)))) (type (sub 0 (func (param anyref) (result (ref i31)))))",
    "(func (param anyref) (result eqref) (br_on_cast 0 anyref eqref (local.get 0)) (drop) (unreachable))",
    "(func (param externref) (result anyref) (any.convert_extern (local.get 0)))",
    "(type (array i8)) (func (result (ref 0)) (array.new_fixed 0 2 (i32.const 1) (i32.const 2)))",
    "(tag (param i32)) (func (result i32 exnref) (try_table (result i32 exnref) (catch_ref 0 0) (unreachable)))",
    "(memory 1) (memory i64 1) (func (memory.copy 0 1 (i32.const 0) (i64.const 0) (i32.const 0)))",
    "(global i32 (i32.const 1)) (global i32 (i32.add (global.get 0) (i32.const 2)))",
    "(table i64 1 funcref) (func (param i64) (call_indirect (local.get 0)))",
    "(func (param i32) (result i64) (return_call 1 (local.get 0))) (func (param i32) (result i64) (i64.const 0))",
])
def test_valid(text):
    valid(text)


@pytest.mark.parametrize("code", [
    b"\x06\x40\x07\x00\x09\x00\x19\x09\x00\x0b",        # try catch 0 rethrow 0 catch_all rethrow 0 end
    b"\x06\x40\x06\x40\x18\x00\x0b", b"\x06\x40\x18\x00",     # delegate to a try, to the caller
    b"\x06\x7f\x41\x00\x07\x00\x41\x01\x0b\x1a"])
def test_valid_legacy_exceptions(code):
    validate(function(code))


@pytest.mark.parametrize("code, message", [
    (b"\x09\x00", "invalid rethrow label"), (b"\x02\x40\x09\x00\x0b", "invalid rethrow label"),
    (b"\x06\x40\x09\x00\x18\x00", "invalid rethrow label"), (b"\x06\x40\x18\x01", "unknown label"),
    (b"\x06\x7f\x0b\x1a", "type mismatch: instruction requires [i32] but stack has []"),
    (b"\x06\x40\x07\x00\x41\x2a\x0b", "type mismatch: block requires [] but stack has [i32]"),
    (b"\x06\x40\x07\x01\x0b", "unknown tag 1")])
def test_invalid_legacy_exceptions(code, message):
    with pytest.raises(ValidationError) as caught:
        validate(function(code))
    assert caught.value.message.startswith(message)


def test_errors_tell_the_offset():
    module = function(b"\x01\x01\x1a")
    with pytest.raises(ValidationError) as caught:
        validate(module)
    assert caught.value.offset == module.codes[0].start + 2


def test_offset_out_of_range():
    module = decode(HEADER + b"\1\4\1\x60\0\0\3\2\1\0\5\3\1\0\1"
                    b"\x0a\x0e\1\x0c\0\x41\0\x28\0\x80\x80\x80\x80\x10\x1a\x0b")
    with pytest.raises(ValidationError, match="offset out of range"):
        validate(module)


def test_hostile_immediates_fail_fast():
    began = time.perf_counter()
    # array.new_fixed of 2^32-1 elements, in unreachable code and elsewhere
    for code, accepted in ((b"\0\xfb\x08\1\xff\xff\xff\xff\x0f\x1a", True),
                           (b"\xfb\x08\1\xff\xff\xff\xff\x0f\x1a", False)):
        body = b"\0" + code + b"\x0b"
        module = decode(HEADER + b"\1\7\2\x60\0\0\x5e\x7f\0\3\2\1\0\x0a"
                        + bytes([len(body) + 2, 1, len(body)]) + body)
        if accepted:
            validate(module)
        else:
            with pytest.raises(ValidationError, match="type mismatch"):
                validate(module)
    assert time.perf_counter() - began < 1


def test_supertypes_are_limited():
    chain = b"\x50\0\x5f\0" + b"".join(b"\x50\1" + bytes([i]) + b"\x5f\0" for i in range(100))
    data = HEADER + b"\1" + bytes([len(chain) + 1 & 0x7F | 0x80, len(chain) + 1 >> 7, 101]) + chain
    with pytest.raises(ValidationError, match=r"too many supertypes above a type: 64 \(at most 63\)"):
        validate(decode(data))


def test_compiled_module(tmp_path):
    pytest.importorskip("ziglang")
    source = tmp_path / "sort.c"
    source.write_text("""
        static int data[256];
        static void swap(int *a, int *b) { int t = *a; *a = *b; *b = t; }
        void sort(int *v, int n) {
            int last = 0;
            if (n < 2) return;
            for (int i = 1; i < n; i++) if (v[i] < v[0]) swap(&v[++last], &v[i]);
            swap(&v[0], &v[last]);
            sort(v, last); sort(v + last + 1, n - last - 1);
        }
        double mean(int n) { double s = 0; for (int i = 0; i < n; i++) s += data[i]; return s / n; }
        int pick(int i) {
            switch (i) { case 0: return 7; case 1: return data[3]; case 2: return 9; default: return i; }
        }
        int *start(void) { return data; }""")
    subprocess.run([sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-nostdlib", "-O2",
                    "-Wl,--no-entry", "-Wl,--export=sort", "-o", tmp_path / "sort.wasm", source], check=True)
    module = decode((tmp_path / "sort.wasm").read_bytes())
    facts = dict(zip(range(module.imported_funcs, len(module.funcs)), validate(module), strict=True))
    exported = {e.name: e.index for e in module.exports if e.kind == "func"}
    assert module.function_name(exported["sort"]) == "sort"
    assert facts[exported["sort"]].has_loop and exported["sort"] in facts[exported["sort"]].calls
