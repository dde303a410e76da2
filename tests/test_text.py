"""The text format: literals against exact arithmetic, modules against wasmtime and the specification's tests."""
import os
import random
from fractions import Fraction
from pathlib import Path

import pytest

from pyjit_wasm.binary.decode import decode
from pyjit_wasm.errors import ParseError, ValidationError
from pyjit_wasm.text import assemble, literals, script
from pyjit_wasm.text.lexer import lex
from pyjit_wasm.text.values import HostReference

SUITE = Path(os.environ.get("WASM_SPEC_TESTSUITE") or Path(__file__).parents[2] / "shared" / "spec-testsuite")
FILES = sorted(SUITE.glob("**/*.wast"))
FORMATS = {32: (23, 127), 64: (52, 1023)}   # explicit bits of the significand, largest exponent


def nearest(value, width):
    """The bits of the float nearest to a positive Fraction, ties to even; None where it overflows."""
    bits, bias = FORMATS[width]
    exponent = max(_floor_log2(value), 1 - bias)
    quotient = value / Fraction(2) ** (exponent - bits)
    units = round(quotient)   # Fraction rounds ties to even
    encoded = units + (exponent - (1 - bias)) * (1 << bits)
    return encoded if encoded < ((1 << width - 1) - (1 << bits)) else None


def _floor_log2(value):
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if Fraction(2) ** guess <= value else guess - 1


def literal_bits(text, width):
    try:
        return literals.floating(text, width)
    except OverflowError:
        return None


def random_literals(seed):
    rng = random.Random(seed)
    for _ in range(300):
        exponent = rng.choice((rng.randint(-50, 40), rng.randint(-330, 310)))
        yield f"{rng.randint(1, 10 ** rng.randint(1, 25))}.{rng.randint(0, 10 ** 9)}e{exponent}"
        yield f"0x{rng.getrandbits(rng.randint(1, 90)) | 1:x}.{rng.getrandbits(40):x}p{rng.randint(-1090, 1030)}"


def near_halfway():
    """Just below, on and just above the middle of two neighbouring single-precision floats."""
    for significand in (0x800000, 0x800001, 0xFFFFFF, 1, 2, 0x7FFFFF):
        for exponent in (-149, -148, 0, 104):
            middle = Fraction(2 * significand + 1, 2) * Fraction(2) ** exponent
            for offset in (-1, 0, 1):
                exact = middle + offset * middle / 10 ** 60
                scaled = exact * 10 ** 260
                yield f"{int(scaled)}e-260"


@pytest.mark.parametrize("width", (32, 64))
def test_float_literals_are_rounded_once(width):
    for text in (*random_literals(width), *near_halfway()):
        assert literal_bits(text, width) == nearest(exact(text), width), text


def exact(text):
    if text.startswith("0x"):
        digits, _, exponent = text[2:].partition("p")
        whole, _, fraction = digits.partition(".")
        return Fraction(int(whole + fraction, 16)) * Fraction(2) ** (int(exponent) - 4 * len(fraction))
    return Fraction(text)


@pytest.mark.parametrize("text, bits", [
    ("0", 0), ("-0", 1 << 31), ("1_000.5", 0x447A2000), ("0x1p-149", 1), ("0x1p-150", 0), ("0x1.8p-150", 1),
    ("inf", 0x7F800000), ("-inf", 0xFF800000), ("nan", 0x7FC00000), ("-nan:0x1", 0xFF800001),
    ("+nan:0x7f_ffff", 0x7FFFFFFF),
    ("340282356779733661637539395458142568447", 0x7F7FFFFF), ("0x1.", 0x3F800000), ("1.e1", 0x41200000)])
def test_float_literals(text, bits):
    assert literals.floating(text, 32) == bits


@pytest.mark.parametrize("text", ["340282356779733661637539395458142568448", "0x1p128", "1e999", "0x1p1024", "nan:0x0",
                                  "nan:0x800000"])
def test_float_literals_out_of_range(text):
    with pytest.raises(OverflowError, match="constant out of range"):
        literals.floating(text, 32)


def test_thousands_of_digits():
    digits = "1" * 5000
    assert literals.floating("0." + "3" * 5000, 32) == literals.floating("0.3333333333333", 32)
    assert literals.integer("0" * 5000 + "7", 32) == 7
    with pytest.raises(ParseError, match="out of range"):
        assemble(f"(memory {digits})")
    with pytest.raises(ParseError, match="out of range"):
        assemble(f"(func i32.const -{digits})")


@pytest.mark.parametrize("text", ["", "0x", "1__0", "_1", "1_", "1e", "0x1p", ".5", "nan:1", "infinity", "1x",
                                  "0x1.p+"])
def test_malformed_numbers(text):
    assert literals.floating(text, 32) is None


@pytest.mark.parametrize("literal, expected", [
    (r'"\t\n\r\"\'\\"', b"\t\n\r\"'\\"), (r'"\00\fF"', b"\0\xff"), (r'"\u{1F_600}é"', "\U0001F600é".encode())])
