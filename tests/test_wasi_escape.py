"""The sandbox: whatever a guest tries, nothing outside its directories is read or changed.

Each attempt ends in an errno, and the files outside, their times and what the guest has got are looked at after it.
`WASI_RACE_SECONDS` is how long the races take (default 2 for each mode).
"""
import os
import resource
import subprocess
import sys
import threading
import time

import pytest

import pyjit_wasm as wasm
import wasi_swapper
from pyjit_wasm.wasi import abi
from wasi_guests import BUFFER, MEMORY_SIZE, OTHER_PATHS, PATHS, SCRATCH, PyjitGuest
from wasi_trees import OUTSIDE, build, snapshot

RACE_SECONDS = float(os.environ.get("WASI_RACE_SECONDS", 2))
READ = abi.ALL_RIGHTS & ~abi.RIGHT_FD_WRITE
CREATE, TRUNCATE = abi.OFLAGS_CREAT, abi.OFLAGS_TRUNC


class Sandbox:
    """A guest in `root`/rw and `root`/ro, and the files outside as they were."""

    def __init__(self, mode, root, **options):
        self.root = build(root)
        os.symlink(root / "outside", root / "rw" / "absolute")
        os.symlink("../" * 30 + "etc", root / "rw" / "far")
        os.symlink("dir/sub/../../../outside", root / "rw" / "winding")
        os.symlink("/proc/self/root", root / "rw" / "proc")
        os.symlink(f"/proc/{os.getpid()}/cwd", root / "rw" / "cwd")
        os.symlink("absolute", root / "rw" / "twice")
        os.symlink("../rw/file", root / "rw" / "around")
        options.setdefault("dirs", {"/": root / "rw", "ro": wasm.ReadOnly(root / "ro")})
        self.guest = PyjitGuest(mode, stdin=b"", stdout=lambda data: None, stderr=lambda data: None, **options)
        self.before = self.outside()

    def outside(self):
        """The files that the guest must neither read nor change, and what is beside its directories."""
        return (snapshot(self.root / "outside", times=True), snapshot(self.root / "ro", times=True),
                sorted(os.listdir(self.root)), os.stat(self.root).st_mtime_ns)

    def check(self):
        assert self.outside() == self.before
        assert OUTSIDE.encode() not in bytes(self.guest.memory), "the guest has read a file outside"


@pytest.fixture
def sandbox(mode, tmp_path):
    sandbox = Sandbox(mode, tmp_path)
    yield sandbox
    sandbox.check()
    sandbox.guest.close()


# --- paths that lead out

OUT = (
    "..", "../", "../outside", "../outside/canary", "../rw/../outside/canary", "./../outside/canary",
    "dir/../../outside/canary", "dir/sub/../../../outside/canary", "/", "/etc/passwd", "//etc/passwd", "/../etc/passwd",
    "/proc/self/root",
    "out", "outdir/canary", "outdir/dir/canary", "dir/over", "dir/over/canary", "dirlink/over/canary", "abs", "absolute",
    "absolute/canary", "twice/canary", "far/passwd", "winding/canary", "winding", "proc/etc/passwd", "cwd", "cwd/..",
    "around", "outdir/../rw/file", "empty/../../outside/canary", "dirlink/../../outside/canary",
    "../" * 100 + "etc/passwd", "dir/../" * 50 + "../outside/canary", "outdir/", "absolute/", "dirlink/sub/../../../outside")

OPERATIONS = {
    "open": lambda g, p: read_it(g, g.open(p, rights=READ)),
    "open as directory": lambda g, p: g.open(p, abi.OFLAGS_DIRECTORY, READ)[0],
    "open to write": lambda g, p: g.open(p)[0],
    "create": lambda g, p: g.open(p, CREATE)[0],
    "truncate": lambda g, p: g.open(p, TRUNCATE)[0],
    "create below": lambda g, p: g.open(p + "/new", CREATE)[0],
    "stat": lambda g, p: g.stat(p)[0],
    "stat below": lambda g, p: g.stat(p + "/canary")[0],
    "times": lambda g, p: g.set_times(p, 1, 2, 5),
    "mkdir below": lambda g, p: g.mkdir(p + "/new"),
    "rmdir below": lambda g, p: g.rmdir(p + "/dir"),
    "unlink below": lambda g, p: g.unlink(p + "/canary"),
    "symlink below": lambda g, p: g.symlink("x", p + "/new"),
    "readlink below": lambda g, p: g.readlink(p + "/canary")[0],
    "link from below": lambda g, p: g.link(p + "/canary", "stolen"),
    "link to below": lambda g, p: g.link("file", p + "/new"),
    "rename from below": lambda g, p: g.rename(p + "/canary", "stolen"),
    "rename to below": lambda g, p: g.rename("file", p + "/canary"),
}


