"""Memory stays where it was. Each in a process of its own, whose resident size is measured after a warm-up.
`LEAK_TIMES=20` repeats everything so many times more often."""
import os

import pytest

TIMES = int(os.environ.get("LEAK_TIMES", "1"))

MEASURE = """
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
def growth(work, count):
    for _ in range(count // 10): work()
    before = resident()
    for _ in range(count): work()
    print(resident() - before)
def expect(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return
    raise AssertionError("no error")
"""
MEBIBYTE = 1 << 20

WORKS = {
    "instantiations": (20_000, """
module = wasm.Module('''(module (import "m" "f" (func $f (param i32))) (memory (export "m") 1) (table 10 funcref)
    (elem (i32.const 0) $g) (global (mut i64) (i64.const 1)) (data (i32.const 0) "abc")
    (func $g (export "g") (param i32) (call $f (local.get 0))))''', engine=engine)
def work():
    wasm.Instance(module, {"m": {"f": int}}).exports.g(1)"""),
    "traps": (50_000, """
inst = load('''(module (memory 1) (func $f (param i32) (drop (i32.load (local.get 0)))) (func (export "f") (param i32)
    (call $f (local.get 0))))''', mode=mode)
def work():
    expect(wasm.Trap, inst.exports.f, -4)"""),
    "frames of traps": (3_000, """
inst = load('(module (func $f unreachable) (func (export "f") (call $f)))', mode=mode)
def work():
    try:
        inst.exports.f()
    except wasm.Trap as error:
        assert len(error.frames) == 2"""),
    "exceptions of host functions": (20_000, """
def fail(number):
    raise LookupError(str(number) * 100)
inst = load('(module (import "m" "f" (func $f (param i32))) (func (export "f") (param i32) (call $f (local.get 0))))',
            {"m": {"f": fail}}, mode)
def work():
    expect(LookupError, inst.exports.f, 5)"""),
    "wrong arguments": (20_000, """
inst = load('''(module (import "m" "f" (func $f (result i32 i32))) (func (export "f") (param i32 i64 f64) (result i32))
    (func (export "g") (result i32 i32) (call $f)))'''.replace('(param i32 i64 f64) (result i32))',
    '(param i32 i64 f64) (result i32) (i32.const 1))'), {"m": {"f": lambda: (1, "x" * 1000)}}, mode)
def work():
    for arguments in ((), ("x", 1, 1.0), (1, 1 << 70, 1.0), (1, 2, "x"), (1 << 40, 2, 3.0)):
        expect((TypeError, OverflowError), inst.exports.f, *arguments)
    expect(TypeError, inst.exports.g)"""),
    "calls with large numbers": (50_000, """
inst = load('''(module (import "m" "f" (func $f (param i64 f64) (result i64 f64)))
    (func (export "f") (param i64 f64) (result i64 f64) (call $f (local.get 0) (local.get 1))))''',
    {"m": {"f": lambda a, b: (a, b)}}, mode)
def work():
    inst.exports.f((1 << 63) + 12345, 1e100)"""),
    "exhaustions": (300, """
inst = load('(module (func $f (export "f") (call $f)))', mode=mode)
def work():
    expect(wasm.Exhaustion, inst.exports.f)"""),
    "growing memories": (2_000, """
module = wasm.Module('''(module (memory (export "m") 1) (func (export "f") (drop (memory.grow (i32.const 3)))
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 200000))))''', engine=engine)
def work():
    exports = wasm.Instance(module).exports
    exports.f()
    exports.m.grow(2)"""),
    "threads": (500, """
inst = load('''(module (func (export "f") (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0)
  (i32.const 1)))))))''',
            mode=mode)
def work():
    thread = threading.Thread(target=inst.exports.f, args=(10,))
    thread.start()
    thread.join()"""),
    "failed instantiations": (3_000, """
module = wasm.Module('(module (memory 1) (data (i32.const 65536) "x"))', engine=engine)
def work():
    expect(wasm.Trap, wasm.Instance, module)
    expect(wasm.LinkError, wasm.load, '(module (import "a" "b" (func)))')"""),
    "host closures in cycles with instances": (5_000, """
module = wasm.Module('''(module (import "m" "f" (func $f (param i32))) (memory 1)
    (func (export "g") (param i32) (call $f (local.get 0))))''', engine=engine)
class Host:
    def __init__(self):
        self.seen = []
        self.inst = wasm.Instance(module, {"m": {"f": lambda number: self.seen.append(number)}})
        self.inst.exports.g(1)
def work():
    assert Host().seen == [1]"""),
    "memory views": (5_000, """
inst = load('(module (memory (export "m") 1))', mode=mode)
memory = inst.exports.m
def work():
    view = memoryview(memory)
    assert view[0] == 0 and memory[0:16] == bytes(16)
    ctypes.c_char.from_buffer(view[5:6])"""),
    "exec_envs": (2_000, """
inst = load('(module (func (export "f") (param i32) (result i32) (local.get 0)))', mode=mode)
def work():
    env = wasm.ExecEnv(inst, 1 << 16)
    assert env.call("f", 5) == 5"""),
    "interrupts": (100, """
inst = load('(module (func (export "f") (loop $l (br $l))))', mode=mode)
def interrupt():
    while not inst.interrupt():     # it has not begun
        time.sleep(0.0005)
def work():
    thread = threading.Thread(target=interrupt)
    thread.start()
    expect(wasm.Interrupted, inst.exports.f)
    thread.join()"""),
    "functions passed as references": (3_000, """
source = wasm.Module('(module (memory 1) (func (export "f")))', engine=engine)
keeper = wasm.Module('''(module (table (export "t") 1 funcref) (func (export "keep") (param funcref)
    (table.set (i32.const 0) (local.get 0))))''', engine=engine)
def work():
    exports, table = wasm.Instance(keeper).exports, wasm.Table(1)
    exports.keep(wasm.Instance(source).exports.f)
    exports.t[0] = table[0] = wasm.Instance(source).exports.f"""),
    "host functions with signatures": (3_000, """
module = wasm.Module('''(module (import "m" "f" (func $f (param i32 i32))) (memory 1)
    (func (export "g") (call $f (i32.const 0) (i32.const 9))))''', engine=engine)
class Host:
    def __init__(self):
        self.linker = wasm.Linker()
        self.linker.function("m", "f")(wasm.host_function("(*~)")(self.take))
        self.inst = self.linker.instantiate(module)
        self.inst.exports.g()
    def take(self, view):
        self.view = view
def work():
    assert len(Host().view) == 9"""),
    "host functions in tables": (3_000, """
source = wasm.Module('''(module (import "m" "f" (func $f)) (export "f" (func $f)) (table (export "t") 1 funcref)
  (elem (i32.const 0) $f))''',
                     engine=engine)
def work():
    exports = wasm.Instance(source, {"m": {"f": lambda: None}}).exports
    exports.f()
    exports.t[0]()"""),
}


def grown(child, mode, count, code):
    prelude = f"{MEASURE}\nmode, engine = {mode!r}, wasm.Engine(mode={mode!r}, tier_up_threshold=1, background=False)\n"
    done = child(f"{prelude}{code}\ngrowth(work, {count * TIMES})", timeout=120 * TIMES)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("what", WORKS)
def test_memory_stays(child, mode, what):
    count, code = WORKS[what]
    assert grown(child, mode, count, code) < 3 * MEBIBYTE


@pytest.mark.parametrize("mode, count", [("interp", 1_000), ("jit", 60), ("tiered", 60)])
def test_modules_come_and_go(child, mode, count):
    """Each another one, compiled anew and run."""
    assert grown(child, mode, count, """
engine, numbers = wasm.Engine(mode=mode, cache=False, tier_up_threshold=1, background=False), iter(range(10 ** 6))
def work():
    number = next(numbers)
    module = wasm.Module(f'''(module (memory 1) (func (export "f") (param i32) (result i32)
        (i32.add (local.get 0) (i32.const {number}))))''', engine=engine)
    assert wasm.Instance(module).exports.f(1) == number + 1""") < 6 * MEBIBYTE
