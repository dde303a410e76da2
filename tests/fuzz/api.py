"""Random use of the API from several threads at once, on instances of their own and on shared ones.

Each operation says what may come of it: a value that is known, or one of some exceptions. Shared instances may also be in
use (InUseError) or interrupted by another thread. At the end every instance must work still.
"""
import gc
import json
import pickle
import random
import signal
import sys
import threading
from collections import Counter, namedtuple

import pyjit_wasm as wasm
from modes import BOUNDS, MODES, engine

from .children import in_child
from .generator_values import Choices

NAME, SUFFIX, SIZE = "api", ".json", 5
THREADS, OPERATIONS, SECONDS = 3, 30, 110
SOURCE = """(module (import "env" "host" (func $host (param i32) (result i32)))
  (memory (export "memory") 1 16) (table (export "table") 4 100 funcref) (global (export "g") (mut i64) (i64.const 0))
  (global (export "x") (mut externref) (ref.null extern))
  (func $add (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "sum") (param i32) (result i64) (local i64) (loop $l
    (local.set 1 (i64.add (local.get 1) (i64.extend_i32_u (local.get 0))))
    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))
  (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 7) (local.get 1)))
  (func (export "trap") (param i32) (result i32) (i32.load offset=65533 (i32.add (local.get 0) (i32.const 1048576))))
  (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func $deep (export "deep") (param i32) (result i32) (if (result i32) (local.get 0)
    (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
  (func (export "call") (param i32) (result i32) (call $host (local.get 0)))
  (func (export "many") (param i32 i64 f32 f64) (result f64 f32 i64 i32) (local.get 3) (local.get 2) (local.get 1) (local.get 0))
  (func (export "indirect") (param i32) (result i32) (call_indirect (param i32 i32) (result i32)
    (i32.const 40) (i32.const 2) (local.get 0)))
  (func (export "echo") (param externref) (result externref) (local.get 0)) (elem declare func $add))"""
# arguments that suit nothing, or hardly
ODD = {"None": None, "str": "1", "float": 1.5, "huge": 1 << 70, "negative": -1, "list": [1], "bytes": b"1", "nan": float("nan"),
       "bool": True, "type": int, "liar": None}
NUMBERS = (0, 1, 2, 3, 7, 100, 65535, 65536, -1, 1 << 31, (1 << 32) - 1)
NUMERIC = (TypeError, OverflowError, ValueError)
SHARED = (wasm.InUseError, wasm.Interrupted)

# `made`: choices, `operations`: what they are, for people
Finding = namedtuple("Finding", "kind engine what made operations")


class Liar:
    """What raises where a number is wanted."""

    def __index__(self):
        raise KeyError("a liar")

    __float__ = __len__ = __index__


ODD["liar"] = Liar()


class World:
    """What the threads share: an engine, instances (the first ones shared, then one of each thread), and a module."""

    def __init__(self, mode, bounds):
        self.module = wasm.Module(SOURCE, engine=engine(mode, bounds))
        self.wrong, self.instances = [], [self.instance() for _ in range(2 + THREADS)]

    def instance(self):
        return wasm.Instance(self.module, {"env": {"host": lambda n: n + 1 & 0x7FFFFFFF}})


def expect(wanted, allowed, function, *arguments):
    """Calls; what is wrong, or None: another value than `wanted`, an exception that is not `allowed`."""
    try:
        found = function(*arguments)
    except (*allowed, *SHARED):
        return None
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return None if wanted is ... or found == wanted else f"{found!r} instead of {wanted!r}"


def _signed(n):
    return (n & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)


# what each operation does: (world, instance, two numbers, something odd) -> what is wrong, or None
def _add(world, inst, a, b, odd):
    return expect(_signed(a + b), (OverflowError,), inst.exports.add, a, b)


