"""Handlers of the forms that come from no row: control, calls, variables, memories, tables. One function
each, which SPECIAL and HIDDEN at the end name."""
from pyjit_wasm.codegen.signatures import FIRST_MEMORY
from pyjit_wasm.frames.forms import FORMS
from pyjit_wasm.frames.stack import SAVED_INSTANCE
from pyjit_wasm.interp.handler import count_down, take
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import EXEC_ENV, FRAME, FUNC, MEM, SPAN, TABLE

MEM_POINTER = 8  # in an InstanceLayout memory: after the base


def enter(h):
    """Check the stack buffer, count the call, zero the locals."""
    end = h.let(f"getelementptr i8, ptr %fp, i64 {h.offset(0)}")
    limit = h.load("ptr", "%env", EXEC_ENV.stack_end)
    h.trap(h.let(f"icmp ugt ptr {end}, {limit}"), TRAP_CODE["call stack exhausted"])
    h.unlikely(count_down(h, h.at("%x", FUNC.counter)), "hot")
    count = h.offset(1)
    first = h.at("%fp", 8 * (SAVED_INSTANCE + 1))
    h.do("br label %zero")
    h.label("zero")
    h.do("br label %next")
    h.label("next")
    h.do("%i = phi i64 [ 0, %zero ], [ %i1, %body ]")
    h.branch(h.let(f"icmp eq i64 %i, {count}"), "done", "body")
    h.label("body")
    h.store("i64", "0", h.let(f"getelementptr i64, ptr {first}, i64 %i"))
    h.do("%i1 = add i64 %i, 1")
    h.do("br label %next")
    h.label("done")
    h.dispatch()
    h.label("hot")
    h.go("@h.enter.hot")


def enter_hot(h):
    """Ask for compiled code; start over, in whatever the function's ip leads to now."""
    h.store("ptr", h.at("%fp", FRAME.size), "%env", EXEC_ENV.top)
    h.store("ptr", "%fp", "%env", EXEC_ENV.exit_fp)
    h.service("tier_up", h.let("ptrtoint ptr %x to i64"), "-1")
    h.dispatch(h.load("ptr", "%x", FUNC.ip))


def loop(h):
    """Entered from above, or from a back edge whose countdown came to zero."""
    left = h.load("i64", h.instance(0), FUNC.counter)
    h.unlikely(h.let(f"icmp sle i64 {left}, 0"), "hot")
    h.dispatch()
    h.label("hot")
    h.go("@h.loop.hot")


def loop_hot(h):
    """Ask for compiled code that takes over at this loop header; if there is, it finishes the call."""
    h.leave_room(2)
    func = h.instance(0)
    native = h.service("tier_up", h.let(f"ptrtoint ptr {func} to i64"), h.offset(1))
    h.unlikely(h.let(f"icmp ne i64 {native}, 0"), "switch")
    h.dispatch()
    h.label("switch")
    entry = h.let(f"inttoptr i64 {native} to ptr")
    callee = h.let(f"call ptr {entry}(ptr nest {func}, ptr %env, ptr %inst, ptr %fp, i32 {h.field(1)})")
    h.branch(h.let(f"icmp eq ptr {callee}, null"), "finished", "tail")
    h.label("tail")  # it ended in a tail call, for which the frame is ready
    h.go("@h.tail.far", fp=h.load("ptr", "%env", EXEC_ENV.next_fp), x=callee)
    h.label("finished")
    leave(h)


def leave(h):
    """Return to the caller: its frame, behind its call."""
    ip, fp = h.load("ptr", "%fp", FRAME.return_ip), h.load("ptr", "%fp", FRAME.caller_fp)
    h.dispatch(ip, fp)


def return_slot(h):
    h.store("i64", h.load("i64", h.slot(1)), h.slot(0))
    leave(h)


def prepare(h):
    """The ip of a function that has no code yet: have it made, then run it."""
    h.store("ptr", h.at("%fp", FRAME.size), "%env", EXEC_ENV.top)
    h.store("ptr", "%fp", "%env", EXEC_ENV.exit_fp)
    h.service("prepare", h.let("ptrtoint ptr %x to i64"), "1")
    h.dispatch(h.load("ptr", "%x", FUNC.ip))


def exit_(h):
    h.do("ret void")


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


