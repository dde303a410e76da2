"""Switching on and off what perf and gdb are told, in processes of their own: it is the process's."""
import json
import os
import subprocess
import sys

import pytest

MODES = ("interp", "jit", "tiered")

START = """
import json
SOURCE = '''(module $demo (func $fib (export "fib") (param $n i32) (result i32)
  (if (result i32) (i32.lt_s (local.get $n) (i32.const 2)) (then (local.get $n))
    (else (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1))) (call $fib (i32.sub (local.get $n) (i32.const 2))))))))'''
def start(mode):
    instance = load(SOURCE, mode=mode)
    assert instance.exports.fib(10) == 55
    return instance
def names(path):
    with open(path) as file:
        return [line.split(" ", 2)[2] for line in file.read().splitlines()]
def entries():
    '''Addresses in gdb's list of symbol files.'''
    from pyjit_wasm.profiling import gdb_jit
    descriptor, found, previous = gdb_jit._library()[2], [], 0
    assert descriptor[0] == 1       # version 1, no action
    entry = descriptor[2]
    while entry:
        following, before, file, size = (ctypes.c_uint64 * 4).from_address(entry)
        assert before == previous and ctypes.string_at(file, 4) == b"\\x7fELF"
        found.append(ctypes.string_at(file, size))
        previous, entry = entry, following
    return found
"""


@pytest.fixture
def told(child, tmp_path):
    """`told(code)`: run code with what START defines; what it prints as JSON. Files go to `tmp_path`, but for maps, which are removed."""
    def run(code, **environment):
        code += "\nimport glob\nfor file in glob.glob(f'/tmp/perf-{os.getpid()}.map'): os.unlink(file)"
        done = child(START + code, JITDUMPDIR=str(tmp_path), TMPDIR=str(tmp_path), **environment)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return json.loads(done.stdout)

    return run


def test_nothing_is_loaded_until_it_is_wanted(told):
    assert told("""
start("jit")
print(json.dumps([name for name in sys.modules if ".profiling" in name or "elftools" in name]))""") == []


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("mode", MODES)
def test_code_is_told_whenever_it_came(told, mode, before):
    first, second = "on = wasm.perf(map=True, jitdump=True, gdb=True)", f"instance = start({mode!r})"
    names, dump, gdb = told(f"""
{first if before else second}
{second if before else first}
assert sorted(on) == ["gdb", "jitdump", "map"] and wasm.perf() == on
print(json.dumps([names(on["map"]), open(on["jitdump"], "rb").read().decode("latin-1"), b"".join(entries()).decode("latin-1")]))""")
    guest = "fib [wasm jit demo]"
    assert (guest in names, f"{guest}\0" in dump, "\0fib\0" in gdb) == ((mode != "interp",) * 3)
    handler = "i32.add.ss [wasm interp]"
    expected = mode != "jit" or handler in names    # mode jit needs no handlers
    assert (handler in names) == (f"{handler}\0" in dump) == (f"\0{handler}\0" in gdb) == expected


def test_off_is_off(told, tmp_path):
    """What is off is told nothing more; the files of perf stay, and gdb's list is empty."""
    before, after, listed, dump = told("""
on = wasm.perf(map=True, jitdump=True, gdb=True)
start("interp")
before = os.path.getsize(on["map"])
assert entries() and wasm.perf(map=False, jitdump=False, gdb=False) == {}
start("jit")
print(json.dumps([before, os.path.getsize(on["map"]), len(entries()), on["jitdump"]]))""")
    assert before == after and listed == 0
    assert os.path.dirname(dump).startswith(str(tmp_path / ".debug" / "jit" / "pyjit_wasm-jit-"))
    with open(dump, "rb") as file:
        assert file.read()[-16:-8] == b"\3\0\0\0\x10\0\0\0"     # JIT_CODE_CLOSE


def test_folders_of_gdb_are_removed(told, tmp_path):
    folder = told("""
on = wasm.perf(gdb=True)
start("jit")
if os.fork() == 0:
    sys.exit()      # a child removes nothing
os.wait()
assert "gdb_jit.so" in os.listdir(on["gdb"])
print(json.dumps(on["gdb"]))""")
    assert os.path.dirname(folder) == str(tmp_path) and not os.path.exists(folder)


def test_code_that_is_gone_is_taken_out(told):
    counts = told("""
wasm.perf(gdb=True)
counts = []
for _ in range(5):
    instance = load('(module (func $one (export "f") (result i32) (i32.const 1)))', mode="jit")
    assert instance.exports.f() == 1
    counts.append(sum(b"\\0one\\0" in file for file in entries()))
    del instance
    gc.collect()
print(json.dumps(counts))""")
    assert counts == [1] * 5


