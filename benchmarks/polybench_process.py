"""One contestant of polybench.py in a process of its own: loads a kernel, runs it, prints its figures as JSON.

    python benchmarks/polybench_process.py HOW [KERNEL]

HOW is "guard" or "explicit" (pyjit_wasm, mode jit, with those memory bounds), "wasmtime" or "native". pyjit_wasm is
the one in PYTHONPATH; its cache must be a directory of ours, without this kernel. Without a KERNEL nothing is measured:
what the package compiles for itself gets into the cache, and the native kernels are built.
"""
import functools
import json
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Callable

import build_kernels
from kernels import POLYBENCH, PolyBench

Call = Callable[[], object]
ENOUGH = 0.1    # seconds of the kernel in one sample
MOST = 200      # runs in one sample
# a module that is not measured, with what an instance of a kernel needs; {} makes it new to the cache
WARMING = """(module (memory (export "memory") 1) (func (export "kernel") (i32.store (i32.const 0) (i32.const {})))
  (func (export "checksum") (result f64) (f64.load (i32.const 0))))"""


@dataclass(frozen=True)
class Guest:
    """A loaded kernel: its exports, and `size()`, the bytes of its machine code as it is kept (None: it was compiled before)."""
    init: Call
    kernel: Call
    nothing: Call
    checksum: Callable[[], float]
    size: Callable[[], int] | None = None


Load = Callable[[PolyBench], Guest]


def cached_bytes() -> int:
    return sum(path.stat().st_size for path in Path(os.environ["PYJIT_WASM_CACHE"]).rglob("*") if path.is_file())


def ours(bounds: str) -> Load:
    """With an engine that has compiled and run something: all that is done once is done."""
    import pyjit_wasm

    engine = pyjit_wasm.Engine(mode="jit", memory_bounds=bounds)
    new = int.from_bytes(os.urandom(4), "little")
    warm = pyjit_wasm.Instance(pyjit_wasm.Module(WARMING.format(new), engine=engine)).exports
    warm.kernel(), warm.checksum()
    before = cached_bytes()

    def load(kernel: PolyBench) -> Guest:
        exports = pyjit_wasm.Instance(pyjit_wasm.Module(kernel.wasm, engine=engine)).exports
        exports._initialize()
        return Guest(exports.init, exports.kernel, exports.nothing, exports.checksum, lambda: cached_bytes() - before)

    return load


def wasmtime() -> Load:
    import wasmtime as peer

    engine = peer.Engine()
    peer.Module(engine, WARMING.format(0))

    def load(kernel: PolyBench) -> Guest:
        store, module = peer.Store(engine), peer.Module(engine, kernel.wasm.read_bytes())
        exports = peer.Instance(store, module, []).exports(store)
        exports["_initialize"](store)
        names = ("init", "kernel", "nothing", "checksum")
        return Guest(*(functools.partial(exports[name], store) for name in names), lambda: len(module.serialize()))

    return load


def native() -> Load:
    directory = Path(__file__).resolve().parent / "build"
    directory.mkdir(exist_ok=True)
    libraries = {kernel: build_kernels.build_native(kernel, "this-cpu", directory) for kernel in POLYBENCH}

    def load(kernel: PolyBench) -> Guest:
        library = build_kernels.load_native_polybench(libraries[kernel])
        return Guest(library.init, library.kernel, library.nothing, library.checksum)

    return load


LOADERS = {"guard": functools.partial(ours, "guard"), "explicit": functools.partial(ours, "explicit"),
           "wasmtime": wasmtime, "native": native}


def seconds(call: Call) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def run_seconds(guest: Guest) -> float:
    return seconds(guest.init) + seconds(guest.kernel)


def kernel_seconds(guest: Guest) -> float:
    """The median of as many runs as make a good sample, each on fresh data, without what a call costs."""
    samples = []
    while len(samples) < MOST and sum(samples) < ENOUGH:
        guest.init()
        samples.append(seconds(guest.kernel))
    call = statistics.median(seconds(guest.nothing) for _ in range(100))
    return statistics.median(samples) - call


def figures(load: Load, kernel: PolyBench) -> dict[str, float]:
    """Seconds of the `kernel`; `compile`, by how much loading and the first run take longer than a run; the `size` in
    bytes; and the `checksum`."""
    start = perf_counter()
    guest = load(kernel)
    run_seconds(guest)
    first = perf_counter() - start
    again = run_seconds(guest)
    compiled = {"compile": max(first - again, 0.0), "size": guest.size()} if guest.size else {}
    return {"checksum": guest.checksum(), "kernel": kernel_seconds(guest), **compiled}


def main(how: str, name: str | None = None) -> None:
    load = LOADERS[how]()
    if name:
        print(json.dumps(figures(load, next(kernel for kernel in POLYBENCH if kernel.name == name))))


if __name__ == "__main__":
    main(*sys.argv[1:])
