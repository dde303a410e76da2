"""Memory instructions of random functions: accesses, atomic ones included, and bulk operations."""
from .generator_values import NUMBERS, SCALARS
from pyjit_wasm.opcodes import BY_NAME, ROWS

ATOMICS = [op for op in ROWS if op.access and ".atomic." in op.mnemonic]
PLAIN = [op for op in ROWS if op.access and op not in ATOMICS]
LOADS = {t: [op for op in PLAIN if op.results == (t,)] for t in NUMBERS}
STORES = [op for op in PLAIN if not op.results]
ATOMIC_LOADS = {t: [op for op in ATOMICS if op.results == (t,)] for t in SCALARS}
ATOMIC_STORES = [op for op in ATOMICS if not op.results]
FAR = {"i32": (0, 0, 1, 8, 100, 65520, 65536, 131072, 0xFFFFFFFF),    # offsets of accesses
       "i64": (0, 0, 1, 8, 100, 65520, 65536, 131072, 0xFFFFFFFF, 1 << 32, 1 << 63, (1 << 64) - 65536, (1 << 64) - 1)}
MASKS, ALIGNED = (1023, 0xFFF8, 255), (0x3F8, 0xFFF8, 0xF8)


def access(body, op, depth, place=None):
    number = body.choices.below(len(body.generator.memories))
    offset, where = (place or anywhere)(body, body.generator.memories[number], depth)
    lane = str(body.choices.below(16 // op.access)) if "laneidx" in op.imm else ""
    return f"({op.mnemonic} {number or ''} offset={offset} {lane} {where} {body.values(op.params[1:], depth)})"


def anywhere(body, address, depth):
    """(offset, address) of an access that is mostly in bounds."""
    return body.choices.of(FAR[address] if body.choices.chance(8) else (0, 4, 16)), masked(body, address, depth)


def aligned(body, address, depth):
    mask = body.choices.of(ALIGNED)
    return body.choices.of((0, 8, 16)), f"({address}.and {body.expression(address, depth)} ({address}.const {mask}))"


def masked(body, address, depth=2):
    """An address that is mostly in bounds; of the others, some are near the end of the address space."""
    text = body.expression(address, depth)
    mask = body.choices.of(MASKS)
    if not body.choices.chance(16):
        return f"({address}.and {text} ({address}.const {mask}))"
    return f"({address}.or {text} ({address}.const -{1 + mask}))" if body.choices.chance(3) else text


def atomic(body, op, depth):
    """Mostly aligned; waiting and notifying always, because there wasmtime checks the bounds first."""
    waits = op.mnemonic.startswith("memory.")
    return access(body, op, depth, aligned if waits or not body.choices.chance(6) else anywhere)


def store(body):
    return access(body, body.choices.of(STORES), 2)


def store_vector(body):
    return access(body, BY_NAME["v128.store"], 6, aligned)


def atomic_store(body):
    return atomic(body, body.choices.of(ATOMIC_STORES), 2)


def fence(body):
    return "atomic.fence"


def bulk(body):
    numbers = range(len(body.generator.memories))
    change = body.choices.of((fill, copy, init, grow, data_drop))
    return change(body, body.choices.of(numbers), body.choices.of(numbers))


def length(body, address, most=255):
    text = body.expression(address)
    return text if body.choices.chance(8) else f"({address}.and {text} ({address}.const {most}))"


def fill(body, number, other):
    address = body.generator.memories[number]
    return f"(memory.fill {number} {masked(body, address)} {body.expression('i32')} {length(body, address)})"


def copy(body, number, other):
    here, there = body.generator.memories[number], body.generator.memories[other]
    least = "i32" if "i32" in (here, there) else "i64"
    return f"(memory.copy {number} {other} {masked(body, here)} {masked(body, there)} {length(body, least)})"


def init(body, number, other):
    source = f"(i32.and {body.expression('i32')} (i32.const 15))"
    return (f"(memory.init {number} $passive {masked(body, body.generator.memories[number])} {source} "
            f"{length(body, 'i32', 15)})")


def grow(body, number, other):
    return f"(drop {grow_expression(body, number)})"


def grow_expression(body, number):
    address = body.generator.memories[number]
    return f"(memory.grow {number} {length(body, address, 1)})"


def data_drop(body, number, other):
    return f"(if {body.condition()} (then (data.drop $passive)))"


def load(body, t, depth):
    return access(body, body.choices.of(LOADS[t]), depth), ""


def atomic_load(body, t, depth):
    """Read-modify-write instructions too."""
    if not ATOMIC_LOADS[t]:
        return load(body, t, depth)
    return atomic(body, body.choices.of(ATOMIC_LOADS[t]), depth), ""


def size(body, t, depth):
    found = [n for n, address in enumerate(body.generator.memories) if address == t]
    if not found:
        return body.leaf(t), ""
    number = body.choices.of(found)
    return (grow_expression(body, number) if body.choices.chance(3) else f"(memory.size {number})"), ""


STATEMENTS = (store, store, store, store_vector, store_vector, bulk, bulk, atomic_store, fence)
FOR_SCALARS = (load, load, atomic_load)
FOR_VECTORS = (load, load)
SIZES = (size,)
