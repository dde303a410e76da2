"""WASI call by call: streams, arguments, clocks, randomness, exit, polling, and bounds."""
import io
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.errors import WasiExit
from pyjit_wasm.wasi import abi
from wasi_guests import MEMORY_SIZE, PyjitGuest


# what streams can do: be read or written, asked what they are, told flags and polled
STDIN_RIGHTS, STDOUT_RIGHTS = 1 << 1 | 1 << 3 | 1 << 21 | 1 << 27, 1 << 6 | 1 << 3 | 1 << 21 | 1 << 27


@pytest.fixture
def make(mode):
    """`make(**options)`: a guest of a Wasi with these options, in each mode."""
    return lambda **options: PyjitGuest(mode, **options)


@pytest.fixture
def guest(make):
    return make(args=["prog", b"\xff", "é"], env={"A": "1", "LONG": "x=y"}, stdin=b"hello, world", stdout=io.BytesIO())


# --- arguments, environment, clocks, randomness, exit

@pytest.mark.parametrize("kind, strings", [
    ("args", [b"prog\0", b"\xff\0", "é\0".encode()]), ("environ", [b"A=1\0", b"LONG=x=y\0"])])
def test_strings(guest, kind, strings):
    assert getattr(guest, f"{kind}_sizes_get")(0, 4) == abi.ESUCCESS
    assert guest.load("<II", 0) == (len(strings), len(b"".join(strings)))
    assert getattr(guest, f"{kind}_get")(16, 100) == abi.ESUCCESS
    pointers = guest.load(f"<{len(strings)}I", 16)
    assert [guest.memory[p:p + len(s)] for p, s in zip(pointers, strings)] == strings
    assert pointers[0] == 100 and guest.memory[100 + len(b"".join(strings))] == 0


@pytest.mark.parametrize("options", [{"args": ["a\0b"]}, {"env": {"A": "\0"}}, {"env": {"\0": "A"}}])
def test_nul_in_a_string(options):
    with pytest.raises(ValueError, match="NUL"):
        wasm.Wasi(**options)


@pytest.mark.parametrize("clock, reader", [
    (abi.CLOCK_REALTIME, time.time_ns), (abi.CLOCK_MONOTONIC, time.monotonic_ns),
    (abi.CLOCK_PROCESS_CPUTIME_ID, time.process_time_ns), (abi.CLOCK_THREAD_CPUTIME_ID, time.thread_time_ns)])
def test_clocks(guest, clock, reader):
    before = reader()
    assert guest.clock_time_get(clock, -1, 8) == abi.ESUCCESS
    assert before <= guest.load("<Q", 8)[0] <= reader()
    assert guest.clock_res_get(clock, 8) == abi.ESUCCESS
    assert 1 <= guest.load("<Q", 8)[0] <= 10**8


def test_unknown_clock(guest):
    assert guest.clock_time_get(4, 0, 8) == guest.clock_res_get(-1, 8) == abi.EINVAL


def test_random(guest):
    assert guest.random_get(100, 64) == abi.ESUCCESS
    assert guest.memory[100:164] != bytes(64) and guest.memory[164:] == bytes(MEMORY_SIZE - 164)
    assert guest.random_get(MEMORY_SIZE - 63, 64) == abi.EFAULT


def test_exit(guest):
    with pytest.raises(WasiExit) as caught:
        guest.proc_exit(-1)
    assert caught.value.code == 2**32 - 1


def test_yield_and_raise(guest):
    assert guest.sched_yield() == abi.ESUCCESS
    assert guest.proc_raise(6) == abi.ENOTSUP


# --- streams

def test_write_gathers(make, tmp_path):
    for sink in (io.BytesIO(), open(tmp_path / "raw", "w+b", buffering=0)):
        guest = make(stdout=sink)
        guest.store(1000, b"hello, world")
        assert guest.fd_write(1, *guest.iovecs(16, (1000, 5), (0, 0), (1005, 7)), 8) == abi.ESUCCESS
        assert guest.load("<I", 8) == (12,)
        assert guest.fd_write(1, 16, 0, 8) == abi.ESUCCESS and guest.load("<I", 8) == (0,)
        sink.seek(0)
        assert sink.read() == b"hello, world"
        sink.close()


