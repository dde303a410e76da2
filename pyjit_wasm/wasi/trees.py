"""Trees of files in memory, as the embedder gives them and as guests open them."""
from __future__ import annotations

import errno
import os

from ..config import WASI_TREE_SIZE
from . import abi
from .directories import Directory
from .paths import PATH_MAX
from .tree_files import MemoryFile
from .tree_nodes import FileNode, FolderNode, LinkNode, Space, error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_NAME_MAX = 255         # bytes, as in most file systems


class MemoryTree:
    """A directory in memory, to be given as a value of `dirs`.

    `contents`: a dict of names (str) to bytes-like objects, to dicts, which are directories, and to pathlib paths,
    which are symbolic links. What guests change is changed in the tree; it may take `limit` bytes. Raises TypeError
    and ValueError for what is no tree of files, OSError if it is larger than the limit.
    """

    def __init__(self, contents: Mapping[str, Any] | None = None, limit: int = WASI_TREE_SIZE) -> None:
        self._root = FolderNode(Space(limit))
        self._root.links = 1
        _fill(self._root, contents or {})

    def contents(self) -> dict[str, Any]:
        """The tree as it is now: a dict as above, with `bytes` for files."""
        return _value(self._root)

    def __getitem__(self, path: str) -> Any:
        """The bytes of a file, or the dict of a directory, by its path such as "a/b". Raises KeyError."""
        node = self._root
        for name in map(os.fsencode, path.split("/")):
            if not isinstance(node, FolderNode) or name not in node.entries:
                raise KeyError(path)
            node = node.entries[name]
        return _value(node)

    def folder(self, writable: bool) -> MemoryFolder:
        """The MemoryFolder of the top."""
        return MemoryFolder(self._root, writable)

    def __repr__(self):
        return f"<MemoryTree: {', '.join(map(os.fsdecode, self._root.entries))}>"


def _fill(folder, contents):
    for name, value in contents.items():
        encoded = os.fsencode(name)
        if encoded in (b"", b".", b"..") or b"/" in encoded or b"\0" in encoded:
            raise ValueError(f"{name!r} cannot be the name of a file")
        folder.put(encoded, _node(folder.space, value))


def _node(space, value):
    if isinstance(value, dict):
        node = FolderNode(space)
        node.links = 1
        _fill(node, value)
        node.links = 0
    elif hasattr(value, "__fspath__"):
        node = LinkNode(space, os.fsencode(value))
    else:
        node = FileNode(space)
        node.write(0, memoryview(value).cast("B"))      # TypeError for what has no bytes
    return node


def _value(node):
    if isinstance(node, FolderNode):
        return {os.fsdecode(name): _value(entry) for name, entry in node.entries.items()}
    if isinstance(node, LinkNode):
        from pathlib import PurePosixPath
        return PurePosixPath(os.fsdecode(node.target))
    return bytes(node.data)