def test_children_have_their_own_files(told):
    parent, child, same, listed = told("""
on = wasm.perf(map=True, jitdump=True, gdb=True)
instance = start("jit")
before = names(on["map"])
read, write = os.pipe()
if os.fork() == 0:
    load('(module (func $own (export "f") (result i32) (i32.const 1)))', mode="jit").exports.f()
    files = wasm.perf()
    there = names(files["map"])
    os.unlink(files["map"])
    assert files["map"] == f"/tmp/perf-{os.getpid()}.map"
    assert os.path.dirname(files["jitdump"]) == os.path.dirname(on["jitdump"])
    dump = open(files["jitdump"], "rb").read()
    assert int.from_bytes(dump[20:24], "little") == os.getpid() and b"fib [wasm jit demo]\\0" in dump
    os.write(write, json.dumps([there, len(entries())]).encode())
    os._exit(0)
child, listed = json.loads(os.read(read, 1 << 20))
os.wait()
assert names(on["map"]) == before
print(json.dumps([before, child, b"own [" in open(on["jitdump"], "rb").read(), listed - len(entries())]))""")
    assert set(parent) < set(child) and "own [wasm jit]" in child
    assert not same and listed > 0      # the child's list went on from its parent's


@pytest.mark.parametrize("mode", MODES)
def test_environment_variable(told, mode):
    assert told(f"""
start({mode!r})
on = wasm.perf()
print(json.dumps([sorted(on), "i32.add.ss [wasm interp]" in names(on["map"]) or {mode == "jit"}]))""",
                PYJIT_PERF="map, jitdump") == [["jitdump", "map"], True]


@pytest.mark.parametrize("value, message", [
    ("maps", "PYJIT_PERF: 'maps' is none of map, jitdump, gdb"),
    ("jitdump", "PYJIT_PERF: [Errno 20] Not a directory"),
])
def test_wrong_environment_is_a_warning(child, value, message):
    done = child("print(load('(module)'))", PYJIT_PERF=value, JITDUMPDIR="/dev/null")
    assert done.returncode == 0 and message in done.stderr and "RuntimeWarning" in done.stderr


def test_a_full_disk_is_a_warning(child):
    """Code is loaded in the middle of calls: they go on."""
    done = child("""
from pyjit_wasm.profiling import perf_map
import warnings
wasm.perf(map=True)
instance = load('(module (func (export "f") (result i32) (i32.const 7)))', mode="jit")
from pyjit_wasm.profiling import switches
full = switches._on["map"].writer._file
os.dup2(os.open("/dev/full", os.O_WRONLY), full.fileno())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert instance.exports.f() == 7
assert ["No space left" in str(w.message) for w in caught] == [True], caught
assert wasm.perf() == {} and instance.exports.f() == 7
os.unlink(f"/tmp/perf-{os.getpid()}.map")""")
    assert done.returncode == 0, done.stderr


def test_errors_are_told_at_once(child, tmp_path):
    file = tmp_path / "file"
    file.touch()
    done = child(f"""
try:
    wasm.perf(jitdump={str(file)!r})
except OSError:
    assert wasm.perf() == {{}}
else:
    raise AssertionError""")
    assert done.returncode == 0, done.stderr


def test_threads(told):
    """Code that several threads load while tools are switched."""
    assert told("""
def work():
    for _ in range(10):
        assert load(SOURCE, mode="jit", cache=False).exports.fib(5) == 5
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for _ in range(20):
    wasm.perf(map=True, gdb=True)
    wasm.perf(map=False, gdb=False)
wasm.perf(map=True, gdb=True)
for thread in threads: thread.join()
print(json.dumps(len(entries()) > 3))""") is True


@pytest.mark.parametrize("mode", MODES)
def test_command_line(tmp_path, mode):
    module = tmp_path / "demo.wat"
    module.write_text('(module $demo (func $twice (export "twice") (param i32) (result i32) '
                      '(i32.add (local.get 0) (local.get 0))))')
    done = subprocess.run([sys.executable, "-m", "pyjit_wasm", "run", "--mode", mode, "--perf", "jitdump", "--perf", "gdb",
                           "--invoke", "twice", module, "21"], env={**os.environ, "JITDUMPDIR": str(tmp_path)},
                          capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
    dump, = tmp_path.glob(".debug/jit/*/jit-*.dump")
    assert (b"twice [wasm jit demo]\0" in dump.read_bytes()) == (mode == "jit")
