"""Loops that running calls enter: inside every kind of block, with operands of every type below, at any iteration
(frames.entries). What comes out is what node says where there are the older exceptions only, what wasmtime says where there
are the newer ones only, and the same in every mode where there are both."""
import ctypes
import json
import os
import random
import shutil
import subprocess

import pytest

import generator_nesting as nesting
import pyjit_wasm as wasm
from pyjit_wasm.codegen import function
from pyjit_wasm.config import HELD_EXCEPTIONS
from pyjit_wasm.frames.entries import loop_entries
from pyjit_wasm.runtime.layout import FUNC
from pyjit_wasm.text import assemble
from pyjit_wasm.tiering import units

SEEDS = range(1, 7)
HOST = {"number": lambda x: x or 0, "external": lambda n: n}
RANDOM_MODULES = int(os.environ.get("LOOP_ENTRY_MODULES", 8))  # of each dialect

NODE = """
const fs = require("fs"), host = {number: x => x === null ? 0 : x, external: n => n};
const {file, seeds} = JSON.parse(process.argv[1]);
const {run} = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(file)), {host}).exports;
console.log(JSON.stringify(seeds.map(seed => run(seed).toString())));
"""


def in_node(binary, path):
    if not shutil.which("node"):
        pytest.skip("node decides")
    path.write_bytes(binary)
    wanted = json.dumps({"file": str(path), "seeds": [*SEEDS]})
    done = subprocess.run(["node", "-e", NODE, wanted], capture_output=True, text=True, timeout=60, check=True)
    return [*map(int, json.loads(done.stdout))]


def in_wasmtime(binary):
    wasmtime = pytest.importorskip("wasmtime")
    config = wasmtime.Config()
    for proposal in ("exceptions", "function_references", "gc"):
        setattr(config, f"wasm_{proposal}", True)
    store = wasmtime.Store(wasmtime.Engine(config))
    linker = wasmtime.Linker(store.engine)
    number, external = wasmtime.ValType.i32(), wasmtime.ValType.externref()
    linker.define_func("host", "number", wasmtime.FuncType([external], [number]), HOST["number"])
    linker.define_func("host", "external", wasmtime.FuncType([number], [external]), HOST["external"])
    run = linker.instantiate(store, wasmtime.Module(store.engine, binary)).exports(store)["run"]
    return [run(store, seed) for seed in SEEDS]


def outcomes(binary, mode):
    inst = wasm.load(binary, {"host": HOST}, mode=mode)
    return [inst.exports.run(seed) for seed in SEEDS]


def expected(text, dialect, path):
    """The outcomes that are right."""
    binary = assemble(text)
    wanted = outcomes(binary, "interp")
    if dialect == "both":
        assert outcomes(binary, "jit") == wanted
    elif dialect == "older":
        assert in_node(binary, path) == wanted
    elif dialect == "newer":
        assert in_wasmtime(binary) == wanted
    return wanted


class Entered:
    """An instance whose functions stay interpreted; loops of `$f` are entered when its counter has come to zero. `inlined`:
    what it calls is compiled with it."""

    def __init__(self, source, inlined=True, **settings):
        module = wasm.Module(source, engine=wasm.Engine(mode="tiered", tier_up_threshold=1 << 40, background=False, **settings))
        self.inst = wasm.Instance(module, {"host": HOST})
        code = self.inst._inst.code
        (funcidx,) = [index for index, name in code.module.names.funcs.items() if name == "f"]
        members, _, loops = units.inside(code, funcidx)
        code.compile((members if inlined else (), (), loops), "for the test")
        self.counter = ctypes.c_int64.from_address(self.inst._inst.func_address(funcidx) + FUNC.counter)

    def entered(self, events, call, *arguments):
        """(what a call gives, whether it went over to native code) after that many calls and back edges of `$f`."""
        self.counter.value = events
        return call(*arguments), self.counter.value > events


