"""System calls: from Python functions that raise to host functions that answer an errno."""
from operator import and_
from struct import error as StructError

from . import abi

_MASKS = {"I": 0xFFFF_FFFF, "Q": 0xFFFF_FFFF_FFFF_FFFF, "q": -1}


class Failure(Exception):
    """A system call fails; `.errno` is the WASI error number."""

    def __init__(self, errno):
        super().__init__(errno)
        self.errno = errno


def host_function(function, wasi, parameters):
    """The callable a module imports: `function(wasi, *arguments)`, its arguments made unsigned as
    `parameters` (codes of `abi.SIGNATURES`) says, answering an errno.

    An access outside memory, which `struct` and `guest` notice, is EFAULT; an OSError is the errno
    of the same name.
    """
    masks = tuple([_MASKS[code] for code in parameters])

    def call(*arguments):
        try:
            function(wasi, *map(and_, arguments, masks))
        except Failure as failure:
            return failure.errno
        except StructError:
            return abi.EFAULT
        except OSError as error:
            return _errno_of(error)
        return abi.ESUCCESS

    return call


def _errno_of(error):
    """The WASI errno of an OSError; EIO when WASI has none of that name."""
    import errno
    if error.errno == errno.EOPNOTSUPP:     # ENOTSUP elsewhere than on Linux
        return abi.ENOTSUP
    return getattr(abi, errno.errorcode.get(error.errno, "EIO"), abi.EIO)
