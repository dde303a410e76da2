"""A trap names the instruction that trapped, whatever LLVM has made of it: the same one in every mode, with both kinds of
bounds. Each function traps at the one access that has the offset MARK, or at the instruction that is named with it."""
import pytest

import pyjit_wasm as wasm
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.text import assemble

MARK, PAGES = 0x30000, 1
MARK_TEXT = f"offset={MARK}"
HEAD = f"""(memory {PAGES} 4) (data $d "abc") (table $t 2 funcref) (elem declare func $one) (global $g (mut i64) (i64.const 0))
  (global $h (mut i32) (i32.const 0))
  (func $one (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $far (param i64) (result i64) (local i32)
    (i64.store offset=8 (i32.const 0) (local.get 0)) (i64.rotl (local.get 0) (i64.load (i32.const 0))))"""


def loaded(t, load=None):
    """The access that traps; `$p` is 0, but nobody knows."""
    return f"({load or t + '.load'} offset={MARK} (local.get $p))"


def kept(t, text):
    """Keep a value of an integer type."""
    return f"(global.set {'$h' if t == 'i32' else '$g'} {text})"


def integer(t):
    x, one, fine, local = loaded(t), f"({t}.const 1)", f"({t}.load offset=16 (local.get $p))", f"(local.get ${t})"
    store = f"({t}.store offset={MARK} (local.get $p) "
    for result, names in ((t, "add sub mul and or xor shl shr_s rotl div_u div_s rem_u rem_s"), ("i32", "eq lt_u gt_s")):
        for name in names.split():
            for left, right in ((x, one), (one, x), (x, fine), (fine, x), (x, local), (local, x)):
                yield kept(result, f"({t}.{name} {left} {right})")
    for name in ("clz", "popcnt", "extend8_s"):
        yield kept(t, f"({t}.{name} {x})")
    yield kept("i32", f"({t}.eqz {x})")
    for width in ("8_s", "8_u", "16_s", "16_u"):
        yield kept(t, f"({t}.add {one} {loaded(t, f'{t}.load{width}')})")
    yield f"({t}.store (local.get $p) {x})"
    yield f"({t}.store8 (local.get $p) {x})"
    for name in ("add", "sub", "or", "shl"):    # may become one instruction that reads and writes
        yield f"{store} ({t}.{name} {x} {one}))"
        yield f"{store} ({t}.{name} {x} {local}))"
    yield f"(local.set ${t} {x}) ({t}.store offset=24 (local.get $p) ({t}.add {local} {one}))"
    for value in (local, one, fine):
        yield f"{store} {value})"
    yield f"(local.set ${t} (select {x} {local} (local.get $p))) {kept(t, local)}"
    yield f"(local.set ${t} (select {local} {x} (local.get $p))) {kept(t, local)}"
    yield f"(if ({t}.eqz {x}) (then (global.set $g (i64.const 3))))"
    yield f"(if ({t}.lt_u {x} {local}) (then (global.set $g (i64.const 3))) (else (global.set $g (i64.const 4))))"
    yield f"(drop {x})"


def floating(t):
    x, fine, local = loaded(t), f"({t}.load offset=16 (local.get $p))", f"(local.get ${t})"
    store = f"({t}.store offset=32 (local.get $p) "
    for op in ("add", "sub", "mul", "div", "min", "max", "copysign"):
        for left, right in ((x, local), (local, x), (x, fine), (fine, x)):
            yield f"{store} ({t}.{op} {left} {right}))"
    for op in ("sqrt", "abs", "neg", "floor", "nearest"):
        yield f"{store} ({t}.{op} {x}))"
    yield f"(if ({t}.lt {x} {local}) (then {store} {fine})))"
    yield f"(drop (i32.trunc_sat_{t}_s {x}))"
    yield f"{store} ({t}.convert_i32_s {loaded('i32')}))"
    yield f"{store} ({t}.convert_i64_u {loaded('i64')}))"
    yield f"({t}.store offset={MARK} (local.get $p) ({t}.add {x} {local}))"
    yield f"({t}.store offset={MARK} (local.get $p) ({t}.add {fine} {local}))"
    yield f"(local.set ${t} (select {x} {local} (local.get $p))) {store} {local})"


