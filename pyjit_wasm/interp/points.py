"""What is known of a function before each of its instructions: where the operands are and of what types, and which labels
there are. Types and labels are validation's, slots those of the frames that `frames.stepwise` makes code for."""
import collections
import dataclasses

from pyjit_wasm.binary.body import instructions
from pyjit_wasm.frames.operands import Operands
from pyjit_wasm.interp.threaded import Writer
from pyjit_wasm.valid.body import Body
from pyjit_wasm.valid.function import check

_KINDS = {"else": "if", "catch": "try", "catch_all": "try"}  # parts of blocks


@dataclasses.dataclass(frozen=True)
class Label:
    """A label on the control stack (spec 4.2.14): `kind`, "function" or the mnemonic that opened the block; `offset` of that
    instruction in the module, of a function its first one; `arity`, how many values a branch takes along; `height` of the
    operand stack below the block."""

    kind: str
    offset: int
    arity: int
    height: int


@dataclasses.dataclass(frozen=True)
class Point:
    """Before an instruction, whose `mnemonic` and immediates `imm` are: `operands`, (slot in the frame, value type) each,
    bottom first; `labels`, outermost first."""

    mnemonic: str
    imm: object
    operands: tuple
    labels: tuple


class Points:
    """Of function `funcidx`: `at` {byte offset: Point} of the instructions that can be reached, and `locals`, (slot, value
    type) each."""

    def __init__(self, module, funcidx, layout):
        places = _Places(module, funcidx, layout, Writer(collections.defaultdict(int)))
        places.run()
        comp = places.functype
        types = [*comp.params, *(valtype for count, valtype in places.code.locals for _ in range(count))]
        self.locals = tuple(zip(places.local_slots, types))
        self.at = {
            offset: Point(mnemonic, imm, tuple(zip(places.slots[offset], types)), labels)
            for offset, mnemonic, imm, types, labels in _typed(module, comp, places.code) if offset in places.slots}


class _Places(Operands):
    """Notes the slots of the operands before each instruction that can be reached: `slots` {byte offset: them}."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.slots = {}

    def reached(self, offset):
        super().reached(offset)
        self.slots[offset] = [value.slot for value in self.stack]


def _typed(module, comp, code):
    """(byte offset, mnemonic, immediates, types of the operands, Labels) of each instruction, as validation finds them."""
    body = Body(module, comp.results, comp.params, code.locals)
    found, labels, opener = [], (), code.start

    def observed():
        nonlocal labels, opener
        for op, imm, offset in instructions(module, code.start, code.end):
            labels = labels[:len(body.frames)]
            if len(body.frames) > len(labels):
                labels += (_label(body.frames[-1], opener),)
            found.append((offset, op.mnemonic, imm, tuple(body.stack), labels))
            opener = offset
            yield op, imm, offset

    check(body, observed())
    return found


def _label(frame, offset):
    return Label(_KINDS.get(frame.mnemonic, frame.mnemonic), offset, len(frame.label), frame.height)
