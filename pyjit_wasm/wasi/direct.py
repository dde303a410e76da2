"""The way without Python: the generated functions of `codegen.wasi_calls`, and what they know of a guest.

They know its memory, once there is an instance, and host descriptors to read from and write to. Everything else they ask
Python.
"""
import ctypes
from functools import partial

from ..codegen import native
from ..codegen.abi import WASI, signature
from ..config import WASI_DIRECT
from ..runtime import freed
from ..runtime.layout import DIRECT, MEM, WASI_FUNC
from ..runtime.lease import Lease
from ..runtime.store import HostFunc
from .abi import EIO, RIGHT_FD_READ, RIGHT_FD_WRITE
from .calls import ERRNOS
from .guest import exported_memory

_ERRNOS = bytes([0, *(ERRNOS.get(number, EIO) for number in range(1, max(ERRNOS) + 1)), EIO])
_LARGEST = 0x7FFF_FFFF  # host descriptor
_WORDS = DIRECT.size // 8


def is_direct(name, functype):
    """Whether there is a generated function for a call of that name and type."""
    return WASI.get(name) == signature(functype)


def code():
    """The first arguments of `objects.build` for all of them."""
    return native.wasi_object(_ERRNOS)


class DirectCall:
    """What one instance imports as the call `name`: its generated function, which asks the callable `python`."""

    __slots__ = ("_name", "python", "_descriptors", "_importer")

    def __init__(self, name, python, descriptors, importer):
        self._name, self.python, self._descriptors, self._importer = name, python, descriptors, importer

    def __wasm_function__(self, deftype):
        trampolines, descriptors = native.trampolines(deftype.comp), self._descriptors.direct()
        host = HostFunc(deftype, native.load_wasi(_ERRNOS)[self._name], trampolines.call_native_code, id(self.python),
                        self.python, True, WASI_FUNC)
        host.descriptors = descriptors
        host.put(WASI_FUNC.descriptors, descriptors)
        host.put(WASI_FUNC.python, trampolines.py_host)
        self._importer.call_when_made(partial(_know_memory, host))
        return host


def _know_memory(host, exports):
    """Tell a WASI_FUNC of its caller's memory. With a shared one Python is asked: other threads of the guest change it."""
    memory = exported_memory(exports)
    if memory is not None and not memory._inst.get(MEM.shared):
        host.memory = memory._inst
        host.put(WASI_FUNC.memory, memory._inst.address)


class DirectDescriptors:
    """The array of DIRECT that the generated functions read; `address` is a Lease of it. Whoever refers to that keeps
    the host descriptors in it open."""

    def __init__(self):
        self._words = freed.words(_WORDS * WASI_DIRECT)
        self._expose = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_void_p)(
            native.load_wasi(_ERRNOS)["expose"])
        start = ctypes.addressof(self._words)
        self.address = Lease(start, partial(_release, start, self._words, self._expose))

    def expose(self, fd, wanted):
        """Read and write the descriptor `fd`, which is below WASI_DIRECT, as `access` says; None: not directly."""
        descriptor, reading, writing = wanted or (None, 0, 0)
        self._expose(self.address + fd * DIRECT.size, reading, writing, None if descriptor is None else id(descriptor))


def _release(start, words, expose):
    for fd, held in enumerate(words[DIRECT.object // 8::_WORDS]):
        if held:
            expose(start + fd * DIRECT.size, 0, 0, None)


def access(descriptor):
    """(the Descriptor, its word to read, its word to write) as in DIRECT, None if Python has to be asked for either."""
    if descriptor is None or not descriptor.direct or not 0 <= descriptor.fileno <= _LARGEST:
        return None
    reading, writing = [descriptor.fileno + 1 if descriptor.rights & right else 0 for right in (RIGHT_FD_READ, RIGHT_FD_WRITE)]
    return (descriptor, reading, writing) if reading or writing else None
