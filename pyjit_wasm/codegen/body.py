"""A function body under construction: operands as SSA names, locals in allocas, traps, instance words."""
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.codegen import proofs
from pyjit_wasm.codegen.abi import LETTER, LLVM, letter
from pyjit_wasm.codegen.conversions import branchless
from pyjit_wasm.codegen.counting import increment
from pyjit_wasm.codegen.text import VECTOR, Text
from pyjit_wasm.config import OPCODES
from pyjit_wasm.frames.walk import Walk
from pyjit_wasm.runtime.layout import SERVICE
from pyjit_wasm.types import I32, I64

INVARIANT = ", !invariant.load !1"


def llvm_type(valtype):
    return LLVM[LETTER.get(valtype) or letter(valtype)]


def zero(type):
    return "0.0" if type in ("float", "double") else "zeroinitializer" if type == VECTOR else "0"


class Loop:
    """A loop: the index of its first instruction and of its `end`; the ordinals of the loops around it; whether it is innermost."""

    def __init__(self, first, around):
        self.first, self.end, self.around, self.innermost = first, None, around, True


def find_loops(body):
    """The Loops of a body, by ordinal."""
    loops, open_blocks = [], []
    for index, (op, _, _) in enumerate(body):
        mnemonic = op.mnemonic
        if mnemonic in ("block", "if", "loop", "try_table", "try"):
            ordinal = None
            if mnemonic == "loop":
                around = tuple(o for o in open_blocks if o is not None)
                for outer in around:
                    loops[outer].innermost = False
                ordinal = len(loops)
                loops.append(Loop(index + 1, around))
            open_blocks.append(ordinal)
        elif mnemonic in ("end", "delegate") and open_blocks:
            ordinal = open_blocks.pop()
            if ordinal is not None:
                loops[ordinal].end = index
    return loops


class Body(Walk, Text):
    """The state of a function being emitted into a unit, and small tools. `unit` answers: which functions
    are direct calls, which options hold, what the debug location of an offset is."""

    def __init__(self, unit, funcidx):
        super().__init__()
        self.unit, self.module, self.layout = unit, unit.module, unit.layout
        self.funcidx, self.functype = funcidx, unit.module.funcs[funcidx].comp
        self.code = self.module.codes[funcidx - self.module.imported_funcs]
        self.body = list(instructions(self.module, self.code.start, self.code.end))
        if unit.variant != OPCODES:     # counters are those of what stands in the module
            self.body = branchless(self.body)
        self.loops = find_loops(self.body)
        self.local_types = [llvm_type(t) for t in self.functype.params]
        self.params = len(self.local_types)
        for count, valtype in self.code.locals:
            self.local_types += [llvm_type(valtype)] * count
        self.plans = proofs.find(self.module, self.body, self.loops, self.local_types)
        self.sized = sorted({group.memory for plan in self.plans.values() for group in plan.groups})
        self.free = None  # the FreeCopy that is being written
        self.runs = None  # the body divided into straight runs, if instructions are counted
        self.allocas, self.fences, self.cold = {}, {}, []
        self.osr, self.entered = False, []
        self.buffer_frame = None  # in the stack buffer, if they are wanted
        self.throws = False  # whether something reaches the label `throw`
        self.scope = unit.scope(funcidx, self.code.start)

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

    def tally(self, place):
        """Add 1 to a counter of the instance."""
        increment(self, "%counts", place)

    def count_calls(self, func=None):
        """Before a call: count it, if calls are counted. `func`: the callee, if only the call itself knows it."""
        if self.unit.variant:
            place = self.unit.counters.call(self.offset)
            if func is None:
                self.tally(place)
            else:
                self.do(f"call void @rt_count_call(ptr %counts, i64 {place}, ptr {func})")

    def word(self, offset, type="ptr"):
        """A word of the INSTANCE block that does not change while this function runs."""
        return self.load(type, "%inst", offset, INVARIANT)

    def service(self, name, a, b="0", c="0"):
        return self.let(f"call i64 @rt_service(ptr %env, i64 {SERVICE[name]}, i64 {a}, i64 {b}, i64 {c}){self.here()}")

    def wide(self, value, addr=I32):
        """An address or a length of that address type as i64."""
        return value if addr == I64 else self.let(f"zext i32 {value} to i64")
