"""Handlers of the forms that come from no row, calls aside: branches, variables, memories, tables, steps. One function
each, which SPECIAL at the end names. Wide forms have the functions of the narrow ones."""
from pyjit_wasm.frames.forms import WIDE
from pyjit_wasm.interp import atomic
from pyjit_wasm.interp.calls import CALLS, element, element_pointer
from pyjit_wasm.interp.handler import MEM_POINTER, take
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import EXEC_ENV, MEM, SPAN, TABLE


def br(h):
    h.jump()


def br_if(h):
    take(h, h.let(f"icmp ne i32 {h.value(0, 'i32')}, 0"))


def br_unless(h):
    take(h, h.let(f"icmp eq i32 {h.value(0, 'i32')}, 0"))


def br_table(h):
    index, count = h.value(0, "i32"), h.field(1)
    chosen = h.let(f"select i1 {h.let(f'icmp ult i32 {index}, {count}')}, i32 {index}, i32 {count}")
    wide = h.let(f"zext i32 {chosen} to i64")
    table = h.at("%ip", h.form.size)
    step = h.load("i32", h.let(f"getelementptr i32, ptr {table}, i64 {wide}"))
    wide = h.let(f"sext i32 {step} to i64")
    h.dispatch(h.let(f"getelementptr i8, ptr %ip, i64 {wide}"))


def unreachable(h):
    h.go(f"@h.trap.{TRAP_CODE['unreachable']}")


def ref_as_non_null(h):
    h.trap(h.let(f"icmp eq i64 {h.value(0, 'i64')}, 0"), TRAP_CODE["null reference"])
    h.dispatch()


def copy(h):
    h.store(h.word, h.load(h.word, h.slot(1)), h.slot(0))
    h.dispatch()


def const_word(h):
    h.store("i64", h.offset(1), h.slot(0))
    h.dispatch()


def const_double_word(h):
    h.store("i64", h.field(1), h.slot(0))
    h.dispatch()


def select(h):
    then, otherwise = h.slot(2), h.slot(3)
    condition = h.let(f"icmp ne i32 {h.value(1, 'i32')}, 0")
    chosen = h.let(f"select i1 {condition}, ptr {then}, ptr {otherwise}")
    h.store(h.word, h.load(h.word, chosen), h.slot(0))
    h.dispatch()


def global_get(h):
    h.store(h.word, h.load(h.word, h.instance(1)), h.slot(0))
    h.dispatch()


def global_get_import(h):
    h.store(h.word, h.load(h.word, h.load("ptr", h.instance(1))), h.slot(0))
    h.dispatch()


def global_set(h):
    h.store(h.word, h.load(h.word, h.slot(0)), h.instance(1))
    h.dispatch()


def global_set_import(h):
    h.store(h.word, h.load(h.word, h.slot(0)), h.load("ptr", h.instance(1)))
    h.dispatch()


def memory_size(h):
    size = h.load("i64", memory_at(h, 1), MEM.bytes)
    h.store("i64", h.let(f"lshr i64 {size}, 16"), h.slot(0))
    h.dispatch()


def memory_at(h, field):
    """The MEM * that an instance offset leads to."""
    return h.load("ptr", h.instance(field), MEM_POINTER)


def memory_grow(h):
    h.leave_room(3)
    memory = h.let(f"ptrtoint ptr {memory_at(h, 2)} to i64")
    h.store("i64", h.service("memory_grow", memory, h.index(1)), h.slot(0))
    h.dispatch()


def bulk(h, function, *arguments):
    h.trap_unless_zero(h.let(f"call i64 @{function}({', '.join(arguments)})"))
    h.dispatch()


def spans(h, first, *rest):
    """Arguments of a copy or init: two places in the instance, then the operands d, s, n."""
    return (f"ptr {first}", *(f"ptr {r}" for r in rest), *(f"i64 {h.index(i)}" for i in range(3)))


def memory_fill(h):
    bulk(h, "rt_memory_fill", "ptr %env", f"ptr {memory_at(h, 3)}", f"i64 {h.index(0)}", f"i32 {h.value(1, 'i32')}",
         f"i64 {h.index(2)}")


