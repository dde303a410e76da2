"""The command line, run as a process of its own."""
import os
import re
import signal
import subprocess
import sys
import time

import pytest

MODES = ("interp", "jit", "tiered")

ARITHMETIC = """(module
  (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "add64") (param i64 i64) (result i64) local.get 0 local.get 1 i64.add)
  (func (export "half") (param f64) (result f64) local.get 0 f64.const 0.5 f64.mul)
  (func (export "single") (param f32) (result f32) local.get 0)
  (func (export "swap") (param i32 i64) (result i64 i32) local.get 1 local.get 0)
  (func (export "is_null") (param externref) (result i32) local.get 0 ref.is_null)
  (func (export "nothing"))
  (func $inner unreachable)
  (func $outer (export "crash") call $inner)
  (func $forever (export "forever") (loop br 0))
  (func $deep (export "deep") call $deep)
  (func (export "twice") (param v128) (result v128) (i8x16.add (local.get 0) (local.get 0)))
  (memory (export "memory") 1))"""

ECHO = """(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $write (param $fd i32) (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $args_get (i32.const 1000) (i32.const 2000)))
    (call $write (i32.const 1) (i32.const 2000) (i32.load (i32.const 20)))
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 24)))
    (drop (call $environ_get (i32.const 1000) (i32.const 3000)))
    (call $write (i32.const 1) (i32.const 3000) (i32.load (i32.const 24)))
    (i32.store (i32.const 0) (i32.const 4000)) (i32.store (i32.const 4) (i32.const 1000))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $write (i32.const 2) (i32.const 4000) (i32.load (i32.const 8)))
    (call $proc_exit (i32.load (i32.const 20))))
  (func (export "exit") (param i32) (call $proc_exit (local.get 0))))"""


def command_line(*arguments):
    return [sys.executable, "-m", "pyjit_wasm", *map(str, arguments)]


def pyjit(*arguments, **options):
    """Run the command; return the completed process with text output."""
    return subprocess.run(command_line(*arguments), capture_output=True, timeout=120, text=True, **options)


def error_of(process):
    """The one line of a failed command."""
    assert process.returncode == 2 and process.stdout == ""
    line, = process.stderr.splitlines()
    return line.removeprefix("pyjit-wasm: error: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "arithmetic.wat").write_text(ARITHMETIC)
    (folder / "echo.wat").write_text(ECHO)
    (folder / "malformed.wasm").write_bytes(b"\0asm\1\0\0")
    (folder / "malformed.wat").write_text("(module\n  (funk))")
    (folder / "latin.wat").write_bytes(b'(module (func (export "\xe9")))')
    (folder / "invalid.wat").write_text('(module (func (export "_start") (result i32)))')
    (folder / "unlinked.wat").write_text('(module (import "env" "f" (func)) (func (export "_start")))')
    (folder / "start.wat").write_text('(module (func (export "_start")) (memory (export "memory") 1))')
    return folder


# --- run

@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("call, output", [
    ("add 2 0x10", "18\n"), ("add -1 -0x1", "-2\n"), ("add 4294967295 0", "-1\n"), ("add64 -9223372036854775808 0b1",
     "-9223372036854775807\n"), ("half 3", "1.5\n"), ("half 0x1p-1", "0.25\n"), ("half -inf", "-inf\n"),
    ("half nan", "nan\n"), ("single -0.0", "-0.0\n"), ("single 1e39", "inf\n"), ("swap 1 -2", "-2\n1\n"),
    ("is_null null", "1\n"), ("nothing", ""),
    ("twice 000102030405060708090a0B0C0D0E7f", "00020406080a0c0e10121416181a1cfe\n")])
def test_invoke(folder, mode, call, output):
    name, *arguments = call.split()
    process = pyjit("run", "--mode", mode, "--invoke", name, folder / "arithmetic.wat", *arguments)
    assert (process.returncode, process.stdout, process.stderr) == (0, output, "")


@pytest.mark.parametrize("call, error", [
    ("add 1", "the function takes 2 arguments, not 1"), ("add 1 x", "argument 2: 'x' is not an i32"),
    ("add 1 4294967296", "argument 2: '4294967296' is not an i32"), ("half 1,5", "argument 1: '1,5' is not an f64"),
    ("half 0x", "argument 1: '0x' is not an f64"), ("is_null 0", "argument 1: '0' is not an externref"),
    ("twice 0001", "argument 1: '0001' is not a v128"), ("twice x", "argument 1: 'x' is not a v128")])
def test_invoke_errors(folder, call, error):
    name, *arguments = call.split()
    assert error_of(pyjit("run", "--invoke", name, folder / "arithmetic.wat", *arguments)) == error


@pytest.mark.parametrize("mode", MODES)
def test_program(folder, mode):
    path = folder / "echo.wat"
    process = pyjit("run", "--mode=" + mode, "--env", "A=1", "--env=B=x=y", path, "--mode", "--help", "é", input="in")
    expected = f"{path}\0--mode\0--help\0é\0"
    assert process.stdout == expected + "A=1\0B=x=y\0"
    assert process.stderr == "in"
    assert process.returncode == len(expected.encode())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path, arguments, code", [
    ("start.wat", [], 0), ("echo.wat", ["exit", "0"], 0), ("echo.wat", ["exit", "77"], 77),
    ("echo.wat", ["exit", "-1"], 255)])
