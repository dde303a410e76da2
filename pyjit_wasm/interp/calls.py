"""Handlers that begin and end calls, tail calls, exceptions, and change tiers. One function each, which CALLS and
HIDDEN at the end name."""
from pyjit_wasm.codegen.counting import increment
from pyjit_wasm.frames.forms import FORMS
from pyjit_wasm.frames.stack import SAVED_INSTANCE
from pyjit_wasm.interp.handler import count_down
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import EXEC_ENV, EXN, FIRST_MEMORY, FRAME, FUNC, INSTANCE_COUNTS, INSTANCE_STATUS, TABLE, UNWINDING


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
    leave_frame(h, "%fp")
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
    h.branch(h.let(f"icmp eq ptr {callee}, null"), "finished", "other")
    h.label("other")
    h.branch(h.let(f"icmp eq ptr {callee}, @rt_throw"), "thrown", "tail")
    h.label("thrown")
    h.go("@h.unwind")
    h.label("tail")  # it ended in a tail call, for which the frame is ready
    h.go("@h.tail.far", fp=h.load("ptr", "%env", EXEC_ENV.next_fp), x=callee)
    h.label("finished")
    leave(h)


def leave(h):
    """Return to the caller: its frame, behind its call."""
    ip, fp = h.load("ptr", "%fp", FRAME.return_ip), h.load("ptr", "%fp", FRAME.caller_fp)
    h.dispatch(ip, fp)


def return_slot(h):
    h.store(h.word, h.load(h.word, h.slot(1)), h.slot(0))
    leave(h)


def exit_(h):
    h.do("ret void")


def begin_call(h, func, fp, return_ip):
    """Call a function of this instance."""
    link(h, fp, return_ip)
    h.dispatch(h.load("ptr", func, FUNC.ip), fp, x=func)


def link(h, fp, return_ip):
    h.store("ptr", return_ip, fp, FRAME.return_ip)
    h.store("ptr", "%fp", fp, FRAME.caller_fp)


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
    link(h, fp, h.at("%ip", h.form.size))
    enter_foreign(h, func, fp)


def enter_foreign(h, func, fp):
    """Go on in a FUNC of another instance, whose frame is ready. If this instance's module has exceptions, where
    they are looked for: in these frames, not beyond."""
    inst = h.load("ptr", func, FUNC.inst)
    mem = h.load("ptr", inst, FIRST_MEMORY)
    h.branch(h.let(f"icmp eq i64 {h.load('i64', '%inst', INSTANCE_STATUS)}, 0"), "plain", "status")
    h.label("plain")
    h.dispatch(h.load("ptr", func, FUNC.ip), fp, mem, inst, func)
    h.label("status")
    ip = h.load("ptr", func, FUNC.status_ip)
    h.unlikely(h.let(f"icmp eq ptr {ip}, null"), "first")
    h.dispatch(ip, fp, mem, inst, func)
    h.label("first")
    leave_frame(h, fp)
    h.service("status_entry", h.let(f"ptrtoint ptr {func} to i64"))
    h.dispatch(h.load("ptr", func, FUNC.status_ip), fp, mem, inst, func)


def leave_frame(h, fp):
    """Before calling out from behind the header at `fp`."""
    h.store("ptr", h.at(fp, FRAME.size), "%env", EXEC_ENV.top)
    h.store("ptr", "%fp", "%env", EXEC_ENV.exit_fp)


def throw(h):
    """Fields: tag in the instance, slots of the payload, the first of them."""
    count = h.offset(1)
    exn = h.let(f"call ptr @rt_new_exception(ptr {h.load('ptr', h.instance(0))}, i64 {count})")
    h.trap(h.let(f"icmp eq ptr {exn}, null"), TRAP_CODE["out of memory"])
    size = h.let(f"shl i64 {count}, 3")
    h.do(f"call ptr @memmove(ptr {h.at(exn, EXN.size)}, ptr {h.slot(2)}, i64 {size})")
    h.store("ptr", exn, "%env", EXEC_ENV.exception)
    h.leave_room(3)
    h.do(f"call void @rt_note_throw_at(ptr %env, i64 {h.let(f'ptrtoint ptr {exn} to i64')}, ptr %ip, ptr %fp)")
    catch(h, "%ip")


