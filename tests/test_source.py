"""Source positions: of traps in C programs with DWARF, from source maps, and from what is damaged or hostile."""
import base64
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.disassembly import disassemble
from pyjit_wasm.source import bounds, demangling, sections
from pyjit_wasm.source.dwarf import Dwarf, extent
from pyjit_wasm.source.positions import Position, Positions
from pyjit_wasm.source.sections import debug_sections
from source_programs import SITES, build, markers

BUILDS = {"O0": ("-O0",), "O2": ("-O2",), "O0-dwarf5": ("-O0", "-gdwarf-5"), "O2-dwarf5": ("-O2", "-gdwarf-5")}
IDS = [f"{site[0]}-{site[2].replace(' ', '-')}" for site in SITES]


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """`programs(name)`: the path of a build of the program."""
    pytest.importorskip("ziglang")
    made = {}

    def program(name):
        if name not in made:
            level, *options = BUILDS[name]
            made[name] = build(tmp_path_factory.mktemp(name), *options, level=level)
        return made[name]
    return program


def trap_of(function, *arguments):
    with pytest.raises(wasm.Trap) as caught:
        function(*arguments)
    return caught.value


def places(error):
    return [(frame.name, os.path.basename(frame.file or ""), frame.line, frame.inlined) for frame in error.frames]


@pytest.mark.parametrize("name", ["O0", "O2"])
@pytest.mark.parametrize("export, arguments, message, frames", SITES, ids=IDS)
def test_trap_sites(bounded_engine, programs, name, export, arguments, message, frames):
    """Ten places that trap, at lines known from markers, in functions, inlined ones and one of a header."""
    known = markers()
    error = trap_of(wasm.Instance(wasm.Module(programs(name), engine=bounded_engine)).exports[export], *arguments)
    assert error.code == message
    for found, (function, marker, inlined) in zip(places(error), frames, strict=len(frames) < 100):
        assert found == (function, *(known[marker] if marker is not ... else found[1:3]), inlined)
    assert {frame.offset for frame in error.frames if frame.inlined} <= {error.frames[len(frames) - 1].offset}


@pytest.mark.parametrize("name", BUILDS)
def test_dwarf_versions(load, programs, name):
    version = trap_of(load(programs(name)).exports.inlined, 1, 0)
    assert [place[0] for place in places(version)] == ["innermost", "between", "inlined"]
    assert [place[2] for place in places(version)] == [markers()[marker][1] for marker in ("innermost", "between", "inlined")]


@pytest.mark.parametrize("name", BUILDS)
def test_every_instruction_as_llvm_says(programs, name):
    """File, line, column and inlined calls of all instructions are those of `llvm-symbolizer`."""
    symbolizer = shutil.which("llvm-symbolizer")
    if symbolizer is None:
        pytest.skip("needs llvm-symbolizer")
    path = programs(name)
    module = decode(path.read_bytes())
    start, positions = sections.code_start(module.data), Positions(module)
    offsets = [at for code in module.codes for _, _, at in instructions(module, code.start, code.end)]
    command = [symbolizer, f"--obj={path}", "--output-style=JSON", "--inlines", *(hex(at - start) for at in offsets)]
    answer = subprocess.run(command, capture_output=True, check=True)
    for at, wanted in zip(offsets, json.loads(answer.stdout), strict=True):
        known = [(s["FileName"] and os.path.normpath(s["FileName"]) or None, s["Line"] or None, s["Column"] or None)
                 for s in wanted.get("Symbol", [])]
        assert [tuple(place[1:]) for place in positions.at(at)] == [place for place in known if any(place)], hex(at)


def test_text_of_frames(load, programs):
    path = programs("O2")
    error = trap_of(load(path).exports.inlined, 1, 0)
    innermost, between, function = error.frames
    assert str(innermost) == f"0x{innermost.offset:04x} - innermost at {path.parent / 'program.c'}:{innermost.line}"
    assert str(error).splitlines()[1] == f"  #00: {innermost}"
    assert innermost.column == 14 and between.funcidx == function.funcidx and not function.inlined
    copy = pickle.loads(pickle.dumps(error))
    assert copy.frames == error.frames and copy.frames[0].column == 14
    assert wasm.Frame(1, "f", 2) == wasm.Frame(1, "f", 2, None) != innermost


