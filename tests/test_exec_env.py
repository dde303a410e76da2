"""Execution environments, who may run them, calls with cells, and interrupts from other threads."""
import ctypes
import gc
import math
import struct
import threading
import time
import weakref
from array import array

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.exec_env import current

RECURSION = """(module (func $down (export "down") (param i32) (result i32)
  (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
    (else (i32.const 0)))))"""
LOOPS = """(module (import "m" "f" (func $f)) (memory 1) (type $v (func)) (table funcref (elem $step))
  (global $n (mut i64) (i64.const 0))
  (func $step (global.set $n (i64.add (global.get $n) (i64.const 1))))
  (func (export "forever") (loop $l (br $l)))
  (func (export "calls") (loop $l (call $step) (br $l)))
  (func (export "indirect") (loop $l (call_indirect (type $v) (i32.const 0)) (br $l)))
  (func (export "fill") (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 60000)) (br $l)))
  (func (export "grow") (loop $l (drop (memory.grow (i32.const 0))) (br $l)))
  (func (export "host") (loop $l (call $f) (br $l)))
  (func (export "ok") (result i32) (i32.const 42)))"""
ENDLESS = ("forever", "calls", "indirect", "fill", "grow", "host")


def in_thread(function, *arguments):
    """A thread that calls it; `.error` and `.result` when it has ended."""
    def run():
        try:
            thread.result = function(*arguments)
        except BaseException as error:  # looked at by the test
            thread.error = error
    thread = threading.Thread(target=run, daemon=True)
    thread.result = thread.error = None
    thread.start()
    return thread


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_stack_size(load):
    inst = load(RECURSION, stack_size=1 << 20)
    small = wasm.ExecEnv(inst, 4096)
    assert small.stack_size == 4096 and wasm.ExecEnv(inst).stack_size == 1 << 20
    assert small.call("down", 10) == inst.exports.down(10) == 10
    if inst.mode == "interp":
        with pytest.raises(wasm.Exhaustion) as caught:
            small.call("down", 1000)
        assert not caught.value.native
        assert wasm.ExecEnv(inst, 1 << 20).call("down", 1000) == 1000
    with pytest.raises(ValueError):
        wasm.ExecEnv(inst, -1)


def test_which_stack_is_exhausted(load, mode):
    """Interpreted functions have their frames in the buffer, compiled ones on the machine stack."""
    inst = load('(module (func $f (export "f") (result i32) (i32.add (call $f) (i32.const 1))))', stack_size=1 << 16)
    with pytest.raises(wasm.Exhaustion) as caught:
        inst.exports.f()
    if mode != "tiered":
        assert caught.value.native == (mode == "jit") and caught.value.frames[0].name == "f"
    inst.mode = "interp"
    with pytest.raises(wasm.Exhaustion) as caught:
        wasm.ExecEnv(inst, 0).call("f")
    assert not caught.value.native


def test_functions_of_an_exec_env(load):
    inst = load(RECURSION)
    env = wasm.ExecEnv(inst, user_data=[1])
    assert env.instance is inst and env.user_data == [1]
    assert env.function("down") is env.function("down") is env.function(inst.exports.down)
    assert env.function("down") == inst.exports.down and env.function(0)(7) == 7
    with pytest.raises(KeyError):
        env.function("up")


def test_current(load):
    seen = []
    inst = load('(module (import "m" "f" (func $f)) (func (export "g") (call $f)))', {"m": {"f": lambda: seen.append(current())}})
    env = wasm.ExecEnv(inst)
    env.call("g")
    inst.exports.g()
    assert seen[0] is env and seen[1] is not env and seen[1].instance is inst
    assert current() is None is wasm.ExecEnv.current()
    inst = load('(module (import "m" "f" (func $f)) (func (export "g") (call $f)))',
                {"m": {"f": lambda: seen.append(wasm.ExecEnv.current())}})
    with wasm.ExecEnv(inst) as env:
        env.call("g")
        assert seen[-1] is env


# --- the stack buffer

