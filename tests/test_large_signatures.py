"""Signatures with many parameters and results, whose trampolines are loops: values arrive in their places, of every type, in
every direction."""
import ctypes
import struct

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.codegen import native, signatures, statuses

TYPES = ("i32", "f64", "v128", "i64", "f32", "externref", "funcref")
SIZES = (signatures.LARGE // 2, signatures.LARGE // 2 + 1, 200, 1_000)
THING = object()


def types(count):
    return [TYPES[i % len(TYPES)] for i in range(count)]


def values(count, function):
    """One of each type in turn, all different where the type has so many."""
    make = {"i32": lambda i: -i, "i64": lambda i: i << 40, "f32": lambda i: i + 0.5, "f64": lambda i: i / 3,
            "v128": lambda i: struct.pack("<4I", i, 1, 2, i), "externref": lambda i: (THING, i), "funcref": lambda i: function}
    return [make[t](i) for i, t in enumerate(types(count))]


def raw(type, value):
    """As `call_bits` has it."""
    if type in ("f32", "f64"):
        return int.from_bytes(struct.pack("<f" if type == "f32" else "<d", value), "little")
    return value & (1 << int(type[1:])) - 1 if type in ("i32", "i64") else value


def text(count, body="", more=""):
    """A module of functions that get values and give them back: `f` by itself, `g` by `f`, `h` by the import `m.f`, `t` by a tail
    call of `f`, `x` by a table."""
    names = " ".join(types(count))
    get = " ".join(f"(local.get {i})" for i in range(count))
    return f"""(module (type $t (func (param {names}) (result {names}))) (import "m" "f" (func $m (type $t))) {more}
      (table $table funcref (elem $f)) (global $n (mut i32) (i32.const 3))
      (func $f (export "f") (type $t) {body} {get})
      (func (export "g") (type $t) {get} (call $f))
      (func (export "h") (type $t) {get} (call $m))
      (func (export "t") (type $t) {get} (return_call $f))
      (func (export "long") (type $t) (loop $l (global.set $n (i32.sub (global.get $n) (i32.const 1)))
        (br_if $l (global.get $n))) {get} (call $f))
      (func (export "x") (type $t) {get} (call_indirect $table (type $t) (i32.const 0))))"""


@pytest.mark.parametrize("exceptions", ("", "(tag)"), ids=("plain", "exceptions"))
@pytest.mark.parametrize("count", SIZES)
def test_values_arrive(load, count, exceptions):
    seen = []

    def echo(*arguments):
        seen.append(arguments)
        return arguments

    inst = load(text(count, more=exceptions), {"m": {"f": echo}})
    given = values(count, inst.exports.f)
    for _ in range(3):      # in other tiers
        for name in "fghtx":
            assert list(inst.exports[name](*given)) == given, name
    assert list(inst.exports.long(*given)) == given
    assert [list(arguments) for arguments in seen] == [given] * 3
    bits = [raw(t, value) for t, value in zip(types(count), given)]
    bits[1] = 0x7FF4_0000_0000_0001     # a signalling NaN
    assert list(inst.exports.g.call_bits(bits)) == bits


@pytest.mark.parametrize("count", SIZES)
def test_across_instances(load, mode, count):
    """Of a module with exceptions and of one without, both ways."""
    def module(more):
        return load(text(count, more=more), {"m": {"f": lambda *a: a}})

    for outer, inner in (("", "(tag)"), ("(tag)", ""), ("(tag)", "(tag)")):
        callee = module(inner)
        caller = load(text(count, more=outer), {"m": {"f": callee.exports.f}})
        given = values(count, callee.exports.f)
        for _ in range(3):
            assert list(caller.exports.h(*given)) == given


def test_what_cannot_be_converted(load):
    inst = load(text(100), {"m": {"f": lambda *a: a}})
    given = values(100, inst.exports.f)
    for place, wrong, error in ((98, "a", TypeError), (98, 1 << 32, OverflowError), (97, 5, TypeError), (93, b"abc", ValueError),
                                (94, 1 << 64, OverflowError), (95, "x", TypeError)):
        with pytest.raises(error):
            inst.exports.f(*given[:place], wrong, *given[place + 1:])
    for arguments in (given[1:], [*given, 0], []):
        with pytest.raises(TypeError, match="takes 100 arguments"):
            inst.exports.f(*arguments)
    with pytest.raises(TypeError, match="no keyword arguments"):
        inst.exports.f(*given, a=1)
    assert list(inst.exports.f(*given)) == given


def test_what_a_host_function_gives(load):
    """As any sequence, of the right length and types; else an error, and what was given is released."""
    answers = []
    inst = load(text(100), {"m": {"f": lambda *a: answers.pop()(a)}})
    given = values(100, inst.exports.f)

    def fail(arguments):
        raise KeyError("mine")

    for answer, error in ((lambda a: a[1:], TypeError), (lambda a: None, TypeError), (fail, KeyError),
                          (lambda a: (*a[:98], "s", a[99]), TypeError), (lambda a: (*a[:98], 1 << 40, a[99]), OverflowError),
                          (lambda a: (*a[:93], b"", *a[94:]), ValueError)):
        answers.append(answer)
        with pytest.raises(error):
            inst.exports.h(*given)
    for answer in (list, tuple, iter):
        answers.append(answer)
        assert list(inst.exports.h(*given)) == given


def test_objects_are_released(load):
    class Thing:
        alive = 0

        def __init__(self, number):
            self.number = number
            Thing.alive += 1

        def __del__(self):
            Thing.alive -= 1

        def __index__(self):
            return self.number

    inst = load(f'(module (import "m" "f" (func $f (param {"i64 " * 90}))) (func (export "f") (param {"i64 " * 90}) '
                f'{" ".join(f"(local.get {i})" for i in range(90))} (call $f)))', {"m": {"f": lambda *a: seen.append(sum(a))}})
    seen = []
    for _ in range(5):
        inst.exports.f(*map(Thing, range(90)))
    assert seen == [90 * 89 // 2] * 5 and Thing.alive == 0


def test_conversions_may_call_wasm(load):
    """With as many values, which go through the same memory."""
    class Calls:
        def __index__(self):
            assert list(inst.exports.f(*given)) == given
            return 7

    inst = load(text(100), {"m": {"f": lambda *a: (*inst.exports.f(*a[:98], 9, a[99])[:98], Calls(), a[99])}})
    given = values(100, inst.exports.f)
    for name in "fh":
        assert list(inst.exports[name](*given[:98], Calls(), given[99])) == [*given[:98], 7, given[99]]


def test_exceptions(load):
    """A payload of many values, from wasm to Python and back."""
    names = " ".join(types(200))
    get = " ".join(f"(local.get {i})" for i in range(200))
    inst = load(f"""(module (type $t (func (param {names}) (result {names})))
      (import "m" "f" (func $m (type $t))) (tag $e (export "e") (param {names}))
      (func (export "throw") (type $t) {get} (throw $e))
      (func (export "catch") (type $t) (block $b (result {names}) {get} (try_table (type $t) (catch $e $b) (call $m)))))""",
                {"m": {"f": lambda *a: inst.exports["throw"](*a)}})
    given = values(200, inst.exports["throw"])
    with pytest.raises(wasm.WasmException) as raised:
        inst.exports["throw"](*given)
    assert raised.value.tag == inst.exports.e and list(raised.value.payload) == given
    assert list(inst.exports["catch"](*given)) == given


def test_c_functions(load):
    count = signatures.LARGE + 6
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[(ctypes.c_int64, ctypes.c_double)[i & 1] for i in range(count)])
    names = " ".join([("i64", "f64")[i & 1] for i in range(count)])
    get = " ".join(f"(local.get {i})" for i in range(count))
    inst = load(f'(module (import "m" "f" (func $f (param {names}) (result i64))) (func (export "f") (param {names}) '
                f'(result i64) {get} (call $f)))', {"m": {"f": kind(lambda *a: int(sum(x * i for i, x in enumerate(a))))}})
    given = [i if i % 2 == 0 else i / 2 for i in range(count)]
    assert inst.exports.f(*given) == int(sum(x * i for i, x in enumerate(given)))
    assert inst.exports.f.c_function()(*given) == inst.exports.f(*given)


def test_code_does_not_grow_with_the_square():
    """A loop is in the trampolines, not code for each value: what grows are tables and what a frame's cells are copied by."""
    for cls, module in ((native.Trampolines, signatures), (native.StatusTrampolines, statuses)):
        for part in sorted({*cls.parts.values()} - {"c_host"}):
            lines = [cls.source(part, "iIfF" * (n // 4) + ":" + "I" * n).count("\n") for n in (100, 500)]
            assert lines[0] == lines[1], part


def test_too_many_values():
    for params, results in ((1_001, 0), (0, 1_001)):
        with pytest.raises(ValueError, match=r"too many (parameters|results): 1001 \(at most 1000\)"):
            wasm.Function(print, ["i64"] * params, ["i64"] * results)
    function = wasm.Function(lambda *a: a, ["i64"] * 1_000, ["i64"] * 1_000)
    assert function(*range(1_000)) == tuple(range(1_000))
