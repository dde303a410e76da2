"""The opcode table against itself and against an independent assembler and validator."""
from collections import Counter

import pytest

from pyjit_wasm.opcodes import BY_CODE, BY_NAME, ROWS, TRAP_CODE, gc, vector
from pyjit_wasm.opcodes.op import Guard

IMMEDIATES = {"memarg", "laneidx", "lanes", "v128", "typeidx", "fieldidx", "u32", "dataidx", "elemidx", "heaptype",
              "labelidx", "castflags", "blocktype", "tagidx", "labels", "funcidx", "tableidx", "memidx", "localidx",
              "globalidx", "valtypes", "catches", "i32", "i64", "f32", "f64", "zero"}

# Types 0..4 are the aggregates that the samples below name; the function under test is type 5.
MODULE = """(module
  (type (struct (field i64) (field (mut i32)))) (type (struct (field i64) (field (mut i8))))
  (type (array (mut i32))) (type (array (mut i8))) (type (array (mut funcref)))
  (memory 1) (data "") (data "") (elem func) (elem func)
  (func {}))"""

# GC instructions that have immediates: the immediates in the text and in the binary
GC = {
    "struct.new": ("0", "00"), "struct.new_default": ("0", "00"), "struct.get": ("0 1", "00 01"),
    "struct.get_s": ("1 1", "01 01"), "struct.get_u": ("1 1", "01 01"), "struct.set": ("0 1", "00 01"),
    "array.new": ("2", "02"), "array.new_default": ("2", "02"), "array.new_fixed": ("2 3", "02 03"),
    "array.new_data": ("3 1", "03 01"), "array.new_elem": ("4 1", "04 01"), "array.get": ("2", "02"),
    "array.get_s": ("3", "03"), "array.get_u": ("3", "03"), "array.set": ("2", "02"), "array.fill": ("2", "02"),
    "array.copy": ("2 2", "02 02"), "array.init_data": ("3 1", "03 01"), "array.init_elem": ("4 1", "04 01"),
    "br_on_cast": ("0 (ref null eq) (ref i31)", "01 00 6d 6c"),
    "br_on_cast_fail": ("0 (ref null eq) (ref i31)", "01 00 6d 6c"),
}
# of ref.test and ref.cast, by the low bit of the opcode
GC_PAIR = [("(ref i31)", "6c"), ("(ref null i31)", "6c")]


def leb(value):
    out = []
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def opcode(op):
    return bytes([op.code]) if op.code < 256 else bytes([op.code >> 16]) + leb(op.code & 0xFFFF)


def sample(kind, op):
    """Text and binary of an arbitrary immediate; alignment is left to the assembler's default."""
    natural = op.access.bit_length() - 1 if op.access else 0
    return {"memarg": ("offset=5", bytes([natural, 5])),
            "laneidx": ("1", b"\1"),
            "memidx": ("0", b"\0"), "dataidx": ("1", b"\1"), "elemidx": ("1", b"\1"),
            "lanes": (" ".join(map(str, range(16, 32))), bytes(range(16, 32))),
            "v128": ("i8x16 " + " ".join(map(str, range(16))), bytes(range(16))),
            "zero": ("", b"\0"),
            "i32": ("3", b"\3"), "i64": ("3", b"\3"), "f32": ("0", bytes(4)), "f64": ("0", bytes(8))}[kind]


@pytest.fixture(scope="module")
def wasmtime():
    return pytest.importorskip("wasmtime")


@pytest.fixture(scope="module")
def engine(wasmtime):
    config = wasmtime.Config()
    config.wasm_gc = config.wasm_function_references = True
    config.wasm_relaxed_simd = True
    return wasmtime.Engine(config)


def check(wasmtime, engine, signature, *instructions):
    """Assembles a function of (text, binary) instructions, compares its body and validates it."""
    text, body = " ".join(t for t, _ in instructions), b"".join(b for _, b in instructions)
    wasm = bytes(wasmtime.wat2wasm(MODULE.format(f"{signature} {text}")))
    body = b"\0" + body + b"\x0b"     # no locals, end
    assert leb(len(body)) + body in wasm, text
    wasmtime.Module.validate(engine, wasm)


def test_rows_are_unique():
    assert len(BY_CODE) == len(ROWS)
    twice = {name for name, count in Counter(op.mnemonic for op in ROWS).items() if count > 1}
    assert twice == {"select", "ref.test", "ref.cast"}
    assert [BY_NAME[name].code & 0xFF for name in ("select", "ref.test", "ref.cast")] == [0x1B, 0x14, 0x16]


def test_counts():
    subs = [op.code & 0xFFFF for op in vector.ROWS]
    assert all(op.code >> 16 == 0xFD for op in vector.ROWS)
    assert sum(sub < 0x100 for sub in subs) == 236
    assert sorted(sub for sub in subs if sub >= 0x100) == list(range(0x100, 0x114))
    assert sorted(op.code for op in gc.ROWS) == [0xD3, *range(0xFB0000, 0xFB001F)]


@pytest.mark.parametrize("op", ROWS, ids=lambda op: f"{op.code:x}-{op.mnemonic}")
def test_row_is_well_formed(op):
    assert set(op.imm) <= IMMEDIATES
    assert (op.access is not None) == ("memarg" in op.imm)
    assert op.access in (None, 1, 2, 4, 8, 16)
    for trap in op.traps:
        assert TRAP_CODE[trap.trap if isinstance(trap, Guard) else trap]


TYPED = [op for op in ROWS if op.params is not None and op.results is not None]


def test_every_vector_row_is_typed():
    assert set(vector.ROWS) <= set(TYPED)


@pytest.mark.parametrize("op", TYPED, ids=lambda op: op.mnemonic)
def test_code_and_type(wasmtime, engine, op):
    """The function's parameters and results are exactly those of the row."""
    params, results = ([("i32" if t == "addr" else str(t)) for t in ts] for ts in (op.params, op.results))
    signature = " ".join([f"(param {t})" for t in params] + [f"(result {t})" for t in results])
    operands = [(f"local.get {i}", b"\x20" + leb(i)) for i in range(len(params))]
    check(wasmtime, engine, signature, *operands, (op.mnemonic, opcode(op)), *(sample(kind, op) for kind in op.imm))


UNREACHABLE = ("unreachable", b"\0")
UNTYPED_GC = [op for op in gc.ROWS if op not in TYPED]


@pytest.mark.parametrize("op", UNTYPED_GC, ids=lambda op: f"{op.code:x}-{op.mnemonic}")
def test_gc_code(wasmtime, engine, op):
    """Between two `unreachable`s any operands will do."""
    if op.mnemonic in ("ref.test", "ref.cast"):
        text, binary = GC_PAIR[op.code & 1]
    else:
        text, binary = GC.get(op.mnemonic, ("", ""))
    assert bool(text) == bool(op.imm)
    result = "(result (ref i31))" if op.mnemonic == "br_on_cast" else "(result eqref)"
    check(wasmtime, engine, result, UNREACHABLE, (f"{op.mnemonic} {text}", opcode(op) + bytes.fromhex(binary)),
          UNREACHABLE)
