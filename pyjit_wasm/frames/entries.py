"""What a frame holds at each loop header, where compiled code may take over: the pass that makes the interpreter's code
says it, and `codegen.control` reads the frame by it. Types are validation's."""
import struct
from typing import NamedTuple

from pyjit_wasm.binary.body import instructions
from pyjit_wasm.errors import InternalError
from pyjit_wasm.frames.operands import Operands
from pyjit_wasm.frames.stack import CONST, TEMP
from pyjit_wasm.valid.body import Body
from pyjit_wasm.valid.function import check


class Disagreement(InternalError):
    """Two passes over a function do not agree on what its frame holds at a loop header."""


class Operand(NamedTuple):
    """An operand of value type `type` in `slot`; where `constant` is not None, that slot does not hold it, and these are its raw
    bits, of a v128 as bytes."""

    slot: int
    type: object
    constant: object = None


class LoopEntry(NamedTuple):
    """What a frame holds at a loop header. `locals`: (slot, value type) each. `operands`: Operands, bottom first, the loop's
    parameters on top. `caught`: {index of a `try` among the open blocks, the function being 0: slot of the exception} for each
    `try` that has a clause around the loop."""

    locals: tuple
    operands: tuple
    caught: dict


class Nowhere:
    """A sink for those who only ask what the pass knows."""

    offset = position = 0

    def emit(self, form, values):
        pass

    emit_table = emit

    def bind(self, label):
        label.position = self.position


class _Headers(Operands):
    """Notes the operands, (slot, constant or None) each, and the exceptions at each loop header that can be reached:
    `headers` {ordinal: them}."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.headers = {}

    def loop(self, op, imm):
        ordinal = self.loops
        super().loop(op, imm)
        if any(value.kind not in (TEMP, CONST) for value in self.stack):
            raise Disagreement(f"operands are not in their slots at loop {ordinal}")
        caught = {index: control.caught for index, control in enumerate(self.controls) if control.caught is not None}
        self.headers[ordinal] = [(value.slot, _constant(value)) for value in self.stack], caught


def _constant(value):
    """The bits of a Value that is not in its slot, else None."""
    return struct.pack("<2Q", *value.payload) if value.kind == CONST and value.width == 2 else value.payload


def observe(module, funcidx, look):
    """Validate a function again, and call `look(offset, op, imm, body)` before each instruction: the state of validation is
    in the valid.body.Body, which is returned in the end."""
    comp, code = module.funcs[funcidx].comp, module.codes[funcidx - module.imported_funcs]
    body = Body(module, comp.results, comp.params, code.locals)

    def observed():
        for op, imm, offset in instructions(module, code.start, code.end):
            look(offset, op, imm, body)
            yield op, imm, offset

    check(body, observed())
    return body


def loop_entries(module, funcidx, layout):
    """{ordinal: LoopEntry} of the loops of a function that can be reached. Raises Disagreement."""
    types = []  # of the operands at each loop, in order
    body = observe(module, funcidx, lambda offset, op, imm, body: op.mnemonic == "loop" and types.append(tuple(body.stack)))
    passed = _Headers(module, funcidx, layout, Nowhere())
    passed.run()
    places, found = tuple(zip(passed.local_slots, body.locals)), {}
    for ordinal, (operands, caught) in passed.headers.items():
        if len(operands) != len(types[ordinal]):
            raise Disagreement(f"validation counts {len(types[ordinal])} operands at loop {ordinal}, not {len(operands)}")
        described = [Operand(slot, type, constant) for (slot, constant), type in zip(operands, types[ordinal])]
        found[ordinal] = LoopEntry(places, tuple(described), caught)
    return found
