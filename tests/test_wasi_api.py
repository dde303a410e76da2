"""The Python side of WASI: `Wasi`, `run`, `Instance.run`, streams, and directories on the command line."""
import gc
import io
import os
import struct
import subprocess
import sys
import weakref

import pytest

import pyjit_wasm as wasm
from modes import engine as engine_of
from pyjit_wasm.wasi import abi

# prints its arguments, copies stdin to stderr, and ends with the number of arguments
PROGRAM = """(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $write (param $fd i32) (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $args_get (i32.const 1000) (i32.const 2000)))
    (call $write (i32.const 1) (i32.const 2000) (i32.load (i32.const 20)))
    (loop $again
      (i32.store (i32.const 0) (i32.const 4000)) (i32.store (i32.const 4) (i32.const 5))
      (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $write (i32.const 2) (i32.const 4000) (i32.load (i32.const 8)))
      (br_if $again (i32.load (i32.const 8))))
    (call $proc_exit (i32.load (i32.const 16)))))"""
TRAPS = '(module (memory (export "memory") 1) (func (export "_start") unreachable))'
SILENT = '(module (memory (export "memory") 1) (func (export "_start")))'


# --- run

def test_run(mode):
    done = wasm.run(PROGRAM, ["one", "é"], input=b"hello, world", capture_output=True, mode=mode)
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.args == ["program", "one", "é"] and done.returncode == 3
    assert done.stdout == "program\0one\0é\0".encode() and done.stderr == b"hello, world"


def test_run_text(mode):
    done = wasm.run(PROGRAM, ["é"], input="ü", capture_output=True, text=True, engine=engine_of(mode))
    assert (done.stdout, done.stderr) == ("program\0é\0", "ü")


@pytest.mark.parametrize("make", [
    lambda path: str(path), lambda path: path, lambda path: path.read_bytes(), lambda path: wasm.Module(path)])
def test_programs(tmp_path, make):
    path = tmp_path / "prog.wat"
    path.write_text(PROGRAM)
    from pyjit_wasm.text import assemble
    (tmp_path / "prog.wasm").write_bytes(assemble(PROGRAM))
    program = make(tmp_path / "prog.wasm")
    name = str(tmp_path / "prog.wasm") if isinstance(program, (str, os.PathLike)) else "program"
    assert wasm.run(program, input=b"", capture_output=True).stdout == name.encode() + b"\0"


