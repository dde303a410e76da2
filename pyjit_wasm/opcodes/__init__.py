"""THE TABLE: every instruction of WebAssembly 3.0 and threads, one row each. Nothing else defines an instruction.

BY_CODE maps opcodes to rows; BY_NAME maps mnemonics to the row without extra immediates first
(`select` has two codes: 0x1B is in BY_NAME, 0x1C is `BY_CODE[0x1C]`; of `ref.test` and `ref.cast`
the non-null one is in BY_NAME, and the nullable one is the next code).
"""
from pyjit_wasm.opcodes import atomic, control, gc, memory, numeric, table, vector
from pyjit_wasm.opcodes.op import TRAP_CODE, TRAPS, Guard, Op

ROWS = (*control.ROWS, *table.ROWS, *memory.ROWS, *numeric.ROWS, *gc.ROWS, *vector.ROWS, *atomic.ROWS)

BY_CODE = {op.code: op for op in ROWS}
BY_NAME = {}
for _op in ROWS:
    BY_NAME.setdefault(_op.mnemonic, _op)

__all__ = ["BY_CODE", "BY_NAME", "ROWS", "TRAPS", "TRAP_CODE", "Guard", "Op"]
