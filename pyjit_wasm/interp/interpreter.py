"""The interpreter's handlers, loaded: one set with guard pages, one with explicit bounds checks."""
import bisect
import weakref

from pyjit_wasm.codegen import guest_calls, native, objects
from pyjit_wasm.config import PLAIN
from pyjit_wasm.runtime import arena, arrivals, libc, loader, process, trace
from pyjit_wasm.runtime.layout import RUNTIME


class _Handlers(dict):
    """{form name: address}. The handlers of vector forms are loaded when the first is wanted."""

    def __init__(self, load_vectors):
        super().__init__()
        self.load_vectors = load_vectors

    def __missing__(self, name):
        with native.loading:
            if name not in self:
                self.load_vectors()
        return self[name]


class Interpreter:
    """`handlers`: {form name: address}."""

    is_handlers, is_native = True, False

    def __init__(self, explicit):
        native.load_support()
        self._explicit, self._objects, self._addresses = explicit, [], []
        self.handlers = _Handlers(self._load_vectors)
        self._load(handlers_object(explicit), RUNTIME.checked_lo if explicit else RUNTIME.handlers_lo)
        native.set_handlers(self.handlers["exit"], self.handlers["unwind"])

    def _load_vectors(self):
        self._load(vectors_object(self._explicit), RUNTIME.checked_vectors_lo if self._explicit else RUNTIME.vectors_lo)

    def _load(self, description, word):
        """Load handlers, which may link against those there are; note their range in two runtime words."""
        laid_out = objects.build(*description, native.use_cache)
        linkable = {f"h.{name}": address for name, address in self.handlers.items()}
        loaded = loader.load(laid_out, arena.guest, guest_calls.support(native.externals) | linkable,
                             arrivals.Origin("interp"), guest_calls.of_handlers)
        self._objects.append(loaded)
        symbols = {name[2:]: a for name, a in loaded.symbols.items() if name.startswith("h.")}
        self._addresses = sorted((*self._addresses, *symbols.values()))
        start, end = loaded.text
        process.put(word, start)
        process.put(word + 8, end)
        if not self._explicit:  # only here can handlers fault
            trace.register(weakref.ref(self), start, end)
        self.handlers.update(symbols)

    def handler_at(self, address):
        """Address of the handler that a pc is in."""
        return self._addresses[bisect.bisect(self._addresses, address) - 1]

    def translate(self, module, funcidx, layout, variant=PLAIN):
        """ThreadedCode of a function, in a variant (see `tiering.module_code`). Raises FrameTooLarge."""
        from pyjit_wasm.interp import threaded  # not needed where everything is compiled

        return threaded.translate(module, funcidx, layout, self.handlers, variant)


def handlers_object(explicit):
    """The first arguments of `objects.build` for the handlers."""
    return "handlers", str(explicit), lambda: _sources().source(explicit), "code"


def vectors_object(explicit):
    """The same for those of vector forms."""
    return "vectors", str(explicit), lambda: _sources().vector_source(explicit), "code"


def _sources():
    from pyjit_wasm.interp import handlers

    return handlers


_loaded = {}


def interpreter(explicit):
    """The Interpreter for a kind of bounds checking; loaded on first use, for the life of the process."""
    if explicit not in _loaded:
        with native.loading:
            if explicit not in _loaded:
                _loaded[explicit] = libc.permanent(Interpreter(explicit))
    return _loaded[explicit]


def loaded_bytes():
    """Bytes of all handlers that are loaded."""
    return sum(loaded.size for interpreter in _loaded.values() for loaded in interpreter._objects)


def restore_handlers():
    """Addresses of the handlers that calls into other instances return to."""
    return [loaded.handlers["restore"] for loaded in _loaded.values()]
