"""The fd_ calls that standard streams support. Each takes the Wasi, then the call's unsigned arguments."""
from .abi import ENOTSUP, FDSTAT, FILESTAT, U32
from .calls import Failure
from .guest import buffers


def fd_read(wasi, fd, iovs, count, nread):
    """Read into `count` iovecs; store the number of bytes at `nread`."""
    view = memoryview(wasi.memory)
    U32.pack_into(view, nread, wasi.descriptors[fd].read(buffers(view, iovs, count)))


def fd_write(wasi, fd, iovs, count, nwritten):
    """Write `count` ciovecs; store the number of bytes at `nwritten`."""
    view = memoryview(wasi.memory)
    U32.pack_into(view, nwritten, wasi.descriptors[fd].write(buffers(view, iovs, count)))


def fd_close(wasi, fd):
    """Forget the descriptor. The host's stream stays open: it is the embedder's."""
    wasi.descriptors[fd]
    del wasi.descriptors[fd]


def fd_renumber(wasi, fd, to):
    """Move the descriptor `fd` to the number `to`, which must be open and is closed first."""
    descriptors = wasi.descriptors
    descriptor, _ = descriptors[fd], descriptors[to]
    del descriptors[fd]
    descriptors[to] = descriptor


def fd_fdstat_get(wasi, fd, stat):
    """Store file type, flags and rights; nothing is inherited, as nothing is opened below a stream."""
    descriptor = wasi.descriptors[fd]
    FDSTAT.pack_into(memoryview(wasi.memory), stat, descriptor.filetype, descriptor.flags, descriptor.rights, 0)


def fd_fdstat_set_flags(wasi, fd, flags):
    """Refuse any change: the host's stream is shared with other processes, as O_NONBLOCK would be."""
    if flags != wasi.descriptors[fd].flags:
        raise Failure(ENOTSUP)


def fd_filestat_get(wasi, fd, stat):
    """Store the file type; a stream has no other attribute."""
    FILESTAT.pack_into(memoryview(wasi.memory), stat, 0, 0, wasi.descriptors[fd].filetype, 0, 0, 0, 0, 0)


CALLS = (fd_read, fd_write, fd_close, fd_renumber, fd_fdstat_get, fd_fdstat_set_flags, fd_filestat_get)
