"""64-bit memories and tables: addresses, offsets and lengths of all sizes, in three modes and both kinds of bounds."""
import functools
import itertools
import random
import zlib

import pytest

import pyjit_wasm as wasm
from modes import BOUNDS, MODES, engine
from pyjit_wasm.text import assemble
from test_memory_rows import BITS, CONSTANT, OUT_OF_BOUNDS, ROWS, SIZE, const, loaded, perform

TOP = 1 << 64
OFFSETS = (0, 7, SIZE - 8, SIZE, (1 << 32) - 1, 1 << 32, (1 << 32) + 8, 1 << 63, TOP - SIZE, TOP - 8, TOP - 1)
OUT_OF_TABLE = "out of bounds table access"


def accesses(op):
    """(export, offset, whether a constant is stored) of a row's functions; the second half are of memory 1."""
    for offset, constant in itertools.product(OFFSETS, (False, True)[:1 if op.results else 2]):
        yield f"{op.mnemonic} {offset} {constant}", offset, constant


def function(op, export, offset, constant):
    t = (op.results or op.params[1:])[0]
    value = "" if op.results else const(t, CONSTANT[t]) if constant else "(local.get 1)"
    return (f'(func (export "{export}") (param i64 {t}) {f"(result {t})" if op.results else ""} '
            f"({op.mnemonic} offset={offset} (local.get 0) {value}))")


@functools.cache
def binary(name):
    functions = "\n".join(function(ROWS[name], *access) for access in accesses(ROWS[name]))
    return assemble(f'(module (memory (export "memory") i64 1 1) {functions})')


def addresses(op, offset, rng):
    """Around both ends of the memory, of 32 and of 64 bits; some at random."""
    fits = max(SIZE - op.access - offset, 0)
    wraps = -offset % TOP
    near = [place + d for place in (0, fits, SIZE, 1 << 32, 1 << 63, wraps, wraps - op.access) for d in (-1, 0, 1)]
    anywhere = [rng.randrange(fits + 1) for _ in range(20)] + [rng.getrandbits(64) for _ in range(5)]
    return [a % TOP for a in near] + anywhere


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("name", ROWS)
def test_row(name, bounds, mode):
    rng, op = random.Random(zlib.crc32(name.encode())), ROWS[name]
    exported = wasm.Instance(wasm.Module(binary(name), engine=engine(mode, bounds))).exports
    image = bytearray(rng.randbytes(SIZE))
    exported.memory[:] = image
    t = (op.results or op.params[1:])[0]
    for export, offset, constant in accesses(op):
        for address in addresses(op, offset, rng):
            place, value = address + offset, rng.getrandbits(BITS[t])
            result, where = perform(exported[export], (address, value)), (export, hex(address))
            if place + op.access > SIZE:
                assert result == OUT_OF_BOUNDS, where
            elif op.results:
                assert result == (loaded(op, image[place:place + op.access]),), where
            else:
                assert result == (), where
                stored = CONSTANT[t] if constant else value
                image[place:place + op.access] = stored.to_bytes(8, "little")[:op.access]
        assert exported.memory[:] == image, export


def code(function, *arguments):
    """The result, or the trap's message."""
    try:
        return function(*arguments)
    except wasm.Trap as trap:
        return trap.code


def test_addresses_that_wrap_in_a_loop(load_bounded):
    """A loop as compiled code likes them; addresses go past 2**64 and down through 0."""
    inst = load_bounded("""(module (memory i64 1) (data (i64.const 0) "\\01\\02\\03\\04\\05\\06\\07\\08")
      (func (export "sum") (param $p i64) (param $step i64) (param $n i32) (result i32) (local $s i32)
        (loop $l
          (local.set $s (i32.add (local.get $s) (i32.load8_u offset=1 (local.get $p))))
          (local.set $p (i64.add (local.get $p) (local.get $step)))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s)))""")
    assert inst.exports.sum(0, 1, 7) == 35
    assert inst.exports.sum(6, -1, 7) == 35
    assert code(inst.exports.sum, 6, -1, 8) == OUT_OF_BOUNDS
    assert code(inst.exports.sum, -1, 1, 2) == OUT_OF_BOUNDS
    assert code(inst.exports.sum, SIZE - 10, 1, 10) == OUT_OF_BOUNDS


