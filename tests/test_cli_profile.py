"""`pyjit-wasm profile`: the options of `run`, and where the profile goes. The profiler has tests of its own: here one stands
in that says what it was asked for and has a profile made by hand."""
import contextlib
import signal
import subprocess
import sys
import time
import types

import pytest

import profile_samples
import pyjit_wasm as wasm
from pyjit_wasm import cli
from test_cli import command_line, pyjit, with_package

PROGRAM = """(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const 7)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "crash") unreachable)
  (func (export "forever") (loop (br 0))))"""


@pytest.fixture
def asked(monkeypatch):
    """What the profiler was asked for."""
    found = []

    @contextlib.contextmanager
    def profile(instance, **settings):
        found.append(settings)
        assert isinstance(instance, wasm.Instance)
        session = types.SimpleNamespace()
        try:
            yield session
        finally:
            session.report = profile_samples.profile()

    module = types.ModuleType("pyjit_wasm.profiles")
    module.profile = profile
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return found


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "guest" / "prog.wat"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    return str(path)


def test_table(asked, program, mode, capsys):
    assert cli.main(["profile", "--mode", mode, "--invoke", "add", program, "2", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "5\n" and captured.err == profile_samples.profile().table()
    assert asked == [{"rate": 1000, "counts": False, "opcodes": False, "python": False}]


def test_settings(asked, program, capsys):
    settings = "--rate", "250", "--count", "--opcodes", "--python", "--top", "1"
    assert cli.main(["profile", *settings, program, "--rate", "x"]) == 7
    assert asked == [{"rate": 250, "counts": True, "opcodes": True, "python": True}]
    assert "and 4 more functions" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, code", [
    ([], 7), (["--invoke", "crash"], 134)])
def test_however_the_program_ends(asked, program, tmp_path, arguments, code):
    assert cli.main(["profile", "-o", "p.json", *arguments, program]) == code
    assert wasm.Profile.load(tmp_path / "p.json") == profile_samples.profile()


def test_text_goes_to_standard_error(asked, program, capsys):
    cli.main(["profile", "--format", "text", program])
    assert capsys.readouterr().err == profile_samples.profile().text()


@pytest.mark.parametrize("arguments, name, format", [
    (["--format", "svg"], "prog.svg", "svg"), (["--format", "firefox"], "prog.firefox.json", "firefox"),
    (["-o", "x.html"], "x.html", "html"), (["-o", "x.y", "--format", "table"], "x.y", "table"),
    (["-o", "a.speedscope.json"], "a.speedscope.json", "speedscope")])
def test_files(asked, program, tmp_path, capsys, arguments, name, format):
    assert cli.main(["profile", *arguments, program]) == 7
    assert (tmp_path / name).read_bytes() == profile_samples.profile().written(format)
    assert {path.name for path in tmp_path.iterdir()} == {"guest", name}
    assert capsys.readouterr().err == ("" if "-o" in arguments else f"pyjit-wasm: the profile is in {name}\n")


def test_standard_output(asked, program, capfdbinary):
    assert cli.main(["profile", "-o", "-", "--format", "collapsed", program]) == 7
    assert capfdbinary.readouterr().out == profile_samples.profile().written("collapsed")


@pytest.mark.parametrize("arguments, error", [
    (["-o", "p.png"], "pyjit-wasm: p.png: the suffix names no format of profiles; there are .table"),
    (["--format", "png"], "pyjit-wasm profile: Invalid value for '--format': 'png' is not one of 'table', 'text'"),
    (["--rate", "0"], "pyjit-wasm profile: Invalid value for '--rate': 0 is not in the range"),
    (["-o", "absent/p.svg"], "pyjit-wasm: absent/p.svg: the directory does not exist\n"),
    (["--top", "-1"], "pyjit-wasm profile: Invalid value for '--top'")])
def test_usage_errors_come_before_the_program_runs(asked, program, capsys, arguments, error):
    assert cli.main(["profile", *arguments, program]) == 2
    assert capsys.readouterr().err.startswith(error) and asked == []


def test_a_file_that_cannot_be_written(asked, program, capsys):
    assert cli.main(["profile", "-o", "guest", "--format", "svg", program]) == 2
    assert capsys.readouterr().err == "pyjit-wasm: guest: Is a directory\n"


BUSY = """(module $busy
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $spin (param $n i32) (local $x i64)
    (loop
      (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005)) (i64.const 1)))
      (i64.store (i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 49))) (local.get $x))
      (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "_start") (call $spin (i32.const 50000000)) (call $exit (i32.const 3))))"""


def test_the_profiler_itself(tmp_path, mode):
    """There is time in the one function that is busy, or in its caller where it is inlined."""
    (tmp_path / "busy.wat").write_text(BUSY)
    done = pyjit("profile", "--mode", mode, "-o", tmp_path / "p.json", tmp_path / "busy.wat")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    report = wasm.Profile.load(tmp_path / "p.json")
    busy = max((row for row in report.functions if row.place.kind == "wasm"), key=lambda row: row.self_ns)
    assert busy.place.module == "busy" and busy.place.name in ("spin", "_start") and busy.self_ns > 10_000_000
    assert set(busy.tiers) <= {"interp": {"interp"}, "jit": {"jit"}, "tiered": {"interp", "jit"}}[mode]


def test_time_limit(child, program, tmp_path):
    """The profile is there, even if writing it takes longer than what a program has to stop by itself."""
    done = child(f"""
        from pyjit_wasm import cli
        from pyjit_wasm.cli.deadline import GRACE
        write = wasm.Profile.written
        wasm.Profile.written = lambda self, format: time.sleep(GRACE + 0.3) or write(self, format)
        sys.exit(cli.main(["profile", "-o", "p.json", "--invoke", "forever", "--timeout", "2", {program!r}]))""")
    assert (done.returncode, done.stderr) == (124, f"pyjit-wasm: {program}: timed out after 2 s\n")
    assert wasm.Profile.load(tmp_path / "p.json").functions[0].place.funcidx == 4


def test_interrupt(program, tmp_path, mode):
    """The profile of what ran until Ctrl-C is there."""
    process = subprocess.Popen(command_line("profile", "--mode", mode, "-o", "p.json", "--invoke", "forever", program),
                               cwd=tmp_path, env=with_package(), stderr=subprocess.PIPE)
    try:
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        assert (process.wait(timeout=30), process.stderr.read()) == (130, b"")
    finally:
        process.kill()
        process.communicate()
    assert wasm.Profile.load(tmp_path / "p.json").functions[0].place.funcidx == 4
