"""What LLVM cannot compile in its budget stays interpreted, in every mode, and says so; compiling can be interrupted."""
import pytest

import pyjit_wasm as wasm
from conftest import EAGER
from pyjit_wasm import config

# LLVM takes time that grows with the square of the number
IFS = "".join(f"(if (i32.eq (local.get 0) (i32.const {i})) (then (local.set 1 (i32.add (local.get 1) (i32.const {i})))))"
              for i in range(8000))
SOURCE = f"""(module
  (func $slow (export "slow") (param i32) (result i32) (local i32) {IFS} (local.get 1))
  (func $quick (export "quick") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "both") (param i32) (result i32) (i32.add (call $slow (local.get 0)) (call $quick (local.get 0)))))"""


@pytest.fixture(scope="module")
def binary():
    return wasm.Module(SOURCE).binary


def instance(binary, mode, **settings):
    return wasm.Instance(wasm.Module(binary, engine=wasm.Engine(mode, cache=False, **{**EAGER, **settings})))


def test_little_time(binary, mode):
    inst = instance(binary, mode, compile_seconds=0.2)
    assert [inst.exports.both(7), inst.exports.both(9000), inst.exports.slow(5)] == [15, 9001, 5]
    tier = inst.function("slow").tier
    assert tier == "interp" and (mode == "interp" or "compile_seconds" in tier.why)


def test_little_memory(binary, mode):
    inst = instance(binary, mode, compile_memory=1 << 20)
    assert [inst.exports.both(7), inst.exports.both(9000)] == [15, 9001]
    assert inst.function("slow").tier == "interp"
    assert mode == "interp" or "memory" in inst.function("slow").tier.why.lower()


def test_what_fits_is_compiled_all_the_same(binary):
    """Functions that were to be compiled together with one that is too much."""
    inst = instance(binary, "jit", compile_seconds=0.2)
    assert inst.exports.both(7) == 15 and inst.exports.quick(1) == 2
    assert [inst.function(name).tier for name in ("slow", "quick", "both")] == ["interp", "native", "native"]


def test_in_the_background(binary):
    from pyjit_wasm.tiering.queue import queue
    inst = instance(binary, "tiered", compile_seconds=0.2, background=True, tier_up_threshold=1)
    for _ in range(3):
        assert inst.exports.slow(3) == 3 and inst.exports.quick(3) == 4
    queue.drain()
    assert "compile_seconds" in inst.function("slow").tier.why
    assert inst.exports.quick(3) == 4 and inst.function("quick").tier == "native"


def test_a_function_that_nobody_tries(mode, monkeypatch):
    monkeypatch.setattr(config, "COMPILED_INSTRUCTIONS", 20)
    body = "(local.set 0 (i32.add (local.get 0) (i32.const 1)))" * 10
    inst = wasm.Instance(wasm.Module(f'(module (func (export "f") (param i32) (result i32) {body} (local.get 0)))',
                                     engine=wasm.Engine(mode, cache=False, **EAGER)))
    assert inst.exports.f(1) == 11 and inst.exports.f(2) == 12
    assert mode == "interp" or "instructions" in inst.function("f").tier.why


def test_neither_interpreted_nor_compiled(mode, monkeypatch):
    monkeypatch.setattr(config, "COMPILED_INSTRUCTIONS", 1)
    inst = wasm.Instance(wasm.Module(f'(module (func (export "f") (local {"i32 " * 40_000}) (local.set 7 (i32.const 1))))',
                                     engine=wasm.Engine(mode, cache=False, **EAGER)))
    for _ in range(2):
        with pytest.raises(wasm.UnsupportedError, match="neither interpreted nor compiled"):
            inst.exports.f()


def test_compiling_is_interrupted(child):
    """By an exception of a signal handler; the next call compiles again."""
    done = child(f"""
        class Enough(Exception):
            pass
        def stop(*_):
            raise Enough
        body = "".join(f"(if (i32.eq (local.get 0) (i32.const {{i}})) (then (local.set 1 (i32.add (local.get 1) (i32.const {{i}})))))"
                       for i in range(8000))
        inst = load('(module (func (export "f") (param i32) (result i32) (local i32) ' + body + '(local.get 1)))', mode="jit",
                    cache=False, compile_seconds=1000)
        signal.signal(signal.SIGUSR1, stop)
        from pyjit_wasm.codegen.worker import Worker
        ask = Worker._ask
        def asked(self, *arguments):    # it compiles for many seconds from here on
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            return ask(self, *arguments)
        Worker._ask = asked
        try:
            inst.exports.f(1)
        except Enough:
            print("stopped")
        Worker._ask = ask
        inst.mode = "interp"
        print(inst.exports.f(5))
        """, timeout=300)
    assert done.stdout.split() == ["stopped", "5"], done.stderr


@pytest.mark.parametrize("setting", ({"compile_seconds": 0}, {"compile_seconds": -1.0}, {"compile_seconds": float("nan")},
                                     {"compile_memory": 0}))
def test_settings(setting):
    with pytest.raises(ValueError):
        wasm.Engine(**setting)
