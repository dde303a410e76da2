"""Descriptors: the table of open ones, and the streams behind 0, 1 and 2.

A stream answers as in wasmtime: its file type is CHARACTER_DEVICE if it is a terminal, else UNKNOWN
(wasi-libc takes every character device for a terminal, so that /dev/null would be line buffered),
and it never seeks.
"""
import os

from . import abi
from .calls import Failure

_IOV_MAX = 1024     # what Linux takes in one readv or writev; the rest is for the guest's next call


class DescriptorTable(dict):
    """Open descriptors by number. Looking up one that is not open raises Failure(EBADF)."""

    def __missing__(self, fd):
        raise Failure(abi.EBADF)


class Descriptor:
    """What a file descriptor refers to: `filetype`, `flags` (fdflags) and `rights`.

    `fileno` is the host descriptor to poll, None if it is always ready. Guest memory is passed as a
    list of byte views.
    """

    __slots__ = ()
    filetype, flags, rights, fileno = abi.FILETYPE_UNKNOWN, 0, 0, None

    def read(self, buffers):
        """Fill the buffers in order; return how many bytes were read, 0 at the end."""
        raise Failure(abi.EBADF)

    def write(self, buffers):
        """Write the buffers in order; return how many bytes were, maybe not all."""
        raise Failure(abi.EBADF)


class _HostStream(Descriptor):
    """A stream on the host descriptor `fileno`, which stays open when the guest closes its own."""

    __slots__ = ("fileno",)

    def __init__(self, fileno):
        self.fileno = fileno

    @property
    def filetype(self):
        return abi.FILETYPE_CHARACTER_DEVICE if os.isatty(self.fileno) else abi.FILETYPE_UNKNOWN


class HostInput(_HostStream):
    """Standard input from a host descriptor."""

    __slots__ = ()
    rights = abi.RIGHT_FD_READ

    def read(self, buffers):
        return os.readv(self.fileno, buffers[:_IOV_MAX])


class HostOutput(_HostStream):
    """Standard output or error to a host descriptor."""

    __slots__ = ()
    rights = abi.RIGHT_FD_WRITE

    def write(self, buffers):
        if len(buffers) == 1:
            return os.write(self.fileno, buffers[0])
        return os.writev(self.fileno, buffers[:_IOV_MAX])


class FileInput(Descriptor):
    """Standard input from a binary file object; one that has `read1` gives what it has at hand."""

    __slots__ = ("_read",)
    rights = abi.RIGHT_FD_READ

    def __init__(self, file):
        self._read = getattr(file, "read1", file.read)

    def read(self, buffers):
        data = self._read(sum(map(len, buffers)))
        if data is None:
            raise Failure(abi.EAGAIN)
        start = 0
        for buffer in buffers:
            part = data[start:start + len(buffer)]
            buffer[:len(part)] = part
            start += len(part)
        return len(data)


class FileOutput(Descriptor):
    """Standard output or error to a binary file object: its `write` is given bytes and returns how
    many it took, None for all."""

    __slots__ = ("_write",)
    rights = abi.RIGHT_FD_WRITE

    def __init__(self, file):
        self._write = file.write

    def write(self, buffers):
        data = b"".join(buffers)
        count = self._write(data)
        return len(data) if count is None else count


def input_stream(source):
    """The descriptor for `source`: a host descriptor, bytes or a binary file object."""
    if isinstance(source, int):
        return HostInput(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        from io import BytesIO
        source = BytesIO(source)
    return FileInput(source)


def output_stream(sink):
    """The descriptor for `sink`: a host descriptor or a binary file object."""
    return HostOutput(sink) if isinstance(sink, int) else FileOutput(sink)
