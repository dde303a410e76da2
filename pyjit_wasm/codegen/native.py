"""Generated code that every engine shares: the support object, trampolines per signature, and the two
native base types whose instances Python sees (callables and memories)."""
import ctypes
from _thread import RLock

from pyjit_wasm import forks
from pyjit_wasm.codegen import abi, objects
from pyjit_wasm.runtime import arena, arrivals, libc, loader, process, signals
from pyjit_wasm.runtime.layout import RUNTIME

# instances of the native base types: PyObject head, then a word the vectorcall protocol or buffer
# protocol reads, then a pointer to our struct
_HEAD = object.__basicsize__
VECTORCALL, CALL_SITE_POINTER = _HEAD, _HEAD + 8
MEM_POINTER = _HEAD

loading = forks.kept(RLock(), "loading")  # held while something is loaded that there is to be once

# threaded code that ends an activation, and that looks for who catches an exception: words of `exit`, `unwind`
_CODE = libc.permanent((ctypes.c_uint64 * 2)())
externals = {"runtime": process.address, "exit_code": ctypes.addressof(_CODE), "unwind_code": ctypes.addressof(_CODE) + 8}


def set_handlers(exit, unwind):
    _CODE[:] = exit, unwind


_support, _installing = None, []    # what is loaded, once it is at work; before that, should an exception come in between
_prepare = libc.permanent((ctypes.c_uint64 * 1)())
prepare_code = ctypes.addressof(_prepare)   # threaded code of functions that are not ready


def support_object():
    """The first arguments of `objects.build` for the support object."""
    return "support", f"{signals.RETRY_SIGNAL} {signals.SAMPLE_SIGNAL} {MEM_POINTER}", _support_source, "full"


def _support_source():
    from pyjit_wasm.codegen import support

    return support.source(signals.RETRY_SIGNAL, signals.SAMPLE_SIGNAL, MEM_POINTER, _HEAD)


def load_support():
    """The support object, loaded once: signal handlers are installed, `rt_*` become linkable."""
    global _support
    if _support is None:
        with loading:
            if _support is None:
                if not _installing:
                    _installing.append(libc.permanent(loader.load(objects.build(*support_object()), arena.host, externals,
                                                                  arrivals.Origin("runtime"))))
                loaded = _installing[0]     # signals may come to its handlers from now on: it stays
                externals.update((n, address) for n, address in loaded.symbols.items() if n.startswith(("rt_", "__u")))
                signals.install(loaded.symbols["rt_drop_signal_stack"],
                                *(loaded.symbols[f"rt_on_{what}"] for what in ("fault", "interrupt", "sample")))
                for place, name in ((RUNTIME.frame, "rt_frame"), (RUNTIME.note_held, "rt_note_held"), (RUNTIME.add, "rt_add"),
                                    (RUNTIME.stack, "rt_stack")):
                    process.put(place, loaded.symbols[name])
                _prepare[0] = loaded.symbols["rt_prepare"]
                _support = loaded
    return _support.symbols


def _trampoline(letters):
    return arrivals.Origin("trampoline", f"({letters})")


class _Trampolines:
    """Those of one signature, as addresses; each part is loaded when one of it is first wanted. `call_native_code` is
    threaded code. `kind`, `sources`: for the cache, and the module that writes a part; `parts` {name: part}."""

    def __init__(self, letters):
        load_support()
        self._letters, self._loaded = letters, []

    def __getattr__(self, name):
        part = self.parts.get(name)
        if part is None:
            raise AttributeError(name)
        with loading:
            if name not in vars(self):
                self._load(part)
        return vars(self)[name]

    @classmethod
    def object(cls, part, letters):
        """The first arguments of `objects.build` for a part."""
        return cls.kind, f"{part} {letters} {CALL_SITE_POINTER}", lambda: cls.source(part, letters), "code"

    def _load(self, part):
        laid_out = objects.build(*self.object(part, self._letters))
        loaded = loader.load(laid_out, arena.host, externals, _trampoline(self._letters))
        self._loaded.append(loaded)
        for name, address in loaded.symbols.items():
            if name == "call_native":
                self._code = (ctypes.c_uint64 * 1)(address)
                name, address = "call_native_code", ctypes.addressof(self._code)
            if name in self.parts:
                setattr(self, name, address)


