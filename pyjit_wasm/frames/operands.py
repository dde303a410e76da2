"""The abstract-stack pass: a function body becomes a sequence of forms over frame slots.

Validation gives every operand-stack position a fixed, canonical slot. The pass keeps the stack
abstract: a `local.get` or a constant is only noted and becomes an operand of its consumer, an
`i32.add` of locals may become part of an address. It knows nothing about what is made of the forms;
a sink gets `emit(form, values)`, `emit_table(slot, labels)` and `bind(label)`, its `offset` kept current.

Frame (eight-byte slots, fp points at slot 0):

    [parameters or results][return ip][caller fp][saved instance][locals][operand stack]

Rules that keep the abstraction sound:
- values are in their canonical slots at labels, block entries and calls (constants below a block's
  parameters may stay abstract);
- before a local is written, abstract stack entries that read it are materialised;
- the last emitted form is held back (`pending`), so that a `local.set` can redirect its result, a branch
  can swallow a comparison and a memory access an addition; labels and any other emission release it.
"""
from pyjit_wasm import config
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.errors import FrameTooLarge, WasmError
from pyjit_wasm.frames.forms import FORMS
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.runtime.layout import FRAME
from pyjit_wasm.types import F32, F64, I32, I64, FuncType

TEMP, LOCAL, CONST, SUM = "temp", "local", "const", "sum"
SAVED_INSTANCE = FRAME.size // 8
FIRST_LOCAL = SAVED_INSTANCE + 1


class Value:
    """An abstract operand: `slot` is its canonical slot, `payload` a local's slot, a constant's bits,
    or a SUM's (slot, kind, operand)."""

    __slots__ = ("kind", "slot", "payload")

    def __init__(self, kind, slot, payload=None):
        self.kind, self.slot, self.payload = kind, slot, payload

    def reads(self, slot):
        if self.kind == LOCAL:
            return self.payload == slot
        return self.kind == SUM and (self.payload[0] == slot or self.payload[1:] == ("s", slot))


class Label:
    """A branch target: `position` once bound, and `patches`, the sink's, until then."""

    __slots__ = ("position", "patches")

    def __init__(self):
        self.position, self.patches = None, []


class Control:
    """An open block: `base` its first canonical slot, `height` the stack below it."""

    __slots__ = ("kind", "label", "orelse", "base", "height", "params", "results")

    def __init__(self, kind, base, height, functype):
        self.kind, self.base, self.height = kind, base, height
        self.params, self.results = len(functype.params), len(functype.results)
        self.label, self.orelse = Label(), None

    @property
    def arity(self):
        """How many values a branch here carries."""
        return self.params if self.kind == "loop" else self.results


def header_slots(functype):
    """Slots below fp: parameters in, results out."""
    return max(len(functype.params), len(functype.results))


def block_type(module, immediate):
    """The FuncType of a blocktype immediate."""
    if isinstance(immediate, int):
        return module.types[immediate].comp
    return FuncType((), () if immediate is None else (immediate,))


