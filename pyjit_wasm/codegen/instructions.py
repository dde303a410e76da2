"""LLVM IR of everything but control: numeric, memory, variable, table, reference instructions, calls."""
import re
import struct

from pyjit_wasm.codegen import buffer_frames, rows
from pyjit_wasm.codegen.abi import STATUS, pass_arguments, result_type, take_results
from pyjit_wasm.codegen.accesses import Accesses
from pyjit_wasm.codegen.body import INVARIANT, llvm_type
from pyjit_wasm.codegen.text import VECTOR
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.opcodes.op import double
from pyjit_wasm.runtime.layout import EXEC_ENV, FUNC, MEM, SPAN, TABLE
from pyjit_wasm.types import F32, F64, I32, I64, V128
from pyjit_wasm.valid.memory import length_type

_FENCED = {0, 1 << 63, 0x3FF0000000000000, 0xBFF0000000000000}
# what LLVM folds with such a constant, or hands on to what it folds
_FOLDED = {f"{shape}.{name}" for shape in ("f32", "f64", "f32x4", "f64x2") for name in ("add", "sub", "mul", "div")}
_FOLDED |= {"f32x4.splat", "f64x2.splat"}


class Instructions(Accesses):
    """One method for each instruction or family; `frames.walk` calls them."""

    def numeric(self, op, lane):
        operands = [self.pop() for _ in op.params][::-1]
        if op.mnemonic in _FOLDED:
            operands = [self.fenced(valtype, value) for valtype, value in zip(op.params, operands)]
        self.push(llvm_type(op.results[0]), rows.emit(self, op, operands, self.trap, self.here(), lane))

    def fenced(self, valtype, value):
        if valtype == V128:
            return self.fenced_vector(value)
        constant = value if value.startswith("0x") else None
        if constant is None or int(constant, 16) not in _FENCED:
            return value
        return self.fence(llvm_type(valtype), value, valtype)

    def kept(self, type, value):
        """What a variable, a block or a callee gets: constants may come from there to arithmetic."""
        return self.fenced({"float": F32, "double": F64}[type], value) if type in ("float", "double") else value

    def fenced_vector(self, value):
        if value.startswith("%"):
            return value
        doubles = ", ".join(f"double 0x{int(word):016X}" for word in re.findall(r"i64 (\d+)", value))
        return self.let(f"bitcast <2 x double> {self.fence('<2 x double>', f'<{doubles}>', 'v2f64')} to {VECTOR}")

    def fence(self, type, value, suffix):
        """The name of a constant that LLVM does not look into; `suffix` of the intrinsic."""
        key = (type, value)
        if key not in self.fences:
            self.fences[key] = (f"%fence{len(self.fences)}", suffix)
        return self.fences[key][0]

    def constant(self, op, imm):
        type = llvm_type(op.results[0])
        self.push(type, self.literal(type, imm))

    def literal(self, type, imm):
        if type == VECTOR:
            low, high = struct.unpack("<2Q", imm)
            return f"<i64 {low}, i64 {high}>"
        return self.float_constant(type, imm) if type in ("float", "double") else str(imm)

    def shuffle(self, op, imm):
        right, left = (self.let(f"bitcast {VECTOR} {self.pop()} to <16 x i8>") for _ in "ab")
        lanes = ", ".join(f"i32 {lane}" for lane in imm)
        shuffled = self.let(f"shufflevector <16 x i8> {left}, <16 x i8> {right}, <16 x i32> <{lanes}>")
        self.push(VECTOR, self.let(f"bitcast <16 x i8> {shuffled} to {VECTOR}"))

    def float_constant(self, type, bits):
        """Literal of exact bits; NaNs by way of an integer, because LLVM may quiet them otherwise."""
        if type == "double":
            return f"0x{bits:016X}"
        value = struct.unpack("<f", struct.pack("<I", bits))[0]
        return f"bitcast (i32 {bits} to float)" if value != value else double(value)

    def access(self, op, memarg, lane):
        _, memory, offset = memarg
        values = [self.pop() for _ in op.params[1:]][::-1]
        if op.atomic:
            self.aligned(op, offset)
        address = self.pop()
        if self.free and self.offset in self.free.places:
            pointer = self.proven_pointer(*self.free.places[self.offset], address, offset)
            volatile = self.free.keeps_loads if op.results else self.free.keeps_stores
        else:
            pointer, volatile = self.pointer(address, memory, offset, op.access), True
        result = rows.emit_access(self, op, pointer, values, volatile, self.here(), lane)
        if op.results:
            type = llvm_type(op.results[0])
            if volatile:
                # LLVM would make one load of those that two branches begin with or end with, and then of no place, and of one
                # of floats a masked load, which does not trap, if it is selected later
                result = self.let(f"freeze {type} {result}{self.here()}")
            self.push(type, result)

    def nop(self, op, imm):
        pass

    def drop(self, op, imm):
        self.pop()

    def condition(self):
        """The i1 of an i32 operand."""
        return self.let(f"icmp ne i32 {self.pop()}, 0{self.here()}")

    def select(self, op, imm):
        condition = self.condition()
        otherwise = self.pop()
        type, then = self.stack.pop()
        then, otherwise = self.kept(type, then), self.kept(type, otherwise)
        self.push(type, self.let(f"select i1 {condition}, {type} {then}, {type} {otherwise}"))

    def local_get(self, op, imm):
        self.push(self.local_types[imm], self.load(self.local_types[imm], self.local(imm)))

    def local_set(self, op, imm):
        self.store(self.local_types[imm], self.kept(self.local_types[imm], self.pop()), self.local(imm))

    def local_tee(self, op, imm):
        self.store(self.local_types[imm], self.kept(*self.stack[-1]), self.local(imm))

    def global_cell(self, index):
        if index < len(self.module.globals) - len(self.module.global_defs):
            return self.word(self.layout.globals[index])
        return self.at("%inst", self.layout.globals[index])

    @property
    def keeps_stores(self):
        """Whether stores have to stay where they are here: something may trap behind them, or never end."""
        return self.free is None or self.free.keeps_stores

    def global_get(self, op, imm):
        globaltype = self.module.globals[imm]
        type = llvm_type(globaltype.valtype)
        kept = globaltype.mutable and self.keeps_stores and self.controls[-1].in_loop
        self.push(type, self.load(type, self.global_cell(imm), volatile=kept))

    def global_set(self, op, imm):
        # in a loop that never ends it would be put off for ever
        self.store(llvm_type(self.module.globals[imm].valtype), self.pop(), self.global_cell(imm), volatile=self.keeps_stores)

    def arguments(self, functype, native=True):
        """Pop arguments and pass them in the native calling convention, or all as LLVM likes best; text
        of those behind the first two."""
        count = len(functype.params)
        passed = [(t, self.kept(t, v)) for t, v in self.stack[len(self.stack) - count:]] if count else []
        del self.stack[len(self.stack) - count:]
        if native:
            return pass_arguments(self, [type for type, _ in passed], [value for _, value in passed])
        return "".join(f", {type} {value}" for type, value in passed)

    def finish_call(self, functype, callee):
        """Write the call; push its results."""
        types = self.result_types(functype)
        if self.buffer_frame:
            buffer_frames.note(self, self.buffer_frame)
        values = take_results(self, types, f"call {callee}{self.here()}")
        self.note_sizes()
        if self.unit.status:
            self.thrown_if(values.pop())
        for type, value in zip(types, values):
            self.push(type, value)

    def result_types(self, functype):
        """LLVM types of what a function returns, the status included."""
        return [llvm_type(t) for t in functype.results] + [STATUS] * self.unit.status

    def call(self, op, imm):
        functype = self.module.funcs[imm].comp
        self.count_calls()
        if imm in self.unit.members:
            if self.unit.calls_further(imm):
                self.check_stack()
            arguments = self.arguments(functype, native=bool(self.unit.tail))
            self.finish_call(functype, f"{self.unit.convention} {self.result(functype)} @f{imm}"
                                       f"(ptr %env, ptr %inst{arguments})")
        else:
            self.call_func(functype, *self.func_at(imm))

    def check_stack(self):
        """Before a call of what may call again. LLVM drops those that others dominate, and puts the frame off until
        behind early returns, which a check at the function's start would not allow."""
        here = self.let("call ptr @llvm.frameaddress.p0(i32 0)")
        limit = self.load("ptr", "%env", EXEC_ENV.native_limit, INVARIANT)
        self.trap(self.let(f"icmp ult ptr {here}, {limit}"), TRAP_CODE["call stack exhausted"])

    def func_at(self, funcidx):
        """(FUNC, its instance) of a function of this module."""
        if funcidx < self.module.imported_funcs:
            func = self.word(self.layout.imports[funcidx])
            return func, self.load("ptr", func, FUNC.inst)
        return self.at("%inst", self.layout.funcs[funcidx]), "%inst"

    def result(self, functype):
        return result_type(self.result_types(functype))

    def call_func(self, functype, func, inst):
        """Call through a FUNC's entry."""
        self.check_stack()
        arguments = self.arguments(functype)
        entry = self.entry_of(func)
        self.finish_call(functype, f"tailcc {self.result(functype)} {entry}(ptr nest {func}, ptr %env, ptr {inst}"
                                   f"{arguments})")

    def entry_of(self, func):
        """Native code of a FUNC. Of a module without exceptions, it may have to be provided what returns a status."""
        if not self.unit.status:
            return self.load("ptr", func, FUNC.entry)
        known = self.load("ptr", func, FUNC.status_entry)
        number = self.let(f"ptrtoint ptr {func} to i64")
        have, first, go_on = self.new_label("have"), self.new_label("first"), self.new_label("go")
        self.do(f"br label %{have}")
        self.label(have)
        self.do(f"br i1 {self.let(f'icmp eq ptr {known}, null')}, label %{first}, label %{go_on}, !prof !0")
        self.label(first)
        self.service("status_entry", number)
        provided = self.load("ptr", func, FUNC.status_entry)
        self.do(f"br label %{go_on}")
        self.label(go_on)
        return self.let(f"phi ptr [ {known}, %{have} ], [ {provided}, %{first} ]")

    def call_indirect(self, op, imm):
        functype = self.module.types[imm[0]].comp
        self.call_func(functype, *self.table_function(*imm))

    def table_function(self, typeidx, tableidx):
        """(FUNC, its instance) of the element whose index is on the stack, of the type it must have."""
        index = self.wide(self.pop(), self.module.tables[tableidx].addr)
        table = self.table(tableidx)
        # volatile: what is checked below is what is called, whoever writes the table meanwhile
        func = self.load("ptr", self.element(table, index, "undefined element"), volatile=True)
        self.trap(self.let(f"icmp eq ptr {func}, null"), TRAP_CODE["uninitialized element"])
        wanted = self.word(self.layout.type_ids[typeidx], "i64")
        actual = self.load("i64", func, FUNC.type_id, INVARIANT)
        other = self.let(f"icmp ne i64 {wanted}, {actual}")
        if not self.module.types[typeidx].final:  # it may be a subtype's
            other = self.let(f"zext i1 {other} to i64")
            other = self.let(f"call i64 @rt_other_type(ptr %env, i64 {other}, i64 {actual}, i64 {wanted}){self.here()}")
            other = self.let(f"trunc i64 {other} to i1")
        self.trap(other, TRAP_CODE["indirect call type mismatch"])
        self.count_calls(func)
        return func, self.load("ptr", func, FUNC.inst, INVARIANT)

    def reference_function(self):
        """(FUNC, its instance) of the reference on the stack."""
        func = self.let(f"inttoptr i64 {self.pop()} to ptr")
        self.trap(self.let(f"icmp eq ptr {func}, null"), TRAP_CODE["null function reference"])
        self.count_calls(func)
        return func, self.load("ptr", func, FUNC.inst, INVARIANT)

    def call_ref(self, op, imm):
        functype = self.module.types[imm].comp
        self.call_func(functype, *self.reference_function())

    def push_size(self, space, value):
        """Push the i64 size of a memory or table of this type."""
        self.push(space.addr, value if space.addr == I64 else self.let(f"trunc i64 {value} to i32"))

    def memory_size(self, op, imm):
        # not a plain load: another thread may be making a shared memory grow
        size = self.load("atomic i64", self.mem(imm), MEM.bytes, " seq_cst, align 8")
        self.push_size(self.module.mems[imm], self.let(f"lshr i64 {size}, 16"))

    def memory_grow(self, op, imm):
        memtype = self.module.mems[imm]
        pages = self.wide(self.pop(), memtype.addr)
        memory = self.let(f"ptrtoint ptr {self.mem(imm)} to i64")
        self.push_size(memtype, self.service("memory_grow", memory, pages))
        self.note_sizes()

    def three(self, *types):
        """The operands (d, s, n) of a copy or init, of these address types, as text of i64."""
        operands = [self.pop() for _ in types][::-1]
        return ", ".join(f"i64 {self.wide(v, t)}" for v, t in zip(operands, types))

    def copied(self, target, source):
        """The operands of a copy between memories or tables of these types."""
        return self.three(target.addr, source.addr, length_type(target.addr, source.addr))

    def fill_operands(self, space):
        """The operands (d, value, n) of a fill, d and n as i64."""
        n, value, target = self.pop(), self.pop(), self.pop()
        return self.wide(target, space.addr), value, self.wide(n, space.addr)

    def bulk(self, call):
        self.trap_unless_zero(self.let(f"call i64 @{call}"))

    def memory_fill(self, op, imm):
        target, value, n = self.fill_operands(self.module.mems[imm])
        self.bulk(f"rt_memory_fill(ptr %env, ptr {self.mem(imm)}, i64 {target}, i32 {value}, i64 {n})")

    def memory_copy(self, op, imm):
        operands = self.copied(self.module.mems[imm[0]], self.module.mems[imm[1]])
        self.bulk(f"rt_memory_copy(ptr %env, ptr {self.mem(imm[0])}, ptr {self.mem(imm[1])}, {operands})")

    def memory_init(self, op, imm):
        operands = self.three(self.module.mems[imm[1]].addr, I32, I32)
        span = self.at("%inst", self.layout.datas[imm[0]])
        self.bulk(f"rt_memory_init(ptr %env, ptr {self.mem(imm[1])}, ptr {span}, {operands})")

    def data_drop(self, op, imm):
        self.store("i64", "0", "%inst", self.layout.datas[imm] + SPAN.length, volatile=True)

    def element(self, table, index, trap):
        """Checked pointer to an element."""
        length = self.load("i64", table, TABLE.length)
        self.trap(self.let(f"icmp uge i64 {index}, {length}"), TRAP_CODE[trap])
        elems = self.load("ptr", table, TABLE.elems, INVARIANT)
        return self.let(f"getelementptr i64, ptr {elems}, i64 {index}")

    def table(self, index):
        return self.word(self.layout.tables[index])

    def table_get(self, op, imm):
        index = self.wide(self.pop(), self.module.tables[imm].addr)
        self.push("i64", self.load("i64", self.element(self.table(imm), index, "out of bounds table access"), volatile=True))

    def table_set(self, op, imm):
        value = self.pop()
        index = self.wide(self.pop(), self.module.tables[imm].addr)
        self.store("i64", value, self.element(self.table(imm), index, "out of bounds table access"), volatile=True)

    def table_size(self, op, imm):
        self.push_size(self.module.tables[imm], self.load("i64", self.table(imm), TABLE.length))

    def table_grow(self, op, imm):
        tabletype = self.module.tables[imm]
        count = self.wide(self.pop(), tabletype.addr)
        value = self.pop()
        table = self.let(f"ptrtoint ptr {self.table(imm)} to i64")
        self.push_size(tabletype, self.service("table_grow", table, value, count))

    def table_fill(self, op, imm):
        target, value, n = self.fill_operands(self.module.tables[imm])
        self.bulk(f"rt_table_fill(ptr %env, ptr {self.table(imm)}, i64 {target}, i64 {value}, i64 {n})")

    def table_copy(self, op, imm):
        operands = self.copied(self.module.tables[imm[0]], self.module.tables[imm[1]])
        self.bulk(f"rt_table_copy(ptr %env, ptr {self.table(imm[0])}, ptr {self.table(imm[1])}, {operands})")

    def table_init(self, op, imm):
        operands = self.three(self.module.tables[imm[1]].addr, I32, I32)
        span = self.at("%inst", self.layout.elems[imm[0]])
        self.bulk(f"rt_table_init(ptr %env, ptr {self.table(imm[1])}, ptr {span}, {operands})")

    def elem_drop(self, op, imm):
        self.store("i64", "0", "%inst", self.layout.elems[imm] + SPAN.length, volatile=True)

    def ref_null(self, op, imm):
        self.push("i64", "0")

    def ref_is_null(self, op, imm):
        null = self.let(f"icmp eq i64 {self.pop()}, 0")
        self.push("i32", self.let(f"zext i1 {null} to i32"))

    def ref_func(self, op, imm):
        self.push("i64", self.let(f"ptrtoint ptr {self.func_at(imm)[0]} to i64"))

    def ref_as_non_null(self, op, imm):
        self.trap(self.let(f"icmp eq i64 {self.stack[-1][1]}, 0"), TRAP_CODE["null reference"])
