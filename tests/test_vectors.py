"""v128 everywhere a value can be: locals, blocks, loops that are taken over, calls, imports, globals, Python."""
import pytest

import pyjit_wasm as wasm

A, B, C = bytes(range(16)), bytes(range(100, 116)), bytes(range(240, 256))
ZERO = bytes(16)


def const(vector):
    return f"(v128.const i8x16 {' '.join(map(str, vector))})"


def added(*vectors):
    """Sum as i8x16."""
    return bytes(sum(lanes) & 255 for lanes in zip(*vectors))


def test_locals_of_all_widths(load):
    """Locals keep apart: narrow and wide ones, and those that start as zero."""
    exports = load("""(module
        (func (export "f") (param i32 v128 i64 v128 f32) (result v128 f32 i64 v128 i32 v128 i32 v128)
          (local i32 v128 i32 v128)
          (local.set 6 (i8x16.add (local.get 1) (local.get 3)))
          (local.set 7 (i32.add (local.get 0) (i32.const 1)))
          (local.get 3) (local.get 4) (local.get 2) (local.get 1) (local.get 0) (local.get 6) (local.get 7)
          (local.get 8)))""").exports
    assert exports.f(-5, A, 1 << 40, B, 1.5) == (B, 1.5, 1 << 40, A, -5, added(A, B), -4, ZERO)


def test_operands_below_a_write(load):
    """A local is read before it is written, also where its values are still on the stack."""
    exports = load("""(module (func (export "f") (param v128 v128) (result v128 v128 v128)
        (local.get 0) (local.set 0 (local.get 1)) (local.get 0) (local.tee 1 (i8x16.add (local.get 0) (local.get 0)))))
    """).exports
    assert exports.f(A, B) == (A, B, added(B, B))


def test_exchange(load):
    """Results go over the parameters they are made of."""
    exports = load("""(module
        (func $swap (export "swap") (param i32 v128 v128) (result v128 v128 i32) (local.get 2) (local.get 1) (local.get 0))
        (func (export "twice") (param i32 v128 v128) (result i32 v128 v128)
          (call $swap (local.get 0) (local.get 1) (local.get 2)) (local.set 0) (local.set 1) (local.set 2)
          (call $swap (local.get 0) (local.get 2) (local.get 1)) (local.set 0) (local.set 1) (local.set 2)
          (local.get 0) (local.get 2) (local.get 1)))""").exports
    assert exports.swap(7, A, B) == (B, A, 7)
    assert exports.twice(7, A, B) == (7, A, B)


def test_blocks(load):
    exports = load(f"""(module
        (func (export "block") (param v128 i32) (result i32 v128 i32)
          i32.const 1 local.get 0 i32.const 2
          (block (param i32 v128 i32) (result i32 v128 i32)
            (br_if 0 (local.get 1)) drop drop drop i32.const 3 {const(C)} i32.const 4))
        (func (export "if") (param v128 v128 i32) (result v128)
          local.get 0 local.get 1 local.get 2
          (if (param v128 v128) (result v128) (then i8x16.add) (else i8x16.sub)))
        (func (export "alone") (param v128 i32) (result v128 v128)
          {const(B)} local.get 0 local.get 1 (if (param v128) (result v128) (then drop {const(C)})))
        (func (export "down") (param v128 i32) (result v128)
          (block (result v128)
            (drop (i32.const 5)) i64.const 1 f32.const 2 local.get 0
            (br_if 0 (local.get 1)) drop drop drop {const(C)}))
        (func (export "table") (param v128 i32) (result i32 v128)
          (block (result i32 v128) (block (result i32 v128) (block (result i32 v128)
            i32.const 9 i32.const 1 local.get 0 (br_table 0 1 2 (local.get 1)))
            drop {const(B)} (return)) drop {const(C)})))""").exports
    assert exports.block(A, 1) == (1, A, 2) and exports.block(A, 0) == (3, C, 4)
    assert getattr(exports, "if")(A, B, 1) == added(A, B)
    assert getattr(exports, "if")(B, A, 0) == bytes([100] * 16)
    assert exports.alone(A, 0) == (B, A) and exports.alone(A, 1) == (B, C)
    assert exports.down(A, 1) == A and exports.down(A, 0) == C
    assert [exports.table(A, i) for i in range(3)] == [(1, B), (1, C), (1, A)]


