"""Threaded code for people: the forms of a function as they are written, with their places in the code.

A slot that is a local's is `$` and the local's index, another is its number from `fp` in brackets. What belongs to an
instance is named; a branch names the place that it leads to.
"""
import collections

from pyjit_wasm.frames.operands import Operands
from pyjit_wasm.interp.threaded import Writer
from pyjit_wasm.text.print_literals import printable

# fields of letter u that are plain numbers, by form; the others are places in the INSTANCE block
_COUNTS = {"enter": (1,), "loop": (1,), "return_call": (2,), "return_call.import": (2,), "return_call_ref": (2,),
           "return_call_indirect": (4,), "return_call_indirect.w": (4,), "throw": (1,), "count": (0,), "count.table": (2,),
           "count.table.w": (2,), "count.ref": (1,)}


class _Recorder(Writer):
    """Writes code without handlers and notes every instruction: (place, wasm byte offset, form or None for a
    `br_table`, values)."""

    def __init__(self):
        super().__init__(collections.defaultdict(int))
        self.instructions = []

    def emit(self, form, values):
        self.instructions.append((self.position, self.offset, form, values))
        super().emit(form, values)

    def emit_table(self, slot, labels):
        self.instructions.append((self.position, self.offset, None, (slot, labels)))
        super().emit_table(slot, labels)


def listing(module, funcidx, layout):
    """[(wasm byte offset, or None, and text)] of the threaded code of a function. Raises FrameTooLarge."""
    recorder = _Recorder()
    operands = Operands(module, funcidx, layout, recorder)
    operands.run()
    lines = _Lines(operands, _places(module, layout))
    found = [(offset, f"{place:#06x}  {lines.instruction(form, values)}")
             for place, offset, form, values in recorder.instructions]
    return [*found, *[(None, lines.attempt(attempt)) for attempt in operands.attempts]]


def _places(module, layout):
    """{offset in the INSTANCE block: what is there}."""
    spaces = {"memory": layout.memories, "table": layout.tables, "global": layout.globals, "type": layout.type_ids,
              "tag": layout.tags, "data": layout.datas, "elem": layout.elems}
    places = {offset: f"{kind} {index}" for kind, offsets in spaces.items() for index, offset in enumerate(offsets)}
    functions = [*layout.imports, *layout.funcs[module.imported_funcs:]]
    return places | {offset: printable(module.function_name(index)) for index, offset in enumerate(functions)}


class _Lines:
    """Texts of the instructions of one function."""

    def __init__(self, operands, places):
        self.places, self.frame = places, 8 * operands.frame_slots
        self.locals = {slot: f"${index}" for index, slot in enumerate(operands.local_slots)}

    def instruction(self, form, values):
        if form is None:
            slot, labels = values
            return f"br_table {self.slot(slot)} -> {' '.join(f'{label.position:#x}' for label in labels)}"
        texts = [self.field(form, index, value) for index, value in enumerate(values)]
        if form.result:
            return f"{texts[0]} = {form.name} {', '.join(texts[1:])}".rstrip()
        return f"{form.name} {', '.join(texts)}".rstrip()

    def field(self, form, index, value):
        letter = form.fields[index]
        if letter == "s":
            return self.slot(value)
        if letter == "d":
            return f"-> {value.position:#x}"
        if letter == "F":
            return f"frame={self.frame}"
        if form.op is not None and form.op.access is not None and index == _offset_field(form):
            return f"offset={value}"
        if letter == "u" and index not in _COUNTS.get(form.name, ()):
            return self.places[value]
        return str(value) if value < 1 << 24 else f"{value:#x}"

    def slot(self, number):
        return self.locals.get(number) or f"[{number}]"

    def attempt(self, attempt):
        """The range of a `try` or `try_table`, and its clauses."""
        clauses = [f"{'all' if tag is None else f'tag {tag}'} -> {label.position:#x}"
                   for tag, label, _, _ in attempt.clauses]
        return f"attempt {attempt.start:#x} to {attempt.end:#x}: {', '.join(clauses) or 'nothing caught'}"


def _offset_field(form):
    """Which field of an access is the offset of its memarg."""
    return len(form.fields) - 1 - ("laneidx" in form.op.imm)
