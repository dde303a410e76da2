"""Loops that are proven not to trap (codegen.proofs), against the interpreter, which proves nothing: traps and the memory
after them, wrap-around of 32-bit addresses in both directions, memarg offsets, distances inside a group; loops that count in
every way; endless ones. `tests/fuzz` makes random ones."""
import ctypes
import threading
import time

import pytest

import pyjit_wasm as wasm
from conftest import EAGER
from pyjit_wasm.codegen.loops import Loops

# $p runs from its argument in steps; the loop ends after $n iterations; every access is `load`
SOURCE = """(module (memory (export "memory") 2 3)
  (func (export "sum") (param $p i32) (param $n i32) (result i32) (local $s i32)
    (loop $l
      {sums}
      (local.set $p (i32.add (local.get $p) (i32.const {step})))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s))
  (func (export "copy") (param $p i32) (param $q i32) (param $n i32)
    (loop $l
      {copies}
      (local.set $p (i32.add (local.get $p) (i32.const {step})))
      (local.set $q (i32.add (local.get $q) (i32.const {step})))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"""
SUM = """(local.set $s (i32.add (i32.mul (local.get $s) (i32.const 31))
  (i32.load offset={offset} (i32.add (local.get $p) (i32.const {distance})))))"""
COPY = """(i32.store offset={offset} (i32.add (local.get $p) (i32.const {distance}))
  (i32.load offset={offset} (i32.add (local.get $q) (i32.const {distance}))))"""

SHAPES = {  # (distance, memarg offset) of the accesses of one iteration
    "one": [(0, 0)],
    "unrolled": [(0, 0), (4, 0), (8, 0), (12, 0)],
    "backwards": [(12, 0), (8, 0), (4, 0), (0, 0)],
    "by memarg": [(0, 0), (0, 4), (0, 8)],
    "memarg below": [(8, 0), (0, 16), (0, 0)],
    "far apart": [(0, 0), (65536, 0), (65540, 0), (-65540, 0)],
    "high memarg": [(0, 4294967280), (4, 0)],
}
STEPS = (4, 16, -4, -16, 65536, -65536, 3)
STARTS = (0, 4, 64, 65536, 131068, 131072, 4294967280, 4294967292, 4294901760, 2147483644)


