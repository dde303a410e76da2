"""Atomic instructions: every row against Python, alignment, and threads that share a memory, wait and notify."""
import functools
import random
import threading
import time
import zlib

import pytest

import pyjit_wasm as wasm
from modes import BOUNDS, MODES, engine
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.opcodes import atomic
from pyjit_wasm.text import assemble, disassemble
from pyjit_wasm.valid import validate
from test_memory_rows import OUT_OF_BOUNDS, SIZE, perform
from test_threads import in_threads

ROWS = {op.mnemonic: op for op in atomic.ROWS if op.ir}
UNALIGNED, UNSHARED = "unaligned atomic", "expected shared memory"
BITS = {"i32": 32, "i64": 64}
MEMORIES = ("i32", "i32", "i64")    # the second is shared
OFFSETS = (0, 24, SIZE - 8)
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
MODIFIED = {
    "add": lambda old, b: old + b, "sub": lambda old, b: old - b, "and": lambda old, b: old & b,
    "or": lambda old, b: old | b, "xor": lambda old, b: old ^ b, "xchg": lambda old, b: b,
}


def operation(op):
    """The last part of the mnemonic without width and sign: `load`, `store`, `add`, `cmpxchg`."""
    return op.mnemonic.rpartition(".")[2].removesuffix("_u").rstrip("0123456789")


def after(op, old, operands):
    """What is in memory when the instruction has found `old`."""
    mask = (1 << 8 * op.access) - 1
    operands = [operand & mask for operand in operands]
    name = operation(op)
    if name == "cmpxchg":
        return operands[1] if old == operands[0] else old
    if name in MODIFIED:
        return MODIFIED[name](old, *operands) & mask
    return operands[0] if name == "store" else old


def functions(op):
    """A row on each memory with each offset, and with its result dropped."""
    for memory, addr in enumerate(MEMORIES):
        operands = " ".join(f"(local.get {i})" for i in range(len(op.params)))
        params = " ".join((addr, *op.params[1:]))
        for offset in OFFSETS:
            text = f"({op.mnemonic} {memory} offset={offset} {operands})"
            yield (f'(func (export "{op.mnemonic} {memory} {offset}") (param {params}) '
                   f'(result {" ".join(op.results)}) {text})')
        if op.results:
            yield f'(func (export "{op.mnemonic} {memory} dropped") (param {params}) (drop {text}))'


@functools.cache
def binary():
    memories = " ".join(f'(memory (export "{i}") {addr} 1 1 {"shared" if i == 1 else ""})'
                        for i, addr in enumerate(MEMORIES))
    return assemble(f"(module {memories} {' '.join(text for op in ROWS.values() for text in functions(op))})")


@functools.cache
def exports(mode, bounds):
    return wasm.Instance(wasm.Module(binary(), engine=engine(mode, bounds))).exports


