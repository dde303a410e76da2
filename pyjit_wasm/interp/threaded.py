"""Threaded code: the sink that writes the forms of a function as words the handlers run over.

Each instruction starts with its handler's address (eight bytes, aligned), its fields follow. Branch
displacements are relative to the instruction's first byte. The code of a function is shared by all
instances of its module: what belongs to an instance is addressed as an offset into its INSTANCE block.
"""
import bisect
import ctypes
import struct
import weakref
from array import array

from pyjit_wasm import config
from pyjit_wasm.frames.forms import FORMS
from pyjit_wasm.frames.operands import Operands
from pyjit_wasm.frames.stepwise import Stepwise
from pyjit_wasm.runtime import trace
from pyjit_wasm.runtime.counts import Places, runs

_DISPLACEMENT = struct.Struct("<i").pack_into
_WORD = struct.Struct("<I").pack_into
_TABLE, _STEP = FORMS["br_table"], FORMS["step"]
_BEHIND_ENTER = 1   # the instruction from which on the first one of each wasm instruction is a `step`


class ThreadedCode:
    """Finished code of one function, of a `variant`: `address`, `size` in bytes, in a `buffer`; `loops` (how many loop
    headers), `attempts` to catch exceptions. Knows which wasm instruction each of its addresses belongs to:
    `starts` has the place of every instruction in the code, ascending, `offsets` its byte offset in the module. Whoever
    makes it registers it."""

    __slots__ = ("module", "funcidx", "buffer", "address", "size", "starts", "offsets", "loops", "attempts",
                 "layout", "variant", "__weakref__")
    is_handlers, is_native = False, False

    def __init__(self, module, funcidx, layout, buffer, place, size, starts, offsets, loops, attempts,
                 variant=config.PLAIN):
        self.module, self.funcidx, self.variant = module, funcidx, variant
        self.buffer, self.address, self.size = buffer, ctypes.addressof(buffer) + place, size
        self.layout, self.starts, self.offsets = layout, starts, offsets
        self.loops, self.attempts = loops, attempts

    @property
    def range(self):
        """As `trace.register` takes it."""
        return weakref.ref(self), self.address, self.address + self.size

    def __del__(self, unregister=trace.unregister):
        if hasattr(self, "address"):   # an exception may have ended `__init__`
            unregister(self.address)

    def frames_at(self, address, exact, trap):
        """[(funcidx, name, wasm byte offset)] of an instruction, or of the one before a return address."""
        place = address - self.address - (not exact)
        offset = self.offsets[bisect.bisect(self.starts, place) - 1]
        return [(self.funcidx, self.module.function_name(self.funcidx), offset)]

    def attempt_at(self, position):
        """The innermost Attempt around a code position, or None."""
        for attempt in reversed(self.attempts):
            if attempt.start <= position < attempt.end:
                return attempt
        return None

    def breakpoints_at(self, offset):
        """Of code for single steps: the word that counts breakpoints before the wasm instruction at a byte offset."""
        place = self.starts[self.offsets.index(offset, _BEHIND_ENTER)]
        return ctypes.c_uint32.from_address(self.address + place + _STEP.offsets[0])

    def instruction_before(self, address, handler):
        """Address of the last instruction at or before `address` that this handler runs."""
        while ctypes.c_uint64.from_address(address).value != handler and address > self.address:
            address -= 8
        return address


class Writer:
    """Collects code; labels are patched when they are bound."""

    def __init__(self, handlers):
        self.handlers = handlers
        self.code, self.starts, self.offsets, self.frame_patches = bytearray(), array("I"), array("I"), []
        self.offset = 0

    @property
    def position(self):
        return len(self.code)

    def begin(self):
        """The place of the next instruction."""
        start = len(self.code)
        self.starts.append(start)
        self.offsets.append(self.offset)
        return start

    def emit(self, form, values):
        start = self.begin()
        fields = form.fields
        if fields[-1:] == "d":
            values = (*values[:-1], self.reach(values[-1], start, start + form.offsets[-1]))
        elif "F" in fields:
            self.frame_patches.append(start + form.offsets[fields.index("F")])
        self.code += form.pack(self.handlers[form.name], *values)

    def reach(self, label, start, place):
        """The displacement to `label`, or 0 and a note to patch `place`."""
        if label.position is not None:
            return label.position - start
        label.patches.append((start, place))
        return 0

    def emit_table(self, slot, labels):
        start = self.begin()
        self.code += _TABLE.pack(self.handlers["br_table"], slot, len(labels) - 1)
        for label in labels:
            place = len(self.code)
            self.code += b"\0\0\0\0"
            _DISPLACEMENT(self.code, place, self.reach(label, start, place))
        self.code += bytes(-len(self.code) % 8)

    def bind(self, label):
        label.position = len(self.code)
        for start, place in label.patches:
            _DISPLACEMENT(self.code, place, label.position - start)


class CountingWriter(Writer):
    """Writes code that counts calls."""

    def __init__(self, handlers, module):
        super().__init__(handlers)
        self._places = Places(module)

    def emit(self, form, values):
        name, wide = form.name.removesuffix(".w"), form.wide
        place = self._places.call(self.offset)
        if name in _INDIRECT:
            super().emit(FORMS["count.table.w" if wide else "count.table"], (values[0], values[2], place))
        elif name in _REFERENCES:
            super().emit(FORMS["count.ref"], (values[0], place))
        elif name in _DIRECT:
            super().emit(FORMS["count"], (place,))
        super().emit(form, values)
        if name == "enter":
            super().emit(FORMS["count"], (place - 8,))


_INDIRECT, _REFERENCES = ("call_indirect", "return_call_indirect"), ("call_ref", "return_call_ref")
_DIRECT = ("call", "call.import", "return_call", "return_call.import")


class _RunCounting(Operands):
    """Counts straight runs of instructions too."""

    def visit(self, body):
        super().visit(self._counted(body))

    def _counted(self, body):
        places = Places(self.module)
        for begins, *instruction in runs(body):
            if begins and not self.dead:
                self.reached(instruction[2])
                self.emit("count", (places.run(instruction[2]),))
            yield instruction


_PASSES = {config.OPCODES: _RunCounting, config.STEPPING: Stepwise}    # of variants that another pass makes


def translate(module, funcidx, layout, handlers, variant=config.PLAIN):
    """Body to ThreadedCode of a variant. `handlers`: {form name: address}. Raises FrameTooLarge."""
    counting = variant in (config.CALLS, config.OPCODES)
    writer = CountingWriter(handlers, module) if counting else Writer(handlers)
    operands = _PASSES.get(variant, Operands)(module, funcidx, layout, writer)
    operands.run()
    for place in writer.frame_patches:
        _WORD(writer.code, place, 8 * operands.frame_slots)
    size = len(writer.code)
    code = ThreadedCode(module, funcidx, layout, ctypes.create_string_buffer(bytes(writer.code), size), 0, size, writer.starts,
                        writer.offsets, operands.loops, operands.attempts, variant)
    trace.register(*code.range)
    return code
