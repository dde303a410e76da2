"""Threads: the GIL is free while wasm runs, and an instance belongs to one thread at a time."""
import gc
import multiprocessing
import os
import threading
import time

import pytest

import pyjit_wasm as wasm

WORK = """(module (memory 1) (func $f (export "random") (param i32) (result i64) (local i64) (loop $l
    (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 6364136223846793005)) (i64.const 1)))
    (i64.store (i32.and (local.get 0) (i32.const 1016)) (local.get 1))
    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))
  (func (export "trap") (param i32) (result i32) (i32.load offset=65533 (local.get 0)))
  (func (export "small") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"""


def random(steps, factor=6364136223846793005):
    value = (pow(factor, steps, factor - 1 << 64) - 1) // (factor - 1) & (1 << 64) - 1
    return value - (value >> 63 << 64)


def in_threads(*works):
    """Run callables, each in a thread of its own; their results or exceptions in order."""
    results = [None] * len(works)

    def run(index, work):
        try:
            results[index] = work()
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive()
    return results


def long_call(inst, done):
    """A call that takes a while; `done` is set at its end."""
    try:
        return inst.exports.random(60_000_000)
    finally:
        done.set()


def test_other_threads_run_meanwhile(load):
    inst, done, ticks = load(WORK), threading.Event(), 0
    thread = threading.Thread(target=long_call, args=(inst, done))
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks >= 5


def test_a_thread_works_while_the_main_thread_is_in_wasm(load):
    inst, stop, ticks = load(WORK), threading.Event(), []

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    inst.exports.random(60_000_000)
    end = time.perf_counter()
    stop.set()
    thread.join()
    assert sum(start < t < end for t in ticks) >= 5


def test_two_threads_in_one_instance(load):
    inst, done = load(WORK), threading.Event()
    inst.exports.small(1)
    results = []
    thread = threading.Thread(target=lambda: results.append(long_call(inst, done)))
    thread.start()
    time.sleep(0.02)
    refused = 0
    while not done.is_set():
        try:
            assert inst.exports.small(5) == 6
        except wasm.InUseError:
            refused += 1
    thread.join()
    assert refused > 0 and results == [random(60_000_000)]
    assert inst.exports.small(5) == 6


def test_in_use_during_a_host_call(load):
    """While its host function waits, the instance still belongs to the first thread."""
    entered, leave = threading.Event(), threading.Event()

    def wait():
        entered.set()
        leave.wait(10)

    inst = load('(module (import "m" "f" (func $f)) (func (export "g") (call $f)) (func (export "h")))',
                {"m": {"f": wait}})
    thread = threading.Thread(target=inst.exports.g)
    thread.start()
    entered.wait(10)
    for name in ("g", "h"):
        with pytest.raises(wasm.InUseError):
            inst.exports[name]()
    leave.set()
    thread.join()
    assert inst.exports.h() is None


def test_two_instances_of_one_module(engine):
    module = wasm.Module(WORK, engine=engine)
    instances = [wasm.Instance(module) for _ in range(4)]
    results = in_threads(*[lambda i=i, n=n: i.exports.random(n) for n, i in enumerate(instances, 5_000_000)])
    assert results == [random(n) for n in range(5_000_000, 5_000_004)]


def test_traps_in_many_threads(load_bounded):
    def work():
        inst = load_bounded(WORK)
        for _ in range(300):
            with pytest.raises(wasm.Trap, match="out of bounds memory access"):
                inst.exports.trap(0)
        return inst.exports.small(1)

    assert in_threads(*[work] * 8) == [2] * 8


def test_an_instance_goes_from_thread_to_thread(load):
    inst = load(WORK)
    for number in range(50):
        assert in_threads(lambda: inst.exports.small(number)) == [number + 1]


def test_threads_that_end(load):
    """What a thread had is freed with it; new ones start afresh."""
    inst = load(WORK)

    def trap():
        with pytest.raises(wasm.Trap):
            inst.exports.trap(0)
        return inst.exports.random(10)

    for _ in range(300):
        assert in_threads(trap) == [random(10)]