def test_used_and_peak(load, mode):
    """Every interpreted call puts a frame into the buffer, a compiled one none."""
    used = []
    inst = load("""(module (import "m" "look" (func $look)) (func $down (export "down") (param i32)
      (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1)))) (else (call $look)))))""",
                {"m": {"look": lambda: used.append(current().used)}}, mode="interp" if mode == "interp" else "jit")
    env = wasm.ExecEnv(inst, 1 << 16)
    assert env.used == env.peak == 0
    for depth in (0, 1, 2, 100, 3):
        env.call("down", depth)
        assert env.used == 0
    if inst.mode == "jit":
        assert used == [0] * 5 and env.peak == 0
        return
    frame = used[1] - used[0]
    assert frame > 0 and used == [used[0] + frame * depth for depth in (0, 1, 2, 100, 3)]
    assert used[3] <= env.peak < used[3] + frame
    env.close()
    assert env.used == env.peak == 0


def test_the_peak_of_dumped_frames():
    """Compiled functions have frames in the buffer where that is wanted."""
    engine = wasm.Engine("jit", dump_call_stack=True)
    env = wasm.ExecEnv(wasm.Instance(wasm.Module(RECURSION, engine=engine)), 1 << 16)
    env.call("down", 10)
    before = env.peak
    env.call("down", 100)
    assert 0 < before < env.peak < 1 << 16 and env.used == 0


def test_the_peak_of_a_large_buffer(load):
    """What is looked at is what was touched: a buffer of 4 GiB takes no time, and stays untouched."""
    inst = load(RECURSION)
    env = wasm.ExecEnv(inst, 4 << 30)
    inst.mode = "interp"
    start = time.perf_counter()
    env.call("down", 1000)
    assert 1000 * 16 < env.peak < 1000 * 200 and env._env.touched < 1 << 20
    assert time.perf_counter() - start < 5


# --- 32-bit cells

CELLS = """(module (func (export "turn") (param i32 i64 f32 f64 v128) (result v128 f64 f32 i64 i32)
  (local.get 4) (local.get 3) (local.get 2) (local.get 1) (local.get 0))
  (func (export "none") (result i64) (i64.const -2))
  (func (export "void") (param i32))
  (func (export "refs") (param externref i32 funcref) (result funcref externref i32)
    (local.get 2) (local.get 0) (local.get 1)))"""
# low word first: -5, 2^32 + 2, 1.5, a NaN with a payload, bytes 0..15
GIVEN = [0xFFFFFFFB, 2, 1, *struct.unpack("<I", struct.pack("<f", 1.5)), 0x1234, 0x7FF40000,
         *struct.unpack("<4I", bytes(range(16)))]
TURNED = [*GIVEN[6:10], *GIVEN[4:6], GIVEN[3], *GIVEN[1:3], GIVEN[0]]


@pytest.fixture
def env(load):
    return wasm.ExecEnv(load(CELLS))


def test_cells(env):
    cells = list(GIVEN)
    assert env.call_cells("turn", cells) is None
    assert cells == TURNED
    cells = [-5, *GIVEN[1:], "beyond"]
    env.call_cells(env.function("turn"), cells)
    assert cells == [*TURNED, "beyond"]


@pytest.mark.parametrize("make", [
    lambda cells: array("I", cells), lambda cells: (ctypes.c_uint32 * len(cells))(*cells),
    lambda cells: bytearray(struct.pack(f"<{len(cells)}I", *cells)),
    lambda cells: memoryview(array("I", cells))])
def test_cells_in_buffers(env, make):
    buffer = make([*GIVEN, 77])
    env.call_cells("turn", buffer)
    assert struct.unpack("<11I", bytes(buffer)) == (*TURNED, 77)


def test_cells_in_numpy_arrays(env):
    numpy = pytest.importorskip("numpy")
    cells = numpy.array(GIVEN, numpy.uint32)
    env.call_cells("turn", cells)
    assert cells.tolist() == TURNED