def outcome(inst, name, *arguments):
    """The result, or why it trapped; and the memory."""
    memory = memoryview(inst.exports.memory)
    memory[:] = bytes(i * 7 & 255 for i in range(256)) * (len(memory) // 256)
    try:
        return inst.exports[name](*arguments), memory.tobytes()
    except wasm.Trap as trap:
        return trap.code, memory.tobytes()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("shape", SHAPES)
def test_against_the_interpreter(shape, step):
    sums, copies = ("\n".join(text.format(distance=d, offset=o) for d, o in SHAPES[shape]) for text in (SUM, COPY))
    source = SOURCE.format(step=step, sums=sums, copies=copies)
    interp = wasm.load(source, mode="interp")
    guard, explicit = (wasm.load(source, mode="jit", memory_bounds=bounds) for bounds in ("guard", "explicit"))
    for start in STARTS:
        for count in (1, 2, 5, 64, 40000):
            wanted = outcome(interp, "sum", start, count)
            assert outcome(guard, "sum", start, count) == outcome(explicit, "sum", start, count) == wanted, (start, count)
    for start, source_start in ((0, 64), (64, 0), (65536, 0), (1000, 1004), (1004, 1000), (131000, 8), (8, 131000)):
        for count in (1, 3, 30):
            arguments = start, source_start, count
            wanted = outcome(interp, "copy", *arguments)
            assert outcome(guard, "copy", *arguments) == outcome(explicit, "copy", *arguments) == wanted, arguments




# ways to go through a loop: $i is what counts, $s its step; {access} is at its value
BOTTOM = "(loop $l {access} (local.set $i (i32.add (local.get $i) (i32.const {step}))) (br_if $l {condition}))"
TOP = """(block $out (loop $l (br_if $out (i32.eqz {condition})) {access}
  (local.set $i (i32.add (local.get $i) (i32.const {step}))) (br $l)))"""
IF = "(loop $l (if {condition} (then {access} (local.set $i (i32.add (local.get $i) (i32.const {step}))) (br $l))))"
BY_A_LOCAL = "(loop $l {access} (local.set $i (i32.add (local.get $i) (local.get $s))) (br_if $l {condition}))"
WAYS = {"bottom": BOTTOM, "top": TOP, "if": IF, "by a local": BY_A_LOCAL}
COUNTED = """(module (memory (export "memory") 1)
  (func (export "f") (param $i i32) (param $n i32) (param $s i32) (result i32) (local $steps i32)
    {loop}
    (local.get $i)))"""
# every access counts the iterations, so that those which never end do, by a trap
ACCESS = """(i32.store8 (local.get $i) (i32.const 90))
  (if (i32.gt_u (local.tee $steps (i32.add (local.get $steps) (i32.const 1))) (i32.const 70000)) (then (unreachable)))"""
RELATIONS = ("ne", "lt_s", "lt_u", "le_s", "le_u", "gt_s", "gt_u", "ge_s", "ge_u")
EDGES = (0, 1, 5, 65535, 65536, 65537, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFB)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("way", WAYS)
def test_counting(way, relation):
    for step in (1, 4, 3, -1, -4, -3):
        source = COUNTED.format(loop=WAYS[way].format(
            access=ACCESS, step=step, condition=f"(i32.{relation} (local.get $i) (local.get $n))"))
        interp = wasm.load(source, mode="interp")
        engines = [wasm.load(source, mode="jit", memory_bounds=bounds) for bounds in ("guard", "explicit")]
        for start in EDGES:
            for limit in EDGES:
                wanted = outcome(interp, "f", start, limit, step)
                for engine in engines:
                    assert outcome(engine, "f", start, limit, step) == wanted, (step, start, limit)


WIDE = """(module (memory (export "memory") i64 1)
  (func (export "f") (param $i i64) (param $n i64) (param $s i32) (result i64) (local $steps i32)
    (loop $l {access} (local.set $i (i64.add (local.get $i) (i64.const {step}))) (br_if $l {condition}))
    (local.get $i)))"""


@pytest.mark.parametrize("relation", RELATIONS)
def test_counting_to_64_bits(relation):
    edges = (0, 1, 5, 65535, 65536, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 5)
    for step in (1, 4, 3, -1, -4, -3):
        source = WIDE.format(access=ACCESS, step=step, condition=f"(i64.{relation} (local.get $i) (local.get $n))")
        interp = wasm.load(source, mode="interp")
        engines = [wasm.load(source, mode="jit", memory_bounds=bounds) for bounds in ("guard", "explicit")]
        for start in edges:
            for limit in edges:
                wanted = outcome(interp, "f", start, limit, 0)
                for engine in engines:
                    assert outcome(engine, "f", start, limit, 0) == wanted, (step, start, limit)


@pytest.fixture
def copies(monkeypatch):
    """A function that gives which copies of loops have been entered since it was last called: "free" or "exact"."""
    cell = (ctypes.c_char * 2)()
    begin = Loops.begin_copy

    def begin_copy(self, free):
        self.do(f"store volatile i8 1, ptr inttoptr (i64 {ctypes.addressof(cell) + (not free)} to ptr)")
        begin(self, free)

    monkeypatch.setattr(Loops, "begin_copy", begin_copy)

    def entered():
        names = [name for name, noted in zip(("free", "exact"), cell.raw) if noted]
        cell[:] = bytes(2)
        return names
    return entered


@pytest.mark.parametrize("relation, step, start, limit, copy", [
    ("lt_s", 4, 0, 4000, "free"), ("lt_u", 4, 0, 65536, "free"), ("lt_u", 4, 0, 65537, "exact"), ("ne", 1, 0, 65536, "free"),
    ("ne", 1, 1, 65537, "exact"), ("ne", 3, 0, 65535, "free"), ("ne", 4, 0, 4001, "exact"), ("gt_s", -1, 65535, 0, "free"),
    ("gt_s", -1, 65536, 0, "exact"), ("ge_u", -1, 100, 0, "exact"), ("le_u", 1, 0, 65535, "free")])
def test_which_copy_runs(copies, bounds, relation, step, start, limit, copy):
    """Proofs are neither too weak nor too strong; of a loop tested at its end, the last iteration is that of the limit."""
    condition = f"(i32.{relation} (local.get $i) (local.get $n))"
    store = "(i32.store8 (local.get $i) (i32.const 1))"
    source = COUNTED.format(loop=TOP.format(access=store, step=step, condition=condition))
    inst = wasm.load(source, mode="jit", memory_bounds=bounds, cache=False)
    try:
        inst.exports.f(start, limit, 0)
    except wasm.Trap:
        assert copy == "exact"
    assert copies() == [copy]


def test_a_loop_is_proven_again_after_on_stack_replacement(copies):
    source = COUNTED.format(loop=BOTTOM.format(access="(i32.store8 (local.get $i) (i32.const 1))", step=1,
                                               condition="(i32.ne (local.get $i) (local.get $n))"))
    inst = wasm.load(source, mode="tiered", cache=False, **{**EAGER, "tier_up_threshold": 100})
    assert inst.exports.f(0, 60000, 0) == 60000
    assert "free" in copies()


# --- loops that copy and fill, which are done at once but for their end

MOVES = """(module (memory (export "memory") 2)
  (func (export "f") (param $to i32) (param $from i32) (param $n i32) (param $v i32) (result i32 i32 i32)
    (local $x i32) (local $y i64)
    (block $out (loop $l
      {body}
      (local.set $to (i32.add (local.get $to) (i32.const {step})))
      (local.set $from (i32.add (local.get $from) (i32.const {step})))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (local.get $to) (local.get $from) (i32.add (local.get $x) (i32.wrap_i64 (local.get $y)))))"""


def moved(kind, size, distances):
    """Instructions that copy so many bytes at each distance, in that order."""
    load = {1: "i32.load8_u", 2: "i32.load16_s", 4: "i32.load", 8: "i64.load"}[size]
    store = {1: "i32.store8", 2: "i32.store16", 4: "i32.store", 8: "i64.store"}[size]
    at = "(i32.add (local.get ${}) (i32.const {}))".format
    if kind == "copy":
        return "".join(f"({store} {at('to', d)} ({load} {at('from', d)}))" for d in distances)
    if kind == "copy through a local":
        name = "y" if size == 8 else "x"
        return "".join(f"(local.set ${name} ({load} {at('from', d)})) ({store} {at('to', d)} (local.get ${name}))" for d in distances)
    value = {"fill": "(i32.const -1)" if size < 8 else "(i64.const -1)", "fill by a local": "(local.get $v)"}[kind]
    return "".join(f"({store} {at('to', d)} {value})" for d in distances)


MOVED = {    # (instructions of an iteration, its step): whether they are moved at once
    "bytes": (moved("copy", 1, [0]), 1, True), "bytes down": (moved("copy", 1, [0]), -1, True),
    "words": (moved("copy", 4, [0]), 4, True), "doubles": (moved("copy through a local", 8, [0]), 8, True),
    "unrolled": (moved("copy", 1, [0, 1, 2, 3]), 4, True), "unrolled down": (moved("copy", 1, [3, 2, 1, 0]), -4, True),
    "through a local": (moved("copy through a local", 2, [0, 2]), 4, True),
    "in the wrong order": (moved("copy", 1, [3, 2, 1, 0]), 4, False), "down in the wrong order": (moved("copy", 2, [0, 2]), -4, False),
    "gaps": (moved("copy", 1, [0, 1]), 4, False), "too much": (moved("copy", 4, [0]), 2, False),
    "fill": (moved("fill", 1, [0]), 1, True), "fill words down": (moved("fill", 4, [0]), -4, True),
    "fill unrolled": (moved("fill", 8, [8, 0]), 16, True), "fill by a local": (moved("fill by a local", 1, [0, 1]), 2, True),
    "fill with words of a local": (moved("fill by a local", 4, [0]), 4, False),
    "two values": (moved("fill", 1, [0]) + moved("fill by a local", 1, [1]), 2, False),
    "a changing value": ("(i32.store8 (local.get $to) (local.get $from))", 1, False),
    "a sum of locals": ("(local.set $x (i32.add (local.get $x) (i32.const 3)))" + moved("copy", 1, [0]), 1, True),
    "carried": ("(local.set $x (i32.mul (local.get $x) (i32.const 3)))" + moved("copy", 1, [0]), 1, False),
    "another exit": (moved("copy", 1, [0]) + "(br_if $out (i32.gt_u (local.get $to) (i32.const 40000)))", 1, False),
    "a condition on what was copied": (moved("copy through a local", 1, [0]) + "(br_if $out (i32.eqz (local.get $x)))", 1, False),
    "a trap": (moved("copy", 1, [0]) + "(drop (i32.div_u (i32.const 1) (i32.sub (local.get $to) (i32.const 9000))))", 1, False),
}


@pytest.mark.parametrize("name", MOVED)
def test_moves(name):
    body, step, at_once = MOVED[name]
    source = MOVES.format(body=body, step=step)
    unit = wasm.Module(source, engine=wasm.Engine("jit")).code.unit([0], [0])
    assert ("call void @rt_move" in unit.source() or "call void @rt_fill" in unit.source()) == at_once
    interp = wasm.load(source, mode="interp")
    engines = [wasm.load(source, mode="jit", memory_bounds=bounds) for bounds in ("guard", "explicit")]
    low = 30000 if step < 0 else 4
    for to, place in ((low, 90000), (90000, low), (60000, 60000), *[(60000 + d, 60000) for d in (1, -1, 2, -2, 3, -3, 4, -4, 7, -7, 1000, -1000)],
                      (131072 - 700, 0), (700, 0), (0, 131072 - 700)):
        for count in (1, 2, 3, 511, 513, 700, 5000):
            arguments = to, place, count, 0x1234
            wanted = outcome(interp, "f", *arguments)
            for engine in engines:
                assert outcome(engine, "f", *arguments) == wanted, arguments


COPY_A_STRING = """(module (memory (export "memory") 2)
  (func (export "f") (param $d i32) (param $s i32) (param $n i32) (result i32) (local $c i32)
    (block $o (loop $l
      (br_if $o (i32.eqz (local.get $n)))
      (i32.store8 (local.get $d) (local.tee $c (i32.load8_u (local.get $s))))
      (local.set $d (i32.add (local.get $d) (i32.const 1)))
      (local.set $s (i32.add (local.get $s) (i32.const 1)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $l {condition})))
    (local.get $d)))"""


@pytest.mark.parametrize("condition", ("(local.get $c)", "(i32.and (local.get $n) (i32.const 63))", "(i32.lt_u (local.get $c) (i32.const 200))"))
def test_a_copy_that_ends_by_what_it_copies(condition):
    """As strncpy does: the count is a bound only."""
    source = COPY_A_STRING.format(condition=condition)
    interp = wasm.load(source, mode="interp")
    engines = [wasm.load(source, mode="jit", memory_bounds=bounds) for bounds in ("guard", "explicit")]
    for arguments in ((10000, 0, 2000), (10000, 5, 2000), (0, 20000, 70000), (10000, 0, 0)):
        wanted = outcome(interp, "f", *arguments)
        assert [outcome(engine, "f", *arguments) for engine in engines] == [wanted, wanted]


def test_a_move_is_interrupted(load_bounded):
    """In the middle of 2 GiB."""
    inst = load_bounded("""(module (memory (export "memory") 32768)
      (func (export "f") (local $i i32) (loop $again (local.set $i (i32.const 0))
        (loop $l (i32.store8 (local.get $i) (i32.const 1))
          (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 0x80000000)))) (br $again))))""")
    result = []

    def call():
        try:
            inst.exports.f()
        except wasm.Interrupted:
            result.append("interrupted")
    thread = running(call)
    wait_until(lambda: memoryview(inst.exports.memory)[0] == 1)
    inst.interrupt()
    thread.join(60)
    assert result == ["interrupted"]


ENDLESS = """(module (memory (export "memory") 1)
  (global $g (export "g") (mut i32) (i32.const 0))
  (func (export "count") (loop $l
    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) (br $l)))
  (func (export "count_global") (loop $l
    (global.set $g (i32.add (global.get $g) (i32.const 1))) (br $l)))
  (func (export "wait") (result i32) (loop $l (br_if $l (i32.eqz (i32.load (i32.const 16))))) (i32.const 7))
  (func (export "trap") (local $i i32) (loop $l
    (i32.store (i32.const -4) (local.tee $i (i32.add (local.get $i) (i32.const 1)))) (br $l)))
  (func (export "dead_load") (loop $l (drop (i32.load (i32.const -4))) (br $l)))
  (func (export "inside") (local $i i32)
    (loop $outer
      (local.set $i (i32.const 0))
      (loop $inner (i32.store (local.get $i) (i32.const 1))
        (br_if $inner (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 16))))
      (drop (i32.load (i32.load (i32.const 32))))
      (i32.store (i32.const 32) (i32.const -1))
      (br $outer))))"""


def running(call):
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_endless_loops_are_seen(load_bounded):
    """Their stores come, and they see those of others; they trap, and can be interrupted."""
    for name in ("count", "count_global", "wait"):
        inst = load_bounded(ENDLESS)
        memory, result = memoryview(inst.exports.memory).cast("I"), []

        def call():
            try:
                result.append(inst.exports[name]())
            except wasm.Interrupted:
                result.append("interrupted")
        thread = running(call)
        if name == "wait":
            time.sleep(0.05)
            memory[4] = 1
        else:
            wait_until(lambda: (memory[2] if name == "count" else inst.exports.g.value) > 1000)
            inst.interrupt()
        thread.join(60)
        assert result == [7 if name == "wait" else "interrupted"]


@pytest.mark.parametrize("name", ("trap", "dead_load", "inside"))
def test_endless_loops_trap(load_bounded, name):
    inst = load_bounded(ENDLESS)
    with pytest.raises(wasm.Trap, match="out of bounds memory access"):
        inst.exports[name]()
    if name == "inside":    # stores of the free copy come before the trap behind it
        assert memoryview(inst.exports.memory)[:16] == bytes((1, 0, 0, 0)) * 4


def test_a_memory_may_have_all_of_its_pages(load_bounded):
    """The last page is no different from others."""
    inst = load_bounded("""(module (memory (export "memory") 65536)
      (func (export "fill") (param $i i32) (loop $l (i32.store8 (local.get $i) (i32.const 7))
        (br_if $l (local.tee $i (i32.add (local.get $i) (i32.const 1))))))
      (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
      (func (export "word") (param i32) (result i32) (i32.load (local.get 0))))""")
    inst.exports.fill(-5)
    assert [inst.exports.load(place) for place in (-6, -5, -1, 0)] == [0, 7, 7, 0]
    with pytest.raises(wasm.Trap):
        inst.exports.word(-3)


def test_growing_to_all_pages(load_bounded):
    inst = load_bounded("""(module (memory 0) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))""")
    assert inst.exports.grow(65536) == 0 and inst.exports.grow(1) == -1 and inst.exports.grow(0) == 65536