def inputs(op, offset, count, rng):
    """(address, operands): aligned in bounds, and around the end of the memory."""
    last = (SIZE - op.access - offset) // op.access
    places = [rng.randrange(last + 1) for _ in range(count)] + [0, last, last + 1, last + 2]
    for place in places:
        yield place * op.access, [rng.choice((rng.choice(EDGES), rng.getrandbits(64))) & (1 << BITS[t]) - 1
                                  for t in op.params[1:]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("name", ROWS)
def test_row(name, bounds, mode):
    rng, exported, op = random.Random(zlib.crc32(name.encode())), exports(mode, bounds), ROWS[name]
    for memory in range(len(MEMORIES)):
        image = bytearray(rng.randbytes(SIZE))
        exported[str(memory)][:] = image
        for offset, count in zip(OFFSETS, (1000, 30, 5)):
            function = exported[f"{name} {memory} {offset}"]
            for address, operands in inputs(op, offset, count, rng):
                place = slice(address + offset, address + offset + op.access)
                old = int.from_bytes(image[place], "little")
                if rng.random() < 0.5 and operation(op) == "cmpxchg":
                    operands[0] = old | operands[0] << 8 * op.access & (1 << BITS[op.params[1]]) - 1
                result = perform(function, (address, *operands))
                where = (name, memory, offset, hex(address), operands)
                if place.stop > SIZE:
                    assert result == OUT_OF_BOUNDS, where
                    continue
                assert result == ((old,) if op.results else ()), where
                image[place] = after(op, old, operands).to_bytes(op.access, "little")
                assert exported[str(memory)][place] == image[place], where
        assert exported[str(memory)][:] == image


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bounds", BOUNDS)
def test_unaligned(bounds, mode):
    """Checked before bounds, of the sum of address and offset."""
    exported = exports(mode, bounds)
    for name, op in ROWS.items():
        for memory, addr in enumerate(MEMORIES):
            for offset in OFFSETS:
                for address in (1, op.access - 1, SIZE + 1, (1 << BITS[addr]) - 1, (1 << BITS[addr] - 1) + 1):
                    result = perform(exported[f"{name} {memory} {offset}"], (address, *[0] * len(op.params[1:])))
                    if op.access > 1:
                        assert result == UNALIGNED, (name, memory, offset, address)
                    else:
                        assert (result == OUT_OF_BOUNDS) == (address + offset >= SIZE), (name, memory, address)
    wraps = exported["i64.atomic.load 2 24"]
    assert perform(wraps, ((1 << 64) - 24,)) == perform(wraps, ((1 << 64) - 8,)) == OUT_OF_BOUNDS


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bounds", BOUNDS)
def test_a_dropped_result_leaves_the_effect_and_the_trap(bounds, mode):
    exported = exports(mode, bounds)
    for name, op in ROWS.items():
        for memory in range(len(MEMORIES) if op.results else 0):
            bytes_ = exported[str(memory)]
            bytes_[SIZE - 8:] = old = b"\x11" * 8
            operands = [0x11, 0xEE] if op.params[2:] else [0xEE] * len(op.params[1:])
            function = exported[f"{name} {memory} dropped"]
            assert perform(function, (0, *operands)) == ()
            wanted = after(op, int.from_bytes(old[:op.access], "little"), operands).to_bytes(op.access, "little")
            assert bytes_[SIZE - 8:SIZE - 8 + op.access] == wanted, (name, memory)
            assert perform(function, (8, *operands)) == OUT_OF_BOUNDS
            assert op.access == 1 or perform(function, (1, *operands)) == UNALIGNED


WORKER = """(module (memory (import "m" "memory") {addr} 1 4 shared)
  (func (export "count") (param $n i32) (loop $l
    (drop (i32.atomic.rmw.add ({addr}.const 0) (i32.const 1)))
    (drop (i64.atomic.rmw8.add_u ({addr}.const 8) (i64.const 1)))
    (block $done (loop $again (local.set $old (i64.atomic.load ({addr}.const 16)))
      (br_if $again (i64.ne (local.get $old) (i64.atomic.rmw.cmpxchg ({addr}.const 16) (local.get $old)
        (i64.add (local.get $old) (i64.const 3)))))))
    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "wait32") (param {addr} i32 i64) (result i32)
    (memory.atomic.wait32 offset=8 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wait64") (param {addr} i64 i64) (result i32)
    (memory.atomic.wait64 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "notify") (param {addr} i32) (result i32)
    (memory.atomic.notify offset=8 (local.get 0) (local.get 1)))
  (func (export "until") (param {addr} i32) (loop $l
    (atomic.fence)
    (br_if $l (i32.ne (i32.atomic.load (local.get 0)) (local.get 1)))))
  (func (export "await_pages") (param i64) (loop $l (br_if $l (i64.ne {pages} (local.get 0)))))
  (func (export "grow") (param {addr}) (result {addr}) (memory.grow (local.get 0))))"""
PAGES = {"i32": "(i64.extend_i32_u (memory.size))", "i64": "(memory.size)"}
FOREVER = -1


@pytest.fixture(params=("i32", "i64"))
def workers(request, load_bounded):
    """`workers(n)`: a shared memory, and instances that import it."""
    addr = request.param
    memory = wasm.Memory(1, 4, addr=addr, shared=True)
    source = WORKER.format(addr=addr, pages=PAGES[addr]).replace("(param $n i32)", "(param $n i32) (local $old i64)")
    return lambda n: (memory, [load_bounded(source, {"m": {"memory": memory}}).exports for _ in range(n)])


def test_no_update_is_lost(workers):
    memory, instances = workers(4)
    each = 30_000
    assert in_threads(*[functools.partial(inst.count, each) for inst in instances]) == [None] * 4
    assert int.from_bytes(memory[:8], "little") == 4 * each
    assert memory[8] == 4 * each % 256 and memory[9:16] == bytes(7)
    assert int.from_bytes(memory[16:24], "little") == 12 * each


def notify_when_waiting(inst, address, count, wanted):
    """Notify until so many have been woken."""
    woken, end = 0, time.monotonic() + 30
    while woken < wanted and time.monotonic() < end:
        woken += inst.notify(address, min(count, wanted - woken))
        time.sleep(0.001)
    return woken


def test_wait_and_notify(workers):
    memory, (one, two, three) = workers(3)
    memory[16] = 7
    results = in_threads(lambda: one.wait32(8, 7, FOREVER), lambda: two.wait64(16, 7, 60 * 10 ** 9),
                         lambda: notify_when_waiting(three, 8, 1, 2))
    assert results == [0, 0, 2]
    assert three.notify(8, -1) == 0


def test_all_are_notified(workers):
    _, (one, two, three, four) = workers(4)
    waiters = [functools.partial(inst.wait32, 0, 0, FOREVER) for inst in (one, two, three)]
    results = in_threads(*waiters, lambda: notify_when_waiting(four, 0, 0xFFFFFFFF, 3))
    assert results == [0, 0, 0, 3]


def test_notify_wakes_only_its_address_and_only_so_many(workers):
    _, (one, two, three) = workers(3)
    done = []

    def wait(inst, address):
        result = inst.wait32(address, 0, FOREVER)
        done.append((address, result))

    threads = [threading.Thread(target=wait, args=item) for item in ((one, 0), (two, 64))]
    for thread in threads:
        thread.start()
    assert three.notify(128, 5) == 0
    assert notify_when_waiting(three, 64, 5, 1) == 1
    threads[1].join(30)
    assert done == [(64, 0)] and three.notify(64, 5) == 0
    assert three.notify(0, 0) == 0
    assert notify_when_waiting(three, 0, 1, 1) == 1
    threads[0].join(30)
    assert done == [(64, 0), (0, 0)]


def test_another_value_or_no_notification(workers):
    memory, (inst,) = workers(1)
    assert inst.wait32(0, 1, FOREVER) == inst.wait64(0, 1, FOREVER) == 1
    memory[8:16] = b"\xff" * 8
    assert inst.wait32(0, 0, FOREVER) == 1 and inst.wait64(8, 0xFFFFFFFF, FOREVER) == 1
    before = time.perf_counter()
    assert inst.wait32(0, -1, 50_000_000) == inst.wait64(8, -1, 50_000_000) == 2
    assert 0.1 <= time.perf_counter() - before < 5
    assert inst.wait32(0, -1, 0) == 2 and inst.notify(0, 1) == 0


def test_where_waiting_traps(workers):
    memory, (inst,) = workers(1)
    for address in (1, 2, SIZE + 1):
        for call in ((inst.wait32, 0, 0), (inst.notify, 0), (inst.wait64, 0, 0)):
            assert perform(call[0], (address, *call[1:])) == UNALIGNED
    assert perform(inst.wait64, (4, 0, 0)) == UNALIGNED
    for address in (SIZE - 8, SIZE, 0xFFFFFFF8):
        assert perform(inst.wait32, (address, 0, 0)) == perform(inst.notify, (address, 0)) == OUT_OF_BOUNDS
    assert perform(inst.wait64, (SIZE, 0, 0)) == OUT_OF_BOUNDS
    assert inst.grow(1) == 1
    assert perform(inst.wait32, (SIZE, 1, 0)) == (1,)


def test_unshared(load_bounded):
    inst = load_bounded("""(module (memory 1)
      (func (export "wait32") (param i32) (result i32) (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const 0)))
      (func (export "wait64") (param i32) (result i32) (memory.atomic.wait64 (local.get 0) (i64.const 0) (i64.const 0)))
      (func (export "notify") (param i32) (result i32) (memory.atomic.notify (local.get 0) (i32.const 1))))""").exports
    assert perform(inst.wait32, (0,)) == perform(inst.wait64, (8,)) == UNSHARED
    assert perform(inst.wait32, (2,)) == UNALIGNED and perform(inst.wait32, (SIZE,)) == OUT_OF_BOUNDS
    assert inst.notify(0) == 0 and perform(inst.notify, (SIZE,)) == OUT_OF_BOUNDS


def test_growth_is_seen_by_other_threads(workers):
    memory, (one, two, three) = workers(3)
    assert in_threads(lambda: one.await_pages(3), lambda: two.grow(1) + two.grow(1)) == [None, 3]
    assert memory.pages == 3
    results = in_threads(*[lambda inst=inst: [inst.grow(1) for _ in range(3)] for inst in (one, two, three)])
    assert sorted(sum(results, [])) == [-1] * 8 + [3] and memory.pages == 4


def test_a_value_that_another_thread_stores(workers):
    memory, (one,) = workers(1)
    def store():
        time.sleep(0.02)
        memory[4:8] = b"\1\2\3\4"
    assert in_threads(lambda: one.until(4, 0x04030201), store) == [None, None]


def test_ctrl_c_while_waiting(child, mode):
    done = child(f"""
        memory = wasm.Memory(1, 1, shared=True)
        inst = load('''(module (memory (import "m" "m") 1 1 shared) (func (export "f") (result i32)
          (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
          (func (export "notify") (result i32) (memory.atomic.notify (i32.const 0) (i32.const 9))))''',
          {{"m": {{"m": memory}}}}, {mode!r})
        for _ in range(3):
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                inst.exports.f()
            except KeyboardInterrupt:
                print("interrupted", inst.exports.notify())""", timeout=30)
    assert done.stdout == "interrupted 0\n" * 3, done.stderr


def test_in_a_loop_with_stepping_addresses(load_bounded):
    """Plain accesses become pointers that step there; atomic ones still trap where they must."""
    inst = load_bounded("""(module (memory (export "memory") 1)
      (func (export "f") (param $p i32) (param $n i32) (result i32) (local $s i32)
        (loop $l
          (local.set $s (i32.add (i32.load (local.get $p)) (i32.atomic.rmw.add offset=4 (local.get $p) (local.get $s))))
          (i32.atomic.store offset=8 (local.get $p) (local.get $s))
          (local.set $p (i32.add (local.get $p) (i32.const 4)))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s)))""").exports
    def oracle(cells, n):
        total = 0
        for i in range(n):
            old, cells[i + 1] = cells[i + 1], cells[i + 1] + total & 0xFFFFFFFF
            total = cells[i] + old & 0xFFFFFFFF
            cells[i + 2] = total
        return total
    cells = [random.Random(i).getrandbits(32) for i in range(SIZE // 4)]
    inst.memory[:] = b"".join(cell.to_bytes(4, "little") for cell in cells)
    assert inst.f(64, 1000) & 0xFFFFFFFF == oracle(cells[16:], 1000)
    assert perform(inst.f, (SIZE - 400, 98)) != OUT_OF_BOUNDS
    assert perform(inst.f, (SIZE - 400, 99)) == OUT_OF_BOUNDS
    assert perform(inst.f, (66, 1)) == UNALIGNED


def test_text_to_binary_and_back():
    """Every row, with the memory named and an offset: what is decoded is what was written, and prints as that."""
    for op in (op for op in atomic.ROWS if op.access):
        operands = " ".join("(i64.const 0)" if t != "i32" else "(i32.const 0)" for t in op.params)
        drop = "drop" if op.results else "nop"
        binary = assemble(f"(module (memory 1) (memory i64 1 2 shared) (func (atomic.fence) "
                          f"({op.mnemonic} 1 offset=0x123456789a align={op.access} {operands}) {drop}))")
        assert assemble(disassemble(binary)) == binary
        module = decode(binary)
        code, = module.codes
        found = [(row, imm) for row, imm, _ in instructions(module, code.start, code.end) if row.access]
        assert found == [(op, (op.access.bit_length() - 1, 1, 0x123456789A))]
        validate(module)


def test_the_gil_is_free_while_waiting(workers):
    _, (one, two) = workers(2)
    ticks = []
    def tick():
        for _ in range(50):
            ticks.append(time.sleep(0.001))
        return notify_when_waiting(two, 0, 1, 1)
    assert in_threads(lambda: one.wait32(0, 0, FOREVER), tick) == [0, 1] and len(ticks) == 50


def test_shared_memories_are_linked_with_their_like(load_bounded):
    shared, plain = wasm.Memory(1, 4, shared=True), wasm.Memory(1, 4)
    assert shared.type.shared and not plain.type.shared
    wants = '(module (memory (import "m" "m") 1 {} {}) (export "m" (memory 0)))'.format
    inst = load_bounded(wants(4, "shared"), {"m": {"m": shared}})
    assert inst.exports.m is shared
    assert load_bounded('(module (memory (export "m") 1 2 shared))').exports.m.type.shared
    for source, memory in ((wants(4, ""), shared), (wants(4, "shared"), plain), (wants(3, "shared"), shared)):
        with pytest.raises(wasm.LinkError, match="incompatible import type"):
            load_bounded(source, {"m": {"m": memory}})
    with pytest.raises(ValueError, match="shared memory must have maximum"):
        wasm.Memory(1, shared=True)


@pytest.mark.parametrize("source, message", [
    ("(module (memory 1 shared))", "shared memory must have maximum"),
    ('(module (import "m" "m" (memory 1 shared)))', "shared memory must have maximum"),
    ("(module (memory 2 1 shared))", "size minimum must not be greater than maximum"),
    ("(module (memory 1) (func (drop (i32.atomic.load align=2 (i32.const 0)))))", "atomic alignment must be natural"),
    ("(module (memory 1) (func (drop (i32.atomic.load align=8 (i32.const 0)))))",
     "alignment must not be larger than natural"),
    ("(module (memory 1) (func (i64.atomic.store32 align=1 (i32.const 0) (i64.const 0))))",
     "atomic alignment must be natural"),
    ("(module (memory 1) (func (drop (memory.atomic.notify align=2 (i32.const 0) (i32.const 0)))))",
     "atomic alignment must be natural"),
    ("(module (memory 1) (func (drop (i32.atomic.rmw.add (i32.const 0) (i64.const 0)))))", "type mismatch"),
    ("(module (memory i64 1) (func (drop (i32.atomic.load (i32.const 0)))))", "type mismatch"),
    ("(module (func (drop (i32.atomic.load (i32.const 0)))))", "unknown memory"),
    ("(module (memory 1) (func (drop (i32.atomic.load offset=0x100000000 (i32.const 0)))))", "offset out of range"),
])
def test_invalid(source, message):
    with pytest.raises(wasm.ValidationError, match=message):
        wasm.Module(source)


def test_malformed():
    fence = assemble("(module (func (atomic.fence)))")
    assert fence.count(b"\xfe\x03\0") == 1
    with pytest.raises(wasm.DecodeError, match="zero byte expected"):
        wasm.Module(fence.replace(b"\xfe\x03\0", b"\xfe\x03\1"))
    for code in (b"\xfe\x04\0", b"\xfe\x4f\0", b"\xfe\x0f\0"):
        with pytest.raises(wasm.DecodeError, match="illegal opcode fe"):
            wasm.Module(fence.replace(b"\xfe\x03\0", code))
