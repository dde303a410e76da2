"""What Linux perf and gdb are told, read without them: formats are those of the kernel's documentation and of ELF and DWARF."""
import ctypes
import io
import os
import re
import struct
import subprocess
import sys

import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

import pyjit_wasm as wasm
from pyjit_wasm import config
from pyjit_wasm.profiling import functions, perf_map
from pyjit_wasm.profiling.gdb_jit import symbol_file
from pyjit_wasm.profiling.jitdump import JitDump
from pyjit_wasm.profiling.perf_map import PerfMap
from pyjit_wasm.profiling.source_lines import SourceLines
from pyjit_wasm.runtime import arrivals

SOURCE = """(module $demo
  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1)))
                     (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func $ratio (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func $sum (export "sum") (param $n i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (call $ratio (i32.const 100) (local.get $n))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s)))"""


@pytest.fixture
def started(load):
    """An instance whose code is there."""
    instance = load(SOURCE)
    assert instance.exports.fib(10) == 55 and instance.exports.sum(4) == 208
    return instance


def everything():
    found = []
    arrivals.replay(found.append)
    return found


def some(instance, others=50):
    """What an instance runs, and a few others: a process that has run many tests has thousands."""
    found = everything()
    own = [loaded for loaded in found if loaded.origin.module in (None, instance._inst.module)]
    rest = [loaded for loaded in found if loaded.origin.module not in (None, instance._inst.module)]
    shared = [loaded for loaded in own if loaded.origin.module or loaded.size > 50_000]
    return sorted([*shared, *[loaded for loaded in own if loaded not in shared][-others:], *rest[-others:]],
                  key=lambda loaded: loaded.start)


def native_units(instance):
    """[(CompiledUnit, loader.Loaded)] of an instance."""
    loaded = {int(loaded.start): loaded for loaded in everything()}
    return [(unit, loaded[unit._start]) for unit in instance._inst.code.units]


def code_of(instance):
    return instance._inst.code


# --- the map

LINE = re.compile(r"([0-9a-f]+) ([0-9a-f]+) (.+)")


def read_map(path):
    """{start: (end, name)}"""
    with open(path, encoding="utf-8") as file:
        lines = [LINE.fullmatch(line).groups() for line in file.read().splitlines()]
    return {int(start, 16): (int(start, 16) + int(size, 16), name) for start, size, name in lines}


@pytest.fixture
def map_path(monkeypatch, tmp_path):
    """The place of a map that is not the process's own."""
    monkeypatch.setattr(perf_map, "FOLDER", str(tmp_path))
    return tmp_path / f"perf-{os.getpid()}.map"


def test_map_has_what_runs(started, mode, map_path):
    from pyjit_wasm.interp.interpreter import interpreter

    tool = PerfMap()
    arrivals.replay(tool.add)
    tool.close()
    assert tool.path == str(map_path)
    names = {start: name for start, (_, name) in read_map(map_path).items()}
    assert names[interpreter(False).handlers["i32.add.ss"]] == "i32.add.ss [wasm interp]"
    assert {"py_enter(i:i) [wasm trampoline]", "rt_trap [wasm runtime]"} <= set(names.values())
    native = code_of(started).native
    assert bool(native) == (mode != "interp")
    if native:
        assert names[native[0]] == "fib [wasm jit entry demo]" and "fib [wasm jit demo]" in names.values()
    if mode == "jit":
        assert names[native[2]] == "sum [wasm jit demo]"    # inlined in its entry


def test_map_names_what_takes_over_in_loops(map_path):
    instance = wasm.Instance(wasm.Module(SOURCE, engine=wasm.Engine(tier_up_threshold=100, background=False)))
    assert instance.exports.sum(100_000) == 482
    tool = PerfMap()
    arrivals.replay(tool.add)
    tool.close()
    assert read_map(map_path)[code_of(instance).loops[2]][1] == "sum [wasm jit loop demo]"


def test_functions_do_not_overlap(started):
    for loaded in everything():
        found = functions.functions(loaded)
        assert all(a.address + a.size <= b.address for a, b in zip(found, found[1:]))
        assert all(loaded.text[0] <= f.address and f.address + f.size <= loaded.text[1] for f in found)


def test_map_is_added_to(map_path, started):
    map_path.write_text("1000 10 of another compiler\n")
    tool = PerfMap()
    arrivals.replay(tool.add)
    tool.close()
    assert read_map(map_path)[0x1000] == (0x1010, "of another compiler") and len(read_map(map_path)) > 100


@pytest.mark.parametrize("make", [
    lambda path, other: path.symlink_to(other),
    lambda path, other: os.link(other, path),
    lambda path, other: os.mkfifo(path),
    lambda path, other: path.mkdir(),
], ids=["symlink", "link", "fifo", "folder"])
def test_a_map_that_somebody_prepared_is_refused(map_path, tmp_path, make):
    other = tmp_path / "other"
    other.write_text("untouched")
    make(map_path, other)
    with pytest.raises(OSError):
        PerfMap()
    assert other.read_text() == "untouched"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_map_of_another_user_is_refused(map_path):
    map_path.write_text("")
    os.chown(map_path, 12345, 12345)
    with pytest.raises(PermissionError, match="not a file of this user"):
        PerfMap()


