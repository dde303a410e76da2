"""Runs one program in this process, with its standard streams, and exits with its code.

    program_child.py interp|jit|tiered|wasmtime|wasmtime-config-cache|wasmtime-serialized MODULE DIRS ARGS...

DIRS is JSON, {the guest's name: directory}. The wasmtime that is called serialized keeps what it compiled beside the
module, as a user of wasmtime-py would; `config-cache` is wasmtime's own cache.
"""
import json
import sys


def run_wasm(mode, path, dirs, args):
    import pyjit_wasm as wasm
    return wasm.run(path, args, dirs=dirs, engine=wasm.Engine(mode=mode)).returncode


def _compiled(wasmtime, engine, path, how):
    if how != "wasmtime-serialized":
        return wasmtime.Module.from_file(engine, path)
    import os
    kept = path + ".wasmtime"
    if not os.path.exists(kept):
        with open(kept + ".new", "wb") as file:
            file.write(wasmtime.Module.from_file(engine, path).serialize())
        os.replace(kept + ".new", kept)
    return wasmtime.Module.deserialize_file(engine, kept)


def run_wasmtime(how, path, dirs, args):
    import wasmtime
    settings = wasmtime.Config()
    if how == "wasmtime-config-cache":
        settings.cache = True
    engine = wasmtime.Engine(settings)
    linker, store, wasi = wasmtime.Linker(engine), wasmtime.Store(engine), wasmtime.WasiConfig()
    linker.define_wasi()
    wasi.argv = [path, *args]
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    for name, target in dirs.items():
        wasi.preopen_dir(target, name)
    store.set_wasi(wasi)
    instance = linker.instantiate(store, _compiled(wasmtime, engine, path, how))
    try:
        instance.exports(store)["_start"](store)
    except wasmtime.ExitTrap as exit_trap:
        return exit_trap.code
    return 0


if __name__ == "__main__":
    how, path, dirs, *args = sys.argv[1:]
    run = run_wasmtime if how.startswith("wasmtime") else run_wasm
    sys.exit(run(how, path, json.loads(dirs), args))