def test_exit_code(folder, mode, path, arguments, code):
    options = ["--invoke", arguments[0]] if arguments else []
    process = pyjit("run", "--mode", mode, "--no-cache", *options, folder / path, *arguments[1:])
    assert (process.returncode, process.stdout, process.stderr) == (code, "", "")


@pytest.mark.parametrize("mode", MODES)
def test_trap(folder, mode):
    process = pyjit("run", "--mode", mode, "--invoke", "crash", folder / "arithmetic.wat")
    assert process.returncode == 134 and process.stdout == ""
    message, *frames = process.stderr.splitlines()
    assert message == "pyjit-wasm: trap: unreachable"
    assert [re.sub(r".*0x[0-9a-f]+ - ", "", frame) for frame in frames] == ["inner", "outer"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [[], ["--stack-size", "0x4000"]])
def test_exhaustion(folder, mode, size):
    process = pyjit("run", "--mode", mode, *size, "--invoke", "deep", folder / "arithmetic.wat")
    assert process.returncode == 134
    assert process.stderr.startswith("pyjit-wasm: trap: call stack exhausted\n")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place, arguments", [
    ("in a host call", ["echo.wat"]), ("in wasm", ["--invoke", "forever", "arithmetic.wat"])])
def test_interrupt(folder, mode, place, arguments):
    process = subprocess.Popen(command_line("run", "--mode", mode, *arguments), cwd=folder, env=with_package(),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=15)    # stdin stays open
        assert (process.returncode, process.stderr.read()) == (130, b"")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("path, error", [
    ("missing.wasm", "missing.wasm: No such file or directory"), ("malformed.wasm", "malformed.wasm: "),
    ("malformed.wat", "malformed.wat: 2:"), ("latin.wat", "latin.wat: malformed UTF-8 encoding"),
    ("invalid.wat", "invalid.wat: type mismatch"), ("unlinked.wat", "unlinked.wat: "), (".", ".: Is a directory"),
    ("arithmetic.wat", "arithmetic.wat: no function is exported as '_start'; --invoke NAME calls another function")])
def test_unusable_files(folder, path, error):
    assert error_of(pyjit("run", path, cwd=folder, env=with_package())).startswith(error)


@pytest.mark.parametrize("name", ["absent", "memory"])
def test_missing_export(folder, name):
    error = error_of(pyjit("run", "--invoke", name, folder / "arithmetic.wat"))
    assert error.endswith(f"no function is exported as '{name}'")