@pytest.fixture
def bulk(load_bounded):
    """Bulk operations between memories 0 (32 bits) and 1 (64 bits), and tables of the same kinds."""
    def functions(kind, place, value, between):
        for target, source in itertools.product((0, 1), repeat=2):
            length = "i64" if target and source else "i32"
            yield (f'(func (export "{kind}.copy{target}{source}") (param {place[target]} {place[source]} {length}) '
                   f"({kind}.copy {target} {source} (local.get 0) (local.get 1) (local.get 2)))")
        yield (f'(func (export "{kind}.fill") (param i64 i64) '
               f"({kind}.fill 1 (local.get 0) {value} (local.get 1)))")
        yield (f'(func (export "{kind}.init") (param i64 i32 i32) '
               f"({kind}.init 1 {between} (local.get 0) (local.get 1) (local.get 2)))")
    texts = [*functions("memory", ("i32", "i64"), "(i32.const 0x1ab)", "$d"),
             *functions("table", ("i32", "i64"), "(ref.func $f)", "$e")]
    return load_bounded(f"""(module (memory (export "m0") 1 1) (memory (export "m1") i64 1 1) (data $d "0123456789")
      (table (export "t0") 10 funcref) (table (export "t1") i64 10 funcref) (func $f (export "f"))
      (elem $e func $f $f $f $f $f $f $f $f $f $f) {" ".join(texts)})""").exports


HUGE = (TOP - 1, TOP - 8, 1 << 63, 1 << 32, (1 << 32) + 1)


@pytest.mark.parametrize("kind, end, trap", [("memory", SIZE, OUT_OF_BOUNDS), ("table", 10, OUT_OF_TABLE)])
def test_bulk_operations_check_without_overflow(bulk, kind, end, trap):
    copy, fill, init = (bulk[f"{kind}.{name}"] for name in ("copy11", "fill", "init"))
    for huge in HUGE:
        for start in (0, 1, 8, end):
            assert code(fill, start, huge) == trap
            assert code(copy, start, 0, huge) == trap
            assert code(copy, 0, start, huge) == trap
        for length in (0, 1, 8):
            assert code(fill, huge, length) == trap
            assert code(copy, huge, 0, length) == trap
            assert code(copy, 0, huge, length) == trap
            assert code(init, huge, 0, length) == trap
    for length in (0xFFFFFFFF, 0x80000000, 11):
        assert code(init, 0, 0, length) == code(init, 0, length, 0) == trap
    assert fill(end, 0) is copy(end, end, 0) is init(end, 10, 0) is None


def test_bulk_memory(bulk):
    bulk["memory.fill"](3, 4)
    assert bulk.m1[:8] == b"\0\0\0\xab\xab\xab\xab\0"
    bulk["memory.init"](SIZE - 4, 3, 4)
    assert bulk.m1[-5:] == b"\x003456"
    bulk["memory.copy11"](2, SIZE - 4, 4)
    assert bulk.m1[:8] == b"\0\x003456\xab\0"
    bulk["memory.copy01"](SIZE - 2, 2, 2)
    assert bulk.m0[-3:] == b"\x0034"
    bulk["memory.copy10"](10, SIZE - 2, 2)
    assert bulk.m1[9:13] == b"\x0034\0"


def test_mixed_copies(bulk):
    """The operands of 32 bits are unsigned; lengths are of 32 bits."""
    for kind, end, trap in (("memory", SIZE, OUT_OF_BOUNDS), ("table", 10, OUT_OF_TABLE)):
        into, out_of = bulk[f"{kind}.copy10"], bulk[f"{kind}.copy01"]
        assert into(end, end, 0) is out_of(end, end, 0) is None
        for length in (0xFFFFFFFF, 0x80000000, end + 1):
            assert code(into, 0, 0, length) == code(out_of, 0, 0, length) == trap
        for huge in HUGE:
            assert code(into, huge, 0, 1) == code(out_of, 0, huge, 1) == trap
        assert code(into, 0, 0xFFFFFFFF, 1) == code(out_of, 0xFFFFFFFF, 0, 1) == trap


