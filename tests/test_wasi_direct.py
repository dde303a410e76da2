"""WASI calls that generated code answers: that it does, that it does the same as Python and wasmtime, what ends it when it
waits, and that a host descriptor is never used when it may be another file's."""
import gc
import os
import signal
import sys
import threading
import time

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.exec_env import of_runtime
from pyjit_wasm.wasi import abi
from test_exec_env import in_thread, wait_until
from wasi_guests import BUFFER, MEMORY_SIZE, SCRATCH, PyjitGuest, WasmtimeGuest, by_python
from wasi_trees import build, snapshot

READ = abi.ALL_RIGHTS & ~abi.RIGHT_FD_WRITE
IOVS = 64

# `run(n)` makes each of the calls n times; the others make one: of 16 bytes at 1024
HOT = """(module
  (import "{module}" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "{module}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "{module}" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "{module}" "random_get" (func $random (param i32 i32) (result i32)))
  {declarations}
  (memory {memory})
  (export "memory" (memory 0))
  (table funcref (elem $read $write))
  (type $transfer (func (param i32 i32 i32 i32) (result i32)))
  (data (i32.const 64) "\\00\\04\\00\\00\\10\\00\\00\\00")
  (export "fd_read" (func $read))
  (func (export "run") (param $n i32) (result i32) (local $failed i32)
    (loop $again
      (local.set $failed (i32.or (local.get $failed) (i32.or
        (i32.or (call $read (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 0))
                (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 4)))
        (i32.or (call $clock (i32.const 1) (i64.const 0) (i32.const 8))
                (call $random (i32.const 16) (i32.const 16))))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $failed))
  (func (export "read") (param $fd i32) (result i32)
    (call $read (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 0)))
  (func (export "tail") (param $fd i32) (result i32)
    (return_call $read (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 0)))
  (func (export "indirect") (param $fd i32) (result i32)
    (call_indirect (type $transfer) (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0)))
  (func (export "watch") (param $fd i32) (result i32) (local $seen i32)     ;; a bit for each first byte that was read
    (i64.store (i32.const 72) (i64.const 0x10000007d0))                     ;; 16 bytes at 2000
    (loop $again
      (i32.store8 (i32.const 1024) (i32.const 0))
      (drop (call $read (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 0)))
      (local.set $seen (i32.or (local.get $seen) (i32.shl (i32.const 1) (i32.load8_u (i32.const 1024)))))
      (drop (call $write (local.get $fd) (i32.const 72) (i32.const 1) (i32.const 0)))
      (br_if $again (i32.eqz (i32.load (i32.const 32)))))
    (local.get $seen))
  (func (export "forever") (param $fd i32)
    (loop $again
      (drop (call $read (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 0)))
      (br $again))))"""


def hot(module="wasi_snapshot_preview1", memory="1", declarations=""):
    return HOT.format(module=module, memory=memory, declarations=declarations)


