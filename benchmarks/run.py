#!/usr/bin/env python3
"""Compare pyjit_wasm with its peers on one machine, in one interleaved run, and write a Markdown report.

    python benchmarks/run.py                          everything (half an hour); writes benchmarks/results.md
    python benchmarks/run.py --quick                  a smoke test with small sizes and one round
    python benchmarks/run.py --only matmul,fib --modes jit,wasmtime,native --parts optimised
    python benchmarks/run.py --parts optimised --package ../before     and mode jit of another checkout beside ours

Needs wasmtime and pywasm3 (peers), clang or ziglang (native) and node; what is missing is left out.
"""
import argparse
import functools
import shlex
import sys
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # pyjit_wasm of this repository, installed or not

import arrays
import calls
import native_calls
import report
import rounds
import startup
import threads
from contestants import CONTESTANTS, MODES, before, can_run, is_available
from kernels import KERNELS, Kernel, Size
from options import add_package, names_argument

OPTIMISED = ("jit", "explicit", "before", "tiered", "wasmtime", "node", "native")
OPTIMISED_RATIOS = (("jit", "wasmtime"), ("jit", "native"), ("jit", "node"), ("explicit", "jit"), ("jit", "before"),
                    ("tiered", "jit"), ("wasmtime", "native"))
INTERPRETERS = ("interp", "pywasm3", "native")
INTERPRETER_RATIOS = (("interp", "pywasm3"), ("interp", "native"), ("pywasm3", "native"))
LONG = ("jit", "tiered", "tiered process")
LONG_RATIOS = (("tiered", "jit"), ("tiered process", "jit"))
OUR_MODES = ("interp", "jit", "tiered")
PARTS = ("optimised", "long", "interpreters", "calls", "native", "arrays", "threads", "startup")
SizeOf = Callable[[Kernel], Size]


def parse_arguments() -> argparse.Namespace:
    kernels = tuple(kernel.name for kernel in KERNELS)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_argument(kernels), default=list(kernels), metavar="KERNELS",
                        help="comma-separated kernels: " + ", ".join(kernels))
    parser.add_argument("--modes", type=names_argument(MODES), default=list(MODES),
                        help="comma-separated contestants: " + ", ".join(MODES))
    parser.add_argument("--parts", type=names_argument(PARTS), default=list(PARTS),
                        help="comma-separated parts: " + ", ".join(PARTS))
    parser.add_argument("--rounds", type=int, help="samples of each measurement (default 5; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="small sizes: does everything work?")
    add_package(parser)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results.md",
                        help="the report (default benchmarks/results.md)")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 5)
    return arguments


def available(modes: list[str]) -> list[str]:
    for mode in modes:
        if not is_available(mode):
            rounds.progress(f"{mode} is not available here")
    return [mode for mode in modes if is_available(mode)]


def contestants_of(columns: tuple[str, ...], modes: list[str]) -> list[str]:
    """Native is measured in both its flavours."""
    names = [name for name in columns if name in modes]
    return names + ["native (any CPU)"] if "native" in names else names


def measure_kernels(kernels: list[Kernel], names: list[str], size_of: SizeOf, count: int,
                    package: Path | None = None) -> report.KernelTable:
    contestants = {name: CONTESTANTS[name] for name in names}
    if package:
        contestants["before"] = functools.partial(before, package=package)
    table = []
    for kernel in kernels:
        size = size_of(kernel)
        makers = {name: functools.partial(contestant, kernel, size) for name, contestant in contestants.items()
                  if can_run(name, kernel)}
        samples = rounds.interleave(makers, count)
        rounds.progress(f"{kernel.name}({size.n}): " + ", ".join(
            f"{name} {report.cell(values, 1e3, 1)}" for name, values in samples.items()) + " ms")
        table.append((kernel.name, samples))
    return table


def optimised_part(arguments: argparse.Namespace, kernels: list[Kernel]) -> tuple[str, report.KernelTable]:
    size_of = (lambda kernel: kernel.small) if arguments.quick else (lambda kernel: kernel.large)
    names = contestants_of(OPTIMISED, arguments.modes)
    table = measure_kernels(kernels, names, size_of, arguments.rounds, arguments.package)
    note = ("`explicit` is `jit` with explicit bounds. "
            "`tiered` is the first call in a fresh engine without a cache, compilation included; all others are warm. "
            "`native` is the better of clang -O3 with and without -march=native. `node` runs with --no-liftoff.")
    return f"## Optimised code\n\n{note}\n\n{report.kernel_section(table, OPTIMISED, OPTIMISED_RATIOS)}", table


