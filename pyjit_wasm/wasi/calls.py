"""System calls: from Python functions that raise to host functions that answer an errno."""
import errno
from operator import and_

from . import abi

_MASKS = {"I": 0xFFFF_FFFF, "Q": 0xFFFF_FFFF_FFFF_FFFF, "q": -1}

# the WASI number of every host errno; names are the same, EOPNOTSUPP is ENOTSUP, and EIO stands for the rest
ERRNOS = {number: getattr(abi, name, abi.EIO) for number, name in errno.errorcode.items()}
ERRNOS[errno.EOPNOTSUPP] = abi.ENOTSUP


class Failure(Exception):
    """A system call fails; `.errno` is the WASI error number."""

    def __init__(self, errno):
        super().__init__(errno)
        self.errno = errno


def host_function(function, guest, parameters):
    """The callable a module imports: `function(guest, *arguments)`, its arguments made unsigned as
    `parameters` (codes of `abi.SIGNATURES`) says, answering an errno.

    A Failure and an OSError become their errno; other exceptions pass through.
    """
    masks = tuple([_MASKS[code] for code in parameters])

    def call(*arguments):
        try:
            function(guest, *map(and_, arguments, masks))
        except Failure as failure:
            return failure.errno
        except OSError as error:
            return errno_of(error)
        return abi.ESUCCESS

    return call


def errno_of(error):
    """The WASI number of an OSError."""
    if error.errno is None and isinstance(error, TimeoutError):    # a socket's own timeout
        return abi.ETIMEDOUT
    return ERRNOS.get(error.errno, abi.EIO)