def begin_call(h, func, fp, return_ip, inst="%inst", mem="%mem"):
    h.store("ptr", return_ip, fp, FRAME.return_ip)
    h.store("ptr", "%fp", fp, FRAME.caller_fp)
    h.dispatch(h.load("ptr", func, FUNC.ip), fp, mem, inst, func)


def behind_call(h):
    """Where a call within the instance returns to: behind `restore`."""
    return h.at("%ip", h.form.size + FORMS["restore"].size)


def call(h):
    begin_call(h, h.instance(0), h.slot(1), behind_call(h))


def call_import(h):
    func, fp = h.load("ptr", h.instance(0)), h.slot(1)
    begin_foreign_call(h, func, fp)


def begin_foreign_call(h, func, fp):
    """Call into another instance: `restore`, which follows, brings this one back."""
    h.store("ptr", "%inst", "%fp", 8 * SAVED_INSTANCE)
    inst = h.load("ptr", func, FUNC.inst)
    begin_call(h, func, fp, h.at("%ip", h.form.size), inst, h.load("ptr", inst, FIRST_MEMORY))


def restore(h):
    inst = h.load("ptr", "%fp", 8 * SAVED_INSTANCE)
    h.dispatch(mem=h.load("ptr", inst, FIRST_MEMORY), inst=inst)


def table_function(h, top):
    """The function that the first fields (table, type, index) lead to. `top`: the end of this frame."""
    func = element(h, h.load("ptr", h.instance(0)), h.index(2), "undefined element")
    h.trap(h.let(f"icmp eq ptr {func}, null"), TRAP_CODE["uninitialized element"])
    wanted, actual = h.load("i64", h.instance(1)), h.load("i64", func, FUNC.type_id)
    h.unlikely(h.let(f"icmp ne i64 {wanted}, {actual}"), "other")
    h.do("br label %matches")
    h.label("other")
    h.store("ptr", top, "%env", EXEC_ENV.top)
    h.store("ptr", "%fp", "%env", EXEC_ENV.exit_fp)
    matches = h.service("matches_type", actual, wanted)
    h.trap(h.let(f"icmp eq i64 {matches}, 0"), TRAP_CODE["indirect call type mismatch"])
    h.do("br label %matches")
    h.label("matches")
    return func


def call_indirect(h):
    fp = h.slot(3)
    call_function(h, table_function(h, h.at(fp, FRAME.size)), fp)


def call_ref(h):
    func = h.value(0, "ptr")
    h.trap(h.let(f"icmp eq ptr {func}, null"), TRAP_CODE["null function reference"])
    call_function(h, func, h.slot(1))


def call_function(h, func, fp):
    same = h.let(f"icmp eq ptr {h.load('ptr', func, FUNC.inst)}, %inst")
    h.branch(same, "near", "far")
    h.label("near")
    begin_call(h, func, fp, behind_call(h))
    h.label("far")
    begin_foreign_call(h, func, fp)


def tail_call(h, func, field, foreign):
    """Replace this frame by the callee's. Fields from `field` on: first argument, slots of arguments, where they
    go, the callee's fp. Going up never overwrites an argument that is still to be read."""
    source, target, fp = h.slot(field), h.slot(field + 2), h.slot(field + 3)
    return_ip, caller = h.load("ptr", "%fp", FRAME.return_ip), h.load("ptr", "%fp", FRAME.caller_fp)
    count = h.offset(field + 1)
    h.do("br label %start")
    h.label("start")
    h.do("br label %move")
    h.label("move")
    h.do("%i = phi i64 [ 0, %start ], [ %i1, %word ]")
    h.branch(h.let(f"icmp eq i64 %i, {count}"), "moved", "word")
    h.label("word")
    word = h.load("i64", h.let(f"getelementptr i64, ptr {source}, i64 %i"))
    h.store("i64", word, h.let(f"getelementptr i64, ptr {target}, i64 %i"))
    h.do("%i1 = add i64 %i, 1")
    h.do("br label %move")
    h.label("moved")
    h.store("ptr", return_ip, fp, FRAME.return_ip)
    h.store("ptr", caller, fp, FRAME.caller_fp)
    if foreign:
        h.go("@h.tail.far", fp=fp, x=func)
    else:
        h.dispatch(h.load("ptr", func, FUNC.ip), fp, x=func)


