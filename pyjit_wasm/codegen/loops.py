"""LLVM IR of loops: copies that are proven not to trap, and entering loops from the interpreter."""
import copy

from pyjit_wasm.codegen.abi import STATUS
from pyjit_wasm.codegen.block_moves import WORTH
from pyjit_wasm.codegen.body import llvm_type
from pyjit_wasm.codegen.instructions import Instructions
from pyjit_wasm.codegen.proof_text import Proof
from pyjit_wasm.codegen.proofs import wide
from pyjit_wasm.config import OPCODES
from pyjit_wasm.frames.entries import Disagreement
from pyjit_wasm.frames.walk import block_type

# Between a free copy and what is around it. LLVM takes them for code that may look at all of memory and change it: nothing of
# the copy begins before, stores are done behind. They say different things so that tests can tell them apart.
BEGINS_FREE = 'call void asm sideeffect "", "~{memory},~{flags}"()'
ENDS_FREE = 'call void asm sideeffect "", "~{memory}"()'


class FreeCopy:
    """The free copy of a loop (`codegen.proofs`) while it is written: its Plan, its Control, whether its stores and its loads
    have to stay where they are."""

    def __init__(self, plan, control, compared):
        self.plan, self.control, self.places = plan, control, plan.places
        self.keeps_stores = plan.exact_accesses
        self.keeps_loads = plan.exact_accesses and compared

    def left_by(self, control):
        """Whether a branch to a block leaves the loop."""
        return control.number < self.control.number