def vectors():
    x, fine, local = loaded("v128"), "(v128.load offset=16 (local.get $p))", "(local.get $v128)"
    store = "(v128.store offset=48 (local.get $p) "
    for op in ("i32x4.add", "i8x16.shuffle 0 1 2 3 20 21 22 23 8 9 10 11 28 29 30 31", "f32x4.mul", "i16x8.add_sat_s", "v128.and",
               "i64x2.mul", "f64x2.min", "i8x16.swizzle", "i32x4.eq", "i16x8.narrow_i32x4_s"):
        for left, right in ((x, local), (local, x), (x, fine), (fine, x)):
            yield f"{store} ({op} {left} {right}))"
    yield f"{store} (v128.bitselect {local} {x} {fine}))"
    yield f"(global.set $g (i64x2.extract_lane 1 {x}))"
    yield f"{store} (i32x4.replace_lane 1 {local} {loaded('i32')}))"
    yield f"{store} (f32x4.splat {loaded('f32')}))"
    for load in ("8_splat", "32_splat", "64_splat", "32_zero", "64_zero", "8x8_s", "32x2_u"):
        yield f"{store} (i32x4.add {local} {loaded('v128', f'v128.load{load}')}))"
    for width, lane in ((8, 3), (16, 1), (32, 3), (64, 1)):
        yield f"{store} (v128.load{width}_lane offset={MARK} {lane} (local.get $p) {local}))"
        yield f"(v128.store{width}_lane offset={MARK} {lane} (local.get $p) {local})"
        yield f"(v128.store{width}_lane offset={MARK} {lane} (local.get $p) {fine})"
    yield f"(v128.store offset={MARK} (local.get $p) (i32x4.add {fine} {local}))"


def atomics():
    for op in ("add", "sub", "and", "xchg"):
        for t, width in (("i32", ""), ("i64", ""), ("i32", "8"), ("i64", "32")):
            u = "_u" if width else ""
            access = f"({t}.atomic.rmw{width}.{op}{u} offset={MARK} (local.get $p) (local.get ${t}))"
            yield f"(drop {access})"
            yield kept(t, f"({t}.add ({t}.const 5) {access})")
    yield f"(drop (i32.atomic.rmw.cmpxchg offset={MARK} (local.get $p) (local.get $i32) (i32.const 4)))"
    yield f"(drop (i64.atomic.load offset={MARK} (local.get $p)))"
    yield f"(global.set $g (i64.add (i64.atomic.load offset={MARK} (local.get $p)) (local.get $i64)))"
    yield f"(i64.atomic.store offset={MARK} (local.get $p) (local.get $i64))"
    yield f"(drop (memory.atomic.notify offset={MARK} (local.get $p) (i32.const 1)))"


def uses():
    """What is loaded goes to calls, branches and everything else that takes an operand."""
    i, l = loaded("i32"), loaded("i64")
    yield f"(drop (call $one {i}))"
    yield f"(global.set $g (call $far {l}))"
    yield f"(drop (call_indirect $t (param i32) (result i32) (i32.const 7) {i}))"
    yield f"(block (block (br_if 1 {i})) (global.set $g (i64.const 1)))"
    yield f"(block $a (block $b (block $c (br_table $a $b $c $a $c {i})) (global.set $h (i32.const 1))) (global.set $h (i32.const 2)))"
    yield f"(global.set $h (memory.grow {i}))"
    yield f"(global.set $h (i32.load {i}))"
    yield f"(i32.store {i} (i32.const 4))"
    yield f"(global.set $g (i64.load (i32.add {i} (local.get $i32))))"
    yield f"(memory.fill {i} (i32.const 0) (i32.const 0))"
    yield f"(global.set $g (i64.div_u (i64.const 4) {l})) unreachable"
    yield f"(global.set $h {i}) (global.set $h (i32.load (i32.const 0)))"
    # the same in both arms, and at their ends
    store = f"(i32.store offset={MARK} (local.get $p) (local.get $i32))"
    yield f"(if (local.get $i32) (then (global.set $h {i})) (else {store}))"
    yield f"(if (local.get $i32) (then (global.set $h (i32.add {i} (i32.const 1)))) (else (global.set $g {l})))"
    yield f"(if (local.get $i32) (then (global.set $h {i})) (else (global.set $h {i})))"
    yield f"(if (local.get $i32) (then (global.set $h (i32.add {i} (i32.const 1)))) (else (global.set $h (i32.sub {i} (i32.const 3)))))"
    yield f"(if (local.get $i32) (then (global.set $h (i32.const 1)) {store}) (else (global.set $h (i32.const 2)) {store}))"
    yield f"(if (i32.eqz (local.get $i32)) (then {store} (global.set $h (i32.const 1))) (else {store} (global.set $h (i32.const 2))))"


def bulk():
    yield f"(memory.fill (i32.const {MARK}) (i32.const 1) (i32.const 9))"
    yield f"(memory.copy (local.get $p) (i32.const {MARK}) (i32.const 9))"
    yield f"(memory.init $d (i32.const {MARK}) (local.get $p) (i32.const 3))"
    yield f"(drop (table.get $t (i32.const {MARK})))"
    yield f"(table.set $t (i32.const {MARK}) (ref.func $one))"
    yield f"(table.fill $t (i32.const {MARK}) (ref.func $one) (i32.const 9))"
    yield "(drop (i32.div_u (local.get $i32) (local.get $p)))"
    yield "(drop (i64.rem_s (local.get $i64) (i64.extend_i32_u (local.get $p))))"
    yield "(drop (i32.trunc_f64_s (f64.div (local.get $f64) (f64.convert_i32_s (local.get $p)))))"
    yield "(drop (call_indirect $t (param i32) (result i32) (local.get $i32) (local.get $p)))"
    yield "unreachable"


