"""Files in memory: every call that is compared with wasmtime, compared with the same files on the host."""
import os
import shutil
from pathlib import PurePosixPath

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.wasi import abi
from wasi_cases import DESCRIPTOR_CALLS, OPENED, PATH_CALLS, PATHS, some_in
from wasi_guests import PyjitGuest
from wasi_trees import build


def tree_of(path):
    """What MemoryTree.contents() says of a host directory."""
    if path.is_symlink():
        return PurePosixPath(os.readlink(path))
    if path.is_dir():
        return {entry.name: tree_of(entry) for entry in path.iterdir()}
    return path.read_bytes()


class Pair:
    """A guest of files on the host and one of the same files in memory, made anew once the files have changed."""

    def __init__(self, mode, root):
        self.mode, self.root, self.guests = mode, root, []
        build(root)
        self.initial = tree_of(root / "rw")

    def __call__(self, call, *arguments):
        """The answers, and the files then."""
        if not self.guests:
            self.guests = [self.guest(self.root / "rw", self.root / "ro"), self.guest(self.initial, self.initial)]
        answers = [call(guest, *arguments) for guest in self.guests]
        files = [tree_of(self.root / "rw"), self.guests[1].wasi.dirs["rw"].contents()]
        if files != [self.initial] * 2:
            self.clear()
            shutil.rmtree(self.root / "rw"), shutil.rmtree(self.root / "ro"), shutil.rmtree(self.root / "outside")
            build(self.root)
        return answers, files

    def guest(self, writable, read_only):
        return PyjitGuest(self.mode, dirs={"rw": writable, "ro": wasm.ReadOnly(read_only)}, stdin=b"input",
                          stdout=lambda data: None, stderr=lambda data: None)

    def clear(self):
        for guest in self.guests:
            guest.close()
        self.guests = []


FILES = "file", "reading", "writing", "appending", "in the other"
# {(call, path or kind): answers on the host and in memory, reason}
DIFFERENT = {
    ("readlink", "slash"): ((abi.ESUCCESS, b"dir/"), (abi.ESUCCESS, b"dir"), "the tree is given pathlib's dir/, which is dir"),
    **{("seek far", kind): ((abi.EINVAL, None), (abi.ESUCCESS, 2**62), "the host's file system decides") for kind in FILES},
}


def check(call, case, answers, files):
    if (call, case) in DIFFERENT:
        assert tuple(answers) == DIFFERENT[call, case][:2]
    else:
        assert answers[0] == answers[1] and files[0] == files[1], (call, case)


@pytest.mark.parametrize("call", PATH_CALLS)
def test_paths(mode, tmp_path, call):
    pair = Pair(mode, tmp_path)
    for path in some_in(mode, PATHS, 8):
        check(call, path, *pair(PATH_CALLS[call], path))
    pair.clear()


@pytest.mark.parametrize("call", DESCRIPTOR_CALLS)
def test_descriptors(mode, tmp_path, call):
    pair = Pair(mode, tmp_path)
    for kind, make in some_in(mode, list(OPENED.items()), 4):
        check(call, kind, *pair(lambda guest: DESCRIPTOR_CALLS[call](guest, make(guest))))
        pair.clear()


# --- what the embedder sees

def test_contents():
    given = {"a": b"1", "d": {"e": bytearray(b"2"), "f": {}}, "l": PurePosixPath("d/e")}
    tree = wasm.MemoryTree(given)
    assert tree.contents() == {"a": b"1", "d": {"e": b"2", "f": {}}, "l": PurePosixPath("d/e")}
    assert tree["a"] == b"1" and tree["d/e"] == b"2" and tree["d"] == {"e": b"2", "f": {}}
    for path in ("b", "a/b", "d/e/f", ""):
        with pytest.raises(KeyError):
            tree[path]
    given["d"]["e"][:] = b"3"
    assert tree["d/e"] == b"2"      # a copy
    assert "a, d, l" in repr(tree)


@pytest.mark.parametrize("contents, error", [
    ({"a/b": b""}, ValueError), ({"": b""}, ValueError), ({".": b""}, ValueError), ({"..": {}}, ValueError),
    ({"a\0": b""}, ValueError), ({"a": "text"}, TypeError), ({"a": 1}, TypeError), ({"a": None}, TypeError),
    ({"a": {"..": b""}}, ValueError)])
def test_no_tree(contents, error):
    with pytest.raises(error):
        wasm.MemoryTree(contents)


def test_two_runs_share_a_tree(mode):
    tree = wasm.MemoryTree()
    for number in range(2):
        guest = PyjitGuest(mode, dirs={"/": tree})
        errno, fd = guest.open(f"file{number}", abi.OFLAGS_CREAT)
        assert errno == 0 and guest.write(fd, b"x" * number) == (0, number)
        guest.close()
    assert tree.contents() == {"file0": b"", "file1": b"x"}


def test_limit(mode):
    tree = wasm.MemoryTree({"full": b""}, limit=11_000)
    guest = PyjitGuest(mode, dirs={"/": tree})
    _, fd = guest.open("full")
    assert guest.write(fd, b"x" * 8000) == (0, 8000)
    assert guest.write(fd, b"x" * 8000)[0] == abi.ENOSPC
    assert guest.pwrite(fd, b"x", 2**62)[0] == guest.fd_filestat_set_size(fd, 2**62) == abi.ENOSPC
    assert guest.fd_allocate(fd, 0, 2**40) == guest.mkdir("directory") == abi.ENOSPC
    assert len(tree["full"]) == 8000
    assert guest.unlink("full") == 0 and guest.mkdir("directory") == abi.ENOSPC     # still open
    assert guest.fd_close(fd) == 0 and guest.mkdir("directory") == 0
    with pytest.raises(OSError):
        wasm.MemoryTree({"large": bytes(5000)}, limit=4000)


def test_part_of_the_buffers_fits(mode):
    guest = PyjitGuest(mode, dirs={"/": wasm.MemoryTree({"file": b""}, limit=5_000)})
    _, fd = guest.open("file")
    assert guest.fd_write(fd, *guest.iovecs(0, (4096, 2000), (4096, 2000)), 64) == 0
    assert guest.load("<I", 64) == (2000,) and guest.write(fd, bytes(2000))[0] == abi.ENOSPC


def test_deep_directories(mode):
    """As deep as a guest likes: it goes down descriptor by descriptor."""
    rights = abi.DIRECTORY_RIGHTS
    guest = PyjitGuest(mode, dirs={"/": {}})
    fd = 3
    for _ in range(20_000):
        assert guest.mkdir("d", fd) == 0
        _, below = guest.open("d", abi.OFLAGS_DIRECTORY, rights, fd)
        if fd != 3:
            guest.fd_close(fd)
        fd = below
    assert guest.rename("d", "d/d/d") == abi.EINVAL
    guest.close()


def test_removed_directory(mode):
    guest = PyjitGuest(mode, dirs={"/": {"d": {}}})
    _, fd = guest.open("d", abi.OFLAGS_DIRECTORY, abi.RIGHT_FD_READDIR | abi.RIGHT_PATH_CREATE_DIRECTORY)
    assert guest.rmdir("d") == 0
    assert guest.mkdir("new", fd) == abi.ENOENT
    assert guest.wasi.dirs["/"].contents() == {}


def test_links_between_trees_and_the_host(mode, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    guest = PyjitGuest(mode, dirs={"host": tmp_path, "one": {"file": b""}, "two": {"file": b""}})
    for first, second in ((3, 4), (4, 3), (4, 5)):
        assert guest.rename("file", "new", first, second) == guest.link("file", "new", first, second) == abi.EXDEV