def read_it(guest, opened):
    errno, fd = opened
    if not errno:
        guest.read(fd, 1000)
    return errno


@pytest.mark.parametrize("operation", OPERATIONS)
def test_paths_out(sandbox, operation):
    for path in OUT:
        assert OPERATIONS[operation](sandbox.guest, path) != abi.ESUCCESS, path
        sandbox.check()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_paths_out_of_a_directory_below(sandbox, operation):
    """`..` does not lead out of the directory a call starts at either, even if it stays in the preopened one."""
    errno, fd = sandbox.guest.open("dir", abi.OFLAGS_DIRECTORY, READ)
    assert errno == abi.ESUCCESS
    assert sandbox.guest.fd_renumber(fd, 3) == abi.ESUCCESS
    for path in ("..", "../file", "sub/../../file", "over", "up", "../../outside"):
        assert OPERATIONS[operation](sandbox.guest, path) != abi.ESUCCESS, path
        sandbox.check()


def test_links_that_a_guest_makes(sandbox):
    guest = sandbox.guest
    for number, target in enumerate(("../outside", "..", "../../..", "dir/../../outside", "outdir", "./../outside")):
        name = f"made{number}"
        assert guest.symlink(target, name) == abi.ESUCCESS
        assert guest.open(name + "/canary", rights=READ)[0] == abi.EPERM
        assert guest.open(name, abi.OFLAGS_DIRECTORY, READ)[0] == abi.EPERM
        assert guest.rename("file", name + "/canary") == abi.EPERM
    for target in ("/", "/etc", "/proc/self/root", "//"):
        assert guest.symlink(target, "never") == abi.EPERM
    assert guest.symlink("../outside", "dir/moved") == guest.rename("dir/moved", "moved") == abi.ESUCCESS
    assert guest.open("moved/canary", rights=READ)[0] == abi.EPERM


def test_hard_links_to_links(sandbox):
    """A hard link of a symbolic link is that link, and not what it leads to."""
    guest = sandbox.guest
    assert guest.link("out", "other") == abi.ESUCCESS
    assert guest.stat("other", follow=0)[1][2] == abi.FILETYPE_SYMBOLIC_LINK
    assert guest.open("other", rights=READ)[0] == abi.EPERM
    assert guest.link("out", "third", follow=1) == abi.EINVAL


def test_proc(mode, tmp_path):
    """The links of /proc lead anywhere, whatever their text says."""
    sandbox = Sandbox(mode, tmp_path, dirs={"/": "/proc/self", "proc": "/proc"})
    with open(sandbox.root / "outside" / "canary", "rb") as file:
        number = file.fileno()
        for path in ("root", "root/etc/passwd", "cwd", "cwd/x", "exe", f"fd/{number}", f"fd/{number}/",
                     f"task/../fd/{number}", f"map_files/../fd/{number}", "ns/mnt", "ns/user", "fd/0/../../root",
                     f"fd/{sandbox.guest.wasi.descriptors[3].folder.fileno}/../.."):
            for fd, prefix in ((3, ""), (4, "self/"), (4, f"{os.getpid()}/"), (4, "thread-self/")):
                assert sandbox.guest.open(prefix + path, rights=READ, fd=fd)[0] != abi.ESUCCESS, path
                assert sandbox.guest.stat(prefix + path, fd=fd)[0] != abi.ESUCCESS, path
        sandbox.check()
    sandbox.guest.close()


# --- directories that may only be read

