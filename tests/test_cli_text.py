"""The commands `wat` and `wasm`: between text and binary, and what they write where."""
import os
import pty
import stat
import subprocess

import pytest

from pyjit_wasm.text import assemble
from test_cli import command_line, error_of, pyjit, with_package

SOURCE = '(module $m (func $twice (export "twice") (param $n i32) (result i32) local.get $n i32.const 1 i32.shl))'
TEXT = """(module $m
  (type (;0;) (func (param i32) (result i32)))
  (export "twice" (func $twice))
  (func $twice (;0;) (type 0) (param $n i32) (result i32)
    local.get $n
    i32.const 1
    i32.shl
  )
)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m.wat").write_text(SOURCE)
    (tmp_path / "m.wasm").write_bytes(assemble(SOURCE))
    (tmp_path / "bad.wasm").write_bytes(b"\0asm\1\0\0")
    (tmp_path / "bad.wat").write_text("(module (funk))")
    return tmp_path


@pytest.mark.parametrize("path", ["m.wasm", "m.wat"])
def test_text_to_stdout(folder, path):
    process = pyjit("wat", folder / path)
    assert (process.returncode, process.stdout, process.stderr) == (0, TEXT, "")


def test_there_and_back(folder):
    assert pyjit("wat", "m.wasm", "-o", "again.wat", cwd=folder, env=with_package()).returncode == 0
    assert (folder / "again.wat").read_text() == TEXT
    assert pyjit("wasm", "again.wat", cwd=folder, env=with_package()).returncode == 0
    assert (folder / "again.wasm").read_bytes() == (folder / "m.wasm").read_bytes()


def test_text_is_utf8(folder):
    (folder / "m.wat").write_text('(module (func (export "λ")))')
    environment = {**with_package(), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    assert '(export "λ"' in pyjit("wat", folder / "m.wat", env=environment, encoding="utf-8").stdout


@pytest.mark.parametrize("command, path", [("wat", "bad.wasm"), ("wasm", "bad.wat"), ("wat", "missing.wasm")])
def test_errors_leave_no_output(folder, command, path):
    (folder / "out").write_text("before")
    error = error_of(pyjit(command, path, "-o", "out", cwd=folder, env=with_package()))
    assert error.startswith(f"{path}: ")
    assert (folder / "out").read_text() == "before"


def test_unwritable_output(folder):
    output = folder / "absent" / "out.wasm"
    assert error_of(pyjit("wasm", folder / "m.wat", "-o", output)) == f"{output}: No such file or directory"
    assert error_of(pyjit("wasm", folder / "m.wat", "-o", folder)) == f"{folder}: Is a directory"


def test_output_replaces_a_file(folder):
    """The new file has the permissions of the old one, a link stays a link, and nothing else is left behind."""
    target = folder / "target.wasm"
    target.write_bytes(b"before")
    target.chmod(0o640)
    (folder / "link.wasm").symlink_to(target)
    names = sorted(os.listdir(folder))
    assert pyjit("wasm", folder / "m.wat", "-o", folder / "link.wasm").returncode == 0
    assert target.read_bytes() == (folder / "m.wasm").read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(os.listdir(folder)) == names and (folder / "link.wasm").is_symlink()


def test_output_to_a_pipe(folder):
    for output in ("-", "/dev/stdout"):
        process = pyjit("wasm", folder / "m.wat", "-o", output, encoding="latin-1")
        assert process.stdout.encode("latin-1") == (folder / "m.wasm").read_bytes()


@pytest.mark.parametrize("output", ["-", "tty"])
def test_no_binary_to_a_terminal(folder, output):
    controller, terminal = pty.openpty()
    try:
        path = os.ttyname(terminal) if output == "tty" else output
        process = pyjit_on(terminal, "wasm", folder / "m.wat", "-o", path)
        assert (process.returncode, process.stderr) == (
            2, "pyjit-wasm: a binary is not written to a terminal; -o FILE names a file\n")
        assert pyjit_on(terminal, "wat", folder / "m.wasm", "-o", path).returncode == 0
        assert os.read(controller, 10000).decode().replace("\r", "") == TEXT
    finally:
        os.close(controller)
        os.close(terminal)


def pyjit_on(terminal, *arguments):
    """Run the command with a terminal as its standard output."""
    return subprocess.run(command_line(*arguments), stdout=terminal, stderr=subprocess.PIPE, text=True, timeout=120)
