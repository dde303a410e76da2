"""Compiling ahead of time: what a run in that mode needs is in the cache then, whatever is called first."""
import os

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import config, errors
from pyjit_wasm.codegen import cache, environment
from pyjit_wasm.precompilation import precompile
from pyjit_wasm.text import assemble


def large(functions):
    """A module in several units: `functions` of about 400 instructions, each of which calls the one before."""
    work = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.const 1)))" * 66
    bodies = "".join(
        f'(func $f{i} (export "f{i}") (param i32) (result i32) {work}'
        f'{f"(i32.add (call $f{i - 1} (local.get 0)) (i32.const {i}))" if i else "(local.get 0)"})'
        for i in range(functions))
    return f"(module {bodies})"


def expected(index, value):
    """What `f<index>` of `large` returns."""
    total = 0
    while True:
        for _ in range(66):
            value = (value * 3 + 1) % (1 << 32)
        if index == 0:
            break
        total, index = total + index, index - 1
    result = (value + total) % (1 << 32)
    return result - (1 << 32) if result >> 31 else result


SMALL = """(module (import "env" "log" (func $log (param f64))) (memory 1)
  (func $inner (param i32) (result i32) (i32.mul (local.get 0) (i32.load8_u (local.get 0))))
  (func (export "f") (param i32) (result i32) (call $log (f64.const 1.5)) (call $inner (local.get 0))))"""
THROWING = """(module (tag $t (param i32))
  (func $g (param i32) (throw $t (local.get 0)))
  (func (export "f") (param i32) (result i32)
    (block $caught (result i32) (try_table (catch $t $caught) (call $g (local.get 0))) (i32.const 0))))"""
VECTORS = """(module (func (export "f") (param i32) (result i32)
  (i32x4.extract_lane 3 (i32x4.add (i32x4.splat (local.get 0)) (i32x4.splat (local.get 0))))))"""
WASI = """(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "f") (param i32) (result i32) (call $random (i32.const 0) (local.get 0))))"""
MODULES = {"wasi": (WASI, 0), "small": (SMALL, 0), "exceptions": (THROWING, 7), "vectors": (VECTORS, 14), "several units": (
    large(50).replace('"f49"', '"f"'), expected(49, 7))}


@pytest.fixture
def place(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv(config.CACHE_VARIABLE, str(folder))
    monkeypatch.setattr(cache, "_trusted", {})
    monkeypatch.setattr(environment, "unchanged", lambda: True)     # whoever edits the package while tests run
    return folder


@pytest.mark.parametrize("name", MODULES)
def test_a_run_then_needs_no_llvm(place, tmp_path, child, mode, name):
    """A process of its own instantiates and calls without importing LLVM, and adds nothing to the cache."""
    source, result = MODULES[name]
    done = precompile(wasm.Module(source, engine=wasm.Engine(mode=mode)))
    assert done.compiled == done.objects == len([*place.glob("[!a]*")]) and done.bytes > 1000
    assert len([*place.glob("ahead-*")]) == (mode != "interp")
    before = sorted(os.listdir(place))
    path = tmp_path / "module.wat"
    path.write_text(source)
    run = child(f"""
        module = wasm.Module({str(path)!r}, engine=wasm.Engine(mode={mode!r}))
        inst = wasm.Instance(module, {{**wasm.Wasi(), "env": {{"log": lambda x: None}}}})
        print(inst.exports.f(7), "llvmlite" in sys.modules)""", PYJIT_WASM_CACHE=str(place))
    assert (run.stdout, run.stderr) == (f"{result} False\n", "")
    assert sorted(os.listdir(place)) == before


def test_units_do_not_depend_on_what_is_called_first(place):
    source = large(50)
    engine = wasm.Engine(mode="jit")
    precompile(wasm.Module(source, engine=engine))
    before = sorted(os.listdir(place))
    for order in ((0, 49, 25), (49, 3), (17, 16, 18, 0)):
        instance = wasm.Instance(wasm.Module(source, engine=engine))
        for index in order:
            assert instance.exports[f"f{index}"](7) == expected(index, 7)
    assert sorted(os.listdir(place)) == before


def test_threaded_code_of_large_modules(place, tmp_path, child):
    """It is all there: a run translates nothing."""
    path = tmp_path / "large.wasm"
    path.write_bytes(assemble(large(600)))
    assert path.stat().st_size > config.KEPT_CODE
    code = f"""
        from pyjit_wasm.interp import threaded
        module = wasm.Module({str(path)!r}, engine=wasm.Engine(mode="interp"))
        WHAT
        """
    done = child(code.replace("WHAT", "from pyjit_wasm.precompilation import precompile; precompile(module)"))
    assert (done.returncode, done.stderr) == (0, "")
    before = sorted(os.listdir(place))
    assert any(name.startswith("threaded-") for name in before)
    done = child(code.replace("WHAT", "del threaded.translate; print(wasm.Instance(module).exports.f599(7))"))
    assert (done.stdout, done.stderr) == (f"{expected(599, 7)}\n", "")
    assert sorted(os.listdir(place)) == before


def test_tiered_code_is_native_when_it_is_called(place):
    """As long as it is in the cache."""
    source, engine = large(50), wasm.Engine(mode="tiered")
    assert precompile(wasm.Module(source, engine=engine)).functions == 50
    first = wasm.Instance(wasm.Module(source, engine=engine))
    assert first.exports.f49.tier == "interp" and first.exports.f49(7) == expected(49, 7)
    assert first.exports.f49.tier == "native" and first.exports.f49.tier.why == "compiled ahead of time"
    for entry in place.glob("unit-*"):
        entry.unlink()
    second = wasm.Instance(wasm.Module(source, engine=engine))
    assert second.exports.f49(7) == expected(49, 7) and second.exports.f49.tier == "interp"
    assert not list(place.glob("unit-*"))


def test_every_function_is_in_one_unit():
    module = wasm.Module(large(50), engine=wasm.Engine(mode="jit"))
    units = {id(unit): unit for unit in module.code.partition.values()}.values()
    assert sorted(f for members, _ in units for f in members) == list(range(50))
    assert 5 < len(units) < 20
    assert all(sum(module.code.facts[f].instructions for f in members) <= config.JIT_UNIT_INSTRUCTIONS
               for members, _ in units)


def test_progress_and_a_second_time(place):
    calls = []
    module = wasm.Module(SMALL, engine=wasm.Engine(mode="jit"))
    first = precompile(module, 1, lambda *counts: calls.append(counts))
    assert calls == [(done, first.objects) for done in range(first.objects + 1)] and first.functions == 2
    calls.clear()
    second = precompile(module, 3, lambda *counts: calls.append(counts))
    assert calls == [(first.objects, first.objects)]
    assert (second.objects, second.compiled, second.bytes) == (first.objects, 0, 0)


def test_refusals(place, monkeypatch):
    with pytest.raises(errors.UnsupportedError, match="struct"):
        precompile(wasm.Module("(module (type $s (struct)) (func (drop (struct.new $s))))"))
    with pytest.raises(ValueError, match="off"):
        precompile(wasm.Module("(module)", engine=wasm.Engine(cache=False)))
    module = wasm.Module("(module)")
    place.mkdir(exist_ok=True)
    place.chmod(0o777)
    monkeypatch.setattr(cache, "_trusted", {})
    with pytest.raises(RuntimeError, match="only this user can write"):
        precompile(module)
    monkeypatch.setenv(config.CACHE_VARIABLE, "off")
    with pytest.raises(ValueError, match="off"):
        precompile(module)