class Operands:
    """Translates one function. After `run`, `frame_slots` is the frame's size above fp."""

    def __init__(self, module, funcidx, layout, sink):
        self.module, self.layout, self.sink = module, layout, sink
        self.funcidx, self.functype = funcidx, module.funcs[funcidx].comp
        self.code = module.codes[funcidx - module.imported_funcs]
        self.header = header_slots(self.functype)
        locals_count = sum(count for count, _ in self.code.locals)
        params = len(self.functype.params)
        self.local_slots = [i - self.header for i in range(params)]
        self.locals_count = locals_count
        self.next = FIRST_LOCAL + locals_count
        self.highest = self.next
        self.stack, self.controls, self.dead = [], [], 0
        self.pending, self.inverted = None, False  # (form, values, offset); whether its i32 result is negated
        self.loops = 0
        if self.next > config.MAX_FRAME_SLOTS:
            raise FrameTooLarge(f"function {funcidx} needs {self.next} slots")
        self.local_slots += range(FIRST_LOCAL, FIRST_LOCAL + locals_count)

    def run(self):
        sink = self.sink
        sink.offset = self.code.start
        self.emit("enter", (0, self.locals_count))
        self.controls.append(Control("func", self.next, 0, FuncType((), self.functype.results)))
        for op, imm, offset in instructions(self.module, self.code.start, self.code.end):
            sink.offset = offset
            if self.dead:
                self.skip(op.mnemonic)
                continue
            special = _SPECIAL.get(op.mnemonic)
            if special is not None:
                special(self, op, imm)
            elif op.access is not None and op.ir is not None:
                self.access(op, imm)
            elif op.ir is not None:
                self.numeric(op)
            else:
                raise WasmError(f"{op.mnemonic} is not supported yet")
        self.frame_slots = self.highest + 1 + FRAME.size // 8
        if self.frame_slots > config.MAX_FRAME_SLOTS:
            raise FrameTooLarge(f"function {self.funcidx} needs {self.frame_slots} slots")

    # --- the abstract stack

    def push(self, kind=TEMP, payload=None):
        value = Value(kind, self.next, payload)
        self.stack.append(value)
        self.next += 1
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

    def push_temps(self, count):
        for _ in range(count):
            self.push()

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
        if value.kind == CONST:
            name = "const.I" if value.payload >> 32 else "const.i"
            self.emit(name, (slot, value.payload))
        elif value.kind == SUM:
            left, kind, right = value.payload
            self.emit(f"i32.add.s{kind}", (slot, left, right))
        else:
            source = value.payload if value.kind == LOCAL else value.slot
            if source != slot:
                self.emit("copy", (slot, source))

    def materialise(self, value):
        if value.kind != TEMP:
            self.assign(value.slot, value)
            value.kind, value.payload = TEMP, None

    def materialise_stack(self, params=0):
        """Put every value into its slot, except constants below the topmost `params`."""
        keep = len(self.stack) - params
        for index, value in enumerate(self.stack):
            if value.kind != CONST or index >= keep:
                self.materialise(value)

    # --- emission

    def emit(self, name, values):
        """Hand over what is pending; hold this back if it writes a result."""
        self.release()
        form = FORMS[name]
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

    # --- numeric, memory, locals, globals

    def numeric(self, op):
        if len(op.params) == 2:
            self.binary(op)
        elif op.mnemonic.endswith(".eqz"):
            self.eqz(op)
        else:
            source = self.place(self.pop())
            self.emit(f"{op.mnemonic}.s", (self.push(), source))

    def constant(self, op, imm):
        self.push(CONST, imm & (0xFFFFFFFF if op.results[0] in (I32, F32) else 0xFFFFFFFFFFFFFFFF))

    def binary(self, op):
        right, left = self.pop(), self.pop()
        if op is _ADD and self.defer_sum(left, right):
            return
        if left.kind == CONST and right.kind == CONST:
            self.materialise(left)
        if left.kind == CONST and (op.commutes or op.swapped):
            left, right = right, left
            op = op if op.commutes else BY_NAME[op.swapped]
        (left_kind, left), (right_kind, right) = self.operand(left), self.operand(right)
        self.emit(f"{op.mnemonic}.{left_kind}{right_kind}", (self.push(), left, right))

    def defer_sum(self, left, right):
        """i32.add of a local and a local or constant may become part of an address."""
        if left.kind == CONST:
            left, right = right, left
        if left.kind != LOCAL or right.kind not in (LOCAL, CONST):
            return False
        self.push(SUM, (left.payload, "s" if right.kind == LOCAL else "i", right.payload))
        return True

    def eqz(self, op):
        value = self.pop()
        comparison = self.take_comparison(value)
        if comparison is None:
            source = self.place(value)
            self.emit(f"{op.params[0]}.eq.si", (self.push(), source, 0))
            return
        form, left, right, sense = comparison
        if form.op.negated and sense:
            form = FORMS[f"{form.op.negated}.{form.kinds}"]
            sense = False
        self.emit(form.name, (self.push(), left, right))
        self.inverted = sense  # comparisons of floats have no opposite

    def address(self, value, memory):
        """(kinds, fields) of an address operand of memory `memory`."""
        if memory:
            return "m", (self.place(value), self.layout.memories[memory])
        if value.kind == SUM:
            left, kind, right = value.payload
            return "s" + kind, (left, right)
        taken = self.take_pending(value, lambda form: form.op is _ADD)
        if taken:
            form, (_, left, right) = taken
            return form.kinds, (left, right)
        return "s", (self.place(value),)

    def access(self, op, imm):
        _, memory, offset = imm
        if op.results:
            kinds, fields = self.address(self.pop(), memory)
            self.emit(f"{op.mnemonic}.{kinds}", (self.push(), *fields, offset))
            return
        value, address = self.pop(), self.pop()
        if value.kind == CONST:
            kinds, fields = self.address(address, memory)
            self.emit(f"{op.mnemonic}.{kinds}.i", (*fields, value.payload, offset))
            return
        source = self.place(value)
        kinds, fields = self.address(address, memory)
        self.emit(f"{op.mnemonic}.{kinds}.s", (*fields, source, offset))

    def local_get(self, op, imm):
        self.push(LOCAL, self.local_slots[imm])

    def local_set(self, op, imm):
        self.set_local(self.local_slots[imm], self.pop())

    def local_tee(self, op, imm):
        self.set_local(self.local_slots[imm], self.pop())
        self.push(LOCAL, self.local_slots[imm])

    def set_local(self, slot, value):
        readers = [entry for entry in self.stack if entry.reads(slot)]
        for entry in readers:
            self.materialise(entry)
        taken = None if readers else self.take_pending(value, lambda form: True)
        if taken:
            form, values = taken
            self.emit(form.name, (slot, *values[1:]))
        else:
            self.assign(slot, value)

    def global_get(self, op, imm):
        name = "global.get.import" if self.imported_global(imm) else "global.get"
        self.emit(name, (self.push(), self.layout.globals[imm]))

    def global_set(self, op, imm):
        name = "global.set.import" if self.imported_global(imm) else "global.set"
        self.emit(name, (self.place(self.pop()), self.layout.globals[imm]))

    def imported_global(self, index):
        return index < len(self.module.globals) - len(self.module.global_defs)

    def drop(self, op, imm):
        self.pop()

    def select(self, op, imm):
        condition, otherwise, then = self.pop(), self.pop(), self.pop()
        slots = self.place(condition), self.place(then), self.place(otherwise)
        self.emit("select", (self.push(), *slots))

    def nop(self, op, imm):
        pass

    # --- control

    def block(self, op, imm):
        functype = block_type(self.module, imm)
        params = len(functype.params)
        self.materialise_stack(params)
        self.open(op.mnemonic, functype, params)

    def open(self, kind, functype, params):
        height = len(self.stack) - params
        base = self.stack[height].slot if params else self.next
        control = Control(kind, base, height, functype)
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
        self.close(control)

    def close(self, control):
        self.controls.pop()
        if control.orelse is not None:
            self.bind(control.orelse)
        if control.kind != "loop":
            self.bind(control.label)
        self.reset(control)
        self.push_temps(control.results)

    def skip(self, mnemonic):
        """Unreachable code: only the nesting matters. `dead` is 1 plus the blocks opened in it."""
        if mnemonic in ("block", "loop", "if", "try_table", "try"):
            self.dead += 1
        elif mnemonic == "end" and self.dead > 1:
            self.dead -= 1
        elif self.dead == 1 and mnemonic in ("end", "else"):
            self.dead = 0
            if mnemonic == "end":
                self.close(self.controls[-1])
            else:
                self.start_else(self.controls[-1])

    def unmoved(self, control):
        """Whether the values a branch carries are already where the target wants them."""
        arity = control.arity
        values = self.stack[len(self.stack) - arity:] if arity else ()
        return all(v.kind == TEMP and v.slot == control.base + i for i, v in enumerate(values))

    def move(self, control, arity):
        """Put the topmost values into the slots of a block's results (or a loop's parameters). Sources lie
        at or above their targets, so going up never overwrites one that is still to be read."""
        for index, value in enumerate(self.stack[len(self.stack) - arity:] if arity else ()):
            if value.kind != TEMP or value.slot != control.base + index:
                self.assign(control.base + index, value)

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
            self.move(control, control.arity)
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
        count = len(self.functype.results)
        values = self.stack[len(self.stack) - count:] if count else []
        if count == 1 and values[0].kind in (TEMP, LOCAL):
            self.emit("return.s", (-self.header, self.place(values[0])))
            return
        if any(v.kind in (LOCAL, SUM) for v in values):
            for value in values:  # parameters may be overwritten before they are read
                if value.kind in (LOCAL, SUM):
                    self.assign(value.slot, value)
            values = [Value(TEMP, v.slot) if v.kind in (LOCAL, SUM) else v for v in values]
        for index, value in enumerate(values):
            self.assign(index - self.header, value)
        self.emit("return", ())

    def unreachable(self, op, imm):
        self.emit("unreachable", ())
        self.dead = 1

    # --- calls

    def arguments(self, functype):
        """Put the arguments into their slots and pop them: the callee's fp, as a slot of this frame."""
        count = len(functype.params)
        for value in self.stack[len(self.stack) - count:] if count else ():
            self.materialise(value)
        self.release()
        first = self.stack[-count].slot if count else self.next
        del self.stack[len(self.stack) - count:]
        self.next = first
        fp = first + header_slots(functype)
        self.highest = max(self.highest, fp + FRAME.size // 8)
        return fp

    def call(self, op, imm):
        functype = self.module.funcs[imm].comp
        fp = self.arguments(functype)
        if imm < self.module.imported_funcs:
            self.emit("call.import", (self.layout.imports[imm], fp))
            self.emit("restore", ())
        else:
            self.emit("call", (self.layout.funcs[imm], fp))
        self.push_temps(len(functype.results))

    def call_indirect(self, op, imm):
        typeidx, table = imm
        functype = self.module.types[typeidx].comp
        index = self.pop()
        slot = self.place(index)  # the callee's header may come to lie on it: the handler reads it first
        fp = self.arguments(functype)
        self.emit("call_indirect", (self.layout.tables[table], self.layout.type_ids[typeidx], slot, fp))
        self.emit("restore", ())
        self.push_temps(len(functype.results))

    # --- memories, tables, references

    def memory_size(self, op, imm):
        self.emit("memory.size", (self.push(), self.layout.memories[imm]))

    def memory_grow(self, op, imm):
        pages = self.place(self.pop())
        self.emit("memory.grow", (self.push(), pages, self.layout.memories[imm], 0))

    def bulk(self, name, *offsets):
        """A bulk operation over three operands, and places in the instance."""
        n, source, target = self.pop(), self.pop(), self.pop()
        slots = self.place(target), self.place(source), self.place(n)
        self.emit(name, (*slots, *offsets))

    def memory_fill(self, op, imm):
        self.bulk("memory.fill", self.layout.memories[imm])

    def memory_copy(self, op, imm):
        self.bulk("memory.copy", self.layout.memories[imm[0]], self.layout.memories[imm[1]])

    def memory_init(self, op, imm):
        self.bulk("memory.init", self.layout.memories[imm[1]], self.layout.datas[imm[0]])

    def data_drop(self, op, imm):
        self.emit("data.drop", (self.layout.datas[imm],))

    def table_get(self, op, imm):
        index = self.place(self.pop())
        self.emit("table.get", (self.push(), index, self.layout.tables[imm]))

    def table_set(self, op, imm):
        value, index = self.pop(), self.pop()
        slots = self.place(index), self.place(value)
        self.emit("table.set", (*slots, self.layout.tables[imm]))

    def table_size(self, op, imm):
        self.emit("table.size", (self.push(), self.layout.tables[imm]))

    def table_grow(self, op, imm):
        count, value = self.pop(), self.pop()
        slots = self.place(value), self.place(count)
        self.emit("table.grow", (self.push(), *slots, self.layout.tables[imm], 0))

    def table_fill(self, op, imm):
        self.bulk("table.fill", self.layout.tables[imm])

    def table_copy(self, op, imm):
        self.bulk("table.copy", self.layout.tables[imm[0]], self.layout.tables[imm[1]])

    def table_init(self, op, imm):
        self.bulk("table.init", self.layout.tables[imm[1]], self.layout.elems[imm[0]])

    def elem_drop(self, op, imm):
        self.emit("elem.drop", (self.layout.elems[imm],))

    def ref_null(self, op, imm):
        self.push(CONST, 0)

    def ref_is_null(self, op, imm):
        reference = self.place(self.pop())
        self.emit("i64.eq.si", (self.push(), reference, 0))

    def ref_func(self, op, imm):
        if imm < self.module.imported_funcs:
            self.emit("ref.func.import", (self.push(), self.layout.imports[imm]))
        else:
            self.emit("ref.func", (self.push(), self.layout.funcs[imm]))


_ADD = BY_NAME["i32.add"]
_RENAMED = {"if": "if_", "else": "else_", "return": "return_"}
_SPECIAL = {}
for _name in ("block", "loop", "if", "else", "end", "br", "br_if", "br_table", "return", "call", "call_indirect",
              "unreachable", "nop", "drop", "select", "local.get", "local.set", "local.tee", "global.get",
              "global.set", "memory.size", "memory.grow", "memory.fill", "memory.copy", "memory.init", "data.drop",
              "table.get", "table.set", "table.size", "table.grow", "table.fill", "table.copy", "table.init",
              "elem.drop", "ref.null", "ref.is_null", "ref.func"):
    _SPECIAL[_name] = getattr(Operands, _RENAMED.get(_name, _name.replace(".", "_")))
_SPECIAL.update((f"{t}.const", Operands.constant) for t in (I32, I64, F32, F64))
IMPLEMENTED = frozenset(_SPECIAL)
