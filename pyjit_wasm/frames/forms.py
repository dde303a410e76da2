"""Forms: the instructions of frames in the exec_env buffer. One row of the opcode table gives several,
by where operands come from: `i32.add.ss` slot and slot, `i32.add.si` slot and immediate; comparisons
also as branches, `br_if.i32.lt_s.si`, and branches also as back edges, `back.br_if.i32.lt_s.si`, which
count and therefore name their FUNC. Whatever runs such frames (threaded code today) has these.

A form's fields, in order, are letters: s a slot number (signed 16 bits, eight-byte units from fp),
i an immediate of 4 bytes, I one of 8 bytes, u an unsigned number of 4 bytes (often a byte offset in
the INSTANCE block), d a branch displacement, F the frame's size in bytes. Fields start behind the
handler's address, at byte 8, naturally aligned.

Forms of vector instructions have all operands in slots, the first of two that a v128 takes. A lane
number is the last field. They are apart, because most modules need none of them.
"""
import functools
import struct

from pyjit_wasm.opcodes import ROWS
from pyjit_wasm.types import F64, I64, V128

_SIZE = {"s": 2, "i": 4, "u": 4, "d": 4, "F": 4, "I": 8}
_CODE = {"s": "h", "i": "I", "u": "I", "d": "i", "F": "I", "I": "Q"}


class Form:
    """`name`; `fields` letters; `offsets` of the fields in bytes; `size` of the instruction in bytes;
    `pack` packs the handler's address and the fields; `op` the table row or None; `kinds` of the row's
    operands: s or i each; `branch` "", "br_if" or "br_unless"; `result`: the first field is the slot written;
    `wide`: addresses and lengths are i64."""

    __slots__ = ("name", "fields", "offsets", "size", "pack", "op", "kinds", "branch", "result", "wide")

    def __init__(self, name, fields, op=None, kinds="", branch="", result=False):
        self.name, self.fields, self.op, self.kinds = name, fields, op, kinds
        self.branch, self.result = branch, result
        self.wide = kinds == "w" or name.endswith(".w")
        self.offsets, self.size, self.pack = _layout(fields)


@functools.cache
def _layout(fields):
    """(offsets, size, pack) of a Form."""
    offsets, code, place = [], "<Q", 8
    for letter in fields:
        padding = -place % _SIZE[letter]
        code += f"{padding}x" if padding else ""
        offsets.append(place + padding)
        code += _CODE[letter]
        place += padding + _SIZE[letter]
    padding = -place % 8
    return offsets, place + padding, struct.Struct(code + (f"{padding}x" if padding else "")).pack


def immediate(valtype):
    """The field letter of an immediate of this type."""
    return "I" if valtype in (I64, F64) else "i"


def _binary(op):
    imm = immediate(op.params[1])
    shapes = [("ss", "ss"), ("si", "s" + imm)]
    if not op.commutes and not op.swapped:
        shapes.append(("is", imm + "s"))
    for kinds, fields in shapes:
        yield Form(f"{op.mnemonic}.{kinds}", "s" + fields, op, kinds, result=True)
        if op.swapped:
            for branch in ("br_if",) if op.negated else ("br_if", "br_unless"):
                name = f"{branch}.{op.mnemonic}.{kinds}"
                yield Form(name, fields + "d", op, kinds, branch)
                yield Form(f"back.{name}", fields + "ud", op, kinds, branch)


# memory addresses: one slot, the sum of two slots, of a slot and an immediate; "m" with the memory named; "w" that of
# a 64-bit memory, named
ADDRESS_FIELDS = {"s": "s", "ss": "ss", "si": "si", "m": "su", "w": "su"}


def _atomic(op):
    """The memory is always named, and operands are in slots."""
    for kinds, offset in (("m", "u"), ("w", "I")):
        fields = "s" * len(op.results) + ADDRESS_FIELDS[kinds] + "s" * len(op.params[1:]) + offset
        yield Form(f"{op.mnemonic}.{kinds}", fields, op, kinds, result=bool(op.results))


def _memory(op):
    for kinds, fields in ADDRESS_FIELDS.items():
        offset = "I" if kinds == "w" else "u"
        if op.results:
            yield Form(f"{op.mnemonic}.{kinds}", "s" + fields + offset, op, kinds, result=True)
        else:
            yield Form(f"{op.mnemonic}.{kinds}.s", fields + "s" + offset, op, kinds)
            yield Form(f"{op.mnemonic}.{kinds}.i", fields + immediate(op.params[1]) + offset, op, kinds)


def _rows():
    for op in ROWS:
        if V128 in (op.params or ()) + (op.results or ()) or op.ir is None:
            continue
        if op.atomic:
            yield from _atomic(op)
        elif op.access is not None:
            yield from _memory(op)
        elif len(op.params) == 2:
            yield from _binary(op)
        else:
            yield Form(f"{op.mnemonic}.s", "ss", op, "s", result=True)


def vector_form(op):
    """The name of the form of a vector row that accesses no memory."""
    return f"{op.mnemonic}.{'s' * len(op.params)}"


