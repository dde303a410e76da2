"""The limits of modules (`config.LIMITS`): what is at a limit loads, one more is refused with a message that says how many there
are, by the exact reader and validator and by the kernels; wasmtime refuses the same."""
import re
from pathlib import Path

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import config
from pyjit_wasm.binary import bulk_reader
from pyjit_wasm.binary.encode import custom_section, name, sized, uleb, vector
from pyjit_wasm.config import LIMITS
from shapes import (FUNCREF, I32, I32_TO_I32, LOCAL, NOTHING, TO_I32, ZERO, body, br_tables, catch_clauses, chain_of_calls,
                    defined_globals, element_segments, equal_types, exported_functions, function, imported_globals, module,
                    parameters, passive_data, repeated, results, tags)

ROOT = Path(__file__).resolve().parents[1]
REFUSED = (wasm.DecodeError, wasm.ValidationError)


def functions(n):
    return module(type=vector([NOTHING]), func=repeated(n, b"\x00"), code=repeated(n, body(b"")))


def supertypes(n):
    """A chain of types, the last of which has n above it."""
    return module(type=vector([b"\x50\x00\x5F\x00", *[b"\x50\x01" + uleb(i) + b"\x5F\x00" for i in range(n)]]))


def elements(n):
    return module(type=vector([NOTHING]), func=b"\x01\x00", code=vector([body(b"")]), elem=b"\x01\x01\x00" + repeated(n, b"\x00"))


def expressions(n):
    return module(type=vector([NOTHING]), func=b"\x01\x00", code=vector([body(b"")]),
                  elem=b"\x01\x05\x70" + repeated(n, b"\xD2\x00\x0B"))


def body_bytes(n):
    return module(type=vector([NOTHING]), func=b"\x01\x00", code=vector([sized(b"\x00" + b"\x01" * (n - 2) + b"\x0B")]))


def locals_in_runs(n):
    return function(ZERO, locals_=b"\x02" + uleb(n - 7) + I32 + uleb(7) + FUNCREF)


def locals_and_parameters(n):
    return function(LOCAL, b"\x60\x03" + I32 * 3 + b"\x01" + I32, locals_=b"\x01" + uleb(n - 3) + I32)


def import_name(n):
    return module(type=vector([NOTHING]), **{"import": vector([name("m") + name("x" * n) + b"\x00\x00"])})


def export_name(n):
    return module(type=vector([TO_I32]), func=b"\x01\x00", code=vector([body(ZERO)]), export=vector([name("x" * n) + b"\x00\x00"]))


# (what, a module with n of it, whether wasmtime has the limit too)
CHEAP = [
    ("supertypes above a type", supertypes, True),
    ("parameters", parameters, True),
    ("results", results, True),
    ("fields", lambda n: module(type=vector([b"\x5F" + repeated(n, I32 + b"\x00")])), True),
    ("tables", lambda n: module(table=repeated(n, FUNCREF + b"\x00\x00")), True),
    ("memories", lambda n: module(memory=repeated(n, b"\x00\x00")), True),
    ("data segments", passive_data, True),
    ("bytes in a name", import_name, True),
    ("bytes in a name", export_name, True),
    ("bytes in a name", lambda n: module(customs=custom_section("x" * n, b"")), True),
    ("bytes in a function body", body_bytes, True),
    ("locals", locals_in_runs, True),
    ("locals", locals_and_parameters, True),
    ("targets of a br_table", br_tables, False),    # V8's limit; wasmtime has that of the body
    ("clauses of a try_table", catch_clauses, True),
]
# those of which a million are tried with a smaller limit
MANY = [
    ("types", equal_types), ("types in a recursive group", lambda n: module(type=b"\x01\x4E" + repeated(n, NOTHING))),
    ("functions", functions), ("tags", tags), ("globals", defined_globals), ("imports", imported_globals),
    ("exports", exported_functions), ("elements in a segment", elements), ("elements in a segment", expressions),
    ("element segments", element_segments),
]


@pytest.fixture(params=(1 << 40, 0), ids=("exact", "kernels"))
def load(request, monkeypatch):
    monkeypatch.setattr(config, "BULK_VALIDATION", request.param)
    return wasm.Module