def check(text, wanted, **options):
    """Enter the loops of a module at many moments; how often that came to pass."""
    there, count = Entered(text, **options), 0
    for seed, outcome in zip(SEEDS, wanted):
        for events in (*range(2, 12), 14, 19, 30):
            found, entered = there.entered(events, there.inst.exports.run, seed)
            assert found == outcome, f"seed {seed}, entered after {events}"
            count += entered
            if not entered:
                break
    return count


def inner_kinds(dialect, outer):
    """Blocks of one dialect are nested in each other; with both, in those of the other one."""
    own = nesting.OLDER if outer in nesting.OLDER else nesting.NEWER if outer in nesting.NEWER else ()
    return sorted({*nesting.DIALECTS[dialect]} - {*(own if dialect == "both" else ())})


def chain(dialect, outer):
    """Of each kind a block inside a loop inside a block of kind `outer`, and a loop in it again; below all of them operands of
    every type."""
    def loop(f, inner):
        def body():
            below(f)
            inner()
        return lambda: (below(f), f.block_loop((), f.types_of(2), body))

    def below(f):
        f.push_all(f.rng.sample(f.types, len(f.types)))

    def grow(f):
        f.start(random.Random(f"{dialect} {outer}"), dialect)
        below(f)
        for inner in inner_kinds(dialect, outer):
            innermost = loop(f, lambda: f.statements(2, 0))
            f.guarded(lambda: f.block(0, outer, loop(f, lambda: f.block(0, inner, innermost))))
    return nesting.module(grow)


@pytest.mark.parametrize("dialect, outer", [
    *(("older", kind) for kind in nesting.OLDER), *(("newer", kind) for kind in nesting.NEWER),
    *(("both", kind) for kind in sorted({*nesting.DIALECTS["both"]}))])
def test_every_kind_of_block_in_every_other(dialect, outer, tmp_path):
    text = chain(dialect, outer)
    assert check(text, expected(text, dialect, tmp_path / "chain.wasm"), inlined=False) > 20


@pytest.mark.parametrize("dialect", nesting.DIALECTS)
@pytest.mark.parametrize("seed", range(RANDOM_MODULES))
def test_random_nesting(dialect, seed, tmp_path):
    def grow(f):
        f.start(random.Random(f"{dialect} {seed}"), dialect)
        f.statements(8, 4)

    text = nesting.module(grow)
    check(text, expected(text, dialect, tmp_path / "random.wasm"))


# --- single cases, decided by hand

RETHROW = """(module (tag $e (param i32)) (tag $x)
  (func $f (export "f") (param $n i32) (result i32) (local $i i32)
    try (result i32)
      try (result i32)
        i32.const 5 throw $e
      catch $e
        try (result i32)
          throw $x
        catch $x
          local.get $n local.set $i
          loop $l  local.get $i i32.const 1 i32.sub local.tee $i br_if $l  end
          rethrow {depth}
        end
        i32.add
      end
    catch $e
      i32.const 100 i32.mul
    catch $x
      i32.const 7
    end))"""


@pytest.mark.parametrize("depth, wanted", [(0, 7), (1, 500)])
def test_rethrow_of_either_of_two_caught_exceptions(mode, depth, wanted):
    inst = wasm.load(RETHROW.format(depth=depth), mode=mode, tier_up_threshold=4, background=False)
    for n in (20, 1, 20, 100_000):
        assert inst.exports.f(n) == wanted
    if mode != "tiered":
        return
    there = Entered(RETHROW.format(depth=depth))
    assert [there.entered(events, there.inst.exports.f, 20) for events in (2, 5, 19)] == [(wanted, True)] * 3


HANDED_OVER = """(module (tag $e (param i64 i32)) (type $t (func (param i32 i32) (result i32)))
  (func $sum (type $t) (i32.add (i32.mul (local.get 0) (i32.const 10)) (local.get 1)))
  (func $f (export "f") (param $n i32) (result i32)
    i32.const 1
    try (result i32)
      i64.const 9 i32.const 4 throw $e
    catch $e
      loop $l  local.get $n i32.const 1 i32.sub local.tee $n br_if $l  end
      local.get $n i32.const 3 i32.add
      {end}
    end
    drop))"""


