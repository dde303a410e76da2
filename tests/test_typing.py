"""The types of the API, as mypy sees them: `examples/typed.py` passes, wrong uses do not."""
import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import pyjit_wasm as wasm

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "typed.py"
PACKAGE = Path(wasm.__file__).parent


def mypy(tmp_path, *arguments):
    # errors in the package itself are not what is asked for; an installed one is found, others are where mypy starts
    place = tmp_path if PACKAGE.parent.name == "site-packages" else PACKAGE.parent
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", tmp_path / "cache",
         "--no-error-summary", *arguments], capture_output=True, text=True, timeout=300, check=False, cwd=place)


def test_the_example_passes(tmp_path):
    done = mypy(tmp_path, EXAMPLE)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


WRONG = """import pyjit_wasm as wasm
wasm.Engine("fast")
wasm.Engine(cash=True)
wasm.Module(3)
wasm.Module(b"").imports[0].nmae
name: int = wasm.Module(b"").exports[0].name
wasm.Instance(wasm.Module(b""), imports=3)
wasm.Instance(wasm.Module(b"")).mode = "fast"
wasm.load("x.wasm").function(2.5)
wasm.Table("1")
wasm.Table(1, elem="i32")
wasm.Global("i16")
wasm.Function(abs, ["i16"])
wasm.Tag(3)
wasm.host_function(3)
wasm.Linker().define(1, "f", abs)
wasm.Wasi(args=3)
wasm.run("x.wasm", mode="fast")
wasm.MemoryTree(3)
wasm.nothing
"""


def test_wrong_uses_do_not_pass(tmp_path):
    """One error for each line: the types are there, not just Any."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    errors = mypy(tmp_path, wrong).stdout.splitlines()
    lines = {int(error.split(":")[1]) for error in errors if ": error: " in error}
    assert lines == set(range(2, len(WRONG.splitlines()) + 1)), "\n".join(errors)


def test_the_example_runs(capsys):
    spec = importlib.util.spec_from_file_location("typed", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = module.main()
    assert lines[:7] == ["env.log: [i32 i32] -> []", "env.limit: GlobalType('i32', False)",
                         "memory has at least 1 memory units", "table has at least 2 table units", "add takes 2 parameters",
                         "3", lines[6]]
    assert lines[6].endswith("(99,)") and lines[-5:-3] == ["typed", "typed"]


def test_the_stub_names_what_the_package_does():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    lists = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    imported = {alias.asname: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted(lists[0]) == wasm.__all__ == sorted(imported)
    assert imported == {name: f"pyjit_wasm.{home}" for name, home in wasm._HOME.items()}


@pytest.mark.parametrize("name", ["py.typed", "__init__.pyi"])
def test_files_for_type_checkers_are_installed(name):
    assert (PACKAGE / name).exists()
