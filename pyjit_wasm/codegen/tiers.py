"""Trampolines between the tiers. One set for all signatures, for functions that are not ready yet:

  rt_lazy, rt_lazy_status    native code to such a function, without a status and with one
  rt_prepare                 interpreted code to such a function (an interpreter handler)

and of one signature, with a status or without (`codegen.statuses`):

  to_interp     native code to an interpreted function
  call_native   interpreted code to native code          (an interpreter handler)
  tail_native   what is left of an activation to native code that it tail-called
"""
from pyjit_wasm.codegen.abi import HANDLER_PARAMS, NATIVE, all_registers
from pyjit_wasm.codegen.probes import PROBED
from pyjit_wasm.codegen.text import Function
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import ACTIVATION, EXEC_ENV, FIRST_MEMORY, FRAME, FUNC, SERVICE


def not_ready():
    """Have code made, then go on in it. Arguments stay in the registers that any signature may have them in; the service
    keeps those in memory."""
    return _lazy("rt_lazy", FUNC.entry) + _lazy("rt_lazy_status", FUNC.status_entry) + _prepare()


def _lazy(name, entry):
    registers = "".join(f", {type} %r{i}" for i, type in enumerate(all_registers()))
    f = Function(f"{NATIVE} void", name, "ptr nest %func, ptr %env, ptr %inst" + registers)
    _ask(f, "%func")
    target = f.load("ptr", "%func", entry)
    f.do(f"musttail call {NATIVE} void {target}(ptr nest %func, ptr %env, ptr %inst{registers})")
    f.do("ret void")
    return str(f)


def _prepare():
    f = Function("preserve_nonecc void", "rt_prepare", HANDLER_PARAMS)
    f.store("ptr", f.at("%fp", FRAME.size), "%env", EXEC_ENV.top)
    f.store("ptr", "%fp", "%env", EXEC_ENV.exit_fp)
    _ask(f, "%x")
    ip = f.load("ptr", "%x", FUNC.ip)
    f.do(f"musttail call preserve_nonecc void {f.load('ptr', ip)}(ptr {ip}, ptr %fp, ptr %mem, ptr %env, ptr %inst, ptr %x)")
    f.do("ret void")
    return str(f)


def _ask(f, func):
    number = f.let(f"ptrtoint ptr {func} to i64")
    f.do(f"call i64 @rt_service(ptr %env, i64 {SERVICE['prepare']}, i64 {number}, i64 0, i64 0)")


def to_interp(s):
    """Put a frame into the stack buffer, mark the boundary, run handlers until they return here."""
    f = s.native("to_interp")
    activation = f.let(f"alloca [{ACTIVATION.size} x i8], align 8")
    top = f.load("ptr", "%env", EXEC_ENV.top)
    fp = f.at(top, s.header)
    end = f.at(fp, FRAME.size)
    f.unlikely(f.let(f"icmp ugt ptr {end}, {f.load('ptr', '%env', EXEC_ENV.stack_end)}"), "exhausted")
    s.to_frame(f, fp, s.names, "params")
    f.store("ptr", "@exit_code", fp, FRAME.return_ip)
    f.store("ptr", "null", fp, FRAME.caller_fp)
    previous, exit_fp = f.load("ptr", "%env", EXEC_ENV.activation), f.load("ptr", "%env", EXEC_ENV.exit_fp)
    f.store("ptr", previous, activation, ACTIVATION.previous)
    f.store("ptr", exit_fp, activation, ACTIVATION.exit_fp)
    f.store("ptr", f.let("call ptr @llvm.frameaddress.p0(i32 0)"), activation, ACTIVATION.frame)
    f.store("ptr", activation, "%env", EXEC_ENV.activation)
    ip = f.load("ptr", "%func", FUNC.ip)
    mem = f.load("ptr", "%inst", FIRST_MEMORY)
    f.do(f"call preserve_nonecc void {f.load('ptr', ip)}(ptr {ip}, ptr {fp}, ptr {mem}, ptr %env, ptr %inst, "
         "ptr %func)")
    f.store("ptr", previous, "%env", EXEC_ENV.activation)
    f.store("ptr", exit_fp, "%env", EXEC_ENV.exit_fp)
    f.store("ptr", top, "%env", EXEC_ENV.top)
    following = f.load("ptr", "%env", EXEC_ENV.next_entry)
    f.unlikely(f.let(f"icmp ne ptr {following}, null"), "tail")
    s.give_back(f, s.from_frame(f, fp, "results"))
    f.label("tail")
    f.store("ptr", "null", "%env", EXEC_ENV.next_entry)
    f.branch(f.let(f"icmp eq ptr {following}, @rt_throw"), "thrown", "called")
    f.label("thrown")
    if s.status:
        exn = f.load("i64", "%env", EXEC_ENV.exception)
        f.store("i64", "0", "%env", EXEC_ENV.exception)
        s.give_back(f, None, exn)
    else:
        f.do("call void @rt_throw(ptr %env)")
        f.do("unreachable")
    f.label("called")
    s.tail_call(f, f"{following}(ptr %env)")
    f.label("exhausted")
    f.do(f"call void @rt_trap(ptr %env, i64 {TRAP_CODE['call stack exhausted']})")
    f.do("unreachable")
    return str(f)


