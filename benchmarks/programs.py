"""Programs that nobody here wrote, as whole processes: time to the first output, time to the end, peak memory.

    python benchmarks/programs.py [--rounds N] [--skip CONTESTANT] [--out FILE] [NAME...]

The programs, their inputs and what they must answer are those of tests/program_table.py; every answer is checked.
`empty` starts with an empty cache, `warm` with what earlier runs left in it, `compiled` with what `pyjit-wasm compile` put
there and runs after it. wasmtime-py's Module is compiled each
time, or serialized and deserialized by the program that uses it, or kept in wasmtime's own cache. The end is when
both outputs are closed and the process has exited; peak memory is without that of worker processes.
"""
import argparse
import os
import selectors
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import report
import rounds

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))
import program_downloads  # noqa: E402
import program_runs  # noqa: E402
from program_table import BY_NAME, PROGRAMS  # noqa: E402

# name: (how program_child.py runs it, whether what earlier runs kept is there, whether it was compiled before them)
CONTESTANTS = {
    "tiered, empty": ("tiered", False, False), "tiered, warm": ("tiered", True, False),
    "tiered, compiled": ("tiered", True, True), "interp, warm": ("interp", True, False),
    "wasmtime": ("wasmtime", False, False), "wasmtime, serialized": ("wasmtime-serialized", True, False),
    "wasmtime, cache": ("wasmtime-cache", True, False),
}
FIGURES = {"first": "Seconds to the first byte of output", "total": "Seconds to the end", "peak": "Peak memory, MiB",
           "compile": "Seconds that `pyjit-wasm compile` takes, once"}
WARMING = 2


@dataclass
class Process:
    """A finished process with its figures; `first` is None without output."""
    returncode: int
    stdout: bytes
    stderr: bytes
    figures: dict[str, float | None]


def timed(words, given, environment):
    """The Process of a command line with bytes as its standard input."""
    with tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        start = perf_counter()
        child = subprocess.Popen(words, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env={**os.environ, **environment})
    outputs, first = _outputs(child, start)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    figures = {"first": first, "total": perf_counter() - start, "peak": usage.ru_maxrss / 1024}
    return Process(child.returncode, *outputs, figures)


def _outputs(child, start):
    """(standard output and error, seconds to the first byte of standard output or None)."""
    outputs, first = {child.stdout: b"", child.stderr: b""}, None
    with child.stdout, child.stderr, selectors.DefaultSelector() as selector:
        for stream in outputs:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 1 << 16)
                outputs[key.fileobj] += data
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is child.stdout:
                    first = first or perf_counter() - start
    return outputs.values(), first


@dataclass
class Contest:
    """One program run one way: its figures, a list of samples each."""
    program: object
    how: str
    warm: bool
    compiled: bool
    samples: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in FIGURES})

    def run(self, cache):
        """The figures of one run. Raises RuntimeError for a wrong answer."""
        environment = self.environment(cache)
        processes = []

        def finished(words, given):
            processes.append(timed(words, given, environment))
            return processes[0]

        found, errors = program_runs.outcome(self.program, self.how, finished)
        if found != program_runs.expected(self.program):
            raise RuntimeError(f"wrong answer: {errors.decode(errors='replace').strip()[-200:]}")
        return processes[0].figures

    @staticmethod
    def environment(cache):
        return {"PYJIT_WASM_CACHE": str(cache / "pyjit_wasm"), "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(TESTS.parent),
                "PYJIT_WASM_PROGRAMS": str(program_downloads.directory())}

    def compile(self, cache):
        """What a user does once, and for how many seconds."""
        path, start = program_downloads.unpacked(self.program.package) / self.program.member, perf_counter()
        subprocess.run([sys.executable, "-m", "pyjit_wasm", "compile", str(path)], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, **self.environment(cache)})
        self.samples["compile"].append(perf_counter() - start)

    def prepare(self):
        """A measure for rounds.interleave: seconds to the end; the other figures are kept here."""
        kept = tempfile.TemporaryDirectory()
        if self.compiled:
            self.compile(Path(kept.name))
        for _ in range(WARMING if self.warm else 0):
            self.run(Path(kept.name))

        def measure():
            if self.warm:
                return self._keep(self.run(Path(kept.name)))
            with tempfile.TemporaryDirectory() as empty:
                return self._keep(self.run(Path(empty)))

        return measure

    def _keep(self, figures):
        for name, value in figures.items():
            if value is not None:
                self.samples[name].append(value)
        return figures["total"]


def contest(program, count, skipped):
    """{contestant: (Contest, Samples)} of one program."""
    rounds.progress(program.name)
    contests = {name: Contest(program, *way) for name, way in CONTESTANTS.items()
                if name not in skipped and (program.wasmtime or not name.startswith("wasmtime"))}
    measured = rounds.interleave({name: entry.prepare for name, entry in contests.items()}, count)
    return {name: (entry, measured[name]) for name, entry in contests.items()}


def cell(entry, figure):
    if entry is None:
        return ""
    taken, samples = entry
    if samples.failure:
        return "failed"
    median = rounds.Samples(taken.samples[figure]).median
    return report.number(median, 0 if figure == "peak" else 2)


def section(results, figure):
    columns = [name for name, (_, _, compiled) in CONTESTANTS.items() if figure != "compile" or compiled]
    rows = [[name, *(cell(entries.get(column), figure) for column in columns)] for name, entries in results.items()]
    return f"## {FIGURES[figure]}\n\n" + report.markdown_table(["program", *columns], rows)


def failures(results):
    return [f"- {program}, {name}: {samples.failure}" for program, entries in results.items()
            for name, (_, samples) in entries.items() if samples.failure]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[[], *BY_NAME], help="default: all of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip", action="append", default=[], choices=CONTESTANTS, metavar="CONTESTANT")
    parser.add_argument("--out", type=Path, help="default: standard output")
    arguments = parser.parse_args()
    chosen = [BY_NAME[name] for name in arguments.names] or PROGRAMS
    results = {program.name: contest(program, arguments.rounds, arguments.skip) for program in chosen}
    command = " ".join(["python benchmarks/programs.py", *arguments.names, f"--rounds {arguments.rounds}",
                        *(f"--skip {shlex.quote(name)}" for name in arguments.skip)])
    parts = [report.heading(command, arguments.rounds), *(section(results, figure) for figure in FIGURES),
             "\n".join(f"- {program.name}: {program.about}" for program in chosen), "\n".join(failures(results))]
    text = "\n\n".join(part for part in parts if part) + "\n"
    arguments.out.write_text(text) if arguments.out else print(text)


if __name__ == "__main__":
    main()