class Loops(Instructions):
    """What loops have beyond other blocks (`codegen.control`)."""

    def loop(self, op, imm):
        control = self.open("loop", block_type(self.module, imm))
        control.loop, self.loops_count = self.loops_count, self.loops_count + 1
        control.innermost = self.loops[control.loop].innermost
        self.carry(control, ("p", control.params))
        plan = self.plans.get(control.loop)
        start = f"{control.label}.proof" if plan else control.label
        self.do(f"br label %{start}")
        if self.copy == "a.":
            self.enter_loop(control, start)
        if plan:
            self.label(start)
            self.forget(control)
            self.free_copy(control, plan)
        self.label(control.label)
        self.forget(control)
        self.push_carried(control.number, "p", control.params)

    def free_copy(self, control, plan):
        """The proof at a loop's entry, and the copy that runs if it holds. What follows is the other copy."""
        proof = Proof(self, plan)
        proven, pointers = proof.write()
        free, exact = f"{control.label}.free", f"{control.label}.exact"
        self.branch(proven, free, exact)
        before = self.copy, self.stack[:], self.controls_count
        self.copy += "f."
        self.label(free)
        self.begin_copy(free=True)
        inner = copy.copy(control)
        inner.label = f"{self.copy}L{control.number}"
        self.free = FreeCopy(plan, inner, self.compares(plan))
        for group, pointer in zip(plan.groups, pointers):
            if pointer:
                self.store("ptr", pointer, self.group_pointer(group))
        self.controls[-1] = inner
        if plan.move and self.unit.variant != OPCODES:
            self.move_block(plan, proof)
        self.do(f"br label %{inner.label}")
        self.label(inner.label)
        self.forget(inner)
        self.visit(self.span(plan.first, plan.end))
        if not self.dead:
            self.carry(inner, ("r", inner.results))
            self.fence_memory()
            self.do(f"br label %{self.end_label(control)}")
        self.dead, self.free, self.controls[-1] = 0, None, control
        self.copy, self.stack, self.controls_count = before
        self.label(exact)
        self.begin_copy(free=False)
        self.do(f"br label %{control.label}")

    def move_block(self, plan, proof):
        """Before the first iteration of a free copy that copies or fills: do all iterations but the last two at once."""
        move, step = plan.move, plan.move.to.step.signed
        iterations = self.let(f"sub i64 {proof.last}, 1")
        size = self.let(f"mul i64 {iterations}, {abs(step)}")
        to = self.lowest(move.to, move.distance, step, iterations)
        possible = self.let(f"icmp sge i64 {size}, {WORTH}")
        if move.value is None:
            source = self.lowest(move.source, move.from_distance, step, iterations)
            first, second = (self.let(f"ptrtoint ptr {p} to i64") for p in ((to, source) if step > 0 else (source, to)))
            apart = self.let(f"icmp uge i64 {self.let(f'sub i64 {first}, {second}')}, {size}")
            possible = self.let(f"and i1 {possible}, {apart}")
            call = f"rt_move(ptr %env, ptr {to}, ptr {source}, i64 {size})"
        else:
            call = f"rt_fill(ptr %env, ptr {to}, i32 {proof.form(move.value)}, i64 {size})"
        at_once, one_by_one = self.new_label("move"), self.new_label("each")
        self.branch(possible, at_once, one_by_one)
        self.label(at_once)
        self.do(f"call void @{call}{self.here()}")
        self.skip_iterations(plan, iterations)
        self.do(f"br label %{one_by_one}")
        self.label(one_by_one)

    def lowest(self, group, distance, step, iterations):
        """The lowest address that so many iterations touch in a group of accesses that touch adjacent bytes."""
        start = self.at(self.load("ptr", self.group_pointer(group)), distance)
        if step > 0:
            return start
        return self.at(start, self.let(f"mul i64 {self.let(f'sub i64 {iterations}, 1')}, {step}"))

    def skip_iterations(self, plan, iterations):
        """Bring locals and pointers to where they are after so many iterations."""
        for index, step in plan.move.advancing:
            type, place = self.local_types[index], self.local(index)
            count = iterations if type == "i64" else self.let(f"trunc i64 {iterations} to {type}")
            way = self.let(f"mul {type} {count}, {step}")
            self.store(type, self.let(f"add {type} {self.load(type, place)}, {way}"), place)
        for group in plan.groups:
            if group.step.constant:
                place = self.group_pointer(group)
                way = self.let(f"mul i64 {iterations}, {group.step.signed}")
                self.store("ptr", self.at(self.load("ptr", place), way), place)

    def begin_copy(self, free):
        """Before the first iteration of a copy of a loop."""
        if free:
            self.do(BEGINS_FREE)

    def compares(self, plan):
        """Whether a loop has accesses that compare their address with the memory's size."""
        return self.unit.explicit or any(wide(self.module, memory) for memory in plan.memories)

    def fence_memory(self):
        """On each way out of a free copy."""
        self.do(ENDS_FREE)

    def before_branch(self, control):
        """What a branch out of a free copy does, or back to its start."""
        if self.free and self.free.left_by(control):
            self.fence_memory()
        elif self.free and control is self.free.control:
            self.step_pointers()

    def share_stack(self, control):
        """In a loop entry, operands below a block go through allocas: it may hold a loop that is entered. Those below the
        block around it are there already."""
        first = self.controls[-2].height if len(self.controls) > 1 else 0
        for index, (type, value) in enumerate(self.stack[first:control.height], first):
            if value.startswith("%"):
                self.store(type, value, self.operand_place(index, type))

    def operand_place(self, index, type):
        """The alloca of the operand at an index of the stack."""
        return self.alloca(f'%"s{index}.{type}"', type)

    def enter_loop(self, control, start):
        """Where execution starts: take locals, operands and caught exceptions out of the interpreter's frame."""
        entry = self.agreed(control)
        self.label(f"osr.{control.loop}")
        self.entered.append(control.loop)
        for index, (slot, _) in enumerate(entry.locals):
            self.from_frame(slot, self.local_types[index], self.local(index))
        for index, operand in enumerate(entry.operands):
            type, value = self.stack[index]
            if index >= control.height:
                self.from_frame(operand.slot, type, f"%p{control.number}.{index - control.height}")
            elif operand.constant is None and value.startswith("%"):
                self.from_frame(operand.slot, type, self.operand_place(index, type))
        for index, slot in entry.caught.items():
            self.from_frame(slot, STATUS, self.caught(self.controls[index]))
        self.do(f"br label %{start}")

    def from_frame(self, slot, type, place):
        """Copy a value from a slot of the frame to an alloca."""
        self.store(type, self.load(type, "%frame", 8 * slot), place)

    def agreed(self, control):
        """The LoopEntry of a loop, compared with what this pass has here. Raises Disagreement."""
        entry = self.loop_entries.get(control.loop)
        if entry is None:
            raise Disagreement(f"loop {control.loop} cannot be reached in the interpreter")
        here = (self.local_types, [type for type, _ in self.stack],
                [index for index, outer in enumerate(self.controls) if outer.in_clause])
        there = ([llvm_type(valtype) for _, valtype in entry.locals], [llvm_type(o.type) for o in entry.operands],
                 sorted(entry.caught))
        for what, ours, frames in zip(("locals", "operands", "caught exceptions"), here, there):
            if ours != frames:
                raise Disagreement(f"{what} at loop {control.loop} are {ours}, in the frame {frames}")
        for (type, value), operand in zip(self.stack, entry.operands[:control.height]):
            if operand.constant is not None and not self.is_constant(type, value, operand.constant):
                raise Disagreement(f"an operand below loop {control.loop} is {value}, in the frame {operand.constant}")
        return entry

    def is_constant(self, type, value, bits):
        """Whether an operand is the constant with these raw bits."""
        if type in ("i32", "i64"):
            return not value.startswith("%") and int(value) & (1 << int(type[1:])) - 1 == bits
        return value == self.literal(type, bits)

    def group_pointer(self, group):
        """Where the pointer of a group of accesses is kept."""
        return self.alloca(f"%g{self.free.control.number}.{group.number}", "ptr")

    def step_pointers(self):
        """Before the next iteration of a free copy."""
        for group in self.free.plan.groups:
            if not group.step.terms and group.step.constant:
                place, step = self.group_pointer(group), group.step.signed
                self.store("ptr", self.let(f"getelementptr i8, ptr {self.load('ptr', place)}, i64 {step}"), place)
