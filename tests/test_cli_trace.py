"""`pyjit-wasm trace`: states in pipes and on terminals, filters, the prompt."""
import os
import pty
import re
import signal
import subprocess
import time

import pytest

from test_cli import ARITHMETIC, ECHO, command_line, error_of, pyjit, with_package

FACTORIAL = """(module (memory (export "memory") 1)
  (func $fac (export "fac") (param $n i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n)) (then (i32.const 1))
      (else (i32.mul (local.get $n) (call $fac (i32.sub (local.get $n) (i32.const 1)))))))
  (func $twice (export "twice") (param i32) (result i32) (i32.add (call $fac (local.get 0)) (call $fac (local.get 0)))))"""

HEAD = "pc        instruction                   operand stack               locals                              labels"
ADD = f"""\
{HEAD}
f0, frame 1
0x{{:04x}}    local.get 0                                               $0=8:i32 $1=2:i32                   function/1
0x{{:04x}}    local.get 1                   8:i32                       $0=8:i32 $1=2:i32                   function/1
0x{{:04x}}    i32.add                       8:i32 2:i32                 $0=8:i32 $1=2:i32                   function/1
0x{{:04x}}    end                           10:i32                      $0=8:i32 $1=2:i32                   function/1
10
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trace")
    for name, text in (("arithmetic", ARITHMETIC), ("echo", ECHO), ("fac", FACTORIAL)):
        (folder / f"{name}.wat").write_text(text)
    return folder


def traced(folder, *arguments, **options):
    """The lines of a trace in which all went well."""
    process = pyjit("trace", *arguments, cwd=folder, env=with_package(), **options)
    assert (process.returncode, process.stderr) == (0, ""), process.stderr
    return process.stdout.splitlines()


def instructions(lines):
    """The mnemonics of a trace's lines."""
    return [line[10:38].split()[0] for line in lines if line.startswith("0x")]


def test_every_instruction(folder):
    from pyjit_wasm import Debugger, load
    name = "add"
    lines = traced(folder, "--invoke", name, "arithmetic.wat", 8, 2)
    inst = load(folder / "arithmetic.wat")
    function, = {line for line in lines if line.endswith("frame 1")}
    expected = ADD.format(*Debugger(inst).instructions(name)).replace("f0, frame 1", function)
    assert lines == expected.splitlines() and function == f"{inst.function(name).name}, frame 1"


def test_calls_and_labels(folder):
    lines = traced(folder, "--invoke", "fac", "fac.wat", 1)
    assert [line for line in lines if "frame" in line] == ["fac, frame 1", "fac, frame 2", "fac, frame 1"]
    assert instructions(lines) == """local.get i32.eqz if local.get local.get i32.const i32.sub call local.get i32.eqz if
        i32.const else end i32.mul end end""".split()
    opened, = {line.split()[0] for line in lines if " if (;@1;)" in line}
    assert lines[-4].split()[3:] == ["1:i32", "$n=1:i32", "function/1", f"if@{int(opened, 16):#x}/1^0"] and lines[-1] == "1"


def test_filters(folder):
    whole = traced(folder, "--invoke", "twice", "fac.wat", 1)
    assert traced(folder, "--invoke", "twice", "--function", "twice", "fac.wat", 1) == [
        HEAD, "twice, frame 1", *[line for line in whole if " $0=1:i32 " in line], "2"]
    assert len(traced(folder, "--invoke", "fac", "--max", 3, "fac.wat", 5)) == 2 + 3
    first = next(line.split()[0] for line in whole if "i32.mul" in line)
    assert instructions(traced(folder, "--invoke", "fac", "--break", first, "fac.wat", 3)) == ["i32.mul"] * 3
    assert instructions(traced(folder, "--invoke", "fac", "--from", first, "fac.wat", 1)) == ["i32.mul", "end", "end"]
    assert instructions(traced(folder, "--invoke", "fac", "--from", first, "--function", "fac", "--max", 2, "fac.wat", 1)) == [
        "i32.mul", "end"]
    assert traced(folder, "--invoke", "twice", "--break", "twice", "--max", 1, "fac.wat", 3) == [
        HEAD, "twice, frame 1", whole[2].replace("$0=1", "$0=3")]