def test_a_list_grows_for_results(env):
    cells = []
    env.call_cells("none", cells)
    assert cells == [0xFFFFFFFE, 0xFFFFFFFF]
    with pytest.raises(ValueError, match="2 cells, not 1"):
        env.call_cells("none", array("I", [0]))


def test_references_in_cells(env):
    thing, function = object(), env.function("void")
    cells = [thing, 7, function]
    env.call_cells("refs", cells)
    assert cells == [function, thing, 7]
    with pytest.raises(TypeError, match="list"):
        env.call_cells("refs", array("I", [0, 0, 0]))
    with pytest.raises(TypeError):
        env.call_cells("refs", [thing, 7, 7])


def test_bad_cells(env):
    for cells, error, text in (
            (GIVEN[:-1], TypeError, "invalid argument count 9, must be no smaller than 10"),
            ([], TypeError, "invalid argument count 0, must be no smaller than 10"),
            ([1 << 32, *GIVEN[1:]], OverflowError, "32 bits"), ([-(1 << 31) - 1, *GIVEN[1:]], OverflowError, "32 bits"),
            ([1.0, *GIVEN[1:]], TypeError, "float"), (bytes(40), TypeError, "writable"), (tuple(GIVEN), TypeError, "."),
            (bytearray(41), ValueError, "4 bytes"), (None, TypeError, ".")):
        before = cells and list(cells)
        with pytest.raises(error, match=text):
            env.call_cells("turn", cells)
        assert (cells and list(cells)) == before
    with pytest.raises(KeyError):
        env.call_cells("nothing", [])


def test_cells_of_every_float(env):
    """A plain Python float gives the same cells."""
    for number in (0.0, -0.0, 1.1, math.inf, -math.inf, 5e-324):
        cells = [0, 0, 0, 0, *struct.unpack("<2I", struct.pack("<d", number)), 0, 0, 0, 0]
        env.call_cells("turn", cells)
        assert struct.pack("<2I", *cells[4:6]) == struct.pack("<d", number)


def test_close(load):
    inst = load(RECURSION)
    with wasm.ExecEnv(inst) as env:
        down = env.function("down")
        assert down(3) == 3
    with pytest.raises(wasm.InUseError, match="closed"):
        down(3)
    env.close()
    assert inst.exports.down(3) == 3
    other = wasm.ExecEnv(inst)
    other.destroy()
    with pytest.raises(wasm.InUseError, match="closed"):
        other.call_cells("down", [3])


def test_close_while_running(load):
    inst = load('(module (import "m" "f" (func $f)) (func (export "g") (call $f)))', {"m": {"f": lambda: current().close()}})
    with pytest.raises(wasm.InUseError, match="running"):
        inst.exports.g()


def test_lifetime(load):
    inst = load(RECURSION)
    env = wasm.ExecEnv(inst)
    env.call("down", 1)
    dead = weakref.ref(env._env), weakref.ref(inst)
    del env, inst
    gc.collect()
    assert [d() for d in dead] == [None, None]


def test_exec_envs_of_one_instance_exclude_each_other(load):
    entered, leave = threading.Event(), threading.Event()
    inst = load(LOOPS, {"m": {"f": lambda: (entered.set(), leave.wait())[0]}})
    first, second = wasm.ExecEnv(inst), wasm.ExecEnv(inst)
    thread = in_thread(first.function("host"))
    entered.wait(20)
    for env in (first, second):
        with pytest.raises(wasm.InUseError):
            env.call("ok")
    with pytest.raises(wasm.InUseError):
        inst.exports.ok()
    leave.set()
    first.interrupt()
    thread.join(20)
    assert isinstance(thread.error, wasm.Interrupted)
    assert second.call("ok") == inst.exports.ok() == 42