LOOPS = f"""(module
    (func (export "one") (param $n i32) (param $v v128) (result i32 v128 v128) (local $i i32) (local $sum v128)
      i32.const 77 {const(C)} (local.get $v)
      (loop $l (param v128) (result v128)
        (local.set $sum (i8x16.add (local.get $sum) (local.get $v)))
        (i8x16.add {const([1] * 16)})
        (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
      (i8x16.add (local.get $sum)) )
    (func (export "nested") (param $n i32) (param $v v128) (result v128 i64 v128)
        (local $i i32) (local $j i32) (local $a v128) (local $k i64) (local $b v128)
      (i8x16.add (local.get $v) (local.get $v)) (i64.const 3)
      (loop $outer (result v128)
        (local.set $j (i32.const 0))
        (i8x16.add (local.get $a) (local.get $v))
        (loop $inner (param v128) (result v128)
          (local.set $a) (local.set $b (i8x16.add (local.get $b) (local.get $v)))
          (local.set $k (i64.add (local.get $k) (i64.const 1)))
          (local.get $a)
          (br_if $inner (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 3))))
        (local.set $a)
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $outer (i32.lt_u (local.get $i) (local.get $n)))
        (i8x16.add (local.get $a) (local.get $b)))))"""


@pytest.mark.parametrize("n", [1, 2, 3, 5, 50])
def test_loops(load, n):
    """In tiered mode native code takes over in a loop with vectors in parameters, locals and below it on the stack."""
    exports = load(LOOPS).exports
    times = lambda k, v: bytes(k * lane & 255 for lane in v)        # noqa: E731
    assert exports.one(n, B) == (77, C, added(B, bytes([n] * 16), times(n, B)))
    assert exports.nested(n, B) == (times(2, B), 3, added(times(n, B), times(3 * n, B)))


def test_loops_are_taken_over():
    engine = wasm.Engine(mode="tiered", tier_up_threshold=7, background=False)
    instance = wasm.Instance(wasm.Module(LOOPS, engine=engine))
    for name in ("one", "nested"):
        expected = wasm.Instance(wasm.Module(LOOPS, engine=wasm.Engine(mode="interp"))).exports[name](40, B)
        assert instance.exports[name](40, B) == expected
        assert "loops go on in native code" in instance.function(name).tier.why


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_calls(load, count):
    """Many parameters and results, between other types, in registers and in memory, directly and through a table."""
    kinds = ("v128", "i32", "v128", "f64", "i64", "v128", "f32", "v128", "v128")[:count]
    types, back = " ".join(kinds), " ".join(kinds[::-1])
    gets = " ".join(f"(local.get {i})" for i in range(count))
    turned = " ".join(f"(local.get {i})" for i in range(count)[::-1])
    exports = load(f"""(module
        (type $t (func (param {types}) (result {back})))
        (import "" "turn" (func $far (type $t)))
        (table funcref (elem $turn $far))
        (func $turn (export "turn") (type $t) {turned})
        (func (export "direct") (type $t) (call $turn {gets}))
        (func (export "indirect") (type $t) {gets} (call_indirect (type $t) (i32.const 0)))
        (func (export "import") (type $t) (call $far {gets}))
        (func (export "indirect import") (type $t) {gets} (call_indirect (type $t) (i32.const 1))))""",
                   {"": {"turn": lambda *values: values[::-1] if count > 1 else values[0]}}).exports
    samples = {"v128": lambda i: bytes(range(i, i + 16)), "i32": lambda i: -i, "i64": lambda i: i << 40,
               "f32": lambda i: i + 0.5, "f64": lambda i: i + 0.25}
    values = tuple(samples[kind](i) for i, kind in enumerate(kinds))
    expected = values[::-1] if count > 1 else values[0]
    for name in exports:
        for _ in range(3):
            assert exports[name](*values) == expected, name