def test_write_to_host_descriptor(make):
    reader, writer = os.pipe()
    guest = make(stderr=writer)
    guest.store(1000, b"abc")
    assert guest.fd_write(2, *guest.iovecs(16, (1000, 3)), 8) == abi.ESUCCESS
    assert guest.fd_write(2, *guest.iovecs(16, (1000, 1), (1002, 1)), 8) == abi.ESUCCESS
    assert os.read(reader, 10) == b"abcac"
    os.close(reader)
    assert guest.fd_write(2, 16, 1, 8) == abi.EPIPE
    assert guest.fd_close(2) == abi.ESUCCESS and guest.fd_close(2) == abi.EBADF
    os.close(writer)    # still open: the guest has closed only its own descriptor
    assert guest.fd_write(2, 16, 1, 8) == abi.EBADF


def test_partial_write(make):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    guest = make(stdout=writer)
    spans = [(0, MEMORY_SIZE)] * 3
    assert guest.fd_write(1, *guest.iovecs(16, *spans), 8) == abi.ESUCCESS
    assert 0 < guest.load("<I", 8)[0] < 3 * MEMORY_SIZE
    assert guest.fd_write(1, 16, 3, 8) == abi.EAGAIN
    os.close(reader), os.close(writer)


def test_write_to_python_object(make):
    written = []
    guest = make(stdout=SimpleNamespace(write=written.append))
    guest.store(1000, b"abc")
    assert guest.fd_write(1, *guest.iovecs(16, (1000, 3)), 8) == abi.ESUCCESS
    assert written == [b"abc"] and guest.load("<I", 8) == (3,)


def test_more_iovecs_than_the_host_takes(make):
    reader, writer = os.pipe()
    guest = make(stdout=writer, stdin=reader)
    assert guest.fd_write(1, *guest.iovecs(16, *[(0, 1)] * 3000), 8) == abi.ESUCCESS
    assert guest.load("<I", 8)[0] >= 1024
    assert guest.fd_read(0, 16, 3000, 8) == abi.ESUCCESS
    assert guest.load("<I", 8)[0] >= 1024
    os.close(reader), os.close(writer)


@pytest.mark.parametrize("source", [
    lambda path: b"hello, world", lambda path: io.BytesIO(b"hello, world"), lambda path: open(path, "rb"),
    lambda path: open(path, "rb", buffering=0), lambda path: os.open(path, os.O_RDONLY)])
def test_read_scatters(make, tmp_path, source):
    (tmp_path / "input").write_bytes(b"hello, world")
    guest = make(stdin=source(tmp_path / "input"))
    assert guest.fd_read(0, *guest.iovecs(16, (1000, 4), (2000, 4)), 8) == abi.ESUCCESS
    assert guest.load("<I", 8) == (8,) and guest.memory[1000:1004] + guest.memory[2000:2004] == b"hello, w"
    assert guest.fd_read(0, 16, 2, 8) == abi.ESUCCESS and guest.load("<I", 8) == (4,)
    assert guest.memory[1000:1004] + guest.memory[2000:2004] == b"orldo, w"
    assert guest.fd_read(0, 16, 2, 8) == abi.ESUCCESS and guest.load("<I", 8) == (0,)


def test_read_gives_what_is_there(make):
    reader, writer = os.pipe()
    os.write(writer, b"line\n")
    with open(reader, "rb") as file:
        guest = make(stdin=file)
        assert guest.fd_read(0, *guest.iovecs(16, (1000, 100)), 8) == abi.ESUCCESS
        assert guest.load("<I", 8) == (5,)
    os.close(writer)


def test_wrong_direction(guest):
    assert guest.fd_write(0, 16, 0, 8) == guest.fd_read(1, 16, 0, 8) == abi.EBADF


