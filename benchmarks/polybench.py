#!/usr/bin/env python3
"""PolyBench/C 4.2: thirty kernels of linear algebra, data mining and stencils, MEDIUM size, compiled by clang -O3.

    python benchmarks/polybench.py                                     everything; the report goes to standard output
    python benchmarks/polybench.py --only gemm,lu --contestants jit,explicit --rounds 9
    python benchmarks/polybench.py --package ../before                 and beside it the pyjit_wasm of another checkout

The contestants are pyjit_wasm's mode jit with guard pages (`jit`) and with explicit bounds (`explicit`), wasmtime-py, and
clang -O3 -march=native; with --package also `before` and `before explicit`. The package under test is the first
in PYTHONPATH, or this repository's. Every sample is taken in a process of its own: load, run, run again, then the median
of many runs of the kernel alone, each on fresh data, less what a call costs. WebAssembly engines must find the very
checksums of kernels.py; native code may differ by 1e-9, because its C library is another.
"""
import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import report
import rounds
from contestants import WrongChecksum, environment_with, is_available
from kernels import POLYBENCH, PolyBench
from options import add_package, names_argument
from rounds import Samples

HERE = Path(__file__).resolve().parent
# name: (how polybench_process.py runs it, whether it is the package that is compared with)
CONTESTANTS = {
    "jit": ("guard", False), "explicit": ("explicit", False), "before": ("guard", True),
    "before explicit": ("explicit", True), "wasmtime": ("wasmtime", False), "native": ("native", False),
}
OURS = ("guard", "explicit")
RATIOS = (("jit", "wasmtime"), ("jit", "native"), ("explicit", "jit"), ("jit", "before"), ("explicit", "before explicit"),
          ("before", "wasmtime"), ("before explicit", "before"), ("wasmtime", "native"))
# figure: (title, what it is, unit)
FIGURES = {
    "kernel": ("Kernels", "The kernel alone, warm.", report.Unit("ms", 1e3, 3)),
    "compile": ("Compilation", "From the module's bytes to the end of the first run, less a run; nothing of it is cached.",
                report.MILLISECONDS),
    "size": ("Object code", "What the cache keeps of it; of wasmtime, the serialized module.", report.Unit("KiB", 1 / 1024, 1)),
}
NATIVE_TOLERANCE = 1e-9
TIMEOUT = 900


def is_before(name: str) -> bool:
    return CONTESTANTS[name][1]


def tested_package() -> Path:
    """The directory with the package under test."""
    places = [Path(place).resolve() for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    return next((place for place in places if (place / "pyjit_wasm").is_dir()), HERE.parent)


def check(checksum: float, kernel: PolyBench, tolerance: float) -> None:
    """Raises WrongChecksum. NaN is never right."""
    if not math.isclose(checksum, kernel.checksum, rel_tol=tolerance, abs_tol=0.0):
        raise WrongChecksum(f"checksum {checksum!r}, not {kernel.checksum!r}")


@dataclass
class Contestant:
    """One way to run kernels, with a cache directory of its own."""
    how: str
    package: Path
    cache: Path

    def process(self, *kernel: str) -> str:
        """The output of polybench_process.py. Raises RuntimeError with the last line of its errors."""
        environment = {**environment_with(self.package), "PYJIT_WASM_CACHE": str(self.cache)}
        command = [sys.executable, str(HERE / "polybench_process.py"), self.how, *kernel]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=TIMEOUT)
        if done.returncode:
            raise RuntimeError((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1])
        return done.stdout

    def prepare(self) -> None:
        """Afterwards the cache has what the package compiles for itself, and `figures` leaves it so."""
        self.cache.mkdir(mode=0o700)
        self.process()

    def figures(self, kernel: PolyBench) -> dict[str, float]:
        kept = set(self.cache.rglob("*"))
        try:
            found = json.loads(self.process(kernel.name))
        finally:
            for path in set(self.cache.rglob("*")) - kept:
                if path.is_file():
                    path.unlink()
        check(found["checksum"], kernel, NATIVE_TOLERANCE if self.how == "native" else 0.0)
        return found


