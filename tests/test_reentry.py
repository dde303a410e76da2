"""wasm -> Python -> wasm, exceptions passing through, and stacks that run out."""
import sys
import threading

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.runtime import services
from pyjit_wasm.runtime.layout import SERVICE

BOUNCE = """(module (import "m" "again" (func $again (param i32) (result i32)))
  (func (export "bounce") (param i32) (result i32) (local i32)
    (local.set 1 (i32.mul (local.get 0) (i32.const 3)))
    (if (result i32) (local.get 0)
      (then (i32.add (call $again (i32.sub (local.get 0) (i32.const 1))) (i32.sub (local.get 1) (i32.mul
        (local.get 0) (i32.const 2)))))
      (else (i32.const 0))))
  (func (export "crash") (param i32) (result i32) (local.get 0) (call $again (i32.const -1)) i32.add unreachable))"""


def exhausted(function, *arguments):
    with pytest.raises(wasm.Exhaustion) as caught:
        function(*arguments)
    assert caught.value.code == "call stack exhausted"
    return caught.value


def in_thread(work, stack=0):
    """The result of `work` in a thread with that much machine stack."""
    results = []
    before = threading.stack_size(stack)
    try:
        thread = threading.Thread(target=lambda: results.append(work()))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join(60)
    return results[0]


# --- re-entrancy

@pytest.mark.parametrize("depth", [1, 10, 150])
def test_wasm_calls_python_calls_wasm(load, depth):
    inst = load(BOUNCE, {"m": {"again": lambda n: inst.exports.bounce(n)}})
    for _ in range(3):
        assert inst.exports.bounce(depth) == depth * (depth + 1) // 2


def test_wasm_as_its_own_host_function(load):
    """An export imported again under Python's eyes: no Python frame between."""
    first = load('(module (func (export "again") (param i32) (result i32) (local.get 0)))')
    second = load(BOUNCE, {"m": first.exports})
    assert second.exports.bounce(10) == 9 + 10


def test_three_instances_in_a_ring(load):
    ring = []
    for index in range(3):
        ring.append(load(BOUNCE, {"m": {"again": lambda n, i=index: ring[(i + 1) % 3].exports.bounce(n)}}))
    assert ring[0].exports.bounce(60) == 1830


class Special(Exception):
    pass


@pytest.mark.parametrize("depth", [1, 2, 30])
def test_an_exception_passes_unchanged(load, depth):
    raised = Special("deep down")

    def again(n):
        if not n:
            raise raised
        return inst.exports.bounce(n)

    inst = load(BOUNCE, {"m": {"again": again}})
    for _ in range(20):
        with pytest.raises(Special) as caught:
            inst.exports.bounce(depth)
        assert caught.value is raised
        raised.__traceback__ = None
    assert raised.__context__ is None and raised.__cause__ is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, StopIteration, MemoryError, GeneratorExit])
def test_any_exception(load, error):
    def fail(n):
        raise error

    inst = load(BOUNCE, {"m": {"again": fail}})
    with pytest.raises(error):
        inst.exports.bounce(1)
    assert inst.exports.bounce(0) == 0


def test_an_exception_caught_half_way(load):
    """The inner call fails, the outer one goes on."""
    def again(n):
        try:
            return 0 if n < 0 else inst.exports.crash(n) if n % 2 else inst.exports.bounce(n)
        except wasm.Trap as error:
            return 1000 + len(error.frames)

    inst = load(BOUNCE, {"m": {"again": again}})
    assert inst.exports.bounce(2) == 1001 + 2
    with pytest.raises(wasm.Trap, match="unreachable"):
        inst.exports.crash(1)
    assert inst.exports.bounce(2) == 1003


def test_frames_end_at_the_innermost_entry(load):
    """A trap inside a nested call names the frames of that call, and passes the outer ones as it is."""
    seen = []

    def again(n):
        try:
            n < 0 or (inst.exports.crash(1) if n == 1 else inst.exports.bounce(n))
        except wasm.Trap as error:
            seen.append(error)
            raise
        return 0

    inst = load(BOUNCE, {"m": {"again": again}})
    with pytest.raises(wasm.Trap) as caught:
        inst.exports.bounce(4)
    assert len(seen) == 3 and all(error is caught.value for error in seen)
    assert [frame.name for frame in caught.value.frames] == ["crash"]