def test_bulk_table(bulk):
    bulk["table.fill"](1, 2)
    bulk["table.init"](8, 0, 2)
    assert [t is bulk.f for t in bulk.t1] == [False, True, True, *[False] * 5, True, True]
    bulk["table.copy01"](9, 8, 1)
    assert bulk.t0[9] is bulk.f and bulk.t0[8] is None
    bulk["table.copy10"](5, 8, 2)
    assert bulk.t1[5] is None and bulk.t1[6] is bulk.f


def test_mixed_copy_leaves_its_operands(load):
    """A local of 32 bits is not extended in place; what the slot above held is not part of a length."""
    inst = load("""(module (memory (export "a") 1) (memory (export "b") i64 1) (data (memory 0) (i32.const 0) "abcdef")
      (func (export "f") (param $s i32) (param $n i32) (result i32)
        (drop (i64.const -1)) (drop (i64.add (i64.const -1) (i64.extend_i32_u (local.get $n))))
        (memory.copy 1 0 (i64.const 0x10) (local.get $s) (i32.add (local.get $n) (i32.const 1)))
        (memory.copy 1 0 (i64.const 0x20) (i32.sub (local.get $s) (i32.const 1)) (local.get $n))
        (i32.add (i32.mul (local.get $s) (i32.const 100)) (local.get $n))))""")
    for _ in range(3):
        assert inst.exports.f(2, 3) == 203
        assert inst.exports.b[0x10:0x16] == b"cdef\0\0" and inst.exports.b[0x20:0x25] == b"bcd\0\0"


@pytest.fixture
def growing(load_bounded):
    return load_bounded("""(module (memory (export "memory") i64 1) (table (export "table") i64 1 funcref)
      (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
      (func (export "size") (result i64) (memory.size))
      (func (export "table.grow") (param i64) (result i64) (table.grow (ref.null func) (local.get 0)))
      (func (export "table.size") (result i64) (table.size))
      (func (export "store") (param i64 i64) (i64.store offset=8 (local.get 0) (local.get 1)))
      (func (export "load") (param i64) (result i64) (i64.load offset=0x1_0000_0000 (local.get 0)))
      (func (export "fill") (param i64 i32 i64) (memory.fill (local.get 0) (local.get 1) (local.get 2))))""").exports


def test_growing_by_too_much(growing):
    for count in (*HUGE, 1 << 48, TOP - 65536):
        assert growing.grow(count) == -1 and growing["table.grow"](count) == -1
    assert growing.grow(2) == 1 and growing.size() == 3
    assert growing["table.grow"](2) == 1 and growing["table.size"]() == 3


def test_more_than_4_gib(growing):
    pages = 65536 + 2
    if growing.grow(pages - 1) == -1:
        pytest.skip("the system gives no more than 4 GiB")
    assert growing.size() == growing.memory.pages == pages
    assert growing.load(0) == 0
    growing.store((1 << 32) - 8, 0x123456789)
    assert growing.load(0) == 0x123456789
    end = pages << 16
    growing.store(end - 16, -5)
    assert growing.load(end - 8 - (1 << 32)) == -5 and growing.memory[end - 1] == 0xFF
    assert code(growing.store, end - 15, 0) == OUT_OF_BOUNDS
    assert code(growing.load, end - 7 - (1 << 32)) == OUT_OF_BOUNDS
    growing.fill((1 << 32) + 4, 0x55, 4)
    assert growing.load(0) == 0x5555555523456789
    growing.fill((1 << 32) - 2, 0, 4)
    assert growing.load(0) == 0x5555555523450000