@dataclass
class Contest:
    """A contestant and a kernel: its `measure` is what is interleaved; the other figures are kept here."""
    contestant: Contestant
    kernel: PolyBench
    figures: dict[str, Samples] = field(default_factory=dict)

    def measure(self) -> float:
        found = self.contestant.figures(self.kernel)
        for figure in FIGURES:
            if figure in found:
                self.figures.setdefault(figure, Samples()).values.append(found[figure])
        return found["kernel"]


Results = dict[str, report.KernelTable]


def measure(contestants: dict[str, Contestant], kernels: list[PolyBench], count: int) -> Results:
    """A table for each figure."""
    results: Results = {figure: [] for figure in FIGURES}
    for kernel in kernels:
        contests = {name: Contest(contestant, kernel) for name, contestant in contestants.items()}
        samples = rounds.interleave({name: lambda contest=contest: contest.measure for name, contest in contests.items()}, count)
        rounds.progress(f"{kernel.name}: " + ", ".join(
            f"{name} {report.cell(values, 1e3, 3)}" for name, values in samples.items()) + " ms")
        for figure, table in results.items():
            table.append((kernel.name, row(figure, contests, samples)))
    return results


def row(figure: str, contests: dict[str, Contest], samples: dict[str, Samples]) -> dict[str, Samples]:
    """A figure of the contestants that have it, or why they have none."""
    failed = {name: found for name, found in samples.items() if found.failure}
    return failed | {name: contest.figures[figure] for name, contest in contests.items()
                     if name not in failed and figure in contest.figures}


def section(figure: str, table: report.KernelTable) -> str:
    title, note, unit = FIGURES[figure]
    return f"## {title}\n\n{note}\n\n{report.kernel_section(table, tuple(CONTESTANTS), RATIOS, unit)}"


def parse_arguments() -> argparse.Namespace:
    kernels = tuple(kernel.name for kernel in POLYBENCH)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="samples of each measurement (default 5)")
    parser.add_argument("--only", type=names_argument(kernels), default=list(kernels), metavar="KERNELS",
                        help="comma-separated kernels: " + ", ".join(kernels))
    parser.add_argument("--contestants", type=names_argument(tuple(CONTESTANTS)), metavar="NAMES",
                        help="comma-separated contestants (default all): " + ", ".join(CONTESTANTS))
    add_package(parser)
    parser.add_argument("--out", type=Path, help="the report (default standard output)")
    arguments = parser.parse_args()
    if arguments.contestants is None:
        arguments.contestants = [name for name in CONTESTANTS if arguments.package or not is_before(name)]
    elif not arguments.package and (missing := list(filter(is_before, arguments.contestants))):
        parser.error(f"{missing[0]} needs --package")
    return arguments


def chosen(names: list[str], package: Path | None, caches: Path) -> dict[str, Contestant]:
    """Those that can run here, ready."""
    contestants = {}
    for name in names:
        how, _ = CONTESTANTS[name]
        if how in OURS or is_available(how):
            contestants[name] = Contestant(how, package if is_before(name) else tested_package(), caches / name)
            contestants[name].prepare()
        else:
            rounds.progress(f"{name} is not available here")
    return contestants


def packages(contestants: dict[str, Contestant]) -> str:
    """A line of the heading: which pyjit_wasm is which."""
    return "- pyjit_wasm: " + "; ".join(
        f"{name}: commit {report.commit(entry.package)}" for name, entry in contestants.items() if entry.how in OURS)


def main() -> int:
    arguments = parse_arguments()
    kernels = [kernel for kernel in POLYBENCH if kernel.name in arguments.only]
    with tempfile.TemporaryDirectory() as caches:
        contestants = chosen(arguments.contestants, arguments.package, Path(caches))
        results = measure(contestants, kernels, arguments.rounds)
    heading = report.heading(shlex.join(["python", *sys.argv]), arguments.rounds)
    sections = [f"{heading}\n{packages(contestants)}", *(section(figure, table) for figure, table in results.items())]
    failed = report.failures(results["kernel"])
    if failed:
        sections.append("## Failures\n\n" + "\n".join(f"- {line}" for line in failed))
    text = "\n\n".join(sections) + "\n"
    arguments.out.write_text(text) if arguments.out else print(text, end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
