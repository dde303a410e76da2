"""The commands that look at modules and compile them: `inspect`, `disas`, `compile`."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyjit_wasm.cli.commands import program
from pyjit_wasm.disassembly import TITLES
from pyjit_wasm.inspection import inspect
from test_cli import ARITHMETIC, MODES, command_line, error_of, pyjit, with_package

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m.wat").write_text(ARITHMETIC)
    (tmp_path / "bad.wat").write_text("(module (funk))")
    (tmp_path / "invalid.wat").write_text("(module (func (result i32)))")
    return tmp_path


@pytest.fixture
def own_cache(tmp_path):
    return {**with_package(), "PYJIT_WASM_CACHE": str(tmp_path / "cache")}


def invoke(*arguments):
    """Run a command in this process; its output."""
    result = CliRunner().invoke(program, [str(argument) for argument in arguments], standalone_mode=False)
    assert result.exception is None, result.exception
    return result.output


def on_a_terminal(columns, *arguments, **environment):
    """The output of a command on a terminal of that width, standard error included."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {**os.environ, "TERM": "xterm-256color", **environment}
    variables.pop("COLUMNS", None)
    process = subprocess.Popen(command_line(*arguments), stdout=terminal, stderr=terminal, env=variables)
    os.close(terminal)
    parts = []
    try:
        while part := os.read(controller, 65536):
            parts.append(part)
    except OSError:     # nobody has the terminal open any more
        pass
    os.close(controller)
    assert process.wait(timeout=60) == 0
    return b"".join(parts).decode().replace("\r\n", "\n")


# --- inspect

def test_inspect_is_the_report(folder):
    report = inspect(folder / "m.wat")
    shown = invoke("inspect", folder / "m.wat")
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[0] == (f"{folder / 'm.wat'}: {report.size} bytes, {report.functions} functions, "
                        f"{report.instructions} instructions")
    assert f"proposals: {', '.join(report.proposals)}" in lines
    for section in report.sections:
        name = f"custom '{section.title}'" if section.title else section.name
        assert f"{name} {section.offset:#x} {section.size} {'' if section.count is None else section.count}".strip() in lines
    for export in report.exports:
        assert f"{export.name} {export.kind} {export.index} {export.type}".strip() in lines
    for size in report.largest:
        assert f"{size.index} {size.name} {size.bytes} {size.instructions} {size.locals}" in lines
    assert not ESCAPE.search(shown) and "invalid" not in shown


def test_inspect_json(folder):
    shown = json.loads(invoke("inspect", "--json", "--functions", 2, folder / "m.wat"))
    assert shown == json.loads(json.dumps(inspect(folder / "m.wat", 2).as_dict()))
    assert len(shown["largest"]) == 2 and shown["exports"][0] == {
        "module": None, "name": "add", "kind": "func", "index": 0, "type": "(param i32 i32) (result i32)"}


def test_inspect_names_as_they_are(folder):
    (folder / "m.wat").write_text('(module (import "[red]" "λ:smile:" (func)) (func (export "[/]")))')
    shown = pyjit("inspect", folder / "m.wat", encoding="utf-8",
                  env={**with_package(), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}).stdout
    assert "[red]   λ:smile:  func" in shown and re.search(r"^\[/\] +func +1$", shown, re.M)


def test_names_do_not_control_the_terminal(folder):
    (folder / "m.wat").write_text(
        '(module (import "e" "a\\1b[31m\\0ab" (func)) (func (export "\\1b]0;x\\07") (call 0)) (memory 1))')
    shown = invoke("inspect", folder / "m.wat") + invoke("disas", "--threaded", "--wasm", folder / "m.wat", 1)
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", shown) and "a\\x1b[31m\\nb" in shown and "\\x1b]0;x\\x07" in shown


def test_inspect_what_is_not_valid(folder):
    assert "invalid: type mismatch" in invoke("inspect", folder / "invalid.wat")
    assert error_of(pyjit("inspect", "bad.wat", cwd=folder, env=with_package())).startswith("bad.wat: 1:10: ")
    assert error_of(pyjit("inspect", "absent.wasm")) == "absent.wasm: No such file or directory"


