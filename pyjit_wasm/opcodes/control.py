"""Control, parametric and variable instructions (spec 4.4.1, 4.4.4, 4.4.5), exceptions included."""
from pyjit_wasm.opcodes.op import I32, Op

INDIRECT = ("undefined element", "uninitialized element", "indirect call type mismatch")
EXHAUSTED = ("call stack exhausted",)

ROWS = (
    Op(0x00, "unreachable", traps=("unreachable",)),
    Op(0x01, "nop", (), ()),
    Op(0x02, "block", imm=("blocktype",)),
    Op(0x03, "loop", imm=("blocktype",)),
    Op(0x04, "if", imm=("blocktype",)),
    Op(0x05, "else"),
    Op(0x06, "try", imm=("blocktype",)),          # legacy exceptions
    Op(0x07, "catch", imm=("tagidx",)),           # legacy exceptions
    Op(0x08, "throw", imm=("tagidx",), traps=("out of memory",)),
    Op(0x09, "rethrow", imm=("labelidx",)),       # legacy exceptions
    Op(0x0A, "throw_ref", traps=("null exception reference",)),
    Op(0x0B, "end"),
    Op(0x0C, "br", imm=("labelidx",)),
    Op(0x0D, "br_if", imm=("labelidx",)),
    Op(0x0E, "br_table", imm=("labels",)),
    Op(0x0F, "return"),
    Op(0x10, "call", imm=("funcidx",), traps=EXHAUSTED),
    Op(0x11, "call_indirect", imm=("typeidx", "tableidx"), traps=INDIRECT + EXHAUSTED),
    Op(0x12, "return_call", imm=("funcidx",)),
    Op(0x13, "return_call_indirect", imm=("typeidx", "tableidx"), traps=INDIRECT),
    Op(0x14, "call_ref", imm=("typeidx",), traps=("null function reference",) + EXHAUSTED),
    Op(0x15, "return_call_ref", imm=("typeidx",), traps=("null function reference",)),
    Op(0x18, "delegate", imm=("labelidx",)),      # legacy exceptions
    Op(0x19, "catch_all"),                        # legacy exceptions
    Op(0x1A, "drop"),
    Op(0x1B, "select"),
    Op(0x1C, "select", imm=("valtypes",)),
    Op(0x1F, "try_table", imm=("blocktype", "catches")),
    Op(0x20, "local.get", imm=("localidx",)),
    Op(0x21, "local.set", imm=("localidx",)),
    Op(0x22, "local.tee", imm=("localidx",)),
    Op(0x23, "global.get", imm=("globalidx",)),
    Op(0x24, "global.set", imm=("globalidx",)),
    Op(0xD0, "ref.null", imm=("heaptype",)),
    Op(0xD1, "ref.is_null", None, (I32,)),
    Op(0xD2, "ref.func", imm=("funcidx",)),
    Op(0xD4, "ref.as_non_null", traps=("null reference",)),
    Op(0xD5, "br_on_null", imm=("labelidx",)),
    Op(0xD6, "br_on_non_null", imm=("labelidx",)),
)
