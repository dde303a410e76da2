"""Frame forms of everything but control: numeric, memory, variable, table, reference instructions, calls."""
import struct

from pyjit_wasm.frames.forms import FORMS, vector_form
from pyjit_wasm.frames.stack import CONST, LOCAL, SUM, AbstractStack, header_slots, of_width, width
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.runtime.layout import FRAME
from pyjit_wasm.types import F32, I32, I64, V128, slots
from pyjit_wasm.valid.memory import length_type

_ADD = BY_NAME["i32.add"]
_WORDS = struct.Struct("<2Q")   # of a v128


def _fields(lane):
    """The fields that a lane number takes."""
    return () if lane is None else (lane,)


class Instructions(AbstractStack):
    """One method for each instruction or family; `frames.walk` calls them."""

    def numeric(self, op, lane):
        if V128 in op.params + op.results:
            self.vector(op, lane)
        elif len(op.params) == 2:
            self.binary(op)
        elif op.mnemonic.endswith(".eqz"):
            self.eqz(op)
        else:
            source = self.place(self.pop())
            self.emit(f"{op.mnemonic}.s", (self.push(), source))

    def vector(self, op, lane):
        operands = [self.pop() for _ in op.params][::-1]
        places = [self.place(value) for value in operands]
        self.emit(vector_form(op), (self.push(width(op.results[0])), *places, *_fields(lane)))

    def shuffle(self, op, imm):
        right, left = self.pop(), self.pop()
        places = self.place(left), self.place(right)
        self.emit("shuffle", (self.push(2), *places, *_WORDS.unpack(bytes(imm))))

    def constant(self, op, imm):
        if op.results[0] == V128:
            self.push(2, CONST, _WORDS.unpack(imm))
        else:
            self.push(1, CONST, imm & (0xFFFFFFFF if op.results[0] in (I32, F32) else 0xFFFFFFFFFFFFFFFF))

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
        self.push(1, SUM, (left.payload, "s" if right.kind == LOCAL else "i", right.payload))
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
        if memory or self.module.mems[memory].addr == I64:
            return self.plain_address(self.place(value), memory)
        if value.kind == SUM:
            left, kind, right = value.payload
            return "s" + kind, (left, right)
        taken = self.take_pending(value, lambda form: form.op is _ADD)
        if taken:
            form, (_, left, right) = taken
            return form.kinds, (left, right)
        return "s", (self.place(value),)

    def access(self, op, memarg, lane):
        _, memory, offset = memarg
        if V128 in op.params + op.results:
            self.vector_access(op, memory, offset, lane)
            return
        if op.atomic:
            self.atomic_access(op, memory, offset)
            return
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

    def vector_access(self, op, memory, offset, lane):
        operands = [self.place(self.pop())] if V128 in op.params else []
        kinds, address = self.plain_address(self.place(self.pop()), memory)
        result = [self.push(2)] if op.results else []
        self.emit(f"{op.mnemonic}.{kinds}", (*result, *address, *operands, offset, *_fields(lane)))

    def plain_address(self, slot, memory):
        """(kinds, fields) of an address in a slot."""
        wide = self.module.mems[memory].addr == I64
        if memory or wide:
            return "w" if wide else "m", (slot, self.layout.memories[memory])
        return "s", (slot,)

    def atomic_access(self, op, memory, offset):
        address, *values = [self.place(self.pop()) for _ in op.params][::-1]
        result = [self.push()] if op.results else []
        kinds = "m" if self.module.mems[memory].addr == I32 else "w"
        self.emit(f"{op.mnemonic}.{kinds}", (*result, address, self.layout.memories[memory], *values, offset))

    def wait_or_notify(self, op, imm):
        _, memory, offset = imm
        address, *values = [self.place(self.pop()) for _ in op.params][::-1]
        name = self.by_address(op.mnemonic, self.module.mems[memory])
        self.emit(name, (self.push(), address, self.layout.memories[memory], *values, offset, 0))

    def atomic_fence(self, op, imm):
        self.emit("atomic.fence", ())

    def local_get(self, op, imm):
        self.push(self.local_widths[imm], LOCAL, self.local_slots[imm])

    def local_set(self, op, imm):
        self.set_local(self.local_slots[imm], self.pop())

    def local_tee(self, op, imm):
        self.local_set(op, imm)
        self.local_get(op, imm)

    def set_local(self, slot, value):
        readers = self.readers(slot)
        for entry in readers:
            self.materialise(entry)
        if readers or not self.redirect(value, slot):
            self.assign(slot, value)

    def global_get(self, op, imm):
        name = "global.get.import" if self.imported_global(imm) else "global.get"
        words = width(self.module.globals[imm].valtype)
        self.emit(of_width(name, words), (self.push(words), self.layout.globals[imm]))

    def global_set(self, op, imm):
        name = "global.set.import" if self.imported_global(imm) else "global.set"
        value = self.pop()
        self.emit(of_width(name, value.width), (self.place(value), self.layout.globals[imm]))

    def imported_global(self, index):
        return index < len(self.module.globals) - len(self.module.global_defs)

    def drop(self, op, imm):
        self.pop()

    def select(self, op, imm):
        condition, otherwise, then = self.pop(), self.pop(), self.pop()
        slots = self.place(condition), self.place(then), self.place(otherwise)
        self.emit(of_width("select", then.width), (self.push(then.width), *slots))

    def nop(self, op, imm):
        pass

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
        else:
            self.emit("call", (self.layout.funcs[imm], fp))
        self.finish_call(functype)

    def finish_call(self, functype):
        self.emit("restore", ())
        self.push_temps(functype.results)

    def call_indirect(self, op, imm):
        typeidx, table = imm
        functype = self.module.types[typeidx].comp
        index = self.pop()
        slot = self.place(index)  # the callee's header may come to lie on it: the handler reads it first
        fp = self.arguments(functype)
        name = self.by_address("call_indirect", self.module.tables[table])
        self.emit(name, (self.layout.tables[table], self.layout.type_ids[typeidx], slot, fp))
        self.finish_call(functype)

    def call_ref(self, op, imm):
        functype = self.module.types[imm].comp
        slot = self.place(self.pop())
        self.emit("call_ref", (slot, self.arguments(functype)))
        self.finish_call(functype)

    def tail_arguments(self, functype):
        """Put the arguments into their slots and pop them; the last fields of a tail call's form. The callee's
        frame replaces this one: its arguments go where this function's were, its header behind them."""
        count, first = slots(functype.params), self.arguments(functype) - header_slots(functype)
        return first, count, -self.header, header_slots(functype) - self.header

    def return_call(self, op, imm):
        fields = self.tail_arguments(self.module.funcs[imm].comp)
        if imm < self.module.imported_funcs:
            self.emit("return_call.import", (self.layout.imports[imm], *fields))
        else:
            self.emit("return_call", (self.layout.funcs[imm], *fields))
        self.dead = 1

    def return_call_indirect(self, op, imm):
        typeidx, table = imm
        slot = self.place(self.pop())
        fields = self.tail_arguments(self.module.types[typeidx].comp)
        name = self.by_address("return_call_indirect", self.module.tables[table])
        self.emit(name, (self.layout.tables[table], self.layout.type_ids[typeidx], slot, *fields))
        self.dead = 1

    def return_call_ref(self, op, imm):
        slot = self.place(self.pop())
        self.emit("return_call_ref", (slot, *self.tail_arguments(self.module.types[imm].comp)))
        self.dead = 1

    def by_address(self, name, space):
        """The form of that name for a memory or table of this type."""
        return name if space.addr == I32 else f"{name}.w"

    def memory_size(self, op, imm):
        self.emit("memory.size", (self.push(), self.layout.memories[imm]))

    def memory_grow(self, op, imm):
        pages = self.place(self.pop())
        self.emit(self.by_address("memory.grow", self.module.mems[imm]),
                  (self.push(), pages, self.layout.memories[imm], 0))

    def fill(self, name, space, offset):
        """Fill a memory or table of this type."""
        n, value, target = self.pop(), self.pop(), self.pop()
        slots = self.place(target), self.place(value), self.place(n)
        self.emit(self.by_address(name, space), (*slots, offset))

    def bulk(self, name, types, *offsets):
        """A copy or init: operands of these address types, and places in the instance. In wide forms all are i64."""
        n, source, target = self.pop(), self.pop(), self.pop()
        operands = target, source, n
        if I64 in types:
            slots = [self.extended(value) if type == I32 else self.place(value)
                     for type, value in zip(types, operands)]
            self.emit(f"{name}.w", (*slots, *offsets))
        else:
            self.emit(name, (*map(self.place, operands), *offsets))

    def extended(self, value):
        """The slot of a popped i32 as an i64."""
        self.emit("i64.extend_i32_u.s", (value.slot, self.place(value)))
        return value.slot

    def copy_between(self, name, target, source, *offsets):
        """Copy from one memory or table to another, given their types."""
        self.bulk(name, (target.addr, source.addr, length_type(target.addr, source.addr)), *offsets)

    def memory_fill(self, op, imm):
        self.fill("memory.fill", self.module.mems[imm], self.layout.memories[imm])

    def memory_copy(self, op, imm):
        target, source = imm
        self.copy_between("memory.copy", self.module.mems[target], self.module.mems[source],
                          self.layout.memories[target], self.layout.memories[source])

    def memory_init(self, op, imm):
        segment, memory = imm
        self.bulk("memory.init", (self.module.mems[memory].addr, I32, I32),
                  self.layout.memories[memory], self.layout.datas[segment])

    def data_drop(self, op, imm):
        self.emit("data.drop", (self.layout.datas[imm],))

    def table_get(self, op, imm):
        index = self.place(self.pop())
        name = self.by_address("table.get", self.module.tables[imm])
        self.emit(name, (self.push(), index, self.layout.tables[imm]))

    def table_set(self, op, imm):
        value, index = self.pop(), self.pop()
        slots = self.place(index), self.place(value)
        self.emit(self.by_address("table.set", self.module.tables[imm]), (*slots, self.layout.tables[imm]))

    def table_size(self, op, imm):
        self.emit("table.size", (self.push(), self.layout.tables[imm]))

    def table_grow(self, op, imm):
        count, value = self.pop(), self.pop()
        slots = self.place(value), self.place(count)
        name = self.by_address("table.grow", self.module.tables[imm])
        self.emit(name, (self.push(), *slots, self.layout.tables[imm], 0))

    def table_fill(self, op, imm):
        self.fill("table.fill", self.module.tables[imm], self.layout.tables[imm])

    def table_copy(self, op, imm):
        target, source = imm
        self.copy_between("table.copy", self.module.tables[target], self.module.tables[source],
                          self.layout.tables[target], self.layout.tables[source])

    def table_init(self, op, imm):
        segment, table = imm
        self.bulk("table.init", (self.module.tables[table].addr, I32, I32),
                  self.layout.tables[table], self.layout.elems[segment])

    def elem_drop(self, op, imm):
        self.emit("elem.drop", (self.layout.elems[imm],))

    def ref_null(self, op, imm):
        self.push(1, CONST, 0)

    def ref_is_null(self, op, imm):
        reference = self.place(self.pop())
        self.emit("i64.eq.si", (self.push(), reference, 0))

    def ref_as_non_null(self, op, imm):
        self.emit("ref.as_non_null", (self.place(self.stack[-1]),))

    def ref_func(self, op, imm):
        if imm < self.module.imported_funcs:
            self.emit("ref.func.import", (self.push(), self.layout.imports[imm]))
        else:
            self.emit("ref.func", (self.push(), self.layout.funcs[imm]))
