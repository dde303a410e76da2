"""Every call on every kind of path and descriptor, as functions of a guest: what WASI's implementations are compared on."""
from pyjit_wasm.wasi import abi

READ = abi.ALL_RIGHTS & ~abi.RIGHT_FD_WRITE
PATHS = (
    "", ".", "./", "/", "/file", "//file", "..", "../", "../x", "../rw/file", "./file", "file", "file/", "file/.", "file/..",
    "file/x", "dir", "dir/", "dir/.", "dir/..", "dir/../", "dir/../..", "dir/../../rw", "dir/../file", "dir//inner",
    "dir/inner", "dir/up", "dir/over", "dir/over/canary", "empty", "empty/", "link", "link/", "dirlink", "dirlink/",
    "dirlink/inner", "dirlink/../file", "dirlink/sub/../up", "abs", "out", "outdir", "outdir/", "outdir/canary", "dangling",
    "dangling/", "loop", "loop/", "loop/x", "slash", "slash/inner", "deep", "nope", "nope/", "nope/x", "a\0b", b"\xff",
    "x" * 255, "x" * 256, "d/" * 2100, "é")

# path calls: what is compared is (errno, result)
PATH_CALLS = {
    "open": lambda g, p: _kind(g, g.open(p, rights=READ)),
    "open nofollow": lambda g, p: _kind(g, g.open(p, rights=READ, follow=0)),
    "open to write": lambda g, p: _kind(g, g.open(p)),
    "open directory": lambda g, p: _kind(g, g.open(p, abi.OFLAGS_DIRECTORY, READ)),
    "create": lambda g, p: _kind(g, g.open(p, abi.OFLAGS_CREAT)),
    "create nofollow": lambda g, p: _kind(g, g.open(p, abi.OFLAGS_CREAT, follow=0)),
    "create new": lambda g, p: _kind(g, g.open(p, abi.OFLAGS_CREAT | abi.OFLAGS_EXCL)),
    "truncate": lambda g, p: _kind(g, g.open(p, abi.OFLAGS_TRUNC)),
    "stat": lambda g, p: _comparable(g.stat(p)),
    "lstat": lambda g, p: _comparable(g.stat(p, follow=0)),
    "times": lambda g, p: (g.set_times(p, 5, 6, 5),),
    "times nofollow": lambda g, p: (g.set_times(p, 5, 6, 5, follow=0),),
    "mkdir": lambda g, p: (g.mkdir(p),),
    "rmdir": lambda g, p: (g.rmdir(p),),
    "unlink": lambda g, p: (g.unlink(p),),
    "readlink": lambda g, p: g.readlink(p),
    "symlink": lambda g, p: (g.symlink("target", p),),
    "symlink to": lambda g, p: (g.symlink(p, "new"),),
    "link from": lambda g, p: (g.link(p, "new"),),
    "link to": lambda g, p: (g.link("file", p),),
    "rename from": lambda g, p: (g.rename(p, "new"),),
    "rename directory over": lambda g, p: (g.rename("dir", p),),
    "rename file over": lambda g, p: (g.rename("file", p),),
    "into the other": lambda g, p: (g.rename(p, "new", 3, 4),),
    "out of the other": lambda g, p: (g.rename("file", p, 4, 3),),
}


def _kind(guest, opened):
    """An open file's errno, type and content."""
    errno, fd = opened
    if errno:
        return errno,
    filetype = guest.fdstat(fd)[1][0]
    return errno, filetype, guest.read(fd, 100)[1] if filetype == abi.FILETYPE_REGULAR_FILE else None


def _comparable(answer):
    """A stat without what depends on the file system or the moment: only times that a test has set."""
    errno, stat = answer
    if errno:
        return errno,
    _, _, filetype, links, size, atim, mtim, _ = stat
    attributes = (links, size) if filetype == abi.FILETYPE_REGULAR_FILE else ()
    return errno, filetype, *attributes, *(time for time in (atim, mtim) if time < 1000)


# --- descriptors

OPENED = {
    "stdin": lambda g: 0, "stdout": lambda g: 1, "preopen": lambda g: 3, "other": lambda g: 4, "unknown": lambda g: 99,
    "closed": lambda g: _closed(g), "directory": lambda g: g.open("dir", 2, READ)[1],
    "file": lambda g: g.open("file")[1], "reading": lambda g: g.open("file", rights=READ)[1],
    "writing": lambda g: g.open("file", rights=abi.ALL_RIGHTS & ~abi.RIGHT_FD_READ)[1],
    "appending": lambda g: g.open("file", fdflags=abi.FDFLAGS_APPEND)[1],
    "in the other": lambda g: g.open("file", fd=4, rights=READ)[1],
}


def _closed(guest):
    _, fd = guest.open("file")
    assert guest.fd_close(fd) == 0
    return fd


def _errno(call):
    return lambda guest, fd: (call(guest, fd),)


def _errno_of_first(call):
    return lambda guest, fd: call(guest, fd)[:1]


