"""What a tree of files in memory is made of."""
import errno
import os
import time

from . import abi

_NODE_SIZE = 1024       # what a file, directory or link counts beside its content


def error(number):
    """The OSError of a host errno."""
    return OSError(number, os.strerror(number))


class Space:
    """How many bytes a tree may have, and how many it has."""

    __slots__ = ("limit", "used", "inodes")

    def __init__(self, limit):
        self.limit, self.used, self.inodes = limit, 0, 0

    def take(self, size):
        """Count `size` bytes more, maybe negative. OSError ENOSPC if there is no room for them."""
        if size > 0 and self.used + size > self.limit:
            raise error(errno.ENOSPC)
        self.used += size


class Node:
    """A file, directory or link: `ino`, `links` to it, and times in ns. It takes from `space` as long as it exists,
    which is until no directory and no descriptor refers to it."""

    __slots__ = ("space", "ino", "links", "atim", "mtim", "ctim")

    def __init__(self, space):
        self.ino = 0
        space.take(_NODE_SIZE)
        space.inodes += 1
        self.space, self.ino, self.links = space, space.inodes, 0
        self.atim = self.mtim = self.ctim = time.time_ns()

    def __del__(self):
        if getattr(self, "ino", 0):
            self.space.take(-self.size - _NODE_SIZE)

    @property
    def size(self):
        """Bytes of content."""
        return 0

    def stat(self):
        """The fields of `abi.FILESTAT`."""
        return 0, self.ino, self.filetype, self.links, self.size, self.atim, self.mtim, self.ctim

    def changed(self):
        """Note that the content has changed now."""
        self.mtim = self.ctim = time.time_ns()


class FileNode(Node):
    """A file and its `data`, a bytearray."""

    __slots__ = ("data",)
    filetype = abi.FILETYPE_REGULAR_FILE

    def __init__(self, space):
        self.data = bytearray()
        super().__init__(space)

    @property
    def size(self):
        return len(self.data)

    def resize(self, size):
        """Cut off or fill with zeros. OSError ENOSPC."""
        missing = size - len(self.data)
        self.space.take(missing)
        if missing < 0:
            del self.data[size:]
        else:
            self.data += bytes(missing)
        self.changed()

    def write(self, position, data):
        """Store bytes at a position, which may be beyond the end. OSError ENOSPC."""
        if not len(data):
            return
        end = position + len(data)
        if end > len(self.data):
            self.resize(end)
        self.data[position:end] = data
        self.changed()


class LinkNode(Node):
    """A symbolic link to `target`, bytes."""

    __slots__ = ("target",)
    filetype = abi.FILETYPE_SYMBOLIC_LINK

    def __init__(self, space, target):
        self.target = target
        super().__init__(space)

    @property
    def size(self):
        return len(self.target)


class FolderNode(Node):
    """A directory and its `entries`, nodes by name."""

    __slots__ = ("entries",)
    filetype = abi.FILETYPE_DIRECTORY

    def __init__(self, space):
        self.entries = {}
        super().__init__(space)

    def put(self, name, node):
        """Give the node a name. OSError ENOENT if the directory has been removed."""
        if not self.links:
            raise error(errno.ENOENT)
        self.entries[name] = node
        node.links += 1
        node.ctim = time.time_ns()
        self.changed()

    def drop(self, name):
        """Take a name away."""
        node = self.entries.pop(name)
        node.links -= 1
        node.ctim = time.time_ns()
        self.changed()

    def contains(self, node):
        """Whether `node` is this directory or below it."""
        left = [self]
        while left:
            folder = left.pop()
            if folder is node:
                return True
            left += [entry for entry in folder.entries.values() if isinstance(entry, FolderNode)]
        return False
