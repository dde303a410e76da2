"""Golden files: `golden/*.wat` are modules, followed by the IR that their first function becomes before LLVM sees it, as comments.

    pytest tests/test_golden.py --bless     write what there is now; read the difference before it is committed
"""
import re
from pathlib import Path

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.codegen.function import Function

FILES = sorted((Path(__file__).resolve().parent / "golden").glob("*.wat"))
HEAD = ";;; IR\n"


def ir(source):
    """Without debug locations; names are numbered in the order in which they come."""
    module = wasm.Module(source, engine=wasm.Engine("jit"))
    unit = module.code.unit([0], [])
    text = re.sub(r", !dbg !\d+| !dbg !\d+", "", Function(unit, 0).function())
    names = {}
    for name in re.findall(r"%v\d+\b", text):
        names.setdefault(name, f"%{len(names)}")
    return re.sub(r"%v\d+\b", lambda match: names[match[0]], text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden(path, request):
    source, _, golden = path.read_text().partition(HEAD)
    found = "".join(f";; {line}\n" for line in ir(source).rstrip("\n").split("\n"))
    if request.config.getoption("--bless"):
        path.write_text(source + HEAD + found)
    else:
        assert found == golden, "if that is as it should be: pytest tests/test_golden.py --bless"
