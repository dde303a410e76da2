"""wasm.Linker: definitions by name, instances linked to them."""
from pathlib import Path

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.wasi import Wasi

HELLO = Path(__file__).parent.parent / "examples" / "hello.wasm"
USER = """(module (import "env" "twice" (func $twice (param i32) (result i32))) (import "env" "base" (global $base i32))
  (func (export "run") (param i32) (result i32) (i32.add (global.get $base) (call $twice (local.get 0)))))"""


@pytest.fixture
def linker(engine):
    return wasm.Linker(engine)


def test_definitions_by_name(linker):
    linker.define("env", "twice", lambda number: 2 * number)
    linker.define("env", "base", 100)
    assert linker.instantiate(USER).exports.run(4) == 108


def test_the_decorator_gives_the_function_back(linker):
    @linker.function("env")
    def twice(number):
        return 2 * number

    @linker.function("env", "odd name")
    def other():
        pass

    assert twice(3) == 6 and linker["env"]["twice"] is twice and linker["env"]["odd name"] is other


def test_whole_instances(linker):
    linker.define_instance("env", linker.instantiate("""(module (global (export "base") i32 (i32.const 7))
      (func (export "twice") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1))))"""))
    assert linker.instantiate(USER).exports.run(5) == 17


def test_modules_keep_their_engine_and_sources_get_the_linkers(linker, engine):
    module = wasm.Module("(module)")
    assert linker.instantiate(module).module is module
    assert linker.instantiate("(module)").module.engine is engine
    assert linker.instantiate("(module)", mode="interp").mode == "interp"


def test_a_name_is_defined_once(linker):
    linker.define("env", "f", abs)
    with pytest.raises(wasm.LinkError, match=r"env\.f is defined already"):
        linker.define("env", "f", abs)
    with pytest.raises(wasm.LinkError):
        linker.function("env", "f")(abs)


def test_shadowing(engine):
    linker = wasm.Linker(engine, allow_shadowing=True)
    linker.define("env", "base", 1)
    linker.define("env", "twice", lambda number: 2 * number)
    before = linker.instantiate(USER)
    linker.define("env", "twice", lambda number: 3 * number)
    assert (before.exports.run(1), linker.instantiate(USER).exports.run(1)) == (3, 4)


@pytest.mark.parametrize("names", [(1, "f"), ("env", None), (b"env", "f")])
def test_names_are_strings(linker, names):
    with pytest.raises(TypeError):
        linker.define(*names, abs)


def test_unknown_imports(linker):
    with pytest.raises(wasm.LinkError, match="unknown import"):
        linker.instantiate(USER)


def test_unknown_functions_that_trap_when_called(linker, engine):
    module = wasm.Module("""(module (import "env" "known" (func $known (result i32)))
      (import "env" "unknown" (func $unknown (param i64) (result f64 f64)))
      (func (export "good") (result i32) (call $known)) (func (export "bad") (call $unknown (i64.const 1)) drop drop))""",
                         engine=engine)
    linker.define("env", "known", lambda: 5)
    linker.define_traps(module)
    exports = linker.instantiate(module).exports
    assert exports.good() == 5
    with pytest.raises(wasm.Trap, match=r"unknown import env\.unknown was called"):
        exports.bad()
    assert exports.good() == 5


def test_only_functions_can_trap_when_called(linker):
    module = wasm.Module('(module (import "env" "m" (memory 1)))')
    linker.define_traps(module)
    with pytest.raises(wasm.LinkError, match=r"unknown import: env\.m"):
        linker.instantiate(module)


def test_wasi(linker, tmp_path):
    path = tmp_path / "out"
    with open(path, "wb") as out:
        wasi = Wasi(["hello", "one"], stdout=out)
        linker.define_wasi(wasi)
        assert linker.instantiate(HELLO).run() == 1
    assert path.read_text() == "Hello from WebAssembly!\nargument 1: one\n"


def test_it_is_a_mapping(linker):
    assert not linker and list(linker) == []
    linker.define("a", "f", abs)
    linker.define("a", "g", len)
    linker.define("b", "f", max)
    assert {module: dict(names) for module, names in linker.items()} == {"a": {"f": abs, "g": len}, "b": {"f": max}}
    with pytest.raises(KeyError):
        linker["c"]
    with pytest.raises(TypeError):
        linker["a"]["f"] = min
    assert repr(linker) == "<wasm linker: 3 names>"


def test_imports_of_an_instance(linker, engine):
    linker.define("env", "twice", lambda number: 2 * number)
    linker.define("env", "base", 0)
    assert wasm.Instance(wasm.Module(USER, engine=engine), linker).exports.run(2) == 4
    assert wasm.Instance(wasm.Module("(module)", engine=engine), wasm.Linker()).exports is not None