def _vector_rows():
    for op in ROWS:
        if V128 not in (op.params or ()) + (op.results or ()) or op.ir is None:
            continue
        result, lane = "s" * len(op.results), "i" if "laneidx" in op.imm else ""
        if op.access is None:
            yield Form(vector_form(op), result + "s" * len(op.params) + lane, op, "s" * len(op.params), result=True)
            continue
        operand = "s" * (len(op.params) - 1)
        for kinds, offset in (("s", "u"), ("m", "u"), ("w", "I")):
            fields = result + ADDRESS_FIELDS[kinds] + operand + offset + lane
            yield Form(f"{op.mnemonic}.{kinds}", fields, op, kinds, result=bool(result))


# what has no row with a body: (name, fields, writes its first field)
SPECIAL = (
    ("enter", "Fu", False),             # frame size, count of locals to zero
    ("loop", "uuF", False),             # FUNC in the instance, loop ordinal; back edges lead behind it
    ("br", "d", False),
    ("br_if", "sd", False),
    ("br_unless", "sd", False),
    ("back.br", "ud", False),           # FUNC in the instance, target
    ("back.br_if", "sud", False),
    ("back.br_unless", "sud", False),
    ("br_table", "su", False),          # index, count of targets; displacements follow
    ("return", "", False),
    ("return.s", "ss", False),          # result slot, value
    ("unreachable", "", False),
    ("call", "us", False),              # FUNC in the instance, callee's fp
    ("call.import", "us", False),       # FUNC * in the instance, callee's fp
    ("call_indirect", "uuss", False),   # TABLE * and type id in the instance, index, callee's fp
    ("call_ref", "ss", False),          # reference, callee's fp
    ("count", "u", False),              # the place of a counter (runtime.counts)
    ("count.table", "usu", False),      # TABLE * in the instance, index, place of the indirect call that follows
    ("count.ref", "su", False),         # reference, place of the call
    ("restore", "", False),             # behind each call: lands here after one into another instance
    # tail calls end with: first argument, slots of arguments, where they go, callee's fp
    ("return_call", "ususs", False),    # FUNC in the instance
    ("return_call.import", "ususs", False),
    ("return_call_indirect", "uussuss", False),  # TABLE * and type id in the instance, index
    ("return_call_ref", "ssuss", False),
    ("ref.as_non_null", "s", False),
    ("throw", "uusF", False),           # TagInst * in the instance, slots of the payload, the first of them
    ("throw_ref", "sF", False),
    ("copy", "ss", True),
    ("const.i", "si", True),
    ("const.I", "sI", True),
    ("select", "ssss", True),           # condition, value if true, value if false
    ("global.get", "su", True),
    ("global.get.import", "su", True),
    ("global.set", "su", False),
    ("global.set.import", "su", False),
    ("memory.size", "su", True),
    ("memory.grow", "ssuF", False),
    ("memory.fill", "sssu", False),
    ("memory.copy", "sssuu", False),
    ("memory.init", "sssuu", False),
    ("data.drop", "u", False),
    ("table.get", "ssu", True),
    ("table.set", "ssu", False),
    ("table.size", "su", True),
    ("table.grow", "sssuF", False),
    ("table.fill", "sssu", False),
    ("table.copy", "sssuu", False),
    ("table.init", "sssuu", False),
    ("elem.drop", "u", False),
    ("ref.func", "su", True),
    ("ref.func.import", "su", True),
    ("memory.atomic.wait32", "ssussIF", True),
    ("memory.atomic.wait64", "ssussIF", True),
    ("memory.atomic.notify", "ssusIF", True),
    ("atomic.fence", "", False),
    ("step", "iF", False),              # how many breakpoints are here; stands before every instruction, in single steps
)
# these have a second form, `memory.fill.w`, for 64-bit memories and tables: addresses and lengths are i64
WIDE = ("call_indirect", "return_call_indirect", "count.table", "memory.grow", "memory.fill", "memory.copy", "memory.init",
        "table.get", "table.set", "table.grow", "table.fill", "table.copy", "table.init",
        "memory.atomic.wait32", "memory.atomic.wait64", "memory.atomic.notify")


def _special():
    for name, fields, result in SPECIAL:
        yield Form(name, fields, result=result)
        if name in WIDE:
            yield Form(f"{name}.w", fields, result=result)


FORMS = {form.name: form for form in (*_rows(), *_special())}

# the same for v128
VECTOR_SPECIAL = (
    ("return.v", "ss", False),
    ("copy.v", "ss", True),
    ("const.v", "sII", True),
    ("select.v", "ssss", True),
    ("shuffle", "sssII", True),
    ("global.get.v", "su", True),
    ("global.get.import.v", "su", True),
    ("global.set.v", "su", False),
    ("global.set.import.v", "su", False),
)


@functools.cache
def vector_forms():
    """The forms of vector instructions, by name."""
    forms = {form.name: form for form in _vector_rows()}
    forms.update((name, Form(name, fields, result=result)) for name, fields, result in VECTOR_SPECIAL)
    return forms