class MemoryFolder:
    """A directory of a tree: the methods of `folders.HostFolder`."""

    __slots__ = ("_node", "writable")

    def __init__(self, node, writable):
        self._node, self.writable = node, writable

    def sync(self):
        """There is no disk."""

    def _find(self, name):
        node = self._node if name == b"." else self._node.entries.get(name)
        if node is None:
            raise error(errno.ENAMETOOLONG if len(name) > _NAME_MAX else errno.ENOENT)
        return node

    def _check_new(self, name):
        if name == b"." or name in self._node.entries:
            raise error(errno.EEXIST)
        if len(name) > _NAME_MAX:
            raise error(errno.ENAMETOOLONG)

    def _create(self, name, make, *arguments):
        self._check_new(name)
        node = make(self._node.space, *arguments)
        self._node.put(name, node)
        return node

    def child(self, name):
        """The folder `name`."""
        node = self._find(name)
        if not isinstance(node, FolderNode):
            raise error(errno.ENOTDIR)
        return MemoryFolder(node, self.writable)

    def open(self, name, oflags, rights, inheriting, fdflags):
        """The Descriptor of the file or directory `name`, which it may create; ELOOP for a link."""
        if oflags & abi.OFLAGS_CREAT:
            if oflags & abi.OFLAGS_EXCL or name != b"." and name not in self._node.entries:
                self._create(name, FileNode)
        node = self._find(name)
        if isinstance(node, LinkNode):
            raise error(errno.ENOTDIR if oflags & abi.OFLAGS_DIRECTORY else errno.ELOOP)
        if isinstance(node, FolderNode):
            if rights & abi.RIGHT_FD_WRITE or oflags & (abi.OFLAGS_TRUNC | abi.OFLAGS_CREAT):
                raise error(errno.EISDIR)
            return Directory(MemoryFolder(node, self.writable), rights, inheriting)
        if oflags & abi.OFLAGS_DIRECTORY:
            raise error(errno.ENOTDIR)
        if oflags & abi.OFLAGS_TRUNC:
            node.resize(0)
        return MemoryFile(node, self.writable, rights, inheriting, fdflags)

    def entries(self):
        """What is in the folder: a list of (name, ino, filetype)."""
        return [(name, node.ino, node.filetype) for name, node in self._node.entries.items()]

    def readlink(self, name):
        """The text of a link; EINVAL for anything else."""
        node = self._find(name)
        if not isinstance(node, LinkNode):
            raise error(errno.EINVAL)
        return node.target

    def stat(self, name):
        """The fields of `abi.FILESTAT`."""
        return self._find(name).stat()

    def set_times(self, name, atim, mtim):
        """Set the times, in ns."""
        node = self._find(name)
        node.atim, node.mtim = atim, mtim

    def mkdir(self, name):
        """Create a directory."""
        self._create(name, FolderNode)

    def rmdir(self, name):
        """Remove an empty directory."""
        node = self._find(name)
        if name == b".":
            raise error(errno.EINVAL)
        if not isinstance(node, FolderNode):
            raise error(errno.ENOTDIR)
        if node.entries:
            raise error(errno.ENOTEMPTY)
        self._node.drop(name)

    def unlink(self, name):
        """Remove anything but a directory."""
        if isinstance(self._find(name), FolderNode):
            raise error(errno.EISDIR)
        self._node.drop(name)

    def symlink(self, target, name):
        """Create a link."""
        if not target or len(target) >= PATH_MAX:
            raise error(errno.ENAMETOOLONG if target else errno.ENOENT)
        self._create(name, LinkNode, target)

    def link(self, name, folder, new):
        """Make the file known as `new` in the other folder too."""
        node = self._find(name)
        self._check_same_tree(folder)
        folder._check_new(new)
        if isinstance(node, FolderNode):
            raise error(errno.EPERM)
        folder._node.put(new, node)

    def rename(self, name, folder, new):
        """Move it to `new` in the other folder, where it may replace something."""
        if b"." in (name, new):
            raise error(errno.EBUSY)
        node = self._find(name)
        self._check_same_tree(folder)
        replaced = folder._node.entries.get(new)
        if replaced is None:
            folder._check_new(new)
        if replaced is node:
            return
        _check_replaceable(node, folder._node, replaced)
        if replaced is not None:
            folder._node.drop(new)
        folder._node.put(new, node)
        self._node.drop(name)

    def _check_same_tree(self, folder):
        if not isinstance(folder, MemoryFolder) or folder._node.space is not self._node.space:
            raise error(errno.EXDEV)


def _check_replaceable(node, folder, replaced):
    """Raise the OSError if `node` cannot be moved into `folder` in the place of `replaced`."""
    if isinstance(node, FolderNode) and node.contains(folder):
        raise error(errno.EINVAL)
    if replaced is None:
        return
    if isinstance(replaced, FolderNode) and not isinstance(node, FolderNode):
        raise error(errno.EISDIR)
    if isinstance(node, FolderNode) and not isinstance(replaced, FolderNode):
        raise error(errno.ENOTDIR)
    if isinstance(replaced, FolderNode) and replaced.entries:
        raise error(errno.ENOTEMPTY)
