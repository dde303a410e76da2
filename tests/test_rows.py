"""Every numeric instruction against an oracle in Python, and in every shape that compilers treat apart."""
import functools
import random
import struct
import zlib

import pytest

import pyjit_wasm as wasm
from modes import MODES, engine
from oracle import BITS, INF, QUIET, Trapped, admits, expect
from pyjit_wasm.text import assemble
from row_forms import ROWS, functions, module

RANDOM, RANDOM_IN_FORMS = 1000, 40


def integer_edges(t):
    top = 1 << BITS[t] - 1
    return [0, 1, 2, 7, 8, BITS[t] - 1, BITS[t], 0x7F, 0x80, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
            top - 1, top, top + 1, 2 * top - 2, 2 * top - 1]


def float_edges(t):
    """Zeros, subnormals, ties and bounds of conversions, infinities, quiet and signalling NaNs; both signs."""
    numbers = [0.0, 0.5, 0.75, 1.0, 1.5, 2.5, 3.14159, 4194304.5, 8388609.0, 2.0 ** 31, 2.0 ** 31 - 1, 2.0 ** 32,
               2.0 ** 52 + 0.5, 2.0 ** 63, 2.0 ** 64, 2.0 ** 63 - 1024, 1e-30, 1e30]
    codes = ("<f", "<I") if t == "f32" else ("<d", "<Q")
    bits = {struct.unpack(codes[1], struct.pack(codes[0], number))[0] for number in numbers}
    beside = {b + 1 for b in bits} | {b - 1 for b in bits if b}
    least_normal = QUIET[t] << 1
    bits |= beside | {1, 2, least_normal - 1, least_normal, least_normal + 1, INF[t] - 1, INF[t], INF[t] + 1,
                      INF[t] | QUIET[t], INF[t] | QUIET[t] | 1, INF[t] | QUIET[t] - 1}
    return sorted(bits | {b | 1 << BITS[t] - 1 for b in bits})


EDGES = {"i32": integer_edges("i32"), "i64": integer_edges("i64"), "f32": float_edges("f32"), "f64": float_edges("f64")}


def random_value(rng, t):
    """Raw bits: anything, something small, an edge, or in floats a number of middling magnitude."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(EDGES[t])
    if kind == 1 and t[0] == "i":
        return rng.randrange(-40, 40) & (1 << BITS[t]) - 1
    if kind > 2 and t[0] == "f":
        number = rng.choice((rng.uniform(-100, 100), rng.randrange(-1 << 40, 1 << 40) / 8, rng.gauss(0, 2.0 ** 60)))
        return struct.unpack("<I", struct.pack("<f", number))[0] if t == "f32" else \
            struct.unpack("<Q", struct.pack("<d", number))[0]
    bits = rng.getrandbits(BITS[t])
    return bits >> rng.randrange(BITS[t]) if kind == 1 else bits


def near(rng, t, value):
    """A second operand: now and then about the first, so that comparisons and cancellation matter."""
    if rng.randrange(4):
        return random_value(rng, t)
    return (value ^ rng.choice((0, 0, 1, 1 << BITS[t] - 1)) ^ rng.getrandbits(3)) & (1 << BITS[t]) - 1


def inputs(name, edges, count):
    """Argument tuples for a row: edges, then random ones."""
    op, rng = ROWS[name], random.Random(zlib.crc32(name.encode()))
    t = op.params[0]
    if len(op.params) == 1:
        found = [(edge,) for edge in edges]
    else:
        found = [(a, b) for a in edges for b in edges]
    for _ in range(count):
        first = random_value(rng, t)
        found.append((first, near(rng, t, first))[:len(op.params)])
    return found


FUNCTIONS = functions()


@functools.cache
def binary():
    return assemble(module(FUNCTIONS))


@functools.cache
def exports(mode):
    return wasm.Instance(wasm.Module(binary(), engine=engine(mode))).exports


def outcome(function, arguments):
    """The results, or the trap's message for each of them."""
    try:
        return function.call_bits(arguments)
    except wasm.Trap as trap:
        return (trap.code,) * len(function.type.results)


@functools.lru_cache(2)
def plain_cases(name):
    edges = EDGES[ROWS[name].params[0]]
    if len(ROWS[name].params) == 2 and len(edges) > 40:
        edges = edges[::3] + edges[-8:]
    return [(arguments, expect(name, arguments)) for arguments in inputs(name, edges, RANDOM)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ROWS)
def test_row(name, mode):
    function = exports(mode)[name]
    for arguments, expected in plain_cases(name):
        result = outcome(function, arguments)[0]
        assert admits(expected, result), describe(name, arguments, expected, result)


DTYPES = {"i32": "i4", "i64": "i8", "f32": "f4", "f64": "f8"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ROWS)
def test_row_over_arrays(name, mode):
    """The operands that do not trap as arrays: the loop over contiguous ones is vectorised, that with steps is not."""
    numpy = pytest.importorskip("numpy")
    op = ROWS[name]
    cases = [(arguments, expected) for arguments, expected in plain_cases(name) if not isinstance(expected, Trapped)]
    columns = [numpy.array(column, f"u{BITS[t] // 8}").view(DTYPES[t])
               for t, column in zip(op.params, zip(*(arguments for arguments, _ in cases)))]
    for step in (1, -3):
        found = exports(mode)[name].map(*(numpy.repeat(column, abs(step))[::step] for column in columns))
        assert found.dtype == DTYPES[op.results[0]]
        for (arguments, expected), result in zip(cases[::step // abs(step)], found.view(f"u{found.itemsize}").tolist()):
            assert admits(expected, result), describe(name, arguments, expected, result, f"step {step}")


def describe(name, arguments, expected, result, form=""):
    shown = [hex(x) if isinstance(x, int) else x for x in (*arguments, expected, result)]
    return f"{name} ({', '.join(map(str, shown[:-2]))}) {form}: expected {shown[-2]}, got {shown[-1]}"


@functools.lru_cache(2)
def form_cases(name):
    """(arguments, {operands of the instruction: expectation}) for all forms of a row."""
    op, edges = ROWS[name], EDGES[ROWS[name].params[0]]
    edges = edges[::len(edges) // 9]
    pairs = [arguments * 2 if len(op.params) == 1 else arguments for arguments in inputs(name, edges, RANDOM_IN_FORMS)]
    known = functools.cache(lambda operands: expect(name, operands))
    return pairs, known


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ROWS)
def test_forms(name, mode):
    pairs, known = form_cases(name)
    for export, (op, forms) in FUNCTIONS.items():
        if op.mnemonic != name:
            continue
        function = exports(mode)[export]
        for arguments in pairs:
            for form, result in zip(forms, outcome(function, arguments), strict=True):
                meaning = form.meaning(*arguments)
                expected = meaning if isinstance(meaning, int) else known(meaning)
                if form.name.endswith(" not"):
                    expected = 1 - expected
                assert admits(expected, result), describe(export, arguments, expected, result, form.name)
