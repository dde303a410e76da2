"""Instruction sequences in the binary format (spec 5.4): decode bytes to a list of instructions.

An instruction is a tuple (op, imm, offset): the table row, its immediates (None without any, the value
itself when there is one, else a tuple in binary order), and the byte offset in the module.

Immediates by kind: indices are ints; `memarg` is (align exponent, memidx, offset); `labels` is
(tuple of labelidx, default labelidx); `blocktype` is None (no result), a value type, or an int typeidx;
`valtypes` is a tuple of value types; `heaptype` a heap type; `i32`, `i64` signed ints; `f32`, `f64` the
bits as unsigned ints; `v128` 16 bytes; `lanes` 16 ints; `catches` a tuple of (kind 0..3, tagidx or None,
labelidx); `castflags` an int.
"""