def test_strings(literal, expected):
    assert lex(literal).string() == expected


@pytest.mark.parametrize("source, message", [
    ("(func", "unexpected token"), ("(func))", "unexpected token"),
    ("(func (i32.cons 1))", "unknown operator i32.cons"),
    ("(func i32.const 0x1_0000_0000)", "constant out of range"), ("(func br $x)", "unknown label"),
    ('(data "', "unclosed string"), ('(data "\\z")', "illegal"), ("(; (; ;)", "unclosed comment"),
    ("(func (call $f))", "unknown func"), ("(func $f) (func $f)", "duplicate func"),
    (b'(data "\xff")', "malformed UTF-8"),
    ("(func block $a end $b)", "mismatching label"), ("(func (if (i32.const 1)))", "unexpected token"),
    ("(func i32.const 0 if else else end)", "unexpected token"), ("(func end)", "unexpected token"),
    ("(func (i32.add i32.const 1))", "unexpected token"),
    ("(func (i32.load align=3))", "alignment must be a power of two"),
    ("(func (try (do) (catch_all) (end)))", "unexpected token"), ("(func block)", "unexpected token")])
def test_errors(source, message):
    with pytest.raises(ParseError) as error:
        assemble(source)
    assert error.value.message.startswith(message)


def test_error_positions():
    with pytest.raises(ParseError) as error:
        assemble("(module\n  (func\n    (frobnicate)))")
    assert (error.value.line, error.value.column) == (3, 6)


def test_deep_nesting_needs_no_recursion():
    depth = 5000
    source = "(func (drop " + "(i32.eqz " * depth + "(i32.const 1)" + ")" * depth + "))"
    assert assemble(source).count(b"\x45") == depth
    assemble("(func " + "(block " * depth + ")" * depth + ")")


def test_implicit_types_come_last_in_order_of_use():
    module = decode(assemble("""(module
        (func (param i64) (block (param i32) (result i32 i32) unreachable) unreachable)
        (func (result f32) unreachable)
        (func (param f64))
        (type (func (param f64))))"""))
    assert [str(deftype.comp) for deftype in module.types] == [
        "[f64] -> []", "[i64] -> []", "[i32] -> [i32 i32]", "[] -> [f32]"]


def test_name_section():
    module = decode(assemble("""(module $m
        (import "env" "f" (func $imported (param $ignored i32)))
        (func (param $x i32) (local i64) (local $"a b" i32))
        (func $g (@name "better")))"""))
    assert (module.names.module, module.names.funcs) == ("m", {0: "imported", 2: "better"})
    assert module.names.locals == {1: {0: "x", 2: "a b"}}


def test_no_name_section_without_names():
    assert b"name" not in assemble("(module (func) (memory 1))")


def test_custom_sections_are_where_they_want_to_be():
    module = decode(assemble("""(module
        (@custom "a" (after func) "1" "2") (@custom "b") (@custom "c" (before first)) (func))"""))
    assert [(name, bytes(data)) for name, data in module.customs] == [("c", b""), ("a", b"12"), ("b", b"")]


def test_branch_hints():
    binary = assemble("""(func (param i32) (local i64)
        (@metadata.code.branch_hint "\\01") (if (local.get 0) (then)))""")
    # function 0: one hint at offset 5: local declarations (3), local.get (2)
    assert b"metadata.code.branch_hint\x01\x00\x01\x05\x01\x01" in binary


def test_legacy_exceptions():
    folded = "(tag $e) (func (try $l (do (throw $e)) (catch $e (rethrow $l)) (catch_all)))"
    plain = "(tag $e) (func try $l throw $e catch $e rethrow $l catch_all end)"
    assert assemble(folded) == assemble(plain)
    folded = "(func (block $out (try (do) (delegate $out))))"
    assert assemble(folded) == assemble("(func block $out try delegate $out end)")


@pytest.mark.parametrize("left, right", [
    ("(func (if (result i32) (i32.const 1) (then (i32.const 2)) (else (i32.const 3))) drop)",
     "(func i32.const 1 if (result i32) i32.const 2 else i32.const 3 end drop)"),
    ('(func (export "f") (import "m" "n"))', '(import "m" "n" (func)) (export "f" (func 0))'),
    ('(memory (data "ab"))', '(memory 1 1) (data (i32.const 0) "ab")'),
    ("(func $f) (table funcref (elem 0 0))", "(func $f) (table 2 2 funcref) (elem (i32.const 0) func $f $f)"),
    ("(func (param i32 i32) (local i64 i64 f32))",
     "(func (param i32) (param i32) (local i64) (local i64) (local f32))"),
    ("(rec (type (sub final (func))))", "(type (func))")])
def test_abbreviations(left, right):
    assert assemble(left) == assemble(right)