def test_between_instances(load, engine):
    """A function, a global and a table of another instance, which may run in another tier."""
    source = """(module
        (global (export "g") (mut v128) (v128.const i64x2 1 2))
        (global (export "c") v128 (v128.const i64x2 3 4))
        (func $f (export "f") (param v128 i32) (result i32 v128)
          (global.set 0 (i8x16.add (global.get 0) (local.get 0))) (local.get 1) (global.get 0))
        (table (export "t") funcref (elem $f)))"""
    user = """(module
        (import "a" "f" (func $f (param v128 i32) (result i32 v128))) (import "a" "g" (global $g (mut v128)))
        (import "a" "c" (global $c v128)) (import "a" "t" (table 1 funcref))
        (global $copy v128 (global.get $c))
        (func (export "call") (param v128 i32) (result i32 v128) (call $f (local.get 0) (local.get 1)))
        (func (export "indirect") (param v128 i32) (result i32 v128)
          (call_indirect (param v128 i32) (result i32 v128) (local.get 0) (local.get 1) (i32.const 0)))
        (func (export "globals") (param v128) (result v128 v128 v128)
          (global.get $g) (global.set $g (local.get 0)) (global.get $c) (global.get $copy)))"""
    for mode in ("interp", "jit", "tiered"):
        other = wasm.Instance(wasm.Module(source, engine=wasm.Engine(mode=mode))).exports
        exports = load(user, {"a": other}).exports
        one, three = bytes([1] + 7 * [0] + [2] + 7 * [0]), bytes([3] + 7 * [0] + [4] + 7 * [0])
        assert exports.call(A, 5) == (5, added(one, A)) and other.g.value == added(one, A)
        assert exports.indirect(B, 6) == (6, added(one, A, B))
        assert exports.globals(C) == (added(one, A, B), three, three) and other.g.value == C
        other.g.value = A
        assert exports.globals(B) == (A, three, three)
        assert other.c.value == three


def test_select_and_drop(load):
    exports = load("""(module
        (func (export "plain") (param v128 v128 i32) (result v128)
          (drop (local.get 1)) (select (local.get 0) (local.get 1) (local.get 2)))
        (func (export "typed") (param v128 v128 i32) (result v128)
          (drop (i8x16.add (local.get 0) (local.get 1)))
          (select (result v128) (i8x16.add (local.get 0) (local.get 1)) (local.get 1) (local.get 2)))
        (func (export "compared") (param v128 v128 i32) (result v128)
          (select (local.get 0) (local.get 1) (i32x4.all_true (local.get 0)))))""").exports
    assert exports.plain(A, B, 1) == A and exports.plain(A, B, 0) == B
    assert exports.typed(A, B, 1) == added(A, B) and exports.typed(A, B, 0) == B
    assert exports.compared(A, B, 1) == A and exports.compared(ZERO, B, 1) == B


def test_globals(load):
    exports = load(f"""(module
        (global $a (export "a") (mut v128) {const(A)}) (global (mut i32) (i32.const 5)) (global $b v128 {const(B)})
        (func (export "f") (param v128) (result v128 i32 v128)
          (global.get $a) (global.set $a (local.get 0)) (global.get 1) (global.get $b)))""").exports
    assert exports.f(C) == (A, 5, B) and exports.a.value == exports.a.bits == C
    exports.a.value = bytearray(B)
    assert exports.f(A)[0] == B


def test_recursion_and_exhaustion(load):
    exports = load("""(module (func $f (export "f") (param i32 v128) (result v128)
        (if (result v128) (local.get 0)
          (then (i8x16.add (call $f (i32.sub (local.get 0) (i32.const 1)) (local.get 1)) (local.get 1)))
          (else (local.get 1)))))""").exports
    assert exports.f(9, A) == bytes(10 * lane & 255 for lane in A)
    with pytest.raises(wasm.Exhaustion):
        exports.f(-1, A)
    assert exports.f(1, A) == added(A, A)