def tail_native(s):
    """Call the native function that an activation ended with, in its place: arguments are in the frame."""
    f = Function(f"{NATIVE} {s.result}", "tail_native", "ptr %env", PROBED)
    func, fp = f.load("ptr", "%env", EXEC_ENV.next_func), f.load("ptr", "%env", EXEC_ENV.next_fp)
    values = s.from_frame(f, fp, "params")
    entry, inst = f.load("ptr", func, s.entry), f.load("ptr", func, FUNC.inst)
    s.tail_call(f, f"{entry}(ptr nest {func}, ptr %env, ptr {inst}{s.pass_arguments(f, values)})")
    return str(f)


def call_native(s):
    """The handler a FUNC's `ip` leads to while its `entry` is native: %x is the FUNC, %fp its frame. The outermost
    frame of an activation ends it: `to_interp` calls native code in its own place."""
    f = Function("preserve_nonecc void", "call_native", HANDLER_PARAMS, PROBED)
    f.unlikely(f.let(f"icmp eq ptr {f.load('ptr', '%fp', FRAME.caller_fp)}, null"), "outermost")
    f.store("ptr", f.at("%fp", FRAME.size), "%env", EXEC_ENV.top)
    f.store("ptr", "%fp", "%env", EXEC_ENV.exit_fp)
    values = s.call(f, "%x", "%env", s.from_frame(f, "%fp", "params"))
    if s.status:
        status = s.status_of(f, values)
        f.unlikely(f.let(f"icmp ne i64 {status}, 0"), "thrown")
    s.to_frame(f, "%fp", values, "results")
    ip, fp = f.load("ptr", "%fp", FRAME.return_ip), f.load("ptr", "%fp", FRAME.caller_fp)
    f.do(f"musttail call preserve_nonecc void {f.load('ptr', ip)}(ptr {ip}, ptr {fp}, ptr %mem, ptr %env, ptr %inst, "
         "ptr %x)")
    f.do("ret void")
    if s.status:
        f.label("thrown")
        f.store("i64", status, "%env", EXEC_ENV.exception)
        f.do(f"musttail call preserve_nonecc void {f.load('ptr', '@unwind_code')}(ptr @unwind_code, ptr %fp, ptr %mem, "
             "ptr %env, ptr %inst, ptr %x)")
        f.do("ret void")
    f.label("outermost")
    f.store("ptr", "@tail_native", "%env", EXEC_ENV.next_entry)
    f.store("ptr", "%x", "%env", EXEC_ENV.next_func)
    f.store("ptr", "%fp", "%env", EXEC_ENV.next_fp)
    f.do("ret void")
    return str(f)


def between_tiers(s):
    return to_interp(s), tail_native(s), call_native(s)