@pytest.mark.parametrize("pattern, accepted, refused", [
    ("(f32.const nan:canonical)", [0x7FC00000, 0xFFC00000], [0x7FC00001, 0x7F800001, 0]),
    ("(f64.const nan:arithmetic)", [0x7FF8 << 48, 0xFFF8 << 48 | 1], [0x7FF0 << 48 | 1, 0]),
    ("(i32.const -1)", [0xFFFFFFFF], [0, 1 << 32]),
    ("(v128.const f32x4 1 nan:canonical 0 0)", [bytes.fromhex("0000803f0000c0ff") + bytes(8)], [bytes(16)]),
    ("(ref.null)", [None], [0]), ("(ref.func)", [len], [None, object()]),
    ("(ref.extern 3)", [HostReference(3)], [None, HostReference(4)]), ("(ref.extern)", [HostReference(3)], [None]),
    ("(either (i32.const 1) (i32.const 2))", [1, 2], [3])])
def test_result_patterns(pattern, accepted, refused):
    command, = script.parse(f'(assert_return (invoke "f") {pattern})')
    expected, = command.expected
    assert all(map(expected.matches, accepted)) and not any(map(expected.matches, refused))


@pytest.mark.parametrize("pattern", [
    "(ref.func 0)", "(ref.func $f)", "(ref.i31 1)", "(ref.struct 1)", "(ref.host)", "(ref.extern $x)", "(ref.null 1 2)",
    "(ref.null x)", '(ref.null "x")', "(i32.const nan:canonical)", "(v128.const i8x16 nan:canonical)", "(i32.const 1 2)",
    "(ref.func) 1", "(either (ref.func 0))"])
def test_malformed_result_patterns(pattern):
    with pytest.raises(ParseError):
        list(script.parse(f'(assert_return (invoke "f") {pattern})'))


@pytest.mark.parametrize("argument", [
    "(ref.null)", "(ref.null x)", "(ref.extern)", "(ref.func 0)", "(i32.const nan:canonical)"])
def test_malformed_arguments(argument):
    with pytest.raises(ParseError):
        list(script.parse(f'(invoke "f" {argument})'))


@pytest.mark.parametrize("command", [
    '(invoke "f") )', '(get "g" (i32.const 1))', '(register "m" $i $j)', "(module instance $i $m $n)",
    '(assert_trap (invoke "f"))', '(assert_trap (invoke "f") "x" "y")', '(assert_exception (invoke "f") "x")',
    '(assert_malformed (invoke "f") "x")', '(assert_unlinkable (get "g") "x")', '(assert_exhaustion (module) "x")',
    '(assert_return (invoke "f") (i32.const 1) 2)', '(assert_return (module))', "(assert_invalid (module))"])
def test_malformed_commands(command):
    """Nothing that a command does not understand is skipped."""
    with pytest.raises(ParseError):
        list(script.parse(command))


def test_script():
    kinds = [command.kind for command in script.parse("""
        (module definition $M) (module instance $I $M) (register "m" $I)
        (invoke $I "f" (i32.const 1) (v128.const i64x2 1 -1) (ref.null extern) (ref.extern 7))
        (assert_trap (get "g") "unreachable") (assert_exception (invoke "f"))
        (assert_malformed (module quote "(func") "unexpected token")""")]
    assert kinds == ["module", "instance", "register", "invoke", "assert_trap", "assert_exception", "assert_malformed"]


needs_suite = pytest.mark.skipif(not FILES, reason="no specification tests here")


@pytest.fixture(scope="module")
def commands():
    """Every command about a module, with its file."""
    return [(file, command) for file in FILES for command in script.parse(file.read_bytes())
            if isinstance(command.subject, script.ModuleSource)]


@needs_suite
def test_suite_modules_assemble_and_decode(commands):
    for _, command in commands:
        if command.kind in ("module", "assert_trap", "assert_unlinkable"):
            decode(command.subject.binary())
        elif command.kind == "assert_invalid":
            try:
                decode(command.subject.binary())
            except ValidationError:
                pass


@needs_suite
def test_suite_malformed_text(commands):
    # the reference counts lanes before it looks at them
    lenient = "wrong number of lane literals"
    for file, command in commands:
        if command.kind.startswith("assert_malformed") and command.subject.form != "binary":
            with pytest.raises(ParseError) as error:
                command.subject.binary()
            assert error.value.message.startswith(command.expected) or command.expected == lenient, (file, command.line)


@needs_suite
def test_wasmtime_accepts_suite_modules(commands):
    wasmtime = pytest.importorskip("wasmtime")
    config = wasmtime.Config()
    for feature in ("gc", "function_references", "exceptions", "memory64", "multi_memory", "tail_call", "relaxed_simd"):
        setattr(config, f"wasm_{feature}", True)
    engine = wasmtime.Engine(config)
    for file, command in commands:
        if command.kind == "module" and command.subject.form != "binary" and file.parent.name != "legacy":
            wasmtime.Module.validate(engine, command.subject.binary())
