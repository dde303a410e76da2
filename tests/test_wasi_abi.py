"""The constants and layouts of wasi/abi.py, compared with a C library's header."""
import re
from pathlib import Path

import pytest

from pyjit_wasm.wasi import abi

ziglang = pytest.importorskip("ziglang")
HEADER = Path(ziglang.__file__).parent / "lib" / "libc" / "include" / "wasm-wasi-musl" / "wasi" / "api.h"
PREFIXES = {
    "ERRNO_": "E", "RIGHTS_": "RIGHT_", "LOOKUPFLAGS_": "LOOKUP_", "CLOCKID_": "CLOCK_", "SUBCLOCKFLAGS_": "",
    "EVENTRWFLAGS_": "EVENT_"}
LAYOUTS = {"iovec": abi.IOVEC, "ciovec": abi.IOVEC, "fdstat": abi.FDSTAT, "filestat": abi.FILESTAT,
           "prestat": abi.PRESTAT, "dirent": abi.DIRENT, "subscription": abi.SUBSCRIPTION, "event": abi.EVENT}


@pytest.fixture(scope="module")
def header():
    return HEADER.read_text()


def name_of(macro):
    for prefix, ours in PREFIXES.items():
        if macro.startswith(prefix):
            return ours + macro.removeprefix(prefix)
    return macro


def test_constants(header):
    macros = re.findall(r"#define __WASI_(\w+) \(\(?(?:\w+\)\()?(?:UINT\d+_C\()?(1 << \d+|\d+)\)*", header)
    known = {macro: int(value) if value.isdigit() else 1 << int(value.split()[-1]) for macro, value in macros}
    del known["DIRCOOKIE_START"]
    assert len(known) > 150
    assert {name_of(macro): value for macro, value in known.items()} == {
        name_of(macro): getattr(abi, name_of(macro)) for macro in known}


def test_layouts(header):
    sizes = dict(re.findall(r"sizeof\(__wasi_(\w+)_t\) == (\d+)", header))
    assert {name: layout.size for name, layout in LAYOUTS.items()} == {name: int(sizes[name]) for name in LAYOUTS}


def test_functions(header):
    """The header's functions have our parameters, and one more for each result that is stored."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    functions = dict(re.findall(r"__wasi_(\w+)\(\s*([^;]*?)\s*\)\s*(?:__attribute__[^;]*)?;", text))
    assert abi.SIGNATURES.keys() - functions.keys() == {"proc_raise"}       # C libraries do without
    for name in abi.SIGNATURES.keys() & functions.keys():
        written = [word for word in functions[name].split(",") if word.strip() not in ("", "void")]
        strings = len(re.findall(r"const char \*", functions[name]))     # a pointer and a length
        assert len(written) + strings == len(abi.SIGNATURES[name]), name
    assert len(abi.SIGNATURES) == 46


def test_rights_of_kinds():
    kinds = abi.STREAM_RIGHTS | abi.SOCKET_RIGHTS | abi.FILE_RIGHTS | abi.DIRECTORY_RIGHTS
    assert kinds == abi.ALL_RIGHTS
