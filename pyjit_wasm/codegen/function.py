"""A wasm function as LLVM IR: locals in allocas, operands as SSA names, labels as basic blocks.

LLVM turns the allocas into registers. Values that a branch carries go through allocas of the target.
Frames live on the machine stack; `env` and `inst` are the first parameters of every function.

Where LLVM is not WebAssembly:
- an unused load would be deleted with its trap, and stores moved across trapping loads: accesses are
  volatile, except in loops that were proven not to trap before they are entered (`codegen.proofs`);
- `x * 1.0`, `x + -0.0` and the like are folded to x and lose the quieting of NaNs: such constants are
  hidden behind `llvm.arithmetic.fence`;
- nothing is marked `mustprogress` or `willreturn`: endless loops are legal;
- tail-call optimisation is off: it would turn endless recursion into an endless loop.
"""
from pyjit_wasm.codegen import abi, buffer_frames
from pyjit_wasm.codegen.abi import STATUS, give_back, layout, result_type
from pyjit_wasm.codegen.body import llvm_type, zero
from pyjit_wasm.config import OPCODES
from pyjit_wasm.codegen.exceptions import Exceptions
from pyjit_wasm.frames.entries import loop_entries
from pyjit_wasm.frames.stack import header_slots
from pyjit_wasm.frames.walk import RULES
from pyjit_wasm.runtime.counts import runs
from pyjit_wasm.runtime.layout import EXEC_ENV, INSTANCE_COUNTS, MEM
from pyjit_wasm.types import FuncType

IMPLEMENTED = frozenset(RULES)


class Function(Exceptions):
    """Writes whole functions."""

    def function(self):
        """The function itself: `@f<idx>`, internal to the unit."""
        types = self.result_types(self.functype)
        parameters = self.local_types[:self.params]
        if self.unit.tail:
            formal = abi.formal(parameters)
            abi.take_parameters(self, parameters)
        else:
            formal = "".join(f", {t} %a{i}" for i, t in enumerate(parameters))
        self.start_locals()
        self.begin_frame()
        if self.unit.variant:
            self.tally(self.unit.counters.call(self.code.start - 1))
        self.walk("")
        self.label("return")
        values = [self.load(llvm_type(t), f"%r0.{i}") for i, t in enumerate(self.functype.results)]
        self.end_frame()
        give_back(self, types, values + ["0"] * self.unit.status)
        if self.throws:
            self.label("throw")
            self.end_frame()
            give_back(self, types, ["poison"] * len(values) + [self.load(STATUS, self.in_flight)])
        head = (f"define internal {self.unit.convention} {result_type(types)} @f{self.funcidx}"
                f"(ptr %env, ptr %inst{formal}) #0 !dbg {self.scope} {{")
        return self.assemble(head, self.prologue())

    def loop_entry(self):
        """`@osr<idx>(..., frame, loop)`: takes over a call that the interpreter began, at the header of any
        loop. Locals and operands come from its frame and results go there; it returns null, or the FUNC of
        a tail call, or `rt_throw` if it throws. Entering an inner loop from
        outside would keep LLVM from optimising the loops around it: where there are such, a first copy
        of the body finishes their current iteration, and their back edges lead into a second copy,
        which is optimised as if entered normally."""
        self.osr, self.loop_entries = True, loop_entries(self.module, self.funcidx, self.layout)
        self.begin_frame()
        frame_lines, self.lines = self.lines, []
        self.walk("a.")
        if not all(loop.innermost for loop in self.loops):
            self.walk("b.")
        self.label("return")
        types, first = [llvm_type(t) for t in self.functype.results], -8 * header_slots(self.functype)
        for index, (type, place) in enumerate(zip(types, layout(types)[0])):
            self.store(type, self.load(type, f"%r0.{index}"), "%frame", first + place)
        self.end_frame()
        self.do("ret ptr null")
        if self.throws:
            self.label("throw")
            self.end_frame()
            self.store(STATUS, self.load(STATUS, self.in_flight), "%env", EXEC_ENV.exception)
            self.do("ret ptr @rt_throw")
        head = (f"define ptr @osr{self.funcidx}(ptr nest %func, ptr %env, ptr %inst, ptr %frame, i32 %loop) #0 "
                f"!dbg {self.scope} {{")
        cases = " ".join(f"i32 {n}, label %osr.{n}" for n in self.entered)
        start = f"  switch i32 %loop, label %never [ {cases} ]\nnever:\n  unreachable"
        return self.assemble(head, [*self.entry_lines, *frame_lines, start])

    def begin_frame(self):
        """A frame in the stack buffer, if they are wanted there."""
        self.offset = self.code.start
        if self.unit.dump_call_stack:
            self.buffer_frame = buffer_frames.push(self)

    def end_frame(self):
        if self.buffer_frame:
            buffer_frames.pop(self, self.buffer_frame)

    def assemble(self, head, prologue):
        allocas = [f"  {name} = alloca {type}" for name, type in self.allocas.items()]
        fences = [f"  {name} = call {type} @llvm.arithmetic.fence.{suffix}({type} {value})"
                  for (type, value), (name, suffix) in self.fences.items()]
        return "\n".join((head, *allocas, *fences, *prologue, *self.lines, *self.cold, "}", ""))

    def prologue(self):
        """What precedes the body."""
        return [*self.entry_lines, "  br label %begin", "begin:"]

    def start_locals(self):
        for index, type in enumerate(self.local_types):
            self.store(type, f"%a{index}" if index < self.params else zero(type), self.local(index))

    @property
    def entry_lines(self):
        """Loads that hold for the whole function: the memories' bases, the counters."""
        lines = []
        for memory in range(len(self.module.mems)):
            lines.append(f"  %mem{memory}.p = getelementptr i8, ptr %inst, i64 {self.layout.memories[memory]}")
            lines.append(f"  %mem{memory} = load ptr, ptr %mem{memory}.p, !invariant.load !1")
        for memory in self.sized:
            place = self.layout.memories[memory] + 8
            lines += [f"  %object{memory}.p = getelementptr i8, ptr %inst, i64 {place}",
                      f"  %object{memory} = load ptr, ptr %object{memory}.p, !invariant.load !1",
                      f"  %size{memory}.p = getelementptr i8, ptr %object{memory}, i64 {MEM.bytes}",
                      f"  %size{memory} = load i64, ptr %size{memory}.p",
                      f"  store i64 %size{memory}, ptr {self.memory_size_local(memory)}"]
        if self.unit.variant:
            lines.append(f"  %counts.p = getelementptr i8, ptr %inst, i64 {INSTANCE_COUNTS}")
            lines.append("  %counts = load ptr, ptr %counts.p, !invariant.load !1")
        return lines

    def walk(self, copy):
        """Emit the body once; labels begin with `copy`."""
        self.copy = copy
        self.stack, self.controls = [], []
        self.controls_count = self.loops_count = 0
        if copy:
            self.label(copy + "begin")
        self.open("func", FuncType((), self.functype.results))
        self.controls[0].label, self.controls[0].catch = "return", "throw"
        self.visit(self.span(0, len(self.body)))

    def span(self, first, end):
        """A part of the body. If instructions are counted, each straight run of them is counted first."""
        if self.unit.variant != OPCODES:
            return self.body[first:end]
        if self.runs is None:
            self.runs = list(runs(self.body))
        return self._counted(self.runs[first:end])

    def _counted(self, instructions):
        for begins, *instruction in instructions:
            if begins and not self.dead:
                self.tally(self.unit.counters.run(instruction[2]))
            yield instruction

    def reached(self, offset):
        self.offset = offset
