"""Frame forms of control instructions, and the whole translation of a function."""
from pyjit_wasm import config
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.errors import FrameTooLarge
from pyjit_wasm.frames.forms import FORMS
from pyjit_wasm.frames.instructions import Instructions
from pyjit_wasm.frames.stack import FIRST_LOCAL, LOCAL, SUM, TEMP, Value, header_slots, width
from pyjit_wasm.frames.walk import RULES, block_type
from pyjit_wasm.runtime.layout import FRAME
from pyjit_wasm.types import FuncType, slots

IMPLEMENTED = frozenset(RULES)


class Label:
    """A branch target: `position` once bound, and `patches`, the sink's, until then."""

    __slots__ = ("position", "patches")

    def __init__(self, position=None):
        self.position, self.patches = position, []


class Attempt:
    """A `try` or `try_table`: instructions from position `start` to `end` of the code. `clauses`: (tag index or
    None for all, Label, slot of the payload, slot of the reference or None); `outer`: the Attempt that comes
    next when no clause catches, or None."""

    __slots__ = ("start", "end", "outer", "clauses")

    def __init__(self, start, outer):
        self.start, self.end, self.outer, self.clauses = start, None, outer, []


class Control:
    """An open block: `base` its first canonical slot, `height` the stack below it; `attempt`: which catches
    first what is thrown here, `own` if it is this block; `caught`: in a clause of a `try`, the slot of the exception."""

    __slots__ = ("kind", "label", "orelse", "base", "height", "params", "results", "attempt", "own", "catches", "caught")

    def __init__(self, kind, base, height, functype):
        self.kind, self.base, self.height = kind, base, height
        self.params, self.results = functype.params, functype.results
        self.label, self.orelse = Label(), None
        self.attempt = self.own = self.caught = None
        self.catches = ()

    @property
    def carried(self):
        """Types of the values that a branch here carries."""
        return self.params if self.kind == "loop" else self.results