def test_large_frame_of_vectors(load):
    """Too many slots for the interpreter, though not too many locals."""
    exports = load(f"""(module (func (export "f") (param v128) (result v128) (local {"v128 " * 20_000})
        (local.set 20000 (local.get 0)) (i8x16.add (local.get 20000) (local.get 19999))))""").exports
    assert exports.f(A) == A


def test_trap_frames(load_bounded):
    """Faults in handlers of vector instructions are told apart by instruction."""
    instance = load_bounded("""(module (memory 1) (func $f (export "f") (param i32 v128) (result v128)
        (v128.store (local.get 0) (local.get 1))
        (v128.load8_lane offset=65536 3 (local.get 0) (local.get 1))))""")
    offsets = set()
    for address in (0, 65530):
        with pytest.raises(wasm.Trap) as caught:
            instance.exports.f(address, A)
        assert [frame.name for frame in caught.value.frames] == ["f"]
        offsets.add(caught.value.frames[0].offset)
    assert len(offsets) == 2


# --- Python

IDENTITY = """(module (import "" "host" (func $host (param v128) (result v128)))
    (func (export "same") (param v128) (result v128) (local.get 0))
    (func (export "host") (param v128) (result v128) (call $host (local.get 0))))"""


def test_bytes_in_and_out(load):
    exports = load(IDENTITY, {"": {"host": lambda v: v}}).exports
    for given in (A, bytearray(A), memoryview(A), memoryview(B"x" + A)[1:]):
        for name in ("same", "host"):
            result = exports[name](given)
            assert type(result) is bytes and result == A
    assert exports.same.call_bits((B,)) == (B,)


def test_first_lane_first(load):
    exports = load("""(module (func (export "f") (param v128) (result i32 i64)
        (i32x4.extract_lane 0 (local.get 0)) (i64x2.extract_lane 1 (local.get 0))))""").exports
    assert exports.f(A) == (0x03020100, 0x0F0E0D0C0B0A0908)


@pytest.mark.parametrize("wrong, error", [(b"", ValueError), (bytes(15), ValueError), (bytearray(17), ValueError),
                                          (5, TypeError), ("x" * 16, TypeError), (None, TypeError),
                                          ([0] * 16, TypeError)])
def test_wrong_vectors(load, wrong, error):
    """Of arguments, results of host functions, and globals."""
    exports = load(IDENTITY, {"": {"host": lambda v: wrong}}).exports
    with pytest.raises(error):
        exports.same(wrong)
    with pytest.raises(error):
        exports.same.call_bits((wrong,))
    with pytest.raises(error):
        exports.host(A)
    with pytest.raises(error):
        wasm.Global("v128", wrong)
    variable = wasm.Global("v128", A, mutable=True)
    with pytest.raises(error):
        variable.value = wrong
    assert variable.value == A and exports.same(B) == B


def test_buffers_are_released(load):
    """A bytearray can be resized again, whether it was accepted or not."""
    exports = load(IDENTITY, {"": {"host": lambda v: v}}).exports
    good, bad = bytearray(A), bytearray(17)
    exports.same(good)
    with pytest.raises(ValueError, match="a v128 is 16 bytes"):
        exports.same(bad)
    good.append(1)
    bad.append(1)


def test_functions_and_globals_made_in_python(load):
    twice = wasm.Function(lambda v: added(v, v), ["v128"], ["v128"])
    assert twice(A) == added(A, A)
    exports = load("""(module (import "" "f" (func $f (param v128) (result v128))) (import "" "g" (global $g v128))
        (func (export "f") (result v128) (call $f (global.get $g))))""", {"": {"f": twice, "g": B}}).exports
    assert exports.f() == added(B, B)
    assert wasm.Global("v128", A).type.valtype == "v128" and wasm.Global("v128", A).value == A


def test_exceptions_pass(load):
    def fail(vector):
        raise KeyError(vector)

    exports = load(IDENTITY, {"": {"host": fail}}).exports
    with pytest.raises(KeyError) as caught:
        exports.host(A)
    assert caught.value.args == (A,)