class Trampolines(_Trampolines):
    kind = "signature"
    parts = {"py_enter": "enter", "cells_enter": "cells", "py_host": "host", "c_host": "c_host", "to_interp": "tiers",
             "call_native_code": "tiers"}

    @staticmethod
    def source(part, letters):
        from pyjit_wasm.codegen import signatures

        return signatures.source(part, letters, CALL_SITE_POINTER)


class StatusTrampolines(_Trampolines):
    """Those for modules with exceptions."""

    kind = "statuses"
    parts = {"throwing": "throwing", "catching": "catching", "to_interp": "tiers", "call_native_code": "tiers"}

    @staticmethod
    def source(part, letters):
        from pyjit_wasm.codegen import statuses

        return statuses.source(part, letters)


class CTrampolines:
    """Those for callers in C; `c_enter` is None if there are several results."""

    def __init__(self, letters):
        load_support()
        laid_out = objects.build("c calls", letters, lambda: _c_calls().source(letters), "code")
        self._loaded = loader.load(laid_out, arena.host, externals, _trampoline(letters))
        symbols = self._loaded.symbols
        self.njit_enter, self.c_enter = symbols["njit_enter"], symbols.get("c_enter")


def _c_calls():
    from pyjit_wasm.codegen import c_calls

    return c_calls


def load_thunk(functype, site):
    """A C function of a FuncType that calls the function of the CALL_SITE at address `site`: a Loaded, which gives its
    page back when it dies, with the symbol `thunk`."""
    letters, target = abi.signature(functype), c_trampolines(functype).c_enter
    laid_out = objects.build("thunk", letters, lambda: _c_calls().thunk(letters), "code")
    return loader.load(laid_out, arena.host, {"site": site, "target": target}, _trampoline(letters))


class Batch:
    """The loop over arrays of one signature: `loop` is what NumPy calls with a BATCH."""

    def __init__(self, letters):
        load_support()
        laid_out = objects.build("batch", letters, lambda: _batch_source(letters), "code")
        self._loaded = loader.load(laid_out, arena.host, externals, _trampoline(letters))
        self.loop = self._loaded.symbols["batch"]


def _batch_source(letters):
    from pyjit_wasm.codegen import batch

    return batch.source(letters)


_wasi = None


def wasi_object(errnos):
    """The first arguments of `objects.build` for the WASI functions of `codegen.wasi_calls`; `errnos` as there."""
    def source():
        from pyjit_wasm.codegen import wasi_calls

        return wasi_calls.source(errnos)

    return "wasi", errnos, source, "full"


def load_wasi(errnos):
    """Those functions by name, loaded once."""
    global _wasi
    with loading:
        if _wasi is None:
            load_support()
            laid_out = objects.build(*wasi_object(errnos))
            _wasi = libc.permanent(loader.load(laid_out, arena.host, externals, arrivals.Origin("runtime")))
    return _wasi.symbols


_trampolines = {}


def _of_signature(kind, functype):
    key = kind, abi.signature(functype)
    found = _trampolines.get(key)
    if found is None:
        with loading:
            found = _trampolines.get(key) or libc.permanent(kind(key[1]))
            _trampolines[key] = found
    return found


def trampolines(functype):
    """The Trampolines of a FuncType; kept for the life of the process."""
    return _of_signature(Trampolines, functype)


def status_trampolines(functype):
    """The StatusTrampolines of a FuncType."""
    return _of_signature(StatusTrampolines, functype)


def c_trampolines(functype):
    """The CTrampolines of a FuncType of numbers."""
    return _of_signature(CTrampolines, functype)


def batch(functype):
    """The Batch of a FuncType."""
    return _of_signature(Batch, functype)


# --- native base types, made with PyType_FromSpec because Python classes can have neither slot

class _Slot(ctypes.Structure):
    _fields_ = [("slot", ctypes.c_int), ("function", ctypes.c_void_p)]