def throw_ref(h):
    exn = h.value(0, "ptr")
    h.trap(h.let(f"icmp eq ptr {exn}, null"), TRAP_CODE["null exception reference"])
    h.store("ptr", exn, "%env", EXEC_ENV.exception)
    h.leave_room(1)
    catch(h, "%ip")


def unwind(h):
    """The callee whose frame is %fp has thrown."""
    leave_frame(h, "%fp")
    catch(h, "null")


def catch(h, ip):
    """Go on where the exception is caught that was thrown at `ip`, or, if that is null, by the callee of the frame;
    if it is not caught here, the activation ends. What the service is told and answers is in this machine frame: signal
    handlers run around it, which may call wasm with the same exec_env, or raise."""
    place = h.room(f"[{UNWINDING.size} x i8]")
    h.store("ptr", "%fp", place, UNWINDING.fp)
    h.store("ptr", "%inst", place, UNWINDING.inst)
    h.store("i64", h.load("i64", "%env", EXEC_ENV.exception), place, UNWINDING.exception)
    numbers = [h.let(f"ptrtoint ptr {p} to i64") for p in (place, ip)]
    target = h.let(f"inttoptr i64 {h.service('unwind', *numbers)} to ptr")
    h.branch(h.let(f"icmp eq ptr {target}, null"), "ends", "caught")
    h.label("caught")
    inst = h.load("ptr", place, UNWINDING.inst)
    h.dispatch(target, h.load("ptr", place, UNWINDING.fp), h.load("ptr", inst, FIRST_MEMORY), inst)
    h.label("ends")
    h.store("i64", h.load("i64", place, UNWINDING.exception), "%env", EXEC_ENV.exception)
    h.store("ptr", "@rt_throw", "%env", EXEC_ENV.next_entry)
    h.do("ret void")


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
    enter_foreign(h, "%x", "%fp")


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


def count(h):
    """Add 1 to a counter of the instance."""
    increment(h, h.load("ptr", "%inst", INSTANCE_COUNTS), h.offset(0))
    h.dispatch()


def count_table(h):
    """Count which function the indirect call will call that follows, unless it traps."""
    table, index = h.load("ptr", h.instance(0)), h.index(1)
    h.branch(h.let(f"icmp ult i64 {index}, {h.load('i64', table, TABLE.length)}"), "inside", "done")
    h.label("inside")
    _count_callee(h, h.load("ptr", element_pointer(h, table, index)), 2)


def count_ref(h):
    _count_callee(h, h.value(0, "ptr"), 1)


def _count_callee(h, func, field):
    h.branch(h.let(f"icmp eq ptr {func}, null"), "done", "count")
    h.label("count")
    counts = h.load("ptr", "%inst", INSTANCE_COUNTS)
    h.do(f"call void @rt_count_call(ptr {counts}, i64 {h.offset(field)}, ptr {func})")
    h.do("br label %done")
    h.label("done")
    h.dispatch()


def element(h, table, index, trap):
    """The reference at i64 `index` of a TABLE, as a pointer."""
    h.trap(h.let(f"icmp uge i64 {index}, {h.load('i64', table, TABLE.length)}"), TRAP_CODE[trap])
    return h.load("ptr", element_pointer(h, table, index))


def element_pointer(h, table, index):
    return h.let(f"getelementptr i64, ptr {h.load('ptr', table, TABLE.elems)}, i64 {index}")


CALLS = {
    "enter": enter, "loop": loop, "return": leave, "return.s": return_slot, "call": call, "call.import": call_import,
    "call_indirect": call_indirect, "call_ref": call_ref, "restore": restore, "return_call": return_call,
    "return_call.import": return_call_import, "return_call_indirect": return_call_indirect,
    "return_call_ref": return_call_ref, "throw": throw, "throw_ref": throw_ref,
    "count": count, "count.table": count_table, "count.ref": count_ref,
}
# handlers that no form has: (the form whose fields they read, function)
HIDDEN = {"enter.hot": ("enter", enter_hot), "loop.hot": ("loop", loop_hot),
          "exit": ("return", exit_), "tail.far": ("return", tail_far), "unwind": ("return", unwind)}
