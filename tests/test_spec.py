"""The specification's test suite (WebAssembly 3.0), through our text parser and script runner.

Its directory: `--spec-testsuite`, `$WASM_SPEC_TESTSUITE`, or `../shared/spec-testsuite` beside the repository. Files
that need what is not there yet stand in `failures/<mode>.txt`; if one passes as a whole, that is a failure too.
"""
import os
from pathlib import Path

import pytest

from modes import BOUNDS, MODES, engine
from pyjit_wasm import wast

HERE = Path(__file__).resolve().parent
REQUIRED = """
    address binary binary-leb128 block br bulk call call_indirect const conversions custom data endianness exports0
    f32 f32_bitwise f32_cmp f64 f64_bitwise f64_cmp fac float_exprs float_literals float_memory float_misc forward
    func_ptrs i32 i64 imports0 imports3 inline-module int_exprs int_literals labels left-to-right linking0 load
    local_get local_set loop memory_copy memory_fill memory_init memory_redundancy memory_size memory_trap names nop
    obsolete-keywords ref_func return skip-stack-guard-page stack start store switch table_copy token traps type
    unreachable unwind utf8-custom-section-id utf8-import-field utf8-import-module utf8-invalid-encoding""".split()


def suite(config):
    """The directory of the suite, whether it exists or not."""
    named = config.getoption("--spec-testsuite", default=None) or os.environ.get("WASM_SPEC_TESTSUITE")
    return Path(named) if named else HERE.parents[1] / "shared" / "spec-testsuite"


def expected_failures(mode):
    return set((HERE / "failures" / f"{mode}.txt").read_text().split())


def pytest_generate_tests(metafunc):
    if "other" in metafunc.fixturenames:
        directory = suite(metafunc.config)
        names = {str(path.relative_to(directory).with_suffix("")) for path in directory.rglob("*.wast")} - set(REQUIRED)
        metafunc.parametrize("other", sorted(names))


@pytest.fixture
def directory(request):
    found = suite(request.config)
    if not found.is_dir():
        message = f"no specification test suite in {found}: see --spec-testsuite"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found


def failures(directory, name, mode, bounds="guard"):
    """With explicit bounds, functions are validated by the kernels that are for large modules."""
    with pytest.MonkeyPatch.context() as patch:
        if bounds == "explicit":
            patch.setattr("pyjit_wasm.config.BULK_VALIDATION", 0)
            patch.setattr("pyjit_wasm.binary.bulk_reader.LEAST", 1)
        return _failures(directory, name, mode, bounds)


def _failures(directory, name, mode, bounds):
    return wast.run_file(str(directory / f"{name}.wast"), engine(mode, bounds)).failures


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", REQUIRED)
def test_required(name, mode, bounds, directory):
    assert failures(directory, name, mode, bounds) == []


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("mode", MODES)
def test_other(other, mode, bounds, directory):
    found = failures(directory, other, mode, bounds)
    if f"{other}.wast" in expected_failures(mode):
        assert found, f"{other}.wast passes now: take it out of failures/{mode}.txt"
    else:
        assert found == []


@pytest.mark.parametrize("mode", MODES)
def test_expected_failures_exist(mode, directory):
    assert expected_failures(mode) <= {path.name for path in directory.glob("*.wast")}
