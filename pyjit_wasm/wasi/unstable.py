"""`wasi_unstable` (snapshot 0), where it differs from preview 1: layouts, and the numbers of whence."""
from . import descriptor_calls, path_calls
from .abi import EINVAL, UNSTABLE_FILESTAT, UNSTABLE_WHENCE
from .calls import Failure


def fd_seek(guest, fd, delta, whence, position):
    """As in preview 1, with other numbers."""
    if whence >= len(UNSTABLE_WHENCE):
        raise Failure(EINVAL)
    descriptor_calls.fd_seek(guest, fd, delta, UNSTABLE_WHENCE[whence], position)


def fd_filestat_get(guest, fd, stat):
    """As in preview 1, with a count of links of 32 bits."""
    descriptor_calls.fd_filestat_get(guest, fd, stat, UNSTABLE_FILESTAT)


def path_filestat_get(guest, fd, lookupflags, path, length, stat):
    """As in preview 1, with a count of links of 32 bits."""
    path_calls.path_filestat_get(guest, fd, lookupflags, path, length, stat, UNSTABLE_FILESTAT)


def poll_oneoff(guest, subscriptions, events, count, stored):
    """As in preview 1, with another layout of clock subscriptions."""
    from .subscriptions import poll_oneoff as wait, unstable_subscriptions
    wait(guest, subscriptions, events, count, stored, unstable_subscriptions)


CALLS = {call.__name__: call for call in (fd_seek, fd_filestat_get, path_filestat_get, poll_oneoff)}
