"""What the comparisons with wasmtime leave out: rights, flags that wasmtime has not, directories that change, and what
is different in `wasi_unstable`."""
import os
import struct
import time
from pathlib import PurePosixPath

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.wasi import abi
from wasi_guests import BUFFER, SCRATCH, PyjitGuest

READ = abi.ALL_RIGHTS & ~abi.RIGHT_FD_WRITE
DIRECTORY = abi.OFLAGS_DIRECTORY


@pytest.fixture(params=["host", "memory"])
def guest(mode, request, tmp_path):
    """A guest with the same files on the host or in memory."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_bytes(b"hello")
    (tmp_path / "dir" / "inner").write_bytes(b"")
    os.symlink("file", tmp_path / "link")
    tree = {"dir": {"inner": b""}, "file": b"hello", "link": PurePosixPath("file")}
    guest = PyjitGuest(mode, dirs={"/": tmp_path if request.param == "host" else tree}, stdin=b"", stdout=wasm.CAPTURE)
    yield guest
    guest.close()


# the right each call needs, and the call on a file (5) or on the directory (3)
NEEDED = {
    "FD_DATASYNC": lambda g: g.fd_datasync(5), "FD_SEEK": lambda g: g.seek(5, 0, 0)[0],
    "FD_FDSTAT_SET_FLAGS": lambda g: g.fd_fdstat_set_flags(5, 1), "FD_SYNC": lambda g: g.fd_sync(5),
    "FD_ADVISE": lambda g: g.fd_advise(5, 0, 0, 0), "FD_ALLOCATE": lambda g: g.fd_allocate(5, 0, 1),
    "FD_FILESTAT_GET": lambda g: g.filestat(5)[0], "FD_FILESTAT_SET_SIZE": lambda g: g.fd_filestat_set_size(5, 1),
    "FD_FILESTAT_SET_TIMES": lambda g: g.fd_filestat_set_times(5, 0, 0, 5),
    "POLL_FD_READWRITE": lambda g: poll(g, 5, abi.EVENTTYPE_FD_READ),
    "PATH_CREATE_DIRECTORY": lambda g: g.mkdir("new"),
    "PATH_CREATE_FILE": lambda g: g.open("new", abi.OFLAGS_CREAT, inheriting=0)[0],
    "PATH_LINK_SOURCE": lambda g: g.link("file", "new", 3, 4), "PATH_LINK_TARGET": lambda g: g.link("file", "new", 4, 3),
    "PATH_OPEN": lambda g: g.open("file", inheriting=0)[0], "FD_READDIR": lambda g: g.readdir()[0],
    "PATH_READLINK": lambda g: g.readlink("link")[0], "PATH_RENAME_SOURCE": lambda g: g.rename("file", "new", 3, 4),
    "PATH_RENAME_TARGET": lambda g: g.rename("file", "new", 4, 3), "PATH_FILESTAT_GET": lambda g: g.stat("file")[0],
    "PATH_FILESTAT_SET_SIZE": lambda g: g.open("file", abi.OFLAGS_TRUNC, inheriting=0)[0],
    "PATH_FILESTAT_SET_TIMES": lambda g: g.set_times("file", 0, 0, 5), "PATH_SYMLINK": lambda g: g.symlink("x", "new"),
    "PATH_REMOVE_DIRECTORY": lambda g: g.rmdir("dir"), "PATH_UNLINK_FILE": lambda g: g.unlink("file"),
    "FD_READ": lambda g: g.read(5)[0], "FD_WRITE": lambda g: g.write(5, b"x")[0],
}


def poll(guest, fd, eventtype):
    guest.store(BUFFER, abi.SUBSCRIPTION.pack(7, eventtype, fd, 0, 0, 0))
    assert guest.poll_oneoff(BUFFER, SCRATCH, 1, SCRATCH + 64) == abi.ESUCCESS
    return guest.load("<H", SCRATCH + 8)[0]


@pytest.mark.parametrize("right", NEEDED)
def test_rights(guest, right):
    """A call fails without its right, and works with it and without all others that it does not need."""
    bit = getattr(abi, "RIGHT_" + right)
    assert guest.open(".", DIRECTORY, READ) == (0, 4) and guest.open("file") == (0, 5)
    for fd in (3, 5):
        _, (_, _, rights, inheriting) = guest.fdstat(fd)
        assert guest.fd_fdstat_set_rights(fd, rights & ~bit, inheriting) == 0
    refused = NEEDED[right](guest)
    assert refused == (abi.EBADF if right in ("FD_READ", "FD_WRITE") else abi.ENOTCAPABLE)
    assert guest.fd_fdstat_set_rights(3, abi.ALL_RIGHTS, abi.ALL_RIGHTS) == abi.ENOTCAPABLE
    assert guest.open("file") == (0, 6) if bit & guest.fdstat(3)[1][2] else True


@pytest.mark.parametrize("right", NEEDED)
def test_rights_that_are_enough(guest, right):
    bits = getattr(abi, "RIGHT_" + right)
    if right in ("PATH_CREATE_FILE", "PATH_FILESTAT_SET_SIZE"):
        bits |= abi.RIGHT_PATH_OPEN
    if right == "POLL_FD_READWRITE":
        bits |= abi.RIGHT_FD_READ
    if right in ("FD_ALLOCATE", "FD_FILESTAT_SET_SIZE"):
        bits |= abi.RIGHT_FD_WRITE      # what the host wants
    assert guest.open(".", DIRECTORY, READ) == (0, 4) and guest.open("file") == (0, 5)
    if right == "PATH_REMOVE_DIRECTORY":
        assert guest.unlink("dir/inner") == 0
    for fd in (3, 5):
        _, (_, _, rights, inheriting) = guest.fdstat(fd)
        assert guest.fd_fdstat_set_rights(fd, rights & bits, inheriting) == 0
    assert NEEDED[right](guest) == abi.ESUCCESS


def test_telling_needs_less_than_seeking(guest):
    _, fd = guest.open("file", rights=abi.RIGHT_FD_TELL)
    assert guest.tell(fd) == guest.seek(fd, 0, abi.WHENCE_CUR) == (0, 0)
    assert guest.seek(fd, 1, abi.WHENCE_CUR)[0] == guest.seek(fd, 0, abi.WHENCE_SET)[0] == abi.ENOTCAPABLE
    _, fd = guest.open("file", rights=abi.RIGHT_FD_SEEK)
    assert guest.tell(fd) == (0, 0)
    _, fd = guest.open("file", rights=abi.RIGHT_FD_READ)
    assert guest.tell(fd)[0] == guest.pread(fd, 1, 0)[0] == abi.ENOTCAPABLE


def test_rights_of_what_is_opened(guest):
    _, fd = guest.open("file", rights=abi.RIGHT_FD_READ | abi.RIGHT_PATH_OPEN, inheriting=abi.RIGHT_FD_WRITE)
    assert guest.fdstat(fd)[1] == (abi.FILETYPE_REGULAR_FILE, 0, abi.RIGHT_FD_READ, abi.RIGHT_FD_WRITE)
    assert guest.fdstat(3)[1] == (abi.FILETYPE_DIRECTORY, 0, abi.DIRECTORY_RIGHTS, abi.ALL_RIGHTS)
    assert guest.open("file", rights=1 << 40 | abi.RIGHT_FD_READ)[0] == abi.ESUCCESS    # an unknown right is no right


@pytest.mark.parametrize("flags", [abi.FDFLAGS_DSYNC, abi.FDFLAGS_RSYNC, abi.FDFLAGS_SYNC, abi.FDFLAGS_NONBLOCK,
                                   abi.FDFLAGS_APPEND, abi.ALL_FDFLAGS])
def test_flags(guest, flags):
    errno, fd = guest.open("file", fdflags=flags)
    assert errno == 0 and guest.fdstat(fd)[1][1] == flags
    assert guest.write(fd, b"!") == (0, 1)
    synchronous = flags & ~(abi.FDFLAGS_APPEND | abi.FDFLAGS_NONBLOCK)
    assert guest.fd_fdstat_set_flags(fd, synchronous) == 0 and guest.fdstat(fd)[1][1] == synchronous
    assert guest.fd_fdstat_set_flags(fd, synchronous ^ abi.FDFLAGS_SYNC) == abi.EINVAL
    assert guest.write(fd, b"?") == (0, 1)
    assert guest.pread(fd, 100, 0)[1] == (b"hello!?" if flags & abi.FDFLAGS_APPEND else b"!?llo")


def test_unknown_flags(guest):
    assert guest.open("file", 16)[0] == guest.open("file", fdflags=32)[0] == guest.open("file", follow=2)[0] == abi.EINVAL
    assert guest.stat("file", follow=2)[0] == guest.link("file", "x", follow=2) == abi.EINVAL
    assert guest.set_times("file", 1, 1, 16) == abi.EINVAL
    assert guest.set_times("file", 1, 1, 3) == guest.set_times("file", 1, 1, 12) == abi.EINVAL


def test_times_now(guest):
    """NOW is between before and after; what is not named stays."""
    assert guest.set_times("file", 5, 6, abi.FSTFLAGS_ATIM | abi.FSTFLAGS_MTIM) == 0
    before = time.time_ns()
    assert guest.set_times("file", 0, 0, abi.FSTFLAGS_ATIM_NOW) == 0
    _, stat = guest.stat("file")
    assert before <= stat[5] <= time.time_ns() and stat[6] == 6
    assert guest.set_times("file", 7, 0, abi.FSTFLAGS_ATIM | abi.FSTFLAGS_MTIM_NOW) == 0
    _, stat = guest.stat("file")
    assert stat[5] == 7 and before <= stat[6] <= time.time_ns()
    assert guest.set_times("link", 8, 9, 5, follow=0) == 0 and guest.stat("link", follow=0)[1][5:7] == (8, 9)


def test_allocate(guest):
    _, fd = guest.open("file")
    assert guest.fd_allocate(fd, 2, 10) == 0 and guest.filestat(fd)[1][4] == 12
    assert guest.fd_allocate(fd, 0, 3) == 0 and guest.pread(fd, 100, 0)[1] == b"hello" + bytes(7)
    assert guest.fd_allocate(fd, 0, 0) == guest.fd_allocate(fd, 2**63, 1) == guest.fd_allocate(fd, 0, 2**63) == abi.EINVAL


def test_holes(guest):
    _, fd = guest.open("file")
    assert guest.seek(fd, 8, abi.WHENCE_SET) == (0, 8) and guest.write(fd, b"x") == (0, 1)
    assert guest.pread(fd, 100, 0) == (0, b"hello\0\0\0x") and guest.read(fd) == (0, b"")


# --- reading directories

def test_small_buffers(guest):
    """Entry by entry with a buffer that just has room for the longest, as C libraries do."""
    names, cookie = [], 0
    while True:
        errno, used, entries = guest.readdir(3, 24 + 5, cookie)
        assert errno == 0
        names += [name for *_, name in entries]
        if used < 29:
            break
        cookie = entries[-1][0]
    assert sorted(names) == [".", "..", "dir", "file", "link"]
    for size in range(24):
        assert guest.readdir(3, size)[:2] == (0, size)      # an entry that is cut off
    types = {name: (filetype, ino) for _, ino, filetype, name in guest.readdir()[2]}
    for name in ("dir", "file", "link", "."):
        assert types[name] == (guest.stat(name, follow=0)[1][2], guest.stat(name, follow=0)[1][1])


def test_removing_while_reading(guest):
    """A cookie means the same entry whatever has been removed: all files are found, each once."""
    for number in range(50):
        guest.open(f"dir/{number:02}", abi.OFLAGS_CREAT)
    _, fd = guest.open("dir", DIRECTORY, READ)
    found, cookie = [], 0
    while entries := guest.readdir(fd, 300, cookie)[2]:
        for cookie, _, _, name in entries:
            if name not in (".", ".."):
                found.append(name)
                assert guest.unlink(name, fd) == 0
    assert sorted(found) == [f"{number:02}" for number in range(50)] + ["inner"]
    assert [name for *_, name in guest.readdir(fd)[2]] == [".", ".."]
    assert guest.rmdir("dir") == 0


def test_reading_again(guest):
    before = len(guest.readdir()[2])
    assert guest.mkdir("new") == 0
    assert len(guest.readdir(cookie=0)[2]) == before + 1     # cookie 0 looks again
    _, fd = guest.open(".", DIRECTORY, READ)
    assert len(guest.readdir(fd, cookie=2)[2]) == before - 1


# --- polling files

@pytest.mark.parametrize("eventtype", [abi.EVENTTYPE_FD_READ, abi.EVENTTYPE_FD_WRITE])
def test_files_are_ready(guest, eventtype):
    _, fd = guest.open("file")
    guest.seek(fd, 2, 0)
    assert poll(guest, fd, eventtype) == abi.ESUCCESS
    assert guest.load("<Q", SCRATCH + 16) == (3,)
    assert poll(guest, 3, eventtype) == abi.EBADF


# --- wasi_unstable

@pytest.fixture
def old(mode):
    return PyjitGuest(mode, unstable=True, dirs={"/": {"file": b"hello"}}, stdin=b"abc")


def test_unstable_seek(old):
    _, fd = old.open("file")
    for whence, position in ((2, 4), (0, 8), (1, 9)):       # set, cur, end
        assert old.seek(fd, 4, whence) == (0, position)
    assert old.seek(fd, 0, 3)[0] == abi.EINVAL


def test_unstable_filestat(old):
    _, fd = old.open("file")
    errnos = old.path_filestat_get(3, 0, *old.path("file"), 100), old.fd_filestat_get(fd, 200)
    assert errnos == (0, 0)
    for at in (100, 200):
        _, ino, filetype, links, size, atim, mtim, ctim = old.load("<QQB3xIQQQQ", at)
        assert (filetype, links, size) == (abi.FILETYPE_REGULAR_FILE, 1, 5) and ino and atim <= mtim <= ctim


def test_unstable_polling(old):
    """A clock's subscription has an identifier before the clock; 56 bytes in all."""
    clock = struct.pack("<QB7xQI4xQQH6x", 1, abi.EVENTTYPE_CLOCK, 99, abi.CLOCK_MONOTONIC, 1000, 0, 0)
    stream = struct.pack("<QB7xI36x", 2, abi.EVENTTYPE_FD_READ, 0)
    assert len(clock) == len(stream) == 56
    for records, userdata in ((clock, 1), (stream + clock, 2)):
        old.store(BUFFER, records)
        assert old.poll_oneoff(BUFFER, SCRATCH, len(records) // 56, 512) == 0
        assert old.load("<QH", SCRATCH) == (userdata, 0)


def test_unstable_functions():
    modules = wasm.Wasi(stdin=b"").imports()
    assert modules["wasi_snapshot_preview1"].keys() == abi.SIGNATURES.keys()
    assert modules["wasi_unstable"].keys() == abi.SIGNATURES.keys() - {"sock_accept"}
