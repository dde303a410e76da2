"""From a binary module to text and back: the same module, and the same bytes if this project's assembler wrote them."""
from pathlib import Path

import pytest

from pyjit_wasm.binary import body, encode
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.errors import DecodeError, ParseError, ValidationError
from pyjit_wasm.text import assemble, disassemble, script
from test_spec import suite

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = sorted([*ROOT.glob("examples/*.wa[st]*"), *ROOT.glob("benchmarks/kernels/*.wasm"), *ROOT.glob("benchmarks/*.wat")])


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
        "elems": [(elem.mode, elem.table, constant(elem.offset), elem.reftype, [constant(init) for init in elem.inits])
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
