#!/usr/bin/env python3
"""Build the kernels: to WebAssembly (the committed `kernels/<name>.wasm` and `polybench/<name>.wasm`) and natively.

    python benchmarks/build_kernels.py [name ...]      rebuild the .wasm files (needs the `ziglang` package)
    python benchmarks/build_kernels.py --checksums     print the tables of kernels.py, as the native build computes it

The command for WebAssembly, one file at a time:

    python -m ziglang cc -target wasm32-freestanding -mcpu=mvp+bulk_memory+bulk_memory_opt+sign_ext+mutable_globals \\
        -O2 -g0 -nostdlib -Wl,--no-entry -Wl,--export=run -Wl,-z,stack-size=65536 kernels/fib.c -o kernels/fib.wasm

SIMD kernels have `+simd128` behind the other features. Kernels of PolyBench are built with zig's features of WASI:

    python -m ziglang cc -target wasm32-wasi -mexec-model=reactor -O3 -s -fno-math-errno -Wl,-z,stack-size=65536 \\
        -Wl,--export=init ... polybench/gemm.c -o polybench/gemm.wasm

Natively the same file becomes a shared library, by clang where there is one and else by zig's clang, in two flavours:
for this CPU and for any CPU of the architecture. Contraction of a * b + c is off, so all checksums must be equal.
"""
import argparse
import ctypes
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

from kernels import KERNELS, POLYBENCH, Kernel, PolyBench

ZIG = [sys.executable, "-m", "ziglang", "cc"]
FEATURES = "-mcpu=mvp+bulk_memory+bulk_memory_opt+sign_ext+mutable_globals"
WASM_FLAGS = [
    "-target", "wasm32-freestanding", "-O2", "-g0", "-nostdlib", "-Wl,--no-entry", "-Wl,--export=run",
    "-Wl,-z,stack-size=65536",
]
POLYBENCH_EXPORTS = ("init", "kernel", "checksum", "run", "nothing")
POLYBENCH_FLAGS = [
    "-target", "wasm32-wasi", "-mexec-model=reactor", "-O3", "-s", "-fno-math-errno", "-Wl,-z,stack-size=65536",
    *(f"-Wl,--export={name}" for name in POLYBENCH_EXPORTS),
]
NATIVE_FLAGS = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-shared", "-fPIC"]
FLAVOURS = ("this-cpu", "any-cpu")


def native_compiler() -> list[str] | None:
    """The clang to use, or None where there is neither clang nor ziglang."""
    if shutil.which("clang"):
        return ["clang"]
    return ZIG if importlib.util.find_spec("ziglang") else None


def cpu_flag(flavour: str) -> list[str]:
    """`zig cc` means this CPU unless told otherwise, `clang` means any."""
    if flavour == "this-cpu":
        return ["-march=native"]
    return ["-mcpu=baseline"] if native_compiler() == ZIG else []


def wasm_flags(kernel: Kernel | PolyBench) -> list[str]:
    return POLYBENCH_FLAGS if isinstance(kernel, PolyBench) else [FEATURES + "+simd128" * kernel.simd, *WASM_FLAGS]


def build_wasm(kernel: Kernel | PolyBench) -> Path:
    subprocess.run([*ZIG, *wasm_flags(kernel), str(kernel.source), "-o", str(kernel.wasm)], check=True)
    return kernel.wasm


def build_native(kernel: Kernel | PolyBench, flavour: str, directory: Path) -> Path:
    """A shared library in `directory`, built again only when the source or a header is newer."""
    target = directory / f"{kernel.name}.{flavour}.so"
    newest = max(path.stat().st_mtime for path in (kernel.source, *kernel.source.parent.glob("*.h")))
    if not target.exists() or target.stat().st_mtime < newest:
        command = [*native_compiler(), *NATIVE_FLAGS, *cpu_flag(flavour), str(kernel.source), "-lm", "-o", str(target)]
        subprocess.run(command, check=True)
    return target


def load_native(library: Path) -> Callable[[int], int]:
    run = ctypes.CDLL(str(library)).run
    run.argtypes, run.restype = [ctypes.c_int32], ctypes.c_int64
    return run


def load_native_polybench(library: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(library))
    loaded.checksum.restype = ctypes.c_double
    return loaded


def print_table() -> None:
    with tempfile.TemporaryDirectory() as directory:
        for kernel in KERNELS:
            run = load_native(build_native(kernel, "any-cpu", Path(directory)))
            sizes = ", ".join(f"({size.n}, {run(size.n)})" for size in (kernel.large, kernel.small, kernel.tiny))
            print(f'    _of("{kernel.name}", {sizes}),')
            if kernel.long:
                print(f'    "{kernel.name}": ({kernel.long.n}, {run(kernel.long.n)}),')
        for kernel in POLYBENCH:
            loaded = load_native_polybench(build_native(kernel, "any-cpu", Path(directory)))
            loaded.run()
            print(f'    PolyBench("{kernel.name}", {loaded.checksum()}),')


def main() -> None:
    parser = argparse.ArgumentParser(description="Rebuild the kernels' .wasm files with ziglang.")
    parser.add_argument("names", nargs="*", help="kernels to build (default: all)")
    parser.add_argument("--checksums", action="store_true", help="print the tables of kernels.py, computed natively")
    arguments = parser.parse_args()
    if arguments.checksums:
        return print_table()
    for kernel in (*KERNELS, *POLYBENCH):
        if not arguments.names or kernel.name in arguments.names:
            print(f"{kernel.name}: {build_wasm(kernel).stat().st_size} bytes")


if __name__ == "__main__":
    main()
