"""Calls that only answer an errno, as no descriptor is a file, a directory or a socket.

The errnos are wasmtime's for standard streams.
"""
from .abi import EBADF, ENOTDIR, ENOTSOCK, ENOTSUP, ESPIPE
from .calls import Failure

# calls that need a file or a directory
_EBADF = (
    "fd_advise", "fd_allocate", "fd_datasync", "fd_fdstat_set_rights", "fd_filestat_set_size",
    "fd_filestat_set_times", "fd_prestat_get", "fd_readdir", "fd_sync", "path_create_directory",
    "path_filestat_get", "path_filestat_set_times", "path_link", "path_open", "path_readlink",
    "path_remove_directory", "path_rename", "path_symlink", "path_unlink_file")

# calls on a descriptor of the wrong kind: the errno if it is open, else EBADF
_OF_STREAM = {
    "fd_pread": ESPIPE, "fd_pwrite": ESPIPE, "fd_seek": ESPIPE, "fd_tell": ESPIPE,
    "fd_prestat_dir_name": ENOTDIR,
    "sock_accept": ENOTSOCK, "sock_recv": ENOTSOCK, "sock_send": ENOTSOCK, "sock_shutdown": ENOTSOCK}


def refusal(errno):
    """A call that always fails with `errno`."""
    def call(wasi, *arguments):
        raise Failure(errno)
    return call


def _stream_refusal(errno):
    def call(wasi, fd, *arguments):
        wasi.descriptors[fd]
        raise Failure(errno)
    return call


CALLS = dict.fromkeys(_EBADF, refusal(EBADF)) | {"proc_raise": refusal(ENOTSUP)}
CALLS |= {name: _stream_refusal(errno) for name, errno in _OF_STREAM.items()}
