"""Runs one program in this process, with its standard streams, and exits with its code.

    program_child.py interp|jit|tiered|wasmtime|wasmtime-cache|wasmtime-serialized MODULE DIRS HOST ARGS...

DIRS is JSON, {the guest's name: directory}; HOST is empty for a command, or a class of program_hosts.py. What
wasmtime compiled is kept in its own cache, or serialized as a user of wasmtime-py would; both in `$XDG_CACHE_HOME`.
"""
import json
import os
import sys
from pathlib import Path


class Guest:
    """An instance in pyjit_wasm."""

    def __init__(self, mode, path, dirs, host, args):
        import pyjit_wasm as wasm
        self.host = host(self, Path(dirs["/"]))
        module = wasm.Module(path, engine=wasm.Engine(mode=mode))
        imports = {**wasm.Wasi([path, *args], dirs=dirs), **self.host.imports}
        self.instance = wasm.Instance(module, imports=imports)

    def start(self):
        return self.instance.run()

    def call(self, name, *args):
        return self.instance.exports[name](*args)

    def read(self, address, size):
        return self.instance.exports.memory[address:address + size]

    def write(self, address, data):
        self.instance.exports.memory[address:address + len(data)] = data


class WasmtimeGuest:
    """An instance in wasmtime."""

    def __init__(self, how, path, dirs, host, args):
        import wasmtime
        self.wasmtime, self.host = wasmtime, host(self, Path(dirs["/"]))
        settings = wasmtime.Config()
        if how == "wasmtime-cache":
            settings.cache = True
        self.store = wasmtime.Store(wasmtime.Engine(settings))
        self.store.set_wasi(self._wasi(path, dirs, args))
        engine = self.store.engine
        module, linker = _compiled(engine, path, how), wasmtime.Linker(engine)
        linker.define_wasi()
        for wanted in module.imports:
            if wanted.module in self.host.imports:
                function = wasmtime.Func(self.store, wanted.type, self.host.imports[wanted.module][wanted.name])
                linker.define(self.store, wanted.module, wanted.name, function)
        self.exports = linker.instantiate(self.store, module).exports(self.store)

    def _wasi(self, path, dirs, args):
        wasi = self.wasmtime.WasiConfig()
        wasi.argv = [path, *args]
        wasi.inherit_stdin()
        wasi.inherit_stdout()
        wasi.inherit_stderr()
        for name, target in dirs.items():
            wasi.preopen_dir(target, name)
        return wasi

    def start(self):
        for name in ("_start", "_initialize"):
            if name in self.exports:
                try:
                    self.call(name)
                except self.wasmtime.ExitTrap as end:
                    return end.code
                return 0

    def call(self, name, *args):
        return self.exports[name](self.store, *args)

    def read(self, address, size):
        return bytes(self.exports["memory"].read(self.store, address, address + size))

    def write(self, address, data):
        self.exports["memory"].write(self.store, data, address)


def _compiled(engine, path, how):
    from wasmtime import Module
    if how != "wasmtime-serialized":
        return Module.from_file(engine, path)
    kept = Path(os.environ["XDG_CACHE_HOME"], Path(path).name + ".serialized")
    if not kept.exists():
        kept.write_bytes(Module.from_file(engine, path).serialize())
    return Module.deserialize_file(engine, str(kept))


def run(how, path, dirs, host, args):
    """The exit code of a program."""
    if not host and not how.startswith("wasmtime"):
        import pyjit_wasm as wasm
        return wasm.run(path, args, dirs=dirs, engine=wasm.Engine(mode=how)).returncode
    from program_hosts import HOSTS
    kind = WasmtimeGuest if how.startswith("wasmtime") else Guest
    result = kind(how, path, dirs, HOSTS[host or "Host"], args).host.run(args)
    if isinstance(result, bytes):
        sys.stdout.buffer.write(result)
        return 0
    return result


if __name__ == "__main__":
    how, path, dirs, host, *args = sys.argv[1:]
    sys.exit(run(how, path, json.loads(dirs), host, args))
