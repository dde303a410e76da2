"""Open directories, of the host or in memory."""
from . import abi
from .calls import Failure
from .descriptors import Opened


class Directory(Opened):
    """A directory that is open: a folder, and the list of what was in it when the guest began to read it.
    `preopen`: its name if the embedder opened it, else None."""

    __slots__ = ("_folder", "preopen", "_entries")
    filetype, applicable = abi.FILETYPE_DIRECTORY, abi.DIRECTORY_RIGHTS

    def __init__(self, folder, rights=abi.ALL_RIGHTS, inheriting=abi.ALL_RIGHTS, preopen=None):
        super().__init__(rights, inheriting)
        self._folder, self.preopen, self._entries = folder, preopen, None

    @property
    def folder(self):
        return self._folder

    def stat(self):
        return self._folder.stat(b".")

    def set_times(self, atim, mtim):
        if not self._folder.writable:
            raise Failure(abi.EPERM)
        self._folder.set_times(b".", atim, mtim)

    def set_flags(self, flags):
        if flags:
            raise Failure(abi.EINVAL)

    def sync(self):
        self._folder.sync()

    datasync = sync

    def entries(self, cookie):
        """(name, ino, filetype) from number `cookie` on. At 0 the folder is read; later numbers count in what was
        found then, so that what is created or removed meanwhile hides nothing else."""
        if self._entries is None or not cookie:
            ino = self.stat()[1]
            own = [(name, ino, abi.FILETYPE_DIRECTORY) for name in (b".", b"..")]
            self._entries = own + self._folder.entries()
        return self._entries[cookie:]