@pytest.mark.parametrize("end, wanted", [("return_call $sum", 43), ("return", 3), ("br 1", 3), ("drop br 1", 4)])
def test_leaving_a_clause_after_a_loop_in_it(end, wanted):
    """By a tail call, whose arguments lie in the clause, and by branches out of it."""
    source = HANDED_OVER.replace("{end}", end)
    assert wasm.load(source, mode="interp").exports.f(9) == wanted
    there = Entered(source)
    assert [there.entered(events, there.inst.exports.f, 9) for events in (2, 3, 7)] == [(wanted, True)] * 3


KEPT = """(module (tag $e (param i32))
  (func $f (export "f") (param $n i32) (result i32) (local $i i32)
    try (result i32)
      local.get $n throw $e
    catch $e
      local.set $i
      loop $l
        try  i32.const 1 throw $e  catch $e drop  end
        local.get $i i32.const 1 i32.sub local.tee $i br_if $l
      end
      try  rethrow 1  catch $e return  end
      unreachable
    end))"""


def test_the_caught_exception_lives_as_long_as_its_clause():
    """Exceptions thrown in the loop are collected meanwhile, that of the clause is not."""
    n = 3 * HELD_EXCEPTIONS
    assert wasm.load(KEPT, mode="interp").exports.f(n) == n
    there = Entered(KEPT)
    assert [there.entered(events, there.inst.exports.f, n) for events in (2, 3, n - 1)] == [(n, True)] * 3


def test_a_function_is_not_entered_where_descriptions_differ(monkeypatch):
    """It stays interpreted, and its tier says why."""
    source = """(module (func $f (export "f") (param $n i32) (result i32) (local $v v128) i32.const 7 local.get $n
      loop $l  local.get $n i32.const 1 i32.sub local.tee $n br_if $l  end  i32.sub))"""
    true = loop_entries

    def changed(change):
        return lambda *arguments: {ordinal: change(entry) for ordinal, entry in true(*arguments).items()}

    for change, why in (
            (lambda entry: entry._replace(caught={1: 9}), "caught exceptions"),
            (lambda entry: entry._replace(operands=entry.operands[1:]), "operands"),
            (lambda entry: entry._replace(locals=entry.locals[::-1]), "locals"),
            (lambda entry: entry._replace(operands=(entry.operands[0]._replace(constant=8), *entry.operands[1:])), "is 7")):
        monkeypatch.setattr(function, "loop_entries", changed(change))
        inst = wasm.load(source, mode="tiered", tier_up_threshold=3, background=False, cache=False)
        assert inst.exports.f(20) == 7 - 20
        assert inst.function("f").tier == "interp" and why in inst.function("f").tier.why


def test_what_a_frame_holds():
    """Constants are in no slot, an exception lies below the payload of its clause, and a v128 takes two slots."""
    module = wasm.Module("""(module (tag $e (param v128 i32)) (func $f (param i64) (local f32 v128)
      i32.const -1  local.get 0  v128.const i64x2 1 2
      try (param v128)  drop
      catch $e
        i32.const 3
        loop (param i32)  drop  end
        drop drop
      end
      loop end
      drop drop
      unreachable
      loop end))""")
    code, first = wasm.Instance(module)._inst.code, 6    # the header takes 3 slots, the locals too
    entries = loop_entries(code.module, 0, code.layout)
    found = {ordinal: [(o.slot - first, str(o.type), o.constant) for o in entry.operands]
             for ordinal, entry in entries.items()}
    below = [(0, "i32", 0xFFFFFFFF), (1, "i64", None)]
    assert found == {0: [*below, (3, "v128", None), (5, "i32", None), (6, "i32", None)], 1: below}
    assert [entry.caught for entry in entries.values()] == [{1: first + 2}, {}]
    assert [(slot, str(t)) for slot, t in entries[0].locals] == [(-1, "i64"), (3, "f32"), (4, "v128")]
