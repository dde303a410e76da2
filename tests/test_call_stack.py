"""Call stacks from inside host functions and from other threads, across all tiers and calls between Python and wasm."""
import ctypes
import threading
import time

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import exec_env

NESTED = """(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (table 2 funcref) (elem (i32.const 0) $host $inner)
  (type $t (func (param i32) (result i32)))
  (func $inner (export "inner") (param i32) (result i32) (call $host (local.get 0)))
  (func $outer (export "outer") (param i32) (result i32) (i32.add (call $inner (local.get 0)) (i32.const 1)))
  (func $table (export "table") (param i32) (result i32)
    (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1))))"""


def offset_of(module, name, opcode):
    """The byte offset of the first instruction with that opcode in a function."""
    syntax = wasm.Module(module).syntax
    from pyjit_wasm.binary.body import instructions

    funcidx = next(f for f in range(len(syntax.funcs)) if syntax.function_name(f) == name)
    code = syntax.codes[funcidx - syntax.imported_funcs]
    return next(offset for op, _, offset in instructions(syntax, code.start, code.end) if op.mnemonic == opcode)


def names(frames):
    return [("host " if isinstance(f, wasm.HostFrame) else "") + f.name for f in frames]


def test_outside_of_wasm_there_is_none():
    assert wasm.call_stack() == ()


def test_from_inside_a_host_function(load):
    seen = []
    instance = load(NESTED, {"env": {"host": lambda n: seen.append(wasm.call_stack()) or n}})
    for _ in range(3):
        assert instance.exports.outer(5) == 6
    for frames in seen:
        assert names(frames) == ["host host", "inner", "outer"]
        assert frames[0] == wasm.HostFrame("host")
        assert [f.offset for f in frames[1:]] == [offset_of(NESTED, "inner", "call"), offset_of(NESTED, "outer", "call")]
    assert wasm.call_stack() == ()


def test_across_round_trips(load):
    """wasm, host, wasm, host: the innermost first."""
    seen = []

    def host(n):
        if n:
            return instance.exports.inner(n - 1)
        seen.append(wasm.call_stack())
        return 0

    instance = load(NESTED, {"env": {"host": host}})
    instance.exports.outer(2)
    assert names(seen[0]) == ["host host", "inner", "host host", "inner", "host host", "inner", "outer"]


def test_across_instances_and_modes():
    """A stack through an interpreted, a compiled and a tiered instance."""
    seen = []
    source = """(module (import "m" "f" (func $f (param i32) (result i32)))
      (func $NAME (export "g") (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1))))"""
    following = {"m": {"f": lambda n: seen.append(wasm.call_stack()) or n}}
    for name, mode in (("c", "interp"), ("b", "jit"), ("a", "tiered")):
        module = wasm.Module(source.replace("NAME", name), engine=wasm.Engine(mode=mode, tier_up_threshold=1, background=False))
        instance = wasm.Instance(module, following)
        following = {"m": {"f": instance.exports.g}}
    for _ in range(3):
        assert instance.exports.g(1) == 4
    assert {tuple(names(frames)) for frames in seen} == {("host f", "c", "b", "a")}


def test_python_between_instances(load):
    seen = []
    inner = load(NESTED, {"env": {"host": lambda n: seen.append(wasm.call_stack()) or n}})
    middle = load(NESTED.replace("$inner", "$middle"), {"env": {"host": lambda n: inner.exports.inner(n)}})
    middle.exports.outer(1)
    assert names(seen[0]) == ["host host", "inner", "host host", "middle", "outer"]


def test_a_host_function_in_a_table(load):
    seen = []

    def looks(n):
        seen.append(wasm.call_stack())
        return n

    load(NESTED, {"env": {"host": looks}}).exports.table(1)
    assert names(seen[0])[1:] == ["table"] and "looks" in seen[0][0].name


def test_after_exceptions_and_traps(load):
    """What leaves wasm by a jump leaves no trace in later stacks."""
    seen = []

    def host(n):
        if n == 1:
            raise KeyError("no")
        if n == 2:
            instance.exports.crash()
        seen.append(wasm.call_stack())
        return n

    instance = load(NESTED[:-1] + '(func (export "crash") unreachable))', {"env": {"host": host}})
    for n, error in ((1, KeyError), (2, wasm.Trap)):
        with pytest.raises(error):
            instance.exports.outer(n)
        assert wasm.call_stack() == ()
        instance.exports.outer(0)
        assert names(seen.pop()) == ["host host", "inner", "outer"]


