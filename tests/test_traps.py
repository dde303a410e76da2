"""Traps: their codes and frames in every mode, and that everything goes on afterwards."""
import gc
import pickle

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.binary.body import instructions


def offsets(module, funcidx, mnemonic):
    """Byte offsets of a function's instructions of that name."""
    syntax = module.syntax
    code = syntax.codes[funcidx - syntax.imported_funcs]
    return [offset for op, _, offset in instructions(syntax, code.start, code.end) if op.mnemonic == mnemonic]


def trap_of(function, *arguments):
    with pytest.raises(wasm.Trap) as caught:
        function(*arguments)
    return caught.value


def places(error):
    return [(frame.funcidx, frame.offset) for frame in error.frames]


MIN32, MIN64 = -1 << 31, -1 << 63
# code, body of `f`, parameter types, arguments, mnemonic that traps
TRAPS = [
    ("unreachable", "unreachable", "", (), "unreachable"),
    ("integer divide by zero", "(drop (i32.div_s (local.get 0) (i32.const 0)))", "i32", (5,), "i32.div_s"),
    ("integer divide by zero", "(drop (i32.div_u (i32.const 5) (local.get 0)))", "i32", (0,), "i32.div_u"),
    ("integer divide by zero", "(drop (i32.rem_s (i32.const 5) (local.get 0)))", "i32", (0,), "i32.rem_s"),
    ("integer divide by zero", "(drop (i64.rem_u (i64.const 5) (local.get 0)))", "i64", (0,), "i64.rem_u"),
    ("integer overflow", "(drop (i32.div_s (local.get 0) (i32.const -1)))", "i32", (MIN32,), "i32.div_s"),
    ("integer overflow", "(drop (i64.div_s (i64.const 0x8000000000000000) (local.get 0)))", "i64", (-1,), "i64.div_s"),
    ("integer overflow", "(drop (i32.trunc_f64_s (local.get 0)))", "f64", (2.0 ** 31,), "i32.trunc_f64_s"),
    ("integer overflow", "(drop (i64.trunc_f32_u (local.get 0)))", "f32", (float("inf"),), "i64.trunc_f32_u"),
    ("integer overflow", "(drop (i32.trunc_f32_u (local.get 0)))", "f32", (-1.0,), "i32.trunc_f32_u"),
    ("invalid conversion to integer", "(drop (i32.trunc_f32_s (local.get 0)))", "f32", (float("nan"),),
     "i32.trunc_f32_s"),
    ("invalid conversion to integer", "(drop (i64.trunc_f64_u (local.get 0)))", "f64", (float("nan"),),
     "i64.trunc_f64_u"),
    ("out of bounds memory access", "(drop (i32.load (local.get 0)))", "i32", (65533,), "i32.load"),
    ("out of bounds memory access", "(drop (i32.load8_u (local.get 0)))", "i32", (-1,), "i32.load8_u"),
    ("out of bounds memory access", "(drop (i64.load offset=0xffffffff (local.get 0)))", "i32", (-1,), "i64.load"),
    ("out of bounds memory access", "(drop (f64.load offset=65529 (local.get 0)))", "i32", (0,), "f64.load"),
    ("out of bounds memory access", "(i32.store8 (local.get 0) (i32.const 1))", "i32", (65536,), "i32.store8"),
    ("out of bounds memory access", "(i64.store offset=8 (local.get 0) (i64.const 1))", "i32", (65521,), "i64.store"),
    ("out of bounds memory access", "(f32.store (local.get 0) (f32.const 1))", "i32", (-4,), "f32.store"),
    ("out of bounds memory access", "(memory.fill (local.get 0) (i32.const 1) (i32.const 2))", "i32", (65535,),
     "memory.fill"),
    ("out of bounds memory access", "(memory.copy (i32.const 0) (local.get 0) (i32.const 2))", "i32", (65535,),
     "memory.copy"),
    ("out of bounds memory access", "(memory.init $d (i32.const 0) (i32.const 2) (local.get 0))", "i32", (2,),
     "memory.init"),
    ("out of bounds table access", "(drop (table.get $t (local.get 0)))", "i32", (4,), "table.get"),
    ("out of bounds table access", "(table.set $t (local.get 0) (ref.null func))", "i32", (-1,), "table.set"),
    ("out of bounds table access", "(table.fill $t (local.get 0) (ref.null func) (i32.const 2))", "i32", (3,),
     "table.fill"),
    ("out of bounds table access", "(table.copy (local.get 0) (i32.const 0) (i32.const 2))", "i32", (3,),
     "table.copy"),
    ("out of bounds table access", "(table.init $e (i32.const 0) (i32.const 1) (local.get 0))", "i32", (1,),
     "table.init"),
    ("undefined element", "(call_indirect (type $v) (local.get 0))", "i32", (4,), "call_indirect"),
    ("uninitialized element", "(call_indirect (type $v) (local.get 0))", "i32", (2,), "call_indirect"),
    ("indirect call type mismatch", "(call_indirect (type $v) (local.get 0))", "i32", (1,), "call_indirect"),
    ("out of bounds memory access", "(drop (i32.load $wide offset=0xffffffff (local.get 0)))", "i64", (1,), "i32.load"),
    ("out of bounds memory access", "(i64.store $wide (local.get 0) (i64.const 1))", "i64", (-8,), "i64.store"),
    ("out of bounds memory access", "(drop (i32.atomic.load (local.get 0)))", "i32", (65536,), "i32.atomic.load"),
    ("out of bounds memory access", "(i64.atomic.store (local.get 0) (i64.const 1))", "i32", (-8,), "i64.atomic.store"),
    ("out of bounds memory access", "(br_if 0 (i32.atomic.rmw.xor (local.get 0) (i32.const 1)))", "i32", (65536,),
     "i32.atomic.rmw.xor"),
    ("out of bounds memory access", "(drop (memory.atomic.notify (local.get 0) (i32.const 1)))", "i32", (65536,),
     "memory.atomic.notify"),
    ("unaligned atomic", "(drop (i64.atomic.rmw32.add_u offset=2 (local.get 0) (i64.const 1)))", "i32", (0,),
     "i64.atomic.rmw32.add_u"),
    ("unaligned atomic", "(drop (i64.atomic.load $wide (local.get 0)))", "i64", (4,), "i64.atomic.load"),
    ("unaligned atomic", "(drop (memory.atomic.wait64 (local.get 0) (i64.const 0) (i64.const 0)))", "i32", (4,),
     "memory.atomic.wait64"),
    ("expected shared memory", "(drop (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const 0)))", "i32", (4,),
     "memory.atomic.wait32"),
]


