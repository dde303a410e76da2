"""Random modules do the same in every mode as in wasmtime (see `differential`)."""
import os
import subprocess
import sys

import pytest

import differential

MODULES = int(os.environ.get("DIFFERENTIAL_MODULES", 300))
SEED, SIZE, PROCESSES, TIMEOUT = 0, 12, 2, 1800


def test_differential():
    pytest.importorskip("wasmtime")
    share, workers = -(-MODULES // PROCESSES), []
    for number in range(PROCESSES):
        command = [sys.executable, "-X", "faulthandler", differential.__file__, "--first", str(SEED + number * share),
                   "--count", str(share), "--size", str(SIZE)]
        workers.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    output = [worker.communicate(timeout=TIMEOUT)[0] for worker in workers]
    assert all(worker.returncode == 0 for worker in workers), "\n".join(output)
