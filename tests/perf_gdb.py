"""Runs Linux perf and gdb on examples/profile.wat and says what they show. `python tests/perf_gdb.py` writes docs/transcripts.

perf samples by `cpu-clock`, a timer of the kernel's, which virtual machines have too.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pyjit_wasm.codegen import cache

ROOT = Path(__file__).resolve().parent.parent
MODULE = "examples/profile.wat"
TRANSCRIPTS = ROOT / "docs" / "transcripts"
RECORD = ("perf", "record", "-q", "-e", "cpu-clock", "-k", "mono", "--call-graph", "fp", "-o")
GDB = ("gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off")
_REPORT = ("perf", "report", "--stdio", "--sort", "symbol", "--no-children", "-i")
HOTTEST = {"interp": "return.s [wasm interp]", "jit": "work [wasm jit profile]", "tiered": "series [wasm jit loop profile]"}
BREAKPOINTS = {"interp": ("'i32.div_s.ss [wasm interp]'", 5), "jit": ("fib", 5),
               "tiered": ("'series [wasm jit loop profile]'", 27)}     # where, and the argument of `work`
_SETTINGS = ("set breakpoint pending on", "set print frame-arguments none", "set width 0")
SIZES = {"interp": 23, "jit": 28, "tiered": 28}    # arguments of `work` that take about a second


def missing(*tools):
    """Why tools cannot be used here, or None."""
    trials = {"perf": (*RECORD, "perf.data", "true"), "gdb": (*GDB, "-ex", "run", "--args", "true"), "objdump": ("objdump", "-v")}
    for tool in tools:
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(trials[tool], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode or (tool == "gdb" and "exited normally" not in done.stdout):
            return f"{tool} may not look at processes here: {done.stderr.strip()[-200:]}"
    return None


class Session:
    """Commands and what they print. Files are in `folder`, the tools' own caches too."""

    def __init__(self, folder):
        self.folder, self.lines = Path(folder), []
        self._environment = {**os.environ, "HOME": str(folder), "JITDUMPDIR": str(folder), "TMPDIR": str(folder),
                             "PYTHONPATH": str(ROOT), "PYJIT_WASM_CACHE": cache.directory() or "off",
                             "PYTHONPYCACHEPREFIX": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
        for mode in SIZES:  # what is compiled once is no part of the picture
            self.output(*program(mode, size=2))

    def run(self, *command, keep=lambda line: True):
        """Run a command; its output, of which the transcript gets the lines that `keep` says."""
        output = self.output(*command)
        self.lines += ["$ " + self._plain(" ".join(_quoted(str(word)) for word in command)),
                       *[self._plain(line.rstrip()) for line in output.splitlines() if keep(line)], ""]
        return output

    def output(self, *command):
        return subprocess.run([str(word) for word in command], cwd=ROOT, env=self._environment, text=True, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", check=False).stdout

    def _plain(self, line):
        """Without what is this machine's: paths, process numbers, addresses."""
        line = line.replace(f"{sys.executable} -m pyjit_wasm", "pyjit-wasm").replace(f"{self.folder}/", "").rstrip(" -")
        return re.sub(r"jitted-\d+", "jitted-PID", line)

    def text(self):
        return "\n".join(self.lines)


def _quoted(word):
    return shlex.quote(word) if "'" not in word else f'"{word}"'


def program(mode, *tools, size):
    options = [word for tool in tools for word in ("--perf", tool)]
    return sys.executable, "-m", "pyjit_wasm", "run", "--mode", mode, *options, "--invoke", "work", MODULE, size


def report(session, mode):
    """`perf report` by the map: (of everything, of the hottest function with its callers by frame pointers)."""
    data = session.folder / f"{mode}.data"
    session.run(*RECORD, data, *program(mode, "map", size=SIZES[mode]))
    try:
        found = session.run(*_REPORT, data, "-g", "none", "--percent-limit", "0.5", keep=_is_row)
        return found, session.run(*_REPORT, data, "-g", "caller,10,callee", "--max-stack", "3", "-S", HOTTEST[mode], keep=_is_row)
    finally:
        for pid in set(session.output("perf", "script", "-i", data, "-F", "pid").split()):
            Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)


def annotate(session, function):
    """`perf annotate` by the dump, in mode jit."""
    data, injected = session.folder / "dump.data", session.folder / "injected.data"
    session.run(*RECORD, data, *program("jit", "jitdump", size=SIZES["jit"]))
    session.run("perf", "inject", "--jit", "-i", data, "-o", injected)
    return session.run("perf", "annotate", "--stdio", "-i", injected, "-s", function, keep=_is_row)


def backtrace(session, mode):
    """What gdb shows at a breakpoint in generated code, and in mode jit at a second one."""
    place, size = BREAKPOINTS[mode]
    more = ["continue", "bt 5", "delete", "break ratio", "continue", "bt 4", "list"] if mode == "jit" else []
    steps = [word for command in (*_SETTINGS, f"break {place}", "run", "bt 6", *more) for word in ("-ex", command)]
    return session.run(*GDB, *steps, "--args", *program(mode, "gdb", size=size), keep=_is_gdb)


def _is_row(line):
    """Of perf's reports: what is no blank line and no headline."""
    return line.strip(" #:\t") and not line.startswith("#")


def _is_gdb(line):
    """Of gdb's output: stops, frames and lines of text."""
    return re.match(r"(#\d+ |\d+\t|Breakpoint \d+, |Thread \d+ .* hit|\d+\$)", line)


def main():
    TRANSCRIPTS.mkdir(exist_ok=True)
    for name, steps in (
            ("perf-report", lambda s: [report(s, mode) for mode in SIZES]),
            ("perf-annotate", lambda s: annotate(s, "work [wasm jit profile]")),
            ("gdb-bt", lambda s: [backtrace(s, mode) for mode in BREAKPOINTS])):
        with tempfile.TemporaryDirectory() as folder:
            session = Session(folder)
            steps(session)
        (TRANSCRIPTS / f"{name}.txt").write_text(session.text())


if __name__ == "__main__":
    main()
