"""A tiered WebAssembly runtime inside Python.

    import pyjit_wasm as wasm
    inst = wasm.load("prog.wasm", imports={"env": {"log": print}})
    inst.exports.add(2, 3)

Names are imported when they are first used: `import pyjit_wasm` itself costs next to nothing.
"""

__version__ = "0.1.0"

_HOMES = {
    "engine": ("Engine", "Module"),
    "instance": ("Instance", "load"),
    "function": ("Function",),
    "externs": ("Memory", "Table", "Global"),
    "tag": ("Tag",),
    "wasi": ("Wasi", "ReadOnly", "MemoryTree", "CAPTURE"),
    "programs": ("run",),
    "errors": ("WasmError", "DecodeError", "ParseError", "ValidationError", "LinkError", "Trap", "Exhaustion",
               "WasmException", "InUseError", "UnsupportedError", "WasiExit", "InternalError", "Frame"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name):
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'pyjit_wasm' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"pyjit_wasm.{home}"), name)
    return value


def __dir__():
    return [*globals(), *__all__]