def test_instances_that_share_state_exclude_each_other(load):
    """One that is only reached through another's calls is protected too."""
    entered, leave = threading.Event(), threading.Event()
    inner = load(LOOPS, {"m": {"f": lambda: (entered.set(), leave.wait())[0]}})
    outer = load('(module (import "i" "host" (func $f)) (func (export "g") (call $f)))', {"i": inner.exports})
    other = load('(module (func (export "ok") (result i32) (i32.const 1)))')
    thread = in_thread(outer.exports.g)
    entered.wait(20)
    with pytest.raises(wasm.InUseError):
        inner.exports.ok()
    with pytest.raises(wasm.InUseError):
        load('(module (import "i" "ok" (func (result i32))))', {"i": inner.exports})
    assert other.exports.ok() == 1
    leave.set()
    outer.interrupt()
    thread.join(20)
    assert isinstance(thread.error, wasm.Interrupted)
    assert inner.exports.ok() == 42


@pytest.mark.parametrize("kind", ("(memory 1)", "(table 1 funcref)", "(global (mut i32) (i32.const 0))"))
def test_sharing_joins(load, kind):
    made = {"(memory": wasm.Memory(1), "(table": wasm.Table(1), "(global": wasm.Global("i32", 0, mutable=True)}[kind.split()[0]]
    type = kind.replace(" (i32.const 0)", "")
    one, two = (load(f'(module (import "m" "x" {type}) (func (export "f") (loop $l (br $l))) '
                     '(func (export "ok") (result i32) (i32.const 42)))', {"m": {"x": made}}) for _ in range(2))
    thread = in_thread(one.exports.f)
    wait_until(lambda: one._inst.exec_env.thread)
    with pytest.raises(wasm.InUseError):
        two.exports.ok()
    one.interrupt()
    thread.join(20)
    assert two.exports.ok() == 42


def test_a_constant_is_not_shared_state(load):
    constant = wasm.Global("i32", 5)
    one, two = (load('(module (import "m" "x" (global i32)) (func (export "f") (loop $l (br $l))) '
                     '(func (export "ok") (result i32) (global.get 0)))', {"m": {"x": constant}}) for _ in range(2))
    thread = in_thread(one.exports.f)
    wait_until(lambda: one._inst.exec_env.thread)
    assert two.exports.ok() == 5
    one.interrupt()
    thread.join(20)


def test_exec_envs_of_a_shared_memory_run_in_parallel(load):
    inst = load("""(module (memory (export "memory") 1 1 shared)
      (func (export "meet") (param i32)
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
        (loop $l (br_if $l (i32.lt_u (i32.atomic.load (i32.const 0)) (local.get 0))))
        (loop $m (drop (i32.atomic.rmw.add (i32.const 4) (i32.const 1)))
          (br_if $m (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))""")
    envs = [wasm.ExecEnv(inst) for _ in range(3)]
    threads = [in_thread(env.function("meet"), 3) for env in envs]
    for thread in threads:
        thread.join(20)
        assert thread.error is None and not thread.is_alive()
    assert inst.exports.memory[:8] == b"\3\0\0\0\x09\0\0\0"


# --- interrupts

@pytest.mark.parametrize("name", ENDLESS)
def test_interrupt_a_thread(load_bounded, name):
    inst = load_bounded(LOOPS, {"m": {"f": lambda: time.sleep(0.0005)}})
    inst.exports.ok()  # has the interpreter made, which may take longer than an interrupt may
    for _ in range(3):
        thread = in_thread(inst.exports[name])
        wait_until(lambda: inst._inst.exec_env.thread)
        start = time.perf_counter()
        assert inst.interrupt()
        thread.join(20)
        assert isinstance(thread.error, wasm.Interrupted) and time.perf_counter() - start < 1
        assert inst.exports.ok() == 42
    assert not inst.interrupt()


def test_interrupt_the_main_thread(load):
    inst = load(LOOPS, {"m": {"f": lambda: None}})
    for name in ("forever", "host"):
        threading.Timer(0.05, inst.interrupt, (TimeoutError("late"),)).start()
        with pytest.raises(TimeoutError, match="late"):
            inst.exports[name]()
    assert inst.exports.ok() == 42