def test_subprocess_constants(mode):
    options = {"input": b"abc", "mode": mode}
    done = wasm.run(PROGRAM, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    assert (done.stdout, done.stderr) == (b"program\0abc", None)
    done = wasm.run(PROGRAM, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    assert (done.stdout, done.stderr) == (None, b"abc")
    done = wasm.run(PROGRAM, stdin=subprocess.DEVNULL, stdout=wasm.CAPTURE, stderr=wasm.CAPTURE, mode=mode)
    assert (done.stdout, done.stderr) == (b"program\0", b"")


def test_check(mode):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        wasm.run(PROGRAM, input=b"", capture_output=True, check=True, mode=mode)
    assert caught.value.returncode == 1 and caught.value.stdout == b"program\0"
    assert wasm.run(SILENT, check=True, mode=mode).returncode == 0


def test_exit_in_the_start_function(mode):
    done = wasm.run("""(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (func $go (call $exit (i32.const 5))) (start $go))""", mode=mode)
    assert done.returncode == 5


def test_traps_come_out(mode):
    with pytest.raises(wasm.Trap, match="unreachable"):
        wasm.run(TRAPS, mode=mode)


@pytest.mark.parametrize("options, error", [
    ({"input": b"", "stdin": b""}, ValueError), ({"capture_output": True, "stdout": 1}, ValueError),
    ({"stdin": subprocess.PIPE}, ValueError), ({"stdout": object()}, TypeError), ({"stdin": 1.5}, TypeError),
    ({"dirs": {"/": "/nonexistent"}}, FileNotFoundError), ({"dirs": {"/": __file__}}, NotADirectoryError),
    ({"dirs": {"/": None}}, TypeError), ({"dirs": {"/": {"a": 1}}}, TypeError), ({"env": {"A=B": "x"}}, ValueError),
    ({"env": {"": "x"}}, ValueError), ({"args": ["a\0"]}, ValueError), ({"args": [1]}, TypeError)])
def test_wrong_options(options, error):
    before = len(os.listdir("/proc/self/fd"))
    options = {"dirs": {"fine": "/"}, **options}
    with pytest.raises(error):
        wasm.run(SILENT, **options)
    assert len(os.listdir("/proc/self/fd")) == before


def test_wrong_program():
    with pytest.raises(wasm.LinkError, match="_start"):
        wasm.run("(module)")
    with pytest.raises(wasm.DecodeError):
        wasm.run(b"no module")


# --- Instance.run

def test_exit_codes(mode):
    for code in (0, 1, 255, 256, 2**31, 2**32 - 1):
        source = f"""(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const {code}))))"""
        instance = wasm.Instance(wasm.Module(source, engine=engine_of(mode)), imports=wasm.Wasi())
        assert instance.run() == code
        with pytest.raises(wasm.WasiExit) as caught:
            instance.exports._start()
        assert caught.value.code == code


def test_reactor(load):
    calls = []
    source = '(module (import "env" "f" (func $f)) (func (export "_initialize") (call $f)))'
    instance = load(source, {"env": {"f": lambda: calls.append(1)}})
    assert instance.run() == instance.run() == 0 and calls == [1]


def test_command_may_run_again(load):
    calls = []
    source = """(module (import "env" "f" (func $f)) (func (export "_start") (call $f))
      (func (export "_initialize") unreachable))"""
    instance = load(source, {"env": {"f": lambda: calls.append(1)}})
    assert instance.run() == instance.run() == 0 and calls == [1, 1]


# --- Wasi as imports

WRITER = """(module (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00") (data (i32.const 16) "TEXT")
  (func (export "write") (result i32) (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"""


@pytest.mark.parametrize("imports", [
    lambda wasi: wasi, lambda wasi: {**wasi, "env": {}}, lambda wasi: wasi.imports(),
    lambda wasi: {"wasi_snapshot_preview1": wasi}, lambda wasi: {"wasi_snapshot_preview1": wasi["wasi_snapshot_preview1"]}])
def test_imports(load, imports):
    with wasm.Wasi(stdout=wasm.CAPTURE) as wasi:
        assert load(WRITER, imports(wasi)).exports.write() == 0
        assert wasi.stdout == b"TEX" and wasi.stderr is None


def test_instances_have_their_own_memory(load):
    """Two instances with the same imports: each call uses the memory of the instance that calls."""
    wasi = wasm.Wasi(stdout=wasm.CAPTURE)
    imports = wasi.imports()
    one, two = load(WRITER, imports), load(WRITER.replace("TEXT", "OTHER"), imports)
    for instance in (one, two, one):
        assert instance.exports.write() == 0
    assert wasi.stdout == b"TEXOTHTEX"


def test_start_function_has_wasi(load):
    wasi = wasm.Wasi(stdout=wasm.CAPTURE)
    load(WRITER[:-1] + " (func $go (drop (call 1))) (start $go))", wasi)
    assert wasi.stdout == b"TEX"


@pytest.mark.parametrize("memory", ["", '(memory 1)', '(func (export "memory"))', '(table (export "memory") 1 funcref)'])
def test_without_memory(load, memory):
    instance = load(f"""(module (import "wasi_snapshot_preview1" "random_get" (func $f (param i32 i32) (result i32)))
      {memory} (func (export "f") (result i32) (call $f (i32.const 0) (i32.const 1))))""", wasm.Wasi())
    assert instance.exports.f() == abi.EFAULT


def test_imported_memory_and_growth(load):
    memory = wasm.Memory(1, 3)
    source = """(module (import "wasi_snapshot_preview1" "random_get" (func $f (param i32 i32) (result i32)))
      (memory (import "env" "m") 1) (export "memory" (memory 0))
      (func (export "f") (param i32) (result i32) (call $f (local.get 0) (i32.const 100))))"""
    instance = load(source, {**wasm.Wasi(), "env": {"m": memory}})
    assert instance.exports.f(0) == 0 and memory[0:100] != bytes(100)
    assert instance.exports.f(70000) == abi.EFAULT
    memory.grow(1)
    assert instance.exports.f(70000) == 0 and memory[70000:70100] != bytes(100)


def test_unknown_import(load):
    with pytest.raises(wasm.LinkError, match="unknown import: wasi_snapshot_preview1.nothing"):
        load('(module (import "wasi_snapshot_preview1" "nothing" (func)))', wasm.Wasi())
    with pytest.raises(wasm.LinkError, match="incompatible import type"):
        load('(module (import "wasi_snapshot_preview1" "fd_close" (global i32)))', wasm.Wasi())


def test_bound_values(load):
    """Any object can make what one instance imports."""
    class Named:
        def __wasm_import__(self, functype, importer):
            return lambda: len(importer.exports)
    source = """(module (import "env" "f" (func $f (result i32)))
      (func (export "a") (result i32) call $f) (export "b" (func 0)))"""
    assert load(source, {"env": {"f": Named()}}).exports.a() == 2


# --- streams

def test_callables(mode):
    given, written = [b"hello", b", world", b""], []
    wasm.run(PROGRAM, stdin=lambda size: given.pop(0)[:size], stdout=written.append, stderr=written.append, mode=mode)
    assert written[0] == b"program\0" and b"".join(written[1:]) == b"hello, wor"


def test_errors_of_callables_come_out(mode):
    for error in (LookupError("mine"), ValueError("mine"), struct.error("mine"), KeyboardInterrupt()):
        def fail(data, error=error):
            raise error
        with pytest.raises(type(error)) as caught:
            wasm.run(PROGRAM, input=b"", stdout=fail, mode=mode)
        assert caught.value is error
        with pytest.raises(type(error)):
            wasm.run(PROGRAM, stdin=fail, stdout=lambda data: None, mode=mode)


def test_too_much_input(mode):
    with pytest.raises(ValueError, match="6 bytes where 5"):
        wasm.run(PROGRAM, stdin=lambda size: b"123456", stdout=wasm.CAPTURE, mode=mode)


def test_text_files_are_their_buffers(mode, tmp_path):
    with open(tmp_path / "out", "w+") as file:
        wasm.run(PROGRAM, stdin=io.TextIOWrapper(io.BytesIO(b"abc")), stdout=file, stderr=file, mode=mode)
        file.seek(0)
        assert file.buffer.read() == b"program\0abc"


def test_overlapping_output_is_taken_in_pieces(mode):
    """A thousand times the whole memory in one call is not a thousand times the memory in Python."""
    from wasi_guests import MEMORY_SIZE, PyjitGuest
    sizes = []
    guest = PyjitGuest(mode, stdout=lambda data: sizes.append(len(data)), stderr=wasm.CAPTURE, stdin=lambda size: bytes(size))
    iovs = guest.iovecs(0, *[(0, MEMORY_SIZE)] * 1024)
    assert guest.fd_write(1, *iovs, 16384) == guest.fd_write(2, *guest.iovecs(0, *[(0, MEMORY_SIZE)] * 1024), 16384) == 0
    assert sizes == [1 << 20] and len(guest.wasi.stderr) == 1 << 20
    assert guest.fd_read(0, *guest.iovecs(0, *[(8192, 100_000)] * 1024), 120_000) == 0
    assert guest.load("<I", 120_000)[0] <= 1 << 20


# --- directories and lifetime

def test_dirs_are_kept(tmp_path):
    wasi = wasm.Wasi(dirs={"a": {"x": b"1"}, "b": tmp_path, "c": wasm.ReadOnly({"y": b"2"})})
    assert wasi.dirs["a"].contents() == {"x": b"1"} and wasi.dirs["b"] == tmp_path
    assert wasi.dirs["c"].contents() == {"y": b"2"}
    wasi.close()


def test_close(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with wasm.Wasi(dirs={"/": tmp_path, "ro": wasm.ReadOnly(tmp_path)}) as wasi:
        assert len(os.listdir("/proc/self/fd")) == before + 2
    wasi.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_descriptors_do_not_leak(mode, tmp_path):
    from wasi_guests import PyjitGuest
    before = len(os.listdir("/proc/self/fd"))
    (tmp_path / "a" / "b").mkdir(parents=True)
    for _ in range(20):
        guest = PyjitGuest(mode, dirs={"/": tmp_path})
        guest.open("a/b/../b/./c", abi.OFLAGS_CREAT), guest.open("a/b/nope/x"), guest.open("a", 2), guest.stat("a/b/../../..")
        guest.rename("a/b/c", "a/b/c/d"), guest.link("a/b/c", "a/nope/d"), guest.readdir()
        guest.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_instances_are_freed():
    """Imports refer to the instance only until they know its memory."""
    wasi = wasm.Wasi()
    module = wasm.Module(WRITER)
    instances = [wasm.Instance(module, imports=wasi) for _ in range(3)]
    assert instances[0].exports.write.type
    alive = [weakref.ref(instance) for instance in instances]
    del instances
    gc.collect()
    assert [instance() for instance in alive] == [None] * 3


# --- the command line

def pyjit(*arguments, **environment):
    return subprocess.run([sys.executable, "-m", "pyjit_wasm", "run", *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, env={**os.environ, **environment}, check=False)


@pytest.fixture(scope="module")
def lister(tmp_path_factory):
    """A C program that writes argv[1] and prints the variables."""
    pytest.importorskip("ziglang")
    folder = tmp_path_factory.mktemp("cli")
    (folder / "lister.c").write_text(r"""
        #include <errno.h>
        #include <stdio.h>
        #include <string.h>
        extern char **environ;
        int main(int argc, char **argv) {
            for (char **e = environ; *e; e++) puts(*e);
            FILE *file = fopen(argv[1], "w");
            if (!file) return puts(strerror(errno)), 1;
            fputs("written", file);
            return fclose(file);
        }""")
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O1"]
    subprocess.run([*compiler, "-o", "lister.wasm", "lister.c"], cwd=folder, check=True)
    return folder / "lister.wasm"


def test_dir(lister, mode, tmp_path):
    done = pyjit("--mode", mode, "--dir", f"{tmp_path}::/data", lister, "/data/file")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "file").read_text() == "written"
    done = pyjit("--mode", mode, "--dir", tmp_path, lister, tmp_path / "other")
    assert done.returncode == 0 and (tmp_path / "other").exists()
    done = pyjit("--mode", mode, "--dir-ro", f"{tmp_path}::/data", lister, "/data/new")
    assert done.returncode == 1 and "permitted" in done.stdout and not (tmp_path / "new").exists()
    done = pyjit("--mode", mode, lister, tmp_path / "new")
    assert done.returncode == 1 and not (tmp_path / "new").exists()


def test_env(lister, tmp_path):
    done = pyjit("--env", "A=1", "--env", "INHERITED", "--dir", f"{tmp_path}::/", lister, "/x", INHERITED="yes", OTHER="no")
    assert done.stdout == "A=1\nINHERITED=yes\n"


def test_no_directory(lister):
    done = pyjit("--dir", "/nonexistent", lister)
    assert done.returncode == 2 and done.stderr == "pyjit-wasm: /nonexistent: No such file or directory\n"