@pytest.fixture(scope="module")
def accepts():
    """Whether wasmtime finds a module valid."""
    wasmtime = pytest.importorskip("wasmtime")
    settings = wasmtime.Config()
    for proposal in ("gc", "function_references", "exceptions", "multi_memory", "memory64", "threads", "tail_call"):
        setattr(settings, f"wasm_{proposal}", True)
    engine = wasmtime.Engine(settings)

    def valid(binary):
        try:
            wasmtime.Module.validate(engine, binary)
        except wasmtime.WasmtimeError:
            return False
        return True

    return valid


def assert_refused(load, binary, what, found, limit):
    with pytest.raises(REFUSED, match=re.escape(f"too many {what}: {found} (at most {limit})")):
        load(binary)


@pytest.mark.parametrize("what, make, shared", CHEAP)
def test_limits(load, accepts, what, make, shared):
    most = LIMITS[what]
    binary, larger = make(most), make(most + 1)
    if len(binary) < 1 << 20 or not config.BULK_VALIDATION:     # else it takes 10 s
        load(binary)
    assert_refused(load, larger, what, most + 1, most)
    assert accepts(binary) and accepts(larger) != shared


@pytest.mark.parametrize("what, make", MANY)
def test_limits_of_many(load, monkeypatch, what, make):
    monkeypatch.setitem(LIMITS, what, 1_000)
    monkeypatch.setattr(bulk_reader, "MOST", 1_000)
    load(make(1_000))
    assert_refused(load, make(1_001), what, 1_001, 1_000)


@pytest.mark.parametrize("what, make", MANY)
def test_limits_of_a_million(accepts, what, make):
    """What is announced is refused before it is read."""
    binary = make(LIMITS[what] + 1)
    assert_refused(wasm.Module.validate, binary, what, LIMITS[what] + 1, LIMITS[what])
    assert not accepts(binary)


def test_imports_count(load, monkeypatch):
    """In the index spaces."""
    def imported(kind, defined, **sections):
        return module(type=vector([NOTHING]), **{"import": vector([name("m") + name(str(i)) + kind for i in range(5)])}, **sections)

    for what, kind, sections in (
            ("functions", b"\x00\x00", {"func": repeated(6, b"\x00"), "code": repeated(6, body(b""))}),
            ("tables", b"\x01\x70\x00\x00", {"table": repeated(6, FUNCREF + b"\x00\x00")}),
            ("memories", b"\x02\x00\x00", {"memory": repeated(6, b"\x00\x00")}),
            ("globals", b"\x03\x7F\x00", {"global": repeated(6, I32 + b"\x00" + ZERO + b"\x0B")}),
            ("tags", b"\x04\x00\x00", {"tag": repeated(6, b"\x00\x00")})):
        binary = imported(kind, what, **sections)
        monkeypatch.setitem(LIMITS, what, 11)
        load(binary)
        monkeypatch.setitem(LIMITS, what, 10)
        assert_refused(load, binary, what, 11, 10)


def test_sums_of_types(monkeypatch):
    """Groups count as their types."""
    monkeypatch.setitem(LIMITS, "types", 10)
    binary = module(type=repeated(2, b"\x4E" + repeated(6, NOTHING)))
    assert_refused(wasm.Module, binary, "types", 12, 10)


def test_size_of_a_module(load, monkeypatch):
    binary = module(type=vector([I32_TO_I32]))
    monkeypatch.setitem(LIMITS, "bytes in a module", len(binary))
    load(binary)
    monkeypatch.setitem(LIMITS, "bytes in a module", len(binary) - 1)
    assert_refused(load, binary, "bytes in a module", len(binary), len(binary) - 1)


def test_nesting_has_no_limit(load):
    """But that of the function's size."""
    for code in (b"\x02\x40" * 30_000 + b"\x0B" * 30_000, b"\x20\x00\x04\x40" * 10_000 + b"\x0B" * 10_000):
        binary = function(code + LOCAL, I32_TO_I32)
        assert wasm.Instance(load(binary, engine=wasm.Engine(mode="interp"))).exports.f(7) == 7


def test_long_chains_of_calls(load):
    """From function to function, and what looks through them."""
    assert wasm.Instance(load(chain_of_calls(30_000), engine=wasm.Engine(mode="interp"))).exports.f() == 0


def test_documented():
    text = (ROOT / "docs" / "limits.md").read_text()
    rows = dict(re.findall(r"^\| (.*?) +\| ([\d,]+) ", text, re.MULTILINE))
    assert {what: int(number.replace(",", "")) for what, number in rows.items()} == LIMITS