def with_package():
    """An environment in which the package is importable from any directory."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), root]))}


def test_broken_pipe(folder):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as stdout:
        process = subprocess.run(command_line("run", "--invoke", "add", folder / "arithmetic.wat", "1", "2"),
                                 stdout=stdout, stderr=subprocess.PIPE, timeout=120)
    assert (process.returncode, process.stderr) == (141, b"")


# --- the other commands

def test_assemble_and_validate(folder, tmp_path):
    output = tmp_path / "out.wasm"
    assert pyjit("wasm", folder / "arithmetic.wat", "-o", output).returncode == 0
    assert output.read_bytes().startswith(b"\0asm\1\0\0\0")
    assert pyjit("run", "--invoke", "add", output, "1", "2").stdout == "3\n"
    assert pyjit("validate", output, folder / "echo.wat").returncode == 0
    process = pyjit("validate", output, folder / "invalid.wat", folder / "malformed.wasm")
    assert process.returncode == 1
    first, second = process.stderr.splitlines()
    assert first.startswith(f"{folder / 'invalid.wat'}: type mismatch") and "malformed.wasm: " in second


def test_assemble_names_the_output(tmp_path):
    (tmp_path / "m.wat").write_text("(module)")
    assert pyjit("wasm", tmp_path / "m.wat").returncode == 0
    assert (tmp_path / "m.wasm").read_bytes() == b"\0asm\1\0\0\0"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bounds", ["guard", "explicit"])
def test_wast(tmp_path, mode, bounds):
    (tmp_path / "good.wast").write_text(f'{ARITHMETIC} (assert_return (invoke "add" (i32.const 1) (i32.const 2)) '
                                        '(i32.const 3)) (assert_trap (invoke "crash") "unreachable")')
    (tmp_path / "bad.wast").write_text(f'{ARITHMETIC} (assert_return (invoke "nothing") (i32.const 3))')
    options = ["--mode", mode, "--bounds", bounds]
    assert pyjit("wast", *options, tmp_path / "good.wast").returncode == 0
    assert pyjit("wast", *options, tmp_path / "good.wast", tmp_path / "bad.wast").returncode == 1


@pytest.fixture
def own_cache(tmp_path):
    """The environment of a process with a cache of its own: nobody else writes to it."""
    return {**os.environ, "PYJIT_WASM_CACHE": str(tmp_path / "cache")}


def test_cache(own_cache):
    process = pyjit("cache", env=own_cache)
    assert process.returncode == 0 and re.fullmatch(r".+: \d+ entries, \d+ bytes\n", process.stdout)
    assert pyjit("cache", "show", env=own_cache).stdout == process.stdout
    assert error_of(pyjit("cache", "burn")) == "unknown action 'burn'; there are show, clear"
    assert error_of(pyjit("cache", "show", "clear")) == "one action expected, not 2"


def test_cache_clear(own_cache):
    assert pyjit("cache", "clear", env=own_cache).returncode == 0
    assert " 0 entries, 0 bytes" in pyjit("cache", "show", env=own_cache).stdout


# --- options and help

def test_version():
    assert re.fullmatch(r"pyjit-wasm \d+\.\d+.*\n", pyjit("--version").stdout)


@pytest.mark.parametrize("command", ["run", "wast", "validate", "wat", "wasm", "cache"])
def test_help(command):
    assert command in pyjit("--help").stdout
    process = pyjit(command, "--help")
    assert process.returncode == 0 and process.stdout.startswith(f"usage: pyjit-wasm {command} [OPTIONS] ")
    assert max(map(len, process.stdout.splitlines())) <= 110
    assert pyjit(command, "-h").stdout == process.stdout


def test_no_command():
    process = pyjit()
    assert process.returncode == 2 and process.stdout == pyjit("--help").stdout


@pytest.mark.parametrize("arguments, error", [
    ("frob", "unknown command 'frob'; there are run, wast, validate, wat, wasm, cache"),
    ("--frob", "unknown option --frob"), ("run --frob x", "unknown option --frob"),
    ("run", "FILE is missing; usage: pyjit-wasm run [OPTIONS] FILE [ARGS...]"),
    ("run --mode fast x", "invalid value 'fast' of --mode MODE"),
    ("run --env", "option --env needs a value, NAME[=VALUE]"),
    ("run --env UNSET_HERE x", "invalid value 'UNSET_HERE' of --env NAME[=VALUE]"),
    ("run --dir ::/ x", "invalid value '::/' of --dir HOST[::GUEST]"),
    ("run --no-cache=1 x", "option --no-cache takes no value"),
    ("run --stack-size -1 x", "invalid value '-1' of --stack-size BYTES"),
    ("wasm a b", "one file expected, not 2"),
    ("run -- -h", "-h: No such file or directory")])
def test_usage_errors(arguments, error):
    assert error_of(pyjit(*arguments.split())) == error


def test_import_is_lazy():
    script = ("import sys; before = set(sys.modules); import pyjit_wasm.cli.commands, pyjit_wasm.cli.program; "
              "print(*set(sys.modules) - before)")
    process = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    assert {"re", "enum", "typing", "dataclasses", "argparse"}.isdisjoint(process.stdout.split())
