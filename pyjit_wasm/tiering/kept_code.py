"""What earlier runs made of a large module's functions, kept on disk as a whole: a program that is run again starts with it.

An entry of the cache has the threaded code that was translated of one module for one kind of handlers, another one the
units that were compiled with the same settings. The first instance takes in all of it, so both have only functions that were
called in some run. What is new is added when the ModuleCode dies, or at exit, until an entry is as large as it may be. (Objects of units are in the cache one by one
too: that is for functions that no run has called, and for runs that end by a signal.)
"""
import ctypes
import marshal
import struct
import weakref
from array import array

from pyjit_wasm import config
from pyjit_wasm.codegen import cache, native, objects
from pyjit_wasm.frames.operands import Attempt, Label
from pyjit_wasm.interp import threaded
from pyjit_wasm.interp.interpreter import interpreter
from pyjit_wasm.runtime import trace
from pyjit_wasm.runtime.elf import Object

_WORD = struct.Struct("<Q")
_WORTH_WRITING = 20     # an entry is written again when a function in so many is new


class _Kept:
    """The entry `name`; `new` is written with what is there already by `write`, a function of both."""

    def __init__(self, code, kind, identity, write, *arguments):
        self.name, self.new, self._taken = objects.entry(kind, identity), [], False
        weakref.finalize(code, write, self.name, self.new, *arguments)

    def take(self):
        """What is kept, the first time; None later and if there is nothing."""
        if self._taken:
            return None
        self._taken = True
        return _read(self.name)


def _read(name):
    data = cache.fetch(name)
    return None if data is None else marshal.loads(data)


def _write(name, content):
    data = marshal.dumps(content)
    if len(data) <= config.KEPT_MOST:
        cache.store(name, data)


class KeptThreaded(_Kept):
    """Threaded code. The entry: names of handlers, code, starts and byte offsets of all instructions, and of each function
    (funcidx, bytes of code, number of instructions, loops, attempts). In the code the number of a handler's name has the place of
    its address. `new` has ThreadedCodes."""

    def __init__(self, code):
        self._handlers = interpreter(code.explicit).handlers
        super().__init__(code, "threaded", code.digest + str(code.explicit).encode(), _write_threaded, self._handlers)

    def recall(self, code, without):
        """The ThreadedCodes of a ModuleCode that are kept, but for functions `without` which it can do."""
        found = self.take()
        if found is None:
            return []
        names, data, starts, offsets, functions = found
        buffer = ctypes.create_string_buffer(data, len(data))
        starts, offsets = array("I", starts), array("I", offsets)
        addresses = (ctypes.c_uint64 * len(names))(*[self._handlers[name] for name in names])
        relocate = ctypes.PYFUNCTYPE(None, *[ctypes.c_uint64] * 4)(native.load_support()["rt_relocate"])
        first_start, to = starts.buffer_info()[0], ctypes.addressof(addresses)
        starts, offsets = memoryview(starts), memoryview(offsets)
        place, first, recalled = ctypes.addressof(buffer), 0, []
        for funcidx, size, count, loops, attempts in functions:
            if funcidx not in without:
                relocate(place, first_start + 4 * first, count, to)
                recalled.append(threaded.ThreadedCode(
                    code.module, funcidx, code.layout, buffer, place - ctypes.addressof(buffer), size,
                    starts[first:first + count], offsets[first:first + count], loops, _attempts(attempts)))
            place, first = place + size, first + count
        trace.register_all([made.range for made in recalled])
        return recalled


def _write_threaded(name, new, handlers):
    names, data, starts, offsets, functions = _read(name) or ([], b"", b"", b"", [])
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
    _write(name, (list(numbers), *map(b"".join, (data, starts, offsets)), functions))


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


class KeptNative(_Kept):
    """Compiled units. The entry: (plan as ModuleCode.unit takes it, the reason, the fields of the elf.Object) of each. `new` has
    such too."""

    def __init__(self, code):
        super().__init__(code, "native", code.native_identity, _write_native)

    def recall(self):
        """[(plan, reason, elf.Object)] of what is kept."""
        return [(plan, reason, Object(*fields)) for plan, reason, fields in self.take() or ()]


def _write_native(name, new):
    kept = _read(name) or []
    known = {plan for plan, _, _ in kept}
    new = [unit for unit in new if unit[0] not in known]
    if new:
        _write(name, kept + new)