def test_deep_python_recursion_through_wasm(load):
    """Python's own limit, or the machine stack's, comes first; both are exceptions."""
    inst = load(BOUNCE, {"m": {"again": lambda n: inst.exports.bounce(n)}})
    for _ in range(3):
        with pytest.raises((RecursionError, wasm.Exhaustion)):
            inst.exports.bounce(1_000_000)
    assert inst.exports.bounce(5) == 15


def test_machine_stack_through_wasm_and_python(child, mode):
    """With Python's limit out of the way the machine stack's end must be noticed."""
    done = child(f"""
        sys.setrecursionlimit(10 ** 8)
        inst = load({BOUNCE!r}, {{"m": {{"again": lambda n: inst.exports.bounce(n)}}}}, {mode!r}, stack_size=1 << 26)
        for _ in range(2):
            try:
                inst.exports.bounce(1_000_000)
            except (wasm.Exhaustion, RecursionError) as error:
                print(type(error).__name__)
        print(inst.exports.bounce(5))""")
    assert done.stdout.split()[-1:] == ["15"], (done.returncode, done.stderr[-600:])


# --- exhaustion

RECURSIONS = {
    "direct": '(func $f (export "f") (call $f))',
    "with a result": '(func $f (export "f") (result i32) (i32.add (i32.const 1) (call $f)))',
    "mutual": '(func $f (export "f") (call $g)) (func $g (call $h)) (func $h (call $f))',
    "indirect": '(type $t (func)) (table funcref (elem $f)) '
                '(func $f (export "f") (call_indirect (type $t) (i32.const 0)))',
    "parameters": '(func $f (export "f") (param i64 f64) (result i64 f64) (call $f (local.get 0) (local.get 1)))',
    "large frames": f'(func $f (export "f") (local {"i64 " * 300}) (call $f) (call $f))',
    "in a loop": '(func $f (export "f") (loop $l (call $f) (br $l)))',
}


@pytest.mark.parametrize("kind", RECURSIONS)
def test_infinite_recursion(load_bounded, kind):
    inst = load_bounded(f'(module {RECURSIONS[kind]} (func (export "fine") (result i32) (i32.const 1)))')
    arguments = (1, 2.0) if kind == "parameters" else ()
    for _ in range(3):
        error = exhausted(inst.exports.f, *arguments)
        assert {frame.name for frame in error.frames} <= {"f", "g", "h"} and len(error.frames) > 10
    assert inst.exports.fine() == 1


def test_infinite_recursion_through_an_import(load):
    holder = {}
    inst = load("""(module (type $t (func)) (import "m" "t" (table 1 funcref)) (func $f (export "f")
      (call_indirect (type $t) (i32.const 0))))""", {"m": {"t": holder.setdefault("t", wasm.Table(1))}})
    other = load('(module (import "m" "f" (func $f)) (func (export "g") (call $f)))', {"m": inst.exports})
    holder["t"][0] = other.exports.g
    exhausted(inst.exports.f)
    exhausted(other.exports.g)


SUM = """(module (func $sum (export "sum") (param i64) (result i64) (if (result i64) (i64.eqz (local.get 0))
  (then (i64.const 0)) (else (i64.add (local.get 0) (call $sum (i64.sub (local.get 0) (i64.const 1))))))))"""


@pytest.mark.parametrize("size", [1, 8, 16, 24, 64, 100, 1000, 4095, 4096, 4097, 65536])
def test_small_stacks(size):
    """The deepest call that fits grows with the stack, and nothing is written behind its end."""
    inst = wasm.load(SUM, mode="interp", stack_size=size)
    depth = 0
    while depth < 3000:
        try:
            assert inst.exports.sum(depth) == depth * (depth + 1) // 2
        except wasm.Exhaustion:
            break
        depth += 1
    assert depth <= size // 24 and (depth > 3 or size < 1000)
    exhausted(inst.exports.sum, 1 << 40)


def test_no_stack():
    """The interpreter cannot work without a stack buffer, native code can."""
    exhausted(wasm.load(SUM, mode="interp", stack_size=0).exports.sum, 3)
    assert wasm.load(SUM, mode="jit", stack_size=0).exports.sum(1000) == 500500


