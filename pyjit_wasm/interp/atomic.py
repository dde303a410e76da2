"""Handlers of atomic instructions that come from no row: wait, notify, fence."""
from pyjit_wasm.interp.handler import MEM_POINTER
from pyjit_wasm.opcodes import BY_NAME, TRAP_CODE
from pyjit_wasm.opcodes.op import LLVM_TYPE
from pyjit_wasm.runtime.layout import MEM


def fence(h):
    h.do("fence seq_cst")
    h.dispatch()


def wait_or_notify(h):
    """Fields: result, address, memory, the other operands, offset, frame size."""
    name = h.form.name.removesuffix(".w")
    op, memory, last = BY_NAME[name], h.instance(2), len(h.form.fields) - 1
    base, mem = h.load("ptr", memory), h.load("ptr", memory, MEM_POINTER)
    address, offset = h.index(1), h.field(last - 1)
    h.aligned(address, offset, op.access)
    where = h.in_bounds(address, offset, op.access, mem)
    if name != "memory.atomic.notify":
        unshared = h.let(f"icmp eq i64 {h.load('i64', mem, MEM.shared)}, 0")
        h.trap(unshared, TRAP_CODE["expected shared memory"])
    operands = []
    for field, valtype in enumerate(op.params[1:], 3):
        value = h.value(field, LLVM_TYPE[valtype])
        operands.append(h.let(f"zext i32 {value} to i64") if valtype == "i32" else value)
    h.leave_room(last)
    place = h.let(f"ptrtoint ptr {h.let(f'getelementptr i8, ptr {base}, i64 {where}')} to i64")
    h.store("i64", h.service(name.replace(".atomic.", "_"), place, *operands), h.slot(0))
    h.dispatch()


HANDLERS = {"memory.atomic.wait32": wait_or_notify, "memory.atomic.wait64": wait_or_notify,
            "memory.atomic.notify": wait_or_notify, "atomic.fence": fence}
