"""Sockets that are given to guests."""
import socket
import threading

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.wasi import abi
from wasi_guests import BUFFER, SCRATCH, PyjitGuest


@pytest.fixture
def pair(mode):
    """A guest with one end of a connection as descriptor 3, and the other end."""
    one, other = socket.socketpair()
    with one, other:
        other.settimeout(10)
        yield PyjitGuest(mode, sockets=[one]), other


@pytest.fixture
def listening(mode):
    """A guest with a listening socket as descriptor 4, and a function that connects to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        guest = PyjitGuest(mode, dirs={"/": {}}, sockets=[server])
        yield guest, lambda: socket.create_connection(server.getsockname(), timeout=10)
        guest.close()


def test_messages(pair):
    guest, other = pair
    other.send(b"hello")
    assert guest.receive(3, 3) == (0, b"hel", 0) and guest.receive(3, 100) == (0, b"lo", 0)
    assert guest.send(3, b"good bye") == (0, 8) and other.recv(100) == b"good bye"
    assert guest.write(3, b"written") == (0, 7) and other.recv(100) == b"written"
    other.send(b"read")
    assert guest.read(3, 100) == (0, b"read")
    other.close()
    assert guest.receive(3, 100) == (0, b"", 0)
    assert guest.send(3, b"x")[0] == abi.EPIPE


def test_several_buffers(pair):
    guest, other = pair
    other.send(b"hello")
    assert guest.sock_recv(3, *guest.iovecs(64, (BUFFER, 2), (BUFFER + 100, 2)), 0, SCRATCH, SCRATCH + 4) == 0
    assert guest.read_bytes(BUFFER, 2) + guest.read_bytes(BUFFER + 100, 2) == b"hell"
    assert guest.sock_send(3, *guest.iovecs(64, (BUFFER, 2), (BUFFER + 100, 2)), 0, SCRATCH) == 0
    assert other.recv(100) == b"hell"


def test_peek_and_wait(pair):
    guest, other = pair
    other.send(b"he")
    assert guest.receive(3, 10, abi.RIFLAGS_RECV_PEEK) == guest.receive(3, 10) == (0, b"he", 0)
    thread = threading.Timer(0.05, other.send, (b"llo",))
    other.send(b"he")
    thread.start()
    assert guest.receive(3, 5, abi.RIFLAGS_RECV_WAITALL) == (0, b"hello", 0)
    thread.join()


def test_truncated_datagram(mode):
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        guest = PyjitGuest(mode, sockets=[one])
        assert guest.fdstat(3)[1][0] == abi.FILETYPE_SOCKET_DGRAM
        other.send(b"a long message")
        assert guest.receive(3, 6) == (0, b"a long", abi.ROFLAGS_RECV_DATA_TRUNCATED)


def test_unknown_flags(pair):
    guest, other = pair
    assert guest.receive(3, 1, 4)[0] == guest.send(3, b"x", 1)[0] == guest.accept(3, 2)[0] == abi.EINVAL
    assert guest.sock_shutdown(3, 0) == guest.sock_shutdown(3, 4) == abi.EINVAL
    assert guest.accept(3)[0] == abi.EINVAL     # not listening


def test_shutdown(pair):
    guest, other = pair
    assert guest.sock_shutdown(3, abi.SDFLAGS_WR) == 0 and other.recv(1) == b""
    assert guest.send(3, b"x")[0] == abi.EPIPE
    assert guest.sock_shutdown(3, abi.SDFLAGS_RD) == 0 and guest.receive(3, 1) == (0, b"", 0)


def test_accept(listening):
    guest, connect = listening
    assert guest.fdstat(4)[1][:2] == (abi.FILETYPE_SOCKET_STREAM, 0)
    for number in (5, 6):
        with connect() as client:
            client.send(b"hello")
            assert guest.accept(4) == (0, number) and guest.receive(number, 100) == (0, b"hello", 0)
            assert guest.send(number, b"welcome") == (0, 7) and client.recv(100) == b"welcome"
    with connect() as client:
        assert guest.fd_close(5) == 0 and guest.accept(4) == (0, 5)
        assert guest.fd_close(5) == 0 and client.recv(1) == b""     # what the guest accepted, it closes
    assert guest.send(4, b"x")[0] == abi.EPIPE and guest.receive(4, 1)[0] == abi.ENOTCONN


def test_not_blocking(listening):
    guest, connect = listening
    assert guest.fd_fdstat_set_flags(4, abi.FDFLAGS_NONBLOCK) == 0 and guest.accept(4)[0] == abi.EAGAIN
    assert guest.fdstat(4)[1][1] == abi.FDFLAGS_NONBLOCK
    with connect():
        assert guest.accept(4, abi.FDFLAGS_NONBLOCK) == (0, 5)
        assert guest.receive(5, 1)[0] == abi.EAGAIN
        assert guest.fd_fdstat_set_flags(5, abi.FDFLAGS_APPEND) == abi.EINVAL
    assert guest.fd_fdstat_set_flags(4, 0) == 0 and guest.fdstat(4)[1][1] == 0


def test_timeout(pair):
    guest, other = pair
    one, _ = socket.socketpair()
    with one, _:
        one.settimeout(0.01)
        assert PyjitGuest(sockets=[one]).receive(3, 1)[0] == abi.ETIMEDOUT


def test_rights(pair):
    guest, other = pair
    assert guest.fd_fdstat_set_rights(3, abi.RIGHT_FD_WRITE, 0) == 0
    assert guest.receive(3, 1)[0] == abi.EBADF
    assert guest.accept(3)[0] == guest.sock_shutdown(3, 1) == guest.filestat(3)[0] == abi.ENOTCAPABLE


def test_no_position(pair):
    guest, other = pair
    assert guest.seek(3, 0, 0)[0] == guest.tell(3)[0] == guest.pread(3, 1, 0)[0] == guest.pwrite(3, b"", 0)[0] == abi.ESPIPE
    assert guest.filestat(3)[1][2] == abi.FILETYPE_SOCKET_STREAM


def test_polling(pair):
    guest, other = pair
    subscriptions = [abi.SUBSCRIPTION.pack(1, abi.EVENTTYPE_FD_READ, 3, 0, 0, 0),
                     abi.SUBSCRIPTION.pack(2, abi.EVENTTYPE_CLOCK, abi.CLOCK_MONOTONIC, 10_000_000, 0, 0)]
    guest.store(BUFFER, b"".join(subscriptions))
    assert guest.poll_oneoff(BUFFER, SCRATCH, 2, 512) == 0
    assert guest.load("<I", 512) == (1,) and guest.load("<Q", SCRATCH) == (2,)
    other.send(b"x")
    assert guest.poll_oneoff(BUFFER, SCRATCH, 1, 512) == 0 and guest.load("<QHB", SCRATCH) == (1, 0, abi.EVENTTYPE_FD_READ)


def test_the_embedders_socket_stays_open(mode):
    one, other = socket.socketpair()
    with one, other:
        with wasm.Wasi(sockets=[one]) as wasi:
            assert len(wasi.descriptors) == 4
        one.send(b"still open")
        assert other.recv(100) == b"still open"
