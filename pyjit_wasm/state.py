"""The state of the specification's machine between two instructions (spec 4.2), read from the frames of an exec_env."""
from __future__ import annotations

import ctypes
import dataclasses
import itertools
import reprlib
import struct

from pyjit_wasm import config
from pyjit_wasm.codegen.abi import FUNCTIONS, reference_kind
from pyjit_wasm.frames.stack import header_slots
from pyjit_wasm.interp.points import Label, Points
from pyjit_wasm.runtime import stacks, trace
from pyjit_wasm.runtime.layout import FRAME
from pyjit_wasm.text.print_function import FunctionPrinter
from pyjit_wasm.text.print_literals import floating, printable
from pyjit_wasm.types import F32, F64, I32, V128, RefType
from pyjit_wasm.values import from_bits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyjit_wasm.types import ValueType

_FLOATS = {F32: 32, F64: 64}
_HEADER = struct.Struct("<QQ")
_SLOT = 8
_SHORT = reprlib.Repr()     # of references to Python objects
_SHORT.maxstring = _SHORT.maxother = 60

# how many operands a call takes: its arguments, and what is called
_TAKEN = {
    "call": lambda module, imm: len(module.funcs[imm].comp.params),
    "call_indirect": lambda module, imm: len(module.types[imm[0]].comp.params) + 1,
    "call_ref": lambda module, imm: len(module.types[imm].comp.params) + 1,
}


@dataclasses.dataclass(frozen=True)
class Value:
    """A value of `type`, a value type: its raw `bits`, and `value`, what Python gets of it: an int, signed, a float, 16 bytes,
    a Function, None or another object. As text numbers are exact, vectors hexadecimal, functions named."""

    type: ValueType
    bits: int
    value: Any

    def __str__(self) -> str:
        if self.type in _FLOATS:
            return floating(self.bits, _FLOATS[self.type])
        if self.type == V128:
            return self.value.hex()
        if not isinstance(self.type, RefType):
            return str(self.value)
        if self.value is None:
            return "null"
        named = reference_kind(self.type) == FUNCTIONS
        return printable(f"${self.value.name}" if named else _SHORT.repr(self.value))


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame (spec 4.2.14) of a function that is running.

    funcidx, name   the function
    pc              byte offset in the module of the instruction that comes next, or of the call that has not returned
    instruction     its text, as in `disassembly`
    locals          Values, parameters first; `local_names` has their names, "" where there is none
    operands        Values of its operand stack, bottom first, without the arguments of a call that has not returned
    labels          Labels of its control stack, outermost first: that of the function, then the blocks around
    arity           how many values it returns

    Functions of other instances are not stepped through: of theirs, `locals`, `operands` and `labels` are None.
    """

    funcidx: int
    name: str
    pc: int
    instruction: str
    arity: int
    locals: tuple[Value, ...] | None = None
    local_names: tuple[str, ...] | None = None
    operands: tuple[Value, ...] | None = None
    labels: tuple[Label, ...] | None = None


@dataclasses.dataclass(frozen=True)
class State:
    """`frames`, innermost first: 128 at most. The first one's instruction comes next."""

    frames: tuple[Frame, ...]


class StateReader:
    """Reads States; what it has found out about functions it keeps."""

    def __init__(self):
        self._printers, self._texts, self._points = {}, {}, {}

    def state(self, env, ip, fp):
        """The State of the runtime ExecEnv `env` before the instruction with threaded code at `ip`, in the frame at `fp`."""
        frames, exact = [], True
        for code, ip, fp in itertools.islice(_walk(env, ip, fp), config.MAX_TRACE):
            frames.append(self._frame(code, ip, fp, exact))
            exact = False
        return State(tuple(frames))

    def points(self, code):
        """The Points of a ThreadedCode's function."""
        if code not in self._points:
            self._points[code] = Points(code.module, code.funcidx, code.layout)
        return self._points[code]

    def _frame(self, code, ip, fp, exact):
        (funcidx, name, offset), = code.frames_at(ip, exact)
        module = code.module
        known = funcidx, name, offset, self.text(code, offset), len(module.funcs[funcidx].comp.results)
        if code.variant != config.STEPPING:
            return Frame(*known)
        points = self.points(code)
        point, names = points.at[offset], module.names.locals.get(funcidx, {})
        operands = point.operands
        if not exact:
            operands = operands[:len(operands) - _TAKEN[point.mnemonic](module, point.imm)]
        return Frame(*known, _values(fp, points.locals), tuple([names.get(i, "") for i in range(len(points.locals))]),
                     _values(fp, operands), point.labels)

    def text(self, code, offset):
        """The text of the instruction at a byte offset."""
        if code not in self._texts:
            module = code.module
            if module not in self._printers:
                self._printers[module] = FunctionPrinter(module.data)
            *lines, (end, _) = self._printers[module].lines(code.funcidx)
            self._texts[code] = {offset: text.strip() for offset, text in lines} | {end: "end"}
        return self._texts[code][offset]


def _walk(env, ip, fp):
    """(ThreadedCode, address of the instruction or else a return address, fp) of frames, innermost first. The first
    activation has called out from the frame at `fp` itself, the others through that of a host function."""
    yield trace.owner_of(ip), ip, fp
    for callee in stacks.exits(env):
        ip, fp = _header(callee)
        while fp:
            yield trace.owner_of(ip - 1), ip, fp
            ip, fp = _header(fp)


def bottom(code, fp):
    """Address where the frame at `fp` of a ThreadedCode begins, with parameters or results."""
    return fp - _SLOT * header_slots(code.module.funcs[code.funcidx].comp)


def _header(fp):
    """(return ip, caller's fp)."""
    return _HEADER.unpack(ctypes.string_at(fp, FRAME.size))


def _values(fp, places):
    return tuple([_value(valtype, fp + _SLOT * slot) for slot, valtype in places])


def _value(valtype, address):
    bits = int.from_bytes(ctypes.string_at(address, 16 if valtype == V128 else 8), "little")
    if isinstance(valtype, RefType) and not bits:
        return Value(valtype, 0, None)
    if valtype in (I32, F32):
        bits &= 0xFFFFFFFF
    return Value(valtype, bits, from_bits(valtype, bits))
