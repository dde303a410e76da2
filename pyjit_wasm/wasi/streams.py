"""Streams: standard input, output and error on whatever the embedder gives.

A stream answers as in wasmtime: its file type is CHARACTER_DEVICE if it is a terminal, else UNKNOWN
(wasi-libc takes every character device for a terminal, so that /dev/null would be line buffered),
and it never seeks.
"""
import os

from . import abi
from .calls import Failure
from .descriptors import Descriptor, fails

_PIECE = 1 << 20    # bytes for a Python object at once, so that overlapping buffers do not ask for any amount


class Capture:
    """`CAPTURE` as `stdout` or `stderr` of a Wasi keeps what is written for `Wasi.stdout` or `Wasi.stderr`."""

    __name__ = "CAPTURE"

    def __repr__(self):
        return self.__name__


CAPTURE = Capture()
_INPUT = abi.STREAM_RIGHTS & ~abi.RIGHT_FD_WRITE
_OUTPUT = abi.STREAM_RIGHTS & ~abi.RIGHT_FD_READ


class Stream(Descriptor):
    """What standard streams have in common; `initial` are the rights it starts with."""

    __slots__ = ("rights", "inheriting")
    applicable = abi.STREAM_RIGHTS
    seek = tell = fails(abi.ESPIPE)

    def __init__(self):
        self.rights, self.inheriting = self.initial, 0

    def set_flags(self, flags):
        """Refuse any change: the host's stream is shared with other processes, as O_NONBLOCK would be."""
        if flags:
            raise Failure(abi.ENOTSUP)


class Input(Stream):
    """Standard input."""

    __slots__ = ()
    initial = _INPUT
    pread = fails(abi.ESPIPE)


class Output(Stream):
    """Standard output or error."""

    __slots__ = ()
    initial = _OUTPUT
    pwrite = fails(abi.ESPIPE)


def _filetype(stream):
    return abi.FILETYPE_CHARACTER_DEVICE if os.isatty(stream.fileno) else abi.FILETYPE_UNKNOWN


class HostInput(Input):
    """Standard input from a host descriptor, which stays open when the guest closes its own."""

    __slots__ = ("fileno",)
    filetype, direct = property(_filetype), True

    def __init__(self, fileno):
        super().__init__()
        self.fileno = fileno

    def read(self, buffers):
        return os.readv(self.fileno, buffers)


class HostOutput(Output):
    """Standard output or error to a host descriptor, which stays open when the guest closes its own."""

    __slots__ = ("fileno",)
    filetype, direct = property(_filetype), True

    def __init__(self, fileno):
        super().__init__()
        self.fileno = fileno

    def write(self, buffers):
        return os.writev(self.fileno, buffers)


class PythonInput(Input):
    """Standard input from a callable: `read(size)` gives at most that many bytes, b"" at the end, None if there
    are none yet."""

    __slots__ = ("_read",)

    def __init__(self, read):
        super().__init__()
        self._read = read

    def read(self, buffers):
        size = min(sum(map(len, buffers)), _PIECE)
        if not size:
            return 0
        data = self._read(size)
        if data is None:
            raise Failure(abi.EAGAIN)
        if len(data) > size:
            raise ValueError(f"standard input gave {len(data)} bytes where {size} were asked for")
        start = 0
        for buffer in buffers:
            part = data[start:start + len(buffer)]
            buffer[:len(part)] = part
            start += len(part)
        return len(data)


class PythonOutput(Output):
    """Standard output or error to a callable: `write(data)` is given bytes and returns how many it took, None for
    all."""

    __slots__ = ("_write",)

    def __init__(self, write):
        super().__init__()
        self._write = write

    def write(self, buffers):
        data = b"".join(_pieces(buffers))
        count = self._write(data)
        return len(data) if count is None else count


class CapturedOutput(Output):
    """Standard output or error that is kept in `data`."""

    __slots__ = ("data",)

    def __init__(self):
        super().__init__()
        self.data = bytearray()

    def write(self, buffers):
        before = len(self.data)
        for buffer in _pieces(buffers):
            self.data += buffer
        return len(self.data) - before


def _pieces(buffers):
    """The first buffers, about _PIECE bytes in all unless one is larger."""
    size = 0
    for buffer in buffers:
        yield buffer
        size += len(buffer)
        if size >= _PIECE:
            return


def input_stream(source, inherited):
    """The descriptor for `source`: a host descriptor, bytes, a binary file object, a callable, None for the host
    descriptor `inherited`. Raises TypeError for anything else."""
    if source is None or isinstance(source, int):
        return HostInput(inherited if source is None else _fileno(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        from io import BytesIO
        source = BytesIO(source)
    source = getattr(source, "buffer", source)      # of a text file such as sys.stdin
    read = getattr(source, "read1", None) or getattr(source, "read", source)    # read1: what is at hand
    return PythonInput(_checked(read, source))


def output_stream(sink, inherited):
    """The descriptor for `sink`: a host descriptor, CAPTURE, a binary file object, a callable, None for the host
    descriptor `inherited`; an Output is one. Raises TypeError for anything else."""
    if isinstance(sink, Output):
        return sink
    if sink is None or isinstance(sink, int):
        return HostOutput(inherited if sink is None else _fileno(sink))
    if sink is CAPTURE:
        return CapturedOutput()
    sink = getattr(sink, "buffer", sink)
    return PythonOutput(_checked(getattr(sink, "write", sink), sink))


def _fileno(number):
    if number < 0:
        raise ValueError(f"{number} is no descriptor")
    return number


def _checked(function, stream):
    if not callable(function):
        raise TypeError(f"a standard stream is a descriptor, a binary file or a callable, not {type(stream).__name__}")
    return function
