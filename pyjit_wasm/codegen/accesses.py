"""LLVM IR of what comes before memory accesses, checks of addresses; and of waits and notifications."""
from pyjit_wasm.codegen.body import INVARIANT, Body
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import MEM
from pyjit_wasm.types import I64


class Accesses(Body):
    """Methods for a function body that leave checked pointers."""

    def mem(self, index):
        return self.word(self.layout.memories[index] + 8)

    def memory_size_local(self, index):
        """Where the size in bytes of a memory is kept that proofs compare with. It may be an earlier, smaller one."""
        return self.alloca(f"%bytes{index}", "i64")

    def note_sizes(self):
        """Behind what may let memories grow."""
        for index in self.sized:
            self.store("i64", self.load("i64", self.mem(index), MEM.bytes), self.memory_size_local(index))

    def pointer(self, address, memory, offset, size):
        """Checked pointer for an access of `size` bytes."""
        if self.module.mems[memory].addr == I64:
            return self.wide_pointer(address, memory, offset, size)
        where = self.wide(address)
        if offset:
            where = self.let(f"add nuw nsw i64 {where}, {offset}")
        if self.unit.explicit:
            end = self.let(f"add nuw nsw i64 {where}, {size}")
            limit = self.load("i64", self.mem(memory), MEM.bytes)
            self.trap(self.let(f"icmp ugt i64 {end}, {limit}"), TRAP_CODE["out of bounds memory access"])
        return self.let(f"getelementptr i8, ptr %mem{memory}, i64 {where}")

    def proven_pointer(self, group, distance, address, offset):
        """Pointer for an access that cannot trap. LLVM vectorises loops whose pointers advance by a constant, and others where
        it sees what they are made of."""
        if not group.step.terms:
            return self.at(self.load("ptr", self.group_pointer(group)), distance)
        where = self.wide(address, self.module.mems[group.memory].addr)
        return self.at(self.let(f"getelementptr i8, ptr %mem{group.memory}, i64 {where}"), offset)

    def wide_pointer(self, address, memory, offset, size):
        """`pointer` in a 64-bit memory: always compared with the size, and nothing overflows."""
        reach = offset + size
        bad = "true"
        if reach < 1 << 64:
            limit = self.load("i64", self.mem(memory), MEM.bytes)
            short = self.let(f"icmp ult i64 {limit}, {reach}")
            past = self.let(f"icmp ugt i64 {address}, {self.let(f'sub i64 {limit}, {reach}')}")
            bad = self.let(f"or i1 {short}, {past}")
        self.trap(bad, TRAP_CODE["out of bounds memory access"])
        where = self.let(f"add i64 {address}, {offset}")
        return self.let(f"getelementptr i8, ptr %mem{memory}, i64 {where}")

    def aligned(self, op, offset):
        """Trap unless the address on the stack plus an offset is a multiple of an atomic access's size."""
        if op.access > 1:
            type, address = self.stack[-1]
            place = self.let(f"add {type} {address}, {offset % op.access}")
            low = self.let(f"and {type} {place}, {op.access - 1}")
            self.trap(self.let(f"icmp ne {type} {low}, 0"), TRAP_CODE["unaligned atomic"])

    def wait_or_notify(self, op, imm):
        """The address is checked here, by a load where guard pages do it; who waits is Python's business."""
        _, memory, offset = imm
        operands = [self.stack.pop() for _ in op.params[1:]][::-1]
        self.aligned(op, offset)
        pointer = self.pointer(self.pop(), memory, offset, op.access)
        self.let(f"load volatile i8, ptr {pointer}{self.here()}")
        if op.mnemonic != "memory.atomic.notify":
            shared = self.load("i64", self.mem(memory), MEM.shared, INVARIANT)
            self.trap(self.let(f"icmp eq i64 {shared}, 0"), TRAP_CODE["expected shared memory"])
        place = self.let(f"ptrtoint ptr {pointer} to i64")
        wide = [self.wide(value, type) for type, value in operands]
        result = self.service(op.mnemonic.replace(".atomic.", "_"), place, *wide)
        self.push("i32", self.let(f"trunc i64 {result} to i32"))

    def atomic_fence(self, op, imm):
        self.do("fence seq_cst")