@pytest.mark.parametrize("code, body, params, arguments, mnemonic", TRAPS,
                         ids=[f"{t[4]}-{t[0].replace(' ', '-')}-{i}" for i, t in enumerate(TRAPS)])
def test_trap(load_bounded, code, body, params, arguments, mnemonic):
    """Thrown two calls deep; offsets are those of the trapping and the calling instructions."""
    get = "(local.get 0)" if params else ""
    inst = load_bounded(f"""(module (type $v (func)) (memory 1) (memory $wide i64 1)
      (data $d "abc") (elem $e func $other)
      (table $t 4 funcref) (elem (table $t) (i32.const 0) func $nothing $other)
      (func $nothing) (func $other (param i64))
      (func $f (param {params}) nop {body})
      (func $middle (export "middle") (param {params}) nop (call $f {get}) nop)
      (func $outer (export "outer") (param {params}) (call $nothing) (call $middle {get}))
      (func (export "alive") (result i32) (i32.const 42)))""")
    module = inst.module
    wanted = [(2, offsets(module, 2, mnemonic)[0]), (3, offsets(module, 3, "call")[0]),
              (4, offsets(module, 4, "call")[1])]
    for _ in range(3):
        error = trap_of(inst.exports.outer, *arguments)
        assert (error.code, type(error)) == (code, wasm.Trap)
        assert places(error) == wanted
        assert [frame.name for frame in error.frames] == ["f", "middle", "outer"]
        assert places(trap_of(inst.exports.middle, *arguments)) == wanted[:2]
        assert inst.exports.alive() == 42


def test_a_store_out_of_bounds_writes_nothing(load_bounded):
    inst = load_bounded("""(module (memory (export "m") 1)
      (func (export "store") (param i32) (i64.store (local.get 0) (i64.const -1)))
      (func (export "fill") (param i32) (memory.fill (local.get 0) (i32.const 255) (i32.const 16))))""")
    for name in ("store", "fill"):
        assert trap_of(inst.exports[name], 65531).code == "out of bounds memory access"
        assert inst.exports.m[65500:] == bytes(36)


def test_the_traps_place_among_many(load_bounded):
    """The same instruction many times: the one that fails is named."""
    loads = "".join(f"(drop (i32.load (i32.add (local.get 0) (i32.const {i * 8192}))))" for i in range(8))
    inst = load_bounded(f'(module (memory 1) (func (export "f") (param i32) {loads}))')
    found = offsets(inst.module, 0, "i32.load")
    for index in range(1, 8):
        assert places(trap_of(inst.exports.f, 65536 - index * 8192)) == [(0, found[index])]


def test_text_of_a_trap(load):
    inst = load('(module (func $inner unreachable) (func (export "f") (call $inner)))')
    error = trap_of(inst.exports.f)
    inner, outer = error.frames
    assert str(error) == f"unreachable\n  #00: 0x{inner.offset:04x} - inner\n  #01: 0x{outer.offset:04x} - f"
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.code, copy.frames) == (error.code, error.frames)