def test_segments_at_64_bit_offsets(load_bounded):
    inst = load_bounded("""(module (memory (export "memory") i64 1) (data (i64.const 65530) "abcdef")
      (global $g i64 (i64.const 3)) (func $f)
      (table (export "table") i64 5 funcref) (elem (global.get $g) func $f $f))""")
    assert inst.exports.memory[65529:] == b"\0abcdef"
    assert inst.exports.table[2] is None and inst.exports.table[4] is not None
    for offset in ("65535", "0x1_0000_0000", "-1", "0x8000_0000_0000_0000"):
        with pytest.raises(wasm.Trap, match=OUT_OF_BOUNDS):
            load_bounded(f'(module (memory i64 1) (data (i64.const {offset}) "ab"))')
        with pytest.raises(wasm.Trap, match=OUT_OF_TABLE):
            load_bounded(f"(module (table i64 5 funcref) (elem (i64.const {offset}) func $f) (func $f))")


def test_indices_of_tables(load_bounded):
    inst = load_bounded("""(module (type $t (func (result i32))) (table $t i64 3 funcref) (elem (i64.const 1) $f)
      (func $f (result i32) (i32.const 42))
      (func (export "call") (param i64) (result i32) (call_indirect (type $t) (local.get 0)))
      (func (export "jump") (param i64) (result i32) (return_call_indirect (type $t) (local.get 0)))
      (func (export "get") (param i64) (result i32) (ref.is_null (table.get $t (local.get 0))))
      (func (export "set") (param i64) (table.set $t (local.get 0) (ref.func $f))))""").exports
    assert inst.call(1) == inst.jump(1) == 42
    assert code(inst.call, 2) == code(inst.jump, 2) == "uninitialized element"
    assert (inst.get(0), inst.get(1)) == (1, 0)
    inst.set(2)
    assert inst.call(2) == 42
    for index in (3, 1 << 32, (1 << 32) + 1, 1 << 63, -1):
        assert code(inst.call, index) == code(inst.jump, index) == "undefined element"
        assert code(inst.get, index) == code(inst.set, index) == OUT_OF_TABLE


IMPORTING = """(module (memory (import "m" "memory") i64 1) (table (import "m" "table") i64 2 funcref)
  (func (export "load") (param i64) (result i32) (i32.load8_u (local.get 0)))
  (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0))))"""


def test_made_in_python(load_bounded):
    memory, table = wasm.Memory(1, 1 << 40, addr="i64"), wasm.Table(2, addr="i64")
    assert (memory.type.addr, memory.type.limits.max, table.type.addr) == ("i64", 1 << 40, "i64")
    inst = load_bounded(IMPORTING, {"m": {"memory": memory, "table": table}})
    memory[5] = 77
    assert inst.exports.load(5) == 77 and inst.exports.grow(1) == 1 and memory.pages == 2
    with pytest.raises(wasm.LinkError, match="incompatible import type"):
        load_bounded(IMPORTING, {"m": {"memory": wasm.Memory(1), "table": table}})
    with pytest.raises(wasm.LinkError, match="incompatible import type"):
        load_bounded(IMPORTING, {"m": {"memory": memory, "table": wasm.Table(2)}})
    with pytest.raises(wasm.LinkError, match="incompatible import type"):
        load_bounded('(module (memory (import "m" "memory") 1))', {"m": {"memory": memory}})


def test_sizes_from_python():
    for make in (wasm.Memory, wasm.Table):
        with pytest.raises(ValueError, match="of 64 bits"):
            make(0, TOP, addr="i64")
        with pytest.raises(ValueError, match="of 32 bits"):
            make(0, 1 << 32)
        with pytest.raises(ValueError, match="address type"):
            make(0, addr="i16")
    with pytest.raises(MemoryError):
        wasm.Memory(1 << 40, addr="i64")
    memory = wasm.Memory(0, addr="i64")
    with pytest.raises(ValueError, match="cannot grow"):
        memory.grow(1 << 70)