def test_inspect_on_a_terminal(folder):
    """Colours, within its width; none if NO_COLOR is set."""
    shown = on_a_terminal(60, "inspect", folder / "m.wat")
    assert ESCAPE.search(shown)
    plain = on_a_terminal(60, "inspect", folder / "m.wat", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3\dm", plain)
    assert max(len(line) for line in ESCAPE.sub("", shown).splitlines()) <= 60
    assert "add64" in shown


# --- disas

def test_disas(folder):
    shown = invoke("disas", folder / "m.wat", "add")
    assert re.findall(r"^\S+ (.+) of function 0, add$", shown, re.M) == list(TITLES.values())
    assert "i32.add " in shown and "= i32.add.ss $0, $1" in shown and "add i32" in shown and "ret" in shown


@pytest.mark.parametrize("form", TITLES)
def test_disas_of_one_form(folder, form):
    shown = invoke("disas", f"--{form}", folder / "m.wat", 0)
    assert re.findall(r"^\S+ (.+) of function 0, add$", shown, re.M) == [TITLES[form]]


def test_disas_options_are_the_forms():
    command = program.get_command(None, "disas")
    assert [p.name for p in command.params if p.name in TITLES] == list(TITLES)


def test_disas_with_explicit_bounds(folder):
    (folder / "load.wat").write_text(
        '(module (memory 1) (func (export "f") (param i32) (result i32) (i32.load (local.get 0))))')
    assert "rt_trap" in invoke("disas", "--asm", "--bounds", "explicit", folder / "load.wat", "f")
    assert "rt_trap" not in invoke("disas", "--asm", folder / "load.wat", "f")


@pytest.mark.parametrize("name, error", [
    ("ad", "no function is called 'ad'; did you mean 'add'?"), ("1000", "no function is called '1000'"),
    ("p", "function 0, p, is imported")])
def test_disas_errors(folder, name, error):
    (folder / "m.wat").write_text('(module (import "e" "p" (func $p)) (func $add))')
    assert error_of(pyjit("disas", "--wasm", "m.wat", name, cwd=folder, env=with_package())) == f"m.wat: {error}"


def test_disas_on_a_wide_terminal(folder):
    """Threaded code stands beside the instruction that it was made of."""
    shown = ESCAPE.sub("", on_a_terminal(170, "disas", folder / "m.wat", "add64"))
    title, *lines = shown.splitlines()
    assert [title.index(text) for text in TITLES.values()] == sorted(title.index(text) for text in TITLES.values())
    assert any(re.match(r"  i64\.add .*= i64\.add\.ss \$0, \$1 ", line) for line in lines)
    row, = [line for line in lines if "return.s" in line]
    assert row.startswith(")")


def test_disas_on_a_narrow_terminal(folder):
    shown = ESCAPE.sub("", on_a_terminal(100, "disas", folder / "m.wat", "add64"))
    titles = [line for line in shown.splitlines() if "of function 1" in line]
    assert titles == [f"{title} of function 1, add64" for title in TITLES.values()]


# --- compile

@pytest.mark.parametrize("mode", MODES)
def test_compile(folder, own_cache, mode):
    """A run in the same mode then adds nothing to the cache, and another one finds everything there."""
    process = pyjit("compile", "--mode", mode, "--jobs", 2, folder / "m.wat", env=own_cache)
    assert (process.returncode, process.stderr) == (0, "")
    found = re.fullmatch(re.escape(str(folder / "m.wat")) + r": (\d+) functions, (\d+) objects: (\d+) compiled \((\d+) bytes, "
                         r"\d+\.\d s\), 0 in the cache before\n", process.stdout)
    functions, objects, compiled, size = map(int, found.groups())
    entries = os.listdir(own_cache["PYJIT_WASM_CACHE"])
    assert functions == (0 if mode == "interp" else 12) and objects == compiled and size > 1000
    assert len(entries) == objects + (mode != "interp")     # a note that all is there
    run = pyjit("run", "--mode", mode, "--invoke", "add", folder / "m.wat", 1, 2, env=own_cache)
    assert run.stdout == "3\n" and sorted(os.listdir(own_cache["PYJIT_WASM_CACHE"])) == sorted(entries)
    again = pyjit("compile", "--mode", mode, folder / "m.wat", env=own_cache)
    assert f"{objects} objects: 0 compiled (0 bytes, 0.0 s), {objects} in the cache before" in again.stdout


def test_compile_a_program(own_cache):
    """One that imports WASI, and is large enough for several units."""
    program = Path(__file__).parents[1] / "examples" / "wordcount.wasm"
    assert pyjit("compile", program, env=own_cache).returncode == 0
    before = sorted(os.listdir(own_cache["PYJIT_WASM_CACHE"]))
    run = pyjit("run", "--mode", "jit", program, input="a b a\n", env=own_cache)
    assert run.returncode == 0 and "6 bytes, 1 lines, 3 words" in run.stdout
    assert sorted(os.listdir(own_cache["PYJIT_WASM_CACHE"])) == before


def test_compile_with_settings(folder, own_cache):
    settings = ["--bounds", "explicit"]
    assert pyjit("compile", *settings, folder / "m.wat", env=own_cache).returncode == 0
    before = sorted(os.listdir(own_cache["PYJIT_WASM_CACHE"]))
    run = pyjit("run", "--mode", "jit", *settings, "--invoke", "add", folder / "m.wat", 1, 2, env=own_cache)
    assert run.stdout == "3\n" and sorted(os.listdir(own_cache["PYJIT_WASM_CACHE"])) == before
    pyjit("run", "--mode", "jit", "--invoke", "add", folder / "m.wat", 1, 2, env=own_cache)
    assert set(os.listdir(own_cache["PYJIT_WASM_CACHE"])) > set(before)


def test_compile_draws_a_bar_on_a_terminal(folder, own_cache):
    shown = on_a_terminal(80, "compile", folder / "m.wat", PYJIT_WASM_CACHE=own_cache["PYJIT_WASM_CACHE"])
    assert "100%" in shown and "\r" in shown and "12 functions" in shown


def test_compile_errors(folder, own_cache):
    for arguments, error in (([folder / "bad.wat"], f"{folder / 'bad.wat'}: 1:10: "),
                             ([folder / "invalid.wat"], f"{folder / 'invalid.wat'}: type mismatch")):
        assert error_of(pyjit("compile", *arguments, env=own_cache)).startswith(error)
    off = {**own_cache, "PYJIT_WASM_CACHE": "off"}
    assert error_of(pyjit("compile", folder / "m.wat", env=off)) == "the cache of compiled code is off"
    (folder / "cache").mkdir(exist_ok=True)
    (folder / "cache").chmod(0o777)
    assert error_of(pyjit("compile", folder / "m.wat", env=own_cache)) == (
        f"{folder / 'cache'}: not a directory that only this user can write")