def test_mode_can_change():
    instance = wasm.load(LOOPS, mode="interp")
    before = instance.exports.nested(9, A)
    for mode in ("jit", "tiered", "interp"):
        instance.mode = mode
        assert instance.exports.nested(9, A) == before


# --- tail calls and exceptions

@pytest.mark.parametrize("count", [1, 3, 5])
def test_tail_calls(load, count):
    """Frames grow and shrink; vectors move over each other."""
    kinds = ("v128", "i32", "v128", "v128", "i64")[:count]
    values = ((A, -1, B, C, 1 << 40))[:count]
    turned = " ".join(f"(local.get {i + 1})" for i in range(count)[::-1])
    types, back = " ".join(kinds), " ".join(kinds[::-1])
    exports = load(f"""(module
        (type $end (func (param {back}) (result {back}))) (type $start (func (param i32 {types}) (result {back})))
        (import "" "same" (func $far (type $end)))
        (table funcref (elem $end))
        (func $end (type $end) {" ".join(f"(local.get {i})" for i in range(count))})
        (func $count (export "direct") (type $start)
          (if (i32.eqz (local.get 0)) (then (return_call $end {turned})))
          (return_call $count (i32.sub (local.get 0) (i32.const 1)) {" ".join(f"(local.get {i + 1})" for i in range(count))}))
        (func (export "indirect") (type $start) (return_call_indirect (type $end) {turned} (i32.const 0)))
        (func (export "import") (type $start) (return_call $far {turned}))
        (func (export "loop") (type $start)
          (loop $l (br_if $l (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 0))))
          (return_call $count (i32.const 3) {" ".join(f"(local.get {i + 1})" for i in range(count))})))""",
                   {"": {"same": lambda *v: v if count > 1 else v[0]}}).exports
    expected = values[::-1] if count > 1 else values[0]
    for name in exports:
        assert exports[name](1000, *values) == expected, name


def test_exceptions_with_vectors(load):
    tag = wasm.Tag(["i32", "v128", "i32", "v128"])
    source = f"""(module
        (import "" "t" (tag $t (param i32 v128 i32 v128))) (import "" "host" (func $host (param v128)))
        (func $throw (export "throw") (param v128 v128)
          (throw $t (i32.const 1) (local.get 0) (i32.const 2) (local.get 1)))
        (func (export "catch") (param v128 v128) (result i32 v128 i32 v128) (local v128)
          (block $h (result i32 v128 i32 v128)
            (try_table (catch $t $h) (call $throw (local.get 0) (local.get 1))) unreachable))
        (func (export "here") (param v128 v128) (result i32 v128 i32 v128)
          (block $h (result i32 v128 i32 v128)
            (try_table (catch $t $h) (throw $t (i32.const 3) (local.get 1) (i32.const 4) (local.get 0))) unreachable))
        (func (export "rethrow") (param v128 v128) (result i32 v128 i32 v128)
          (block $outer (result i32 v128 i32 v128)
            (try_table (catch $t $outer)
              (block $h (result i32 v128 i32 v128 exnref)
                (try_table (catch_ref $t $h) (call $throw (local.get 0) (local.get 1))) unreachable)
              throw_ref)
            unreachable))
        (func (export "host") (param v128) (result i32 v128 i32 v128)
          (block $h (result i32 v128 i32 v128) (try_table (catch $t $h) (call $host (local.get 0))) unreachable)))"""

    def host(vector):
        raise wasm.WasmException(tag, 5, vector, 6, C)

    exports = load(source, {"": {"t": tag, "host": host}}).exports
    for _ in range(3):
        assert exports["catch"](A, B) == (1, A, 2, B)
        assert exports.here(A, B) == (3, B, 4, A)
        assert exports.rethrow(A, B) == (1, A, 2, B)
        assert exports.host(A) == (5, A, 6, C)
        with pytest.raises(wasm.WasmException) as caught:
            exports.throw(B, C)
        assert caught.value.payload == (1, B, 2, C)
