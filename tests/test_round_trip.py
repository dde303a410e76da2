"""From binary to text and back: the same module, and the same bytes if this project's assembler wrote them."""
import itertools
from pathlib import Path

import pytest

from fuzz.damaged import corruption
from pyjit_wasm.binary import body, encode
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.errors import DecodeError, ParseError, ValidationError
from pyjit_wasm.opcodes import ROWS
from pyjit_wasm.text import assemble, disassemble, script
from pyjit_wasm.text.body import BLOCKS, PLAIN_ONLY
from test_spec import suite

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = sorted(path for pattern in ("examples/*.wa*", "benchmarks/kernels/*.wasm", "benchmarks/*.wat")
                  for path in ROOT.glob(pattern))


def constant(expression):
    """A constant expression without byte offsets."""
    return None if expression is None else [(op, immediates) for op, immediates, _ in expression]


def function(module, code):
    types = [valtype for count, valtype in code.locals for _ in range(count)]
    return types, constant(body.instructions(module, code.start, code.end))


def syntax(module):
    """Everything in a Module that does not depend on how numbers are padded or locals are grouped."""
    return {
        "types": module.types,
        "imports": [(item.module, item.name, item.type) for item in module.imports],
        "funcs": module.funcs, "mems": module.mems, "tags": module.tags, "start": module.start,
        "tables": (module.tables, [constant(table.init) for table in module.table_defs]),
        "globals": (module.globals, [constant(item.init) for item in module.global_defs]),
        "exports": [(export.name, export.kind, export.index) for export in module.exports],
        "elems": [(elem.mode, elem.table, constant(elem.offset), elem.reftype, list(map(constant, elem.inits)))
                  for elem in module.elems],
        "datas": [(data.mode, data.memory, constant(data.offset), module.data[data.start:data.end])
                  for data in module.datas],
        "codes": [function(module, code) for code in module.codes],
        "names": (module.names.module, module.names.funcs, module.names.locals),
        "customs": module.customs, "declared": module.declared}


def check(binary, exactly=False):
    """Print and assemble; the text, for more checks."""
    text = disassemble(binary)
    again = assemble(text)
    if exactly:
        assert again == binary
    before, after = syntax(decode(binary)), syntax(decode(again))
    for part, value in before.items():
        assert after[part] == value, part
    return text


def pytest_generate_tests(metafunc):
    if "script_name" in metafunc.fixturenames:
        directory = suite(metafunc.config)
        names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.wast"))
        metafunc.parametrize("script_name", names or [pytest.param("none", marks=pytest.mark.skip(
            f"no specification test suite in {directory}: see --spec-testsuite"))])


def binaries(path):
    """(line, form, binary) of all modules of a script that are well formed, invalid ones included."""
    for command in script.parse(path.read_bytes()):
        if isinstance(command.subject, script.ModuleSource) and not command.kind.startswith("assert_malformed"):
            try:
                binary = command.subject.binary()
                decode(binary)
            except (ParseError, DecodeError, ValidationError):
                assert command.kind.startswith("assert_invalid")
            else:
                yield command.line, command.subject.form, binary


def test_suite(script_name, request):
    for line, form, binary in binaries(suite(request.config) / script_name):
        try:
            check(binary, exactly=form != "binary")
        except Exception as error:
            raise AssertionError(f"{script_name}:{line}: {error}") from error


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_programs(path):
    content = path.read_bytes()
    if path.suffix == ".wat":
        check(assemble(content), exactly=True)
    else:
        check(content)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_wasmtime_reads_the_text(path):
    wasmtime = pytest.importorskip("wasmtime")
    binary = path.read_bytes()
    binary = assemble(binary) if path.suffix == ".wat" else binary
    again = decode(bytes(wasmtime.wat2wasm(disassemble(binary))))
    different = {part for part, value in syntax(decode(binary)).items() if syntax(again)[part] != value}
    assert different <= {"customs"}     # wasmtime has the names behind all of them


