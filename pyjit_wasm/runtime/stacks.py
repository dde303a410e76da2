"""Call stacks of threads that are in the middle of wasm: what runs, and what waits for the host.

Generated code writes them as words (`codegen.unwinding`, `rt_outer`): code addresses, innermost first, and before each stack
that waits for the host 0, the FUNC of the host function, which is 0 for the runtime itself, and the number of the Python
stack below (`runtime.samples`), 0 if nobody has asked for it.
"""
import ctypes

from pyjit_wasm import config
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.errors import HostFrame
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.runtime import process, trace
from pyjit_wasm.runtime.layout import ACTIVATION, ENTRY, EXEC_ENV, FRAME, INSTANCE_OBJECT, RUNTIME, THREAD
from pyjit_wasm.runtime.services import serve
from pyjit_wasm.runtime.store import host_functions

_CALLS = [BY_NAME[name].code for name in ("call", "return_call")]


def here():
    """The words of this thread, which waits for Python."""
    words = (ctypes.c_uint64 * (config.SAMPLE_DEPTH + 4))()
    walk = ctypes.PYFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(process.get(RUNTIME.stack))
    return words[:walk(ctypes.addressof(words), config.SAMPLE_DEPTH)]


class Stack:
    """One stack of wasm: `func`, what it waits for, 0 for the runtime, None if it runs; `code`, of what that is in Python,
    if it is; `python`, the number of the Python stack that called the wasm; `found`, its code addresses with their owners."""

    __slots__ = ("func", "code", "python", "found")

    def __init__(self, func, python, addresses):
        self.func, self.python = func, python
        host = host_functions.get(func).keep if func in host_functions else None if func else serve
        self.code = getattr(getattr(host, "__func__", host), "__code__", None)
        self.found = trace.owners(addresses, func is None)

    def calls(self):
        """(owner, trace.Call) of its addresses, innermost first."""
        return list(trace.calls(self.found, self.func is None))

    def host_name(self, calls):
        """The name of the host function it waits for, as the caller's module imports it; None if it waits for none, or for the
        runtime."""
        if not self.func:
            return None
        owner, place = next(((owner, call.places[0]) for owner, call in calls if call.places), (None, None))
        if owner is not None:
            imported = _called(owner.module, place[2])
            if imported is not None:
                return owner.module.function_name(imported)
        function = host_functions.get(self.func)
        return function.name if function else "host function"


def split(words, python=0):
    """The Stacks of words, innermost first; `python`: the number of the Python stack below one that runs."""
    words, stacks, start = [*words, 0], [], words.index(0) if 0 in words else len(words)
    if start:
        stacks.append(Stack(None, python, words[:start]))
    while start + 3 < len(words):
        end = words.index(0, start + 3)
        stacks.append(Stack(words[start + 1], words[start + 2], words[start + 3:end]))
        start = end
    return stacks


def frames(words):
    """Frames and HostFrames, innermost first."""
    found = []
    for stack in split(words):
        calls = stack.calls()
        name = stack.host_name(calls)
        found += [HostFrame(name)] * (name is not None)
        for owner, call in calls:
            found += trace.resolved(owner, call)
    return tuple(found)


def in_buffer(env):
    """Frames of the functions that have one in the stack buffer of an ExecEnv, innermost first: interpreted ones, and compiled
    ones where that is wanted. It must not be running in another thread."""
    found = [*(frame for fp in exits(env) for frame in _interpreted(fp)), *_compiled(env.get(EXEC_ENV.frame))]
    return tuple(frame for _, frame in sorted(found, key=lambda entry: -entry[0]))


def exits(env):
    """Addresses of the frames through which the activations of the interpreter in an ExecEnv have called out, innermost
    first: of a function that was called, or of the one that asked a service."""
    activations, thread = [(env.get(EXEC_ENV.activation), env.get(EXEC_ENV.exit_fp))], env.thread
    entry = _word(thread + THREAD.entry) if thread else 0
    while entry:
        if _word(entry + ENTRY.env) == env.address:
            activations.append((_word(entry + ENTRY.activation), _word(entry + ENTRY.exit_fp)))
        entry = _word(entry + ENTRY.previous)
    for activation, fp in activations:
        while activation:
            yield fp
            activation, fp = _word(activation + ACTIVATION.previous), _word(activation + ACTIVATION.exit_fp)


def _interpreted(fp):
    """(address, Frame) of an activation's frames from that which called out on."""
    while True:
        caller = _word(fp + FRAME.caller_fp)
        if not caller:
            return
        for frame in trace.source_frames(trace.owners([_word(fp + FRAME.return_ip)], False), False):
            yield caller, frame
        fp = caller


def _compiled(frame):
    """(address, Frame) of the BUFFER_FRAMEs from one on."""
    while frame:
        previous, inst, funcidx, offset = (ctypes.c_uint64 * 4).from_address(frame)
        module = ctypes.cast(_word(inst + INSTANCE_OBJECT), ctypes.py_object).value.module
        for found in trace.in_source(module, funcidx, module.function_name(funcidx), offset):
            yield frame, found
        frame = previous


def _word(address):
    return ctypes.c_uint64.from_address(address).value


def _called(module, offset):
    """The imported function that the instruction at a byte offset calls, or None."""
    if module.data[offset] not in _CALLS:
        return None
    funcidx = Reader(module.data, offset + 1, module.types).u32()
    return funcidx if funcidx < module.imported_funcs else None