def long_part(arguments: argparse.Namespace, kernels: list[Kernel]) -> tuple[str, report.KernelTable]:
    size_of = (lambda kernel: kernel.tiny) if arguments.quick else (lambda kernel: kernel.long)
    names = list(LONG) if {"jit", "tiered"} <= set(arguments.modes) else []
    table = measure_kernels([k for k in kernels if k.long], names, size_of, arguments.rounds)
    note = ("Kernels that run for about two seconds. `tiered` is the first call in a fresh engine without a cache; "
            "`tiered process` in a fresh process, where it includes starting the compiler too.")
    return f"## Long runs\n\n{note}\n\n{report.kernel_section(table, LONG, LONG_RATIOS)}", table


def interpreter_part(arguments: argparse.Namespace, kernels: list[Kernel]) -> tuple[str, report.KernelTable]:
    size_of = (lambda kernel: kernel.tiny) if arguments.quick else (lambda kernel: kernel.small)
    names = contestants_of(INTERPRETERS, arguments.modes)
    table = measure_kernels(kernels, names, size_of, arguments.rounds)
    return f"## Interpreters\n\n{report.kernel_section(table, INTERPRETERS, INTERPRETER_RATIOS)}", table


def calls_part(arguments: argparse.Namespace, _kernels: list[Kernel]) -> tuple[str, report.KernelTable]:
    table = calls.measure(arguments.modes, arguments.rounds)
    return f"## Calls\n\nBeyond the empty loop.\n\n{report.calls_section(table)}", table


def native_part(arguments: argparse.Namespace, _kernels: list[Kernel]) -> tuple[str, report.KernelTable]:
    table = native_calls.measure(arguments.modes, arguments.rounds)
    section = report.nanoseconds_section(table, "ns a call", 1)
    return f"## Calls without Python\n\nIn loops, the loop included.\n\n{section}", table


def arrays_part(arguments: argparse.Namespace, _kernels: list[Kernel]) -> tuple[str, report.KernelTable]:
    copies, maps = arrays.copies(arguments.modes, arguments.rounds), arrays.maps(arguments.modes, arguments.rounds)
    sections = (report.nanoseconds_section(copies, "ns a copy"), report.nanoseconds_section(maps, "ns an element", 2))
    note = f"Arrays of {arrays.ELEMENTS:,} elements; the C loops are clang -O3 for this CPU."
    return "\n\n".join(["## Memories and arrays", sections[0], note, sections[1]]), copies + maps


def threads_part(arguments: argparse.Namespace, _kernels: list[Kernel]) -> tuple[str, report.KernelTable]:
    modes = [mode for mode in OUR_MODES if mode in arguments.modes]
    table = threads.parallel(modes, arguments.rounds)
    ticks = {mode: threads.ticks(mode) for mode in modes}
    note = (f"`{threads.KERNEL.name}` on two instances in two threads against one in one; and a Python thread that wants to tick "
            f"every 10 ms while the main thread runs wasm for {threads.SECONDS:.0f} s.")
    return f"## Threads\n\n{note}\n\n{report.threads_section(table, ticks)}", list(table.items())


def startup_part(arguments: argparse.Namespace, _kernels: list[Kernel]) -> tuple[str, report.KernelTable]:
    samples = startup.measure(arguments.modes, 2 * arguments.rounds + 1)
    text = f"## Process start to `fib(10)`\n\nWhole processes, caches warm.\n\n{report.startup_section(samples)}"
    return text, [("process start", samples)]


PART_FUNCTIONS = dict(zip(PARTS, (optimised_part, long_part, interpreter_part, calls_part, native_part, arrays_part,
                                 threads_part, startup_part)))


def main() -> int:
    arguments = parse_arguments()
    arguments.modes = available(arguments.modes)
    kernels = [kernel for kernel in KERNELS if kernel.name in arguments.only]
    sections, failed = [], []
    for part in arguments.parts:
        section, table = PART_FUNCTIONS[part](arguments, kernels)
        sections.append(section)
        failed += report.failures(table)
    if failed:
        sections.append("## Failures\n\n" + "\n".join(f"- {line}" for line in failed))
    command = shlex.join(["python", *sys.argv])
    arguments.out.write_text("\n\n".join([report.heading(command, arguments.rounds), *sections]) + "\n")
    rounds.progress("\n".join([*failed, f"wrote {arguments.out}"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
