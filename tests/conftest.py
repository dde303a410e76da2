"""The three modes, through one fixture; child processes for what may kill the process it is tried in."""
import os
import subprocess
import sys
import textwrap

import pytest

import pyjit_wasm as wasm

MODES = ("interp", "jit", "tiered")
EAGER = {"tier_up_threshold": 1, "background": False}  # tiered mode switches tiers at once, in this process


def pytest_addoption(parser):
    parser.addoption("--spec-testsuite", metavar="DIR", help="the specification's tests (see tests/test_spec.py)")
    parser.addoption("--bless", action="store_true", help="write golden files anew (see tests/test_golden.py)")
    parser.addoption("--all-programs", action="store_true", help="large programs too (see tests/test_programs.py)")


@pytest.fixture(params=MODES)
def mode(request):
    return request.param


@pytest.fixture(params=("guard", "explicit"))
def bounds(request):
    """The ways memory accesses are checked."""
    return request.param


@pytest.fixture
def engine(mode):
    return wasm.Engine(mode=mode, **EAGER)


@pytest.fixture
def bounded_engine(mode, bounds):
    """The three modes times the two ways of checking memory accesses."""
    return wasm.Engine(mode=mode, memory_bounds=bounds, **EAGER)


@pytest.fixture
def load(engine):
    """`load(wat, imports)`: an instance in each mode."""
    return lambda source, imports=None, **options: wasm.Instance(wasm.Module(source, engine=engine), imports, **options)


@pytest.fixture
def load_bounded(bounded_engine):
    """`load`, in both memory modes too."""
    return lambda source, imports=None, **options: wasm.Instance(
        wasm.Module(source, engine=bounded_engine), imports, **options)


@pytest.fixture
def child():
    """`child(code)`: run Python code in a process of its own; the CompletedProcess, with text output.
    `load(wat, imports, mode, ...)` and `wasm` are there already."""
    return _child


_PRELUDE = f"""
import ctypes, faulthandler, gc, os, signal, sys, threading, time
import pyjit_wasm as wasm
def load(source, imports=None, mode="interp", stack_size=None, **settings):
    settings = {{**{EAGER!r}, **settings}}
    return wasm.Instance(wasm.Module(source, engine=wasm.Engine(mode=mode, **settings)), imports, stack_size=stack_size)
"""


def _child(code, prelude=True, timeout=60, **environment):
    code = (_PRELUDE if prelude else "") + textwrap.dedent(code)
    # -P: the package that is tested, not what lies in the working directory
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **environment}, check=False)
