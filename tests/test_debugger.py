"""Debugger: breakpoints, steps over and out of calls, the end of calls, host functions, threads, Ctrl-C."""
import gc
import threading
import time
import weakref

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.debugger import trace
from test_interrupt import Interrupter

FACTORIAL = """(module
  (func $fac (export "fac") (param $n i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n)) (then (i32.const 1))
      (else (i32.mul (local.get $n) (call $fac (i32.sub (local.get $n) (i32.const 1)))))))
  (func $twice (export "twice") (param i32) (result i32)
    (i32.add (call $fac (local.get 0)) (call $fac (i32.const 2))))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_u (local.get 0) (local.get 1)))
  (func (export "forever") (loop (br 0)))
  (func (export "nothing") (unreachable) (drop (i32.const 1)))
  (func $odd (export "odd") (param i64 i32) (result i32) (return_call $fac (local.get 1)))
  (func (export "calls_odd") (param i32) (result i32) (i32.add (call $odd (i64.const 1) (local.get 0)) (i32.const 1))))"""

HOST = """(module (import "env" "host" (func $host (param i32) (result i32)))
  (func $outer (export "outer") (param i32) (result i32) (i32.add (i32.const 100) (call $host (local.get 0))))
  (func $inner (export "inner") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"""


@pytest.fixture
def inst(load):
    return load(FACTORIAL)


@pytest.fixture
def debugger(inst):
    with wasm.Debugger(inst) as debugger:
        yield debugger


def at(state):
    """(name, mnemonic) of the frames of a State, innermost first."""
    return state and [(frame.name, frame.instruction.split()[0]) for frame in state.frames]


def numbers(values):
    return [value.value for value in values]


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("pyjit_wasm debugger")]


def test_start_and_step(debugger):
    assert debugger.state is None
    assert at(debugger.start("fac", 1)) == [("fac", "local.get")]
    assert at(debugger.step()) == [("fac", "i32.eqz")] and at(debugger.state) == [("fac", "i32.eqz")]
    while len(debugger.state.frames) == 1:
        debugger.step()
    assert at(debugger.state) == [("fac", "local.get"), ("fac", "call")]
    assert [numbers(frame.operands) for frame in debugger.state.frames] == [[], [1]]
    while debugger.state is not None:
        debugger.step()
    assert debugger.result == 1 and debugger.error is None


def test_next_steps_over_calls(debugger):
    state = debugger.start("twice", 3)
    seen = []
    while state is not None:
        seen.append((state.frames[0].instruction.split()[0], numbers(state.frames[0].operands)))
        assert len(state.frames) == 1
        state = debugger.next()
    assert seen == [("local.get", []), ("call", [3]), ("i32.const", [6]), ("call", [6, 2]), ("i32.add", [6, 2]), ("end", [8])]
    assert debugger.result == 8


def test_next_over_a_tail_call_goes_on_in_the_caller(debugger):
    debugger.start("calls_odd", 3)
    debugger.breakpoint("odd")
    state = debugger.run()
    while state.frames[0].instruction.split()[0] != "return_call":
        state = debugger.next()
    assert at(debugger.next()) == [("calls_odd", "i32.const")] and numbers(debugger.state.frames[0].operands) == [6]


def test_finish(debugger):
    debugger.start("twice", 3)
    debugger.breakpoint("fac")
    for _ in range(4):
        debugger.run()
    assert [frame.name for frame in debugger.state.frames] == ["fac"] * 4 + ["twice"]
    debugger.delete(debugger.breakpoints[0])
    for depth, result in ((4, 1), (3, 1), (2, 2), (1, 6)):
        state = debugger.finish()
        assert len(state.frames) == depth and state.frames[0].operands[-1].value == result
    assert debugger.finish() is None and debugger.result == 8


def test_breakpoints_in_recursion(debugger, inst):
    first = debugger.breakpoint("fac")
    assert first == debugger.breakpoint(offset=first) == debugger.breakpoint(inst.exports.fac) == debugger.instructions(0)[0]
    base = debugger.instructions("fac")[3]
    assert debugger.breakpoint(offset=base) == base and debugger.breakpoints == (first, base)
    state, depths = debugger.start("fac", 3), []
    while state is not None:
        depths.append((len(state.frames), state.frames[0].pc))
        state = debugger.run()
    assert depths == [(1, first), (2, first), (3, first), (4, first), (4, base)] and debugger.result == 6
    debugger.delete(first)
    debugger.start("fac", 3)
    assert debugger.run().frames[0].pc == base and debugger.run() is None


def test_run_stops_nowhere_without_breakpoints(debugger):
    debugger.start("fac", 10)
    assert debugger.run() is None and debugger.result == 3628800 and debugger.state is None