@pytest.mark.parametrize("size", [-1, -4096])
def test_impossible_stack_sizes(size):
    with pytest.raises(ValueError):
        wasm.load(SUM, mode="interp", stack_size=size)


def test_a_large_stack_is_used():
    inst = wasm.load(SUM, mode="interp", stack_size=64 << 20)
    assert inst.exports.sum(500_000) == 500_000 * 500_001 // 2
    exhausted(wasm.load(SUM, mode="interp", stack_size=1 << 16).exports.sum, 500_000)


@pytest.mark.parametrize("stack", [0, 32 << 10, 64 << 10, 256 << 10, 1 << 20, 256 << 20])
def test_machine_stacks_of_threads(load, stack):
    inst = load(f"(module {RECURSIONS['with a result']} {SUM[7:]}")
    inst.exports.sum(3)
    for _ in range(2):
        assert in_thread(lambda: exhausted(inst.exports.f).code, stack) == "call stack exhausted"
        assert in_thread(lambda: inst.exports.sum(5), stack) == 15


def test_the_first_call_in_a_thread_with_a_small_stack(child, mode):
    """Translating and compiling happen there too."""
    done = child(f"""
        threading.stack_size(64 << 10)
        def work():
            inst = load({f"(module {RECURSIONS['mutual']})"!r}, mode={mode!r})
            try:
                inst.exports.f()
            except wasm.Exhaustion as error:
                print(error.code)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()""")
    assert done.stdout == "call stack exhausted\n", (done.returncode, done.stderr[-500:])


def test_python_recursion_then_wasm(load):
    """Little machine stack left at the entry."""
    inst = load(f"(module {RECURSIONS['direct']})")

    def deep(n):
        return deep(n - 1) if n else exhausted(inst.exports.f).code

    assert deep(sys.getrecursionlimit() // 2) == "call stack exhausted"


# --- code that runs around the service that finds who catches an exception: signal handlers do

CATCHER = """(module (tag $t (param i32)) (tag $u (param i64 i64))
  (func $deep (param i32) (throw $t (local.get 0)))
  (func $middle (param i32) (call $deep (local.get 0)))
  (func (export "uncaught") (param i32) (call $middle (local.get 0)))
  (func (export "caught") (param i32) (result i32)
    (block $b (result i32) (try_table (catch $t $b) (call $middle (local.get 0))) (i32.const -1)))
  (func (export "other") (param i64) (result i64)
    (block $b (result i64 i64) (try_table (catch $u $b) (throw $u (local.get 0) (i64.const 5))) unreachable) i64.add)
  (func (export "plain") (param i32) (result i32) (local.get 0)))"""


@pytest.fixture
def around_unwind():
    """`around_unwind(before=f)`, `around_unwind(after=f)`: `f` runs once, before or after the next service `unwind`."""
    index, nothing = SERVICE["unwind"], lambda: None
    real = services._functions[index]

    def patch(before=nothing, after=nothing):
        def unwind(*arguments):
            services._functions[index] = real
            before()
            answer = real(*arguments)
            after()
            return answer

        services._functions[index] = unwind

    yield patch
    services._functions[index] = real


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("caught", [True, False])
def test_wasm_that_a_signal_handler_calls_while_an_exception_is_on_its_way(load, around_unwind, when, caught):
    e = load(CATCHER).exports

    def nested():
        assert [e.other(1 << 40), e.plain(3), e.caught(4)] == [(1 << 40) + 5, 3, 4]
        with pytest.raises(wasm.WasmException):
            e.uncaught(9)

    for _ in range(3):
        around_unwind(**{when: nested})
        if caught:
            assert e.caught(7) == 7
        else:
            with pytest.raises(wasm.WasmException) as error:
                e.uncaught(8)
            assert error.value.payload == (8,)
        assert e.plain(5) == 5


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("caught", [True, False])
def test_a_signal_handler_that_raises_while_an_exception_is_on_its_way(load, around_unwind, mode, when, caught):
    e = load(CATCHER).exports

    def interrupted():
        raise KeyboardInterrupt

    for _ in range(3):
        around_unwind(**{when: interrupted})
        if mode == "interp":
            with pytest.raises(KeyboardInterrupt):
                (e.caught if caught else e.uncaught)(7)
            assert [e.plain(5), e.caught(6), e.other(7)] == [5, 6, 12]
