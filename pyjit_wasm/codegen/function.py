"""A wasm function as LLVM IR: locals in allocas, operands as SSA names, labels as basic blocks.

LLVM turns the allocas into registers. Values that a branch carries go through allocas of the target.
Frames live on the machine stack; `env` and `inst` are the first parameters of every function.

Where LLVM is not WebAssembly:
- an unused load would be deleted with its trap, and stores moved across trapping loads: accesses are
  volatile except in innermost loops, where that would forbid vectorisation (`strict_traps`: everywhere);
- `x * 1.0`, `x + -0.0` and the like are folded to x and lose the quieting of NaNs: such constants are
  hidden behind `llvm.arithmetic.fence`;
- nothing is marked `mustprogress` or `willreturn`: endless loops are legal;
- tail-call optimisation is off: it would turn endless recursion into an endless loop.
"""
import struct

from pyjit_wasm.binary.body import instructions
from pyjit_wasm.codegen import recurrences, rows
from pyjit_wasm.codegen.abi import LETTER, LLVM, letter, result_type
from pyjit_wasm.codegen.text import Text
from pyjit_wasm.errors import WasmError
from pyjit_wasm.frames.operands import FIRST_LOCAL, block_type, header_slots
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.opcodes.op import double
from pyjit_wasm.runtime.layout import EXEC_ENV, FUNC, MEM, SERVICE, SPAN, TABLE
from pyjit_wasm.types import F32, F64, FuncType

INVARIANT = ", !invariant.load !1"
_FENCED = {0, 1 << 63, 0x3FF0000000000000, 0xBFF0000000000000}
_ARITHMETIC = ("add", "sub", "mul", "div")
_LARGE_FRAME = 512  # locals


def llvm_type(valtype):
    return LLVM[LETTER.get(valtype) or letter(valtype)]


def zero(type):
    return "0.0" if type in ("float", "double") else "0"


class Control:
    """An open block. `number` names its allocas, `loop` is the loop ordinal or None."""

    __slots__ = ("kind", "number", "height", "params", "results", "loop", "orelse", "innermost", "label", "recurrences")

    def __init__(self, kind, number, height, functype, label):
        self.kind, self.number, self.height, self.label = kind, number, height, label
        self.params = [llvm_type(t) for t in functype.params]
        self.results = [llvm_type(t) for t in functype.results]
        self.loop = self.orelse = self.recurrences = None
        self.innermost = False

    @property
    def carried(self):
        """(prefix of the allocas, types) of the values that a branch here carries."""
        return ("p", self.params) if self.kind == "loop" else ("r", self.results)


def loop_nesting(body):
    """For each loop, in order: (the ordinals of the loops around it, whether it contains none)."""
    loops, open_blocks = [], []
    for op, _, _ in body:
        mnemonic = op.mnemonic
        if mnemonic in ("block", "if", "loop", "try_table", "try"):
            ordinal = None
            if mnemonic == "loop":
                around = tuple(o for o in open_blocks if o is not None)
                for outer in around:
                    loops[outer] = (loops[outer][0], False)
                ordinal = len(loops)
                loops.append((around, True))
            open_blocks.append(ordinal)
        elif mnemonic == "end" and open_blocks:
            open_blocks.pop()
    return loops


