"""Wasi: what one WASI program sees of its host."""
import os

from . import descriptor_calls, process_calls, refused_calls
from .abi import ENOSYS, SIGNATURES, UNSTABLE_ABSENT, UNSTABLE_DIFFERENT
from .calls import host_function
from .descriptors import DescriptorTable, input_stream, output_stream

_CALLS = {call.__name__: call for module in (process_calls, descriptor_calls) for call in module.CALLS}
_CALLS |= refused_calls.CALLS


class Wasi:
    """The host of one program.

    `args`: str or bytes each, the program's name first. `env`: a dict of variables; nothing is
    inherited. `stdin`, `stdout`, `stderr`: None for this process's descriptor 0, 1 or 2, an int for
    that host descriptor, a binary file object, or bytes (stdin only). Python's own `sys.stdout`
    buffer is not flushed first. Raises ValueError for a NUL in an argument or a variable.
    """

    def __init__(self, args=(), env=None, stdin=None, stdout=None, stderr=None):
        self.args = [_c_string(arg) for arg in args]
        self.environ = [_c_string(os.fsencode(k) + b"=" + os.fsencode(v)) for k, v in (env or {}).items()]
        self.memory = bytearray()   # until `bind`, every pointer is out of bounds
        self.descriptors = DescriptorTable({
            0: input_stream(0 if stdin is None else stdin),
            1: output_stream(1 if stdout is None else stdout),
            2: output_stream(2 if stderr is None else stderr)})

    def functions(self):
        """The functions of `wasi_snapshot_preview1`: {name: callable taking ints, returning an errno}."""
        return {name: host_function(_CALLS[name], self, codes) for name, codes in SIGNATURES.items()}

    def unstable_functions(self):
        """The functions of `wasi_unstable`; those whose layouts differ from preview 1 answer ENOSYS."""
        functions = self.functions()
        for name in UNSTABLE_ABSENT:
            del functions[name]
        for name in UNSTABLE_DIFFERENT:
            functions[name] = host_function(refused_calls.refusal(ENOSYS), self, SIGNATURES[name])
        return functions

    def imports(self, modules=None):
        """Imports for an Instance: {module: functions} of WASI's modules, or those in the set `modules`."""
        names = MODULES.keys() if modules is None else MODULES.keys() & modules
        return {name: MODULES[name](self) for name in names}

    def bind(self, instance):
        """Use the memory that the instance exports as `memory`; without one, pointers stay out of bounds."""
        if "memory" in instance.exports:
            self.memory = instance.exports["memory"]

    def start(self, instance):
        """Run a command's `_start`, or a reactor's `_initialize`, and return its exit code.

        A call of `proc_exit` ends it; Trap passes through. Raises LinkError if neither is exported.
        """
        from ..errors import LinkError, WasiExit
        exports = instance.exports
        entry = next((name for name in ("_start", "_initialize") if name in exports), None)
        if entry is None:
            raise LinkError("the module exports neither _start nor _initialize")
        try:
            exports[entry]()
        except WasiExit as exit:
            return exit.code
        return 0


MODULES = {"wasi_snapshot_preview1": Wasi.functions, "wasi_unstable": Wasi.unstable_functions}


def _c_string(text):
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError(f"NUL in {text!r}")
    return encoded + b"\0"
