"""One use of a program in a child process, and what came of it.

`python program_runs.py record NAME...` writes the files that are expected, as wasmtime (or node) makes them.
"""
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import program_downloads
from program_table import BY_NAME

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "programs"
CHILD = HERE / "program_child.py"
NODE = HERE / "program_node.mjs"


@dataclass(frozen=True)
class Outcome:
    """What a run did: its exit code, what it printed, and {path: contents} of the files it wrote or changed."""
    exit_code: int
    stdout: bytes
    files: dict[str, bytes]


def contents(folder):
    """{path in the folder: contents} of all files."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


def expected(program):
    """The Outcome on record."""
    printed = FOLDER / program.name / "stdout"
    return Outcome(program.exit_code, printed.read_bytes() if printed.exists() else b"",
                   contents(FOLDER / program.name / "out"))


def command(program, how, root):
    """(the command line that runs a program with `/` in `root`, its standard input)."""
    package = program_downloads.unpacked(program.package)
    dirs = {"/": str(root), **{name: str(package / path) for name, path in program.dirs.items()}}
    start = ["node", str(NODE)] if how == "node" else [sys.executable, "-X", "faulthandler", str(CHILD), how]
    given = FOLDER / program.name / "stdin"
    return ([*start, str(package / program.member), json.dumps(dirs), program.host, *program.args],
            given.read_bytes() if given.exists() else b"")


def finished(words, given):
    """The CompletedProcess of a command line with bytes as its standard input."""
    return subprocess.run(words, input=given, capture_output=True, timeout=1200, check=False)


def outcome(program, how, finished=finished):
    """(Outcome, standard error) of a run in a mode of the engine, or another way that program_child.py knows."""
    with tempfile.TemporaryDirectory() as work:
        root = Path(work, "root")
        root.mkdir()
        for folder in program.inputs or (f"{program.name}/in",):
            if (FOLDER / folder).is_dir():
                shutil.copytree(FOLDER / folder, root, dirs_exist_ok=True)
        before = contents(root)
        words, given = command(program, how, root)
        done = finished(words, given)
        written = {path: data for path, data in contents(root).items() if before.get(path) != data}
        return Outcome(done.returncode, done.stdout, written), done.stderr


def record(program):
    """Write what is expected of a program; ValueError for another exit code."""
    found, errors = outcome(program, "wasmtime" if program.wasmtime else "node")
    if found.exit_code != program.exit_code:
        raise ValueError(f"{program.name} exits with {found.exit_code}: {errors.decode(errors='replace')}")
    folder = FOLDER / program.name
    shutil.rmtree(folder / "out", ignore_errors=True)
    for path, data in {**{f"out/{path}": data for path, data in found.files.items()}, "stdout": found.stdout}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


if __name__ == "__main__":
    names = sys.argv[2:]
    if sys.argv[1:2] != ["record"] or not set(names) <= set(BY_NAME):
        sys.exit(__doc__)
    for name in names:
        record(BY_NAME[name])
