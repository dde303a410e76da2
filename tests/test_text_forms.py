"""The forms of the text format: abbreviations, identifiers, comments and annotations, modules in scripts."""
import pytest

from pyjit_wasm.errors import ParseError
from pyjit_wasm.text import assemble, script

STRUCT = "(type $s (struct (field $x (mut i32)) (field i8)))"


def same(left, right):
    """Whether two texts are the same but for names."""
    return without_names(assemble(left)) == without_names(assemble(right))


def without_names(binary):
    head, found, _ = binary.rpartition(b"\x04name")
    return head[:-2] if found else binary   # a custom section of less than 128 bytes


@pytest.mark.parametrize("left, right", [
    # inline imports and exports
    ('(func $f (export "a") (export "b") (import "m" "n") (param $x i32))',
     '(type (func (param i32))) (import "m" "n" (func $f (type 0))) (export "a" (func $f)) (export "b" (func $f))'),
    ('(memory $m (export "a") (import "m" "n") i64 1 2 shared)',
     '(import "m" "n" (memory $m i64 1 2 shared)) (export "a" (memory 0))'),
    ('(table (export "a") (import "m" "n") i64 0 externref)',
     '(import "m" "n" (table i64 0 (ref null extern))) (export "a" (table 0))'),
    ('(global (export "a") (import "m" "n") (mut v128))',
     '(import "m" "n" (global (mut v128))) (export "a" (global 0))'),
    ('(tag (export "a") (import "m" "n") (param i32))', '(import "m" "n" (tag (param i32))) (export "a" (tag 0))'),
    ('(tag $t (export "a") (export "b"))', '(tag) (export "a" (tag 0)) (export "b" (tag 0))'),
    # memories and tables with their contents
    ('(memory $m (export "a") (data "a" "" "b"))', '(memory 1 1) (data (i32.const 0) "ab") (export "a" (memory 0))'),
    ('(memory i64 (data))', '(memory i64 0 0) (data (i64.const 0) "")'),
    ("(func $f) (table i64 funcref (elem $f 0))", "(func) (table i64 2 2 funcref) (elem (i64.const 0) func 0 0)"),
    ("(func $f) (table (ref func) (elem $f))",
     "(func) (table 1 1 (ref func)) (elem (i32.const 0) (ref func) (ref.func 0))"),
    ("(func $f) (table funcref (elem (ref.func $f) (item ref.func $f) (item (ref.func $f))))",
     "(func) (table 3 3 funcref) (elem (i32.const 0) funcref (ref.func 0) (ref.func 0) (ref.func 0))"),
    ("(table 1 funcref (ref.null func))", "(table 1 (ref null func) ref.null func)"),
    # segments
    ("(table 1 funcref) (func) (elem (i32.const 0) 0)",
     "(table 1 funcref) (func) (elem (offset i32.const 0) func 0)"),
    ("(table $t 1 funcref) (elem $e (table $t) (i32.const 0) funcref (item ref.null func))",
     "(table 1 funcref) (elem (offset (i32.const 0)) (ref null func) (ref.null func))"),
    ('(memory 1) (memory $m 1) (data $d (memory $m) (offset (i32.add (i32.const 1) (i32.const 2))) "a" "b")',
     '(memory 1) (memory 1) (data (memory 1) (offset i32.const 1 i32.const 2 i32.add) "ab")'),
    # as they were before there were several tables and memories
    ('(memory 1) (data 0 (i32.const 0) "x") (data $d 0x0 (offset i32.const 1) "y")',
     '(memory 1) (data (i32.const 0) "x") (data (memory 0) (i32.const 1) "y")'),
    ("(table 1 funcref) (func $f) (elem 0 (i32.const 0) $f 0) (elem $e 0 (offset i32.const 0))",
     "(table 1 funcref) (func) (elem (i32.const 0) func 0 0) (elem (table 0) (i32.const 0) func)"),
    ('(memory 1) (memory 1) (data 1 (i32.const 0) "x") (table 1 funcref) (table 1 funcref) (elem 1 (i32.const 0) funcref)',
     '(memory 1) (memory 1) (data (memory 1) (i32.const 0) "x")'
     "(table 1 funcref) (table 1 funcref) (elem (table 1) (i32.const 0) funcref)"),
    # types
    ("(func (type 0) (param $a i64) (local $b i32) local.get $b drop) (func (type 1) (local $c f32) local.get $c drop)"
     "(func (param i64)) (func (param i32))",
     "(type (func (param i64))) (type (func (param i32))) (func (type 0) (local i32) local.get 1 drop)"
     "(func (type 1) (local f32) local.get 1 drop) (func (type 0)) (func (type 1))"),
    ("(type (func (param $x i32) (param) (param $x f32 ) (result i32) (result)))",
     "(type (func (param i32 f32) (result i32)))"),
    ("(type (struct (field) (field $x i8 ) (field i16 (mut i32))))",
     "(type (struct (field i8) (field i16) (field (mut i32))))"),
    ("(type (sub final (func)))", "(type (func))"),
    ("(func (param funcref externref anyref eqref i31ref structref)"
     "  (param arrayref exnref nullref nullfuncref nullexternref nullexnref))",
     "(func (param (ref null func) (ref null extern) (ref null any) (ref null eq) (ref null i31) (ref null struct)"
     "  (ref null array) (ref null exn) (ref null none) (ref null nofunc) (ref null noextern) (ref null noexn)))"),
    # instructions
    ("(tag $e) (func (block $b (try_table $l (catch $e $b) (catch_all_ref 0) (br $l))))",
     "(tag) (func block try_table (catch 0 0) (catch_all_ref 0) br 0 end end)"),
    ("(func (result i32) (if $l (result i32) (nop) (i32.const 1) (then (br $l (i32.const 2))) (else (i32.const 3))))",
     "(func (result i32) nop i32.const 1 if $l (result i32) i32.const 2 br $l else $l i32.const 3 end $l)"),
    ("(func (i32.const 1) (if (then)))", "(func i32.const 1 if end)"),
    ("(type (func (param i32))) (table 1 funcref)"
     "(func (call_indirect (param i32) (result) (i32.const 0) (i32.const 0)))",
     "(type (func (param i32))) (table 1 funcref) (func i32.const 0 i32.const 0 call_indirect 0 (type 0))"),
    ("(memory 1) (func (drop (i32.load offset=0x1_0 align=0x1 (i32.const 0))))",
     "(memory 1) (func i32.const 0 i32.load 0 offset=16 align=1 drop)"),
    ("(table $a 0 funcref) (elem $e func) (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 0)))",
     "(table 0 funcref) (elem func) (func i32.const 0 i32.const 0 i32.const 0 table.init 0 0)"),
    (f"{STRUCT} (func (param (ref $s)) (struct.set $s $x (local.get 0) (i32.const 1)))",
     f"{STRUCT} (func (param (ref 0)) local.get 0 i32.const 1 struct.set 0 0)"),
    ("(func (select (result i32) (result) (i32.const 1) (i32.const 1) (i32.const 1)) drop)",
     "(func i32.const 1 i32.const 1 i32.const 1 select (result i32) drop)"),
    # literals
    (r'(data "\u{0}\u{0_10ffff}\t\n\r\'\"\\\aF")', r'(data "\00\f4\8f\bf\bf\09\0a\0d\27\22\5c\af")'),
    ("(func f64.const 1_0.0_1e1_0 f64.const 0x1_0.8P+3 f32.const 1.E2 drop drop drop)",
     "(func f64.const 100100000000 f64.const 132 f32.const 100 drop drop drop)"),
    ("(func (drop (i32.const +0x8000_0000)) (drop (i64.const -0)))",
     "(func (drop (i32.const -2147483648)) (drop (i64.const 00)))"),
    # identifiers, comments, annotations
    (r'(func $"a\62") (start $ab)', "(func) (start 0)"), ("(func $!#%&'*+-./:<=>?@\\^_`|~$)", "(func)"),
    ("(;(;;);;)(func(;;)nop(nop);;\r);;", "(func nop nop)"),
    ("(@a (@b) \"(\" ; [,] (;(;;);;)(;;) )(func(@\"c d\" ;;)\n))", "(func)"),
    ("", "(module)"), ("(module $m)", "(module)")])