def test_frames_through_call_indirect(load_bounded):
    inst = load_bounded("""(module (type $t (func (param i32) (result i32)))
      (table funcref (elem $crash)) (func $crash (type $t) (i32.div_u (i32.const 1) (local.get 0)))
      (func (export "f") (param i32) (result i32)
        (i32.add (i32.const 1) (call_indirect (type $t) (local.get 0) (i32.const 0)))))""")
    wanted = [(0, offsets(inst.module, 0, "i32.div_u")[0]), (1, offsets(inst.module, 1, "call_indirect")[0])]
    assert places(trap_of(inst.exports.f, 0)) == wanted
    assert inst.exports.f(1) == 2


def test_frames_across_instances(load):
    lower = load('(module (func $low (export "low") unreachable))')
    upper = load('(module (import "m" "low" (func $l)) (func $up (export "up") (call $l)))', {"m": lower.exports})
    assert [frame.name for frame in trap_of(upper.exports.up).frames] == ["low", "up"]


MIXED = """(module (func $leaf (param i32) (result i32) (i32.div_u (i32.const 100) (local.get 0)))
  (func $mid (export "mid") (param i32) (result i32) (i32.add (i32.const 1) (call $leaf (local.get 0))))
  (func $top (export "top") (param i32) (result i32) (i32.mul (i32.const 2) (call $mid (local.get 0)))))"""


@pytest.mark.parametrize("hot", ["mid", "top"])
def test_frames_of_mixed_tiers(hot):
    """`hot` and what it calls are native code, the rest is interpreted."""
    engine = wasm.Engine(mode="tiered", tier_up_threshold=20, background=False)
    inst = wasm.Instance(wasm.Module(MIXED, engine=engine))
    inst.exports.top(1)
    for _ in range(30):
        assert inst.exports[hot](10) in (11, 22)
    assert (inst.function("mid").tier, inst.function("top").tier) == ("native", "interp" if hot == "mid" else "native")
    module = inst.module
    wanted = [(0, offsets(module, 0, "i32.div_u")[0]), (1, offsets(module, 1, "call")[0]),
              (2, offsets(module, 2, "call")[0])]
    assert places(trap_of(inst.exports.top, 0)) == wanted
    assert places(trap_of(inst.exports.mid, 0)) == wanted[:2]


def test_an_interpreted_function_called_from_native_code():
    """Two instances in different modes, calling each other three times."""
    source = """(module (import "m" "f" (func $f (param i32)))
      (func (export "f") (param i32) (call $f (i32.sub (local.get 0) (i32.const 1)))))"""
    last = wasm.load('(module (func $crash (export "f") (param i32) unreachable))', mode="jit").exports
    for mode in ("interp", "jit", "interp", "jit"):
        last = wasm.load(source, {"m": last}, mode=mode).exports
    error = trap_of(last.f, 5)
    assert [frame.name for frame in error.frames] == ["crash", "f", "f", "f", "f"]
    assert {frame.offset for frame in error.frames[1:]} == {offsets(wasm.Module(source), 1, "call")[0]}


def test_only_the_innermost_frames_are_kept(load):
    inst = load("""(module (func $f (export "f") (param i32)
      (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else unreachable))))""")
    error = trap_of(inst.exports.f, 1000)
    assert 100 <= len(error.frames) <= 128
    assert error.frames[0].offset == offsets(inst.module, 0, "unreachable")[0]
    assert {frame.offset for frame in error.frames[1:]} == {offsets(inst.module, 0, "call")[0]}


def test_results_after_a_trap(load_bounded):
    """Nothing of the exec_env is left as the trap found it."""
    inst = load_bounded("""(module (memory 1) (func $deep (param i32) (result i32)
        (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
          (else (i32.load (i32.const -8)))))
      (func $sum (export "sum") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (i32.add (local.get 0) (call $sum (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
      (export "deep" (func $deep)))""")
    for _ in range(200):
        assert trap_of(inst.exports.deep, 500).code == "out of bounds memory access"
    assert inst.exports.sum(500) == 125250


def test_a_trap_raised_again_elsewhere(load):
    inst = load('(module (func (export "f") unreachable) (func (export "g") (param i32) unreachable))')
    first, second = trap_of(inst.exports.f), trap_of(inst.exports.g, 1)
    assert [frame.name for frame in first.frames] == ["f"] and [frame.name for frame in second.frames] == ["g"]
    gc.collect()


def test_a_load_that_is_dropped_still_traps(load_bounded):
    """In a loop that does nothing else, too."""
    inst = load_bounded("""(module (memory 1) (func (export "f") (param i32) (result i32) (loop $l
      (drop (i32.load (local.tee 0 (i32.add (local.get 0) (i32.const 1000)))))
      (br_if $l (i32.lt_u (local.get 0) (i32.const 100000)))) (i32.const 1)))""")
    assert trap_of(inst.exports.f, 0).code == "out of bounds memory access"
