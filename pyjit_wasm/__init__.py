"""A tiered WebAssembly runtime inside Python.

    import pyjit_wasm as wasm
    inst = wasm.load("prog.wasm", imports={"env": {"log": print}})
    inst.exports.add(2, 3)

Names are imported when they are first used: `import pyjit_wasm` itself costs next to nothing.
"""

from pyjit_wasm import forks  # noqa: F401  before anything is imported that a fork could interrupt

__version__ = "0.1.0"

_HOMES = {
    "engine": ("Engine", "Module"),
    "instance": ("Instance", "load"),
    "linker": ("Linker",),
    "host_signature": ("HostFunction", "host_function"),
    "function": ("Function",),
    "memory": ("Memory",),
    "externs": ("Table", "Global"),
    "tag": ("Tag",),
    "exec_env": ("ExecEnv", "call_stack"),
    "profiles": ("profile",),
    "profiling.report": ("Profile",),
    "debugger": ("Debugger",),
    "types": ("FuncType", "MemType", "TableType", "GlobalType", "TagType", "RefType", "Limits", "ImportType", "ExportType"),
    "wasi": ("Wasi", "ReadOnly", "MemoryTree", "CAPTURE"),
    "programs": ("run",),
    "profiling.memory": ("memory_profile", "MemoryProfile"),
    "profiling.switches": ("perf",),
    "errors": ("WasmError", "DecodeError", "ParseError", "ValidationError", "LinkError", "Trap", "Exhaustion",
               "WasmException", "InUseError", "Interrupted", "UnsupportedError", "WasiExit", "InternalError", "Frame",
               "HostFrame"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name):
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'pyjit_wasm' has no attribute {name!r}")
    from pyjit_wasm.large_stacks import load as load_module

    value = globals()[name] = getattr(load_module(home), name)
    return value


def __dir__():
    return [*globals(), *__all__]
