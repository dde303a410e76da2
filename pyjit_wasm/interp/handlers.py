"""Handlers: every form of `frames.forms` as a small native function, generated from the rows.

A handler gets (ip, fp, memory 0 base, exec_env, INSTANCE, x) in registers, does its work on frame slots
and tail-calls the handler whose address is the next word of code. `x` carries the callee's FUNC from
a call to the callee's first handler. Nothing returns until `exit` does.
"""
from pyjit_wasm.codegen import rows
from pyjit_wasm.codegen.signatures import FIRST_MEMORY, HANDLER_PARAMS
from pyjit_wasm.codegen.support import DECLARATIONS, Function
from pyjit_wasm.codegen.text import COLD
from pyjit_wasm.frames.forms import FORMS
from pyjit_wasm.frames.stack import SAVED_INSTANCE
from pyjit_wasm.opcodes import TRAP_CODE, TRAPS
from pyjit_wasm.opcodes.op import LLVM_TYPE
from pyjit_wasm.runtime.layout import EXEC_ENV, FRAME, FUNC, MEM, SERVICE, SPAN, TABLE

MEM_POINTER = 8  # in an InstanceLayout memory: after the base
_TYPES = {"i": "i32", "u": "i32", "d": "i32", "F": "i32", "I": "i64"}

EXTERNAL = """
declare void @rt_trap_at(ptr, i64, ptr, ptr) noreturn nounwind
declare i64 @rt_service(ptr, i64, i64, i64, i64) nounwind
declare i64 @rt_memory_fill(ptr, i64, i32, i64) nounwind
declare i64 @rt_memory_copy(ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_memory_init(ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_table_fill(ptr, i64, i64, i64) nounwind
declare i64 @rt_table_copy(ptr, ptr, i64, i64, i64) nounwind
declare i64 @rt_table_init(ptr, ptr, i64, i64, i64) nounwind
"""


class Handler(Function):
    """One handler under construction; `form` tells where its fields are."""

    def __init__(self, form, name=None):
        super().__init__("preserve_nonecc void", f"h.{name or form.name}", HANDLER_PARAMS, "nounwind")
        self.form = form

    def field(self, index):
        """The raw value of a field."""
        return self.load(_TYPES[self.form.fields[index]], "%ip", self.form.offsets[index])

    def offset(self, index):
        """An unsigned field as i64."""
        return self.let(f"zext i32 {self.field(index)} to i64")

    def slot(self, index):
        """Pointer to the frame slot that a field names."""
        number = self.load("i16", "%ip", self.form.offsets[index])
        wide = self.let(f"sext i16 {number} to i64")
        return self.let(f"getelementptr i64, ptr %fp, i64 {wide}")

    def value(self, index, type):
        """A slot's value, or an immediate as that type."""
        letter = self.form.fields[index]
        if letter == "s":
            return self.load(type, self.slot(index))
        raw = self.field(index)
        return self.let(f"bitcast {_TYPES[letter]} {raw} to {type}") if type in ("float", "double") else raw

    def index(self, field):
        """An i32 slot, zero-extended."""
        return self.let(f"zext i32 {self.value(field, 'i32')} to i64")

    def instance(self, field):
        """Pointer into the INSTANCE block at the offset a field gives."""
        return self.let(f"getelementptr i8, ptr %inst, i64 {self.offset(field)}")

    def dispatch(self, ip=None, fp="%fp", mem="%mem", inst="%inst", x="%x"):
        """Go on at `ip`, by default behind this instruction."""
        if ip is None:
            ip = self.at("%ip", self.form.size)
        self.go(self.load("ptr", ip), ip, fp, mem, inst, x)

    def go(self, handler, ip="%ip", fp="%fp", mem="%mem", inst="%inst", x="%x"):
        self.do(f"musttail call preserve_nonecc void {handler}(ptr {ip}, ptr {fp}, ptr {mem}, ptr %env, "
                f"ptr {inst}, ptr {x})")
        self.do("ret void")

    def jump(self):
        """Go on at the branch target in the last field. A back edge counts: at zero it goes to the `loop`
        instruction that stands before the target."""
        last = len(self.form.fields) - 1
        wide = self.let(f"sext i32 {self.field(last)} to i64")
        target = self.let(f"getelementptr i8, ptr %ip, i64 {wide}")
        if self.form.name.startswith("back."):
            counter = self.let(f"getelementptr i8, ptr {self.instance(last - 1)}, i64 {FUNC.counter}")
            self.unlikely(count_down(self, counter), "hot")
            self.dispatch(target)
            self.label("hot")
            target = self.at(target, -FORMS["loop"].size)
        self.dispatch(target)

    def trap(self, condition, code):
        """Trap with `code` if the condition holds."""
        bad, good = self.new_label("bad"), self.new_label("good")
        self.do(f"br i1 {condition}, label %{bad}, label %{good}, !prof !0")
        self.label(bad)
        self.go(f"@h.trap.{code}")
        self.label(good)

    def trap_unless_zero(self, code):
        """Trap with what a bulk operation returned."""
        bad, good = self.new_label("bad"), self.new_label("good")
        self.do(f"br i1 {self.let(f'icmp ne i64 {code}, 0')}, label %{bad}, label %{good}, !prof !0")
        self.label(bad)
        self.do(f"call void @rt_trap_at(ptr %env, i64 {code}, ptr %ip, ptr %fp)")
        self.do("unreachable")
        self.label(good)

    def service(self, name, a, b="0", c="0"):
        return self.let(f"call i64 @rt_service(ptr %env, i64 {SERVICE[name]}, i64 {a}, i64 {b}, i64 {c})")

    def leave_room(self, field):
        """Before calling out: activations from there go behind this frame."""
        self.store("ptr", self.let(f"getelementptr i8, ptr %fp, i64 {self.offset(field)}"), "%env", EXEC_ENV.top)
        self.store("ptr", "%fp", "%env", EXEC_ENV.exit_fp)


