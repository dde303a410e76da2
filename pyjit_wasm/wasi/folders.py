"""Folders of the host, and the only place where host paths are opened: one component at a time.

A folder is what paths are resolved in. `trees.MemoryFolder` has the same methods. Names are bytes, one component that
is not `..`; no method follows a symbolic link. All raise OSError.
"""
import errno
import os

from . import abi
from .directories import Directory
from .files import FDFLAGS, HostFile, filestat, filetype_of_mode, host_flags

_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY
_OFLAGS = {abi.OFLAGS_CREAT: os.O_CREAT, abi.OFLAGS_DIRECTORY: os.O_DIRECTORY, abi.OFLAGS_TRUNC: os.O_TRUNC,
           abi.OFLAGS_CREAT | abi.OFLAGS_EXCL: os.O_CREAT | os.O_EXCL}
_ACCESS = {0: os.O_RDONLY, abi.RIGHT_FD_READ: os.O_RDONLY, abi.RIGHT_FD_WRITE: os.O_WRONLY,
           abi.RIGHT_FD_READ | abi.RIGHT_FD_WRITE: os.O_RDWR}


def host_folder(path, writable):
    """The HostFolder of a host path that the embedder names. Raises OSError."""
    return HostFolder(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), writable)


class HostFolder:
    """A directory of the host by its descriptor `fileno`, closed when nobody refers to the folder any more. `writable`:
    the guest may change what is in it."""

    __slots__ = ("fileno", "writable")

    def __init__(self, fileno, writable):
        self.fileno, self.writable = fileno, writable

    def __del__(self, close=os.close):
        if hasattr(self, "fileno"):    # an exception may have ended `__init__`
            close(self.fileno)

    def child(self, name):
        """The folder `name`, for looking things up in it; NotADirectoryError for a link too."""
        return HostFolder(os.open(name, os.O_PATH | os.O_DIRECTORY | _OPEN, dir_fd=self.fileno), self.writable)

    def open(self, name, oflags, rights, inheriting, fdflags):
        """The Descriptor of the file or directory `name`, which it may create; ELOOP for a link."""
        access = _ACCESS[rights & (abi.RIGHT_FD_READ | abi.RIGHT_FD_WRITE)]
        flags = _OPEN | access | host_flags(_OFLAGS, oflags) | host_flags(FDFLAGS, fdflags)
        fileno = os.open(name, flags, 0o666, dir_fd=self.fileno)
        file = HostFile(fileno, self.writable, rights, inheriting, fdflags)
        if file.filetype == abi.FILETYPE_DIRECTORY:
            return Directory(HostFolder(file.detach(), self.writable), rights, inheriting)
        return file

    def entries(self):
        """What is in the folder: a list of (name, ino, filetype)."""
        with os.scandir(self.fileno) as found:
            return [(os.fsencode(entry.name), entry.inode(), _filetype(entry)) for entry in found]

    def readlink(self, name):
        """The text of a link; EINVAL for anything else."""
        return os.readlink(name, dir_fd=self.fileno)

    def stat(self, name):
        """The fields of `abi.FILESTAT`."""
        return filestat(os.stat(name, dir_fd=self.fileno, follow_symlinks=False))

    def set_times(self, name, atim, mtim):
        """Set the times, in ns."""
        os.utime(name, ns=(atim, mtim), dir_fd=self.fileno, follow_symlinks=False)

    def mkdir(self, name):
        """Create a directory."""
        os.mkdir(name, dir_fd=self.fileno)

    def rmdir(self, name):
        """Remove an empty directory."""
        os.rmdir(name, dir_fd=self.fileno)

    def unlink(self, name):
        """Remove anything but a directory."""
        os.unlink(name, dir_fd=self.fileno)

    def symlink(self, target, name):
        """Create a link."""
        os.symlink(target, name, dir_fd=self.fileno)

    def link(self, name, folder, new):
        """Make the file known as `new` in the other folder too."""
        os.link(name, new, src_dir_fd=self.fileno, dst_dir_fd=self._beside(folder), follow_symlinks=False)

    def rename(self, name, folder, new):
        """Move it to `new` in the other folder, where it may replace something."""
        os.rename(name, new, src_dir_fd=self.fileno, dst_dir_fd=self._beside(folder))

    def _beside(self, folder):
        if not isinstance(folder, HostFolder):
            raise OSError(errno.EXDEV, "one folder is in memory")
        return folder.fileno

    def sync(self):
        """Write the directory to the disk."""
        os.fsync(self.fileno)


def _filetype(entry):
    if entry.is_symlink():
        return abi.FILETYPE_SYMBOLIC_LINK
    if entry.is_dir(follow_symlinks=False):
        return abi.FILETYPE_DIRECTORY
    if entry.is_file(follow_symlinks=False):
        return abi.FILETYPE_REGULAR_FILE
    try:
        return filetype_of_mode(entry.stat(follow_symlinks=False).st_mode)
    except OSError:     # gone meanwhile
        return abi.FILETYPE_UNKNOWN