def test_names_from_dwarf(load, programs):
    """Without a name section functions are called as the debug information calls them."""
    module = decode(programs("O2").read_bytes())
    stripped = rebuilt(module, lambda name, content: None if name == "name" else content)
    assert [frame.name for frame in trap_of(load(stripped).exports.loading, -4).frames] == ["load", "loading"]


# --- files beside the module

def rebuilt(module, change):
    """The module's binary with `change(name, content)` for the content of each custom section, left out if it is None."""
    data, result = module.data, bytearray(module.data[:8])
    for section, reader, end in sections.sections(data):
        content = data[reader.pos:end]
        if section == 0:
            name = reader.name()
            content = change(name, data[reader.pos:end])
            if content is None:
                continue
            content = string(name) + content
        result += bytes([section]) + leb(len(content)) + content
    return bytes(result)


def leb(value):
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def string(text):
    return leb(len(text.encode())) + text.encode()


def custom(name, content):
    return b"\0" + leb(len(string(name)) + len(content)) + string(name) + content


def without_dwarf(module):
    return rebuilt(module, lambda name, content: None if name.startswith(".debug_") else content)


def test_external_debug_info(load, programs, tmp_path):
    module = decode(programs("O2").read_bytes())
    (tmp_path / "program.debug.wasm").write_bytes(module.data)
    path = tmp_path / "program.wasm"
    path.write_bytes(without_dwarf(module) + custom("external_debug_info", string("program.debug.wasm")))
    assert places(trap_of(load(path).exports.header, -4))[0] == ("from_header", "checks.h", 2, True)
    assert trap_of(load(path.read_bytes()).exports.header, -4).frames[0].file is None
    beside = wasm.Module(path.read_bytes(), path=str(path))
    assert pickle.loads(pickle.dumps(beside)).path == beside.path == str(path)
    assert trap_of(wasm.Instance(beside).exports.header, -4).frames[0].line == 2


# --- source maps

TRAPS = """(module (func (export "f") (param i32)
  (if (local.get 0) (then unreachable)) (drop (i32.div_s (i32.const 1) (local.get 0)))))"""


def vlq(*values):
    """Numbers as a segment of a source map has them."""
    text = ""
    for value in values:
        value = -value << 1 | 1 if value < 0 else value << 1
        while True:
            value, digit = value >> 5, value & 31
            text += base64.b64encode(bytes([(digit | (32 if value else 0)) << 2]))[:1].decode()
            if not value:
                break
    return text


@pytest.fixture
def mapped():
    """A module, and a source map for it: `unreachable` is line 7, column 3 of a.ts, the division line 5, column 11 of b.ts."""
    binary = wasm.Module(TRAPS).binary
    module = decode(binary)
    code = module.codes[0]
    at = {op.mnemonic: offset for op, _, offset in instructions(module, code.start, code.end)}
    first, second = at["unreachable"], at["i32.div_s"]
    assert first < second
    mappings = ",".join([vlq(first, 0, 6, 2), vlq(second - first, 1, -2, 8, 0), vlq(1)])
    return binary, {"version": 3, "sourceRoot": "src", "sources": ["a.ts", "b.ts"], "names": ["f"],
                    "mappings": mappings + ";AAAA"}


def where(instance, argument):
    frame, = trap_of(instance.exports.f, argument).frames
    return frame.name, frame.file, frame.line, frame.column


MAPPED = [("f", "src/a.ts", 7, 3), ("f", "src/b.ts", 5, 11)]


@pytest.mark.parametrize("form", ["dict", "text", "bytes", "path"])
def test_a_map_handed_in(engine, mapped, tmp_path, form):
    binary, fields = mapped
    path = tmp_path / "some.map"
    path.write_text(json.dumps(fields))
    given = {"dict": fields, "text": json.dumps(fields), "bytes": path.read_bytes(), "path": str(path)}[form]
    module = wasm.Module(binary, engine=engine, source_map=given)
    path.unlink()
    for again in (module, pickle.loads(pickle.dumps(module))):
        instance = wasm.Instance(again)
        assert [where(instance, 1), where(instance, 0)] == MAPPED


