"""Open files of the host."""
import fcntl
import os
import stat

from . import abi
from .calls import Failure
from .descriptors import Opened

_FILETYPES = {
    stat.S_IFREG: abi.FILETYPE_REGULAR_FILE, stat.S_IFDIR: abi.FILETYPE_DIRECTORY,
    stat.S_IFLNK: abi.FILETYPE_SYMBOLIC_LINK, stat.S_IFCHR: abi.FILETYPE_CHARACTER_DEVICE,
    stat.S_IFBLK: abi.FILETYPE_BLOCK_DEVICE, stat.S_IFSOCK: abi.FILETYPE_SOCKET_STREAM}
FDFLAGS = {abi.FDFLAGS_APPEND: os.O_APPEND, abi.FDFLAGS_DSYNC: os.O_DSYNC, abi.FDFLAGS_NONBLOCK: os.O_NONBLOCK,
           abi.FDFLAGS_RSYNC: os.O_RSYNC, abi.FDFLAGS_SYNC: os.O_SYNC}
CHANGEABLE = abi.FDFLAGS_APPEND | abi.FDFLAGS_NONBLOCK      # fdflags of a file that is open
WHENCE = {abi.WHENCE_SET: os.SEEK_SET, abi.WHENCE_CUR: os.SEEK_CUR, abi.WHENCE_END: os.SEEK_END}
ADVICE = {
    abi.ADVICE_NORMAL: os.POSIX_FADV_NORMAL, abi.ADVICE_SEQUENTIAL: os.POSIX_FADV_SEQUENTIAL,
    abi.ADVICE_RANDOM: os.POSIX_FADV_RANDOM, abi.ADVICE_WILLNEED: os.POSIX_FADV_WILLNEED,
    abi.ADVICE_DONTNEED: os.POSIX_FADV_DONTNEED, abi.ADVICE_NOREUSE: os.POSIX_FADV_NOREUSE}


def host_flags(table, flags):
    """The host's flags for WASI `flags`, of which `table` has the meanings."""
    result = 0
    for flag, host in table.items():
        if flags & flag == flag:
            result |= host
    return result


def filetype_of_mode(mode):
    """The filetype that the host's mode says; UNKNOWN for a pipe, as WASI has no such type."""
    return _FILETYPES.get(stat.S_IFMT(mode), abi.FILETYPE_UNKNOWN)


def filestat(found):
    """The fields of `abi.FILESTAT` of an os.stat_result."""
    return (found.st_dev, found.st_ino, filetype_of_mode(found.st_mode), found.st_nlink, found.st_size,
            max(found.st_atime_ns, 0), max(found.st_mtime_ns, 0), max(found.st_ctime_ns, 0))


class HostFile(Opened):
    """A file of the host by its descriptor `fileno`. That is closed when nobody refers to the file any more: not before
    a call that another thread is in the middle of has ended, as the number may be another file's then. `writable`: the
    guest may change the times and the size."""

    __slots__ = ("fileno", "writable", "filetype")
    applicable, direct = abi.FILE_RIGHTS, True

    def __init__(self, fileno, writable, rights, inheriting, flags):
        super().__init__(rights, inheriting, flags)
        self.fileno, self.writable = fileno, writable
        self.filetype = filetype_of_mode(os.fstat(fileno).st_mode)

    @property
    def folder(self):
        raise Failure(abi.ENOTDIR)

    def __del__(self, close=os.close):
        if getattr(self, "fileno", None) is not None:
            close(self.fileno)

    def detach(self):
        """The host descriptor, which is the caller's now."""
        fileno, self.fileno = self.fileno, None
        return fileno

    def read(self, buffers):
        return os.readv(self.fileno, buffers)

    def write(self, buffers):
        return os.writev(self.fileno, buffers)

    def pread(self, buffers, offset):
        return os.preadv(self.fileno, buffers, offset)

    def pwrite(self, buffers, offset):
        return os.pwritev(self.fileno, buffers, offset)

    def seek(self, delta, whence):
        return os.lseek(self.fileno, delta, WHENCE[whence])

    def tell(self):
        return os.lseek(self.fileno, 0, os.SEEK_CUR)

    def advise(self, offset, length, advice):
        os.posix_fadvise(self.fileno, offset, length, ADVICE[advice])

    def allocate(self, offset, length):
        os.posix_fallocate(self.fileno, offset, length)

    def sync(self):
        os.fsync(self.fileno)

    def datasync(self):
        os.fdatasync(self.fileno)

    def set_size(self, size):
        self._check_writable()
        os.ftruncate(self.fileno, size)

    def stat(self):
        return filestat(os.fstat(self.fileno))

    def set_times(self, atim, mtim):
        self._check_writable()
        os.utime(self.fileno, ns=(atim, mtim))

    def set_flags(self, flags):
        if (flags ^ self.flags) & ~CHANGEABLE:
            raise Failure(abi.EINVAL)
        kept = fcntl.fcntl(self.fileno, fcntl.F_GETFL) & ~(os.O_APPEND | os.O_NONBLOCK)
        fcntl.fcntl(self.fileno, fcntl.F_SETFL, kept | host_flags(FDFLAGS, flags & CHANGEABLE))
        self.flags = flags

    def available(self):
        if self.filetype != abi.FILETYPE_REGULAR_FILE:
            return super().available()
        return max(self.stat()[4] - self.tell(), 0)

    def _check_writable(self):
        if not self.writable:
            raise Failure(abi.EPERM)