def test_fdstat_and_filestat(make, guest):
    assert guest.fd_fdstat_get(0, 100) == abi.ESUCCESS
    assert guest.load("<BxH4xQQ", 100) == (abi.FILETYPE_UNKNOWN, 0, STDIN_RIGHTS, 0)
    primary, secondary = os.openpty()
    guest = make(stdout=secondary)
    assert guest.fd_fdstat_get(1, 100) == guest.fd_filestat_get(1, 200) == abi.ESUCCESS
    assert guest.load("<B7xQ", 100) == (abi.FILETYPE_CHARACTER_DEVICE, STDOUT_RIGHTS)
    assert guest.load("<QQB", 200) == (0, 0, abi.FILETYPE_CHARACTER_DEVICE)
    assert guest.fd_fdstat_set_flags(1, 0) == abi.ESUCCESS
    assert guest.fd_fdstat_set_flags(1, 4) == abi.ENOTSUP
    os.close(primary), os.close(secondary)


def test_renumber(guest):
    assert guest.fd_renumber(1, 2) == abi.ESUCCESS
    guest.store(1000, b"moved")
    assert guest.fd_write(2, *guest.iovecs(16, (1000, 5)), 8) == abi.ESUCCESS
    assert guest.fd_write(1, 16, 1, 8) == abi.EBADF
    assert guest.fd_renumber(2, 9) == guest.fd_renumber(9, 2) == abi.EBADF
    assert guest.fd_renumber(2, 2) == abi.ESUCCESS and guest.fd_close(2) == abi.ESUCCESS


def test_a_broken_host_descriptor(make):
    guest = make(stdin=12345, stdout=12345)
    assert guest.fd_read(0, *guest.iovecs(16, (1000, 5)), 8) == guest.fd_write(1, 16, 1, 8) == abi.EBADF
    assert guest.fd_fdstat_get(1, 100) == abi.ESUCCESS


@pytest.mark.parametrize("code, expected", [
    ("ENOSPC", abi.ENOSPC), ("EOPNOTSUPP", abi.ENOTSUP), ("EWOULDBLOCK", abi.EAGAIN), ("EUCLEAN", abi.EIO),
    (None, abi.EIO)])
def test_host_errors(make, code, expected):
    import errno

    def write(data):
        raise OSError(code and getattr(errno, code), "no") if code else OSError("no number")
    guest = make(stdout=SimpleNamespace(write=write))
    assert guest.fd_write(1, 16, 0, 8) == expected


# --- bounds

OUTSIDE = (MEMORY_SIZE - 1, MEMORY_SIZE, 0x7FFF_FFFF, -0x8000_0000, -1)


@pytest.mark.parametrize("pointer", OUTSIDE)
def test_pointers_outside_memory(guest, pointer):
    guest.iovecs(16, (1000, 5))
    guest.store(100, abi.SUBSCRIPTION.pack(0, abi.EVENTTYPE_CLOCK, 0, 0, 0, 0))
    calls = [
        guest.args_get(pointer, 0), guest.args_get(0, pointer), guest.args_sizes_get(pointer, 0),
        guest.args_sizes_get(0, pointer), guest.environ_get(pointer, 0), guest.environ_sizes_get(0, pointer),
        guest.clock_res_get(0, pointer), guest.clock_time_get(0, 0, pointer), guest.random_get(pointer, 2),
        guest.fd_fdstat_get(1, pointer), guest.fd_filestat_get(1, pointer), guest.fd_write(1, pointer, 1, 8),
        guest.fd_write(1, 16, 1, pointer), guest.fd_write(1, *guest.iovecs(200, (pointer & 0xFFFFFFFF, 5)), 8),
        guest.fd_read(0, pointer, 1, 8), guest.fd_read(0, 16, 1, pointer), guest.fd_read(0, 16, -1, 8),
        guest.poll_oneoff(pointer, 0, 1, 0), guest.poll_oneoff(100, pointer, 1, 0),
        guest.poll_oneoff(100, 0, 1, pointer)]
    assert calls == [abi.EFAULT] * len(calls)


@pytest.mark.parametrize("name", abi.SIGNATURES)
@pytest.mark.parametrize("argument", [0, 1, 9, -1, 2**31 - 1, -2**31])
def test_no_argument_is_an_exception(guest, name, argument):
    if name == "proc_exit":
        return
    errno = getattr(guest, name)(*[argument] * len(abi.SIGNATURES[name]))
    assert errno in range(77)


# --- polling

