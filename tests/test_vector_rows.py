"""Every vector instruction against an oracle in Python, with operands from everywhere; every vector access to memory."""
import functools
import random
import re
import zlib

import pytest

import pyjit_wasm as wasm
from modes import BOUNDS, MODES, engine
from oracle import admits
from pyjit_wasm.opcodes import vector
from pyjit_wasm.text import assemble
from test_rows import EDGES, random_value
from vector_oracle import WIDTH, Lanes, expect, join, loaded, operand_shape, stored

RANDOM, RANDOM_IN_FORMS, RANDOM_ACCESSES = 1000, 30, 1000
V128 = "v128"
ROWS = {op.mnemonic: op for op in vector.ROWS if op.access is None and op.params}
ACCESSES = {op.mnemonic: op for op in vector.ROWS if op.access}
SIZE = 65536
OUT_OF_BOUNDS = "out of bounds memory access"


def lane_edges(shape):
    if shape in ("f32x4", "f64x2", "i32x4", "i64x2"):
        return EDGES[shape[:3]]
    top = 1 << WIDTH[shape] - 1
    return [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 112, 127, 128, top - 1, top, top + 1, 2 * top - 2, 2 * top - 1]


def random_lane(rng, shape):
    if shape in ("f32x4", "f64x2", "i32x4", "i64x2"):
        return random_value(rng, shape[:3])
    return rng.choice((rng.choice(lane_edges(shape)), rng.getrandbits(WIDTH[shape])))