def test_same_module(left, right):
    assert same(left, right)


@pytest.mark.parametrize("source", [
    r'(data "\u{d800}")', r'(data "\u{DfFf}")', r'(data "\u{110000}")', r'(data "\u{}")', r'(data "\u{_1}")',
    r'(export "\u{d800}" (func 0)) (func)', '(func $"")', "(func $)", r'(func $"\ff")', '(data "a""b")',
    "(func (import \"m\" \"n\") nop)", "(rec (func))", "(elem declare)", "(type (struct (field $x i32 i32)))",
    "(func (param $x i32) (local $x i32))", "(func (block (param $x i32)))",
    # a name only where there is one item
    "(func (param i32 $a i64))", "(func (local i32 $a i64))", "(type (struct (field i32 $a i64)))",
    "(type (func (param i32 $a i64)))", "(tag (param i32 $a i64))", '(import "" "" (func (param i32 $a i64)))',
    "(func (block (param i32 $a i64)))", '(func (param i32 (@name "a") i64))', '(func (local (@name "a") i32 i64))',
    '(type (struct (field i32 (@name "a") i64)))',
    "(table 1 2 shared funcref)", '(import "" "" (table 1 shared funcref))',
    "(data 0 \"x\")", "(elem 0 func)", "(data $d $m (i32.const 0)) (memory $m 1)",
    "(func (if (i32.const 0) (@metadata.code.branch_hint 1) (then)))",
    "(func (type 1) (param i32))", "(func (type 0) (param i64)) (func (param i32))", "(func (br_table))", "(@a", "(;"])
def test_refused(source):
    with pytest.raises(ParseError):
        assemble(source)


def test_a_number_before_any_instruction_is_a_lane():
    """The next mnemonic may begin like `offset=` or `align=`."""
    code = "v128.const i64x2 0 0 v128.load8_lane 3 array.new_fixed $a 1 drop"
    binary = assemble(f"(memory 1) (type $a (array v128)) (func i32.const 0 {code})")
    assert b"\xfd\x54\0\0\3\xfb\x08\0\1\x1a" in binary


def test_a_written_name_section_replaces_the_made_one():
    binary = assemble(r'(module $m (func $f) (@custom "name" "\01\04\01\00\01g"))')
    assert binary.count(b"\x04name") == 1 and binary.endswith(b"\x04name\1\4\1\0\1g")


@pytest.mark.parametrize("source, form, definition", [
    (r'(module $m binary "\00asm" "\01\00\00\00")', "binary", False),
    (r'(module definition $m binary "\00asm\01\00\00\00")', "binary", True),
    ('(module quote "(modu" "le)")', "quote", False), ('(module definition quote "")', "quote", True),
    ("(module definition $m)", "text", True), ("(module $m)", "text", False)])
def test_modules_in_scripts(source, form, definition):
    command, = script.parse(source)
    assert (command.subject.form, command.subject.definition) == (form, definition)
    assert command.subject.binary().startswith(b"\0asm\1\0\0\0")


def test_instances_in_scripts():
    commands = list(script.parse('(module instance $i $m) (module instance) (register "a") (register "b" $i)'))
    assert [command.subject for command in commands] == [("$i", "$m"), (None, None), ("a", None), ("b", "$i")]