@pytest.mark.parametrize("arguments, error", [
    ({"function": "absent"}, KeyError), ({"function": 17}, KeyError), ({"function": -1}, KeyError), ({}, TypeError),
    ({"function": "fac", "offset": 3}, TypeError), ({"offset": 3}, ValueError), ({"offset": 1 << 40}, ValueError)])
def test_impossible_breakpoints(debugger, arguments, error):
    with pytest.raises(error):
        debugger.breakpoint(**arguments)
    assert debugger.breakpoints == ()


def test_breakpoints_are_at_instructions_that_can_be_reached(debugger, inst):
    reachable = debugger.instructions("nothing")
    assert len(reachable) == 1
    for offset in (reachable[0] + 1, debugger.instructions("forever")[1] + 1):  # dead code; an immediate
        with pytest.raises(ValueError, match="no instruction that can be reached begins at byte 0x"):
            debugger.breakpoint(offset=offset)
    with pytest.raises(KeyError):
        debugger.delete(reachable[0])


def test_misuse(debugger, inst):
    for method in (debugger.step, debugger.next, debugger.finish, debugger.run):
        with pytest.raises(RuntimeError, match="no call is under way"):
            method()
    with pytest.raises(TypeError):
        debugger.start("fac")
    with pytest.raises(OverflowError):
        debugger.start("fac", 1 << 40)
    debugger.start("fac", 1)
    with pytest.raises(wasm.InUseError):
        debugger.start("fac", 1)
    with pytest.raises(wasm.InUseError):
        inst.exports.fac(1)
    with wasm.Debugger(inst) as other, pytest.raises(wasm.InUseError):
        other.start("fac", 1)
    assert at(debugger.step()) == [("fac", "i32.eqz")]


def test_functions_of_others(load, debugger):
    host = load(HOST, {"env": {"host": lambda n: n}})
    with wasm.Debugger(host) as other:
        with pytest.raises(ValueError, match="function 0, host, is imported"):
            other.start("host", 1)
        with pytest.raises(ValueError, match="fac is not a function of this instance"):
            other.start(debugger.instance.exports.fac, 1)


# --- how calls end

def test_traps(debugger, inst):
    state = debugger.start("divide", 1, 0)
    while state is not None:
        last, state = state.frames[0], debugger.step()
    assert isinstance(debugger.error, wasm.Trap) and debugger.error.code == "integer divide by zero"
    assert [(frame.funcidx, frame.offset) for frame in debugger.error.frames] == [(2, last.pc)]
    assert last.instruction == "i32.div_u" and numbers(last.operands) == [1, 0]
    debugger.start("divide", 6, 3)
    assert debugger.error is None and debugger.run() is None and debugger.result == 2


def test_exceptions(load):
    inst = load("""(module (tag $t (export "t") (param i32))
      (func $throw (param i32) (throw $t (local.get 0)))
      (func (export "f") (param i32) (call $throw (local.get 0))))""")
    with wasm.Debugger(inst) as debugger:
        debugger.start("f", 4)
        assert debugger.finish() is None
        assert isinstance(debugger.error, wasm.WasmException) and debugger.error.payload == (4,)


def test_next_and_finish_stop_where_an_exception_is_caught(load):
    inst = load("""(module (tag $t) (func $throw (throw $t))
      (func $deep (call $throw) (unreachable))
      (func (export "f") (result i32) (block $h (try_table (catch $t $h) (call $deep)) (unreachable)) (i32.const 3)))""")
    for method in ("next", "finish"):
        with wasm.Debugger(inst) as debugger:
            debugger.start("f")
            debugger.breakpoint("deep" if method == "next" else "throw")
            debugger.run()
            assert at(getattr(debugger, method)()) == [("f", "i32.const")]
            assert debugger.run() is None and debugger.result == 3


def test_errors_of_host_functions(load):
    def host(n):
        raise LookupError("no such thing")

    inst = load(HOST, {"env": {"host": host}})
    with pytest.raises(LookupError, match="no such thing"):
        list(trace(inst, "outer", 1))
    with wasm.Debugger(inst) as debugger:
        debugger.start("outer", 1)
        assert debugger.run() is None and isinstance(debugger.error, LookupError)


# --- host functions and other instances