@pytest.mark.parametrize("form", ["base64", "percent", "file", "quoted"])
def test_a_map_that_the_module_names(load, mapped, tmp_path, form):
    binary, fields = mapped
    text = json.dumps(fields)
    (tmp_path / "my map.json").write_text(text)
    url = {"base64": "data:application/json;base64," + base64.b64encode(text.encode()).decode(),
           "percent": "data:application/json," + quote(text), "file": "my map.json", "quoted": "my%20map.json"}[form]
    path = tmp_path / "module.wasm"
    path.write_bytes(binary + custom("sourceMappingURL", string(url)))
    instance = load(path)
    assert [where(instance, 1), where(instance, 0)] == MAPPED


@pytest.mark.parametrize("url", [
    "http://localhost:9/map", "file:///etc/passwd", "../outside.json", "/absolute.json", "pipe", "folder", "missing.json",
    "", ".", "data:,", "data:;base64,%%", "nonsense.json", "version2.json"])
def test_maps_that_are_not_read(load, mapped, tmp_path, url):
    """Nothing is read but a regular file in the module's own folder; and nothing but a source map is used."""
    folder = tmp_path / "inside"
    (folder / "folder").mkdir(parents=True)
    os.mkfifo(folder / "pipe")
    (tmp_path / "outside.json").write_text(json.dumps(mapped[1]))
    (folder / "nonsense.json").write_text('{"version": 3, "sources": [5], "mappings": "\\u0000,!"}')
    (folder / "version2.json").write_text('{"version": 2}')
    url = url.replace("/absolute.json", str(tmp_path / "outside.json"))
    path = folder / "module.wasm"
    path.write_bytes(mapped[0] + custom("sourceMappingURL", string(url)))
    assert where(load(path), 1) == ("f", None, None, None)


@pytest.mark.parametrize("source_map, error", [
    ({}, ValueError), ({"version": 2}, ValueError), (b"[]", ValueError), ("{", ValueError), (5, TypeError),
    ("no such file", FileNotFoundError)])
def test_what_is_no_source_map(source_map, error):
    with pytest.raises(error):
        wasm.Module("(module)", source_map=source_map)


@pytest.mark.parametrize("fields", [
    {"sources": ["a"], "mappings": "AAAA" + "g" * 1_000_000 + "A"}, {"sources": ["a"], "mappings": vlq(0, 5, 0, 0)},
    {"sources": ["a"], "mappings": vlq(0, 0, -9, -9)}, {"sources": ["a"], "mappings": vlq(0, 0, 1 << 58, 1 << 58)},
    {"sources": [None], "mappings": vlq(0, 0, 1, 1)}, {"sources": 5, "mappings": "AAAA"}, {"sources": ["a"], "mappings": 5},
    {"sources": ["a"], "mappings": "AA"}, {"sources": ["a"], "mappings": "%"}, {"sources": [["a"]], "mappings": "AAAA"}])
def test_nonsense_in_a_source_map(load, fields):
    instance = wasm.Instance(wasm.Module(TRAPS, source_map={"version": 3, **fields}))
    frame, = trap_of(instance.exports.f, 1).frames
    assert (frame.file, frame.line, frame.column) in [(None, None, None), ("a", None, None)]


# --- names

MANGLED = {"_ZN3foo3barEi": "foo::bar(int)", "_RNvC6_123foo3bar": "123foo::bar",
           "_ZN4core9panicking5panic17h0123456789abcdefE": "core::panicking::panic", "_Znonsense": "_Znonsense",
           "main": "main"}


@pytest.mark.parametrize("mangled, wanted", MANGLED.items())
def test_mangled_names(load, mangled, wanted):
    pytest.importorskip("pydemumble")
    assert trap_of(load(f'(module (func ${mangled} (export "f") unreachable))').exports.f).frames[0].name == wanted


def test_mangled_names_without_the_library(load, monkeypatch):
    monkeypatch.setattr(demangling, "_demangle", lambda: None)
    name = trap_of(load('(module (func $_ZN3foo3barEi (export "f") unreachable))').exports.f).frames[0].name
    assert name == "_ZN3foo3barEi"


# --- where units are

def by_pyelftools(dwarf):
    """What `Dwarf._ranges` gives, read by somebody else."""
    return [(low, high, unit.cu_offset) for unit in dwarf._dwarf.iter_CUs() for low, high in extent(unit, unit.get_top_DIE())
            if 0 < low < high < 0xFFFFFFFE]