DESCRIPTOR_CALLS = {
    "read": lambda g, fd: g.read(fd, 3),
    "write": lambda g, fd: (*g.write(fd, b"yy"), g.tell(fd)),
    "pread": lambda g, fd: g.pread(fd, 2, 1),
    "pread beyond": lambda g, fd: g.pread(fd, 2, 100),
    "pread far beyond": lambda g, fd: g.pread(fd, 2, 2**63),
    "pwrite": lambda g, fd: g.pwrite(fd, b"zz", 7),
    "pwrite far beyond": lambda g, fd: g.pwrite(fd, b"zz", 2**63),
    "seek set": lambda g, fd: g.seek(fd, 2, 0),
    "seek cur": lambda g, fd: g.seek(fd, 2, 1),
    "seek end": lambda g, fd: g.seek(fd, -2, 2),
    "seek negative": lambda g, fd: g.seek(fd, -6, 2),
    "seek far": lambda g, fd: g.seek(fd, 2**62, 0),
    "seek unknown": lambda g, fd: g.seek(fd, 0, 3),
    "tell": lambda g, fd: g.tell(fd),
    "advise": _errno(lambda g, fd: g.fd_advise(fd, 1, 2, 3)),
    "advise unknown": _errno(lambda g, fd: g.fd_advise(fd, 1, 2, 6)),
    "advise far": _errno(lambda g, fd: g.fd_advise(fd, 2**63, 2, 1)),
    "allocate": _errno(lambda g, fd: g.fd_allocate(fd, 0, 10)),
    "sync": _errno(lambda g, fd: g.fd_sync(fd)),
    "datasync": _errno(lambda g, fd: g.fd_datasync(fd)),
    "close": lambda g, fd: (g.fd_close(fd), g.fd_close(fd)),
    "renumber": lambda g, fd: (g.fd_renumber(fd, 4), g.fdstat(4)[:1], g.fdstat(fd)[:1]),
    "renumber to": lambda g, fd: (g.fd_renumber(3, fd), g.prestat(fd)),
    "renumber same": _errno(lambda g, fd: g.fd_renumber(fd, fd)),
    "kind": lambda g, fd: _kind_and_flags(g.fdstat(fd)),
    "append": lambda g, fd: (g.fd_fdstat_set_flags(fd, 1), _kind_and_flags(g.fdstat(fd)), g.write(fd, b"!")),
    "no append": lambda g, fd: (g.fd_fdstat_set_flags(fd, 0), g.write(fd, b"!")),
    "nonblock": _errno(lambda g, fd: g.fd_fdstat_set_flags(fd, abi.FDFLAGS_NONBLOCK)),
    "dsync": _errno(lambda g, fd: g.fd_fdstat_set_flags(fd, abi.FDFLAGS_DSYNC)),
    "unknown flag": _errno(lambda g, fd: g.fd_fdstat_set_flags(fd, 32)),
    "rights": _errno(lambda g, fd: g.fd_fdstat_set_rights(fd, 0, 0)),
    "stat": lambda g, fd: _comparable(g.filestat(fd)),
    "shrink": _errno(lambda g, fd: g.fd_filestat_set_size(fd, 2)),
    "extend": _errno(lambda g, fd: g.fd_filestat_set_size(fd, 9)),
    "extend far": _errno(lambda g, fd: g.fd_filestat_set_size(fd, 2**63)),
    "times": lambda g, fd: (g.fd_filestat_set_times(fd, 5, 6, 5), _comparable(g.filestat(fd))),
    "one time": lambda g, fd: (g.fd_filestat_set_times(fd, 5, 6, 4), _comparable(g.filestat(fd))),
    "both times": _errno(lambda g, fd: g.fd_filestat_set_times(fd, 5, 6, 12)),
    "unknown time": _errno(lambda g, fd: g.fd_filestat_set_times(fd, 5, 6, 16)),
    "readdir": lambda g, fd: _names(g.readdir(fd)),
    "readdir from 2": lambda g, fd: _names(g.readdir(fd, cookie=2)),
    "readdir from far": lambda g, fd: _names(g.readdir(fd, cookie=2**63)),
    "prestat": lambda g, fd: g.prestat(fd),
    "long name": _errno(lambda g, fd: g.fd_prestat_dir_name(fd, 0, 100)),
    "short name": _errno(lambda g, fd: g.fd_prestat_dir_name(fd, 0, 1)),
    "open": _errno_of_first(lambda g, fd: g.open("nope", fd=fd, rights=READ)),
    "mkdir": _errno(lambda g, fd: g.mkdir("new", fd)),
    "rmdir": _errno(lambda g, fd: g.rmdir("empty", fd)),
    "unlink": _errno(lambda g, fd: g.unlink("link", fd)),
    "path stat": lambda g, fd: _comparable(g.stat("file", fd)),
    "path times": _errno(lambda g, fd: g.set_times("file", 5, 6, 5, fd)),
    "link": _errno(lambda g, fd: g.link("file", "new", 3, fd)),
    "link from": _errno(lambda g, fd: g.link("file", "new", fd, 3)),
    "link follow": _errno(lambda g, fd: g.link("file", "new", fd, fd, follow=1)),
    "rename": _errno(lambda g, fd: g.rename("file", "new", 3, fd)),
    "rename from": _errno(lambda g, fd: g.rename("file", "new", fd, 3)),
    "symlink": _errno(lambda g, fd: g.symlink("file", "new", fd)),
    "path readlink": lambda g, fd: g.readlink("link", fd),
    "accept": lambda g, fd: g.accept(fd),
    "receive": lambda g, fd: g.receive(fd, 1),
    "send": lambda g, fd: g.send(fd, b"x"),
    "shutdown": _errno(lambda g, fd: g.sock_shutdown(fd, 3)),
}


def _kind_and_flags(answer):
    """The rights are not compared: wasmtime does not keep them."""
    errno, stat = answer
    return (errno, *stat[:2]) if stat else (errno,)


def _names(answer):
    """Directory entries without their order, for which file systems have their own rules."""
    errno, used, entries = answer
    return errno, used, entries and sorted((name, filetype) for _, _, filetype, name in entries)


def some_in(mode, cases, step):
    """All cases in one mode, one in `step` in the others: WASI's own code does not know the mode."""
    return cases if mode == "interp" else cases[::step]