def test_a_host_function_in_between(load):
    inst = load(HOST, {"env": {"host": lambda n: inst.exports.outer(n - 1) if n else inst.exports.inner(21)}})
    with wasm.Debugger(inst) as debugger:
        debugger.start("outer", 2)
        debugger.breakpoint("inner")
        state = debugger.run()
        assert at(state) == [("inner", "local.get"), *[("outer", "call")] * 3]
        assert [numbers(frame.locals) for frame in state.frames] == [[21], [0], [1], [2]]
        assert [numbers(frame.operands) for frame in state.frames] == [[], [100], [100], [100]]
        assert at(debugger.finish()) == [("outer", "i32.add")] * 1 + [("outer", "call")] * 2
        assert numbers(debugger.state.frames[0].operands) == [100, 42]
        assert debugger.run() is None and debugger.result == 342
        seen = [at(state)[0] for state in trace(inst, "outer", 0)]
        assert seen == [("outer", "i32.const"), ("outer", "local.get"), ("outer", "call"), ("inner", "local.get"),
                        ("inner", "i32.const"), ("inner", "i32.mul"), ("inner", "end"), ("outer", "i32.add"), ("outer", "end")]


def test_other_instances_run_as_ever(load, engine):
    """Their frames are there when they call back, without what is only known of those that are stepped through."""
    other = load("""(module (import "env" "back" (func $back (param i32) (result i32)))
      (func $middle (export "host") (param i32) (result i32) (i32.add (i32.const 1) (call $back (local.get 0)))))""",
                 {"env": {"back": lambda n: inst.exports.inner(n)}})
    inst = load(HOST, {"env": other.exports})
    with wasm.Debugger(inst) as debugger:
        assert at(debugger.start("outer", 5)) == [("outer", "i32.const")]
        debugger.breakpoint("inner")
        state = debugger.run()
        names = [frame.name for frame in state.frames]
        assert names[0] == "inner" and names[-1] == "outer" and set(names[1:-1]) <= {"middle"}
        assert all((frame.operands is None) == (frame.name == "middle") for frame in state.frames)
        assert at(debugger.next())[0] == ("inner", "i32.const")
        assert debugger.run() is None and debugger.result == 111


def test_compiled_functions_with_frames_in_the_buffer(mode):
    engine = wasm.Engine(mode="jit", dump_call_stack=True)
    other = wasm.Instance(wasm.Module("""(module (import "env" "back" (func $back (param i32) (result i32)))
      (func (export "host") (param i32) (result i32) (i32.add (i32.const 1) (call $back (local.get 0)))))""", engine=engine),
                          {"env": {"back": lambda n: inst.exports.inner(n)}})
    inst = wasm.Instance(wasm.Module(HOST, engine=wasm.Engine(mode=mode, dump_call_stack=True)), {"env": other.exports})
    with wasm.Debugger(inst) as debugger:
        debugger.start("outer", 5)
        debugger.breakpoint("inner")
        assert at(debugger.run()) == [("inner", "local.get"), ("outer", "call")]
        assert at(debugger.finish()) == [("outer", "i32.add")]
        assert debugger.run() is None and debugger.result == 111


def test_other_instances_are_stepped_over(load):
    other = load("""(module (func $g (param i32) (result i32) (local.get 0))
      (func (export "host") (param i32) (result i32) (i32.add (i32.const 1) (call $g (local.get 0)))))""")
    inst = load(HOST, {"env": other.exports})
    assert [at(state) for state in trace(inst, "outer", 5)] == [
        [("outer", mnemonic)] for mnemonic in ("i32.const", "local.get", "call", "i32.add", "end")]


def test_two_instances_of_a_module(inst):
    """Breakpoints belong to one debugger, though the code is one."""
    other = wasm.Instance(inst.module)
    with wasm.Debugger(inst) as first, wasm.Debugger(other) as second:
        for debugger in (first, second):
            debugger.start("fac", 2)
        offset = first.breakpoint("fac")
        assert second.run() is None and second.result == 2
        assert second.breakpoint("fac") == offset
        second.start("fac", 1)
        first.delete(offset)
        assert first.run() is None and len(second.run().frames) == 2


# --- before and after

@pytest.mark.parametrize("end", ["run", "close", "trap"])
def test_the_instance_is_as_before(load, mode, end):
    inst = load(FACTORIAL)
    tier = inst.exports.fac.tier
    name, arguments = ("divide", (1, 0)) if end == "trap" else ("twice", (5,))
    with wasm.Debugger(inst) as debugger:
        debugger.start(name, *arguments)
        assert inst.function(name).tier == "interp" and inst.function(name).tier.why == f"mode {mode}, single steps"
        debugger.close() if end == "close" else debugger.run()
        assert inst.mode == mode and inst.exports.fac.tier.why == tier.why
    for _ in range(3):
        assert inst.exports.twice(5) == 122
    assert inst.exports.twice.tier == ("interp" if mode == "interp" else "native")


def test_compiled_code_is_left_for_single_steps(inst, mode):
    for _ in range(3):
        assert inst.exports.fac(5) == 120
    assert len(list(trace(inst, "fac", 5))) == 11 * 5 + 6
    assert inst.exports.fac(5) == 120 and inst.exports.fac.tier == ("interp" if mode == "interp" else "native")