def python_calls(function, *arguments):
    """What the function returned, and the Python functions that ran meanwhile in this thread."""
    calls = []
    sys.setprofile(lambda frame, event, argument: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        result = function(*arguments)
    finally:
        sys.setprofile(None)
    return result, calls


@pytest.fixture
def null():
    """A host descriptor of /dev/null."""
    fileno = os.open(os.devnull, os.O_RDWR)
    yield fileno
    os.close(fileno)


@pytest.fixture
def pipe():
    """The host descriptors (to read, to write)."""
    ends = os.pipe()
    yield ends
    for fileno in ends:
        try:
            os.close(fileno)
        except OSError:
            pass


@pytest.fixture
def random_file(tmp_path):
    """A file of 64 bytes, open to be read, and the bytes."""
    data = os.urandom(64)
    (tmp_path / "in").write_bytes(data)
    fileno = os.open(tmp_path / "in", os.O_RDONLY)
    yield fileno, data
    os.close(fileno)


# --- no Python runs

@pytest.mark.parametrize("module", ["wasi_snapshot_preview1", "wasi_unstable"])
def test_no_python(load_bounded, null, module):
    inst = load_bounded(hot(module), wasm.Wasi(stdin=null, stdout=null))
    assert inst.exports.run(1000) == 0      # functions are translated or compiled
    before = time.monotonic_ns()
    assert python_calls(inst.exports.run, 1000) == (0, [])
    memory = inst.exports.memory
    assert before <= int.from_bytes(memory[8:16], "little") <= time.monotonic_ns()
    assert memory[16:32] != bytes(16) and memory[0:8] == b"\0\0\0\0\x10\0\0\0"


@pytest.mark.parametrize("name", ["read", "tail", "indirect"])
@pytest.mark.parametrize("declarations", ["", "(tag)"])     # functions of modules with exceptions return a status
def test_ways_to_call(load, random_file, name, declarations):
    fileno, data = random_file
    inst = load(hot(declarations=declarations), wasm.Wasi(stdin=fileno))
    found = b""
    for _ in range(2):
        assert inst.exports[name](0) == 0
        found += inst.exports.memory[1024:1040]
    assert python_calls(inst.exports[name], 0) == (0, [])
    assert found + inst.exports.memory[1024:1040] == data[:48]
    assert python_calls(inst.exports.fd_read, 0, 64, 1, 0) == (0, [])     # the import, exported again
    assert inst.exports.memory[1024:1040] == data[48:]


def test_from_c(load, random_file):
    fileno, data = random_file
    inst = load(hot(), wasm.Wasi(stdin=fileno))
    with inst.exports.read.c_function() as read:
        assert read(0) == read(0) == 0
    assert inst.exports.memory[1024:1040] == data[16:32]


def test_the_python_way_of_the_tests(load, null):
    """What the tests below compare with really is Python."""
    inst = load(hot(), by_python(wasm.Wasi(stdin=null, stdout=null)))
    assert inst.exports.run(2) == 0
    result, calls = python_calls(inst.exports.run, 10)
    assert result == 0 and len(calls) >= 40


@pytest.mark.parametrize("memory", ["1 1 shared", "1"])
def test_shared_memories_are_left_to_python(load, null, memory):
    inst = load(hot(memory=memory), wasm.Wasi(stdin=null, stdout=null))
    assert inst.exports.run(2) == 0
    result, calls = python_calls(inst.exports.run, 10)
    assert result == 0 and bool(calls) == ("shared" in memory)


@pytest.mark.parametrize("functype, arguments", [
    ("(param i32 i32 i32 i64) (result i32)", "i64.const 0"), ("(param i32 i32 i32 i32) (result i64)", "i32.const 0")])
def test_other_types_are_left_to_python(load, random_file, functype, arguments):
    fileno, data = random_file
    result = functype[-4:-1]
    inst = load(f"""(module (import "wasi_snapshot_preview1" "fd_read" (func $read {functype})) (memory (export "memory") 1)
      (data (i32.const 64) "\\00\\04\\00\\00\\10\\00\\00\\00") (func (export "read") (result {result})
        (call $read (i32.const 0) (i32.const 64) (i32.const 1) ({arguments}))))""", wasm.Wasi(stdin=fileno))
    for start in (0, 16):
        assert inst.exports.read() == 0 and inst.exports.memory[1024:1040] == data[start:start + 16]


def test_a_memory_that_begins_empty(load, random_file):
    fileno, data = random_file
    source = hot(memory="0 1").replace("(data (i32.const 64)", "(data")
    inst = load(source, wasm.Wasi(stdin=fileno))
    assert inst.exports.read(0) == inst.exports.read(0) == abi.EFAULT
    inst.exports.memory.grow(1)
    inst.exports.memory[64:72] = b"\0\4\0\0\x10\0\0\0"
    assert python_calls(inst.exports.read, 0) == (0, []) and inst.exports.memory[1024:1040] == data[:16]


def test_a_memory_with_64_bit_addresses(load, random_file):
    fileno, data = random_file
    inst = load("""(module (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") i64 1) (data (i64.const 64) "\\00\\04\\00\\00\\10\\00\\00\\00")
      (func (export "read") (param i32) (result i32) (call $read (i32.const 0) (i32.const 64) (i32.const 1) (local.get 0))))""",
                wasm.Wasi(stdin=fileno))
    assert inst.exports.read(65533) == abi.EFAULT and inst.exports.read(0) == 0
    assert python_calls(inst.exports.read, 0) == (0, []) and inst.exports.memory[1024:1040] == data[16:32]


def test_in_the_start_function(load, pipe):
    load("""(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 64) "\\00\\04\\00\\00\\03\\00\\00\\00") (data (i32.const 1024) "abc")
      (func $go (drop (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 0)))) (start $go))""",
         wasm.Wasi(stdout=pipe[1]))
    assert os.read(pipe[0], 10) == b"abc"


# --- the same as by Python, and as in wasmtime

def both(guest, fd):
    """What can be asked of a descriptor without changing it much."""
    return guest.read(fd, 2), guest.tell(fd), guest.write(fd, b"XY"), guest.tell(fd), guest.read(fd, 100), guest.read(fd)


def opened(guest, path="file", **options):
    errno, fd = guest.open(path, **options)
    assert errno == 0
    return fd


def renumbered(guest):
    first, second = opened(guest), opened(guest, "dir/inner")
    answers = guest.read(first, 1), guest.read(second, 2)
    return answers, guest.fd_renumber(first, second), both(guest, second), both(guest, first), guest.read(second)


def reopened(guest):
    answers = []
    for path in ("file", "dir/inner", "file"):
        fd = opened(guest, path)
        answers += [fd, guest.read(fd, 3), guest.fd_close(fd), guest.read(fd)]
    return answers


def renumbered_streams(guest):
    fd = opened(guest)
    return guest.fd_renumber(fd, 1), guest.write(1, b"to the file"), guest.write(fd, b"x"), guest.fd_renumber(0, 1), guest.write(
        1, b"x"), guest.read(1, 3), guest.read(0)


def scattered(guest):
    """Through 1 to 20 buffers, some of them empty, and as many written back."""
    answers = []
    for count in (0, 1, 2, 15, 16, 17, 20):
        fd = opened(guest, "long")
        spans = [(BUFFER + 40 * i, i % 3 * 7) for i in range(count)]
        errno = guest.fd_read(fd, *guest.iovecs(IOVS, *spans), SCRATCH)
        answers += [errno, guest.load("<I", SCRATCH), [guest.read_bytes(*span) for span in spans], guest.tell(fd)]
        answers += [guest.fd_write(fd, IOVS, count, SCRATCH), guest.load("<I", SCRATCH), guest.tell(fd)]
    return answers


def overlapping(guest):
    """Buffers over each other, over the iovecs and over the result."""
    fd = opened(guest, "long")
    for spans in ([(BUFFER, 8), (BUFFER + 4, 8)], [(IOVS, 24), (BUFFER, 4)], [(SCRATCH, 12)], [(SCRATCH + 2, 4), (IOVS, 4)]):
        guest.store(SCRATCH, bytes(16))
        yield guest.fd_read(fd, *guest.iovecs(IOVS, *spans), SCRATCH)
        yield guest.read_bytes(SCRATCH, 16), guest.read_bytes(IOVS, 32), guest.read_bytes(BUFFER, 32)


def at_the_edge(guest):
    """The last bytes of memory, and those behind: nothing is transferred then."""
    fd = opened(guest, "long")
    end = MEMORY_SIZE
    for start, length in ((end - 4, 4), (end - 4, 5), (end, 0), (end, 1), (0, end), (0, end + 1), (BUFFER, 2**31),
                          (BUFFER, 2**32 - 1), (2**32 - 1, 1), (2**32 - 1, 2**32 - 1)):
        for vectors in ((IOVS, 1), (end - 8, 1), (end - 7, 1), (IOVS, 2**29), (IOVS, 2**32 - 1)):
            for result in (SCRATCH, end - 4, end - 3, 2**32 - 1):
                if vectors[0] < end - 7:
                    guest.iovecs(vectors[0], (start, length))
                guest.store(SCRATCH, bytes(4))
                signed = [number - (number >> 31 << 32) for number in (*vectors, result)]
                yield guest.fd_read(fd, *signed), guest.load("<I", SCRATCH), guest.tell(fd)
                yield guest.fd_write(fd, *signed), guest.tell(fd)[0]
    yield guest.fd_filestat_set_size(fd, 100)


def one_bad_buffer(guest):
    """One of several buffers is outside: nothing is transferred."""
    fd = opened(guest, "long")
    for bad in range(3):
        spans = [(BUFFER + 100 * i, 3) if i != bad else (MEMORY_SIZE - 1, 2) for i in range(3)]
        guest.store(BUFFER, bytes(300))
        yield guest.fd_read(fd, *guest.iovecs(IOVS, *spans), SCRATCH), guest.fd_write(fd, IOVS, 3, SCRATCH), guest.tell(fd)
        yield guest.read_bytes(BUFFER, 300)


def wrong_descriptors(guest):
    for fd in (99, 255, 256, 257, -1, 2**31 - 1, -2**31, 3):
        yield guest.read(fd), guest.write(fd, b"x")


def clocks_and_random(guest):
    end = MEMORY_SIZE
    for place in (end - 8, end - 7, end, -1, -8):
        for clock in (-1, 0, 1, 2, 3, 4):
            yield guest.clock_time_get(clock, 0, place)
    for place, length in ((end, 0), (end, 1), (end - 256, 256), (end - 256, 257), (end - 255, 256), (0, end), (-1, 1), (-1, -1),
                          (0, -1), (BUFFER, 257)):
        yield guest.random_get(place, length)


# a guest of some kind with the same files: a list of answers
SCENARIOS = {
    "read and write": lambda g: both(g, opened(g)),
    "read only": lambda g: both(g, opened(g, rights=READ)),
    "in a read-only directory": lambda g: both(g, opened(g, fd=4, rights=READ)),
    "write only": lambda g: both(g, opened(g, rights=abi.ALL_RIGHTS & ~abi.RIGHT_FD_READ)),
    "append": lambda g: both(g, opened(g, fdflags=abi.FDFLAGS_APPEND)),
    "append from now on": lambda g: [fd := opened(g), g.write(fd, b"a"), g.fd_fdstat_set_flags(fd, 1), both(g, fd),
                                     g.fd_fdstat_set_flags(fd, 0), both(g, fd)],
    "seek": lambda g: [fd := opened(g), g.seek(fd, 3, 0), both(g, fd), g.seek(fd, 1, 0), both(g, fd), g.seek(fd, 9, 2),
                       both(g, fd)],
    "two of one file": lambda g: [one := opened(g), two := opened(g), both(g, one), both(g, two), both(g, one)],
    "end of file": lambda g: [fd := opened(g), g.read(fd), g.read(fd), g.write(fd, b"more"), g.read(fd), g.seek(fd, 0, 0),
                              g.read(fd)],
    "shrunk": lambda g: [fd := opened(g), g.read(fd, 4), g.fd_filestat_set_size(fd, 1), g.read(fd), g.write(fd, b"."),
                         g.filestat(fd)[1][4]],
    "closed": lambda g: [fd := opened(g), g.read(fd, 1), g.fd_close(fd), both(g, fd)],
    "renumbered": renumbered, "reopened": reopened, "renumbered streams": renumbered_streams, "scattered": scattered,
    "overlapping": overlapping, "at the edge": at_the_edge, "one bad buffer": one_bad_buffer,
    "wrong descriptors": wrong_descriptors, "clocks and random": clocks_and_random,
    "a directory": lambda g: both(g, opened(g, "dir", oflags=abi.OFLAGS_DIRECTORY, rights=READ)),
    "streams": lambda g: [g.read(0, 2), g.write(0, b"x"), g.read(0), g.read(0), g.read(1), g.write(1, b"out"), g.write(2, b"err"),
                          g.fd_close(1), g.write(1, b"x"), opened(g), both(g, 1)],
}
# with or without generated code: wasmtime reads and writes only the first buffer that is not empty, and traps for pointers
# outside memory and unknown clocks
NOT_WASMTIMES = {"scattered", "overlapping", "at the edge", "one bad buffer", "clocks and random"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenarios(mode, tmp_path, scenario):
    answers, files = {}, {}
    for kind in ("direct", "python") + ("wasmtime",) * (scenario not in NOT_WASMTIMES):
        root = build(tmp_path / kind)
        (root / "rw" / "long").write_bytes(bytes(range(200)))
        (root / "in").write_bytes(b"input")
        if kind == "wasmtime":
            pytest.importorskip("wasmtime")
            guest = WasmtimeGuest(dirs={"rw": (root / "rw", True), "ro": (root / "ro", False)}, stdin=root / "in",
                                  stdout=root / "out", stderr=root / "err")
            answers[kind] = list(SCENARIOS[scenario](guest))
        else:
            with open(root / "in", "rb", 0) as stdin, open(root / "out", "wb") as stdout, open(root / "err", "wb") as stderr:
                guest = PyjitGuest(mode, direct=kind == "direct", dirs={"rw": root / "rw", "ro": wasm.ReadOnly(root / "ro")},
                                   stdin=stdin.fileno(), stdout=stdout.fileno(), stderr=stderr.fileno())
                answers[kind] = list(SCENARIOS[scenario](guest))
                guest.close()
        files[kind] = snapshot(root)
    assert answers["direct"] == answers["python"] and files["direct"] == files["python"]
    if scenario not in NOT_WASMTIMES:
        assert answers["direct"] == answers["wasmtime"] and files["direct"] == files["wasmtime"]


@pytest.mark.parametrize("direct", [True, False])
def test_rights_that_are_given_up(mode, tmp_path, direct):
    (tmp_path / "file").write_bytes(b"hello")
    guest = PyjitGuest(mode, direct=direct, dirs={"/": tmp_path})
    fd = opened(guest)
    assert guest.read(fd, 1) == (0, b"h") and guest.write(fd, b"E") == (0, 1)
    _, (_, _, rights, inheriting) = guest.fdstat(fd)
    assert guest.fd_fdstat_set_rights(fd, rights & ~abi.RIGHT_FD_WRITE, inheriting) == 0
    assert guest.write(fd, b"x") == (abi.EBADF, None) and guest.read(fd, 1) == (0, b"l")
    assert guest.fd_fdstat_set_rights(fd, rights, inheriting) == abi.ENOTCAPABLE
    assert guest.write(fd, b"x") == (abi.EBADF, None) and guest.read(fd, 1) == (0, b"l")
    assert guest.fd_fdstat_set_rights(fd, 0, 0) == 0
    assert guest.write(fd, b"x") == guest.read(fd) == (abi.EBADF, None)
    assert (tmp_path / "file").read_bytes() == b"hEllo"
    guest.close()


def test_rights_of_a_stream_with_two_numbers(mode, pipe):
    """`subprocess.STDOUT` gives one descriptor two numbers."""
    from pyjit_wasm.wasi.streams import output_stream
    output = output_stream(pipe[1], 1)
    guest = PyjitGuest(mode, stdout=output, stderr=output)
    assert guest.write(1, b"a") == guest.write(2, b"b") == (0, 1)
    assert guest.fd_fdstat_set_rights(1, 0, 0) == 0
    assert guest.write(1, b"c")[0] == guest.write(2, b"d")[0] == abi.EBADF
    assert os.read(pipe[0], 10) == b"ab"


@pytest.mark.parametrize("direct", [True, False])
def test_pipes(mode, pipe, direct):
    guest = PyjitGuest(mode, direct=direct, stdin=pipe[0], stdout=pipe[1])
    assert guest.write(1, b"hello") == (0, 5) and guest.read(0, 3) == (0, b"hel") and guest.read(0) == (0, b"lo")
    os.set_blocking(pipe[0], False)
    assert guest.read(0) == (abi.EAGAIN, None)
    os.set_blocking(pipe[1], False)
    errno, written = guest.write(1, bytes(100_000))
    assert errno == 0 and 0 < written < 100_000 and guest.write(1, bytes(100_000)) == (abi.EAGAIN, None)
    os.close(pipe[1])
    assert guest.write(1, b"x") == (abi.EBADF, None)     # the host's is closed, the guest's open
    read = 0
    while data := guest.read(0, 100_000)[1]:
        read += len(data)
    assert read == written


@pytest.mark.parametrize("direct", [True, False])
def test_host_errors(mode, pipe, direct):
    os.close(pipe[0])
    guest = PyjitGuest(mode, direct=direct, stdin=pipe[1], stdout=pipe[1], stderr=1 << 40)
    assert guest.write(1, b"x") == (abi.EPIPE, None) and guest.read(0) == (abi.EBADF, None)
    with open("/dev/full", "wb", 0) as full, open("/proc/self/mem", "rb", 0) as unmapped:
        guest = PyjitGuest(mode, direct=direct, stdin=unmapped.fileno(), stdout=full.fileno())
        assert guest.write(1, b"x") == (abi.ENOSPC, None) and guest.read(0) == (abi.EIO, None)


def test_a_number_that_is_no_host_descriptor(mode):
    """Not cut to 32 bits, which would be one."""
    for direct in (True, False):
        guest = PyjitGuest(mode, direct=direct, stdout=1 << 32 | 1)
        with pytest.raises(OverflowError):
            guest.write(1, b"x")


def test_waiting_is_without_the_gil(mode, pipe):
    """The function is brief, so it is called with the GIL."""
    guest = PyjitGuest(mode, stdin=pipe[0])
    threading.Timer(0.05, os.write, (pipe[1], b"late")).start()
    assert guest.read(0) == (0, b"late")


# --- Ctrl-C and interrupts

class Stop(Exception):
    pass


@pytest.mark.parametrize("name", ["read", "forever"])
def test_ctrl_c(load_bounded, pipe, name):
    """`read` is brief and has the GIL when it begins, `forever` has not."""
    inst = load_bounded(hot(), wasm.Wasi(stdin=pipe[0]))
    for _ in range(2):
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        start = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            inst.exports[name](0)
        assert time.perf_counter() - start < 1
        timer.join()
        os.write(pipe[1], b"0123456789abcdef")
        assert inst.exports.read(0) == 0 and inst.exports.memory[1024:1040] == b"0123456789abcdef"


def test_ctrl_c_at_any_moment(child, mode):
    """The reads do not wait most of the time: signals come before, in and after the system call, and none is lost."""
    done = child(f"""
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_wasi_direct import hot
        source, sink = os.pipe()
        os.set_blocking(sink, False)
        inst = load(hot(), wasm.Wasi(stdin=source), {mode!r})
        slowest = 0
        for turn in range(100):
            try:
                os.write(sink, bytes(16 * (turn % 50 * 20)))
            except BlockingIOError:
                pass    # there is enough to read
            sent = []
            def send(after=0.0002 * (1 + turn % 7)):
                time.sleep(after)
                sent.append(time.perf_counter())
                os.kill(os.getpid(), signal.SIGINT)
            thread = threading.Thread(target=send)
            try:
                thread.start()
                inst.exports.forever(0)
            except KeyboardInterrupt:
                slowest = max(slowest, time.perf_counter() - sent[0])
            thread.join()
        print(slowest)""", timeout=60)
    assert done.stdout and float(done.stdout) < 1, done.stderr


def test_a_handler_that_does_not_raise(load, pipe):
    """The read goes on, whatever signal it is."""
    inst = load(hot(), wasm.Wasi(stdin=pipe[0]))
    for number in (signal.SIGINT, signal.SIGUSR1):
        seen = []
        before = signal.signal(number, lambda *_: seen.append(os.write(pipe[1], b"from the handler")))
        try:
            threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
            assert inst.exports.read(0) == 0
        finally:
            signal.signal(number, before)
        assert seen == [16] and inst.exports.memory[1024:1040] == b"from the handler"


def test_a_handler_that_raises(load, pipe):
    def stop(*_):
        raise Stop

    inst = load(hot(), wasm.Wasi(stdin=pipe[0]))
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(Stop):
            inst.exports.read(0)
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("name", ["read", "forever"])
@pytest.mark.parametrize("main", [True, False])
def test_interrupt(load_bounded, pipe, name, main):
    inst = load_bounded(hot(), wasm.Wasi(stdin=pipe[0]))
    for _ in range(3):
        start = time.perf_counter()
        if main:
            threading.Timer(0.05, inst.interrupt).start()
            with pytest.raises(wasm.Interrupted):
                inst.exports[name](0)
        else:
            thread = in_thread(inst.exports[name], 0)
            wait_until(lambda: inst._inst.exec_env.thread)
            assert inst.interrupt()
            thread.join(20)
            assert isinstance(thread.error, wasm.Interrupted)
        assert time.perf_counter() - start < 1
    os.write(pipe[1], b"0123456789abcdef")
    assert inst.exports.read(0) == 0 and inst.exports.memory[1024:1040] == b"0123456789abcdef"


def test_only_the_main_thread_is_interrupted(load, pipe):
    """Python's rule: a read in another thread goes on."""
    inst = load(hot(), wasm.Wasi(stdin=pipe[0]))
    thread = in_thread(inst.exports.read, 0)
    wait_until(lambda: inst._inst.exec_env.thread)
    with pytest.raises(KeyboardInterrupt):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(5)
    os.write(pipe[1], b"0123456789abcdef")
    thread.join(20)
    assert thread.error is None and inst.exports.memory[1024:1040] == b"0123456789abcdef"


def test_stacks_while_it_waits(load_bounded, pipe):
    inst = load_bounded(hot(), wasm.Wasi(stdin=pipe[0]))
    thread = in_thread(inst.exports.forever, 0)
    env = of_runtime(inst._inst.exec_env)
    wait_until(lambda: len(env.frames) > 1)
    assert [frame.name for frame in env.frames] == ["read", "forever"]
    assert inst.interrupt()
    thread.join(20)


# --- host descriptors that are closed

def open_files():
    return len(os.listdir("/proc/self/fd"))


def two_guests(mode, **options):
    """Guests that share descriptors and can run in two threads."""
    wasi = wasm.Wasi(**options)
    return PyjitGuest(mode, wasi=wasi), PyjitGuest(mode, wasi=wasi)


def test_closing_while_it_is_read(mode, tmp_path):
    """The host descriptor is closed when the read has ended, and others may have its number in the meantime."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_bytes(b"hello")
    sink = os.open(tmp_path / "fifo", os.O_RDWR)
    one, two = two_guests(mode, dirs={"/": tmp_path})
    before = open_files()
    fd = opened(one, "fifo")
    thread = in_thread(one.read, fd)
    wait_until(lambda: one.instance._inst.exec_env.thread)
    time.sleep(0.02)
    assert two.fd_close(fd) == 0 and two.read(fd)[0] == abi.EBADF and open_files() == before + 1
    assert opened(two) == fd and two.read(fd, 2) == (0, b"he") and two.write(fd, b"LL") == (0, 2)
    os.write(sink, b"end")
    thread.join(20)
    assert thread.error is None and one.read_bytes(BUFFER, 3) == b"end"
    assert two.read(fd) == (0, b"o") and open_files() == before + 1
    assert two.fd_close(fd) == 0 and open_files() == before
    one.close()
    os.close(sink)


def test_many_closed_while_one_is_read(mode, pipe, tmp_path):
    """A read that does not end keeps one host descriptor open, not those that come after it."""
    (tmp_path / "file").write_bytes(b"hello")
    os.mkfifo(tmp_path / "fifo")
    sink = os.open(tmp_path / "fifo", os.O_RDWR)
    one, two = two_guests(mode, dirs={"/": tmp_path})
    fd = opened(one, "fifo")
    thread = in_thread(one.read, fd)
    wait_until(lambda: one.instance._inst.exec_env.thread)
    time.sleep(0.02)
    before = open_files()
    for _ in range(50):
        assert two.fd_close(fd) == 0 and opened(two) == fd and two.read(fd) == (0, b"hello")
    assert open_files() == before + 1
    os.write(sink, b"x")
    thread.join(20)
    one.close()
    os.close(sink)


def test_closing_the_wasi_while_it_is_read(mode, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    sink = os.open(tmp_path / "fifo", os.O_RDWR)
    before = open_files()
    guest = PyjitGuest(mode, dirs={"/": tmp_path})
    fd = opened(guest, "fifo")
    thread = in_thread(guest.read, fd)
    wait_until(lambda: guest.instance._inst.exec_env.thread)
    time.sleep(0.02)
    guest.close()
    assert open_files() == before + 1 and guest.wasi.descriptors == {}
    os.write(sink, b"x")
    thread.join(20)
    assert open_files() == before and guest.read(fd)[0] == abi.EBADF
    os.close(sink)


def test_renumbering_onto_what_is_read(mode, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_bytes(b"hello")
    sink = os.open(tmp_path / "fifo", os.O_RDWR)
    one, two = two_guests(mode, dirs={"/": tmp_path})
    fd, other = opened(one, "fifo"), opened(two)
    before = open_files()
    thread = in_thread(one.read, fd)
    wait_until(lambda: one.instance._inst.exec_env.thread)
    time.sleep(0.02)
    assert two.fd_renumber(other, fd) == 0 and two.read(fd, 2) == (0, b"he") and two.read(other)[0] == abi.EBADF
    os.write(sink, b"x")
    thread.join(20)
    assert thread.error is None and open_files() == before - 1 and two.read(fd) == (0, b"llo")
    one.close()
    os.close(sink)


def test_never_another_file(load, mode, tmp_path):
    """One guest reads and writes a number all the time, another closes and opens it, while the host opens a file that no guest
    may see: its descriptor has the number of one just closed again and again. (Chance hardly ever finds a fault here; the tests
    above check the rule.)"""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode() * 64)
    secret = tmp_path.parent / f"{tmp_path.name} secret"
    secret.write_bytes(b"S" * 64)
    wasi = wasm.Wasi(dirs={"/": tmp_path})
    one, two = load(hot(), wasi), PyjitGuest(mode, wasi=wasi)
    fd, over = opened(two, "a"), []

    def reopen():
        while not over:
            for name in ("b", "a"):
                assert two.fd_close(fd) == 0 and opened(two, name) == fd

    def steal():
        while not over:
            os.close(os.open(secret, os.O_RDWR))

    one.exports.memory[2000:2016] = b"W" * 16
    threads = [in_thread(one.exports.watch, fd), in_thread(reopen), in_thread(steal)]
    time.sleep(0.3)
    over.append(True)
    one.exports.memory[32] = 1
    for thread in threads:
        thread.join(20)
        assert thread.error is None
    seen = {letter for letter in "abSW" if threads[0].result >> (ord(letter) & 31) & 1}
    assert seen <= set("abW") and secret.read_bytes() == b"S" * 64
    wasi.close()


def test_nothing_stays_open(mode, tmp_path):
    """A Wasi that is not closed, and calls that were made once or never."""
    (tmp_path / "file").write_bytes(b"hello")
    gc.collect()
    before = open_files()
    for used in (True, False):
        guest = PyjitGuest(mode, dirs={"/": tmp_path})
        for _ in range(5):
            fd = opened(guest)
            assert not used or guest.read(fd) == (0, b"hello")
        assert open_files() == before + 6
        del guest
        gc.collect()
        assert open_files() == before
