"""The fd_ calls. Each takes the Guest, then the call's unsigned arguments."""
import time

from . import abi
from .abi import (
    ALL_FDFLAGS, ALL_FSTFLAGS, DIRENT, EBADF, EFAULT, EINVAL, ENAMETOOLONG, ENOTDIR, FDSTAT, FILESTAT, PRESTAT,
    RIGHT_FD_READ, RIGHT_FD_SEEK, RIGHT_FD_TELL, RIGHT_FD_WRITE, U32, U64)
from .calls import Failure
from .guest import buffers, number, span, word

_SIZE_MAX = (1 << 63) - 1   # what the host's offsets can say


def fd_read(guest, fd, iovs, count, nread):
    """Read into `count` iovecs; store the number of bytes at `nread`."""
    view = memoryview(guest.memory)
    if nread + U32.size > len(view):
        raise Failure(EFAULT)
    descriptor = guest.descriptors.with_right(fd, RIGHT_FD_READ)
    U32.pack_into(view, nread, descriptor.read(buffers(view, iovs, count)))


def fd_write(guest, fd, iovs, count, nwritten):
    """Write `count` ciovecs; store the number of bytes at `nwritten`."""
    view = memoryview(guest.memory)
    if nwritten + U32.size > len(view):
        raise Failure(EFAULT)
    descriptor = guest.descriptors.with_right(fd, RIGHT_FD_WRITE)
    U32.pack_into(view, nwritten, descriptor.write(buffers(view, iovs, count)))


def fd_pread(guest, fd, iovs, count, offset, nread):
    """Read at `offset`, leaving the position where it is."""
    view = memoryview(guest.memory)
    result = number(view, nread)
    descriptor = guest.descriptors.with_right(fd, RIGHT_FD_READ | RIGHT_FD_SEEK)
    result[:] = word(descriptor.pread(buffers(view, iovs, count), _size(offset)))


def fd_pwrite(guest, fd, iovs, count, offset, nwritten):
    """Write at `offset`, leaving the position where it is."""
    view = memoryview(guest.memory)
    result = number(view, nwritten)
    descriptor = guest.descriptors.with_right(fd, RIGHT_FD_WRITE | RIGHT_FD_SEEK)
    result[:] = word(descriptor.pwrite(buffers(view, iovs, count), _size(offset)))


def fd_seek(guest, fd, delta, whence, position):
    """Move the position and store it. Without the right to, FD_TELL is enough to stay."""
    result = guest.span(position, U64.size)
    stays = whence == abi.WHENCE_CUR and not delta
    descriptor = _with_tell(guest, fd) if stays else guest.descriptors.with_right(fd, RIGHT_FD_SEEK)
    if whence > abi.WHENCE_END:
        raise Failure(EINVAL)
    result[:] = U64.pack(descriptor.seek(delta, whence))


def fd_tell(guest, fd, position):
    """Store the position."""
    result = guest.span(position, U64.size)
    result[:] = U64.pack(_with_tell(guest, fd).tell())


def _with_tell(guest, fd):
    may_seek = guest.descriptors[fd].rights & RIGHT_FD_SEEK
    return guest.descriptors.with_right(fd, 0 if may_seek else RIGHT_FD_TELL)


def fd_advise(guest, fd, offset, length, advice):
    """Tell the host how a part of the file will be used."""
    descriptor = guest.descriptors.with_right(fd, abi.RIGHT_FD_ADVISE)
    if advice > abi.ADVICE_NOREUSE:
        raise Failure(EINVAL)
    descriptor.advise(_size(offset), _size(length), advice)


def fd_allocate(guest, fd, offset, length):
    """Make sure that there is room for a part of the file, and that it is long enough."""
    descriptor = guest.descriptors.with_right(fd, abi.RIGHT_FD_ALLOCATE)
    if not length:
        raise Failure(EINVAL)
    descriptor.allocate(_size(offset), _size(length))


def fd_sync(guest, fd):
    """Write the file to the disk."""
    guest.descriptors.with_right(fd, abi.RIGHT_FD_SYNC).sync()


def fd_datasync(guest, fd):
    """Write the file's content to the disk."""
    guest.descriptors.with_right(fd, abi.RIGHT_FD_DATASYNC).datasync()


def fd_close(guest, fd):
    """Close the descriptor. A stream or socket of the embedder's stays open on the host."""
    guest.descriptors.remove(fd)


def fd_renumber(guest, fd, to):
    """Move the descriptor `fd` to the number `to`, which must be open and is closed first."""
    guest.descriptors.move(fd, to)