def test_interrupt_inside_another_instance(load):
    """The exception is raised where the thread is, and comes out of the call that was to be interrupted."""
    inner = load(LOOPS, {"m": {"f": lambda: None}})
    outer = load('(module (import "m" "f" (func $f)) (func (export "g") (call $f)))',
                 {"m": {"f": lambda: inner.exports.forever()}})
    thread = in_thread(outer.exports.g)
    wait_until(lambda: inner._inst.exec_env.thread)
    assert outer.interrupt()
    thread.join(20)
    assert isinstance(thread.error, wasm.Interrupted)


def test_interrupt_a_wait(load):
    inst = load("""(module (memory 1 1 shared) (func (export "f") (result i32)
      (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))""")
    thread = in_thread(inst.exports.f)
    wait_until(lambda: inst._inst.exec_env.waiting)
    inst.interrupt()
    thread.join(20)
    assert isinstance(thread.error, wasm.Interrupted)


def test_a_catch_all_does_not_catch_an_interrupt(load):
    inst = load("""(module (func (export "f") (loop $again (block $caught
      (try_table (catch_all $caught) (loop $l (br $l)))) (br $again))))""")
    thread = in_thread(inst.exports.f)
    wait_until(lambda: inst._inst.exec_env.thread)
    inst.interrupt()
    thread.join(20)
    assert isinstance(thread.error, wasm.Interrupted)


def test_nothing_stays_requested(load):
    """An interrupt is for what runs: the next call is not hit."""
    inst = load("""(module (func (export "f") (param i32) (loop $l
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))) (func (export "ok") (result i32) (i32.const 42)))""")
    for _ in range(100):
        thread = in_thread(inst.exports.f, 2000)
        inst.interrupt()
        thread.join(20)
        time.sleep(0.002)
        assert inst.exports.ok() == 42


def test_check(load):
    """What C could not be told."""
    inst = load("(module (func (export \"f\") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0))))")
    env = wasm.ExecEnv(inst)
    pointer = inst.exports.f.c_function(env)
    env.check()
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)
    assert prototype(pointer.address)(0) == 0
    with pytest.raises(wasm.Trap, match="divide by zero"):
        env.check()
    env.check()
    assert prototype(pointer.address)(1) == 1


def test_a_closed_exec_env_stays_closed_when_instances_are_joined(load):
    increment = '(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))'
    inst, other = load(increment), load(increment)
    env, open_env = wasm.ExecEnv(inst), wasm.ExecEnv(inst)
    assert env.call("f", 1) == 2
    env.close()
    both = '(module (import "a" "f" (func (param i32) (result i32))) (import "b" "f" (func (param i32) (result i32))))'
    joined = load(both, {"a": inst.exports, "b": other.exports})
    with pytest.raises(wasm.InUseError, match="closed"):
        env.call("f", 1)
    env.close()
    load(both, {"a": other.exports, "b": load(increment).exports})
    with pytest.raises(wasm.InUseError, match="closed"):
        env.call("f", 1)
    assert open_env.call("f", 1) == inst.exports.f(1) == 2 and joined is not None


def test_an_exec_env_runs_functions_of_its_own_instance_only(load):
    wat = '(module (func (export "f") (result i32) (i32.const 7)))'
    inst, other = load(wat), load(wat)
    env = wasm.ExecEnv(inst)
    with pytest.raises(TypeError, match="belongs to another instance"):
        env.function(other.exports.f)
    with pytest.raises(TypeError, match="belongs to another instance"):
        env.call(other.exports.f)
    with pytest.raises(TypeError, match="belongs to another instance"):
        env.call_cells(other.exports.f, [])
    assert env.call(inst.exports.f) == env.call("f") == 7
    importer = load('(module (import "a" "f" (func $f (result i32))) (export "again" (func $f)))', {"a": inst.exports})
    shared = wasm.ExecEnv(importer)
    assert shared.call("again") == shared.call(inst.exports.f) == 7
    assert env.call(wasm.Function(lambda: 5, (), ["i32"])) == 5
