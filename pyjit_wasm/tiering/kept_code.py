"""Threaded code of large modules, kept on disk: a program that is run again need not be translated again.

An entry of the cache holds what was translated of one module, by one kind of handlers: {funcidx: (code, starts of the
instructions in it, their byte offsets in the module, how many loops)}. In the code the place of a handler's address has
the number of its name. Functions that catch exceptions are not kept.
"""
import marshal
import struct
import weakref
from array import array

from pyjit_wasm.codegen import cache, objects
from pyjit_wasm.interp import threaded
from pyjit_wasm.interp.interpreter import interpreter

_WORD = struct.Struct("<Q")
_WORTH_WRITING = 50     # functions


class KeptCode:
    """The kept code of `code`, a ModuleCode, in the cache's entry `name`. What is translated is written when that dies, or at
    exit."""

    def __init__(self, code):
        self._module, self._layout = code.module, code.layout
        self._handlers = interpreter(code.explicit).handlers
        self.name = objects.entry("threaded", code.digest + str(code.explicit).encode())
        self.names, self._found, self._new = [], {}, {}
        self._read()
        weakref.finalize(code, _write, self.name, self.names, self._found, self._new, self._handlers)

    def _read(self):
        data = cache.fetch(self.name)
        if data is not None:
            names, found = marshal.loads(data)
            self.names += names
            self._found.update(found)

    def get(self, funcidx):
        """The ThreadedCode of a function, or None."""
        kept = self._found.get(funcidx)
        if kept is None:
            return None
        code, starts, offsets, loops = bytearray(kept[0]), array("I", kept[1]), array("I", kept[2]), kept[3]
        for start in starts:
            number, = _WORD.unpack_from(code, start)
            _WORD.pack_into(code, start, self._handlers[self.names[number]])
        return threaded.ThreadedCode(self._module, funcidx, self._layout, code, starts, offsets, loops, ())

    def note(self, funcidx, made):
        """Keep what has been translated."""
        if not made.attempts:
            self._new[funcidx] = made


def _write(name, names, found, new, handlers):
    if len(new) < _WORTH_WRITING:
        return
    numbers = {handler: number for number, handler in enumerate(names)}
    by_address = {address: handler for handler, address in handlers.items()}
    for funcidx, made in new.items():
        code = bytearray(made.buffer)
        for start in made.starts:
            handler = by_address[_WORD.unpack_from(code, start)[0]]
            _WORD.pack_into(code, start, numbers.setdefault(handler, len(numbers)))
        found[funcidx] = bytes(code), made.starts.tobytes(), made.offsets.tobytes(), made.loops
    cache.store(name, marshal.dumps((list(numbers), found)))
