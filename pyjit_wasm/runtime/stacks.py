"""Call stacks of threads that are in the middle of wasm: what runs, and what waits for the host.

Generated code writes them as words (`codegen.unwinding`, `rt_outer`): code addresses, innermost first, and before each stack
that waits for the host 0, the FUNC of the host function, which is 0 for the runtime itself, and the number of the Python
stack below (`runtime.samples`), 0 if nobody has asked for it.
"""
import ctypes

from pyjit_wasm import config
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.errors import Frame, HostFrame
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.runtime import process, trace
from pyjit_wasm.runtime.layout import RUNTIME
from pyjit_wasm.runtime.store import host_functions

_CALLS = [BY_NAME[name].code for name in ("call", "return_call")]


def here():
    """The words of this thread, which waits for Python."""
    words = (ctypes.c_uint64 * (config.SAMPLE_DEPTH + 4))()
    walk = ctypes.PYFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(process.get(RUNTIME.stack))
    return words[:walk(ctypes.addressof(words), config.SAMPLE_DEPTH)]


class Stack:
    """One stack of wasm: `func`, what it waits for, 0 for the runtime, None if it runs; `python`, the number of the Python
    stack that called it; `found`, its code addresses with their owners."""

    __slots__ = ("func", "python", "found")

    def __init__(self, func, python, addresses):
        self.func, self.python = func, python
        self.found = trace.owners(addresses, func is None)

    def places(self):
        """(owner, (funcidx, name, byte offset)) of wasm functions, innermost first."""
        return list(trace.places(self.found, self.func is None))

    def host_name(self, places):
        """The name of the host function it waits for, as the caller's module imports it; None if it waits for none, or for the
        runtime."""
        if not self.func:
            return None
        if places:
            owner, (_, _, offset) = places[0]
            imported = _called(owner.module, offset)
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
        places = stack.places()
        name = stack.host_name(places)
        found += [HostFrame(name)] * (name is not None)
        found += [Frame(*place) for _, place in places]
    return tuple(found)


def _called(module, offset):
    """The imported function that the instruction at a byte offset calls, or None."""
    if module.data[offset] not in _CALLS:
        return None
    funcidx = Reader(module.data, offset + 1, module.types).u32()
    return funcidx if funcidx < module.imported_funcs else None