class _Spec(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("basicsize", ctypes.c_int), ("itemsize", ctypes.c_int),
                ("flags", ctypes.c_uint), ("slots", ctypes.POINTER(_Slot))]


class _Member(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int), ("offset", ctypes.c_ssize_t),
                ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


class _Method(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int),
                ("doc", ctypes.c_char_p)]


_TP_CALL, _TP_METHODS, _TP_MEMBERS = 50, 64, 72
_MEMORY_SLOTS = ((1, "rt_get_buffer"), (3, "rt_buffer_assign"), (4, "rt_buffer_length"), (5, "rt_buffer_subscript"),
                 (44, "rt_buffer_item"), (45, "rt_buffer_length"))
_FASTCALL = 0x80
# methods of memories: name, arguments, what it does; the function is `rt_<name>`
_MEMORY_METHODS = (
    ("read_bytes", "offset, size", "`size` bytes from `offset` on, as bytes. IndexError outside the memory."),
    ("write_bytes", "offset, data",
     "Store a contiguous bytes-like object at `offset`. IndexError outside the memory; then nothing is written."),
    ("read_into", "offset, buffer",
     "Fill a writable contiguous buffer with the bytes from `offset` on. IndexError outside the memory."),
)
_T_PYSSIZET, _READONLY = 19, 1
_BASETYPE, _HAVE_VECTORCALL, _DEFAULT = 1 << 10, 1 << 11, 1 << 18
_TP_FLAGS_OFFSET = 168  # of tp_flags in PyTypeObject, part of CPython's binary interface
_from_spec = ctypes.pythonapi.PyType_FromSpec
_from_spec.restype, _from_spec.argtypes = ctypes.py_object, [ctypes.POINTER(_Spec)]
_kept = []


def _native_type(name, extra_words, flags, slots):
    slots = (_Slot * (len(slots) + 1))(*slots)
    spec = _Spec(name.encode(), _HEAD + 8 * extra_words, 0, flags | _DEFAULT | _BASETYPE, slots)
    _kept.append((slots, spec))
    return _from_spec(ctypes.byref(spec))


def callable_base():
    """A type whose instances are called through a C function pointer of their own (PEP 590)."""
    members = (_Member * 2)(_Member(b"__vectorcalloffset__", _T_PYSSIZET, VECTORCALL, _READONLY, None))
    _kept.append(members)
    return _native_type("pyjit_wasm._Callable", 2, _HAVE_VECTORCALL,
                        [_Slot(_TP_CALL, libc.symbol("PyVectorcall_Call")),
                         _Slot(_TP_MEMBERS, ctypes.addressof(members))])


def inherit_vectorcall(subclass):
    """CPython before 3.12 does not let Python classes inherit the vectorcall flag; the slot they do."""
    flags = ctypes.c_ulong.from_address(id(subclass) + _TP_FLAGS_OFFSET)
    if flags.value != subclass.__flags__:
        raise ImportError("this Python's type objects have another layout")
    flags.value |= _HAVE_VECTORCALL
    return subclass


def set_vectorcall(instance, function, call_site):
    """Make a callable of `callable_base` call `function` with the CALL_SITE at `call_site`."""
    words = (ctypes.c_uint64 * 2).from_address(id(instance) + VECTORCALL)
    words[:] = function, call_site


def buffer_base():
    """A type whose instances give their linear memory by the buffer protocol, as a sequence and by methods."""
    symbols = load_support()
    methods = (_Method * (len(_MEMORY_METHODS) + 1))(*(
        _Method(name.encode(), symbols[f"rt_{name}"], _FASTCALL, f"{name}($self, {arguments}, /)\n--\n\n{doc}".encode())
        for name, arguments, doc in _MEMORY_METHODS))
    _kept.append(methods)
    slots = [_Slot(number, symbols[name]) for number, name in _MEMORY_SLOTS]
    return _native_type("pyjit_wasm._Buffer", 1, 0, [*slots, _Slot(_TP_METHODS, ctypes.addressof(methods))])


def set_memory(instance, mem):
    """Make an object of `buffer_base` expose the MEM struct at `mem`."""
    ctypes.c_uint64.from_address(id(instance) + MEM_POINTER).value = mem