@pytest.mark.parametrize("name", BUILDS)
def test_units_of_programs(programs, name):
    dwarf = Dwarf(debug_sections(decode(programs(name).read_bytes()), None))
    dwarf._budget.refill()
    found = list(dwarf._ranges())
    assert found == by_pyelftools(dwarf) != []


def little(*numbers, size=4):
    return b"".join(number.to_bytes(size, "little") for number in numbers)


def test_every_kind_of_range():
    """Three units of DWARF 5 whose code is in a list by its offset, in one by its number, and at an address by its number; one
    of DWARF 4 with a list."""
    abbreviations = bytes([1, 0x11, 0, 0x73, 0x17, 0x11, 0x1B, 0x55, 0x17, 0, 0,                # addr_base, low_pc, ranges
                           2, 0x11, 0, 0x73, 0x17, 0x74, 0x17, 0x11, 0x01, 0x55, 0x23, 0, 0,    # with rnglists_base
                           3, 0x11, 0, 0x73, 0x17, 0x11, 0x29, 0x12, 0x0F, 0x03, 0x08, 0x3E, 0x21, 5, 0x10, 0x0A, 0, 0,
                           4, 0x11, 0, 0x11, 0x01, 0x55, 0x17, 0, 0, 0])
    addresses = little(12) + little(5, size=2) + bytes([4, 0]) + little(0x100, 0x2000)
    entries = bytes([5]) + little(0x50) + bytes([4, 1, 9, 2, 0, 1, 3, 1, 7, 1, 1, 4, 2, 3, 6]) + little(
        0x9000, 0x9004) + bytes([7]) + little(0x9100) + bytes([5, 0])
    lists = little(12 - 4 + 4 + len(entries)) + little(5, size=2) + bytes([4, 0]) + little(1) + little(4) + entries

    def unit(version, rest):
        head = little(5, size=2) + bytes([1, 4]) + little(0) if version == 5 else little(4, size=2) + little(0) + bytes([4])
        return little(len(head + rest)) + head + rest

    info = (unit(5, bytes([1]) + little(8) + bytes([1]) + little(16)) + unit(5, bytes([2]) + little(8, 12, 0x70) + bytes([0]))
            + unit(5, bytes([3]) + little(8) + bytes([0, 0x30]) + b"name\0" + bytes([2, 7, 7])) + unit(4, bytes([4]) + little(0x10, 0)))
    pairs = little(4, 8, 0xFFFFFFFF, 0x4000, 1, 2, 0, 0)
    dwarf = Dwarf({"info": info, "abbrev": abbreviations, "addr": addresses, "rnglists": lists, "ranges": pairs})
    dwarf._budget.refill()
    listed = [(0x51, 0x59), (0x100, 0x2000), (0x2000, 0x2007), (0x2002, 0x2003), (0x9000, 0x9004), (0x9100, 0x9105)]
    assert [(low, high) for low, high, _ in dwarf._ranges()] == [
        *listed, *listed, (0x100, 0x130), (0x14, 0x18), (0x4001, 0x4002)]
    assert list(dwarf._ranges()) == by_pyelftools(dwarf)


# --- damaged debug information

@pytest.fixture(scope="session")
def syntax(programs):
    return {name: decode(programs(name).read_bytes()) for name in ("O2", "O2-dwarf5")}


def look_up_all(module, customs, step=3):
    """Look all instructions up with other custom sections."""
    changed = decode(module.data)
    changed.customs = tuple(customs)
    positions = Positions(changed)
    for code in module.codes:
        for _, _, at in instructions(module, code.start, code.end)[::step]:
            assert all(isinstance(place, Position) for place in positions.at(at))


def debug_names(module):
    return [name for name, _ in module.customs if name.startswith(".debug_")]


@pytest.mark.parametrize("name", ["O2", "O2-dwarf5"])
def test_truncated_sections(syntax, name):
    module = syntax[name]
    for section in debug_names(module):
        size = len(dict(module.customs)[section])
        for end in (0, 1, 3, 11, size // 3, size // 2, size - 1):
            look_up_all(module, [(n, c[:end] if n == section else c) for n, c in module.customs], 20)
        look_up_all(module, [(n, c) for n, c in module.customs if n != section])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["O2", "O2-dwarf5"])
