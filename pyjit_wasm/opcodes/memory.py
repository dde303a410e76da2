"""Memory instructions (spec 4.4.7): loads, stores, size, grow, bulk operations."""
from pyjit_wasm.opcodes.op import F32, F64, I32, I64, Op, load, prefixed, store

OUT_OF_BOUNDS = ("out of bounds memory access",)

ROWS = (
    load(0x28, I32, "load", "i32"),
    load(0x29, I64, "load", "i64"),
    load(0x2A, F32, "load", "float"),
    load(0x2B, F64, "load", "double"),
    load(0x2C, I32, "load8_s", "i8", "sext"),
    load(0x2D, I32, "load8_u", "i8", "zext"),
    load(0x2E, I32, "load16_s", "i16", "sext"),
    load(0x2F, I32, "load16_u", "i16", "zext"),
    load(0x30, I64, "load8_s", "i8", "sext"),
    load(0x31, I64, "load8_u", "i8", "zext"),
    load(0x32, I64, "load16_s", "i16", "sext"),
    load(0x33, I64, "load16_u", "i16", "zext"),
    load(0x34, I64, "load32_s", "i32", "sext"),
    load(0x35, I64, "load32_u", "i32", "zext"),
    store(0x36, I32, "store", "i32"),
    store(0x37, I64, "store", "i64"),
    store(0x38, F32, "store", "float"),
    store(0x39, F64, "store", "double"),
    store(0x3A, I32, "store8", "i8"),
    store(0x3B, I32, "store16", "i16"),
    store(0x3C, I64, "store8", "i8"),
    store(0x3D, I64, "store16", "i16"),
    store(0x3E, I64, "store32", "i32"),
    Op(0x3F, "memory.size", (), ("addr",), imm=("memidx",)),
    Op(0x40, "memory.grow", ("addr",), ("addr",), imm=("memidx",)),
    Op(prefixed(0xFC, 8), "memory.init", imm=("dataidx", "memidx"), traps=OUT_OF_BOUNDS),
    Op(prefixed(0xFC, 9), "data.drop", (), (), imm=("dataidx",)),
    Op(prefixed(0xFC, 10), "memory.copy", imm=("memidx", "memidx"), traps=OUT_OF_BOUNDS),
    Op(prefixed(0xFC, 11), "memory.fill", imm=("memidx",), traps=OUT_OF_BOUNDS),
)
