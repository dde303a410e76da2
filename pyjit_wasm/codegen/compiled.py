"""A compile unit in memory: entry addresses, and the way back from its addresses to wasm."""
import bisect
import functools
import re
import weakref

from pyjit_wasm.codegen import guest_calls, native
from pyjit_wasm.codegen.unit import LOOP, OUTER
from pyjit_wasm.runtime import arena, loader, trace

_FUNCTION = re.compile(r"(f|osr|entry|batch)(\d+)")
_KINDS = {"f": "jit", "entry": "jit entry", "osr": "jit loop", "batch": "jit array loop"}


class _Origin:
    """What the functions of a unit are for people: see `runtime.arrivals`."""

    def __init__(self, module):
        self.module = module

    def title(self, symbol, symbols):
        """A function that is inlined in its only entry is what there is of it."""
        found = _FUNCTION.match(symbol)
        if found is None:
            return symbol, _KINDS["f"]
        kind = "f" if found[1] == "entry" and f"f{found[2]}" not in symbols else found[1]
        return self.module.function_name(int(found[2])), _KINDS[kind]

    def head(self, symbol):
        """A byte offset in front of the instructions of a symbol's function, None if it is no function of the module."""
        found = _FUNCTION.match(symbol)
        return self.module.codes[int(found[2]) - self.module.imported_funcs].start - 1 if found else None


class CompiledUnit:
    """`module`, `entries` {funcidx: address of native code}, `loops` {funcidx: address of what takes over at its loops},
    `batches` {funcidx: address of its loop over arrays}, `members` the functions compiled in it, `bytes` of code and
    constants, `object_bytes` of the object file, which has the debug information."""

    is_handlers, is_native = False, True

    def __init__(self, unit, laid_out):
        self._loaded = loader.load(laid_out, arena.guest, guest_calls.support(native.externals), _Origin(unit.module),
                                   guest_calls.of_units)
        self.module, self._lines = unit.module, None
        symbols = self._loaded.symbols
        self.members, self.bytes, self.object_bytes = unit.members, self._loaded.size, len(laid_out.data)
        self.entries = {f: symbols[f"entry{f}"] for f in unit.entries}
        self.loops = {f: symbols[f"osr{f}"] for f in unit.osr}
        self.batches = {f: symbols[f"{LOOP}{f}"] for f in unit.batches}
        self._start = self._loaded.text[0]
        trace.register(weakref.ref(self), *self._loaded.text)

    def __del__(self, unregister=trace.unregister):
        if hasattr(self, "_start"):
            unregister(self._start)

    @functools.cached_property
    def _functions(self):
        """[(address, symbol)] of functions, sorted. Copies that LLVM has specialised have the symbol of what they are of."""
        found = ((address, _FUNCTION.match(name)) for name, address in self._loaded.symbols.items())
        return sorted((address, match[0]) for address, match in found if match)

    def frames_at(self, address, exact):
        """[(funcidx, name, wasm byte offset)], innermost first, of the call before a return address."""
        if self._lines is None:
            from pyjit_wasm.codegen.lines import Lines

            self._lines = Lines(self._loaded.object, self._loaded.places)
        _, symbol = self._functions[bisect.bisect(self._functions, (address, "")) - 1]
        name = symbol if symbol.startswith(OUTER) else symbol.lstrip("fosr")
        places = self._lines.lookup(address - 1 - self._start, name)
        places = [self._inside(int(f), offset) for f, offset in places if not f.startswith(OUTER)]
        if exact and not places:
            places = [self._start_of(symbol)]
        return [(f, self.module.function_name(f), offset) for f, offset in places]

    def _inside(self, funcidx, offset):
        """A place; code that makes a frame belongs to no instruction, and is at the function's start."""
        code = self.module.codes[funcidx - self.module.imported_funcs]
        return funcidx, offset if code.start <= offset < code.end else code.start

    def _start_of(self, symbol):
        """The function that a symbol belongs to and its first instruction: for code without a place, as that of an empty
        endless loop."""
        funcidx = int(symbol.lstrip("abcdefghijklmnopqrstuvwxyz"))
        return funcidx, self.module.codes[funcidx - self.module.imported_funcs].start