def test_the_mode_may_be_changed_meanwhile(inst):
    with wasm.Debugger(inst) as debugger:
        debugger.start("fac", 3)
        inst.mode = "jit"
        assert at(debugger.step()) == [("fac", "i32.eqz")] and debugger.run() is None and debugger.result == 6
    assert inst.exports.fac(3) == 6 and inst.exports.fac.tier == "native"


def test_memory_can_be_looked_at_and_changed(load):
    inst = load("""(module (memory (export "m") 1)
      (func (export "f") (result i32) (i32.store (i32.const 8) (i32.const 5)) (i32.load (i32.const 8))))""")
    with wasm.Debugger(inst) as debugger:
        state = debugger.start("f")
        while state.frames[0].instruction != "i32.load":
            state = debugger.step()
        assert inst.exports.m[8] == 5
        inst.exports.m[8] = 9
        assert debugger.run() is None and debugger.result == 9


def test_a_state_stays_what_it_was(debugger):
    before = debugger.start("fac", 2)
    for _ in range(3):
        debugger.step()
    assert numbers(before.frames[0].operands) == [] and at(before) == [("fac", "local.get")]


def test_functions_that_cannot_be_interpreted_are_stepped_over(load):
    inst = load(f"""(module (func $large (export "large") (param i32) (result i32) (local {"i64 " * 31000}) (local.get 0))
      (func (export "f") (result i32) (call $large (i32.const 8))))""")
    assert [at(state) for state in trace(inst, "f")] == [[("f", "i32.const")], [("f", "call")], [("f", "end")]]
    with wasm.Debugger(inst) as debugger:
        assert debugger.start("large", 3) is None and debugger.result == 3
        with pytest.raises(ValueError, match="function 0 has too many locals"):
            debugger.breakpoint("large")


# --- abandoning

def test_close_ends_the_thread(inst):
    debugger = wasm.Debugger(inst)
    debugger.start("forever")
    assert len(threads()) == 1
    debugger.close()
    assert threads() == [] and debugger.state is None and debugger.error is None and inst.exports.fac(3) == 6
    assert at(debugger.start("fac", 1)) == [("fac", "local.get")]
    debugger.close()
    debugger.close()


def test_the_last_reference_ends_the_thread(inst):
    debugger = wasm.Debugger(inst)
    debugger.start("forever")
    debugger.breakpoint("forever")
    del debugger
    gc.collect()
    assert threads() == [] and inst.exports.fac(3) == 6


def test_an_instance_that_was_stepped_through_goes(load):
    inst = load(FACTORIAL)
    for end in (wasm.Debugger.run, wasm.Debugger.close):
        debugger = wasm.Debugger(inst)
        debugger.start("fac", 2)
        end(debugger)
    gone = weakref.ref(inst._inst)
    del inst, debugger
    gc.collect()
    assert gone() is None


def test_an_abandoned_trace_ends_the_thread(inst):
    states = trace(inst, "forever")
    next(states)
    states.close()
    assert threads() == [] and inst.exports.fac(3) == 6


def test_host_functions_see_that_a_call_is_abandoned(load):
    seen = []

    def host(n):
        try:
            return inst.exports.inner(n)
        except BaseException as error:
            seen.append(error)
            raise

    inst = load(HOST, {"env": {"host": host}})
    with wasm.Debugger(inst) as debugger:
        debugger.start("outer", 1)
        debugger.breakpoint("inner")
        debugger.run()
    assert len(seen) == 1 and not isinstance(seen[0], Exception) and threads() == []


def test_ctrl_c_stops_at_the_next_instruction(inst):
    with wasm.Debugger(inst) as debugger:
        debugger.start("forever")
        interrupter = Interrupter()
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            debugger.run()
        assert time.perf_counter() - interrupter.sent < 5
        assert at(debugger.state) == [("forever", "br")]
        assert at(debugger.step()) == [("forever", "br")]
    assert inst.exports.fac(3) == 6


def test_ctrl_c_in_another_instance(load):
    """It is not stepped through: the call stops when it comes back, or is abandoned where it is."""
    other = load('(module (func (export "host") (param i32) (result i32) (loop (br 0)) (unreachable)))')
    inst = load(HOST, {"env": other.exports})
    debugger = wasm.Debugger(inst)
    debugger.start("outer", 1)
    Interrupter().start()
    with pytest.raises(KeyboardInterrupt):
        debugger.run()
    debugger.close()
    assert threads() == [] and inst.exports.inner(4) == 8


def test_exit_while_a_call_stands_still(child, mode):
    done = child(f"""
        inst = load('(module (func (export "f") (loop (br 0))))', mode={mode!r})
        debugger = wasm.Debugger(inst)
        debugger.start("f")
        print("bye")""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "bye\n", "")
