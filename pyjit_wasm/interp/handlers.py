"""Handlers: every form of `frames.forms` as a small native function, generated from the rows.

A handler gets (ip, fp, memory 0 base, exec_env, INSTANCE, x) in registers, does its work on frame slots
and tail-calls the handler whose address is the next word of code. `x` carries the callee's FUNC from
a call to the callee's first handler. Nothing returns until `exit` does.
"""
from pyjit_wasm.codegen import rows
from pyjit_wasm.codegen.support import DECLARATIONS, INTERFACE
from pyjit_wasm.codegen.text import COLD, FRAMED
from pyjit_wasm.frames.forms import ADDRESS_FIELDS, FORMS, vector_forms
from pyjit_wasm.interp import vectors
from pyjit_wasm.interp.calls import HIDDEN
from pyjit_wasm.interp.handler import MEM_POINTER, Handler, take
from pyjit_wasm.interp.special import SPECIAL
from pyjit_wasm.opcodes import TRAPS
from pyjit_wasm.opcodes.op import LLVM_TYPE
from pyjit_wasm.runtime.layout import FIRST_MEMORY


def numeric(form):
    h = Handler(form)
    first = 0 if form.branch else 1
    operands = [h.value(first + i, LLVM_TYPE[t]) for i, t in enumerate(form.op.params)]
    lane = h.field(len(form.fields) - 1) if form.op.imm else None
    result = rows.emit(h, form.op, operands, h.trap, lane=lane)
    if form.branch:
        take(h, h.let(f"icmp {'ne' if form.branch == 'br_if' else 'eq'} i32 {result}, 0"))
    else:
        h.store(LLVM_TYPE[form.op.results[0]], result, h.slot(0))
        h.dispatch()
    return h


def access(form, explicit):
    h, op = Handler(form), form.op
    place, last, lane = len(op.results), len(form.fields) - 1, None
    if "laneidx" in op.imm:
        last, lane = last - 1, h.field(last)
    address, base, memory = effective(h, form.kinds, place)
    offset = h.field(last) if form.wide else h.offset(last)
    if op.atomic:
        h.aligned(address, offset, op.access)
    if explicit or form.wide:
        memory = memory or h.load("ptr", "%inst", FIRST_MEMORY + MEM_POINTER)
        where = h.in_bounds(address, offset, op.access, memory)
    else:
        where = h.let(f"add i64 {address}, {offset}")
    pointer = h.let(f"getelementptr i8, ptr {base}, i64 {where}")
    first = place + len(ADDRESS_FIELDS[form.kinds])
    values = [h.value(field, LLVM_TYPE[t]) for field, t in enumerate(op.params[1:], first)]
    result = rows.emit_access(h, op, pointer, values, False, lane=lane)
    if op.results:
        h.store(LLVM_TYPE[op.results[0]], result, h.slot(0))
    h.dispatch()
    return h


def effective(h, kinds, place):
    """(i64 address, base, MEM or None) of an access whose address operands start at field `place`."""
    if kinds in ("m", "w"):
        address, memory = h.index(place), h.instance(place + 1)
        return address, h.load("ptr", memory), h.load("ptr", memory, MEM_POINTER)
    if kinds == "s":
        return h.index(place), "%mem", None
    address = h.let(f"add i32 {h.value(place, 'i32')}, {h.value(place + 1, 'i32')}")
    return h.let(f"zext i32 {address} to i64"), "%mem", None


def trap_handler(code):
    h = Handler(FORMS["unreachable"], f"trap.{code}")
    h.do(f"call void @rt_trap_at(ptr %env, i64 {code}, ptr %ip, ptr %fp)")
    h.do("unreachable")
    return h


def special(form, name, function):
    # hidden handlers may call native guest code, and stack walks go from there through their frame
    h = Handler(form, name, FRAMED if name in HIDDEN else "nounwind")
    function(h)
    return h


def of_forms(forms, specials, explicit):
    """The handlers of some forms."""
    for form in forms.values():
        if form.op is None:
            yield special(form, form.name, specials[form.name])
        elif form.op.access is not None:
            yield access(form, explicit)
        else:
            yield numeric(form)


def source(explicit):
    """IR text of the handlers; `explicit`: memory accesses compare with the memory's size."""
    handlers = [trap_handler(code) for code in range(1, len(TRAPS))]
    handlers += of_forms(FORMS, SPECIAL, explicit)
    handlers += [special(FORMS[form], name, function) for name, (form, function) in HIDDEN.items()]
    return "".join((DECLARATIONS, INTERFACE, rows.declarations(), COLD, *map(str, handlers)))


def vector_source(explicit):
    """IR text of the handlers of vector forms, which link against the others."""
    traps = "".join(f"declare preserve_nonecc void @h.trap.{code}(ptr, ptr, ptr, ptr, ptr, ptr)\n"
                    for code in range(1, len(TRAPS)))
    handlers = of_forms(vector_forms(), vectors.SPECIAL, explicit)
    return "".join((DECLARATIONS, traps, rows.declarations(), COLD, *map(str, handlers)))
