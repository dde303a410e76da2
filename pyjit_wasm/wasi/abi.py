"""The witx tables of `wasi_snapshot_preview1`: constants, memory layouts and function signatures.

Names and numbers are those of wasi_snapshot_preview1.witx and typenames.witx. Layouts are little
endian `struct.Struct`s whose padding is explicit.
"""
from struct import Struct

# errno, u16; host errno names are the same but for ENOTCAPABLE, which no host has
(ESUCCESS, E2BIG, EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EALREADY, EBADF, EBADMSG,
 EBUSY, ECANCELED, ECHILD, ECONNABORTED, ECONNREFUSED, ECONNRESET, EDEADLK, EDESTADDRREQ, EDOM,
 EDQUOT, EEXIST, EFAULT, EFBIG, EHOSTUNREACH, EIDRM, EILSEQ, EINPROGRESS, EINTR, EINVAL, EIO,
 EISCONN, EISDIR, ELOOP, EMFILE, EMLINK, EMSGSIZE, EMULTIHOP, ENAMETOOLONG, ENETDOWN, ENETRESET,
 ENETUNREACH, ENFILE, ENOBUFS, ENODEV, ENOENT, ENOEXEC, ENOLCK, ENOLINK, ENOMEM, ENOMSG,
 ENOPROTOOPT, ENOSPC, ENOSYS, ENOTCONN, ENOTDIR, ENOTEMPTY, ENOTRECOVERABLE, ENOTSOCK, ENOTSUP,
 ENOTTY, ENXIO, EOVERFLOW, EOWNERDEAD, EPERM, EPIPE, EPROTO, EPROTONOSUPPORT, EPROTOTYPE, ERANGE,
 EROFS, ESPIPE, ESRCH, ESTALE, ETIMEDOUT, ETXTBSY, EXDEV, ENOTCAPABLE) = range(77)

# rights, u64 flags: the two that standard streams have
RIGHT_FD_READ, RIGHT_FD_WRITE = 1 << 1, 1 << 6

# filetype, u8
(FILETYPE_UNKNOWN, FILETYPE_BLOCK_DEVICE, FILETYPE_CHARACTER_DEVICE, FILETYPE_DIRECTORY,
 FILETYPE_REGULAR_FILE, FILETYPE_SOCKET_DGRAM, FILETYPE_SOCKET_STREAM,
 FILETYPE_SYMBOLIC_LINK) = range(8)

# clockid, u32
CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID = range(4)

# eventtype, u8; eventrwflags, u16; subclockflags, u16
EVENTTYPE_CLOCK, EVENTTYPE_FD_READ, EVENTTYPE_FD_WRITE = range(3)
EVENT_FD_READWRITE_HANGUP = 1
SUBSCRIPTION_CLOCK_ABSTIME = 1

U32 = Struct("<I")
U64 = Struct("<Q")
IOVEC = Struct("<II")                   # buf, buf_len
FDSTAT = Struct("<BxH4xQQ")             # fs_filetype, fs_flags, fs_rights_base, fs_rights_inheriting
FILESTAT = Struct("<QQB7xQQQQQ")        # dev, ino, filetype, nlink, size, atim, mtim, ctim (ns)
SUBSCRIPTION = Struct("<QB7xI4xQQH6x")  # userdata, tag, fd or clock id, timeout, precision, flags
EVENT = Struct("<QHB5xQH6x")            # userdata, error, type, nbytes, flags

# Parameters in `struct` codes: I is a u32, Q a u64 and q an s64. All return an errno in an i32 but
# `proc_exit`, which does not return.
SIGNATURES = {
    "args_get": "II", "args_sizes_get": "II", "environ_get": "II", "environ_sizes_get": "II",
    "clock_res_get": "II", "clock_time_get": "IQI",
    "fd_advise": "IQQI", "fd_allocate": "IQQ", "fd_close": "I", "fd_datasync": "I",
    "fd_fdstat_get": "II", "fd_fdstat_set_flags": "II", "fd_fdstat_set_rights": "IQQ",
    "fd_filestat_get": "II", "fd_filestat_set_size": "IQ", "fd_filestat_set_times": "IQQI",
    "fd_pread": "IIIQI", "fd_prestat_get": "II", "fd_prestat_dir_name": "III", "fd_pwrite": "IIIQI",
    "fd_read": "IIII", "fd_readdir": "IIIQI", "fd_renumber": "II", "fd_seek": "IqII", "fd_sync": "I",
    "fd_tell": "II", "fd_write": "IIII",
    "path_create_directory": "III", "path_filestat_get": "IIIII", "path_filestat_set_times": "IIIIQQI",
    "path_link": "IIIIIII", "path_open": "IIIIIQQII", "path_readlink": "IIIIII",
    "path_remove_directory": "III", "path_rename": "IIIIII", "path_symlink": "IIIII",
    "path_unlink_file": "III",
    "poll_oneoff": "IIII", "proc_exit": "I", "proc_raise": "I", "random_get": "II", "sched_yield": "",
    "sock_accept": "III", "sock_recv": "IIIIII", "sock_send": "IIIII", "sock_shutdown": "II",
}

# functions whose layouts or constants differ in `wasi_unstable` (snapshot 0), and one it lacks
UNSTABLE_DIFFERENT = ("fd_filestat_get", "fd_seek", "path_filestat_get", "poll_oneoff")
UNSTABLE_ABSENT = ("sock_accept",)