def test_programs(folder):
    """With arguments, environment, input and an exit code; what they write comes where it belongs."""
    process = pyjit("trace", "--env", "A=1", "--function", "write", "echo.wat", "one", cwd=folder, env=with_package(),
                    input="typed")
    assert process.returncode == len("echo.wat\0one\0") and process.stderr == "typed"
    before, written, after = process.stdout.partition("echo.wat\0one\0")
    assert written and " call " in before.splitlines()[-1] and " drop " in after.splitlines()[0]


def test_traps(folder):
    process = pyjit("trace", "--invoke", "crash", folder / "arithmetic.wat")
    assert process.returncode == 134 and process.stderr.startswith("pyjit-wasm: trap: unreachable\n")
    assert instructions(process.stdout.splitlines()) == ["call", "unreachable"]
    process = pyjit("trace", "--max", 3, "--invoke", "forever", folder / "arithmetic.wat")
    assert process.returncode == 0 and instructions(process.stdout.splitlines()) == ["loop", "br", "br"]


@pytest.mark.parametrize("arguments, error", [
    ("--invoke fac --break nothing fac.wat 1", "no function is called 'nothing'"),
    ("--invoke fac --break 0x1 fac.wat 1", "0x1: byte 0x1 is in no function"),
    ("--invoke fac --break 0xz fac.wat 1", "0xz: not a number"),
    ("--invoke fac --function fax fac.wat 1", "no function is called 'fax'; did you mean 'fac'?"),
    ("--invoke fax fac.wat 1", "no function is exported as 'fax'; did you mean 'fac'?"),
    ("--invoke fac fac.wat", "the function takes 1 arguments, not 0"),
    ("absent.wat", "absent.wat: No such file or directory")])
def test_errors(folder, arguments, error):
    assert error in error_of(pyjit("trace", *arguments.split(), cwd=folder, env=with_package()))


def test_filters_are_not_for_the_prompt(folder):
    assert "not for --interactive" in error_of(pyjit("trace", "-i", "--max", 3, folder / "fac.wat"))


