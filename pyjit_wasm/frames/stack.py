"""The abstract-stack pass: a function body becomes a sequence of forms over frame slots.

Validation gives every operand-stack position a fixed, canonical slot. The pass keeps the stack
abstract: a `local.get` or a constant is only noted and becomes an operand of its consumer, an
`i32.add` of locals may become part of an address. It knows nothing about what is made of the forms;
a sink gets `emit(form, values)`, `emit_table(slot, labels)` and `bind(label)`, its `offset` kept current, and tells the `position` of what comes next.

Frame (eight-byte slots, a v128 takes two; fp points at slot 0):

    [parameters or results][return ip][caller fp][saved instance][locals][operand stack]

Rules that keep the abstraction sound:
- values are in their canonical slots at labels, block entries and calls (constants below a block's
  parameters may stay abstract);
- before a local is written, abstract stack entries that read it are materialised;
- the last emitted form is held back (`pending`), so that a `local.set` can redirect its result, a branch
  can swallow a comparison and a memory access an addition; labels and any other emission release it.
"""
from pyjit_wasm.frames.forms import FORMS, vector_forms
from pyjit_wasm.frames.walk import Walk
from pyjit_wasm.runtime.layout import FRAME
from pyjit_wasm.types import V128, slots

TEMP, LOCAL, CONST, SUM = "temp", "local", "const", "sum"
SAVED_INSTANCE = FRAME.size // 8
FIRST_LOCAL = SAVED_INSTANCE + 1
READ_NOTHING, IN_SLOTS = 1, 2
MOST_READERS = 64   # values that are looked through at each write of a local


class Value:
    """An abstract operand: `slot` is its canonical slot, `width` how many it takes, `payload` a local's slot,
    a constant's bits (of a v128 a pair), or a SUM's (slot, kind, operand). `settled`: what is known of it and of all values
    below it, so that nobody need look: all are in their slots (IN_SLOTS), or they are or are constants (READ_NOTHING)."""

    __slots__ = ("kind", "slot", "width", "payload", "settled")

    def __init__(self, kind, slot, width=1, payload=None):
        self.kind, self.slot, self.width, self.payload, self.settled = kind, slot, width, payload, 0

    def reads(self, slot):
        if self.kind == LOCAL:
            return self.payload == slot
        return self.kind == SUM and (self.payload[0] == slot or self.payload[1:] == ("s", slot))


def width(valtype):
    """How many slots a value takes."""
    return 2 if valtype == V128 else 1


def header_slots(functype):
    """Slots below fp: parameters in, results out."""
    return max(slots(functype.params), slots(functype.results))


def of_width(name, width):
    """The name of a special form for operands of this width."""
    return f"{name}.v" if width == 2 else name


class AbstractStack(Walk):
    """The operand stack of a function being translated, and the emission of forms.

    `stack` holds Values, `next` is the slot of the next one, `highest` the highest slot used so far;
    `pending` is the form held back, as (form, values, offset), `inverted` whether its i32 is negated.
    """

    def push(self, width=1, kind=TEMP, payload=None):
        value = Value(kind, self.next, width, payload)
        self.stack.append(value)
        self.next += width
        if self.next > self.highest:
            self.highest = self.next
        return value.slot

    def pop(self):
        value = self.stack.pop()
        self.next = value.slot
        return value

    def reset(self, control):
        del self.stack[control.height:]
        self.next = control.base

    def push_temps(self, valtypes):
        for valtype in valtypes:
            self.push(width(valtype))

    def place(self, value):
        """The slot a popped value is in, put into its canonical slot if it is in none."""
        if value.kind == TEMP:
            return value.slot
        if value.kind == LOCAL:
            return value.payload
        self.assign(value.slot, value)
        return value.slot

    def operand(self, value):
        """(kind letter, slot or bits) for a form that takes immediates."""
        if value.kind == CONST:
            return "i", value.payload
        return "s", self.place(value)

    def assign(self, slot, value):
        """Emit what puts a value into a slot."""
        if value.kind == CONST and value.width == 2:
            self.emit("const.v", (slot, *value.payload))
        elif value.kind == CONST:
            name = "const.I" if value.payload >> 32 else "const.i"
            self.emit(name, (slot, value.payload))
        elif value.kind == SUM:
            left, kind, right = value.payload
            self.emit(f"i32.add.s{kind}", (slot, left, right))
        else:
            source = value.payload if value.kind == LOCAL else value.slot
            if source != slot:
                self.emit(of_width("copy", value.width), (slot, source))

    def materialise(self, value):
        if value.kind != TEMP:
            self.assign(value.slot, value)
            value.kind, value.payload = TEMP, None

    def materialise_stack(self, params=0):
        """Put every value into its slot, except constants below the topmost `params`."""
        stack, keep = self.stack, len(self.stack) - params
        first = len(stack)
        while first and stack[first - 1].settled < (READ_NOTHING if first <= keep else IN_SLOTS):
            first -= 1
        settled = stack[first - 1].settled if first else IN_SLOTS
        for value in stack[first:]:
            if value.kind != CONST or first >= keep:
                self.materialise(value)
            else:
                settled = READ_NOTHING
            value.settled = settled
            first += 1

    def readers(self, slot):
        """The values that read a local."""
        found = []
        for depth, value in enumerate(reversed(self.stack)):
            if value.settled:
                break
            if depth == MOST_READERS:
                self.materialise_stack()
                return []
            if value.reads(slot):
                found.append(value)
        return found[::-1]

    def emit(self, name, values):
        """Hand over what is pending; hold this back if it writes a result."""
        self.release()
        form = FORMS.get(name) or vector_forms()[name]
        if form.result:
            self.pending = (form, values, self.sink.offset)
            self.inverted = False
        else:
            self.sink.emit(form, values)

    def release(self):
        if self.pending is not None:
            form, values, offset = self.pending
            self.pending = None
            now, self.sink.offset = self.sink.offset, offset
            self.sink.emit(form, values)
            if self.inverted:
                self.sink.emit(FORMS["i32.eq.si"], (values[0], values[0], 0))
            self.sink.offset = now

    def take_pending(self, value, wanted):
        """The pending (form, values) if it produced `value` and `wanted(form)`: it is then not emitted."""
        if self.pending is not None and value.kind == TEMP:
            form, values, _ = self.pending
            if values[0] == value.slot and wanted(form) and not self.inverted:
                self.pending = None
                return form, values
        return None

    def redirect(self, value, slot):
        """Have the pending form, if it produced `value`, write another slot; whether it does. It stays the form of the
        instruction that it was made for, to which its traps belong."""
        taken = self.pending
        if self.take_pending(value, lambda form: True) is None:
            return False
        form, values, offset = taken
        self.pending = form, (slot, *values[1:]), offset
        return True

    def take_comparison(self, value):
        """The pending comparison that produced `value`, as (form, left, right, sense), or None."""
        inverted, self.inverted = self.inverted, False
        taken = self.take_pending(value, lambda form: form.op and form.op.swapped)
        if taken is None:
            self.inverted = inverted
            return None
        form, (_, left, right) = taken
        return form, left, right, not inverted

    def bind(self, label):
        self.release()
        self.sink.bind(label)