@pytest.mark.parametrize("source", [
    "(module)",
    '(module $m)', '(module (@name ""))', r'(module $"a b\"\\\u{7f}λ")',
    # names: odd, empty, the same, that look like made-up ones
    '(func (@name "")) (func)',
    '(func $a (@name "f")) (func $b (@name "f")) (func $f) (func $f.1) (func $f.0 (@name "f"))',
    r'(func $"\u{0}\n") (func $"(;") (func $"\e2\80\ae") (func $0) (start $"(;")',
    '(func (param $x i32) (param i32 i64) (param $y (@name "x") f32) (local i32 i32) (local $z f32) (local $l i32))',
    '(type $t (struct (field $x i8) (field (mut i16)) (field (@name "x") i32) (field f32)))',
    '(memory $m 1) (table $t 1 funcref) (global $g i32 (i32.const 0)) (tag $e) (elem $s func) (data $d "")',
    # types: equal ones, groups, references forward
    '(type (func)) (type (func)) (func (type 1)) (func (block (type 1)) (block (type 0)) (block))',
    '(rec) (rec (type (func))) (rec (type $a (struct (field (ref null $b)))) (type $b (sub (array (mut (ref $a))))))',
    '(type $a (sub (struct))) (type $b (sub final $a (struct (field i64)))) (type $c (sub $a (struct)))',
    # externals
    r'(import "" "\00λ" (memory i64 0 0xffff_ffff_ffff))',
    '(import "m" "n" (table i64 1 2 (ref null extern))) (import "m" "t" (tag (param i32))) (memory 1 2 shared)',
    '(table 1 (ref func) (ref.func $f)) (table $u 2 3 funcref) (func $f) (export "" (table $u))',
    # segments
    '(table 1 funcref) (table $u 1 funcref) (func $f) (elem (table $u) (i32.const 0) func $f) (elem (i32.const 0) $f)'
    '(elem (table $u) (offset i32.const 1 i32.const 2 i32.add) funcref (ref.func $f)) (elem declare func $f $f)'
    '(elem (i32.const 0) funcref (item ref.func $f)) (elem (ref func) (ref.func $f)) (elem func) (elem externref)'
    '(elem (i32.const 0) func) (elem (ref null i31) (item i32.const 1 ref.i31) (ref.null i31))',
    f'(memory 1) (memory $n 1) (data (memory $n) (i32.const 1) "{"0123456789" * 20}") (data "") (data "\\00\\ff")',
    f'(func $f) (elem func {"$f " * 300})',
    # instructions
    "(func f32.const nan f32.const -nan:0x1 f32.const nan:0x7fffff f64.const -nan f64.const nan:0x4000000000001"
    "  f32.const -inf f64.const inf f32.const -0 f64.const -0 unreachable)",
    "(func f32.const 0x1p-149 f32.const 0x1.fffffep127 f32.const 0.1 f32.const 16777216 f32.const 8388609.5"
    "  f64.const 0x1p-1074 f64.const 0x1.fffffffffffffp1023 f64.const 0.1 f64.const 1e300 unreachable)",
    "(func i32.const -2147483648 i32.const 4294967295 i64.const -9223372036854775808 i64.const 0x7fffffffffffffff"
    "  v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 255 v128.const i64x2 -1 0x8000000000000000 unreachable)",
    "(tag $e) (func block loop $l block br 0 br $l br 3"
    "  try_table (catch $e 1) (catch_all_ref 3) br 0 end end end end)",
    "(tag $e (param i32)) (func try $t try nop delegate $t catch $e rethrow 0 catch_all rethrow $t end)",
    "(func i32.const 0 br_table 0 0 0 i32.const 0 if nop else nop end)",
    '(memory 1) (memory $m i64 1) (data "") (func i32.load $m offset=0xffffffffffffffff align=1 i32.load align=4'
    "  v128.load8_lane $m 3 v128.load8_lane 3 memory.copy $m 0 memory.copy memory.size $m memory.init $m 0"
    "  memory.init 0)",
    '(func (param i32) (@metadata.code.branch_hint "\\01") (if (local.get 0) (then)) block local.get 0'
    '  (@metadata.code.branch_hint "\\00") br_if 0 end)',
])
def test_text(source):
    check(assemble(source), exactly=True)


def test_custom_sections_everywhere():
    placements = [f"({edge} {kind})" for kind in encode.SECTIONS for edge in ("before", "after")]
    customs = "".join(f'(@custom "{place} λ\\00" {place} "\\00\\ff" "x")'
                      for place in ["", "(before first)", "(after last)", *placements])
    check(assemble(customs), exactly=True)
    everything = """(type $t (func)) (import "m" "f" (func)) (table 1 funcref) (memory 1) (tag (type $t)) (start 0)
        (global i32 (i32.const 0)) (func $f data.drop 0 (@metadata.code.branch_hint "\\01") (if (i32.const 0) (then)))
        (data "") (elem func) (export "" (func 0))"""
    check(assemble(customs + everything), exactly=True)


def section(code, *contents):
    return encode.section(code, b"".join(contents))


HEADER = encode.MAGIC
FUNCTION = section(1, b"\1\x60\0\0") + section(3, b"\1\0")
BODY = section(10, b"\1\2\0\x0B")
NAMES = b"\1\4\1\0\1f"          # function 0 is `f`


