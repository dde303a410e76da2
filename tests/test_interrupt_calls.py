"""An interrupt is for the call that runs when it is asked for, whose thread may end at any moment. First uses in any thread."""
import asyncio
import os
import signal
import threading
import time
import traceback

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.runtime import services

CALLS_HOST = '(module (import "m" "h" (func $h)) (func (export "f") (call $h)) (func (export "g") (call $h)))'


def in_thread(function):
    """Call a function in another thread and wait for it."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(30)
    return results[0]


class Host:
    """A host function that runs the next of `steps`."""

    def __init__(self):
        self.steps = []

    def __call__(self):
        self.steps.pop(0)()


def refuse():
    raise LookupError


def test_an_interrupt_does_not_reach_the_next_call(load):
    """The call ends by another exception before it looks for the interrupt."""
    host = Host()
    inst = load(CALLS_HOST, {"m": {"h": host}})
    host.steps += [lambda: None]
    inst.exports.f()
    for _ in range(3):
        asked = []
        host.steps += [lambda: asked.append(in_thread(inst.interrupt)) or refuse(), lambda: time.sleep(0.1)]
        with pytest.raises(LookupError):
            inst.exports.f()
        inst.exports.f()
        assert asked == [True]


def test_an_interrupt_does_not_reach_the_next_call_inside_another(load):
    """The instances share a function, and so their owner, which stays the same all the time."""
    host = Host()
    inner = load(CALLS_HOST, {"m": {"h": host}})
    calls = []

    def twice():
        with pytest.raises(LookupError):
            inner.exports.f()
        inner.exports.f()
        calls.append("done")

    outer = load("""(module (import "i" "g" (func $g)) (import "m" "twice" (func $twice)) (table funcref (elem $g))
      (func (export "f") (call $twice)))""", {"i": inner.exports, "m": {"twice": twice}})
    host.steps += [lambda: in_thread(inner.interrupt) and refuse(), lambda: time.sleep(0.05)]
    outer.exports.f()
    assert calls == ["done"]


def test_an_interrupt_of_an_outer_call_comes_when_the_inner_one_has_ended(load):
    host = Host()
    inner = load(CALLS_HOST, {"m": {"h": host}})

    def call_inner():
        with pytest.raises(LookupError):
            inner.exports.f()

    outer = load(CALLS_HOST, {"m": {"h": call_inner}})
    host.steps += [lambda: in_thread(outer.interrupt) and refuse()]
    with pytest.raises(wasm.Interrupted):
        outer.exports.f()
    host.steps += [refuse]
    outer.exports.f()


def test_interrupts_hit_the_call_that_ran(load):
    """Short calls and many interrupts: each names the calls that may have been running when it was asked for."""
    inst = load("""(module (func (export "f") (param i32)
      (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))""")
    inst.exports.f(1)
    end, call, late, hits = time.monotonic() + 1.5, [0], [], []

    def run():
        while time.monotonic() < end:
            call[0] += 1
            try:
                inst.exports.f(30_000)
            except wasm.Interrupted as error:
                hits.append(error)
                if call[0] > last.get(error.args[0], call[0]):
                    late.append(error)

    last = {}
    thread = threading.Thread(target=run)
    thread.start()
    number = 0
    while thread.is_alive():
        if inst.interrupt(wasm.Interrupted(number)):
            last[number] = call[0]
        number += 1
        time.sleep(0.001)
    thread.join()
    assert not late


SPIN = """(module (import "m" "begin" (func $begin)) (memory 1)
  (func $inner (call $begin)
    (loop $l (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) (br $l)))
  (func $outer (export "f") (call $inner)))"""


class Begin:
    """The host function that `SPIN` calls when everything is ready; soon after that `then` is called."""

    def __call__(self):
        threading.Timer(0.1, self.then).start()


@pytest.fixture
def begin():
    return Begin()


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


def names(error):
    """Of the entries of a traceback, outermost first, those of wasm."""
    return [entry.name for entry in traceback.extract_tb(error.__traceback__) if entry.filename.startswith("wasm://")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGALRM, None])
def test_what_interrupts_has_frames(load, begin, number):
    """KeyboardInterrupt, what a handler raises, and Interrupted."""
    inst = load(SPIN, {"m": {"begin": begin}})
    wanted = {signal.SIGINT: KeyboardInterrupt, signal.SIGALRM: Stop, None: wasm.Interrupted}[number]
    begin.then = inst.interrupt if number is None else lambda: os.kill(os.getpid(), number)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        for _ in range(2):
            with pytest.raises(wanted) as caught:
                inst.exports.f()
            assert names(caught.value) == ["outer", "inner"]
            if number is None:
                assert [frame.name for frame in caught.value.frames] == ["inner", "outer"]
                assert all(entry.filename != services.__file__ for entry in traceback.extract_tb(caught.value.__traceback__))
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_trap_that_interrupts_has_frames(load, begin):
    inst, trap = load(SPIN, {"m": {"begin": begin}}), wasm.Trap("out of time")
    begin.then = lambda: inst.interrupt(trap)
    with pytest.raises(wasm.Trap) as caught:
        inst.exports.f()
    assert caught.value is trap and [frame.name for frame in trap.frames] == ["inner", "outer"]


def test_frames_across_a_host_function(load, begin):
    """The traceback has all stacks, `frames` the innermost one, as those of traps."""
    inner = load(SPIN, {"m": {"begin": begin}})
    outer = load('(module (import "m" "h" (func $h)) (func $first (export "f") (call $h)))', {"m": {"h": lambda: inner.exports.f()}})
    begin.then = outer.interrupt
    with pytest.raises(wasm.Interrupted) as caught:
        outer.exports.f()
    assert names(caught.value) == ["first", "outer", "inner"]
    assert [frame.name for frame in caught.value.frames] == ["inner", "outer"]


def test_threads_end_while_others_interrupt_and_look(child, mode):
    """Their stacks are so large that nothing is left of them when they have ended."""
    done = child(f"""
        sys.setswitchinterval(1e-6)
        inst = load('''(module (import "m" "h" (func $h)) (func (export "f") (param i32)
          (loop $l (call $h) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))''',
          {{"m": {{"h": lambda: None}}}}, {mode!r})
        env = wasm.ExecEnv(inst)
        env.call("f", 1)
        end, threads = time.monotonic() + 3, 0
        def short():
            try:
                env.call("f", 3)
            except (wasm.Interrupted, wasm.InUseError):
                pass
        def spawn():
            global threads
            threading.stack_size(80 << 20)
            while time.monotonic() < end:
                thread = threading.Thread(target=short)
                thread.start()
                thread.join()
                threads += 1
        spawning = threading.Thread(target=spawn)
        spawning.start()
        from pyjit_wasm.runtime.interrupts import Interrupt
        while time.monotonic() < end:
            for _ in range(100):
                Interrupt(env._env, wasm.Interrupted()).poke()
            for _ in range(10):
                env.frames
        spawning.join()
        print(threads > 10)""")
    assert done.stdout == "True\n", (done.returncode, done.stderr[-500:])


FIRST_USES = {
    "profile": "with wasm.profile(): time.sleep(0.2)",
    "frames": "wasm.ExecEnv(inst).frames; env.frames",
    "interrupt": "inst.interrupt(); env.interrupt()",
}


@pytest.mark.parametrize("use", FIRST_USES)
def test_first_use_in_a_thread(child, mode, use):
    """Something is used for the first time outside of the main thread, which has run wasm and waits, then runs wasm."""
    done = child(f"""
        inst = load('(module (func (export "f") (loop $l (br $l))) (func (export "g")))', mode={mode!r})
        inst.exports.g()
        env = wasm.ExecEnv(inst)
        def work():
            {FIRST_USES[use]}
        for _ in range(2):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            with wasm.profile() as p:
                time.sleep(0.05)
                threading.Timer(0.2, env.interrupt).start()
                try:
                    env.call("f")
                except wasm.Interrupted:
                    print(p._sampler is not None)""")
    assert done.stdout == "True\n" * 2, (done.returncode, done.stderr[-500:])


def test_a_task_that_is_cancelled_again_and_again(load):
    """CancelledError comes when the host function and the wasm have ended."""
    ended = []

    def slow():
        time.sleep(0.2)
        ended.append(1)

    inst = load(CALLS_HOST, {"m": {"h": slow}})

    async def main():
        task = asyncio.ensure_future(inst.exports.f.call_async())
        await asyncio.sleep(0.05)
        for _ in range(4):
            task.cancel()
            await asyncio.sleep(0.005)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [1]
        inst.exports.f()
    asyncio.run(main())
