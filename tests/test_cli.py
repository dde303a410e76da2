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
    assert line.startswith("pyjit-wasm")
    return line.removeprefix("pyjit-wasm: ")


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


@pytest.mark.parametrize("name, hint", [
    ("absent", ""), ("memory", ""), ("single_", "; did you mean 'single'?"),
    ("add6", "; did you mean 'add64' or 'add'?")])
def test_missing_export(folder, name, hint):
    error = error_of(pyjit("run", "--invoke", name, folder / "arithmetic.wat"))
    assert error == f"{folder / 'arithmetic.wat'}: no function is exported as '{name}'{hint}"


def test_unknown_imports(folder):
    (folder / "wasi.wat").write_text("""(module (import "wasi_snapshot_preview1" "fd_writ" (func))
      (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) (import "env" "f" (func))
      (func (export "_start")))""")
    assert error_of(pyjit("run", "wasi.wat", cwd=folder, env=with_package())) == (
        "wasi.wat: unknown imports: wasi_snapshot_preview1.fd_writ, env.f; run provides WASI preview 1 only")


def test_uncaught_exception(folder, mode):
    (folder / "throw.wat").write_text('(module (tag $t (param i32)) (func (export "_start") (throw $t (i32.const 7))))')
    process = pyjit("run", "--mode", mode, folder / "throw.wat")
    assert process.returncode == 134 and process.stdout == ""
    line, frame = process.stderr.splitlines()
    assert line.startswith("pyjit-wasm: uncaught exception: ") and "(7,)" in line
    assert frame.startswith("  #00: 0x") and frame.endswith(" - _start")


@pytest.mark.parametrize("source, error", [
    ('(module (type $s (struct)) (func (export "_start") (drop (struct.new $s))))', "struct.new: structures and arrays"),
    (b"\0asm\r\0\1\0", "a component, not a core module")])
def test_unsupported(tmp_path, source, error):
    (tmp_path / "m.wat").write_bytes(source if isinstance(source, bytes) else source.encode())
    assert error_of(pyjit("run", tmp_path / "m.wat")).startswith(f"{tmp_path / 'm.wat'}: {error}")


def test_timeout(folder, mode):
    start = time.monotonic()
    process = pyjit("run", "--mode", mode, "--timeout", "0.5", "--invoke", "forever", "arithmetic.wat",
                    cwd=folder, env=with_package())
    assert 0.5 <= time.monotonic() - start < 20
    assert (process.returncode, process.stdout) == (124, "")
    assert process.stderr == "pyjit-wasm: arithmetic.wat: timed out after 0.5 s\n"
    assert pyjit("run", "--mode", mode, "--timeout=60", "--invoke", "add", folder / "arithmetic.wat", 1, 2).stdout == "3\n"


@pytest.mark.parametrize("source", [
    """(module (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (func (export "_start") (i32.store (i32.const 4) (i32.const 8))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))))""",
    '(module (func $f (loop br 0)) (start $f) (func (export "_start")))'], ids=["in the host", "in the start function"])
def test_timeout_where_nothing_can_be_interrupted(folder, source):
    (folder / "waits.wat").write_text(source)
    process = subprocess.Popen(command_line("run", "--timeout", "0.5", "waits.wat"), cwd=folder, env=with_package(),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.wait(timeout=30)
        assert (process.returncode, process.stderr.read()) == (124, b"pyjit-wasm: waits.wat: timed out after 0.5 s\n")
    finally:
        process.kill()
        process.communicate()


def test_environment(folder):
    process = pyjit("run", "--env", "GIVEN=x", "--env=INHERITED", "echo.wat", cwd=folder, input="",
                    env={**with_package(), "INHERITED": "a=b", "OTHER": "no"})
    assert process.stdout == "echo.wat\0GIVEN=x\0INHERITED=a=b\0"


@pytest.mark.parametrize("kind", ["text", "named .wat", "binary"])
def test_script(folder, tmp_path, kind):
    """A file with a first line for the kernel; -S splits the rest of that line into words."""
    from pyjit_wasm.text import assemble
    path = tmp_path / ("script.wat" if kind == "named .wat" else "script")
    first = f"#!/usr/bin/env -S {' '.join(command_line('run', '--mode', 'interp'))}\n".encode()
    path.write_bytes(first + (assemble(ECHO) if kind == "binary" else ECHO.encode()))
    path.chmod(0o755)
    process = subprocess.run([path, "-v", "--mode", "--"], capture_output=True, text=True, timeout=120, input="",
                             env=with_package())
    assert (process.stdout, process.stderr) == (f"{path}\0-v\0--mode\0--\0", "")
    path.write_text("#!\n(module\n  (funk))")
    assert error_of(pyjit("run", path)).startswith(f"{path}: 3:")


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


def test_cache(own_cache, folder):
    place = own_cache["PYJIT_WASM_CACHE"]
    assert pyjit("cache", env=own_cache).stdout == f"{place}: 0 entries, 0 bytes of at most 536870912\n"
    assert pyjit("run", "--mode", "jit", "--invoke", "add", folder / "arithmetic.wat", "1", "2", env=own_cache).stdout == "3\n"
    process = pyjit("cache", env=own_cache)
    files = os.listdir(place)
    size = sum(os.path.getsize(os.path.join(place, name)) for name in files)
    lines = process.stdout.splitlines()
    assert lines[0] == f"{place}: {len(files)} entries, {size} bytes of at most 536870912"
    rows = {line.split()[0]: line.split() for line in lines[3:]}
    assert rows["unit"][1:4] == ["functions", "of", "modules"] and {"support", "signature"} <= set(rows)
    assert sum(int(row[-2]) for row in rows.values()) == len(files) and sum(int(row[-1]) for row in rows.values()) == size
    assert pyjit("cache", "show", env=own_cache).stdout == process.stdout
    assert pyjit("cache", "clear", env=own_cache).stdout == f"{len(files)} entries, {size} bytes deleted\n"
    assert os.listdir(place) == []
    off = pyjit("cache", env={**own_cache, "PYJIT_WASM_CACHE": "off"})
    assert off.stdout.startswith("off (PYJIT_WASM_CACHE=off): 0 entries")
    assert error_of(pyjit("cache", "burn")) == "pyjit-wasm cache: No such command 'burn'; see pyjit-wasm cache --help"