SHAPES = {"i32": [*integer("i32")], "i64": [*integer("i64")], "f32": [*floating("f32")], "f64": [*floating("f64")],
          "vectors": [*vectors()], "atomics": [*atomics()], "uses": [*uses()], "bulk": [*bulk()]}
# accesses before and behind, which do not trap
LOCALS = "(local $f32 f32) (local $f64 f64) (local $v128 v128)"
SURROUNDED = LOCALS + """
  (local.set $f64 (f64.load (local.get $i32))) (i64.store offset=1488 (local.get $p) (local.get $i64))
  {shape}
  (i64.store offset=1496 (local.get $p) (local.get $i64)) (drop (i32.load offset=4 (local.get $p)))"""


def module(shapes):
    """Each shape in a function `t<number>`, and in one that calls it, `c<number>`."""
    parameters = "(param $p i32) (param $i32 i32) (param $i64 i64)"
    functions = [f"""(func $t{n} (export "t{n}") {parameters} {SURROUNDED.format(shape=shape)})
      (func (export "c{n}") {parameters} (i64.store (local.get $p) (local.get $i64))
        (call $t{n} (local.get $p) (local.get $i32) (local.get $i64)) (i64.store (local.get $p) (i64.const 9)))"""
                 for n, shape in enumerate(shapes)]
    return assemble("(module " + HEAD + "\n".join(functions) + ")")


def module_of_loops(shapes):
    """Each shape in a loop around another, in whose seventh iteration it traps."""
    return assemble("(module " + HEAD + "\n".join(f"""
      (func (export "l{n}") (param $p i32) (param $i32 i32) (param $i64 i64) (local $n i32) {LOCALS}
        (loop $outer
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (loop $inner (br_if $inner (i64.ne (local.tee $i64 (i64.sub (local.get $i64) (i64.const 1))) (i64.const 0))))
          (local.set $i64 (i64.load offset=8 (local.get $p)))
          (i64.store (local.get $p) (local.tee $i64 (i64.add (i64.const 3) (local.get $i64))))
          (if (i32.eq (local.get $n) (i32.const 7)) (then {shape}))
          (br_if $outer (i32.lt_u (local.get $n) (i32.const 20)))))""" for n, shape in enumerate(shapes)) + ")")


def places(binary, shapes, prefixes="tc", threshold=1, **settings):
    """{function, arguments: (message, the frames' function indices and offsets)} of the traps."""
    inst = wasm.load(binary, tier_up_threshold=threshold, background=False, **settings)
    found = {}
    for n in range(len(shapes)):
        for name in (f"{prefix}{n}" for prefix in prefixes):
            for number in (0, 1):
                try:
                    inst.exports[name](0, number, 8)
                    found[name, number] = "no trap"
                except wasm.Trap as trap:
                    found[name, number] = trap.code, [(frame.funcidx, frame.offset) for frame in trap.frames]
    return found


def marked(binary):
    """{function index: byte offsets of its accesses that have the offset MARK}"""
    syntax, found = wasm.Module(binary).syntax, {}
    for funcidx, code in enumerate(syntax.codes, syntax.imported_funcs):
        found[funcidx] = {offset for op, imm, offset in instructions(syntax, code.start, code.end)
                          if op.access and (imm if isinstance(imm[0], int) else imm[0])[2] == MARK}
    return found


@pytest.mark.parametrize("kind", SHAPES)
def test_offsets_of_traps(kind):
    shapes = SHAPES[kind]
    binary = module(shapes)
    wanted = places(binary, shapes, mode="interp")
    accesses = marked(binary)
    for (name, _), outcome in wanted.items():
        if MARK_TEXT in shapes[int(name[1:])]:
            funcidx, offset = outcome[1][0]
            assert offset in accesses[funcidx], shapes[int(name[1:])]
    assert wanted == places(binary, shapes, mode="interp", memory_bounds="explicit")
    for mode in ("jit", "tiered"):
        for bounds in ("guard", "explicit"):
            found = places(binary, shapes, mode=mode, memory_bounds=bounds)
            wrong = {key: (shapes[int(key[0][1:])], found[key], wanted[key]) for key in wanted if found[key] != wanted[key]}
            assert not wrong, f"{mode}, {bounds}: {len(wrong)} of {len(wanted)}\n" + "\n".join(map(str, wrong.items()))


def test_offsets_of_traps_in_loops_that_are_entered():
    shapes = [*SHAPES["uses"], *SHAPES["i32"][::7], *SHAPES["vectors"][::7]]
    binary = module_of_loops(shapes)
    wanted = places(binary, shapes, "l", mode="interp")
    assert all(outcome != "no trap" for outcome in wanted.values())
    for threshold in (3, 9):
        assert places(binary, shapes, "l", threshold, mode="tiered") == wanted
