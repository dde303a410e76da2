"""The interpreter's handlers, loaded: one set with guard pages, one with explicit bounds checks."""
import bisect
import ctypes
import weakref

from pyjit_wasm.codegen import native, objects
from pyjit_wasm.runtime import arena, loader, process, trace
from pyjit_wasm.runtime.layout import RUNTIME


class Interpreter:
    """`handlers`: {form name: address}; `prepare_code`: threaded code of functions without code yet."""

    is_handlers, is_native = True, False

    def __init__(self, explicit):
        native.load_support()
        data = objects.build("handlers", str(explicit), lambda: _source(explicit), "code", native.use_cache)
        self._loaded = loader.load(data, arena.guest, native.externals)
        symbols = {name[2:]: a for name, a in self._loaded.symbols.items() if name.startswith("h.")}
        self.handlers = symbols
        self._addresses = sorted(symbols.values())
        self._code = (ctypes.c_uint64 * 1)(symbols["prepare"])
        self.prepare_code = ctypes.addressof(self._code)
        native.set_handlers(symbols["exit"], symbols["unwind"])
        start, end = self._loaded.text
        if not explicit:  # only here can handlers fault
            process.put(RUNTIME.handlers_lo, start)
            process.put(RUNTIME.handlers_hi, end)
            trace.register(weakref.ref(self), start, end)

    def handler_at(self, address):
        """Address of the handler that a pc is in."""
        return self._addresses[bisect.bisect(self._addresses, address) - 1]

    def translate(self, module, funcidx, layout):
        """ThreadedCode of a function. Raises FrameTooLarge."""
        from pyjit_wasm.interp import threaded  # not needed where everything is compiled

        return threaded.translate(module, funcidx, layout, self.handlers)


def _source(explicit):
    from pyjit_wasm.interp import handlers

    return handlers.source(explicit)


_loaded = {}


def interpreter(explicit):
    """The Interpreter for a kind of bounds checking; loaded on first use, for the life of the process."""
    if explicit not in _loaded:
        with native.loading:
            if explicit not in _loaded:
                _loaded[explicit] = Interpreter(explicit)
    return _loaded[explicit]


def restore_handlers():
    """Addresses of the handlers that calls into other instances return to."""
    return [loaded.handlers["restore"] for loaded in _loaded.values()]