# --- handlers made from rows

def numeric(form):
    h = Handler(form)
    first = 0 if form.branch else 1
    operands = [h.value(first + i, LLVM_TYPE[t]) for i, t in enumerate(form.op.params)]
    result = rows.emit(h, form.op, operands, h.trap)
    if form.branch:
        take(h, h.let(f"icmp {'ne' if form.branch == 'br_if' else 'eq'} i32 {result}, 0"))
    else:
        h.store(LLVM_TYPE[form.op.results[0]], result, h.slot(0))
        h.dispatch()
    return h


def take(h, condition):
    """Branch to the target in the last field if the condition holds."""
    h.branch(condition, "taken", "fall")
    h.label("taken")
    h.jump()
    h.label("fall")
    h.dispatch()


def access(form, explicit):
    h = Handler(form)
    fields = form.fields
    place = 1 if form.op.results else 0
    address, base, memory = effective(h, form.kinds, place)
    wide = h.let(f"zext i32 {address} to i64")
    wide = h.let(f"add i64 {wide}, {h.offset(len(fields) - 1)}")
    if explicit:
        end = h.let(f"add i64 {wide}, {form.op.access}")
        mem = memory or h.load("ptr", "%inst", FIRST_MEMORY + MEM_POINTER)
        limit = h.load("i64", mem, MEM.bytes)
        h.trap(h.let(f"icmp ugt i64 {end}, {limit}"), TRAP_CODE["out of bounds memory access"])
    pointer = h.let(f"getelementptr i8, ptr {base}, i64 {wide}")
    if form.op.results:
        result = rows.emit_access(h, form.op, pointer, None, False)
        h.store(LLVM_TYPE[form.op.results[0]], result, h.slot(0))
    else:
        value = h.value(len(fields) - 2, LLVM_TYPE[form.op.params[1]])
        rows.emit_access(h, form.op, pointer, value, False)
    h.dispatch()
    return h