class Body(Text):
    """Emits one function into a unit. `unit` answers: which functions are direct calls, which options
    hold, what the debug location of an offset is."""

    def __init__(self, unit, funcidx):
        super().__init__()
        self.unit, self.module, self.layout = unit, unit.module, unit.layout
        self.funcidx, self.functype = funcidx, unit.module.funcs[funcidx].comp
        self.code = self.module.codes[funcidx - self.module.imported_funcs]
        self.body = list(instructions(self.module, self.code.start, self.code.end))
        self.loops = loop_nesting(self.body)
        self.straight = {} if self.unit.explicit or self.unit.strict_traps else recurrences.straight_loops(self.body)
        self.local_types = [llvm_type(t) for t in self.functype.params]
        self.params = len(self.local_types)
        for count, valtype in self.code.locals:
            self.local_types += [llvm_type(valtype)] * count
        self.allocas, self.fences, self.cold = {}, {}, []
        self.osr, self.entered = False, []
        self.scope = unit.scope(funcidx, self.code.start)

    # --- whole functions

    def function(self):
        """The function itself: `fastcc @f<idx>`, internal to the unit."""
        types = [llvm_type(t) for t in self.functype.results]
        formal = "".join(f", {t} %a{i}" for i, t in enumerate(self.local_types[:self.params]))
        self.start_locals()
        self.walk("")
        self.label("return")
        self.give_back(types, [self.load(t, f"%r0.{i}") for i, t in enumerate(types)])
        head = f"define internal fastcc {result_type(types)} @f{self.funcidx}(ptr %env, ptr %inst{formal}) #0 !dbg {self.scope} {{"
        return self.assemble(head, self.prologue())

    def loop_entry(self):
        """`@osr<idx>(..., frame, loop)`: takes over a call that the interpreter began, at the header of any
        loop. Locals and operands come from its frame and results go there. Entering an inner loop from
        outside would keep LLVM from optimising the loops around it: where there are such, a first copy
        of the body finishes their current iteration, and their back edges lead into a second copy,
        which is optimised as if entered normally."""
        self.osr = True
        self.walk("a.")
        if not all(innermost for _, innermost in self.loops):
            self.walk("b.")
        self.label("return")
        for index, type in enumerate(llvm_type(t) for t in self.functype.results):
            self.store(type, self.load(type, f"%r0.{index}"), "%frame", 8 * (index - header_slots(self.functype)))
        self.do("ret void")
        head = (f"define void @osr{self.funcidx}(ptr nest %func, ptr %env, ptr %inst, ptr %frame, i32 %loop) #0 "
                f"!dbg {self.scope} {{")
        cases = " ".join(f"i32 {n}, label %osr.{n}" for n in self.entered)
        start = f"  switch i32 %loop, label %a.begin [ {cases} ]"
        return self.assemble(head, [*self.entry_lines, start])

    def assemble(self, head, prologue):
        allocas = [f"  {name} = alloca {type}" for name, type in self.allocas.items()]
        fences = [f"  {name} = call {type} @llvm.arithmetic.fence.{suffix}({type} {value})"
                  for (type, value), (name, suffix) in self.fences.items()]
        return "\n".join((head, *allocas, *fences, *prologue, *self.lines, *self.cold, "}", ""))

    def prologue(self):
        """Stack check (leaf functions with small frames need none), then the body."""
        facts = self.unit.facts[self.funcidx - self.module.imported_funcs]
        large = len(self.local_types) > _LARGE_FRAME
        lines = list(self.entry_lines)
        if facts.calls or facts.indirect or large:
            lines.append("  %sp = call ptr @llvm.frameaddress.p0(i32 0)")
            lines.append(f"  %low = getelementptr i8, ptr %sp, i64 {-16 * len(self.local_types) if large else 0}")
            lines.append(f"  %limit.p = getelementptr i8, ptr %env, i64 {EXEC_ENV.native_limit}")
            lines.append("  %limit = load ptr, ptr %limit.p, !invariant.load !1")
            lines.append("  %deep = icmp ult ptr %low, %limit")
            lines.append("  br i1 %deep, label %exhausted, label %begin, !prof !0")
            lines.append("exhausted:")
            lines.append(f"  call void @rt_trap(ptr %env, i64 {TRAP_CODE['call stack exhausted']}) #1, !dbg "
                         f"{self.unit.location(self.code.start, self.scope)}")
            lines.append("  unreachable")
        else:
            lines.append("  br label %begin")
        return [*lines, "begin:"]

    def start_locals(self):
        for index, type in enumerate(self.local_types):
            self.store(type, f"%a{index}" if index < self.params else zero(type), self.local(index))

    @property
    def entry_lines(self):
        """Loads that hold for the whole function: the memories' bases."""
        lines = []
        for memory in range(len(self.module.mems)):
            lines.append(f"  %mem{memory}.p = getelementptr i8, ptr %inst, i64 {self.layout.memories[memory]}")
            lines.append(f"  %mem{memory} = load ptr, ptr %mem{memory}.p, !invariant.load !1")
        return lines

    def give_back(self, types, values):
        whole = "poison"
        if len(values) < 2:
            self.do(f"ret {types[0]} {values[0]}" if values else "ret void")
            return
        for i, (t, v) in enumerate(zip(types, values)):
            whole = self.let(f"insertvalue {result_type(types)} {whole}, {t} {v}, {i}")
        self.do(f"ret {result_type(types)} {whole}")

    def walk(self, copy):
        """Emit the body once; labels begin with `copy`."""
        self.copy = copy
        self.stack, self.controls, self.dead = [], [], 0
        self.controls_count = self.loops_count = 0
        if copy:
            self.label(copy + "begin")
        self.open("func", FuncType((), self.functype.results))
        self.controls[0].label = "return"
        for op, imm, offset in self.body:
            if self.dead:
                self.skip(op.mnemonic)
                continue
            self.offset = offset
            special = _SPECIAL.get(op.mnemonic)
            if special is not None:
                special(self, op, imm)
            elif op.ir is None:
                raise WasmError(f"{op.mnemonic} is not supported yet")
            elif op.access is not None:
                self.access(op, imm)
            else:
                self.numeric(op)

    # --- small tools

    def alloca(self, name, type):
        self.allocas[name] = type
        return name

    def local(self, index):
        return self.alloca(f"%l{index}", self.local_types[index])

    def push(self, type, value):
        self.stack.append((type, value))

    def pop(self):
        return self.stack.pop()[1]

    def here(self):
        """Debug location of the current instruction."""
        return f", !dbg {self.unit.location(self.offset, self.scope)}"

    def trap(self, condition, code):
        """Trap with `code` where the i1 `condition` holds. Every site keeps a call of its own."""
        bad = self.new_label("trap")
        self.unlikely(condition, bad)
        self.cold.append(f"{bad}:\n  call void @rt_trap(ptr %env, i64 {code}) #1{self.here()}\n  unreachable")

    def trap_unless_zero(self, code):
        self.trap(self.let(f"icmp ne i64 {code}, 0"), code)

    def word(self, offset, type="ptr"):
        """A word of the INSTANCE block that does not change while this function runs."""
        return self.load(type, "%inst", offset, INVARIANT)

    def service(self, name, a, b="0", c="0"):
        return self.let(f"call i64 @rt_service(ptr %env, i64 {SERVICE[name]}, i64 {a}, i64 {b}, i64 {c}){self.here()}")

    def wide(self, value):
        return self.let(f"zext i32 {value} to i64")

    # --- numeric and memory instructions

    def numeric(self, op):
        operands = [self.pop() for _ in op.params][::-1]
        if op.params[0] in (F32, F64) and op.mnemonic[4:] in _ARITHMETIC:
            operands = [self.fenced(op.params[0], value) for value in operands]
        self.push(llvm_type(op.results[0]), rows.emit(self, op, operands, self.trap))

    def fenced(self, valtype, value):
        constant = value if value.startswith("0x") else None
        if constant is None or int(constant, 16) not in _FENCED:
            return value
        key = (llvm_type(valtype), value)
        if key not in self.fences:
            self.fences[key] = (f"%fence{len(self.fences)}", valtype)
        return self.fences[key][0]

    def constant(self, op, imm):
        type = llvm_type(op.results[0])
        self.push(type, self.float_constant(type, imm) if type in ("float", "double") else str(imm))

    def float_constant(self, type, bits):
        """Literal of exact bits; NaNs by way of an integer, because LLVM may quiet them otherwise."""
        if type == "double":
            return f"0x{bits:016X}"
        value = struct.unpack("<f", struct.pack("<I", bits))[0]
        return f"bitcast (i32 {bits} to float)" if value != value else double(value)

    def pointer(self, address, memory, offset, size):
        """Checked pointer for an access of `size` bytes."""
        where = self.wide(address)
        if offset:
            where = self.let(f"add nuw nsw i64 {where}, {offset}")
        if self.unit.explicit:
            end = self.let(f"add nuw nsw i64 {where}, {size}")
            limit = self.load("i64", self.word(self.layout.memories[memory] + 8), MEM.bytes)
            self.trap(self.let(f"icmp ugt i64 {end}, {limit}"), TRAP_CODE["out of bounds memory access"])
        return self.let(f"getelementptr i8, ptr %mem{memory}, i64 {where}")

    def access(self, op, imm):
        _, memory, offset = imm
        value = None if op.results else self.pop()
        pointer = self.recurrent() or self.pointer(self.stack[-1][1], memory, offset, op.access)
        self.stack.pop()
        before = len(self.lines)
        result = rows.emit_access(self, op, pointer, value, self.volatile())
        for index in range(before, len(self.lines)):
            if " load " in self.lines[index] or "  store " in self.lines[index]:
                self.lines[index] += self.here()
        if op.results:
            self.push(llvm_type(op.results[0]), result)

    def recurrent(self):
        """The pointer for the current access if it is part of a recurrence, else None."""
        control = self.controls[-1]
        if control.recurrences and self.offset in control.recurrences.places:
            group, distance = control.recurrences.places[self.offset]
            return self.at(self.load("ptr", self.group_pointer(control, group)), distance)
        return None

    def volatile(self):
        """Whether an access here must keep its place and its trap."""
        if self.unit.strict_traps:
            return True
        loops = [c for c in self.controls if c.kind == "loop"]
        return not (loops and loops[-1].innermost)

    # --- parametric and variable instructions

    def nop(self, op, imm):
        pass

    def drop(self, op, imm):
        self.stack.pop()

    def select(self, op, imm):
        condition = self.let(f"icmp ne i32 {self.pop()}, 0")
        otherwise = self.pop()
        type, then = self.stack.pop()
        self.push(type, self.let(f"select i1 {condition}, {type} {then}, {type} {otherwise}"))

    def local_get(self, op, imm):
        self.push(self.local_types[imm], self.load(self.local_types[imm], self.local(imm)))

    def local_set(self, op, imm):
        self.store(self.local_types[imm], self.pop(), self.local(imm))

    def local_tee(self, op, imm):
        self.store(self.local_types[imm], self.stack[-1][1], self.local(imm))

    def global_cell(self, index):
        if index < len(self.module.globals) - len(self.module.global_defs):
            return self.word(self.layout.globals[index])
        return self.at("%inst", self.layout.globals[index])

    def global_get(self, op, imm):
        type = llvm_type(self.module.globals[imm].valtype)
        self.push(type, self.load(type, self.global_cell(imm)))

    def global_set(self, op, imm):
        self.store(llvm_type(self.module.globals[imm].valtype), self.pop(), self.global_cell(imm))

    # --- control

    def open(self, kind, functype):
        number = self.controls_count
        self.controls_count += 1
        height = len(self.stack) - len(functype.params)
        control = Control(kind, number, height, functype, f"{self.copy}L{number}")
        self.controls.append(control)
        for prefix, types in (("r", control.results), ("p", control.params)):
            for index, type in enumerate(types):
                self.alloca(f"%{prefix}{number}.{index}", type)
        return control

    def block(self, op, imm):
        self.open("block", block_type(self.module, imm))

    def loop(self, op, imm):
        control = self.open("loop", block_type(self.module, imm))
        control.loop, self.loops_count = self.loops_count, self.loops_count + 1
        control.innermost = self.loops[control.loop][1]
        self.carry(control, ("p", control.params))
        if self.osr:
            self.share_stack(control)
        if control.loop in self.straight and not control.params:
            control.recurrences = recurrences.find(self.body, self.straight[control.loop], self.local_types,
                                                   self.unit.bounded_memories)
            self.start_pointers(control)
        self.do(f"br label %{control.label}")
        if self.copy == "a.":
            self.enter_loop(control)
        self.label(control.label)
        if self.osr:
            self.reload_stack(control)
        del self.stack[control.height:]
        self.push_carried(control.number, "p", control.params)

    def share_stack(self, control):
        """In a loop entry, operands below a loop go through allocas: it may be entered from elsewhere."""
        for index, (type, value) in enumerate(self.stack[:control.height]):
            self.store(type, value, self.alloca(f"%s{control.number}.{index}", type))

    def reload_stack(self, control):
        for index, (type, value) in enumerate(self.stack[:control.height]):
            if value.startswith("%"):
                self.stack[index] = (type, self.load(type, f"%s{control.number}.{index}"))

    def enter_loop(self, control):
        """Where execution starts: take locals and operands out of the interpreter's frame."""
        self.label(f"osr.{control.loop}")
        self.entered.append(control.loop)
        header, params = header_slots(self.functype), self.params
        for index, type in enumerate(self.local_types):
            slot = index - header if index < params else FIRST_LOCAL + index - params
            self.store(type, self.load(type, "%frame", 8 * slot), self.local(index))
        first = FIRST_LOCAL + len(self.local_types) - params
        for outer in self.controls:
            if outer.loop is None:
                continue
            for index, (type, value) in enumerate(self.stack[:outer.height]):
                if value.startswith("%"):
                    self.store(type, self.load(type, "%frame", 8 * (first + index)), f"%s{outer.number}.{index}")
        for index, type in enumerate(control.params):
            slot = first + control.height + index
            self.store(type, self.load(type, "%frame", 8 * slot), f"%p{control.number}.{index}")
        if control.recurrences:
            self.start_pointers(control)
        self.do(f"br label %{control.label}")

    def start_pointers(self, control):
        """Before the first iteration: the pointer of each group of accesses."""
        for group in control.recurrences.groups:
            address = str(group.constant)
            for index in group.locals:
                address = self.let(f"add i32 {address}, {self.load('i32', self.local(index))}")
            base = self.let(f"ptrtoint ptr %mem{group.memory} to i64")
            start = self.let(f"add i64 {base}, {self.wide(address)}")
            self.store("ptr", self.let(f"inttoptr i64 {start} to ptr"), self.group_pointer(control, group))

    def group_pointer(self, control, group):
        return self.alloca(f"%g{control.number}.{group.number}", "ptr")

    def step_pointers(self, control):
        """At the back edge."""
        for group in control.recurrences.groups:
            place = self.group_pointer(control, group)
            self.store("ptr", self.let(f"getelementptr i8, ptr {self.load('ptr', place)}, i64 {group.step}"), place)

    def if_(self, op, imm):
        condition = self.let(f"icmp ne i32 {self.pop()}, 0")
        control = self.open("if", block_type(self.module, imm))
        control.orelse = f"{control.label}.else"
        self.carry(control, ("p", control.params))
        then = self.new_label("then")
        self.branch(condition, then, control.orelse)
        self.label(then)

    def carry(self, control, carried):
        """Store the values on top of the stack where the target expects them."""
        prefix, types = carried
        count = len(types)
        for index, (type, value) in enumerate(self.stack[len(self.stack) - count:] if count else ()):
            self.store(type, value, f"%{prefix}{control.number}.{index}")

    def push_carried(self, number, prefix, types):
        for index, type in enumerate(types):
            self.push(type, self.load(type, f"%{prefix}{number}.{index}"))

    def else_(self, op, imm):
        control = self.controls[-1]
        self.jump(control)
        self.start_else(control)

    def start_else(self, control):
        self.label(control.orelse)
        control.orelse = None
        del self.stack[control.height:]
        self.push_carried(control.number, "p", control.params)

    def end(self, op, imm):
        control = self.controls[-1]
        self.carry(control, ("r", control.results))
        self.do(f"br label %{self.end_label(control)}")
        self.close(control)

    def end_label(self, control):
        return control.label + ".end" if control.kind == "loop" else control.label

    def close(self, control):
        self.controls.pop()
        if control.orelse is not None:  # an if without else: its parameters are its results
            self.label(control.orelse)
            del self.stack[control.height:]
            self.push_carried(control.number, "p", control.params)
            self.carry(control, ("r", control.results))
            self.do(f"br label %{control.label}")
        if control.kind != "func":
            self.label(self.end_label(control))
            del self.stack[control.height:]
            self.push_carried(control.number, "r", control.results)

    def skip(self, mnemonic):
        """Unreachable code: only the nesting matters. `dead` is 1 plus the blocks opened in it."""
        if mnemonic in ("block", "loop", "if", "try_table", "try"):
            self.dead += 1
            self.controls_count += 1
            self.loops_count += mnemonic == "loop"
        elif mnemonic == "end" and self.dead > 1:
            self.dead -= 1
        elif self.dead == 1 and mnemonic in ("end", "else"):
            self.dead = 0
            if mnemonic == "end":
                self.close(self.controls[-1])
            else:
                self.start_else(self.controls[-1])

    def jump(self, control):
        self.carry(control, control.carried)
        self.do(f"br label %{self.target(control)}")

    def target(self, control):
        """The label of a branch target; in the first copy of a loop entry, back edges of loops with loops
        inside lead into the second copy."""
        if self.copy == "a." and control.kind == "loop" and not control.innermost:
            return "b." + control.label[2:]
        return control.label

    def br(self, op, imm):
        self.jump(self.controls[-1 - imm])
        self.dead = 1

    def br_if(self, op, imm):
        condition = self.let(f"icmp ne i32 {self.pop()}, 0")
        control = self.controls[-1 - imm]
        if control.recurrences:
            self.step_pointers(control)
        go_on = self.new_label("on")
        if control.carried[1]:
            taken = self.new_label("taken")
            self.branch(condition, taken, go_on)
            self.label(taken)
            self.jump(control)
        else:
            self.branch(condition, self.target(control), go_on)
        self.label(go_on)

    def br_table(self, op, imm):
        labels, default = imm
        index = self.pop()
        targets = [self.controls[-1 - i] for i in (*labels, default)]
        stubs = {}
        for control in targets:
            if control not in stubs:
                stubs[control] = self.new_label("case") if control.carried[1] else self.target(control)
        cases = " ".join(f"i32 {i}, label %{stubs[c]}" for i, c in enumerate(targets[:-1]))
        self.do(f"switch i32 {index}, label %{stubs[targets[-1]]} [ {cases} ]")
        for control, stub in stubs.items():
            if control.carried[1]:
                self.label(stub)
                self.jump(control)
        self.dead = 1

    def return_(self, op, imm):
        self.jump(self.controls[0])
        self.dead = 1

    def unreachable(self, op, imm):
        self.do(f"call void @rt_trap(ptr %env, i64 {TRAP_CODE['unreachable']}) #1{self.here()}")
        self.do("unreachable")
        self.dead = 1

    # --- calls

    def arguments(self, functype):
        count = len(functype.params)
        values = self.stack[len(self.stack) - count:] if count else []
        del self.stack[len(self.stack) - count:]
        return "".join(f", {type} {value}" for type, value in values)

    def finish_call(self, functype, callee):
        """Write the call; push its results."""
        types = [llvm_type(t) for t in functype.results]
        call = f"call {callee}{self.here()}"
        if not types:
            self.do(call)
            return
        result = self.let(call)
        if len(types) == 1:
            self.push(types[0], result)
            return
        for index, type in enumerate(types):
            self.push(type, self.let(f"extractvalue {result_type(types)} {result}, {index}"))

    def call(self, op, imm):
        functype = self.module.funcs[imm].comp
        result, arguments = self.result(functype), self.arguments(functype)
        if imm in self.unit.members:
            self.finish_call(functype, f"fastcc {result} @f{imm}(ptr %env, ptr %inst{arguments})")
        elif imm < self.module.imported_funcs:
            func = self.word(self.layout.imports[imm])
            self.call_func(functype, func, self.load("ptr", func, FUNC.inst), arguments)
        else:
            self.call_func(functype, self.at("%inst", self.layout.funcs[imm]), "%inst", arguments)

    def result(self, functype):
        return result_type([llvm_type(t) for t in functype.results])

    def call_func(self, functype, func, inst, arguments):
        """Call through a FUNC's entry."""
        entry = self.load("ptr", func, FUNC.entry)
        self.finish_call(functype, f"{self.result(functype)} {entry}(ptr nest {func}, ptr %env, ptr {inst}{arguments})")

    def call_indirect(self, op, imm):
        typeidx, tableidx = imm
        functype = self.module.types[typeidx].comp
        index = self.wide(self.pop())
        table = self.word(self.layout.tables[tableidx])
        func = self.load("ptr", self.element(table, index, "undefined element"))
        self.trap(self.let(f"icmp eq ptr {func}, null"), TRAP_CODE["uninitialized element"])
        wanted = self.word(self.layout.type_ids[typeidx], "i64")
        actual = self.load("i64", func, FUNC.type_id, INVARIANT)
        self.trap(self.let(f"icmp ne i64 {wanted}, {actual}"), TRAP_CODE["indirect call type mismatch"])
        self.call_func(functype, func, self.load("ptr", func, FUNC.inst, INVARIANT), self.arguments(functype))

    # --- memories

    def mem(self, index):
        return self.word(self.layout.memories[index] + 8)

    def memory_size(self, op, imm):
        size = self.let(f"lshr i64 {self.load('i64', self.mem(imm), MEM.bytes)}, 16")
        self.push("i32", self.let(f"trunc i64 {size} to i32"))

    def memory_grow(self, op, imm):
        pages = self.wide(self.pop())
        memory = self.let(f"ptrtoint ptr {self.mem(imm)} to i64")
        self.push("i32", self.let(f"trunc i64 {self.service('memory_grow', memory, pages)} to i32"))

    def three(self):
        """The i64 operands (d, s, n) of a bulk operation, as text."""
        n, source, target = self.pop(), self.pop(), self.pop()
        return ", ".join(f"i64 {self.wide(v)}" for v in (target, source, n))

    def bulk(self, call):
        self.trap_unless_zero(self.let(f"call i64 @{call}"))

    def memory_fill(self, op, imm):
        n, value, target = self.pop(), self.pop(), self.pop()
        self.bulk(f"rt_memory_fill(ptr {self.mem(imm)}, i64 {self.wide(target)}, i32 {value}, i64 {self.wide(n)})")

    def memory_copy(self, op, imm):
        operands = self.three()
        self.bulk(f"rt_memory_copy(ptr {self.mem(imm[0])}, ptr {self.mem(imm[1])}, {operands})")

    def memory_init(self, op, imm):
        operands = self.three()
        span = self.at("%inst", self.layout.datas[imm[0]])
        self.bulk(f"rt_memory_init(ptr {self.mem(imm[1])}, ptr {span}, {operands})")

    def data_drop(self, op, imm):
        self.store("i64", "0", "%inst", self.layout.datas[imm] + SPAN.length)

    # --- tables and references

    def element(self, table, index, trap):
        """Checked pointer to an element."""
        length = self.load("i64", table, TABLE.length)
        self.trap(self.let(f"icmp uge i64 {index}, {length}"), TRAP_CODE[trap])
        elems = self.load("ptr", table, TABLE.elems, INVARIANT)
        return self.let(f"getelementptr i64, ptr {elems}, i64 {index}")

    def table(self, index):
        return self.word(self.layout.tables[index])

    def table_get(self, op, imm):
        index = self.wide(self.pop())
        self.push("i64", self.load("i64", self.element(self.table(imm), index, "out of bounds table access")))

    def table_set(self, op, imm):
        value = self.pop()
        index = self.wide(self.pop())
        self.store("i64", value, self.element(self.table(imm), index, "out of bounds table access"))

    def table_size(self, op, imm):
        length = self.load("i64", self.table(imm), TABLE.length)
        self.push("i32", self.let(f"trunc i64 {length} to i32"))

    def table_grow(self, op, imm):
        count = self.wide(self.pop())
        value = self.pop()
        table = self.let(f"ptrtoint ptr {self.table(imm)} to i64")
        self.push("i32", self.let(f"trunc i64 {self.service('table_grow', table, value, count)} to i32"))

    def table_fill(self, op, imm):
        n, value, target = self.pop(), self.pop(), self.pop()
        self.bulk(f"rt_table_fill(ptr {self.table(imm)}, i64 {self.wide(target)}, i64 {value}, i64 {self.wide(n)})")

    def table_copy(self, op, imm):
        operands = self.three()
        self.bulk(f"rt_table_copy(ptr {self.table(imm[0])}, ptr {self.table(imm[1])}, {operands})")

    def table_init(self, op, imm):
        operands = self.three()
        span = self.at("%inst", self.layout.elems[imm[0]])
        self.bulk(f"rt_table_init(ptr {self.table(imm[1])}, ptr {span}, {operands})")

    def elem_drop(self, op, imm):
        self.store("i64", "0", "%inst", self.layout.elems[imm] + SPAN.length)

    def ref_null(self, op, imm):
        self.push("i64", "0")

    def ref_is_null(self, op, imm):
        null = self.let(f"icmp eq i64 {self.pop()}, 0")
        self.push("i32", self.let(f"zext i1 {null} to i32"))

    def ref_func(self, op, imm):
        imported = imm < self.module.imported_funcs
        func = self.word(self.layout.imports[imm]) if imported else self.at("%inst", self.layout.funcs[imm])
        self.push("i64", self.let(f"ptrtoint ptr {func} to i64"))


_RENAMED = {"if": "if_", "else": "else_", "return": "return_"}
_SPECIAL = {}
for _name in ("block", "loop", "if", "else", "end", "br", "br_if", "br_table", "return", "call", "call_indirect",
              "unreachable", "nop", "drop", "select", "local.get", "local.set", "local.tee", "global.get",
              "global.set", "memory.size", "memory.grow", "memory.fill", "memory.copy", "memory.init", "data.drop",
              "table.get", "table.set", "table.size", "table.grow", "table.fill", "table.copy", "table.init",
              "elem.drop", "ref.null", "ref.is_null", "ref.func"):
    _SPECIAL[_name] = getattr(Body, _RENAMED.get(_name, _name.replace(".", "_")))
_SPECIAL.update((f"{t}.const", Body.constant) for t in LETTER)
IMPLEMENTED = frozenset(_SPECIAL)