def test_flipped_bits(syntax, name, seed):
    """In every section, one at a time and several at once: no exception, and no end in sight either."""
    module, chance, started = syntax[name], random.Random(seed), time.monotonic()
    for section in debug_names(module):
        for count in (1, 1, 1, 1, 2, 5, 40):
            content = bytearray(dict(module.customs)[section])
            for _ in range(count):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            look_up_all(module, [(n, bytes(content) if n == section else c) for n, c in module.customs], 10)
    assert time.monotonic() - started < 60


def test_other_bytes_in_a_section(syntax):
    module, chance = syntax["O2"], random.Random(0)
    for section in debug_names(module):
        for content in (bytes(500), b"\xff" * 500, chance.randbytes(500), b"\x80" * 500):
            look_up_all(module, [(n, content if n == section else c) for n, c in module.customs], 20)


def test_tables_of_many_empty_entries(syntax):
    """A header that has 2**60 files without names in a few bytes."""
    module = syntax["O2-dwarf5"]
    line = dict(module.customs)[".debug_line"]
    header = bytes([5, 0, 4, 0]) + (100).to_bytes(4, "little") + bytes([1, 1, 1, 251, 14, 13]) + bytes(12)
    content = len(line).to_bytes(4, "little") + header + bytes([0]) + b"\x80" * 8 + b"\x10" + bytes(100)
    with pytest.raises(bounds.TooLong):
        bounds.check_line_header(content, 0)
    look_up_all(module, [(n, content if n == ".debug_line" else c) for n, c in module.customs])


def test_debug_information_that_is_too_large(syntax, monkeypatch):
    """A lookup gives up after so many reads, and does not try that unit again."""
    module = syntax["O2"]
    at = module.codes[-1].end - 1
    monkeypatch.setattr(bounds, "DEBUG_READS", 100)
    positions = Positions(decode(module.data))
    assert positions.at(at) == ()
    monkeypatch.undo()
    assert positions.at(at - 1) == ()
    assert Positions(decode(module.data)).at(at)[0].file


def test_nothing_is_read_before_somebody_looks(child):
    path = Path(__file__).resolve().parent.parent / "examples" / "hello.wasm"
    done = child(f"""
        import sys
        module = wasm.Module({str(path)!r})
        assert not [name for name in sys.modules if name.startswith("elftools") or name == "pyjit_wasm.source.dwarf"]
    """)
    assert done.returncode == 0, done.stderr


STACK = r"""
#define IMPORT(name) __attribute__((import_module("m"), import_name(#name)))
IMPORT(ask) int ask(int);
static inline __attribute__((always_inline)) int asks(int a) {
    return ask(a) + 1; // @asks
}
__attribute__((export_name("run"))) int run(int a) {
    int b = a * 2;
    return asks(b) * 3; // @run
}
"""


def test_stacks_that_wait_for_the_host(load, tmp_path):
    """`call_stack` inside a host function has source positions too."""
    pytest.importorskip("ziglang")
    (tmp_path / "stack.c").write_text(STACK)
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry", "-g", "-O1"]
    subprocess.run([*compiler, "-o", "stack.wasm", "stack.c"], cwd=tmp_path, check=True)
    seen = []

    def ask(number):
        seen.append(wasm.call_stack())
        return number

    assert load(tmp_path / "stack.wasm", {"m": {"ask": ask}}).exports.run(5) == 33
    lines = {line.split("// @")[1]: number for number, line in enumerate(STACK.splitlines(), 1) if "// @" in line}
    host, *frames = seen[0]
    assert [(frame.name, frame.line, frame.inlined) for frame in frames] == [
        ("asks", lines["asks"], True), ("run", lines["run"], False)]
    assert isinstance(host, wasm.HostFrame)


def test_disassembly(programs):
    """Source lines stand where they begin."""
    text = disassemble(wasm.Module(programs("O2")), "truncation", ["wasm"]).text()
    line = markers()["truncation"][1]
    assert re.search(rf"local.get 0 +;; 0x[0-9a-f]+ program\.c:{line}\n +i32.trunc_f64_s +;; 0x[0-9a-f]+\n", text)


def test_trap_of_a_program(programs):
    command = [sys.executable, "-m", "pyjit_wasm", "run", "--invoke", "division", str(programs("O2")), "1", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 134
    lines = [f"{programs('O2').parent / 'program.c'}:{markers()[marker][1]}" for marker in ("divide", "division")]
    assert [line.partition(" at ")[2] for line in done.stderr.splitlines()[1:]] == lines
