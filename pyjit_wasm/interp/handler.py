"""What every handler is made with: fields, slots, dispatch, branches, traps."""
from pyjit_wasm.codegen.abi import HANDLER_PARAMS
from pyjit_wasm.codegen.text import VECTOR, Function
from pyjit_wasm.frames.forms import FORMS
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import EXEC_ENV, FUNC, MEM, SERVICE

MEM_POINTER = 8  # in an InstanceLayout memory: after the base
_TYPES = {"i": "i32", "u": "i32", "d": "i32", "F": "i32", "I": "i64"}


class Handler(Function):
    """One handler under construction; `form` tells where its fields are."""

    def __init__(self, form, name=None, attributes="nounwind"):
        super().__init__("preserve_nonecc void", f"h.{name or form.name}", HANDLER_PARAMS, attributes)
        self.form = form

    @property
    def word(self):
        """The type of what a special form moves."""
        return VECTOR if self.form.name.endswith(".v") else "i64"

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
        """A slot with an address or a length, as i64: zero-extended, except in wide forms."""
        if self.form.wide:
            return self.value(field, "i64")
        return self.let(f"zext i32 {self.value(field, 'i32')} to i64")

    def aligned(self, address, offset, size):
        """Trap unless the sum of two i64 is a multiple of an atomic access's size."""
        if size > 1:
            low = self.let(f"and i64 {self.let(f'add i64 {address}, {offset}')}, {size - 1}")
            self.trap(self.let(f"icmp ne i64 {low}, 0"), TRAP_CODE["unaligned atomic"])

    def in_bounds(self, address, offset, size, memory):
        """The i64 sum of address and offset if so many bytes there are inside the memory, a MEM pointer: else a
        trap. Sums saturate, above any size."""
        where = self.let(f"call i64 @llvm.uadd.sat.i64(i64 {address}, i64 {offset})")
        end = self.let(f"call i64 @llvm.uadd.sat.i64(i64 {where}, i64 {size})")
        limit = self.load("i64", memory, MEM.bytes)
        self.trap(self.let(f"icmp ugt i64 {end}, {limit}"), TRAP_CODE["out of bounds memory access"])
        return where

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


def take(h, condition):
    """Branch to the target in the last field if the condition holds."""
    h.branch(condition, "taken", "fall")
    h.label("taken")
    h.jump()
    h.label("fall")
    h.dispatch()


def count_down(h, counter):
    """Decrement; i1: it has come to zero."""
    left = h.let(f"sub i64 {h.load('i64', counter)}, 1")
    h.store("i64", left, counter)
    return h.let(f"icmp eq i64 {left}, 0")