def effective(h, kinds, place):
    """(i32 address, base, MEM or None) of an access whose address operands start at field `place`."""
    address = h.value(place, "i32")
    if kinds == "m":
        memory = h.instance(place + 1)
        return address, h.load("ptr", memory), h.load("ptr", memory, MEM_POINTER)
    if kinds in ("ss", "si"):
        address = h.let(f"add i32 {address}, {h.value(place + 1, 'i32')}")
    return address, "%mem", None


# --- special handlers, one function each; SPECIAL below names them

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


def count_down(h, counter):
    """Decrement; i1: it has come to zero."""
    left = h.let(f"sub i64 {h.load('i64', counter)}, 1")
    h.store("i64", left, counter)
    return h.let(f"icmp eq i64 {left}, 0")


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
    h.do(f"call void {entry}(ptr nest {func}, ptr %env, ptr %inst, ptr %fp, i32 {h.field(1)})")
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


def call(h):
    begin_call(h, h.instance(0), h.slot(1), h.at("%ip", h.form.size))


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


def call_indirect(h):
    table, index = h.load("ptr", h.instance(0)), h.index(2)
    fp = h.slot(3)
    func = element(h, table, index, "undefined element")
    h.trap(h.let(f"icmp eq ptr {func}, null"), TRAP_CODE["uninitialized element"])
    wanted, actual = h.load("i64", h.instance(1)), h.load("i64", func, FUNC.type_id)
    h.trap(h.let(f"icmp ne i64 {wanted}, {actual}"), TRAP_CODE["indirect call type mismatch"])
    same = h.let(f"icmp eq ptr {h.load('ptr', func, FUNC.inst)}, %inst")
    h.branch(same, "near", "far")
    h.label("near")
    begin_call(h, func, fp, h.at("%ip", h.form.size + FORMS["restore"].size))
    h.label("far")
    begin_foreign_call(h, func, fp)


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
    bulk(h, "rt_memory_fill", f"ptr {memory_at(h, 3)}", f"i64 {h.index(0)}", f"i32 {h.value(1, 'i32')}",
         f"i64 {h.index(2)}")


def memory_copy(h):
    bulk(h, "rt_memory_copy", *spans(h, memory_at(h, 3), memory_at(h, 4)))


def memory_init(h):
    bulk(h, "rt_memory_init", *spans(h, memory_at(h, 3), h.instance(4)))


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
    bulk(h, "rt_table_fill", f"ptr {h.load('ptr', h.instance(3))}", f"i64 {h.index(0)}", f"i64 {h.value(1, 'i64')}",
         f"i64 {h.index(2)}")


def table_copy(h):
    bulk(h, "rt_table_copy", *spans(h, h.load("ptr", h.instance(3)), h.load("ptr", h.instance(4))))


def table_init(h):
    bulk(h, "rt_table_init", *spans(h, h.load("ptr", h.instance(3)), h.instance(4)))


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
    "call.import": call_import, "call_indirect": call_indirect, "restore": restore, "copy": copy,
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
          "exit": ("return", exit_)}


def trap_handler(code):
    h = Handler(FORMS["unreachable"], f"trap.{code}")
    h.do(f"call void @rt_trap_at(ptr %env, i64 {code}, ptr %ip, ptr %fp)")
    h.do("unreachable")
    return h


def special(form, name, function):
    h = Handler(form, name)
    function(h)
    return h


def source(explicit):
    """IR text of all handlers; `explicit`: memory accesses compare with the memory's size."""
    handlers = [trap_handler(code) for code in range(1, len(TRAPS))]
    for form in FORMS.values():
        if form.op is None:
            handlers.append(special(form, form.name, SPECIAL[form.name]))
        elif form.op.access is not None:
            handlers.append(access(form, explicit))
        else:
            handlers.append(numeric(form))
    handlers += [special(FORMS[form], name, function) for name, (form, function) in HIDDEN.items()]
    return "".join((DECLARATIONS, EXTERNAL, rows.declarations(), COLD, *map(str, handlers)))
