"""What profiling costs: kernels without it, with counted calls, with counted instructions, and sampled at 1 kHz.

    python benchmarks/profiling.py [--rounds N] [--mode MODE ...] [KERNEL ...]

All contestants are in one run, interleaved; medians. Hooks cannot be taken out of this build: to see what they cost while
profiling is off, give `--before PATH`, a checkout of an older version, and its runs are interleaved too.
"""
import argparse
import functools
import os
import statistics
import subprocess
import sys
from pathlib import Path

import contestants
import rounds
from kernels import KERNELS, Kernel, Size
from rounds import Measure

HERE = Path(__file__).resolve().parent
CALLS = """(module (import "m" "f" (func $f (param i32) (result i32)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "host") (param i32) (result i32) (call $f (local.get 0))))"""


def measured(kernel: Kernel, size: Size, mode: str, **settings: object) -> Measure:
    """Seconds of a run inside of `wasm.profile(instance, ...)`; nothing of it is timed but the run."""
    import pyjit_wasm as wasm

    engine = wasm.Engine(mode=mode, background=False)
    instance = wasm.Instance(wasm.Module(kernel.wasm, engine=engine))
    run = instance.exports.run
    contestants.check(run(kernel.tiny.n), kernel.tiny)

    def measure() -> float:
        if not settings:
            return contestants.timed(run, size)
        with wasm.profile(instance, **settings):
            contestants.check(run(kernel.tiny.n), kernel.tiny)
            return contestants.timed(run, size)

    return measure


WAYS = {"off": {}, "sampled, 1 kHz": {"rate": 1000}, "calls counted": {"rate": 0, "counts": True},
        "instructions counted": {"rate": 0, "opcodes": True}}


def profiled(mode: str, kernels: list[Kernel], count: int) -> dict[str, dict[str, rounds.Samples]]:
    """{kernel: {way: seconds}}"""
    table = {}
    for kernel in kernels:
        rounds.progress(f"{mode}: {kernel.name}")
        size = kernel.small if mode == "interp" else kernel.large
        table[kernel.name] = rounds.interleave(
            {name: functools.partial(measured, kernel, size, mode, **way) for name, way in WAYS.items()}, count)
    return table


def show(mode: str, table: dict[str, dict[str, rounds.Samples]]) -> None:
    ways = [name for name in WAYS if name != "off"]
    print(f"\n## {mode}: time / time without profiling\n\n| kernel | {' | '.join(ways)} |\n|---|{'---:|' * len(ways)}")
    ratios = {way: [] for way in ways}
    for kernel, row in table.items():
        cells = []
        for way in ways:
            ratio = rounds.ratio(row[way].median, row["off"].median)
            cells.append(row[way].failure or f"{ratio:.3f}")
            ratios[way] += [ratio] if ratio else []
        print(f"| {kernel} | {' | '.join(cells)} |")
    means = [statistics.geometric_mean(ratios[way]) if ratios[way] else float("nan") for way in ways]
    print(f"| geometric mean | {' | '.join(f'{mean:.3f}' for mean in means)} |")


# --- with profiling off, beside a version without hooks

def off(root: str, mode: str, kernel: str) -> float:
    """Seconds of a kernel, or nanoseconds of a call, in a process with the package in `root`."""
    done = subprocess.run([sys.executable, __file__, "--child", mode, kernel], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": root})
    return float(done.stdout)


def child(mode: str, name: str) -> None:
    import timeit

    import pyjit_wasm as wasm

    if name in ("add", "host"):
        instance = wasm.Instance(wasm.Module(CALLS, engine=wasm.Engine(mode=mode)), {"m": {"f": lambda n: n}})
        call, arguments = instance.exports[name], (1, 2) if name == "add" else (1,)
        times = timeit.repeat("f(*a)", globals={"f": call, "a": arguments}, number=1_000_000, repeat=5)
        print(min(times) * 1000)
        return
    kernel = next(k for k in KERNELS if k.name == name)
    size = kernel.small if mode == "interp" else kernel.large
    run = wasm.Instance(wasm.Module(kernel.wasm, engine=wasm.Engine(mode=mode))).exports.run
    run(kernel.tiny.n)
    print(min(contestants.timed(run, size) for _ in range(3)))


def compare(before: str, modes: list[str], names: list[str], count: int) -> None:
    now = str(HERE.parent)
    print("\n## Profiling off: time / time of the version without hooks\n\n| mode | what | ratio |\n|---|---|---:|")
    for mode in modes:
        for name in ("add", "host", *names):
            rounds.progress(f"{mode}: {name}")
            found = rounds.interleave({root: lambda root=root: lambda: off(root, mode, name) for root in (before, now)}, count)
            print(f"| {mode} | {name} | {rounds.ratio(found[now].median, found[before].median):.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help="all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mode", action="append", choices=("interp", "jit", "tiered"), help="jit and interp by default")
    parser.add_argument("--before", metavar="PATH", help="a checkout of a version without hooks")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    modes = options.mode or ["jit", "interp"]
    kernels = [k for k in KERNELS if not options.kernels or k.name in options.kernels]
    if options.before:
        compare(options.before, modes, [kernel.name for kernel in kernels], options.rounds)
        return
    for mode in modes:
        show(mode, profiled(mode, kernels, options.rounds))


if __name__ == "__main__":
    main()