CHANGES = {
    "write": lambda g: g.open("file", fd=4)[0], "truncate": lambda g: g.open("file", TRUNCATE, READ, 4)[0],
    "create": lambda g: g.open("new", CREATE, READ, 4)[0], "mkdir": lambda g: g.mkdir("new", 4),
    "rmdir": lambda g: g.rmdir("empty", 4), "unlink": lambda g: g.unlink("file", 4),
    "symlink": lambda g: g.symlink("x", "new", 4), "link into": lambda g: g.link("file", "new", 3, 4),
    "link out of": lambda g: g.link("file", "new", 4, 3), "rename": lambda g: g.rename("file", "new", 4, 4),
    "rename into": lambda g: g.rename("file", "file", 3, 4), "rename out of": lambda g: g.rename("file", "new", 4, 3),
    "times": lambda g: g.set_times("file", 1, 2, 5, 4), "own times": lambda g: g.fd_filestat_set_times(4, 1, 2, 5),
    "file times": lambda g: g.fd_filestat_set_times(g.open("file", 0, READ, 4)[1], 1, 2, 5),
    "file size": lambda g: g.fd_filestat_set_size(g.open("file", 0, READ, 4)[1], 1),
    "below": lambda g: g.unlink("inner", g.open("dir", abi.OFLAGS_DIRECTORY, READ, 4)[1]),
    "times below": lambda g: g.fd_filestat_set_times(g.open("dir", abi.OFLAGS_DIRECTORY, READ, 4)[1], 1, 2, 5),
    "through a link": lambda g: g.open("dirlink/inner", fd=4)[0]}


@pytest.mark.parametrize("change", CHANGES)
def test_read_only(sandbox, change):
    assert CHANGES[change](sandbox.guest) == abi.EPERM


def test_read_only_files_stay_so(sandbox):
    guest = sandbox.guest
    _, fd = guest.open("file", 0, READ, 4)
    assert guest.read(fd, 10) == (abi.ESUCCESS, b"hello")
    assert guest.write(fd, b"x")[0] == guest.pwrite(fd, b"x", 0)[0] == guest.fd_allocate(fd, 0, 100) == abi.EBADF
    assert guest.fd_fdstat_set_rights(fd, abi.ALL_RIGHTS, 0) == abi.ENOTCAPABLE
    assert guest.fd_fdstat_set_flags(fd, abi.FDFLAGS_APPEND) == abi.ESUCCESS and guest.write(fd, b"x")[0] == abi.EBADF
    assert guest.fd_renumber(fd, 0) == abi.ESUCCESS and guest.write(0, b"x")[0] == abi.EBADF


# --- races with the host

NAMES = ("swap/canary", "swap/file", "swap/new", "swap/dir/canary", "swap/../swap/canary", "swap/./file", "swap")


def attack(guest, number):
    """Everything that could read or change a file outside, if a link was followed at the wrong moment."""
    name = NAMES[number % len(NAMES)]
    read_it(guest, guest.open(name, rights=READ))
    for errno, fd in (guest.open(name, TRUNCATE), guest.open(name, CREATE), guest.open(name, abi.OFLAGS_DIRECTORY, READ)):
        if errno:
            continue
        guest.write(fd, b"changed")
        guest.fd_filestat_set_times(fd, 1, 2, 5)
        guest.mkdir("new", fd), guest.rmdir("new", fd), guest.unlink("canary", fd)
    guest.set_times(name, 1, 2, 5)
    guest.rename("other", "swap/canary"), guest.rename("swap/canary", "other"), guest.link("other", "swap/new")
    guest.unlink("swap/canary"), guest.unlink("swap/new"), guest.mkdir("swap/made"), guest.rmdir("swap/made")
    guest.symlink("x", "swap/made"), guest.unlink("swap/made")
    for fd in range(5, 50):
        guest.fd_close(fd)


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_race(sandbox, kind):
    top = sandbox.root / "rw"
    (top / "swap").mkdir()
    for name in ("swap/file", "other"):
        (top / name).write_bytes(b"inside")
    if kind == "process":
        swapper = subprocess.Popen([sys.executable, wasi_swapper.__file__, top])
        wait = swapper.wait
    else:
        swapper = threading.Thread(target=wasi_swapper.swap, args=(top,))
        swapper.start()
        wait = swapper.join
    deadline, number = time.monotonic() + RACE_SECONDS / 2, 0
    try:
        while time.monotonic() < deadline:
            attack(sandbox.guest, number)
            number += 1
            if number % 50 == 0:
                sandbox.check()
            if not (top / "other").exists():
                (top / "other").write_bytes(b"inside")
    finally:
        (top / "stop").write_bytes(b"")
        wait()
    assert number > 10


