"""Threaded code of large modules, kept on disk as `tiering.kept_code` has it."""
import ctypes
import struct
from array import array

from pyjit_wasm.codegen import native
from pyjit_wasm.frames.operands import Attempt, Label
from pyjit_wasm.interp import threaded
from pyjit_wasm.interp.interpreter import interpreter
from pyjit_wasm.runtime import freed, trace
from pyjit_wasm.tiering.kept_code import Kept, read, write

_WORD = struct.Struct("<Q")
_WORTH_WRITING = 20     # an entry is written again when a function in so many is new


class KeptThreaded(Kept):
    """Threaded code. The entry: names of handlers, code, starts and byte offsets of all instructions, and of each function
    (funcidx, bytes of code, number of instructions, loops, attempts). In the code the number of a handler's name has the place of
    its address. `new` has ThreadedCodes."""

    def __init__(self, code):
        self._handlers = interpreter(code.explicit).handlers
        super().__init__(code, "threaded", code.digest + str(code.explicit).encode(), _add, self._handlers)

    def recall(self, code, without):
        """The ThreadedCodes of a ModuleCode that are kept, but for functions `without` which it can do."""
        found = self.take()
        if found is None:
            return []
        names, data, starts, offsets, functions = found
        buffer = freed.characters(data)
        starts, offsets = array("I", starts), array("I", offsets)
        addresses = (ctypes.c_uint64 * len(names))(*[self._handlers[name] for name in names])
        relocate = ctypes.PYFUNCTYPE(None, *[ctypes.c_uint64] * 4)(native.load_support()["rt_relocate"])
        first_start, to = starts.buffer_info()[0], ctypes.addressof(addresses)
        starts, offsets = memoryview(starts), memoryview(offsets)
        place, first, recalled = ctypes.addressof(buffer), 0, []
        for funcidx, size, count, loops, attempts in functions:
            if funcidx not in without:
                relocate(place, first_start + 4 * first, to, count)
                recalled.append(threaded.ThreadedCode(
                    code.module, funcidx, code.layout, buffer, place - ctypes.addressof(buffer), size,
                    starts[first:first + count], offsets[first:first + count], loops, _attempts(attempts)))
            place, first = place + size, first + count
        trace.register_all([made.range for made in recalled])
        return recalled


def _add(name, new, handlers):
    names, data, starts, offsets, functions = read(name) or ([], b"", b"", b"", [])
    known = {function[0] for function in functions}
    new = [made for made in new if made.funcidx not in known]
    if not new or len(new) * _WORTH_WRITING < len(known):
        return
    numbers = {handler: number for number, handler in enumerate(names)}
    by_address = {address: handler for handler, address in handlers.items()}
    data, starts, offsets = [data], [starts], [offsets]
    for made in new:
        code = bytearray(made.buffer)
        for start in made.starts:
            handler = by_address[_WORD.unpack_from(code, start)[0]]
            _WORD.pack_into(code, start, numbers.setdefault(handler, len(numbers)))
        code += bytes(-len(code) % 8)
        data.append(bytes(code))
        starts.append(made.starts.tobytes())
        offsets.append(made.offsets.tobytes())
        functions.append((made.funcidx, len(code), len(made.starts), made.loops, _plain(made.attempts)))
    write(name, (list(numbers), *map(b"".join, (data, starts, offsets)), functions))


def _plain(attempts):
    """Attempts as numbers: (start, end, place of the outer one in the list or None, clauses)."""
    places = {id(attempt): place for place, attempt in enumerate(attempts)}
    return [(attempt.start, attempt.end, places.get(id(attempt.outer)),
             [(tagidx, label.position, payload, reference) for tagidx, label, payload, reference in attempt.clauses])
            for attempt in attempts]


def _attempts(plain):
    """Attempts again; outer ones come first."""
    made = []
    for start, end, outer, clauses in plain:
        attempt = Attempt(start, None if outer is None else made[outer])
        attempt.end = end
        attempt.clauses = [(tagidx, Label(position), payload, reference) for tagidx, position, payload, reference in clauses]
        made.append(attempt)
    return made
