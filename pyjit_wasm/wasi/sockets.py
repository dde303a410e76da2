"""Sockets that the embedder gives, and those a guest accepts from them."""
import socket

from . import abi
from .calls import Failure
from .descriptors import Opened, fails

_RIFLAGS = {abi.RIFLAGS_RECV_PEEK: socket.MSG_PEEK, abi.RIFLAGS_RECV_WAITALL: socket.MSG_WAITALL}
_SHUTDOWN = {abi.SDFLAGS_RD: socket.SHUT_RD, abi.SDFLAGS_WR: socket.SHUT_WR,
             abi.SDFLAGS_RD | abi.SDFLAGS_WR: socket.SHUT_RDWR}


class Socket(Opened):
    """A `socket.socket`, listening or connected. `owned`: it is closed with the descriptor, as the guest accepted it.
    The socket's timeout holds for the guest: ETIMEDOUT, or EAGAIN for a socket that does not block."""

    __slots__ = ("_socket", "_owned", "filetype")
    applicable = abi.SOCKET_RIGHTS
    seek = tell = pread = pwrite = fails(abi.ESPIPE)

    def __init__(self, given, owned=False, rights=abi.ALL_RIGHTS):
        super().__init__(rights, abi.SOCKET_RIGHTS, 0 if given.getblocking() else abi.FDFLAGS_NONBLOCK)
        self._socket, self._owned = given, owned
        datagrams = given.type == socket.SOCK_DGRAM
        self.filetype = abi.FILETYPE_SOCKET_DGRAM if datagrams else abi.FILETYPE_SOCKET_STREAM

    @property
    def fileno(self):
        return self._socket.fileno()

    def __del__(self):
        if getattr(self, "_owned", False):
            self._socket.close()

    def read(self, buffers):
        return self._socket.recvmsg_into(buffers)[0]

    def write(self, buffers):
        return self._socket.sendmsg(buffers, (), socket.MSG_NOSIGNAL)

    def set_flags(self, flags):
        if flags & ~abi.FDFLAGS_NONBLOCK:
            raise Failure(abi.EINVAL)
        self._socket.setblocking(not flags)
        self.flags = flags

    def accept(self, flags):
        accepted, _ = self._socket.accept()
        accepted.setblocking(not flags & abi.FDFLAGS_NONBLOCK)
        return Socket(accepted, True, self.inheriting)

    def receive(self, buffers, flags):
        host = sum(bit for flag, bit in _RIFLAGS.items() if flags & flag)
        count, _, given, _ = self._socket.recvmsg_into(buffers, 0, host)
        return count, abi.ROFLAGS_RECV_DATA_TRUNCATED if given & socket.MSG_TRUNC else 0

    def send(self, buffers):
        return self.write(buffers)

    def shutdown(self, how):
        if how not in _SHUTDOWN:
            raise Failure(abi.EINVAL)
        self._socket.shutdown(_SHUTDOWN[how])