def test_a_name_stays_on_its_line(load, map_path):
    name = "x\\n1000 10 forged\\00\\e2\\80\\a8é" + "y" * 2000
    load(f'(module (func (export "{name}") (result i32) (i32.const 1)))').exports[
        "x\n1000 10 forged\0\u2028é" + "y" * 2000]()
    tool = PerfMap()
    arrivals.replay(tool.add)
    tool.close()
    assert 0x1000 not in read_map(map_path)
    names = [name for _, name in read_map(map_path).values() if "forged" in name]
    assert all(name.startswith("x?1000 10 forged??é") and len(name) < 500 for name in names)


# --- the dump

RECORD, HEADER = struct.Struct("<IIQ"), struct.Struct("<IIIIIIQQ")


def read_dump(path):
    """(header fields, [(record kind, time, content)])"""
    data = path.read_bytes()
    header, at, records = HEADER.unpack_from(data), HEADER.size, []
    while at < len(data):
        kind, size, time = RECORD.unpack_from(data, at)
        records.append((kind, time, data[at + RECORD.size:at + size]))
        at += size
    assert at == len(data)
    return header, records


def parse_load(content):
    pid, _, vma, address, size, index = struct.unpack_from("<IIQQQQ", content)
    name, code = content[40:].split(b"\0", 1)
    assert vma == address and len(code) == size
    return pid, address, index, name.decode(), code


def parse_lines(content):
    address, count = struct.unpack_from("<QQ", content)
    found, at = [], 16
    for _ in range(count):
        place, line, _ = struct.unpack_from("<QII", content, at)
        end = content.index(b"\0", at + 16)
        found.append((place, line, content[at + 16:end].decode()))
        at = end + 1
    assert at == len(content)
    return address, found


@pytest.fixture
def dump(started, tmp_path):
    tool = JitDump(tmp_path)
    for loaded in some(started):
        tool.add(loaded)
    mapped = [line for line in open("/proc/self/maps", encoding="utf-8") if line.rstrip().endswith(tool.path)]
    tool.close()
    assert len(mapped) == 1 and mapped[0].split()[1:3] == ["r-xp", "00000000"]     # that is how perf finds it
    return read_dump(tmp_path / tool.path)


def test_dump_has_the_code(dump, started, mode):
    header, records = dump
    assert header[:6] == (0x4A695444, 1, 40, 62, 0, os.getpid()) and header[7] == 0
    times = [header[6], *[time for _, time, _ in records]]
    assert times == sorted(times) and records[-1][0] == 3
    loads = [parse_load(content) for kind, _, content in records if kind == 0]
    assert {pid for pid, *_ in loads} == {os.getpid()} and len({index for _, _, index, *_ in loads}) == len(loads)
    assert all(ctypes.string_at(address, len(code)) == code for _, address, _, _, code in loads)
    names = {name for _, _, _, name, _ in loads}
    assert "i32.add.ss [wasm interp]" in names and ("fib [wasm jit demo]" in names or mode == "interp")