def memory_copy(h):
    bulk(h, "rt_memory_copy", "ptr %env", *spans(h, memory_at(h, 3), memory_at(h, 4)))


def memory_init(h):
    bulk(h, "rt_memory_init", "ptr %env", *spans(h, memory_at(h, 3), h.instance(4)))


def drop_segment(h):
    h.store("i64", "0", h.instance(0), SPAN.length)
    h.dispatch()


def table_get(h):
    reference = element(h, h.load("ptr", h.instance(2)), h.index(1), "out of bounds table access")
    h.store("ptr", reference, h.slot(0))
    h.dispatch()


def table_set(h):
    table, index = h.load("ptr", h.instance(2)), h.index(0)
    out = h.let(f"icmp uge i64 {index}, {h.load('i64', table, TABLE.length)}")
    h.trap(out, TRAP_CODE["out of bounds table access"])
    h.store("i64", h.load("i64", h.slot(1)), element_pointer(h, table, index))
    h.dispatch()


def table_size(h):
    h.store("i64", h.load("i64", h.load("ptr", h.instance(1)), TABLE.length), h.slot(0))
    h.dispatch()


def table_grow(h):
    h.leave_room(4)
    table = h.let(f"ptrtoint ptr {h.load('ptr', h.instance(3))} to i64")
    h.store("i64", h.service("table_grow", table, h.value(1, "i64"), h.index(2)), h.slot(0))
    h.dispatch()


def table_fill(h):
    table = h.load("ptr", h.instance(3))
    bulk(h, "rt_table_fill", "ptr %env", f"ptr {table}", f"i64 {h.index(0)}", f"i64 {h.value(1, 'i64')}",
         f"i64 {h.index(2)}")


def table_copy(h):
    bulk(h, "rt_table_copy", "ptr %env", *spans(h, h.load("ptr", h.instance(3)), h.load("ptr", h.instance(4))))


def table_init(h):
    bulk(h, "rt_table_init", "ptr %env", *spans(h, h.load("ptr", h.instance(3)), h.instance(4)))


def ref_func(h):
    h.store("ptr", h.instance(1), h.slot(0))
    h.dispatch()


def ref_func_import(h):
    h.store("ptr", h.load("ptr", h.instance(1)), h.slot(0))
    h.dispatch()


def step(h):
    """Ask the debugger, in frames up to where it wants to be asked, and where breakpoints are."""
    within = h.let(f"icmp ule ptr %fp, {h.load('ptr', '%env', EXEC_ENV.step_limit)}")
    h.unlikely(h.let(f"or i1 {within}, {h.let(f'icmp ne i32 {h.field(0)}, 0')}"), "ask")
    h.dispatch()
    h.label("ask")
    h.leave_room(1)
    ip, fp = (h.let(f"ptrtoint ptr {p} to i64") for p in ("%ip", "%fp"))
    h.service("step", ip, fp, h.let(f"zext i1 {within} to i64"))
    h.dispatch()


SPECIAL = {
    **CALLS, **atomic.HANDLERS, "br": br, "br_if": br_if, "br_unless": br_unless, "br_table": br_table,
    "back.br": br, "back.br_if": br_if, "back.br_unless": br_unless, "unreachable": unreachable,
    "ref.as_non_null": ref_as_non_null, "copy": copy, "const.i": const_word, "const.I": const_double_word,
    "select": select, "global.get": global_get, "global.get.import": global_get_import, "global.set": global_set,
    "global.set.import": global_set_import,
    "memory.size": memory_size, "memory.grow": memory_grow, "memory.fill": memory_fill,
    "memory.copy": memory_copy, "memory.init": memory_init, "data.drop": drop_segment,
    "table.get": table_get, "table.set": table_set, "table.size": table_size, "table.grow": table_grow,
    "table.fill": table_fill, "table.copy": table_copy, "table.init": table_init, "elem.drop": drop_segment,
    "ref.func": ref_func, "ref.func.import": ref_func_import, "step": step,
}
SPECIAL |= {f"{name}.w": SPECIAL[name] for name in WIDE}