@pytest.mark.parametrize("contents", [
    b"", b"\xff", b"\1\0", b"\1\1\0", NAMES + NAMES, b"\1\4\1\7\1f", b"\1\7\2\0\1f\0\1g", b"\1\7\2\1\1f\0\1g",
    b"\3\6\1\0\1\0\1l", b"\2\6\1\0\1\5\1x", b"\2\4\1\0\0\0", b"\4\5\1\x80\0\1t", b"\x0b\4\1\0\1e"])
def test_name_sections_that_identifiers_cannot_say(contents):
    text = check(HEADER + FUNCTION + BODY + encode.custom_section("name", contents))
    assert '(@custom "name"' in text


def test_name_sections_in_odd_places():
    name = encode.custom_section("name", NAMES)
    for binary in (name + FUNCTION + BODY, FUNCTION + name + BODY, FUNCTION + BODY + name + name):
        assert "$f" in check(HEADER + binary, exactly=True)
    other = encode.custom_section("other", b"")
    for binary in (FUNCTION + BODY + name, FUNCTION + BODY + other + name + other, other + FUNCTION + BODY + name):
        assert '"name"' not in check(HEADER + binary, exactly=True)


BRANCHES = section(10, b"\1", encode.sized(b"\0\x41\0\x0D\0\x41\0\x0D\0\x0B"))     # `br_if` at offsets 3 and 7


@pytest.mark.parametrize("contents", [
    b"", b"\xff", b"\0", b"\1\0\1\5\1\1", b"\1\7\0", b"\1\0\0", b"\1\0\2\3\1\1\3\1\1", b"\1\0\2\7\1\1\3\1\1",
    b"\1\0\1\x83\0\1\1"])
def test_branch_hints_that_annotations_cannot_say(contents):
    hints = encode.custom_section("metadata.code.branch_hint", contents)
    text = check(HEADER + FUNCTION + hints + BRANCHES, exactly=True)
    assert '(@custom "metadata.code.branch_hint"' in text


def test_branch_hints_are_annotations_where_they_can():
    hints = encode.custom_section("metadata.code.branch_hint", b"\1\0\2\3\1\1\7\0")
    text = check(HEADER + FUNCTION + hints + BRANCHES, exactly=True)
    assert '(@metadata.code.branch_hint "")' in text and "@custom" not in text
    for places in (hints + FUNCTION + BRANCHES, FUNCTION + BRANCHES + hints, FUNCTION + hints + hints + BRANCHES):
        assert "(@custom" in check(HEADER + places, exactly=True)


INDEX, LARGE = b"\0", b"\xAC\2"
SAMPLES = {"blocktype": (b"\x40", b"\x7F", b"\x64\0", b"\0"), "memarg": (b"\0\0", b"\2\x90\3", b"\x43\1\xFF\xFF\3"),
           "labels": (b"\0\0", b"\2\1\0\7"), "valtypes": (b"\0", b"\1\x7F", b"\2\x7B\x63\0"),
           "heaptype": (b"\x70", b"\0"), "i32": (b"\x7F", b"\x80\x80\x80\x80\x78"), "i64": (b"\0",),
           "f32": (b"\1\0\x80\x7F", b"\1\2\3\4"), "f64": (b"\1\2\3\4\5\6\7\x88",), "v128": (bytes(range(16)),),
           "lanes": (bytes(range(16, 32)),), "laneidx": (b"\0", b"\xFF"),
           "catches": (b"\0", b"\4\0\1\2\1\0\1\2\3\3\4"),
           "castflags": (b"\0", b"\1", b"\2", b"\3"), "zero": (b"\0",)}


def instruction(op):
    """Encodings of an instruction with various immediates, with the end of its block."""
    end = encode.END if op.mnemonic in BLOCKS else b""
    kinds = [SAMPLES.get(kind, (INDEX, LARGE)) for kind in op.imm]
    for immediates in itertools.product(*kinds):
        yield encode.opcode(op.code) + b"".join(immediates) + end


@pytest.mark.parametrize("op", [op for op in ROWS if op.mnemonic not in PLAIN_ONLY], ids=lambda op: op.mnemonic)
def test_rows(op):
    """Immediates come back as they were, whatever they refer to."""
    body = b"".join(instruction(op))
    types = section(1, b"\1\x60\0\0")
    check(HEADER + types + section(3, b"\1\0") + section(12, b"\0") + section(10, b"\1", encode.sized(
        b"\0" + body + encode.END)))


def test_depth_does_not_matter():
    depth = 20_000
    text = check(assemble(f"(func {'block ' * depth} {'end ' * depth})"), exactly=True)
    assert len(text) < depth * 300


def test_damaged_modules():
    """Modules need not be valid."""
    printed = 0
    for number in range(300):
        binary, description = corruption(number)
        try:
            decode(binary)
        except (DecodeError, ValidationError):
            continue
        assert check(binary), description
        printed += 1
    assert printed > 100
