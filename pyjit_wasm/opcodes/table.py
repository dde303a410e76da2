"""Table instructions (spec 4.4.6)."""
from pyjit_wasm.opcodes.op import Op, prefixed

OUT_OF_BOUNDS = ("out of bounds table access",)

ROWS = (
    Op(0x25, "table.get", imm=("tableidx",), traps=OUT_OF_BOUNDS),
    Op(0x26, "table.set", imm=("tableidx",), traps=OUT_OF_BOUNDS),
    Op(prefixed(0xFC, 12), "table.init", imm=("elemidx", "tableidx"), traps=OUT_OF_BOUNDS),
    Op(prefixed(0xFC, 13), "elem.drop", (), (), imm=("elemidx",)),
    Op(prefixed(0xFC, 14), "table.copy", imm=("tableidx", "tableidx"), traps=OUT_OF_BOUNDS),
    Op(prefixed(0xFC, 15), "table.grow", imm=("tableidx",)),
    Op(prefixed(0xFC, 16), "table.size", imm=("tableidx",)),
    Op(prefixed(0xFC, 17), "table.fill", imm=("tableidx",), traps=OUT_OF_BOUNDS),
)
