"""LLVM IR of control instructions: labels are basic blocks, values that branches carry go through allocas."""
from pyjit_wasm.codegen import buffer_frames
from pyjit_wasm.codegen.abi import layout
from pyjit_wasm.codegen.body import llvm_type
from pyjit_wasm.codegen.loops import Loops
from pyjit_wasm.frames.stack import header_slots
from pyjit_wasm.frames.walk import block_type
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import EXEC_ENV, FRAME


class Control:
    """An open block. `number` names its allocas, `loop` is the loop ordinal or None; `catch` the label where
    what is thrown inside goes on, with the exception in `%exn`, `outer` the one outside of it."""

    __slots__ = ("in_loop", "kind", "number", "height", "params", "results", "loop", "orelse", "innermost", "label",
                 "catch", "outer", "catches", "next_clause")

    def __init__(self, kind, number, height, functype, label):
        self.kind, self.number, self.height, self.label = kind, number, height, label
        self.params = [llvm_type(t) for t in functype.params]
        self.results = [llvm_type(t) for t in functype.results]
        self.loop = self.orelse = None
        self.innermost = False
        self.catch = self.outer = self.next_clause = None
        self.catches = ()

    @property
    def in_clause(self):
        """Whether this is a `try` whose clause is open: what is thrown there is not caught here."""
        return self.kind == "try" and self.catch == self.outer

    @property
    def carried(self):
        """(prefix of the allocas, types) of the values that a branch here carries."""
        return ("p", self.params) if self.kind == "loop" else ("r", self.results)


class ControlFlow(Loops):
    """Blocks and branches."""

    def passed(self, mnemonic):
        """Blocks in unreachable code are numbered too."""
        self.controls_count += 1
        self.loops_count += mnemonic == "loop"

    def open(self, kind, functype):
        number = self.controls_count
        self.controls_count += 1
        height = len(self.stack) - len(functype.params)
        control = Control(kind, number, height, functype, f"{self.copy}L{number}")
        control.in_loop = kind == "loop" or bool(self.controls) and self.controls[-1].in_loop
        if self.controls:
            control.catch = control.outer = self.controls[-1].catch
        self.controls.append(control)
        for prefix, types in (("r", control.results), ("p", control.params)):
            for index, type in enumerate(types):
                self.alloca(f"%{prefix}{number}.{index}", type)
        if self.osr:
            self.share_stack(control)
        return control

    def block(self, op, imm):
        self.open("block", block_type(self.module, imm))

    def forget(self, control):
        """Behind a label of a block: its operands are gone, those below it are where it left them. Behind its end they are
        used again, as far as they belong to the block around it."""
        del self.stack[control.height:]
        if not self.osr:
            return
        first = self.controls[-1].height
        for index, (type, value) in enumerate(self.stack[first:], first):
            if value.startswith("%"):
                self.stack[index] = (type, self.load(type, self.operand_place(index, type)))

    def if_(self, op, imm):
        condition = self.condition()
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
            self.store(type, self.kept(type, value), f"%{prefix}{control.number}.{index}")

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
        self.forget(control)
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
            self.forget(control)
            self.push_carried(control.number, "p", control.params)
            self.carry(control, ("r", control.results))
            self.do(f"br label %{control.label}")
        if control.kind != "func":
            self.label(self.end_label(control))
            self.forget(control)
            self.push_carried(control.number, "r", control.results)

    def jump(self, control):
        self.carry(control, control.carried)
        self.before_branch(control)
        self.do(f"br label %{self.target(control)}")

    def target(self, control):
        """The label of a branch target; in the first copy of a loop entry, back edges of loops with loops
        inside lead into the second copy."""
        if self.copy.startswith("a.") and control.kind == "loop" and not control.innermost:
            return "b." + control.label[2:]
        return control.label

    def br(self, op, imm):
        self.jump(self.controls[-1 - imm])
        self.dead = 1

    def br_if(self, op, imm):
        condition = self.condition()
        self.jump_if(condition, self.controls[-1 - imm])

    def jump_if(self, condition, control):
        """Branch if the i1 `condition` holds."""
        go_on = self.new_label("on")
        if self.free and self.offset == self.free.plan.last_branch and control is self.free.control:
            self.step_pointers()    # a loop of one block is what LLVM likes best; behind it nobody uses them
            self.branch(condition, self.target(control), go_on)
        elif control.carried[1] or self.free and (self.free.left_by(control) or control is self.free.control):
            taken = self.new_label("taken")
            self.branch(condition, taken, go_on)
            self.label(taken)
            self.jump(control)
        else:
            self.branch(condition, self.target(control), go_on)
        self.label(go_on)

    def br_on_null(self, op, imm):
        type, reference = self.stack.pop()
        self.jump_if(self.let(f"icmp eq i64 {reference}, 0"), self.controls[-1 - imm])
        self.push(type, reference)

    def br_on_non_null(self, op, imm):
        self.jump_if(self.let(f"icmp ne i64 {self.stack[-1][1]}, 0"), self.controls[-1 - imm])
        self.pop()

    def return_call(self, op, imm):
        functype = self.module.funcs[imm].comp
        self.count_calls()
        func, inst = self.func_at(imm)
        self.tail_call(functype, func, inst, imm if imm in self.unit.members else None)

    def return_call_indirect(self, op, imm):
        self.tail_call(self.module.types[imm[0]].comp, *self.table_function(*imm))

    def return_call_ref(self, op, imm):
        self.tail_call(self.module.types[imm].comp, *self.reference_function())

    def tail_call(self, functype, func, inst, member=None):
        """End with a call that takes this frame's place."""
        if self.buffer_frame:
            buffer_frames.pop(self, self.buffer_frame)
        if self.osr:
            self.hand_over(functype, func)
        else:
            arguments = self.arguments(functype)
            callee = f"@f{member}(ptr %env" if member is not None else \
                f"{self.entry_of(func)}(ptr nest {func}, ptr %env"
            result = self.result(functype)
            call = f"musttail call tailcc {result} {callee}, ptr {inst}{arguments}){self.here()}"
            if result == "void":
                self.do(call)
                self.do("ret void")
            else:
                self.do(f"ret {result} {self.let(call)}")
        self.dead = 1

    def hand_over(self, functype, func):
        """In a loop entry: a tail call made by the interpreter, which called this. Its frame becomes the callee's
        (see `interp.special.tail_call`)."""
        return_ip, caller = self.load("ptr", "%frame", FRAME.return_ip), self.load("ptr", "%frame", FRAME.caller_fp)
        base, arguments = -8 * header_slots(self.functype), self.stack[len(self.stack) - len(functype.params):]
        for (type, value), place in zip(arguments, layout([type for type, _ in arguments])[0]):
            self.store(type, value, "%frame", base + place)
        fp = self.at("%frame", base + 8 * header_slots(functype))
        self.store("ptr", return_ip, fp, FRAME.return_ip)
        self.store("ptr", caller, fp, FRAME.caller_fp)
        self.store("ptr", fp, "%env", EXEC_ENV.next_fp)
        self.do(f"ret ptr {func}")

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