class Operands(Instructions):
    """Translates one function into forms for a sink. After `run`, `frame_slots` is the frame's size above
    fp, `loops` the number of loop headers, `attempts` the Attempts, inner ones after outer ones."""

    def __init__(self, module, funcidx, layout, sink):
        self.module, self.layout, self.sink = module, layout, sink
        self.funcidx, self.functype = funcidx, module.funcs[funcidx].comp
        self.code = module.codes[funcidx - module.imported_funcs]
        self.header = header_slots(self.functype)
        self.local_slots, self.local_widths = [], []
        self.place_locals(-self.header, 1, self.functype.params)
        self.locals_size = sum(count * width(valtype) for count, valtype in self.code.locals)
        self.next = FIRST_LOCAL + self.locals_size
        self.highest = self.next
        self.stack, self.controls, self.attempts = [], [], []
        self.pending, self.inverted = None, False
        self.loops = 0
        if self.next > config.MAX_FRAME_SLOTS:
            raise FrameTooLarge(f"function {funcidx} needs {self.next} slots")
        place = FIRST_LOCAL
        for count, valtype in self.code.locals:
            place = self.place_locals(place, count, (valtype,))

    def place_locals(self, place, count, valtypes):
        """Give `count` locals of each type their slots, from `place` on; the next free one."""
        for valtype in valtypes:
            end = place + count * width(valtype)
            self.local_slots += range(place, end, width(valtype))
            self.local_widths += [width(valtype)] * count
            place = end
        return place

    def run(self):
        sink = self.sink
        sink.offset = self.code.start
        self.emit("enter", (0, self.locals_size))
        self.controls.append(Control("func", self.next, 0, FuncType((), self.functype.results)))
        self.visit(instructions(self.module, self.code.start, self.code.end))
        self.frame_slots = self.highest + 1 + FRAME.size // 8
        if self.frame_slots > config.MAX_FRAME_SLOTS:
            raise FrameTooLarge(f"function {self.funcidx} needs {self.frame_slots} slots")

    def reached(self, offset):
        self.sink.offset = offset

    def passed(self, mnemonic):
        """Blocks in unreachable code leave no trace here, but loops are numbered."""
        self.loops += mnemonic == "loop"

    def block(self, op, imm):
        functype = block_type(self.module, imm)
        params = len(functype.params)
        self.materialise_stack(params)
        self.open(op.mnemonic, functype, params)

    def open(self, kind, functype, params):
        height = len(self.stack) - params
        base = self.stack[height].slot if params else self.next
        control = Control(kind, base, height, functype)
        control.attempt = self.controls[-1].attempt
        self.controls.append(control)
        return control

    def loop(self, op, imm):
        functype = block_type(self.module, imm)
        params = len(functype.params)
        self.materialise_stack(params)
        control = self.open("loop", functype, params)
        self.emit("loop", (self.layout.funcs[self.funcidx], self.loops, 0))
        self.bind(control.label)
        self.loops += 1

    def if_(self, op, imm):
        condition = self.pop()
        comparison = self.take_comparison(condition)
        if comparison is None:
            slot = self.place(condition)
        functype = block_type(self.module, imm)
        self.materialise_stack(len(functype.params))
        control = self.open("if", functype, len(functype.params))
        control.orelse = Label()
        if comparison is None:
            self.branch("br_unless", (slot,), control.orelse)
        else:
            self.branch_on(comparison, False, control.orelse)

    def branch(self, name, fields, target):
        """Emit a branch to a Label, or to a Control without moves; back edges count."""
        if isinstance(target, Label):
            self.emit(name, (*fields, target))
        elif target.kind == "loop":
            self.emit(f"back.{name}", (*fields, self.layout.funcs[self.funcidx], target.label))
        else:
            self.emit(name, (*fields, target.label))

    def branch_on(self, comparison, sense, target):
        """Branch if a comparison that was taken back comes out as `sense`."""
        form, left, right, straight = comparison
        if sense == straight:
            name = f"br_if.{form.name}"
        elif form.op.negated:
            name = f"br_if.{form.op.negated}.{form.kinds}"
        else:
            name = f"br_unless.{form.name}"
        self.branch(name, (left, right), target)

    def else_(self, op, imm):
        control = self.controls[-1]
        self.jump(control)
        self.start_else(control)

    def start_else(self, control):
        self.bind(control.orelse)
        control.orelse = None
        self.reset(control)
        self.push_temps(control.params)

    def end(self, op, imm):
        control = self.controls[-1]
        if control.kind == "func":
            self.return_(op, imm)
            self.dead = 0
        else:
            self.move(control, control.results)
            if control.catches:
                self.branch("br", (), control)
        self.close(control)

    def close(self, control):
        self.controls.pop()
        if control.own is not None:
            self.end_attempt(control)
        if control.orelse is not None:
            self.bind(control.orelse)
        if control.kind != "loop":
            self.bind(control.label)
        self.reset(control)
        self.push_temps(control.results)

    def try_table(self, op, imm):
        blocktype, catches = imm
        self.attempt("try_table", blocktype).catches = catches

    def try_(self, op, imm):
        self.attempt("try", imm)

    def attempt(self, kind, blocktype):
        functype = block_type(self.module, blocktype)
        self.materialise_stack(len(functype.params))
        self.release()
        control = self.open(kind, functype, len(functype.params))
        control.own = control.attempt = Attempt(self.sink.position, control.attempt)
        self.attempts.append(control.own)
        return control

    def end_attempt(self, control):
        """Behind the instructions of an attempt; a `try_table` has code here that goes on from each clause."""
        if control.own.end is None:
            self.release()
            control.own.end = self.sink.position
        for kind, tagidx, labelidx in control.catches:
            label, payload = Label(), self.payload(tagidx)
            behind = control.base + slots(payload)
            control.own.clauses.append((tagidx, label, control.base, behind if kind & 1 else None))
            self.bind(label)
            self.reset(control)
            self.push_temps(payload)
            if kind & 1:
                self.push()
            self.jump(self.target(labelidx))

    def payload(self, tagidx):
        """Types of a tag's payload."""
        return () if tagidx is None else self.module.tags[tagidx].deftype.comp.params

    def catch(self, op, imm):
        control = self.controls[-1]
        self.jump(control)
        self.start_catch(control, imm)

    catch_all = catch

    def start_catch(self, control, tagidx):
        """In a `try`: the slot below the payload keeps the exception, for `rethrow`."""
        self.release()
        if control.own.end is None:
            control.own.end = self.sink.position
            control.attempt = control.own.outer
        label, control.caught = Label(), control.base
        control.own.clauses.append((tagidx, label, control.caught + 1, control.caught))
        self.bind(label)
        self.reset(control)
        self.next = control.caught + 1
        self.highest = max(self.highest, self.next)
        self.push_temps(self.payload(tagidx))

    def delegate(self, op, imm):
        control = self.controls[-1]
        self.move(control, control.results)
        self.start_delegate(control, imm)
        self.close(control)

    def start_delegate(self, control, labelidx):
        self.release()
        control.own.end = self.sink.position
        control.own.outer = self.controls[-2 - labelidx].attempt

    def throw(self, op, imm):
        functype = self.module.tags[imm].deftype.comp
        first = self.arguments(functype) - header_slots(functype)
        self.emit("throw", (self.layout.tags[imm], slots(functype.params), first, 0))
        self.dead = 1

    def throw_ref(self, op, imm):
        self.emit("throw_ref", (self.place(self.pop()), 0))
        self.dead = 1

    def rethrow(self, op, imm):
        self.emit("throw_ref", (self.target(imm).caught, 0))
        self.dead = 1

    def unmoved(self, control):
        """Whether the values a branch carries are already where the target wants them."""
        return all(v.kind == TEMP and v.slot == slot for slot, v in self.placed(control.base, control.carried))

    def placed(self, slot, valtypes):
        """The topmost values, which have these types, with their slots if they lay from `slot` on."""
        for value in self.stack[len(self.stack) - len(valtypes):]:
            yield slot, value
            slot += value.width

    def move(self, control, valtypes):
        """Put the topmost values into the slots of a block's results (or a loop's parameters). Sources lie
        at or above their targets, so going up never overwrites one that is still to be read."""
        for slot, value in self.placed(control.base, valtypes):
            if value.kind != TEMP or value.slot != slot:
                self.assign(slot, value)

    def target(self, labelidx):
        return self.controls[-1 - labelidx]

    def br(self, op, imm):
        self.jump(self.target(imm))
        self.dead = 1

    def jump(self, control):
        """Leave for a target, values included; the abstract stack stays as it was."""
        if control.kind == "func":
            self.give_results()
        else:
            self.move(control, control.carried)
            self.branch("br", (), control)

    def br_if(self, op, imm):
        condition, control = self.pop(), self.target(imm)
        comparison = self.take_comparison(condition)
        direct = control.kind != "func" and self.unmoved(control)
        target = control if direct else Label()
        if comparison:
            self.branch_on(comparison, direct, target)
        else:
            self.branch("br_if" if direct else "br_unless", (self.place(condition),), target)
        if not direct:
            self.jump(control)
            self.bind(target)

    def br_on_null(self, op, imm):
        reference = self.pop()
        self.branch_on_reference(reference, self.target(imm), True)
        self.stack.append(reference)
        self.next = reference.slot + 1

    def br_on_non_null(self, op, imm):
        self.branch_on_reference(self.stack[-1], self.target(imm), False)
        self.pop()

    def branch_on_reference(self, reference, control, null):
        """Branch with what is on the stack if a reference is null, or is not."""
        slot = self.place(reference)
        self.release()
        direct = control.kind != "func" and self.unmoved(control)
        target = control if direct else Label()
        self.branch_on((FORMS["i64.eq.si"], slot, 0, True), null == direct, target)
        if not direct:
            self.jump(control)
            self.bind(target)

    def br_table(self, op, imm):
        labels, default = imm
        index = self.place(self.pop())
        targets = [self.target(i) for i in (*labels, default)]
        direct = {c: c.kind not in ("func", "loop") and self.unmoved(c) for c in targets}
        stubs = {c: c.label if direct[c] else Label() for c in direct}
        self.release()
        self.sink.emit_table(index, [stubs[c] for c in targets])
        for control, label in stubs.items():
            if not direct[control]:
                self.bind(label)
                self.jump(control)
        self.dead = 1

    def return_(self, op, imm):
        self.give_results()
        self.dead = 1

    def give_results(self):
        """Results go below fp, where the caller expects them, over the parameters."""
        results = list(self.placed(-self.header, self.functype.results))
        if len(results) == 1 and results[0][1].kind in (TEMP, LOCAL):
            slot, value = results[0]
            self.emit("return.s" if value.width == 1 else "return.v", (slot, self.place(value)))
            return
        if any(v.kind in (LOCAL, SUM) for _, v in results):
            for _, value in results:  # parameters may be overwritten before they are read
                if value.kind in (LOCAL, SUM):
                    self.assign(value.slot, value)
            results = [(slot, Value(TEMP, v.slot, v.width) if v.kind in (LOCAL, SUM) else v) for slot, v in results]
        for slot, value in results:
            self.assign(slot, value)
        self.emit("return", ())

    def unreachable(self, op, imm):
        self.emit("unreachable", ())
        self.dead = 1
