"""What Python can ask a function: its signature, names and documentation."""
import functools
import inspect
import os
import pydoc
import subprocess
import sys

import pytest

import pyjit_wasm as wasm


def signature(load, types):
    return str(inspect.signature(load(f'(module (func (export "f") {types} unreachable))').exports.f))


@pytest.mark.parametrize("types, expected", [
    ("", "() -> None"),
    ("(param $a i32) (param $b i64) (result i32)", "(a: int, b: int, /) -> int"),
    ("(param f32 f64 v128) (result f64)", "(a0: float, a1: float, a2: bytes, /) -> float"),
    ("(param funcref) (param $x externref) (result externref)", "(a0: object, x: object, /) -> object"),
    ("(result i32 f32 v128)", "() -> tuple[int, float, bytes]"),
    ("(param $x i32) (local $y i32)", "(x: int, /) -> None"),
    # names that Python does not allow, and names that become the same
    ("(param $class i32) (param $a.b i32) (param $a-b i32) (param $0 i32)",
     "(class_: int, a_b: int, a_b_2: int, _0: int, /) -> None"),
    ("(param $a1 i32) (param i32)", "(a1: int, a1_1: int, /) -> None"),
    ('(param $"é x" i32)', "(é_x: int, /) -> None")])
def test_signatures(load, types, expected):
    assert signature(load, types) == expected


def test_host_functions(load):
    """Their type is the importer's."""
    def ask(question):
        """Asks."""

    inst = load('(module (import "m" "f" (func $f (param i64) (result i32))) (export "f" (func $f)))', {"m": {"f": ask}})
    function = inst.exports.f
    assert str(inspect.signature(function)) == "(a0: int, /) -> int"
    assert function.__doc__ == "ask(a0: int, /) -> int\n\nHost function [i64] -> [i32].\n\nAsks."


@pytest.fixture
def add(load):
    return load("""(module $sums (func $hidden) (func $add (export "add") (export "plus") (param $a i32) (param $b i32)
      (result i32) (i32.add (local.get 0) (local.get 1))))""").exports.add


def test_names(add):
    assert add.name == add.__name__ == add.__qualname__ == "add"
    assert (wasm.Function.__name__, wasm.Function.__qualname__) == ("Function", "Function")


def test_documentation(add):
    assert add.__doc__ == ("add(a: int, b: int, /) -> int\n\n"
                           "WebAssembly function [i32 i32] -> [i32], number 1 of the module 'sums', "
                           "exported as 'add' and 'plus'.")
    assert add.__doc__ in "\n".join(map(str.strip, pydoc.render_doc(add).splitlines()))


def test_the_class_has_its_own(add):
    assert wasm.Function.__doc__.startswith("A function instance")
    assert list(inspect.signature(wasm.Function).parameters) == ["target", "params", "results"]
    assert "A function instance" in pydoc.render_doc(wasm.Function)
    with pytest.raises(AttributeError):
        wasm.Function.__signature__


def test_wraps(add):
    @functools.wraps(add)
    def wrapper(*arguments):
        return add(*arguments)

    assert (wrapper.__name__, wrapper.__doc__, wrapper(1, 2)) == ("add", add.__doc__, 3)
    assert inspect.signature(wrapper) == inspect.signature(add)


def test_arguments_are_checked_as_by_python(add):
    bound = inspect.signature(add).bind(1, 2)
    assert add(*bound.args, **bound.kwargs) == 3
    with pytest.raises(TypeError):
        inspect.signature(add).bind(1, b=2)


def test_inspect_is_imported_when_it_is_used():
    code = """if True:
        import sys, pyjit_wasm as wasm
        add = wasm.load('(module (func (export "f") (param i32)))', mode="interp").exports.f
        add(1)
        print("inspect" in sys.modules, "typing" in sys.modules)"""
    command = [sys.executable, "-P", "-S", "-c", code]
    for _ in range(2):  # the first may have to compile
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
    assert done.stdout == "False False\n"
