"""The sock_ calls. Each takes the Guest, then the call's unsigned arguments."""
from .abi import (
    EINVAL, ENOTSOCK, FDFLAGS_NONBLOCK, FILETYPE_SOCKET_DGRAM, FILETYPE_SOCKET_STREAM, RIFLAGS_RECV_PEEK,
    RIFLAGS_RECV_WAITALL, RIGHT_FD_READ, RIGHT_FD_WRITE, RIGHT_SOCK_ACCEPT, RIGHT_SOCK_SHUTDOWN)
from .calls import Failure
from .guest import buffers, number, span, word


def sock_accept(guest, fd, flags, accepted):
    """Wait for a connection and store its descriptor at `accepted`."""
    result = number(memoryview(guest.memory), accepted)
    listening = _socket(guest, fd, RIGHT_SOCK_ACCEPT)
    _check_flags(flags, FDFLAGS_NONBLOCK)
    result[:] = word(guest.descriptors.add(listening.accept(flags)))


def sock_recv(guest, fd, iovs, count, flags, received, roflags):
    """Receive a message into `count` iovecs; store its length and what is to be said about it."""
    view = memoryview(guest.memory)
    result, said = number(view, received), span(view, roflags, 2)
    descriptor = _socket(guest, fd, RIGHT_FD_READ)
    _check_flags(flags, RIFLAGS_RECV_PEEK | RIFLAGS_RECV_WAITALL)
    length, given = descriptor.receive(buffers(view, iovs, count), flags)
    result[:], said[:] = word(length), given.to_bytes(2, "little")


def sock_send(guest, fd, iovs, count, flags, sent):
    """Send `count` ciovecs; store how many bytes were sent. There are no flags."""
    view = memoryview(guest.memory)
    result = number(view, sent)
    descriptor = _socket(guest, fd, RIGHT_FD_WRITE)
    _check_flags(flags, 0)
    result[:] = word(descriptor.send(buffers(view, iovs, count)))


def sock_shutdown(guest, fd, how):
    """Shut down receiving, sending or both."""
    _socket(guest, fd, RIGHT_SOCK_SHUTDOWN).shutdown(how)


def _socket(guest, fd, right):
    if guest.descriptors[fd].filetype not in (FILETYPE_SOCKET_DGRAM, FILETYPE_SOCKET_STREAM):
        raise Failure(ENOTSOCK)
    return guest.descriptors.with_right(fd, right)


def _check_flags(flags, known):
    if flags & ~known:
        raise Failure(EINVAL)


CALLS = (sock_accept, sock_recv, sock_send, sock_shutdown)
