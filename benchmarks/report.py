"""The report: measured samples -> Markdown."""
import datetime
import importlib.metadata
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Mapping, Sequence

import build_kernels
from rounds import Samples, geomean, ratio

KernelTable = list[tuple[str, dict[str, Samples]]]
Medians = Mapping[str, float | None]
PACKAGES = ("llvmlite", "numba", "wasmtime", "pywasm3", "ziglang")


@dataclass(frozen=True)
class Unit:
    """How the samples of a table are shown."""
    name: str
    scale: float
    digits: int


MILLISECONDS = Unit("ms", 1e3, 1)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def cell(samples: Samples, scale: float, digits: int) -> str:
    return "failed" if samples.failure else number(samples.median and samples.median * scale, digits)


def best_native(medians: Medians) -> float | None:
    """Native is the better of the two flavours."""
    return min((medians[name] for name in ("native", "native (any CPU)") if medians.get(name)), default=None)


def medians_of(samples: Mapping[str, Samples]) -> dict[str, float | None]:
    medians = {name: values.median for name, values in samples.items()}
    return {**medians, "native": best_native(medians)}


def ratios_of(medians: Medians, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
    return [ratio(medians.get(above), medians.get(below)) for above, below in pairs]


def kernel_section(table: KernelTable, columns: Sequence[str], pairs: Sequence[tuple[str, str]],
                   unit: Unit = MILLISECONDS) -> str:
    """A row a kernel, then the ratios; the last row has the ratios' geometric means."""
    present = [name for name in columns if any(name in samples for _, samples in table)]
    pairs = [pair for pair in pairs if set(pair) <= set(present)]
    rows, all_ratios = [], []
    for name, samples in table:
        medians = medians_of(samples)
        all_ratios.append(ratios_of(medians, pairs))
        rows.append([name, *(kernel_cell(column, samples, medians, unit) for column in present),
                     *(number(value, 2) for value in all_ratios[-1])])
    means = [number(geomean(column), 3) for column in zip(*all_ratios)]
    rows.append(["**geometric mean**", *[""] * len(present), *(f"**{mean}**" if mean else "" for mean in means)])
    return markdown_table(["kernel", *(f"{name} {unit.name}" for name in present), *(" / ".join(p) for p in pairs)], rows)


def kernel_cell(column: str, samples: Mapping[str, Samples], medians: Medians, unit: Unit) -> str:
    if column not in samples:
        return ""
    if medians[column]:
        return number(medians[column] * unit.scale, unit.digits)
    return cell(samples[column], unit.scale, unit.digits)


def nanoseconds_section(table: KernelTable, corner: str, digits: int = 0) -> str:
    """A row for each measurement, in the columns of the first."""
    names = list(table[0][1])
    rows = [[title, *(cell(samples[name], 1, digits) if name in samples else "" for name in names)]
            for title, samples in table]
    return markdown_table([corner, *names], rows)


def calls_section(table: KernelTable) -> str:
    return nanoseconds_section(table, "ns a call")


def threads_section(table: Mapping[str, Mapping[str, Samples]], ticks: Mapping[str, tuple[int, float]]) -> str:
    """A row a mode: milliseconds, their ratio, how often the other thread ticked and its longest pause."""
    rows = []
    for mode, samples in table.items():
        medians = {name: values.median for name, values in samples.items()}
        count, pause = ticks[mode]
        rows.append([mode, *(cell(s, 1e3, 1) for s in samples.values()),
                     number(ratio(medians["two threads"], medians["one thread"]), 2), str(count), number(pause * 1e3, 1)])
    return markdown_table(["mode", "one thread ms", "two threads ms", "two / one", "ticks", "longest pause ms"], rows)


def startup_section(samples: Mapping[str, Samples]) -> str:
    return markdown_table(["ms a process", *samples], [["median", *(cell(s, 1e3, 1) for s in samples.values())]])


def failures(table: Iterable[tuple[str, Mapping[str, Samples]]]) -> list[str]:
    return [f"{title}, {name}: {samples.failure}"
            for title, row in table for name, samples in row.items() if samples.failure]


def first_line(command: Sequence[str], clean: Callable[[str], str] = str.strip) -> str | None:
    try:
        return clean(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0])
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def package_version(package: str) -> str | None:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> str:
    compiler = build_kernels.native_compiler()
    clang = first_line([*compiler, "--version"], lambda line: f"native: {line.strip()}") if compiler else None
    node = first_line(["node", "--version"], lambda line: f"node {line.strip()}")
    parts = [f"Python {platform.python_version()}", *map(package_version, PACKAGES), node, clang]
    return ", ".join(part for part in parts if part)


def commit(directory: Path = Path(__file__).parent) -> str:
    return first_line(["git", "-C", str(directory), "describe", "--always", "--dirty"]) or "unknown"


def heading(command: str, rounds: int) -> str:
    machine = f"{cpu_name()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"
    load = f"{os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else "unknown"
    return "\n".join([
        "# Benchmark results", "",
        f"- Date: {datetime.date.today()}, commit {commit()}", f"- Machine: {machine}; load {load}",
        f"- Versions: {versions()}", f"- Command: `{command}`",
        f"- Method: contestants interleaved, {rounds} rounds, medians. All checksums are checked.",
    ])