def tail_far(h):
    """Go on in %x, whose frame %fp is ready, perhaps in another instance: a caller in this one that does not
    expect it is made to return through the `restore` behind its call."""
    inst = h.load("ptr", "%x", FUNC.inst)
    caller = h.load("ptr", "%fp", FRAME.caller_fp)
    h.branch(h.let(f"icmp eq ptr {caller}, null"), "ready", "look")
    h.label("look")
    ip = h.load("ptr", "%fp", FRAME.return_ip)
    h.branch(h.let(f"icmp eq ptr {h.load('ptr', ip)}, @h.restore"), "ready", "near")
    h.label("near")
    h.store("ptr", "%inst", caller, 8 * SAVED_INSTANCE)
    h.store("ptr", h.at(ip, -FORMS["restore"].size), "%fp", FRAME.return_ip)
    h.do("br label %ready")
    h.label("ready")
    h.dispatch(h.load("ptr", "%x", FUNC.ip), mem=h.load("ptr", inst, FIRST_MEMORY), inst=inst)


def return_call(h):
    tail_call(h, h.instance(0), 1, False)


def return_call_import(h):
    tail_call(h, h.load("ptr", h.instance(0)), 1, True)


def return_call_indirect(h):
    top = h.let(f"getelementptr i64, ptr {h.slot(3)}, i64 {h.offset(4)}")
    tail_call(h, table_function(h, top), 3, True)


def return_call_ref(h):
    func = h.value(0, "ptr")
    h.trap(h.let(f"icmp eq ptr {func}, null"), TRAP_CODE["null function reference"])
    tail_call(h, func, 1, True)


def ref_as_non_null(h):
    h.trap(h.let(f"icmp eq i64 {h.value(0, 'i64')}, 0"), TRAP_CODE["null reference"])
    h.dispatch()


def element(h, table, index, trap):
    """The reference at i64 `index` of a TABLE, as a pointer."""
    h.trap(h.let(f"icmp uge i64 {index}, {h.load('i64', table, TABLE.length)}"), TRAP_CODE[trap])
    return h.load("ptr", element_pointer(h, table, index))


def element_pointer(h, table, index):
    return h.let(f"getelementptr i64, ptr {h.load('ptr', table, TABLE.elems)}, i64 {index}")


def copy(h):
    h.store("i64", h.load("i64", h.slot(1)), h.slot(0))
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
    h.store("i64", h.load("i64", chosen), h.slot(0))
    h.dispatch()


def global_get(h):
    h.store("i64", h.load("i64", h.instance(1)), h.slot(0))
    h.dispatch()


def global_get_import(h):
    h.store("i64", h.load("i64", h.load("ptr", h.instance(1))), h.slot(0))
    h.dispatch()


def global_set(h):
    h.store("i64", h.load("i64", h.slot(0)), h.instance(1))
    h.dispatch()


def global_set_import(h):
    h.store("i64", h.load("i64", h.slot(0)), h.load("ptr", h.instance(1)))
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


SPECIAL = {
    "enter": enter, "loop": loop, "br": br, "br_if": br_if, "br_unless": br_unless, "br_table": br_table,
    "back.br": br, "back.br_if": br_if, "back.br_unless": br_unless,
    "return": leave, "return.s": return_slot, "unreachable": unreachable, "call": call,
    "call.import": call_import, "call_indirect": call_indirect, "call_ref": call_ref, "restore": restore,
    "return_call": return_call, "return_call.import": return_call_import,
    "return_call_indirect": return_call_indirect, "return_call_ref": return_call_ref,
    "ref.as_non_null": ref_as_non_null, "copy": copy,
    "const.i": const_word, "const.I": const_double_word, "select": select, "global.get": global_get,
    "global.get.import": global_get_import, "global.set": global_set, "global.set.import": global_set_import,
    "memory.size": memory_size, "memory.grow": memory_grow, "memory.fill": memory_fill,
    "memory.copy": memory_copy, "memory.init": memory_init, "data.drop": drop_segment,
    "table.get": table_get, "table.set": table_set, "table.size": table_size, "table.grow": table_grow,
    "table.fill": table_fill, "table.copy": table_copy, "table.init": table_init, "elem.drop": drop_segment,
    "ref.func": ref_func, "ref.func.import": ref_func_import,
}
# handlers that no form has: (the form whose fields they read, function)
HIDDEN = {"enter.hot": ("enter", enter_hot), "loop.hot": ("loop", loop_hot), "prepare": ("return", prepare),
          "exit": ("return", exit_), "tail.far": ("return", tail_far)}
