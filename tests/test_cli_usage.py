"""The command line itself: help, errors of usage, completion, documentation, and what is imported."""
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pyjit_wasm.cli.commands import program
from test_cli import ARITHMETIC, command_line, error_of, pyjit, with_package


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("usage")
    (folder / "arithmetic.wat").write_text(ARITHMETIC)
    return folder


COMMANDS = ("run", "profile", "trace", "compile", "inspect", "disas", "validate", "wat", "wasm", "wast", "cache", "completion",
            "help")


def test_version():
    versions = r"pyjit-wasm \d+\.\d+\.\d+, CPython 3\.\S+, llvmlite \S+, LLVM \d+\.\S+\n"
    assert re.fullmatch(versions, pyjit("--version").stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command):
    assert f"\n  {command} " in pyjit("--help").stdout
    process = pyjit(command, "--help")
    assert process.returncode == 0 and process.stdout.startswith(f"Usage: pyjit-wasm {command} [OPTIONS]")
    assert max(map(len, process.stdout.splitlines())) <= 110
    assert pyjit(command, "-h").stdout == pyjit("help", command).stdout == process.stdout
    assert command == "cache" or "Exit codes:\n  0 " in process.stdout


def test_no_command():
    process = pyjit()
    assert process.returncode == 2 and process.stdout == pyjit("--help").stdout == pyjit("help").stdout


@pytest.mark.parametrize("arguments, error", [
    ("frob", "pyjit-wasm: No such command 'frob'"), ("--frob", "pyjit-wasm: No such option"),
    ("run --frob x", "pyjit-wasm run: No such option"), ("run", "pyjit-wasm run: Missing argument 'FILE'"),
    ("run --mode fast x", "pyjit-wasm run: Invalid value for '--mode': 'fast' is not one of 'interp', 'jit', 'tiered'"),
    ("run --env", "Option '--env' requires an argument"),
    ("run --dir ::/ x", "pyjit-wasm run: Invalid value for '--dir': '::/' names no directory"),
    ("run --env =A x", "pyjit-wasm run: Invalid value for '--env': '=A' has no name"),
    ("run --env NOT_SET_HERE x", "pyjit-wasm run: Invalid value for '--env': 'NOT_SET_HERE' has no value here"),
    ("run --no-cache=1 x", "Option '--no-cache' does not take a value"),
    ("run --stack-size -1 x", "pyjit-wasm run: Invalid value for '--stack-size': '-1' is not a positive number of bytes"),
    ("run --timeout 0 x", "pyjit-wasm run: Invalid value for '--timeout': 0.0 is not in the range x>0"),
    ("wasm a b", "pyjit-wasm wasm: Got unexpected extra argument (b)"),
    ("validate", "pyjit-wasm validate: Missing argument 'FILE...'"),
    ("run -- -h", "-h: No such file or directory"), ("compile absent.wasm", "absent.wasm: No such file or directory")])
def test_usage_errors(arguments, error):
    assert error_of(pyjit(*arguments.split())).startswith(error.removeprefix("pyjit-wasm: "))


def test_nothing_that_run_does_not_need_is_imported(folder):
    """What takes long to import, when code is in the cache."""
    run = command_line("run", "--mode", "jit", "--invoke", "add", folder / "arithmetic.wat", 1, 2)
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "3\n"
    loaded = subprocess.run([run[0], "-X", "importtime", *run[1:]], capture_output=True, text=True, check=True).stderr
    names = {line.rpartition("|")[2].strip() for line in loaded.splitlines()}
    assert "click" in names and "pyjit_wasm.runtime.instance" in names
    assert names.isdisjoint({"rich.console", "llvmlite", "elftools", "argparse", "asyncio", "difflib", "json", "subprocess",
                             "numpy", "pyjit_wasm.wasi", "pyjit_wasm.text.print_module", "pyjit_wasm.features"})


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    process = pyjit("completion", shell)
    assert process.returncode == 0 and "_PYJIT_WASM_COMPLETE" in process.stdout and "pyjit-wasm" in process.stdout


@pytest.mark.parametrize("words, completions", [
    ("pyjit-wasm ", set(COMMANDS)), ("pyjit-wasm wa", {"wat", "wasm", "wast"}), ("pyjit-wasm cache ", {"show", "clear"}),
    ("pyjit-wasm run --mode ", {"interp", "jit", "tiered"}), ("pyjit-wasm run --no-", {"--no-cache"}),
    ("pyjit-wasm disas arithmetic.wat a", {"add", "add64"}), ("pyjit-wasm disas absent.wat a", set())])
def test_completions(folder, words, completions):
    """As bash asks for them."""
    *before, last = words.split(" ")
    environment = {**with_package(), "_PYJIT_WASM_COMPLETE": "bash_complete", "COMP_WORDS": " ".join([*before, last]),
                   "COMP_CWORD": str(len(before))}
    process = subprocess.run(command_line(), capture_output=True, text=True, env=environment, cwd=folder, timeout=60)
    assert {line.partition(",")[2] for line in process.stdout.split()} == completions


def test_bash_completes(folder):
    """The script, in bash itself."""
    (folder / "pyjit-wasm").write_text(f"#!/bin/sh\nexec {sys.executable} -m pyjit_wasm \"$@\"\n")
    (folder / "pyjit-wasm").chmod(0o755)
    script = 'eval "$(pyjit-wasm completion bash)"; COMP_WORDS=(pyjit-wasm ins) COMP_CWORD=1; ' \
             '_pyjit_wasm_completion pyjit-wasm; echo "${COMPREPLY[@]}"'
    environment = {**with_package(), "PATH": f"{folder}:{os.environ['PATH']}"}
    process = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert process.stdout == "inspect\n", process.stderr


# --- documentation

def test_every_command_and_option_is_documented():
    """docs/command-line.md has a heading for each command, and below it each of its options with its default, and no
    others."""
    text = (Path(__file__).parents[1] / "docs" / "command-line.md").read_text()
    sections = dict(re.findall(r"^## `pyjit-wasm (\w+)`\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert list(sections) == list(COMMANDS) == program.list_commands(None)
    for name, section in sections.items():
        command = program.get_command(None, name)
        options = {flag for parameter in command.params if isinstance(parameter, click.Option) for flag in parameter.opts}
        assert set(re.findall(r"^\| `(?:-\w`, `)?(--[\w-]+)", section, re.M)) == {
            flag for flag in options if flag.startswith("--")}, name
        for parameter in command.params:
            if isinstance(parameter, click.Option) and isinstance(parameter.default, (str, int)) and not parameter.is_flag:
                assert str(parameter.default) in section, parameter.name
