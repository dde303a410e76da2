"""How fast guests read and write: bytes through `fd_read` and `fd_write`, here and in wasmtime-py.

    python benchmarks/wasi_io.py [--mebibytes 1024] [--rounds 3] [--mode jit]

Prints the median in MiB/s for each size of a call's buffer: writing to /dev/null and to a file, reading from a file;
and the time of calls that do next to nothing. The files are in the directory that `tempfile` chooses, which should be in
memory.
"""
import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SIZES = 1 << 10, 1 << 12, 1 << 16, 1 << 20
PROGRAM = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 32)
  (func $prepare (param $size i32)
    (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (local.get $size)))
  (func (export "write") (param $size i32) (param $calls i32)
    (call $prepare (local.get $size))
    (loop $next
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (br_if $next (local.tee $calls (i32.sub (local.get $calls) (i32.const 1))))))
  (func (export "read") (param $size i32) (param $calls i32)
    (call $prepare (local.get $size))
    (loop $next
      (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (br_if $next (local.tee $calls (i32.sub (local.get $calls) (i32.const 1))))))
  (func (export "clock") (param $size i32) (param $calls i32)
    (loop $next
      (if (call $clock (i32.const 1) (i64.const 0) (i32.const 8)) (then unreachable))
      (br_if $next (local.tee $calls (i32.sub (local.get $calls) (i32.const 1))))))
  (func (export "random") (param $size i32) (param $calls i32)
    (loop $next
      (if (call $random (i32.const 8) (local.get $size)) (then unreachable))
      (br_if $next (local.tee $calls (i32.sub (local.get $calls) (i32.const 1)))))))"""


def here(mode: str) -> Callable:
    """A function `start(stdin, stdout)` -> `call(name, size, calls)`; streams are paths."""
    import pyjit_wasm as wasm
    module = wasm.Module(PROGRAM, engine=wasm.Engine(mode=mode))

    def start(stdin: Path, stdout: Path) -> Callable:
        streams = os.open(stdin, os.O_RDONLY), os.open(stdout, os.O_WRONLY | os.O_CREAT)
        instance = wasm.Instance(module, imports=wasm.Wasi(stdin=streams[0], stdout=streams[1]))
        return lambda name, size, calls: instance.exports[name](size, calls)

    return start


def in_wasmtime() -> Callable:
    """The same for wasmtime-py."""
    import wasmtime
    engine = wasmtime.Engine()
    module = wasmtime.Module(engine, PROGRAM)

    def start(stdin: Path, stdout: Path) -> Callable:
        config = wasmtime.WasiConfig()
        config.stdin_file, config.stdout_file = str(stdin), str(stdout)
        store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
        store.set_wasi(config)
        linker.define_wasi()
        exports = linker.instantiate(store, module).exports(store)
        return lambda name, size, calls: exports[name](store, size, calls)

    return start


def median(start: Callable, rounds: int, stdin: Path, stdout: Path, *arguments) -> float:
    """Seconds of a call; the streams are opened anew for each."""
    times = []
    for _ in range(rounds):
        call = start(stdin, stdout)
        call(arguments[0], 1, 1)    # whatever is compiled at the first call
        begin = time.perf_counter()
        call(*arguments)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def compare(what: str, unit: Callable, contestants: dict, *arguments) -> None:
    """Print a row: the unit of each contestant's time, and the ratio."""
    times = [median(start, *arguments) for start in contestants.values()]
    print(f"{what:32}" + "".join(f"{unit(seconds):16}" for seconds in times) + f"{times[1] / times[0]:10.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mode", default="jit")
    options = parser.parse_args()
    contestants = {"pyjit_wasm": here(options.mode), "wasmtime-py": in_wasmtime()}
    print(f"{'':32}" + "".join(f"{name:>16}" for name in contestants) + f"{'ratio':>10}")
    null, amount = Path(os.devnull), options.mebibytes << 20
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "in"), Path(directory, "out")
        with open(source, "wb") as file:
            file.truncate(amount)
        for size in SIZES:
            calls = amount // size

            def speed(seconds: float) -> str:
                return f"{options.mebibytes / seconds:10.0f} MiB/s"

            compare(f"write {size} to /dev/null", speed, contestants, options.rounds, null, null, "write", size, calls)
            compare(f"write {size} to a file", speed, contestants, options.rounds, null, target, "write", size, calls)
            compare(f"read {size} from a file", speed, contestants, options.rounds, source, null, "read", size, calls)
        for name, size in (("clock", 0), ("random", 16)):
            calls = 100_000
            compare(f"{name}_get", lambda seconds: f"{seconds / calls * 1e9:13.0f} ns",
                    contestants, options.rounds, null, null, name, size, calls)


if __name__ == "__main__":
    main()
