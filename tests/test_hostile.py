"""Damaged modules: always a Python exception or a module that works, never a crash or a hang.

`HOSTILE_CORRUPTIONS` sets how many corruptions are tried in interp mode (default 1500, the full number is 10000).
"""
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hostile

CORRUPTIONS = int(os.environ.get("HOSTILE_CORRUPTIONS", 1500))
SHARES = {"interp": 1, "tiered": 5, "jit": 10}     # one in so many: compiling takes its time
PROCESSES, TIMEOUT = 2, 600 + CORRUPTIONS // 4  # seconds


def worker(what, first, stop, progress):
    command = [sys.executable, "-X", "faulthandler", hostile.__file__, what, str(first), str(stop), str(progress)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def surprises(what, count, directory):
    """What the workers found in cases 0 to `count`."""
    bounds = [count * i // PROCESSES for i in range(PROCESSES + 1)]
    started = []
    for first, stop in zip(bounds, bounds[1:]):
        progress = Path(directory, f"{first}")
        started.append((worker(what, first, stop, progress), progress))
    found = []
    for process, progress in started:
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            found.append(f"hang at {progress.read_text()}")
        found += out.split("\n") if out.strip() else []
        if process.returncode:
            found.append(f"exit code {process.returncode} at {progress.read_text()}: {err}")
        print(err)
    return found


def test_prefixes(tmp_path):
    assert surprises("prefixes", sum(1 for _ in hostile.prefixes()), tmp_path) == []


@pytest.mark.parametrize("mode", SHARES)
def test_corruptions(mode, tmp_path):
    assert surprises(mode, CORRUPTIONS // SHARES[mode], tmp_path) == []