def test_caught_in_wasm(load):
    seen = []

    def host(n):
        if n:
            raise KeyError("no")
        seen.append(wasm.call_stack())
        return n

    instance = load("""(module (import "env" "host" (func $host (param i32) (result i32))) (tag)
      (func $f (export "f") (block (try_table (catch_all 0) (drop (call $host (i32.const 1)))))
        (drop (call $host (i32.const 0)))))""", {"env": {"host": host}})
    instance.exports.f()
    assert names(seen[0]) == ["host host", "f"]


def test_through_c(load):
    """wasm -> C -> wasm -> Python."""
    seen = []
    inner = load(NESTED, {"env": {"host": lambda n: seen.append(wasm.call_stack()) or n}})
    wrapped = inner.exports.inner.c_function()
    pointer = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(wrapped.address)
    outer = load(NESTED.replace("$inner", "$far"), {"env": {"host": pointer}})
    assert outer.exports.outer(3) == 4
    assert names(seen[0]) == ["host host", "inner", "host host", "far", "outer"]


@pytest.mark.parametrize("tail", [False, True])
def test_in_the_stack_buffer(mode, tail):
    """With `dump_call_stack` every function has its frame there, across round trips."""
    seen = []

    def host(n):
        if n == 2:
            return env.call("inner", 1)
        frames = wasm.call_stack()
        seen.append((exec_env.current().buffer_frames, [f for f in frames if not isinstance(f, wasm.HostFrame)]))
        return n

    source = NESTED.replace("(call $host (local.get 0))", "(return_call $host (local.get 0))") if tail else NESTED
    engine = wasm.Engine(mode=mode, tier_up_threshold=1, background=False, dump_call_stack=True)
    instance = wasm.Instance(wasm.Module(source, engine=engine), {"env": {"host": host}})
    env = wasm.ExecEnv(instance)
    for n in (1, 2, 2, 1):
        env.call("outer", n)
        in_buffer, walked = seen.pop()
        assert names(in_buffer) == ([] if tail else ["inner"] * n) + ["outer"]
        assert tail or list(in_buffer) == walked  # a tail call of inlined code may still be seen on the machine stack
        assert env.buffer_frames == ()


SPIN = """(module (import "env" "host" (func $host))
  (memory 1)
  (func $spin (export "spin") (param i32)
    (loop $l (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 3))) (br_if $l (local.get 0))))
  (func $far (export "far") (param i32) (call $spin (local.get 0)))
  (func $waits (export "waits") (call $host)))"""


def running(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def ask(env, wanted):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        frames = env.frames
        if names(frames) == wanted:
            return frames
        time.sleep(0.001)
    raise AssertionError(names(frames))


def test_of_another_thread_that_runs(load_bounded):
    instance = load_bounded(SPIN, {"env": {"host": lambda: None}})
    env = wasm.ExecEnv(instance)
    assert env.frames == ()

    def work():
        with pytest.raises(wasm.Interrupted):
            env.call("far", 1)

    thread = running(work)
    for _ in range(20):
        frames = ask(env, ["spin", "far"])
        start, end = offset_of(SPIN, "spin", "loop"), offset_of(SPIN, "spin", "br_if")
        assert start <= frames[0].offset <= end
    env.interrupt()
    thread.join(20)
    assert not thread.is_alive() and env.frames == ()


def test_of_another_thread_that_waits(load):
    enough = threading.Event()
    instance = load(SPIN, {"env": {"host": enough.wait}})
    env = wasm.ExecEnv(instance)
    thread = running(lambda: env.call("waits"))
    ask(env, ["host host", "waits"])
    enough.set()
    thread.join(20)
    assert not thread.is_alive()


def test_deep_recursion_gives_the_innermost(load):
    seen = []
    instance = load("""(module (import "env" "host" (func $host))
      (func $f (export "f") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
          (else (call $host) (i32.const 0)))))""", {"env": {"host": lambda: seen.append(wasm.call_stack())}})
    instance.exports.f(5000)
    assert names(seen[0])[:3] == ["host host", "f", "f"] and len(seen[0]) >= 200
