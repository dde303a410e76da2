"""Aggregate, i31, cast and external conversion instructions (spec 4.4.2, prefix 0xFB), and ref.eq.

`ref.test` and `ref.cast` have two codes each, to a non-null and to a nullable reference; in the text
the reference type tells them apart.
"""
from pyjit_wasm.opcodes.op import I32, Op, prefixed
from pyjit_wasm.types import RefType

EQREF, I31REF, ARRAYREF = (RefType(True, heap) for heap in ("eq", "i31", "array"))

NULL_STRUCT = ("null structure reference",)
NULL_ARRAY = ("null array reference",)
NULL_I31 = ("null i31 reference",)
BOUNDS = NULL_ARRAY + ("out of bounds array access",)
MEMORY = ("out of bounds memory access",)   # of a data segment
TABLE = ("out of bounds table access",)     # of an element segment
CAST = ("cast failure",)


def gc(sub, mnemonic, params=None, results=None, imm=(), traps=()):
    return Op(prefixed(0xFB, sub), mnemonic, params, results, imm=imm, traps=traps)


ROWS = (
    Op(0xD3, "ref.eq", (EQREF, EQREF), (I32,)),
    gc(0x00, "struct.new",         imm=("typeidx",)),
    gc(0x01, "struct.new_default", imm=("typeidx",)),
    gc(0x02, "struct.get",         imm=("typeidx", "fieldidx"), traps=NULL_STRUCT),
    gc(0x03, "struct.get_s",       imm=("typeidx", "fieldidx"), traps=NULL_STRUCT),
    gc(0x04, "struct.get_u",       imm=("typeidx", "fieldidx"), traps=NULL_STRUCT),
    gc(0x05, "struct.set",         imm=("typeidx", "fieldidx"), traps=NULL_STRUCT),
    gc(0x06, "array.new",          imm=("typeidx",)),
    gc(0x07, "array.new_default",  imm=("typeidx",)),
    gc(0x08, "array.new_fixed",    imm=("typeidx", "u32")),
    gc(0x09, "array.new_data",     imm=("typeidx", "dataidx"), traps=MEMORY),
    gc(0x0A, "array.new_elem",     imm=("typeidx", "elemidx"), traps=TABLE),
    gc(0x0B, "array.get",          imm=("typeidx",), traps=BOUNDS),
    gc(0x0C, "array.get_s",        imm=("typeidx",), traps=BOUNDS),
    gc(0x0D, "array.get_u",        imm=("typeidx",), traps=BOUNDS),
    gc(0x0E, "array.set",          imm=("typeidx",), traps=BOUNDS),
    gc(0x0F, "array.len",          (ARRAYREF,), (I32,), traps=NULL_ARRAY),
    gc(0x10, "array.fill",         imm=("typeidx",), traps=BOUNDS),
    gc(0x11, "array.copy",         imm=("typeidx", "typeidx"), traps=BOUNDS),   # destination, source
    gc(0x12, "array.init_data",    imm=("typeidx", "dataidx"), traps=BOUNDS + MEMORY),
    gc(0x13, "array.init_elem",    imm=("typeidx", "elemidx"), traps=BOUNDS + TABLE),
    gc(0x14, "ref.test",           None, (I32,), imm=("heaptype",)),
    gc(0x15, "ref.test",           None, (I32,), imm=("heaptype",)),            # nullable
    gc(0x16, "ref.cast",           imm=("heaptype",), traps=CAST),
    gc(0x17, "ref.cast",           imm=("heaptype",), traps=CAST),              # nullable
    gc(0x18, "br_on_cast",         imm=("castflags", "labelidx", "heaptype", "heaptype")),
    gc(0x19, "br_on_cast_fail",    imm=("castflags", "labelidx", "heaptype", "heaptype")),
    gc(0x1A, "any.convert_extern"),
    gc(0x1B, "extern.convert_any"),
    gc(0x1C, "ref.i31",            (I32,), (RefType(False, "i31"),)),
    gc(0x1D, "i31.get_s",          (I31REF,), (I32,), traps=NULL_I31),
    gc(0x1E, "i31.get_u",          (I31REF,), (I32,), traps=NULL_I31),
)
