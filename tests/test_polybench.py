"""The kernels of PolyBench (see benchmarks/polybench.py): every engine finds the very checksums of the native build."""
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def _kernels():
    spec = importlib.util.spec_from_file_location("benchmark_kernels", BENCHMARKS / "kernels.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look it up there
    spec.loader.exec_module(module)
    return module.POLYBENCH


POLYBENCH = _kernels()


@pytest.mark.parametrize("kernel", POLYBENCH, ids=lambda kernel: kernel.name)
def test_checksum(load_bounded, kernel):
    exports = load_bounded(kernel.wasm).exports
    exports._initialize()
    for _ in range(2):  # each on fresh data
        exports.run()
        assert exports.checksum() == kernel.checksum


def test_every_source_has_a_checksum():
    assert {path.stem for path in (BENCHMARKS / "polybench").glob("*.c")} == {kernel.name for kernel in POLYBENCH}
    assert len(POLYBENCH) == 30


def _polybench(*arguments):
    return subprocess.run([sys.executable, BENCHMARKS / "polybench.py", *arguments], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)}, check=False)


def test_the_benchmark_reports_every_figure():
    done = _polybench("--rounds", "1", "--only", "trisolv,durbin", "--contestants", "jit,explicit,before",
                      "--package", str(BENCHMARKS.parent))
    assert done.returncode == 0, done.stderr
    assert "| kernel | jit ms | explicit ms | before ms | explicit / jit | jit / before |" in done.stdout
    assert "| kernel | jit KiB | explicit KiB | before KiB |" in done.stdout
    assert done.stdout.count("| trisolv |") == done.stdout.count("| durbin |") == 3
    assert "Failures" not in done.stdout


@pytest.mark.parametrize("checksum, tolerance, right", [
    ("1.0", "0.0", True), ("1.0 + 2**-52", "0.0", False), ("1.0 + 2**-52", "1e-9", True), ("1.0 + 1e-8", "1e-9", False),
    ("float('nan')", "1e-9", False), ("float('inf')", "1e-9", False)])
def test_wrong_checksums_are_found(child, checksum, tolerance, right):
    done = child(f"""
        import sys
        sys.path.insert(0, {str(BENCHMARKS)!r})
        import contestants, kernels, polybench
        try:
            polybench.check({checksum}, kernels.PolyBench("one", 1.0), {tolerance})
            print(True)
        except contestants.WrongChecksum:
            print(False)
    """)
    assert done.stdout == f"{right}\n", done.stderr


@pytest.mark.parametrize("arguments", [("--package", "nowhere"), ("--only", "gem"), ("--contestants", "jti"),
                                       ("--contestants", "before")])
def test_wrong_options_are_refused(arguments):
    done = _polybench(*arguments)
    assert done.returncode == 2
    assert arguments[1] in done.stderr
