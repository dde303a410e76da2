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

# rights, u64 flags
(RIGHT_FD_DATASYNC, RIGHT_FD_READ, RIGHT_FD_SEEK, RIGHT_FD_FDSTAT_SET_FLAGS, RIGHT_FD_SYNC, RIGHT_FD_TELL,
 RIGHT_FD_WRITE, RIGHT_FD_ADVISE, RIGHT_FD_ALLOCATE, RIGHT_PATH_CREATE_DIRECTORY, RIGHT_PATH_CREATE_FILE,
 RIGHT_PATH_LINK_SOURCE, RIGHT_PATH_LINK_TARGET, RIGHT_PATH_OPEN, RIGHT_FD_READDIR, RIGHT_PATH_READLINK,
 RIGHT_PATH_RENAME_SOURCE, RIGHT_PATH_RENAME_TARGET, RIGHT_PATH_FILESTAT_GET, RIGHT_PATH_FILESTAT_SET_SIZE,
 RIGHT_PATH_FILESTAT_SET_TIMES, RIGHT_FD_FILESTAT_GET, RIGHT_FD_FILESTAT_SET_SIZE, RIGHT_FD_FILESTAT_SET_TIMES,
 RIGHT_PATH_SYMLINK, RIGHT_PATH_REMOVE_DIRECTORY, RIGHT_PATH_UNLINK_FILE, RIGHT_POLL_FD_READWRITE,
 RIGHT_SOCK_SHUTDOWN, RIGHT_SOCK_ACCEPT) = [1 << bit for bit in range(30)]
ALL_RIGHTS = (1 << 30) - 1

# the rights that apply to each kind of descriptor
STREAM_RIGHTS = (
    RIGHT_FD_READ | RIGHT_FD_WRITE | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET | RIGHT_POLL_FD_READWRITE)
SOCKET_RIGHTS = STREAM_RIGHTS | RIGHT_SOCK_SHUTDOWN | RIGHT_SOCK_ACCEPT
FILE_RIGHTS = (
    STREAM_RIGHTS | RIGHT_FD_DATASYNC | RIGHT_FD_SEEK | RIGHT_FD_SYNC | RIGHT_FD_TELL | RIGHT_FD_ADVISE
    | RIGHT_FD_ALLOCATE | RIGHT_FD_FILESTAT_SET_SIZE | RIGHT_FD_FILESTAT_SET_TIMES)
DIRECTORY_RIGHTS = (
    RIGHT_FD_DATASYNC | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_SYNC | RIGHT_PATH_CREATE_DIRECTORY
    | RIGHT_PATH_CREATE_FILE | RIGHT_PATH_LINK_SOURCE | RIGHT_PATH_LINK_TARGET | RIGHT_PATH_OPEN | RIGHT_FD_READDIR
    | RIGHT_PATH_READLINK | RIGHT_PATH_RENAME_SOURCE | RIGHT_PATH_RENAME_TARGET | RIGHT_PATH_FILESTAT_GET
    | RIGHT_PATH_FILESTAT_SET_SIZE | RIGHT_PATH_FILESTAT_SET_TIMES | RIGHT_FD_FILESTAT_GET
    | RIGHT_FD_FILESTAT_SET_TIMES | RIGHT_PATH_SYMLINK | RIGHT_PATH_REMOVE_DIRECTORY | RIGHT_PATH_UNLINK_FILE)

# filetype, u8
(FILETYPE_UNKNOWN, FILETYPE_BLOCK_DEVICE, FILETYPE_CHARACTER_DEVICE, FILETYPE_DIRECTORY,
 FILETYPE_REGULAR_FILE, FILETYPE_SOCKET_DGRAM, FILETYPE_SOCKET_STREAM,
 FILETYPE_SYMBOLIC_LINK) = range(8)

# fdflags, u16; oflags, u16; lookupflags, u32; fstflags, u16
FDFLAGS_APPEND, FDFLAGS_DSYNC, FDFLAGS_NONBLOCK, FDFLAGS_RSYNC, FDFLAGS_SYNC = [1 << bit for bit in range(5)]
OFLAGS_CREAT, OFLAGS_DIRECTORY, OFLAGS_EXCL, OFLAGS_TRUNC = [1 << bit for bit in range(4)]
LOOKUP_SYMLINK_FOLLOW = 1
FSTFLAGS_ATIM, FSTFLAGS_ATIM_NOW, FSTFLAGS_MTIM, FSTFLAGS_MTIM_NOW = [1 << bit for bit in range(4)]
ALL_FDFLAGS, ALL_OFLAGS, ALL_FSTFLAGS = 31, 15, 15

# whence, u8, and its numbers in `wasi_unstable`; advice, u8
WHENCE_SET, WHENCE_CUR, WHENCE_END = range(3)
UNSTABLE_WHENCE = (WHENCE_CUR, WHENCE_END, WHENCE_SET)
(ADVICE_NORMAL, ADVICE_SEQUENTIAL, ADVICE_RANDOM, ADVICE_WILLNEED, ADVICE_DONTNEED, ADVICE_NOREUSE) = range(6)

# preopentype, u8
PREOPENTYPE_DIR = 0

# riflags, u16; roflags, u16; sdflags, u8
RIFLAGS_RECV_PEEK, RIFLAGS_RECV_WAITALL = 1, 2
ROFLAGS_RECV_DATA_TRUNCATED = 1
SDFLAGS_RD, SDFLAGS_WR = 1, 2

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
PRESTAT = Struct("<B3xI")               # preopentype, pr_name_len
DIRENT = Struct("<QQIB3x")              # d_next, d_ino, d_namlen, d_type
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

# what differs in `wasi_unstable` (snapshot 0): two layouts, the numbers of whence, and a function it lacks
UNSTABLE_FILESTAT = Struct("<QQB3xIQQQQ")
UNSTABLE_SUBSCRIPTION = Struct("<QB7xI4xI4xQQH6x")  # userdata, tag, fd or identifier, clock id, timeout, ...
UNSTABLE_ABSENT = ("sock_accept",)
