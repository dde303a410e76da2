"""Decides when functions change tier: the services that generated code calls, and the reasons."""
import ctypes

from pyjit_wasm import config
from pyjit_wasm.codegen import abi, native
from pyjit_wasm.codegen.budget import OverBudget
from pyjit_wasm.config import STEPPING
from pyjit_wasm.errors import InternalError
from pyjit_wasm.runtime import process
from pyjit_wasm.runtime.layout import BATCH, FUNC, INSTANCE_OBJECT, THREAD
from pyjit_wasm.runtime.services import provides
from pyjit_wasm.tiering import units
from pyjit_wasm.tiering.module_code import NEVER, TOO_LARGE
from pyjit_wasm.types import by_id, matches_heap


def _word(address):
    return ctypes.c_uint64.from_address(address)


def running_instance(func):
    """(instance, funcidx) of the FUNC at an address that is being called."""
    block = _word(func + FUNC.inst).value
    instance = ctypes.cast(_word(block + INSTANCE_OBJECT).value, ctypes.py_object).value
    return instance, _word(func + FUNC.host).value


@provides
def prepare(func, _from_interpreter, _):
    """A function without code is being called: make what its instance's mode wants. Arguments in memory stay there."""
    instance, funcidx = running_instance(func)
    code = instance.code
    arguments = _arguments(code.module.funcs[funcidx].comp)
    with code.lock:
        mode = code.mode_of(instance)
        if mode == "jit" and funcidx not in code.native and funcidx not in code.failed:
            code.compile_first(funcidx, "compiled before its first call (mode jit)")
        if code.threaded.get(funcidx) == TOO_LARGE:
            code.compile_too_large(funcidx)
        elif mode == "jit" and funcidx in code.native:
            pass
        elif mode != "tiered" or not code.take_compiled(funcidx):
            code.translate(funcidx)
        code.instances.add(instance)  # of garbage that a finalizer calls the weak reference is gone
        code.publish(funcidx)
    if arguments:
        ctypes.memmove(_overflow(), arguments, len(arguments))
    return 0


def _overflow():
    return _word(process.this_thread() + THREAD.overflow).value


def _arguments(functype):
    """The memory that arguments are in which do not fit registers, as bytes; Python that runs now may call wasm too."""
    _, memory = abi.split([abi.LLVM[abi.letter(t)] for t in functype.params])
    return ctypes.string_at(_overflow(), 16 * len(functype.params)) if memory else b""


@provides
def matches_type(actual, wanted, _):
    """Whether a function of one type, given by `id`, may be called as one of another (spec 4.4.8)."""
    return int(matches_heap(by_id(actual), by_id(wanted)))


@provides
def status_entry(func, *_):
    """A function without exceptions is called for the first time by one of a module that has them: provide what
    returns a status. The functions of the latter have it from the start."""
    t = native.status_trampolines(by_id(_word(func + FUNC.type_id).value).comp)
    _word(func + FUNC.status_entry).value = t.catching
    _word(func + FUNC.status_ip).value = t.call_native_code     # the last: it leads to the entry
    return 0


@provides
def tier_up(func, loop, _):
    """A countdown has come to zero, at function entry (`loop` -1) or at a loop header. The address of
    native code that takes over at the loop header, or 0: go on."""
    instance, funcidx = running_instance(func)
    code = instance.code
    if code.mode_of(instance) != "tiered":
        _word(func + FUNC.counter).value = NEVER
        return 0
    _word(func + FUNC.counter).value = config.TIER_UP_RETRY
    where = "called" if loop < 0 else f"in loop {loop}"
    reason = f"hot: {code.settings.tier_up_threshold} calls and loop iterations, the last {where}"
    done = code.native if loop < 0 else code.loops
    if funcidx not in done and funcidx not in code.failed:
        if code.settings.background:
            compile_later(code, funcidx, loop >= 0, reason)
        else:
            try:
                compile_hot(code, funcidx, loop >= 0, reason)
            except (InternalError, OverBudget, MemoryError) as error:    # the guest goes on interpreted
                code.failed[funcidx] = f"{type(error).__name__}: {error}"
    return code.loops.get(funcidx, 0) if loop >= 0 else 0


@provides
def prepare_batch(site, *_):
    """A function is called for many elements of arrays: the address of a native loop over them, or 0 if each is
    to be a call, until its instance's mode changes."""
    instance, funcidx = running_instance(_word(site + BATCH.func).value)
    code = instance.code
    if code.mode_of(instance) == "interp" or code.status:
        _word(site + BATCH.left).value = NEVER
        return 0
    with code.lock:
        if funcidx not in code.batches:
            try:
                code.compile(units.over_arrays(code, funcidx), "called for arrays")
            except (OverBudget, MemoryError):
                _word(site + BATCH.left).value = NEVER
                return 0
        _word(site + BATCH.code).value = code.batches[funcidx]
    return code.batches[funcidx]


def compile_hot(code, funcidx, in_loop, reason, compile=None):
    """Compile a hot function with what it calls, or what takes over in its loops if it is running one."""
    if funcidx not in (code.loops if in_loop else code.native):
        code.compile(units.inside(code, funcidx) if in_loop else units.around(code, funcidx), reason, compile)


def compile_later(code, funcidx, in_loop, reason):
    """The same in the background."""
    if (funcidx, in_loop) not in code.waiting:
        from pyjit_wasm.tiering.queue import queue  # threads are imported when the first is needed

        queue.request(code, (funcidx, in_loop), lambda compile: compile_hot(code, funcidx, in_loop, reason, compile))


class Tier(str):
    """Where a function is: "interp", "native" or "host"; `.why` says how it came there."""

    why: str

    def __new__(cls, tier: str, why: str):
        self = super().__new__(cls, tier)
        self.why = why
        return self

    def __repr__(self):
        return f"<Tier {str(self)}: {self.why}>"


def tier(instance, funcidx):
    """The Tier of a function of an instance."""
    code = instance.code
    mode = code.mode_of(instance)
    if mode != "interp" and funcidx in code.native:
        return Tier("native", code.reasons[funcidx])
    if code.threaded.get(funcidx) == TOO_LARGE:
        return Tier("native", code.reasons.get(funcidx, "its frame is too large for the interpreter"))
    if mode == "jit" and funcidx not in code.failed:
        return Tier("native", "not called yet: compiled before its first call (mode jit)")
    if funcidx not in code.threaded:
        return Tier("interp", "not called yet")
    if mode == "interp":
        return Tier("interp", f"mode {instance.mode}, single steps" if code.variant == STEPPING else "mode interp")
    if funcidx in code.failed:
        return Tier("interp", f"compilation failed: {code.failed[funcidx]}")
    if {(funcidx, False), (funcidx, True)} & code.waiting:
        return Tier("interp", "hot, being compiled")
    if funcidx in code.loops:
        return Tier("interp", "its loops go on in native code, its calls are not hot yet")
    left = _word(instance.func_address(funcidx) + FUNC.counter).value
    return Tier("interp", f"{left} calls or loop iterations until it is hot")