def test_dump_has_lines_before_code(dump, started):
    waiting, seen = {}, {}
    for kind, _, content in dump[1]:
        if kind == 2:
            address, lines = parse_lines(content)
            waiting[address] = lines
        elif kind == 0:
            _, address, _, name, code = parse_load(content)
            for place, line, path in waiting.pop(address, ()):
                assert address <= place < address + len(code)
                seen.setdefault(name, set()).add(open(path, encoding="utf-8").readlines()[line - 1].split(";;")[0].strip())
    assert not waiting
    if code_of(started).native:
        assert {"call $fib", "i32.lt_s", "(func $fib (;0;) (type 0) (param $n i32) (result i32)"} <= seen["fib [wasm jit demo]"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_of_another_user_is_refused(tmp_path):
    (tmp_path / ".debug" / "jit").mkdir(parents=True)
    os.chown(tmp_path / ".debug" / "jit", 12345, 12345)
    with pytest.raises(PermissionError, match="not a folder of this user"):
        JitDump(tmp_path)


def test_lines_of_a_large_module_are_offsets(monkeypatch, tmp_path):
    monkeypatch.setattr(config, "LISTED_MODULE", 10)
    module = wasm.Module(SOURCE).syntax
    path, line = SourceLines(tmp_path).place(module, module.codes[0].start)
    assert os.path.basename(path) == "demo.wasm" and line == module.codes[0].start


# --- the symbol files

@pytest.fixture
def native(tmp_path):
    """(CompiledUnit, its loader.Loaded, its symbol file) of a unit with inlined calls and one that takes over in loops."""
    def describe(instance):
        return [(unit, loaded, ELFFile(io.BytesIO(symbol_file(loaded, SourceLines(tmp_path)))))
                for unit, loaded in native_units(instance)]

    whole = wasm.load(SOURCE, mode="jit")
    looping = wasm.Instance(wasm.Module(SOURCE, engine=wasm.Engine(tier_up_threshold=100, background=False)))
    assert whole.exports.sum(4) == 208 and looping.exports.sum(1_000_000) == 482
    return whole, looping, [*describe(whole), *describe(looping)]


def line_rows(file):
    """[(address, path or None at the end of a function, line)] of a symbol file."""
    found = []
    for unit in file.get_dwarf_info().iter_CUs():
        program, folder = file.get_dwarf_info().line_program_for_CU(unit), unit.get_top_DIE().attributes["DW_AT_comp_dir"].value
        files = [os.path.join(folder, entry.name).decode() for entry in program["file_entry"]]
        for entry in program.get_entries():
            if entry.state is not None:
                state = entry.state
                found.append((state.address, None if state.end_sequence else files[state.file - 1], state.line))
    return sorted(found, key=lambda row: (row[0], row[1] is not None))


def names_at(file, address):
    """Names of functions at an address, innermost first, as debuggers find them."""
    found = []

    def visit(die):
        low = die.attributes.get("DW_AT_low_pc")
        if low is None or not low.value <= address < low.value + die.attributes["DW_AT_high_pc"].value:
            return
        origin = die.get_DIE_from_attribute("DW_AT_abstract_origin") if "DW_AT_abstract_origin" in die.attributes else die
        found.insert(0, origin.attributes["DW_AT_name"].value.decode())
        for child in die.iter_children():
            visit(child)

    for unit in file.get_dwarf_info().iter_CUs():
        for die in unit.get_top_DIE().iter_children():
            visit(die)
    return found


def test_source_lines_go_before_listings(tmp_path):
    """The lines of a C program, in the dump and in gdb's symbol files."""
    text = "__attribute__((export_name(\"half\"), noinline))\nint half(int a, int b) {\n    return a / b;\n}\n"
    (tmp_path / "half.c").write_text(text)
    subprocess.run([sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry", "-g",
                    "-O1", "half.c", "-o", "half.wasm"], cwd=tmp_path, check=True, timeout=300)
    instance = wasm.load(tmp_path / "half.wasm", mode="jit")
    assert instance.exports.half(9, 2) == 4
    (_, loaded), = native_units(instance)
    expected = {(str(tmp_path / "half.c"), 3)}
    rows = line_rows(ELFFile(io.BytesIO(symbol_file(loaded, SourceLines(tmp_path)))))
    assert expected <= {(path, line) for _, path, line in rows}
    tool = JitDump(tmp_path)
    tool.add(loaded)
    tool.close()
    lines = [parse_lines(content)[1] for kind, _, content in read_dump(tmp_path / tool.path)[1] if kind == 2]
    assert expected <= {(path, line) for places in lines for _, line, path in places}


def frames_of(file):
    """{(address, size)} of the functions whose stack frames a symbol file describes."""
    entries = [entry for entry in file.get_dwarf_info().CFI_entries() if isinstance(entry, FDE)]
    return {(entry["initial_location"], entry["address_range"]) for entry in entries}


def test_symbol_files_agree_with_traps(native):
    """Names and lines of every address where an instruction begins are those that a trap there would show."""
    checked = set()
    for unit, loaded, file in native[2]:
        rows = line_rows(file)
        for address, path, line in rows:
            if path is None or line == 1:   # the head of a function
                continue
            offset = int(open(path, encoding="utf-8").readlines()[line - 1].split(";;")[1], 16)
            frames = unit.frames_at(address + 1, False)
            assert offset == frames[0][2]
            assert names_at(file, address)[:len(frames) - 1] == [name for _, name, _ in frames[:-1]]
            assert os.path.basename(path) == f"{frames[0][1]}-{frames[0][0]}.wat"
            checked.add(tuple(name for _, name, _ in frames))
    assert {("fib",), ("ratio", "sum")} <= checked


def test_symbol_files_have_symbols_and_frames(native):
    for _, loaded, file in native[2]:
        assert file["e_type"] == "ET_EXEC" and file.get_machine_arch() == "x64"
        text = file.get_section_by_name(".text")
        assert (text["sh_addr"], text["sh_addr"] + text["sh_size"]) == loaded.text and text["sh_type"] == "SHT_NOBITS"
        symbols = {(s["st_value"], s["st_size"]) for s in file.get_section_by_name(".symtab").iter_symbols() if s.name}
        assert symbols == {(address, size) for address, size, _ in loaded.functions()}
        assert frames_of(file) == symbols
    names = {s.name for _, _, file in native[2] for s in file.get_section_by_name(".symtab").iter_symbols()}
    assert {"fib", "sum", "fib [wasm jit entry demo]", "sum [wasm jit loop demo]"} <= names


def test_all_generated_code_has_stack_frames(native, tmp_path):
    """Handlers, trampolines and the runtime too; in a process that has run many tests, some of it."""
    objects = list(everything())
    for loaded in objects[:100] + objects[100:][-100:]:
        file = ELFFile(io.BytesIO(symbol_file(loaded, SourceLines(tmp_path))))
        assert frames_of(file) == {(address, size) for address, size, _ in loaded.functions()}
