"""LLVM IR of exceptions: functions return a status behind their results, callers test it, handlers are labels.
A throw that is caught in the same function is a branch."""
from pyjit_wasm.codegen.abi import STATUS, layout
from pyjit_wasm.codegen.body import llvm_type
from pyjit_wasm.codegen.control import ControlFlow
from pyjit_wasm.frames.walk import block_type
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import EXN


class Exceptions(ControlFlow):
    """Throwing and catching, of this proposal and of the older one."""

    @property
    def in_flight(self):
        """Where the exception is that goes to a handler."""
        return self.alloca("%exn", STATUS)

    def close(self, control):
        if control.kind in ("try", "try_table"):
            self.controls.pop()  # clauses are outside of the block
            if control.kind == "try_table":
                self.catch_clauses(control)
            elif control.next_clause:
                self.label(control.next_clause)  # no clause has caught it
                self.throw_to(control.outer)
            self.controls.append(control)
        super().close(control)

    def throw_to(self, label):
        """Go on where the exception in `%exn` is caught."""
        self.throws |= label == "throw"
        self.do(f"br label %{label}")

    def thrown_if(self, status):
        """Behind a call: branch if it has thrown."""
        catch, thrown = self.controls[-1].catch, self.new_label("thrown")
        self.throws |= catch == "throw"
        self.unlikely(self.let(f"icmp ne {STATUS} {status}, 0"), thrown)
        place = self.in_flight
        self.cold.append(f"{thrown}:\n  store {STATUS} {status}, ptr {place}\n  br label %{catch}")

    def throw(self, op, imm):
        functype = self.module.tags[imm].deftype.comp
        tag = self.word(self.layout.tags[imm])
        payload = self.stack[len(self.stack) - len(functype.params):]
        places, size = layout([type for type, _ in payload])
        exn = self.let(f"call ptr @rt_new_exception(ptr {tag}, i64 {size // 8}){self.here()}")
        self.trap(self.let(f"icmp eq ptr {exn}, null"), TRAP_CODE["out of memory"])
        for (type, value), place in zip(payload, places):
            self.store(type, value, exn, EXN.size + place)
        number = self.let(f"ptrtoint ptr {exn} to i64")
        if self.unit.notes_throws:
            self.do(f"call void @rt_note_throw(ptr %env, i64 {number}) #2{self.here()}")
        self.throw_exception(number)

    def throw_exception(self, exn):
        self.store(STATUS, exn, self.in_flight)
        self.throw_to(self.controls[-1].catch)
        self.dead = 1

    def throw_ref(self, op, imm):
        exn = self.pop()
        self.trap(self.let(f"icmp eq i64 {exn}, 0"), TRAP_CODE["null exception reference"])
        self.throw_exception(exn)

    def rethrow(self, op, imm):
        self.throw_exception(self.load(STATUS, self.caught(self.controls[-1 - imm])))

    def try_table(self, op, imm):
        blocktype, catches = imm
        self.open("try_table", block_type(self.module, blocktype))
        control = self.controls[-1]
        control.catches, control.catch = catches, f"{control.label}.catch"

    def catch_clauses(self, control):
        """Behind a `try_table`: what is thrown inside comes here."""
        self.label(control.catch)
        exn = self.load("ptr", self.in_flight)
        for kind, tagidx, labelidx in control.catches:
            self.forget(control)
            if tagidx is None:
                self.take(exn, (), kind & 1)
                self.jump(self.controls[-1 - labelidx])
                break
            following = self.catch_tag(exn, tagidx)
            self.take(exn, self.module.tags[tagidx].deftype.comp.params, kind & 1)
            self.jump(self.controls[-1 - labelidx])
            self.label(following)
        else:
            self.throw_to(control.outer)

    def catch_tag(self, exn, tagidx):
        """Test the tag of an exception; the label where others go."""
        match, following = self.new_label("match"), self.new_label("clause")
        same = self.let(f"icmp eq ptr {self.load('ptr', exn, EXN.tag)}, {self.word(self.layout.tags[tagidx])}")
        self.branch(same, match, following)
        self.label(match)
        return following

    def take(self, exn, params, held):
        """Push the payload of a caught exception, and a reference to it if that is wanted."""
        types = [llvm_type(t) for t in params]
        for type, place in zip(types, layout(types)[0]):
            self.push(type, self.load(type, exn, EXN.size + place))
        if held:
            self.do(f"call void @rt_hold_exception(ptr %env, ptr {exn}){self.here()}")
            self.push("i64", self.let(f"ptrtoint ptr {exn} to i64"))
        else:
            self.do(f"call void @rt_drop_exception(ptr %env, ptr {exn}){self.here()}")

    def try_(self, op, imm):
        self.open("try", block_type(self.module, imm))
        control = self.controls[-1]
        control.catch = control.next_clause = f"{control.label}.catch"

    def caught(self, control):
        """Where a `try` keeps the exception that its current clause caught."""
        return self.alloca(f"%x{control.number}", STATUS)

    def catch(self, op, imm):
        control = self.controls[-1]
        self.jump(control)
        self.start_catch(control, imm)

    catch_all = catch

    def start_catch(self, control, tagidx):
        control.catch = control.outer
        self.label(control.next_clause)
        self.forget(control)
        exn = self.load("ptr", self.in_flight)
        control.next_clause, params = None, ()
        if tagidx is not None:
            control.next_clause = self.catch_tag(exn, tagidx)
            params = self.module.tags[tagidx].deftype.comp.params
        self.store("ptr", exn, self.caught(control))
        self.take(exn, params, True)
        self.pop()

    def delegate(self, op, imm):
        control = self.controls[-1]
        self.carry(control, ("r", control.results))
        self.do(f"br label %{control.label}")
        self.start_delegate(control, imm)
        self.close(control)

    def start_delegate(self, control, labelidx):
        control.outer = self.controls[-2 - labelidx].catch
