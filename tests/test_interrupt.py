"""Ctrl-C, Python's signal handlers, and real crashes. What might kill or hang the process runs in a child."""
import os
import signal
import threading
import time

import pytest

LOOPS = """(module (import "m" "sleep" (func $sleep)) (memory 64) (global $n (mut i64) (i64.const 0))
  (type $v (func)) (table funcref (elem $step))
  (func (export "forever") (loop $l (br $l)))
  (func (export "random") (param i32) (result i64) (local i64) (loop $l
    (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 6364136223846793005)) (i64.const 1)))
    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))
  (func (export "loads") (loop $l (drop (i32.load (i32.const 64))) (i32.store (i32.const 0) (i32.const 1)) (br $l)))
  (func $step (global.set $n (i64.add (global.get $n) (i64.const 1))))
  (func (export "calls") (loop $l (call $step) (br $l)))
  (func (export "indirect") (loop $l (call_indirect (type $v) (i32.const 0)) (br $l)))
  (func (export "fill") (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 100)) (br $l)))
  (func (export "copy") (loop $l (memory.copy (i32.const 9) (i32.const 0) (i32.const 50)) (br $l)))
  (func (export "grow") (loop $l (drop (memory.grow (i32.const 0))) (br $l)))
  (func (export "host") (loop $l (call $sleep) (br $l)))
  (func (export "ok") (result i32) (i32.const 42)))"""
ENDLESS = ("forever", "loads", "calls", "indirect", "fill", "copy", "grow", "host")


def random(steps, factor=6364136223846793005):
    """What `random` returns: the sum of the powers of `factor`, modulo 2**64, signed."""
    value = (pow(factor, steps, factor - 1 << 64) - 1) // (factor - 1) & (1 << 64) - 1
    return value - (value >> 63 << 64)


class Interrupter(threading.Thread):
    """Sends SIGINT in a moment; `sent` is when."""

    def __init__(self, after=0.05, number=signal.SIGINT):
        super().__init__(daemon=True)
        self.after, self.number, self.sent = after, number, None

    def run(self):
        time.sleep(self.after)
        self.sent = time.perf_counter()
        os.kill(os.getpid(), self.number)


@pytest.fixture
def loops(load_bounded):
    return load_bounded(LOOPS, {"m": {"sleep": lambda: time.sleep(0.001)}})


def interrupt(function, *arguments):
    """Seconds between SIGINT and KeyboardInterrupt."""
    interrupter = Interrupter()
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        function(*arguments)
    return time.perf_counter() - interrupter.sent


@pytest.mark.parametrize("name", ENDLESS)
def test_ctrl_c(loops, name):
    loops.exports.ok()
    for _ in range(2):
        assert interrupt(loops.exports[name]) < 1
        assert loops.exports.ok() == 42


BULK = {
    "fill": "(memory.fill (i32.const 0) (i32.const 1) (i32.const 50000000))",
    "copy": "(memory.copy (i32.const 0) (i32.const 50000000) (i32.const 50000000))",
    "init": "(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1000000))",
    "table.fill": "(table.fill (i32.const 0) (ref.null func) (i32.const 1000000))",
    "table.copy": "(table.copy (i32.const 0) (i32.const 1000000) (i32.const 1000000))",
}


@pytest.mark.parametrize("kind", BULK)
def test_ctrl_c_in_large_bulk_operations(child, mode, kind):
    # nearly all the time is spent in the C library
    done = child(f"""
        inst = load('(module (memory 1600) (table 2000000 funcref) (data "' + 'x' * 1000000 + '")'
                    ' (func (export "f") (loop $l {BULK[kind]} (br $l))))', mode={mode!r})
        sent = []
        threading.Timer(0.2, lambda: (sent.append(time.perf_counter()), os.kill(os.getpid(), signal.SIGINT))).start()
        try:
            inst.exports.f()
        except KeyboardInterrupt:
            print(time.perf_counter() - sent[0])""", timeout=10)
    assert float(done.stdout) < 1, done.stderr


def test_ctrl_c_in_a_loop_of_c_calls(child, mode):
    # called without Python in between
    done = child(f"""
        usleep = ctypes.CDLL(None).usleep
        usleep.argtypes, usleep.restype = [ctypes.c_uint32], ctypes.c_int32
        inst = load('''(module (import "c" "usleep" (func $u (param i32) (result i32)))
          (func (export "f") (loop $l (drop (call $u (i32.const 3000)))
            (br $l))))''', {{"c": {{"usleep": usleep}}}}, {mode!r})
        sent = []
        threading.Timer(0.2, lambda: (sent.append(time.perf_counter()), os.kill(os.getpid(), signal.SIGINT))).start()
        try:
            inst.exports.f()
        except KeyboardInterrupt:
            print(time.perf_counter() - sent[0])""", timeout=10)
    assert float(done.stdout) < 1, done.stderr


def test_ctrl_c_in_a_recursion(load):
    inst = load("""(module (func $fib (export "fib") (param i32) (result i32)
      (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0)) (else (i32.add
        (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))""")
    assert interrupt(inst.exports.fib, 60) < 1
    assert inst.exports.fib(15) == 610


def test_ctrl_c_in_a_nested_call(loops, load):
    """The exception passes through the outer wasm call and its host function."""
    outer = load("""(module (import "m" "f" (func $f)) (func (export "g") (loop $l (call $f) (br $l))))""",
                 {"m": {"f": loops.exports.forever}})
    assert interrupt(outer.exports.g) < 1
    outer = load("""(module (import "m" "f" (func $f)) (func (export "g") (loop $l (call $f) (br $l))))""",
                 {"m": {"f": lambda: loops.exports.forever()}})
    assert interrupt(outer.exports.g) < 1
    assert loops.exports.ok() == 42