def test_compiling_in_many_threads(engine):
    """The first calls of one module's functions, all at once."""
    functions = [f'(func (export "f{i}") (param i32) (result i32) (i32.add (local.get 0) (i32.const {i})))'
                 for i in range(40)]
    module = wasm.Module(f"(module {' '.join(functions)})", engine=engine)

    def work():
        inst = wasm.Instance(module)
        return [inst.exports[f"f{i}"](1000) for i in range(40)]

    assert in_threads(*[work] * 6) == [[1000 + i for i in range(40)]] * 6


def test_instances_die_while_others_run_and_trap(load_bounded):
    """Memories come and go, by the collector too, while another thread's faults are looked up."""
    stop = threading.Event()

    def churn():
        count = 0
        while not stop.is_set():
            load_bounded('(module (memory 1) (func (export "f")))')
            count += 1
            if count % 20 == 0:
                gc.collect()
        return count

    def trap():
        inst = load_bounded(WORK)
        try:
            for _ in range(2000):
                with pytest.raises(wasm.Trap, match="out of bounds"):
                    inst.exports.trap(0)
        finally:
            stop.set()

    count, error = in_threads(churn, trap)
    assert count > 0 and error is None


def test_a_shared_memory_grows_while_it_is_used(load):
    """Growth in one thread, accesses in another: the base does not move."""
    memory = wasm.Memory(1, 2000)
    source = """(module (import "m" "m" (memory 1 2000))
      (func (export "use") (param i32) (loop $l (i32.store (i32.const 65000) (local.get 0))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
    inst = load(source, {"m": {"m": memory}})
    thread = threading.Thread(target=inst.exports.use, args=(20_000_000,))
    thread.start()
    for _ in range(1000):
        memory.grow(1)
    thread.join()
    assert memory.pages == 1001 and memory[65000:65004] == b"\1\0\0\0"


def _in_child(inst, pipe):
    result = [inst.exports.random(1000), inst.exports.small(1)]
    try:
        inst.exports.trap(0)
    except wasm.Trap as error:
        result.append(error.code)
    pipe.send(result)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_after_a_fork(load):
    inst = load(WORK)
    inst.exports.small(1)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_in_child, args=(inst, theirs))
    process.start()
    assert ours.poll(30)
    assert ours.recv() == [random(1000), 2, "out of bounds memory access"]
    process.join(10)
    assert process.exitcode == 0 and inst.exports.random(1000) == random(1000)


def test_a_fork_inside_a_host_function(child, mode):
    """Parent and child go on in the same call, each with a stack of its own."""
    done = child(f"""
        pids = []
        def fork(n):
            pids.append(os.fork())
            return n + (1 if pids[-1] else 2)
        inst = load('''(module (import "m" "fork" (func $fork (param i32) (result i32)))
          (func $sum (param i32) (result i32) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
            (else (i32.add (local.get 0) (call $sum (i32.sub (local.get 0) (i32.const 1)))))))
          (func (export "f") (result i32) (i32.add (call $fork (i32.const 5)) (call $sum (i32.const 1000)))))''',
          {{"m": {{"fork": fork}}}}, {mode!r})
        result = [inst.exports.f() for _ in range(1)]
        if pids[0]:
            os.waitpid(pids[0], 0)
        print(result, flush=True)""")
    assert done.stdout == "[500507]\n[500506]\n", (done.returncode, done.stdout, done.stderr[-400:])


def test_background_compilation_after_a_fork(child):
    done = child("""
        from pyjit_wasm.tiering.queue import queue
        def heat(number):
            inst = load(f'(module (func (export "f") (result i32) (i32.const {number})))', mode="tiered",
                        tier_up_threshold=5, background=True)
            for _ in range(20):
                inst.exports.f()
            queue.drain()
            return inst.function("f").tier
        print(heat(1), flush=True)
        pid = os.fork()
        os.write(1, f"{heat(2)}\\n".encode())  # both processes do: a line at once
        if pid:
            os.waitpid(pid, 0)""", timeout=30)
    assert done.stdout == "native\n" * 3, done.stderr