def test_the_reader_of_a_pipe_is_gone(folder):
    process = subprocess.Popen(command_line("trace", "--invoke", "forever", folder / "arithmetic.wat"), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 141 and process.stderr.read() == b""


def test_ctrl_c(folder):
    process = subprocess.Popen(command_line("trace", "--break", "add", "--invoke", "forever", folder / "arithmetic.wat"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == (b"", b"") and process.returncode == 130


# --- the prompt

def answered(folder, commands, *arguments):
    """What the prompt prints, from a pipe."""
    return traced(folder, "--interactive", *arguments, input="\n".join(commands) + "\n")


def test_steps(folder):
    lines = answered(folder, ["step", "", "next", "n 5", "finish"], "--invoke", "fac", "fac.wat", 2)
    assert instructions(lines) == ["local.get", "i32.eqz", "if", "local.get", "i32.mul"] and lines[-1] == "2"
    lines = answered(folder, ["b fac", "step 1000", "d", "step 1000"], "--invoke", "fac", "fac.wat", 2)
    assert instructions(lines) == ["local.get"] * 2 and lines[-1] == "2"


def test_stacks(folder):
    lines = answered(folder, ["break fac", "c", "c", "frames", "locals", "s", "stack", "labels", "b", "delete", "b", "c"],
                     "--invoke", "fac", "fac.wat", 2)
    place, call = lines[2].split()[0], lines[9].split()[3]
    assert lines[3] == f"breakpoint at {place}" and lines[4] == "fac, frame 2" and lines[6] == "fac, frame 3"
    assert [" ".join(line.split()) for line in (lines[5], lines[7])] == [
        f"{place} local.get $n $n={n}:i32 function/1" for n in (1, 0)]
    assert lines[8:11] == [f"fac, frame 3: {place} local.get $n", *[f"fac, frame {n}: {call} call $fac" for n in (2, 1)]]
    assert lines[11] == "$n=0:i32" and "i32.eqz" in lines[12] and lines[13:] == ["0:i32", "function/1", place, "2"]


def test_list(folder):
    lines = answered(folder, ["b 0", "step", "list", "list all", "quit"], "--invoke", "fac", "fac.wat", 2)
    shown = [line for line in lines if line.startswith(("->", " *", "  "))]
    assert shown[0].strip().startswith("(func $fac") and shown[1].startswith(" * 0x") and shown[2].startswith("-> 0x")
    assert "i32.eqz" in shown[2] and shown[-1].endswith(")") and len(shown) > 16


def test_answers_to_what_is_not_understood(folder):
    lines = answered(folder, ["bogus", "st", "break nothing", "break 0x3", "delete 5", "delete x", "step x", "help", "help s"],
                     "--invoke", "fac", "fac.wat", 2)
    for text in ("bogus: no such command", "st: stack or step", "no function is called 'nothing'",
                 "0x3: byte 0x3 is in no function", "no breakpoint at byte 0x5", "not a number",
                 "step [N]: execute an instruction, or N of them, into functions that are called."):
        assert text in lines
    assert lines.count("not a number") == 2 and any("finish  " in line for line in lines)


def test_the_end(folder):
    assert answered(folder, ["c"], "--invoke", "add", "arithmetic.wat", 1, 2)[-1] == "3"
    assert "10:i32" not in answered(folder, ["quit"], "--invoke", "add", "arithmetic.wat", 8, 2)
    process = pyjit("trace", "-i", "--invoke", "crash", folder / "arithmetic.wat", input="c\n")
    assert process.returncode == 134 and "trap: unreachable" in process.stderr


# --- terminals

def on_terminal(folder, columns, *arguments, keys=()):
    """What a terminal of that width shows; `keys`: (seconds, bytes typed)."""
    controller, terminal = pty.openpty()
    environment = {**with_package(), "COLUMNS": str(columns), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(command_line("trace", *arguments), stdin=terminal, stdout=terminal, stderr=terminal, cwd=folder,
                               env=environment, start_new_session=True)
    os.close(terminal)
    for seconds, typed in keys:
        time.sleep(seconds)
        os.write(controller, typed) if isinstance(typed, bytes) else process.send_signal(typed)
    found = b""
    try:
        while part := os.read(controller, 65536):
            found += part
    except OSError:     # the end of a pseudo-terminal
        pass
    os.close(controller)
    assert process.wait(timeout=60) == 0, found.decode()
    return found.decode().replace("\r\n", "\n")


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


@pytest.mark.parametrize("columns", [40, 80, 110, 120, 200])
def test_terminals(folder, columns):
    shown = on_terminal(folder, columns, "--invoke", "fac", "fac.wat", 1)
    assert "\x1b[" in shown and max(map(len, plain(shown).splitlines())) <= columns
    lines = plain(shown).splitlines()
    if columns < 110:
        place = lines[1].split()[0]
        assert lines[:4] == ["fac, frame 1", f"{place}    local.get $n", "          locals  $n=1:i32",
                             "          labels  function/1"]
    else:
        assert lines[0].split() == HEAD.split() and instructions(lines)[:3] == ["local.get", "i32.eqz", "if"]
    assert lines[-1] == "1"


def test_ctrl_c_at_the_prompt_and_while_running(folder):
    shown = plain(on_terminal(folder, 120, "-i", "--invoke", "forever", "arithmetic.wat", keys=[
        (3, b"continue\n"), (1.5, signal.SIGINT), (1, signal.SIGINT), (0.5, b"bt\n"), (0.5, b"quit\n")]))
    assert shown.count("interrupted") == 2 and "forever, frame 1: 0x" in shown and "(trace) " in shown
