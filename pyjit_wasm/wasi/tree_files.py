"""Open files of a tree in memory."""
from . import abi
from .calls import Failure
from .descriptors import Opened
from .files import CHANGEABLE


class MemoryFile(Opened):
    """A file of a tree that is open, and the position in it."""

    __slots__ = ("_node", "_position", "_writable")
    filetype, applicable = abi.FILETYPE_REGULAR_FILE, abi.FILE_RIGHTS

    def __init__(self, node, writable, rights, inheriting, flags):
        super().__init__(rights, inheriting, flags)
        self._node, self._position, self._writable = node, 0, writable

    @property
    def folder(self):
        raise Failure(abi.ENOTDIR)

    def read(self, buffers):
        count = self.pread(buffers, self._position)
        self._position += count
        return count

    def write(self, buffers):
        if self.flags & abi.FDFLAGS_APPEND:
            self._position = self._node.size
        count = self.pwrite(buffers, self._position)
        self._position += count
        return count

    def pread(self, buffers, offset):
        position = offset
        for buffer in buffers:
            part = self._node.data[position:position + len(buffer)]
            buffer[:len(part)] = part
            position += len(part)
        return position - offset

    def pwrite(self, buffers, offset):
        position = self._node.size if self.flags & abi.FDFLAGS_APPEND else offset
        start = position
        for buffer in buffers:
            try:
                self._node.write(position, buffer)
            except OSError:
                if position == start:
                    raise
                break
            position += len(buffer)
        return position - start

    def seek(self, delta, whence):
        base = {abi.WHENCE_SET: 0, abi.WHENCE_CUR: self._position, abi.WHENCE_END: self._node.size}[whence]
        if not 0 <= base + delta < 1 << 63:
            raise Failure(abi.EINVAL)
        self._position = base + delta
        return self._position

    def tell(self):
        return self._position

    def advise(self, offset, length, advice):
        """Advice does not matter here."""

    def allocate(self, offset, length):
        if not self.rights & abi.RIGHT_FD_WRITE:
            raise Failure(abi.EBADF)
        if offset + length > self._node.size:
            self._node.resize(offset + length)

    def sync(self):
        """There is no disk."""

    datasync = sync

    def set_size(self, size):
        if not self._writable:
            raise Failure(abi.EPERM)
        if not self.rights & abi.RIGHT_FD_WRITE:
            raise Failure(abi.EINVAL)
        self._node.resize(size)

    def stat(self):
        return self._node.stat()

    def set_times(self, atim, mtim):
        if not self._writable:
            raise Failure(abi.EPERM)
        self._node.atim, self._node.mtim = atim, mtim

    def set_flags(self, flags):
        if (flags ^ self.flags) & ~CHANGEABLE:
            raise Failure(abi.EINVAL)
        self.flags = flags

    def available(self):
        return max(self._node.size - self._position, 0)
