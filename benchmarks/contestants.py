"""The contestants: what runs a kernel, each with the one-time work and the warm-up that its steady state needs.

A contestant is a function (kernel, size) -> Measure; calling the Measure runs the kernel once at that size, checks
the checksum and returns seconds. Everything before the Measure is not timed.
"""
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Callable

import build_kernels
from kernels import KERNELS, Kernel, Size
from rounds import Measure

Run = Callable[[int], int]
HERE = Path(__file__).resolve().parent
NATIVE_DIRECTORY = HERE / "build"


class WrongChecksum(Exception):
    pass


def check(result: int, size: Size) -> None:
    """Results are compared as 64-bit patterns: some contestants return them unsigned."""
    if (result - size.checksum) % 2**64:
        raise WrongChecksum(f"run({size.n}) returned {result}, not {size.checksum}")


def timed(run: Run, size: Size) -> float:
    start = perf_counter()
    result = run(size.n)
    seconds = perf_counter() - start
    check(result, size)
    return seconds


def steady(run: Run, kernel: Kernel, size: Size) -> Measure:
    """Warmed up by one tiny run, which also compiles what is compiled lazily."""
    check(run(kernel.tiny.n), kernel.tiny)
    return lambda: timed(run, size)


def our_run(kernel: Kernel, mode: str, bounds: str = "guard") -> Run:
    import pyjit_wasm

    engine = pyjit_wasm.Engine(mode=mode, memory_bounds=bounds, cache=False)
    return pyjit_wasm.Instance(pyjit_wasm.Module(kernel.wasm, engine=engine)).exports.run


def interp(kernel: Kernel, size: Size) -> Measure:
    return steady(our_run(kernel, "interp"), kernel, size)


def jit(kernel: Kernel, size: Size) -> Measure:
    return steady(our_run(kernel, "jit"), kernel, size)


def explicit(kernel: Kernel, size: Size) -> Measure:
    return steady(our_run(kernel, "jit", "explicit"), kernel, size)


def tiered(kernel: Kernel, size: Size) -> Measure:
    """The first call in a fresh engine, with everything that is compiled during it."""
    return lambda: timed(our_run(kernel, "tiered"), size)


def environment_with(package: Path) -> dict[str, str]:
    """The environment of a process that imports the pyjit_wasm in the directory `package`."""
    places = (str(package), os.environ.get("PYTHONPATH"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in places if place)}


def process(command: list[str], size: Size, package: Path = HERE.parent) -> Measure:
    """Runs a command that prints the seconds of a call and its result; `package` is where it finds pyjit_wasm."""
    environment = environment_with(package)

    def measure() -> float:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        seconds, checksum = done.stdout.split()
        check(int(checksum), size)
        return float(seconds)

    return measure


def tiered_process(kernel: Kernel, size: Size) -> Measure:
    """The same in a process of its own, where the compiler has to be started too; loading is not timed."""
    return process([sys.executable, __file__, "tiered", kernel.name, str(size.n)], size)


def before(kernel: Kernel, size: Size, package: Path) -> Measure:
    """`jit` as another checkout has it, in a process each time."""
    return process([sys.executable, __file__, "jit", kernel.name, str(size.n)], size, package)


def wasmtime(kernel: Kernel, size: Size) -> Measure:
    import wasmtime as peer

    store = peer.Store()
    instance = peer.Instance(store, peer.Module(store.engine, kernel.wasm.read_bytes()), [])
    return steady(functools.partial(instance.exports(store)["run"], store), kernel, size)


def pywasm3(kernel: Kernel, size: Size) -> Measure:
    import wasm3

    environment = wasm3.Environment()
    runtime = environment.new_runtime(1 << 20)
    runtime.load(environment.parse_module(kernel.wasm.read_bytes()))
    function = runtime.find_function("run")
    return steady(lambda n, _owner=runtime: function(n), kernel, size)


def node(kernel: Kernel, size: Size) -> Measure:
    """A process each time; the driver warms up and times the call itself."""
    driver = str(HERE / "node_driver.js")
    return process(["node", "--no-liftoff", driver, str(kernel.wasm), str(kernel.tiny.n), str(size.n)], size)


def native(kernel: Kernel, size: Size, flavour: str) -> Measure:
    NATIVE_DIRECTORY.mkdir(exist_ok=True)
    library = build_kernels.build_native(kernel, flavour, NATIVE_DIRECTORY)
    return steady(build_kernels.load_native(library), kernel, size)


CONTESTANTS: dict[str, Callable[[Kernel, Size], Measure]] = {
    "interp": interp,
    "jit": jit,
    "explicit": explicit,
    "tiered": tiered,
    "tiered process": tiered_process,
    "wasmtime": wasmtime,
    "pywasm3": pywasm3,
    "node": node,
    "native": functools.partial(native, flavour="this-cpu"),
    "native (any CPU)": functools.partial(native, flavour="any-cpu"),
}
MODES = ("interp", "jit", "explicit", "tiered", "wasmtime", "pywasm3", "node", "native")
PACKAGES = {"interp": "pyjit_wasm", "jit": "pyjit_wasm", "explicit": "pyjit_wasm", "tiered": "pyjit_wasm",
            "wasmtime": "wasmtime", "pywasm3": "wasm3"}


def is_available(mode: str) -> bool:
    if mode == "node":
        return shutil.which("node") is not None
    if mode == "native":
        return build_kernels.native_compiler() is not None
    return importlib.util.find_spec(PACKAGES[mode]) is not None


def can_run(mode: str, kernel: Kernel) -> bool:
    return not (kernel.simd and mode == "pywasm3")


def main(mode: str, name: str, n: str) -> None:
    """One call in this process, in mode jit after one with the tiny size: prints seconds and the checksum."""
    kernel = next(kernel for kernel in KERNELS if kernel.name == name)
    run = our_run(kernel, mode)
    if mode == "jit":
        check(run(kernel.tiny.n), kernel.tiny)
    start = perf_counter()
    result = run(int(n))
    print(perf_counter() - start, result)


if __name__ == "__main__":
    main(*sys.argv[1:])
