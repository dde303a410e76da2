"""Descriptors: the table of open ones, and what they have in common.

A descriptor has the rights that it was opened with and that the guest has not given up. Calls that make no sense for
its kind fail with the errno that wasmtime answers, before rights are looked at. A descriptor is closed by forgetting it.
"""
from ..config import WASI_DESCRIPTORS, WASI_DIRECT
from . import abi
from .calls import Failure

_DIRECTIONS = abi.RIGHT_FD_READ | abi.RIGHT_FD_WRITE


class DescriptorTable(dict):
    """Open descriptors by number. Looking up one that is not open raises Failure(EBADF). What generated code may read and
    write without asking (`direct`) is kept in step here and nowhere else, so all changes go through these methods."""

    def __init__(self):
        self._lowest = 0    # no number below is free
        self._direct = None

    def __missing__(self, fd):
        raise Failure(abi.EBADF)

    def with_right(self, fd, rights):
        """The descriptor `fd`, which must have all `rights` that apply to its kind. Raises Failure: EBADF if it is
        not open or does not read or write, else ENOTCAPABLE."""
        descriptor = self[fd]
        missing = rights & ~descriptor.rights & descriptor.applicable
        if missing:
            raise Failure(abi.EBADF if missing & _DIRECTIONS else abi.ENOTCAPABLE)
        return descriptor

    def add(self, descriptor):
        """Give the descriptor the lowest free number and return it. Raises Failure(EMFILE) if there are too many."""
        if len(self) >= WASI_DESCRIPTORS:
            raise Failure(abi.EMFILE)
        fd = self._lowest
        while self.setdefault(fd, descriptor) is not descriptor:    # another thread may add one too
            fd += 1
        self._lowest = fd + 1
        self._show(fd)
        return fd

    def remove(self, fd):
        """Forget the descriptor `fd`. Raises Failure(EBADF)."""
        if self.pop(fd, None) is None:
            raise Failure(abi.EBADF)
        self._show(fd)
        self._lowest = min(self._lowest, fd)

    def move(self, fd, to):
        """Give the descriptor `fd` the number `to`, of one that is open and is closed. Raises Failure(EBADF)."""
        descriptor, _ = self[fd], self[to]
        if fd != to:
            self.remove(fd)
            self[to] = descriptor
            self._show(to)

    def limit(self, fd, rights, inheriting):
        """Give up all rights of `fd` but these. Raises Failure: EBADF, ENOTCAPABLE for one that it does not have."""
        descriptor = self[fd]
        if rights & ~descriptor.rights or inheriting & ~descriptor.inheriting:
            raise Failure(abi.ENOTCAPABLE)
        descriptor.rights, descriptor.inheriting = rights, inheriting
        for number, other in list(self.items()):
            if other is descriptor:
                self._show(number)

    def clear(self):
        """Forget all."""
        numbers = list(self)
        super().clear()
        for fd in numbers:
            self._show(fd)

    def direct(self):
        """The address of what generated code reads and writes, a Lease, made when it is first wanted."""
        if self._direct is None:
            from ..codegen import native
            from .direct import DirectDescriptors
            with native.loading:
                if self._direct is None:
                    self._direct = DirectDescriptors()
            for fd in list(self):
                self._show(fd)
        return self._direct.address

    def _show(self, fd):
        """Let generated code know what the descriptor `fd` is now. Other threads may be changing it meanwhile: each looks
        again when it is done."""
        if self._direct is None or fd >= WASI_DIRECT:
            return
        from .direct import access
        shown = ()
        while shown != (wanted := access(self.get(fd))):
            self._direct.expose(fd, wanted)
            shown = wanted


def fails(errno):
    """A method that always raises Failure(errno)."""
    def fail(self, *arguments):
        raise Failure(errno)
    return fail


class Descriptor:
    """What a file descriptor refers to: `filetype`, `flags` (fdflags), `rights` and `inheriting`. `applicable` are
    the rights that make sense for its kind.

    `fileno` is the host descriptor to poll, None if it is always ready. `direct`: whether `read` and `write` are nothing but
    `readv` and `writev` of it, and raise EBADF without the right. `preopen` is the name of a preopened
    directory, bytes. Guest memory is passed as a list of byte views; `read` and `write` return how many bytes were
    read, 0 at the end, or written, maybe not all.
    """

    __slots__ = ()
    filetype, flags, rights, inheriting, applicable = abi.FILETYPE_UNKNOWN, 0, 0, 0, 0
    fileno = preopen = None
    direct = False

    read = write = pread = pwrite = seek = tell = fails(abi.EBADF)
    advise = allocate = sync = datasync = set_size = set_times = set_flags = entries = fails(abi.EBADF)

    @property
    def folder(self):
        """The folder that paths start at. Failure(EBADF) if it is no directory."""
        raise Failure(abi.EBADF)

    def stat(self):
        """The fields of `abi.FILESTAT`."""
        return 0, 0, self.filetype, 0, 0, 0, 0, 0

    def available(self):
        """How many bytes can be read or written at once, for a poll; 1 if that is not known, as in wasmtime."""
        return 1


class Opened(Descriptor):
    """A descriptor that the guest got by a call, with rights of its own."""

    __slots__ = ("rights", "inheriting", "flags")

    def __init__(self, rights, inheriting, flags=0):
        self.rights, self.inheriting, self.flags = rights & self.applicable, inheriting, flags