# --- descriptors

def test_descriptors_of_the_host(sandbox):
    """Numbers of the host mean nothing: every number but the guest's own is EBADF."""
    with open(sandbox.root / "outside" / "canary", "rb") as file:
        for fd in (file.fileno(), 5, 6, 100, 2**31 - 1, 2**31, 2**32 - 1):
            guest = sandbox.guest
            assert guest.read(fd, 100)[0] == guest.filestat(fd)[0] == guest.fd_close(fd) == abi.EBADF
            assert guest.fd_renumber(fd, 3) == guest.fd_renumber(3, fd) == abi.EBADF
            assert guest.open("canary", fd=fd)[0] == guest.prestat(fd)[0] == abi.EBADF
        assert os.fstat(file.fileno())


def test_closing_the_streams_closes_nothing_of_the_host(sandbox):
    descriptors = sorted(os.listdir("/proc/self/fd"))
    for fd in (0, 1, 2, 3, 4):
        assert sandbox.guest.fd_close(fd) == abi.ESUCCESS
        assert sandbox.guest.fd_close(fd) == abi.EBADF
    assert len(descriptors) - len(os.listdir("/proc/self/fd")) == 2     # the two directories
    assert sandbox.guest.open("file")[0] == abi.EBADF


def test_closing_what_another_thread_reads(mode, tmp_path):
    """The host's descriptor stays open until the call has ended, or its number could be that of another file."""
    os.mkfifo(tmp_path / "pipe")
    guest = PyjitGuest(mode, dirs={"/": tmp_path})
    _, fd = guest.open("pipe")      # to read and write: does not wait for the other end
    fileno = guest.wasi.descriptors[fd].fileno
    reader, read = PyjitGuest(mode, wasi=guest.wasi), []
    thread = threading.Thread(target=lambda: read.append(reader.read(fd)))
    thread.start()
    time.sleep(0.1)
    assert guest.fd_close(fd) == abi.ESUCCESS and guest.read(fd)[0] == abi.EBADF
    with open(tmp_path / "other", "wb") as other:
        assert other.fileno() != fileno
        os.write(fileno, b"end")
        thread.join()
        assert read == [(abi.ESUCCESS, b"end")]
        with pytest.raises(OSError):
            os.fstat(fileno)
    guest.close()


def test_renumbering(sandbox):
    guest = sandbox.guest
    _, fd = guest.open("file", rights=READ)
    assert guest.fd_renumber(fd, 3) == abi.ESUCCESS     # a file where the directory was
    assert guest.open("file", fd=3)[0] == guest.mkdir("new", 3) == abi.ENOTDIR
    assert guest.prestat(3)[0] == abi.EBADF
    assert guest.fd_renumber(4, 1) == abi.ESUCCESS      # the one to read where output was
    assert guest.write(1, b"x")[0] == abi.EBADF and guest.mkdir("new", 1) == abi.EPERM


def test_rights_do_not_come_back(sandbox):
    guest = sandbox.guest
    few = abi.RIGHT_PATH_OPEN | abi.RIGHT_FD_READDIR
    assert guest.fd_fdstat_set_rights(3, few, abi.RIGHT_FD_READ | few) == abi.ESUCCESS
    assert guest.fd_fdstat_set_rights(3, abi.ALL_RIGHTS, abi.ALL_RIGHTS) == abi.ENOTCAPABLE
    assert guest.mkdir("new") == guest.stat("file")[0] == guest.open("new", CREATE, few)[0] == abi.ENOTCAPABLE
    assert guest.open("file", rights=abi.RIGHT_FD_WRITE)[0] == abi.ENOTCAPABLE
    errno, fd = guest.open("dir", abi.OFLAGS_DIRECTORY, few, inheriting=few)
    assert errno == abi.ESUCCESS
    assert guest.open("inner", rights=abi.RIGHT_FD_READ, inheriting=0, fd=fd)[0] == abi.ENOTCAPABLE


def test_too_many_descriptors(mode):
    guest = PyjitGuest(mode, dirs={"/": {"file": b""}})
    opened = 0
    while guest.open("file")[0] == abi.ESUCCESS:
        opened += 1
    assert opened == 4096 - 4 and guest.open("file")[0] == abi.EMFILE
    assert guest.fd_close(100) == abi.ESUCCESS and guest.open("file") == (abi.ESUCCESS, 100)