def _sum(world, inst, a, b, odd):
    n = a % 50_000 + 1
    return expect(n * (n + 1) // 2, (), inst.exports.sum, n)


def _deep(world, inst, a, b, odd):
    return expect(a % 1000, (wasm.Exhaustion,), inst.exports.deep, a % 1000)


def _call(world, inst, a, b, odd):
    return expect(_signed(a + 1 & 0x7FFFFFFF) if a >= 0 and a != 1 << 31 and a < 1 << 31 else ..., (OverflowError,),
                  inst.exports.call, a)


def _trap(world, inst, a, b, odd):
    return expect("a trap", (wasm.Trap,), inst.exports.trap, a & 0xFFFF)


def _div(world, inst, a, b, odd):
    return expect(..., (wasm.Trap, OverflowError), inst.exports.div, a, b)


def _fill(world, inst, a, b, odd):
    return expect(..., (wasm.Trap, OverflowError), inst.exports.fill, a, b)


def _indirect(world, inst, a, b, odd):
    return expect(42, (wasm.Trap, OverflowError), inst.exports.indirect, a)


def _set_table(world, inst, a, b, odd):
    def put():
        inst.exports.table[a] = inst.exports.add if b % 2 else None
    return expect(..., (IndexError, OverflowError), put)


def _odd_table(world, inst, a, b, odd):
    def put():
        inst.exports.table[0] = odd
    return expect(..., (TypeError,), put)


def _grow_table(world, inst, a, b, odd):
    return expect(..., (ValueError, OverflowError), inst.exports.table.grow, a % 3, None)


def _odd_grow_table(world, inst, a, b, odd):
    return expect(..., (*NUMERIC, KeyError), inst.exports.table.grow, odd)


def _grow(world, inst, a, b, odd):
    return expect(..., (ValueError, OverflowError), inst.exports.memory.grow, a % 3)


def _odd_grow(world, inst, a, b, odd):
    return expect(..., (*NUMERIC, KeyError), inst.exports.memory.grow, odd)


def _write(world, inst, a, b, odd):
    return expect(..., (IndexError, OverflowError), inst.exports.memory.write_bytes, a, b"abc" * (b % 5))


def _read(world, inst, a, b, odd):
    return expect(..., (IndexError, OverflowError, MemoryError), inst.exports.memory.read_bytes, a, b)


def _slice(world, inst, a, b, odd):
    return expect(..., (IndexError,), lambda: inst.exports.memory[a:b])


def _odd_memory(world, inst, a, b, odd):
    return expect(..., (*NUMERIC, IndexError, KeyError), lambda: inst.exports.memory[odd])


def _view(world, inst, a, b, odd):
    def use():
        view = memoryview(inst.exports.memory)
        return bytes(view[:8]) if a % 2 else view.release()
    return expect(..., (), use)


def _global(world, inst, a, b, odd):
    def put():
        inst.exports.g.value = a
    return expect(..., (OverflowError,), put)


def _odd_global(world, inst, a, b, odd):
    def put():
        inst.exports.g.value = odd
    return expect(..., (*NUMERIC, KeyError), put)


def _extern(world, inst, a, b, odd):
    return expect(odd if odd == odd else ..., (), inst.exports.echo, odd)


def _odd_call(world, inst, a, b, odd):
    return expect(..., (*NUMERIC, KeyError), inst.exports.many, odd, a, 1.0, odd)


def _arity(world, inst, a, b, odd):
    return expect("a TypeError", (TypeError,), inst.exports.add, *[1] * (3 + a % 3))


def _bits(world, inst, a, b, odd):
    return expect((a + b & 0xFFFFFFFF,), (OverflowError,), inst.exports.add.call_bits, (a, b))


def _odd_bits(world, inst, a, b, odd):
    return expect(..., (*NUMERIC, KeyError), inst.exports.add.call_bits, odd)


def _mode(world, inst, a, b, odd):
    def put():
        inst.mode = MODES[a % 3]
    return expect(..., (), put)


def _interrupt(world, inst, a, b, odd):
    return expect(..., (), inst.interrupt)


def _env(world, inst, a, b, odd):
    def use():
        with wasm.ExecEnv(inst) as env:
            return env.call("add", 1, 2)
    return expect(3, (), use)


def _new(world, inst, a, b, odd):
    return expect(5, (), lambda: world.instance().exports.add(2, 3))


def _load(world, inst, a, b, odd):
    return expect(..., (wasm.WasmError, TypeError, OSError), lambda: wasm.Module(odd if a % 2 else bytes(b % 7)))


def _pickle(world, inst, a, b, odd):
    return expect(world.module, (), lambda: pickle.loads(pickle.dumps(world.module)))


def _collect(world, inst, a, b, odd):
    return expect(..., (), gc.collect)


def _frames(world, inst, a, b, odd):
    return expect((), (), wasm.call_stack)


def _tier(world, inst, a, b, odd):
    return expect(..., (), lambda: inst.function("add").tier.why)


DO = {name[1:]: thing for name, thing in dict(globals()).items() if name[0] == "_" and callable(thing) and name != "_signed"
      and name[1] != "_"}
OFTEN = ("add", "sum", "new", "trap", "call", "interrupt")


def plan(choices):
    """For each thread [(operation, index of an instance, number, number, name of something odd)]."""
    names = (*OFTEN, *sorted(DO))
    return [[(choices.of(names), choices.of((2 + thread, 2 + thread, 0, 1)), choices.of(NUMBERS), choices.of(NUMBERS),
              choices.of(sorted(ODD))) for _ in range(choices.below(OPERATIONS) + 1)] for thread in range(THREADS)]


def grow(seed):
    choices = Choices(rng=random.Random(f"api {seed}"))
    plan(choices)
    return choices.made


def perform(operations, mode, bounds, progress=None):
    """[what is wrong, ...]"""
    signal.alarm(SECONDS)
    sys.setswitchinterval(1e-5)
    world = World(mode, bounds)

    def work(thread):
        for name, index, a, b, odd in operations[thread]:
            if progress is not None:
                progress.note(f"thread {thread}: {name} {index} {a} {b} {odd}")
            wrong = DO[name](world, world.instances[index], a, b, ODD[odd])
            if wrong:
                world.wrong.append(f"{name} of instance {index} with {a}, {b}, {odd}: {wrong}")

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(len(operations))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, instance in enumerate(world.instances):
        # an interrupt that came when nothing ran may end one call
        wrong = expect(5, (), instance.exports.add, 2, 3) or expect(5, (), instance.exports.add, 2, 3)
        world.wrong += [f"instance {number} afterwards: {wrong}"] if wrong else []
    return world.wrong


def trial(progress, made, mode, bounds):
    """[Finding, ...] of one plan."""
    operations = plan(Choices(made))
    return [Finding("wrong", (mode, bounds), what, made, operations) for what in perform(operations, mode, bounds, progress)]


def explore(seed, options, count=SIZE):
    """([Finding], Counter) of plans, each with some mode and bounds."""
    pairs = [(mode, bounds) for mode in options.modes if mode in MODES for bounds in options.bounds if bounds in BOUNDS]
    found = []
    for number in range(seed * SIZE, seed * SIZE + count):
        found += check(grow(number), *pairs[number % len(pairs)])
    return found, Counter({"plans of threads": count})


def check(made, mode, bounds):
    ended = in_child(trial, made, mode, bounds)
    return [Finding(ended.death, (mode, bounds), ended.progress, made, plan(Choices(made)))] if ended.death else ended.value


def minimised(finding, shrunk, trials):
    """The shortest plan found that shows it; threads differ from time to time, so each is tried three times."""
    best = finding

    def fails(sequences):
        nonlocal best
        for _ in range(3):
            found = [one for one in check(sequences[0], *finding.engine) if one.kind == finding.kind]
            if found:
                best = found[0]
                return True
        return False

    shrunk([finding.made], fails, trials // 3)
    return best


def text(finding):
    """JSON."""
    return json.dumps({"kind": "api", "what": finding.what[:500], "operations": finding.operations}) + "\n"


def replay(text, mode, bounds):
    """[what is wrong, ...] with operations that were kept."""
    ended = in_child(_perform, json.loads(text)["operations"], mode, bounds)
    return [f"{ended.death}: {ended.progress}"] if ended.death else ended.value


def _perform(progress, operations, mode, bounds):
    return perform(operations, mode, bounds, progress)