def random_operand(rng, t, shape, first):
    """A value of type `t`; a vector has some lanes of the first operand, so that comparisons and sums meet."""
    if t != V128:
        return random_value(rng, t)
    count, width = 128 // WIDTH[shape], WIDTH[shape]
    lanes = [random_lane(rng, shape) for _ in range(count)]
    if first is not None and rng.randrange(4) == 0:
        lanes = [rng.choice((x, int.from_bytes(first[i * width // 8:][:width // 8], "little")))
                 for i, x in enumerate(lanes)]
    return join(lanes, width)


def random_operands(rng, op):
    operands, shape = [], operand_shape(op.mnemonic)
    for t in op.params:
        operands.append(random_operand(rng, t, shape, operands[0] if operands and t == V128 else None))
    return tuple(operands)


def edge_operands(rng, op):
    """Every pair of edges meets in some lane; third operands are random."""
    shape, edges = operand_shape(op.mnemonic), lane_edges(operand_shape(op.mnemonic))
    if op.params[0] != V128:
        return [(edge,) for edge in EDGES[op.params[0]]]
    if len(op.params) > 1 and len(edges) > 40:
        edges = edges[::4] + edges[-8:]
    count, width = 128 // WIDTH[shape], WIDTH[shape]
    lanes = [(a, b) for a in edges for b in (edges if len(op.params) > 1 else edges[:1])]
    lanes += lanes[:-len(lanes) % count]
    found = []
    for i in range(0, len(lanes), count):
        vectors = [join(half, width) for half in zip(*lanes[i:i + count])]
        found.append(tuple(vectors[k] if k < 2 and t == V128 else random_operand(rng, t, shape, None)
                           for k, t in enumerate(op.params)))
    return found


def inputs(name, count):
    op, rng = ROWS[name], random.Random(zlib.crc32(name.encode()))
    return edge_operands(rng, op) + [random_operands(rng, op) for _ in range(count)]


def lanes_of(op):
    """The lane numbers a row can have, or None for none."""
    return range(128 // WIDTH[operand_shape(op.mnemonic)]) if "laneidx" in op.imm else (None,)


def instruction(op, lane, *operands):
    number = "" if lane is None else f"{lane} "
    return f"({op.mnemonic} {number}{' '.join(operands)})"


def signature(op):
    return f"(param {' '.join(op.params)}) (result {op.results[0]})"


def gets(op):
    return [f"(local.get {i})" for i in range(len(op.params))]


def matches(expected, result):
    return expected.admits(result) if isinstance(expected, Lanes) else admits(expected, result)


def describe(name, operands, expected, result):
    shown = [x.hex() if isinstance(x, bytes) else hex(x) if isinstance(x, int) else x for x in (*operands, result)]
    return f"{name} ({', '.join(map(str, shown[:-1]))}): expected {expected}, got {shown[-1]}"


# --- plain rows

@functools.cache
def plain_binary():
    functions = [f'(func (export "{name} {lane}") {signature(op)} {instruction(op, lane, *gets(op))})'
                 for name, op in ROWS.items() if name != "i8x16.shuffle" for lane in lanes_of(op)]
    return assemble(f"(module {' '.join(functions)})")


@functools.cache
def exports(binary, mode, bounds="guard"):
    return wasm.Instance(wasm.Module(binary(), engine=engine(mode, bounds))).exports


@functools.lru_cache(2)
def plain_cases(name):
    op = ROWS[name]
    count = RANDOM if "laneidx" not in op.imm else RANDOM // len(lanes_of(op)) + 1
    return [(lane, operands, expect(name, operands, lane)) for lane in lanes_of(op) for operands in inputs(name, count)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [name for name in ROWS if name != "i8x16.shuffle"])
def test_row(name, mode):
    functions = exports(plain_binary, mode)
    for lane, operands, expected in plain_cases(name):
        result, = functions[f"{name} {lane}"].call_bits(operands)
        assert matches(expected, result), describe(f"{name} {lane}", operands, expected, result)


@pytest.mark.parametrize("mode", MODES)
def test_shuffle(mode):
    rng = random.Random(1)
    picks = [[0] * 16, [31] * 16, list(range(16)), list(range(16, 32)), [i ^ 16 for i in range(16)]]
    picks += [[rng.randrange(32) for _ in range(16)] for _ in range(100)]
    functions = "".join(f'(func (export "{i}") (param v128 v128) (result v128) '
                        f'(i8x16.shuffle {" ".join(map(str, lanes))} (local.get 0) (local.get 1)))'
                        for i, lanes in enumerate(picks))
    exported = wasm.Instance(wasm.Module(f"(module {functions})", engine=engine(mode))).exports
    for i, lanes in enumerate(picks):
        for _ in range(12):
            both = rng.randbytes(32)
            result = exported[str(i)].call_bits((both[:16], both[16:]))
            assert result == (bytes(both[lane] for lane in lanes),), lanes


# --- operands from everywhere, results to everywhere

CONSTANTS = [join(lanes, width) for width, lanes in (
    (32, [0x3F800000] * 4), (64, [0x3FF << 52] * 2), (32, [0x80000000] * 4), (64, [0, 1 << 63]), (8, [0] * 16),
    (64, [(1 << 64) - 1] * 2), (32, [0x7FA00001, 0xFF800000, 3, 0xBF800000]), (8, range(120, 136)))]
SCALARS = {"i32": 37, "i64": 1 << 40 | 77, "f32": 1.0, "f64": 1.0}
SCALAR_BITS = {**SCALARS, "f32": 0x3F800000, "f64": 0x3FF << 52}


def constant(t, vector):
    """Text of a constant, and its raw value."""
    if t == V128:
        return f"(v128.const i8x16 {' '.join(map(str, vector))})", vector
    return f"({t}.const {SCALARS[t]})", SCALAR_BITS[t]


def forms(op, lane):
    """(text that leaves the result of an instruction, function from the arguments to its operands). Locals behind the
    parameters: one like each parameter, one for the result."""
    n = len(op.params)
    plain, spare = gets(op), [f"(local.get {n + i})" for i in range(n)]
    copies = "".join(f"(local.set {n + i} (local.get {i}))" for i in range(n))
    args = lambda *a: a                                                     # noqa: E731
    yield instruction(op, lane, *plain), args
    yield instruction(op, lane, *(f"(block (result {t}) {g})" for t, g in zip(op.params, plain))), args
    yield f"(local.set {2 * n} {instruction(op, lane, *plain)}) (local.get {2 * n})", args
    yield f"(local.tee {2 * n} {instruction(op, lane, *plain)})", args
    for i, t in enumerate(op.params):
        yield (f"{copies} {instruction(op, lane, *spare)} (local.set {n + i} {constant(t, CONSTANTS[-1])[0]})", args)
        if t == op.results[0]:
            yield f"{copies} (local.set {n + i} {instruction(op, lane, *spare)}) (local.get {n + i})", args
        for vector in CONSTANTS:
            text, raw = constant(t, vector)
            yield (instruction(op, lane, *plain[:i], text, *plain[i + 1:]),
                   lambda *a, i=i, raw=raw: (*a[:i], raw, *a[i + 1:]))
    for k in range(len(CONSTANTS)):
        texts, raws = zip(*(constant(t, CONSTANTS[k - i]) for i, t in enumerate(op.params)))
        yield instruction(op, lane, *texts), lambda *a, raws=raws: raws
    if op.params == (V128, V128):
        yield instruction(op, lane, plain[1], plain[0]), lambda a, b: (b, a)
        yield instruction(op, lane, plain[0], plain[0]), lambda a, b: (a, a)


def formed():
    return {name: (op, list(forms(op, lanes_of(op)[-1]))) for name, op in ROWS.items() if name != "i8x16.shuffle"}


@functools.cache
def form_binary():
    """One function with the results of all forms for each row."""
    functions = [f'(func (export "{name}") (param {" ".join(op.params)}) (result {" ".join(op.results * len(found))}) '
                 f'(local {" ".join(op.params + op.results)}) {" ".join(text for text, _ in found)})'
                 for name, (op, found) in formed().items()]
    return assemble(f"(module {' '.join(functions)})")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", list(formed()))
def test_forms(name, mode):
    op, found = formed()[name]
    lane, rng = lanes_of(op)[-1], random.Random(zlib.crc32(name.encode()))
    known = functools.cache(lambda operands: expect(name, operands, lane))
    function = exports(form_binary, mode)[name]
    for _ in range(RANDOM_IN_FORMS):
        arguments = random_operands(rng, op)
        for (text, meaning), result in zip(found, function.call_bits(arguments), strict=True):
            expected = known(meaning(*arguments))
            assert matches(expected, result), describe(text, arguments, expected, result)


# --- memory

OFFSETS = (0, 5, SIZE - 8, SIZE)
MEMORIES = (0, 1, 2)


def access_lanes(op):
    return range(16 // op.access) if "laneidx" in op.imm else (None,)


@functools.cache
def access_binary():
    """Functions of (i32 address, i32 to add, v128), for two memories and one with 64-bit addresses."""
    functions = []
    for name, op in ACCESSES.items():
        value = "(local.get 2)" if V128 in op.params else ""
        for lane in access_lanes(op):
            for memory in MEMORIES:
                for offset in OFFSETS:
                    text = f"{name} {memory} offset={offset} {'' if lane is None else lane}"
                    head = f"(param i32 i32 v128) (result {' '.join(op.results)})"
                    address = "(i32.add (local.get 0) (local.get 1))"
                    if memory == 2:
                        address = f"(i64.extend_i32_u {address})"
                    functions.append(f'(func (export "{name} {lane} {memory} {offset}") {head} ({text} {address} {value}))')
    memories = " ".join(f'(memory (export "{i}") {"i64" if i == 2 else ""} 1 1)' for i in MEMORIES)
    return assemble(f"(module {memories} {' '.join(functions)})")


def addresses(rng, op, offset, count):
    limit = max(SIZE - op.access - offset, 0)
    yield from (rng.randrange(limit + 1) for _ in range(count))
    yield from (0, limit, limit + 1, limit + op.access, SIZE, 0xFFFFFFFF, 1 << 31)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("name", ACCESSES)
def test_access(name, bounds, mode):
    op, rng, exported = ACCESSES[name], random.Random(zlib.crc32(name.encode())), exports(access_binary, mode, bounds)
    images = [bytearray(rng.randbytes(SIZE)) for _ in MEMORIES]
    for number, image in enumerate(images):
        exported[str(number)][:] = image
    for lane in access_lanes(op):
        for memory, image in enumerate(images):
            for offset in OFFSETS:
                function = exported[f"{name} {lane} {memory} {offset}"]
                for address in addresses(rng, op, offset, RANDOM_ACCESSES // len(access_lanes(op)) if not offset else 4):
                    more, vector, place = rng.getrandbits(32), rng.randbytes(16), address + offset
                    where = f"{function.name} {address:#x} {vector.hex()}"
                    try:
                        result = function.call_bits(((address - more) & 0xFFFFFFFF, more, vector))
                    except wasm.Trap as trap:
                        assert trap.code == OUT_OF_BOUNDS and place + op.access > SIZE, where
                        continue
                    assert place + op.access <= SIZE, where
                    if op.results:
                        assert result == (loaded(name, bytes(image[place:place + op.access]), vector, lane),), where
                    else:
                        image[place:place + op.access] = stored(vector, op.access, lane)
    for number, image in enumerate(images):
        assert exported[str(number)][:] == image


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("name", [name for name, op in ACCESSES.items() if op.results])
def test_load_without_use_traps(name, bounds, mode):
    """Dropped, not selected, or masked out lane by lane."""
    op = ACCESSES[name]
    lane = "0 " if "laneidx" in op.imm else ""
    load = f"({name} {lane}(local.get 0){' (local.get 1)' if V128 in op.params else ''})"
    uses = (f"(drop {load}) (local.get 1)", f"(select {load} (local.get 1) (i32.const 0))",
            f"(select {load} (local.get 1) (local.get 2))",
            f"(v128.bitselect {load} (local.get 1) (i32x4.eq (local.get 1) (i32x4.splat (local.get 2))))",
            f"(loop (drop {load})) (local.get 1)")
    text = "".join(f'(func (export "{i}") (param i32 v128 i32) (result v128) {use})' for i, use in enumerate(uses))
    exported = wasm.Instance(wasm.Module(f"(module (memory 1) {text})", engine=engine(mode, bounds))).exports
    for i in range(len(uses)):
        assert exported[str(i)](8, b"\1" * 16, 0) == b"\1" * 16
        with pytest.raises(wasm.Trap, match=re.escape(OUT_OF_BOUNDS)):
            exported[str(i)](SIZE, b"\1" * 16, 0)