def test_host_without_descriptors(sandbox):
    """A guest that opens all that the host allows gets EMFILE, and what it held is closed with the Wasi."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 50, hard))
    try:
        while (errno := sandbox.guest.open("dir/inner")[0]) == abi.ESUCCESS:
            pass
        assert errno == abi.EMFILE
        assert sandbox.guest.stat("d/" * 500 + "x")[0] == abi.ENOENT
        sandbox.guest.close()
        assert len(os.listdir("/proc/self/fd")) <= before - 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- memory

def test_huge_vectors(sandbox):
    guest = sandbox.guest
    whole = [(0, MEMORY_SIZE)] * 1024
    _, fd = guest.open("large", CREATE)
    for count in (1025, 16384, 2**31, 2**32 - 1):
        guest.iovecs(0, *whole)
        assert guest.fd_read(0, 0, count, BUFFER) in (abi.ESUCCESS, abi.EFAULT)
        assert guest.fd_write(1, 0, count, MEMORY_SIZE - 8) in (abi.ESUCCESS, abi.EFAULT)
    for spans in ([(0, 2**32 - 1)], [(2**32 - 1, 2**32 - 1)], [(MEMORY_SIZE - 1, 2)], [(0, 1), (MEMORY_SIZE, 1)]):
        iovs = guest.iovecs(0, *spans)
        for call in (guest.fd_read, guest.fd_write):
            assert call(fd, *iovs, BUFFER) == abi.EFAULT
        assert guest.fd_pread(fd, *iovs, 0, BUFFER) == guest.fd_pwrite(fd, *iovs, 0, BUFFER) == abi.EFAULT
    assert os.stat(sandbox.root / "rw" / "large").st_size == 0


def test_overlapping_buffers(sandbox):
    """Buffers over each other, over the vectors and over the result: some bytes win, nothing breaks."""
    guest = sandbox.guest
    (sandbox.root / "rw" / "data").write_bytes(bytes(range(256)) * 16)
    _, fd = guest.open("data")
    spans = [(0, 64), (0, 64), (32, 64), (8, 1000)]
    assert guest.fd_read(fd, *guest.iovecs(16, *spans), 20) == abi.ESUCCESS
    assert guest.load("<I", 20) == (1192,)
    assert guest.fd_write(fd, *guest.iovecs(16, *spans), 16) == abi.ESUCCESS
    assert guest.path_open(3, 1, *guest.path("file", 100), 0, READ, 0, 0, 100) == abi.ESUCCESS
    assert guest.path_readlink(3, *guest.path("link", 100), 100, 4, 100) == abi.ESUCCESS
    assert guest.fd_readdir(3, 0, 4096, 0, 10) == abi.ESUCCESS
    assert guest.load("<I", 10)[0] <= 4096
    assert guest.args_sizes_get(100, 102) == guest.random_get(0, MEMORY_SIZE) == abi.ESUCCESS


# a call that works, {position: bytes} of its pointers and what they point to, and what it does if pointers are good
P, Q, S, B = PATHS, OTHER_PATHS, SCRATCH, BUFFER
POINTERS = {
    "args_get": ((S, B), (0, 1)), "args_sizes_get": ((S, S + 4), (0, 1)), "environ_get": ((S, B), (0, 1)),
    "environ_sizes_get": ((S, S + 4), (0, 1)), "clock_res_get": ((0, S), (1,)), "clock_time_get": ((0, 0, S), (2,)),
    "fd_fdstat_get": ((3, S), (1,)), "fd_filestat_get": ((3, S), (1,)), "fd_prestat_get": ((3, S), (1,)),
    "fd_prestat_dir_name": ((4, S, 2), (1,)), "fd_read": ((5, 64, 1, S), (1, 3)), "fd_write": ((5, 64, 1, S), (1, 3)),
    "fd_pread": ((5, 64, 1, 0, S), (1, 4)), "fd_pwrite": ((5, 64, 1, 0, S), (1, 4)), "fd_readdir": ((3, B, 64, 0, S), (1, 4)),
    "fd_seek": ((5, 0, 0, S), (3,)), "fd_tell": ((5, S), (1,)), "path_create_directory": ((3, P, 4), (1,)),
    "path_filestat_get": ((3, 0, P, 4, S), (2, 4)), "path_filestat_set_times": ((3, 0, P, 4, 0, 0, 0), (2,)),
    "path_link": ((3, 0, P, 4, 3, Q, 4), (2, 5)), "path_open": ((3, 0, P, 4, 0, READ, 0, 0, S), (2, 8)),
    "path_readlink": ((3, P, 4, B, 64, S), (1, 3, 5)), "path_remove_directory": ((3, P, 4), (1,)),
    "path_rename": ((3, P, 4, 3, Q, 4), (1, 4)), "path_symlink": ((P, 4, 3, Q, 4), (0, 3)),
    "path_unlink_file": ((3, P, 4), (1,)), "poll_oneoff": ((B, S, 1, S + 64), (0, 1, 3)), "random_get": ((B, 64), (0,)),
    "sock_accept": ((5, 0, S), (2,)), "sock_recv": ((5, 64, 1, 0, S, S + 4), (1, 4, 5)),
    "sock_send": ((5, 64, 1, 0, S), (1, 4)),
}
WITHOUT = {"fd_advise", "fd_allocate", "fd_close", "fd_datasync", "fd_fdstat_set_flags", "fd_fdstat_set_rights",
           "fd_filestat_set_size", "fd_filestat_set_times", "fd_renumber", "fd_sync", "proc_exit", "proc_raise",
           "sched_yield", "sock_shutdown"}


def test_all_functions_are_covered():
    assert POINTERS.keys() | WITHOUT == abi.SIGNATURES.keys() and not POINTERS.keys() & WITHOUT


@pytest.mark.parametrize("name", POINTERS)
def test_bad_pointers(mode, tmp_path, name):
    """A pointer outside memory, for each in turn: EFAULT, and no effect."""
    import socket
    one, other = socket.socketpair()
    sockets = name.startswith("sock_")
    sandbox = Sandbox(mode, tmp_path, sockets=[one] if sockets else (), args=["a"], env={"A": "B"})
    guest = sandbox.guest
    if not sockets:
        assert guest.open("file") == (abi.ESUCCESS, 5)
    other.send(b"message")
    files, descriptors = snapshot(tmp_path, times=True), set(guest.wasi.descriptors)
    arguments, positions = POINTERS[name]
    for position in positions:
        for bad in (MEMORY_SIZE, MEMORY_SIZE - 1, 2**31, 2**32 - 1, 2**32 - 4):
            guest.path("file", P), guest.path("new!", Q), guest.iovecs(64, (B, 4))
            guest.store(B, abi.SUBSCRIPTION.pack(7, abi.EVENTTYPE_CLOCK, 1, 0, 0, 0))
            given = [bad if index == position else argument for index, argument in enumerate(arguments)]
            assert getattr(guest, name)(*given) == abi.EFAULT, (position, bad)
            assert snapshot(tmp_path, times=True) == files and set(guest.wasi.descriptors) == descriptors
    assert other.send(b"") == 0 and sandbox.check() is None
    one.close(), other.close()
    guest.close()


@pytest.mark.parametrize("name", [name for name in POINTERS if name.startswith("path_")])
def test_bad_lengths(sandbox, name):
    arguments, positions = POINTERS[name]
    guest = sandbox.guest
    files = snapshot(sandbox.root, times=True)
    for position in positions:
        if abi.SIGNATURES[name][position + 1:position + 2] != "I" or arguments[position] not in (P, Q):
            continue
        for length in (MEMORY_SIZE, 2**31, 2**32 - 1):
            guest.path("file", P), guest.path("new!", Q)
            given = [length if index == position + 1 else argument for index, argument in enumerate(arguments)]
            assert getattr(guest, name)(*given) == abi.EFAULT
    assert snapshot(sandbox.root, times=True) == files
    sandbox.check()


# --- what leaks

def test_nothing_of_the_host_is_known(mode, monkeypatch):
    monkeypatch.setenv("SECRET_VARIABLE", OUTSIDE)
    guest = PyjitGuest(mode, stdin=b"")
    assert guest.args_sizes_get(0, 4) == guest.environ_sizes_get(8, 12) == abi.ESUCCESS
    assert guest.load("<IIII", 0) == (0, 0, 0, 0)
    assert guest.prestat(3)[0] == abi.EBADF