def fd_fdstat_get(guest, fd, stat):
    """Store file type, flags and rights."""
    found = guest.descriptors[fd]
    guest.span(stat, FDSTAT.size)[:] = FDSTAT.pack(found.filetype, found.flags, found.rights, found.inheriting)


def fd_fdstat_set_flags(guest, fd, flags):
    """Set the fdflags; of a file that is open, APPEND and NONBLOCK can be changed."""
    descriptor = guest.descriptors.with_right(fd, abi.RIGHT_FD_FDSTAT_SET_FLAGS)
    if flags & ~ALL_FDFLAGS:
        raise Failure(EINVAL)
    descriptor.set_flags(flags)


def fd_fdstat_set_rights(guest, fd, rights, inheriting):
    """Give up all rights but these. Failure(ENOTCAPABLE) for one that it does not have."""
    guest.descriptors.limit(fd, rights, inheriting)


def fd_filestat_get(guest, fd, stat, layout=FILESTAT):
    """Store the attributes; of a stream only the file type."""
    descriptor = guest.descriptors.with_right(fd, abi.RIGHT_FD_FILESTAT_GET)
    guest.span(stat, layout.size)[:] = layout.pack(*descriptor.stat())


def fd_filestat_set_size(guest, fd, size):
    """Cut the file off or fill it with zeros."""
    guest.descriptors.with_right(fd, abi.RIGHT_FD_FILESTAT_SET_SIZE).set_size(_size(size))


def fd_filestat_set_times(guest, fd, atim, mtim, flags):
    """Set times."""
    descriptor = guest.descriptors.with_right(fd, abi.RIGHT_FD_FILESTAT_SET_TIMES)
    descriptor.set_times(*chosen_times(descriptor.stat(), atim, mtim, flags))


def chosen_times(stat, atim, mtim, flags):
    """The times in ns that fstflags mean for a file with the attributes `stat`. Failure(EINVAL) for flags that are
    unknown or contradict each other."""
    now = time.time_ns()
    if flags & ~ALL_FSTFLAGS:
        raise Failure(EINVAL)
    return (_chosen_time(flags, abi.FSTFLAGS_ATIM, atim, now, stat[5]),
            _chosen_time(flags >> 2, abi.FSTFLAGS_ATIM, mtim, now, stat[6]))


def _chosen_time(flags, given_flag, given, now, kept):
    chosen = flags & 3
    if chosen == 3:
        raise Failure(EINVAL)
    return kept if not chosen else given if chosen == given_flag else now


def fd_prestat_get(guest, fd, stat):
    """Store the kind and the length of the name of a preopened directory."""
    name = guest.descriptors[fd].preopen
    if name is None:
        raise Failure(EBADF)
    guest.span(stat, PRESTAT.size)[:] = PRESTAT.pack(abi.PREOPENTYPE_DIR, len(name))


def fd_prestat_dir_name(guest, fd, path, length):
    """Store the name of a preopened directory."""
    name = guest.descriptors[fd].preopen
    if name is None:
        raise Failure(ENOTDIR)
    if len(name) > length:
        raise Failure(ENAMETOOLONG)
    guest.span(path, len(name))[:] = name


def fd_readdir(guest, fd, buffer, length, cookie, used):
    """Store directory entries, beginning with number `cookie`, as many as there is room for. The last may be cut off;
    then, and only then, all of `length` is used."""
    view = memoryview(guest.memory)
    result, room = number(view, used), span(view, buffer, length)
    entries = guest.descriptors.with_right(fd, abi.RIGHT_FD_READDIR).entries(cookie)
    filled = 0
    for following, (name, ino, filetype) in enumerate(entries, cookie + 1):
        record = (DIRENT.pack(following, ino, len(name), filetype) + name)[:length - filled]
        room[filled:filled + len(record)] = record
        filled += len(record)
        if filled == length:
            break
    result[:] = word(filled)


def _size(size):
    """A filesize that the host has a number for. Failure(EINVAL)."""
    if size > _SIZE_MAX:
        raise Failure(EINVAL)
    return size


CALLS = (
    fd_read, fd_write, fd_pread, fd_pwrite, fd_seek, fd_tell, fd_advise, fd_allocate, fd_sync, fd_datasync, fd_close,
    fd_renumber, fd_fdstat_get, fd_fdstat_set_flags, fd_fdstat_set_rights, fd_filestat_get, fd_filestat_set_size,
    fd_filestat_set_times, fd_prestat_get, fd_prestat_dir_name, fd_readdir)
