"""Paths: resolution inside a folder, component by component, so that nothing outside is ever reached.

No component that is looked up contains a slash, is `..` or is followed when it is a symbolic link. Links are read and
their text takes the place of their name; `..` goes back to the folder that was passed before, and above the first one
there is nothing. Whatever somebody changes meanwhile, each step starts at a folder that was inside.
"""
import errno

from . import abi
from .calls import Failure

PATH_MAX = 4096    # bytes with a NUL, as in Linux
_LINKS_MAX = 40     # links followed in one path, as in Linux


class Resolution:
    """The place that `path` (bytes) leads to from `folder`: `.folder`, and `.name` in it, one component or b".".

    `follow`: whether a link at the end is followed: True, False for only if a slash follows, None for never, which is
    what creates and removes. `.directory`: the path ends with a slash, and so names a directory. Raises
    OSError, and Failure: EPERM for a path that leads out, ENOENT for an empty one, ELOOP, ENAMETOOLONG.
    """

    __slots__ = ("folder", "name", "directory", "_passed", "_left", "_links")

    def __init__(self, folder, path, follow=False):
        self.folder, self.name, self._links = folder, b".", 0
        self._passed = []   # the folders above `folder`
        self.directory, self._left = False, []
        self._push(path)
        self._resolve(follow)

    def check(self):
        """The stat of the place, if the path ends with a slash; None if not. OSError if that is no directory."""
        if not self.directory:
            return None
        found = self.folder.stat(self.name)
        if found[2] != abi.FILETYPE_DIRECTORY:
            raise OSError(errno.ENOTDIR, "not a directory")
        return found

    def _push(self, path):
        if path.startswith(b"/"):
            raise Failure(abi.EPERM)
        if not path:
            raise Failure(abi.ENOENT)
        if len(path) >= PATH_MAX:
            raise Failure(abi.ENAMETOOLONG)
        components = path.split(b"/")
        if not self._left:
            self.directory = self.directory or not components[-1]
            if components[-1] == b".":
                self._left.append(b".")
        self._left += [part for part in reversed(components) if part not in (b"", b".")]

    def _resolve(self, follow):
        while self._left:
            name = self._left.pop()
            if name == b"..":
                if not self._passed:
                    raise Failure(abi.EPERM)
                self.folder = self._passed.pop()
            elif name == b".":
                return
            elif self._left:
                self._enter(name)
            elif not (follow or follow is False and self.directory) or not self._expand(name):
                self.name = name
                return

    def _enter(self, name):
        try:
            child = self.folder.child(name)
        except NotADirectoryError:
            if not self._expand(name):
                raise
            return
        self._passed.append(self.folder)
        self.folder = child

    def _expand(self, name):
        """Put the text of the link `name` in its place; False if there is no link."""
        try:
            target = self.folder.readlink(name)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                return False
            raise
        self._links += 1
        if self._links > _LINKS_MAX:
            raise Failure(abi.ELOOP)
        self._push(target)
        return True