def clock_subscription(timeout, clock=abi.CLOCK_MONOTONIC, flags=0, userdata=7):
    return abi.SUBSCRIPTION.pack(userdata, abi.EVENTTYPE_CLOCK, clock, timeout, 0, flags)


def stream_subscription(eventtype, fd, userdata=7):
    return abi.SUBSCRIPTION.pack(userdata, eventtype, fd, 0, 0, 0)


def poll(guest, *subscriptions):
    guest.store(1000, b"".join(subscriptions))
    assert guest.poll_oneoff(1000, 4000, len(subscriptions), 8) == abi.ESUCCESS
    count, = guest.load("<I", 8)
    return [abi.EVENT.unpack_from(memoryview(guest.memory), 4000 + i * abi.EVENT.size) for i in range(count)]


def test_sleep(guest):
    start = time.monotonic()
    assert poll(guest, clock_subscription(20_000_000)) == [(7, 0, abi.EVENTTYPE_CLOCK, 0, 0)]
    assert 0.02 <= time.monotonic() - start < 1


@pytest.mark.parametrize("clock, reader", [(0, time.time_ns), (1, time.monotonic_ns)])
def test_sleep_until(guest, clock, reader):
    deadline = reader() + 20_000_000
    assert len(poll(guest, clock_subscription(deadline, clock, abi.SUBSCRIPTION_CLOCK_ABSTIME))) == 1
    assert reader() >= deadline
    assert len(poll(guest, clock_subscription(0, clock, abi.SUBSCRIPTION_CLOCK_ABSTIME))) == 1


def test_first_of_two_timers(guest):
    events = poll(guest, clock_subscription(2**64 - 1, userdata=1), clock_subscription(1000, userdata=2))
    assert [event[0] for event in events] == [2]


def test_streams_ready(make):
    reader, writer = os.pipe()
    guest = make(stdin=reader, stdout=writer, stderr=io.BytesIO())
    wait = stream_subscription(abi.EVENTTYPE_FD_READ, 0)
    assert poll(guest, wait, clock_subscription(5_000_000, userdata=8)) == [(8, 0, abi.EVENTTYPE_CLOCK, 0, 0)]
    assert poll(guest, wait, stream_subscription(abi.EVENTTYPE_FD_WRITE, 1), stream_subscription(
        abi.EVENTTYPE_FD_WRITE, 2)) == [(7, 0, abi.EVENTTYPE_FD_WRITE, 1, 0)] * 2
    os.write(writer, b"x")
    assert poll(guest, wait, clock_subscription(2**64 - 1)) == [(7, 0, abi.EVENTTYPE_FD_READ, 1, 0)]
    os.close(writer)
    assert poll(guest, wait) == [(7, 0, abi.EVENTTYPE_FD_READ, 1, abi.EVENT_FD_READWRITE_HANGUP)]
    os.close(reader)
    assert poll(guest, wait)[0][1] == abi.EBADF


@pytest.mark.parametrize("subscription, error", [
    (stream_subscription(abi.EVENTTYPE_FD_READ, 9), abi.EBADF),
    (stream_subscription(abi.EVENTTYPE_FD_READ, 1), abi.EBADF),
    (clock_subscription(1, abi.CLOCK_PROCESS_CPUTIME_ID), abi.ENOTSUP), (clock_subscription(1, 77), abi.EINVAL)])
def test_failed_subscriptions(guest, subscription, error):
    event, = poll(guest, subscription, clock_subscription(2**63, userdata=8))
    assert event == (7, error, subscription[8], 0, 0)


def test_nothing_to_poll(guest):
    assert guest.poll_oneoff(0, 0, 0, 0) == abi.EINVAL
    guest.store(1000, abi.SUBSCRIPTION.pack(7, 3, 0, 0, 0, 0))
    assert guest.poll_oneoff(1000, 0, 1, 0) == abi.EINVAL


def test_import_is_lazy():
    heavy = {"re", "enum", "typing", "dataclasses", "argparse", "select"}
    script = "import sys; before = set(sys.modules); import pyjit_wasm.wasi; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True).stdout
    assert "pyjit_wasm.wasi" in loaded and heavy.isdisjoint(loaded.split())