def test_a_handler_that_does_not_raise(loops):
    """Wasm goes on where it was, with the same values."""
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        interrupter = Interrupter()
        interrupter.start()
        steps = 1 << 20
        while not seen:
            assert loops.exports.random(steps) == random(steps)
            steps *= 2
    finally:
        signal.signal(signal.SIGINT, before)
    interrupter.join()
    assert interrupt(loops.exports.forever) < 1


def test_a_handler_that_raises_something_else(loops):
    class Stop(Exception):
        pass

    def handler(*_):
        raise Stop

    before = signal.signal(signal.SIGINT, handler)
    try:
        Interrupter().start()
        with pytest.raises(Stop):
            loops.exports.forever()
    finally:
        signal.signal(signal.SIGINT, before)
    assert loops.exports.ok() == 42


def test_many_signals_that_do_not_raise(child, mode):
    """Results stay right however often and wherever a loop is interrupted."""
    done = child(f"""
        inst = load('''(module (memory 1) (func (export "f") (param i32) (result f64) (local f64 i64 f32 i32)
          (loop $l (local.set 1 (f64.add (local.get 1) (f64.convert_i32_u (local.get 4))))
            (local.set 2 (i64.add (local.get 2) (i64.extend_i32_u (local.get 4))))
            (i64.store (i32.and (local.get 4) (i32.const 0xfff8)) (local.get 2))
            (br_if $l (i32.lt_u (local.tee 4 (i32.add (local.get 4) (i32.const 1))) (local.get 0))))
          (f64.add (local.get 1) (f64.convert_i64_u (local.get 2)))))''', mode={mode!r})
        expected, seen = inst.exports.f(3_000_000), []
        signal.signal(signal.SIGINT, lambda *_: seen.append(sum(range(50))))
        def pester():
            while not done:
                time.sleep(0.0003)
                os.kill(os.getpid(), signal.SIGINT)
        done = []
        thread = threading.Thread(target=pester)
        thread.start()
        results = {{inst.exports.f(3_000_000) for _ in range(40)}}
        done.append(1)
        thread.join()
        print(results == {{expected}} == {{float(3_000_000 * 2_999_999)}}, len(seen) > 20)""")
    assert done.stdout == "True True\n", (done.returncode, done.stdout, done.stderr[-600:])


def test_a_handler_that_calls_the_interrupted_instance(child, mode):
    """It must not disturb the frames of what it interrupted."""
    done = child(f"""
        inst = load('''(module (func $sum (export "sum") (param i64) (result i64) (if (result i64) (i64.eqz
          (local.get 0))
            (then (i64.const 0)) (else (i64.add (local.get 0) (call $sum (i64.sub (local.get 0) (i64.const 1)))))))
          (func $work (param i64) (result i64) (local i64 i64) (loop $l
            (local.set 2 (i64.add (local.get 2) (i64.and (local.get 1) (i64.const 3))))
            (br_if $l (i64.lt_u (local.tee 1 (i64.add (local.get 1) (i64.const 1))) (local.get 0)))) (local.get 2))
          (func (export "work") (param i64) (result i64) (i64.add (i64.const 5) (call $work (local.get 0)))))''',
          mode={mode!r})
        expected = inst.exports.work(8_000_000)
        seen = []
        def handler(*_):
            try:
                seen.append(inst.exports.sum(50))
            except wasm.InUseError:
                seen.append(1275)
        signal.signal(signal.SIGINT, handler)
        def pester():
            while not done:
                time.sleep(0.001)
                os.kill(os.getpid(), signal.SIGINT)
        done = []
        thread = threading.Thread(target=pester)
        thread.start()
        results = {{inst.exports.work(8_000_000) for _ in range(10)}}
        done.append(1)
        thread.join()
        print(results == {{expected}}, set(seen) == {{1275}}, expected)""")
    assert done.stdout == "True True 12000005\n", (done.returncode, done.stdout, done.stderr[-600:])


def test_a_handler_set_after_instantiation(child, mode):
    """`signal.signal` replaces the process's handler; ours must come back by itself."""
    done = child(f"""
        inst = load('(module (func (export "f") (loop $l (br $l))))', mode={mode!r})
        class Stop(Exception): pass
        def handler(*_):
            raise Stop
        for handler in (handler, signal.default_int_handler):
            signal.signal(signal.SIGINT, handler)
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                inst.exports.f()
            except (Stop, KeyboardInterrupt) as error:
                print(type(error).__name__)""", timeout=20)
    assert done.stdout == "Stop\nKeyboardInterrupt\n", done.stderr


def test_ignored_and_default_actions(child):
    done = child("""
        inst = load('(module (func (export "f") (result i32) (loop $l (br_if $l (i32.const 0))) (i32.const 1)))')
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGINT)
        load('(module)')
        print(inst.exports.f(), flush=True)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        load('(module)')
        os.kill(os.getpid(), signal.SIGINT)
        print("unreachable")""")
    assert (done.stdout, done.returncode) == ("1\n", -signal.SIGINT), done.stderr


def test_other_signals_still_work(loops):
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
    try:
        Interrupter(number=signal.SIGUSR1).start()
        deadline = time.perf_counter() + 5
        while not seen and time.perf_counter() < deadline:
            loops.exports.random(1000)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen


def test_only_the_main_thread_is_interrupted(loops):
    """Python's rule: a loop in another thread goes on."""
    results = []
    thread = threading.Thread(target=lambda: results.append(loops.exports.random(50_000_000)))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        Interrupter(0.01).start()
        time.sleep(5)
    thread.join(60)
    assert results == [random(50_000_000)]
