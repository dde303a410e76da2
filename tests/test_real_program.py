"""A real C program, cmark-gfm (see benchmarks/real_program.py): WebAssembly writes what the native build writes."""
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modes import MODES

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = 60


@pytest.fixture(scope="module")
def real_program():
    """The module benchmarks/real_program.py."""
    spec = importlib.util.spec_from_file_location("real_program", ROOT / "benchmarks" / "real_program.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def programs(real_program):
    """(native, wasm), built now unless they are there; without the toolchain or the network: skipped, not in CI."""
    directory = ROOT / "benchmarks" / "build"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        return real_program.fetch_and_build(directory)
    except (subprocess.CalledProcessError, OSError) as error:
        message = f"cmark-gfm cannot be built here: {error}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("output_format", ("html", "latex"))
def test_output_is_that_of_the_native_build(output_format, mode, real_program, programs):
    native, program = programs
    text = real_program.document(SECTIONS)
    expected = real_program.run_native(native, output_format, text)
    command = [sys.executable, "-X", "faulthandler", "-m", "pyjit_wasm", "run", "--mode", mode, program]
    done = subprocess.run([*command, *real_program.arguments(output_format)], input=text, capture_output=True,
                          timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == expected
    assert len(expected) > 1000 * SECTIONS
