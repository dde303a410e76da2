"""Every call on every kind of path and descriptor, here and in wasmtime: the same errnos, results and effects.

`DIFFERENT` lists where they are meant to differ, and why.
"""
import shutil

import pytest

from pyjit_wasm import ReadOnly
from pyjit_wasm.wasi import abi
from wasi_cases import DESCRIPTOR_CALLS, OPENED, PATH_CALLS, PATHS, some_in
from wasi_guests import PyjitGuest, WasmtimeGuest
from wasi_trees import build, snapshot

pytest.importorskip("wasmtime")

NAMES = {number: name for name, number in vars(abi).items()
         if name.startswith("E") and name.isupper() and isinstance(number, int) and not name.startswith("EVENT")}



def guests(mode, root):
    """The same tree twice, with a guest of either kind."""
    for name in ("here", "there"):
        build(root / name)
    dirs = {"rw": root / "here" / "rw", "ro": ReadOnly(root / "here" / "ro")}
    (root / "in").write_bytes(b"input")
    streams = {"stdin": (root / "in").open("rb"), "stdout": lambda data: None, "stderr": lambda data: None}
    yield PyjitGuest(mode, dirs=dirs, **streams), root / "here"
    dirs = {"rw": (root / "there" / "rw", True), "ro": (root / "there" / "ro", False)}
    yield WasmtimeGuest(dirs=dirs, stdin=root / "in", stdout=root / "out", stderr=root / "err"), root / "there"


def answer(call, *arguments):
    import wasmtime
    try:
        errno, *rest = call(*arguments)
    except (wasmtime.WasmtimeError, wasmtime.Trap):
        return "a trap",
    return NAMES[errno], *rest


SLASH = "a directory can be removed by its name with a slash, as in POSIX; wasmtime refuses all such names"
LINK_SLASH = "a link with a slash is no directory to remove, as in Linux"
ORDER = "two things are wrong, and the other one is noticed first"

# {(call, path): (here, in wasmtime, reason)}
DIFFERENT = {
    ("rmdir", "dir/"): ("ENOTEMPTY", "EINVAL", SLASH),
    ("rmdir", "empty/"): ("ESUCCESS", "EINVAL", SLASH),
    ("rmdir", "dirlink/"): ("ENOTDIR", "EINVAL", LINK_SLASH),
    ("rmdir", "outdir/"): ("ENOTDIR", "EPERM", LINK_SLASH),
    ("rmdir", "dangling/"): ("ENOTDIR", "ENOENT", LINK_SLASH),
    ("rmdir", "loop/"): ("ENOTDIR", "ELOOP", LINK_SLASH),
    ("create", "outdir/"): ("EPERM", "EISDIR", ORDER),
    ("create", "loop/"): ("ELOOP", "EISDIR", ORDER),
    ("create nofollow", "outdir/"): ("EPERM", "EISDIR", ORDER),
    ("create nofollow", "loop/"): ("ELOOP", "EISDIR", ORDER),
    ("create new", "./"): ("EISDIR", "EEXIST", ORDER),
    ("create new", "dir/../"): ("EISDIR", "EEXIST", ORDER),
    ("rename file over", "./"): ("ENOTDIR", "EBUSY", ORDER),
    ("rename file over", "dir/../"): ("ENOTDIR", "EBUSY", ORDER),
    ("into the other", "a\0b"): ("EINVAL", "EPERM", ORDER),
    ("out of the other", b"\xff"): ("EPERM", "EILSEQ", ORDER),
}


class Pair:
    """A guest of either kind, with the same files, which are made anew once one has changed them."""

    def __init__(self, mode, root):
        self.mode, self.root, self.guests, self.initial = mode, root, [], None

    def __call__(self, call, *arguments):
        """The answers here and in wasmtime, and the files then."""
        if not self.guests:
            self.guests = list(guests(self.mode, self.root))
            self.initial = [snapshot(place) for _, place in self.guests]
        answers = [answer(call, guest, *arguments) for guest, _ in self.guests]
        files = [snapshot(place) for _, place in self.guests]
        if files != self.initial:
            self.clear()
        return answers, files

    def clear(self):
        for guest, place in self.guests:
            guest.close()
            shutil.rmtree(place)
        self.guests = []


@pytest.mark.parametrize("call", PATH_CALLS)
def test_paths(mode, tmp_path, call):
    pair = Pair(mode, tmp_path)
    for path in some_in(mode, PATHS, 8):
        answers, files = pair(PATH_CALLS[call], path)
        different = DIFFERENT.get((call, path))
        if different:
            assert tuple(name for name, *_ in answers) == different[:2], (call, path)
        else:
            assert answers[0] == answers[1] and files[0] == files[1], (call, path)
    pair.clear()


# --- descriptors

FILES = "file", "reading", "writing", "appending", "in the other"
DIRECTORIES, STREAMS, NONE = ("preopen", "other", "directory"), ("stdin", "stdout"), ("unknown", "closed")
UNKNOWN = "what the specification does not know is EINVAL; wasmtime traps"
RIGHTS = "rights can be given up, as the specification says"
FLAGS = "flags that stay as they are can be set on anything; others not"
PATHS_IN_FILES = "a path in a file: as in POSIX"

# (reason, calls, kinds, errno here, errno in wasmtime)
ROWS = (
    (UNKNOWN, ("seek unknown", "advise unknown", "unknown flag", "unknown time"), FILES + DIRECTORIES + STREAMS,
     "EINVAL", "a trap"),
    (UNKNOWN, ("seek unknown", "advise unknown", "unknown flag", "unknown time"), NONE, "EBADF", "a trap"),
    (ORDER, ("both times",), NONE, "EBADF", "EINVAL"),
    (ORDER, ("link follow",), STREAMS + NONE + FILES, "EINVAL", "EBADF"),
    (ORDER, ("link follow",), ("other",), "EINVAL", "EPERM"),
    (ORDER, ("pread far beyond",), DIRECTORIES, "EINVAL", "EBADF"),
    (ORDER, ("pread far beyond",), ("stdin",), "EINVAL", "ESPIPE"),
    (ORDER, ("pread far beyond",), ("writing",), "EBADF", "EINVAL"),
    (ORDER, ("pwrite far beyond",), DIRECTORIES, "EINVAL", "EBADF"),
    (ORDER, ("pwrite far beyond",), ("stdout",), "EINVAL", "ESPIPE"),
    (ORDER, ("pwrite far beyond",), ("reading", "in the other"), "EBADF", "EINVAL"),
    (ORDER, ("extend far", "advise far"), STREAMS + DIRECTORIES, "EINVAL", "EBADF"),
    (ORDER, ("extend far",), ("in the other",), "EINVAL", "EPERM"),
    ("no file is so long, whatever is done at its end", ("pwrite far beyond",), ("appending",), "EINVAL", "ESUCCESS"),
    ("the host's file system decides which position is possible", ("seek far",), FILES, "EINVAL", "ESUCCESS"),
    ("as the host says", ("advise far",), FILES, "EINVAL", "ESUCCESS"),
    ("space is allocated", ("allocate",), ("file", "writing", "appending"), "ESUCCESS", "ENOTSUP"),
    ("space is allocated", ("allocate",), ("reading", "in the other"), "EBADF", "ENOTSUP"),
    ("databases do that", ("sync", "datasync"), DIRECTORIES, "ESUCCESS", "EBADF"),
    (FLAGS, ("append", "nonblock", "dsync"), STREAMS, "ENOTSUP", "EBADF"),
    (FLAGS, ("append", "nonblock", "dsync"), DIRECTORIES, "EINVAL", "EBADF"),
    (FLAGS, ("no append",), STREAMS + DIRECTORIES, "ESUCCESS", "EBADF"),
    (RIGHTS, ("rights",), STREAMS, "ESUCCESS", "EBADF"),
    (RIGHTS, ("rights",), FILES + DIRECTORIES, "ESUCCESS", "ENOTSUP"),
    (PATHS_IN_FILES, ("mkdir", "rmdir", "unlink", "path stat", "path times", "link", "link from", "rename", "rename from",
                      "symlink", "path readlink"), FILES, "ENOTDIR", "EBADF"),
)
DESCRIPTORS_DIFFERENT = {(call, kind): (here, there, reason) for reason, calls, kinds, here, there in ROWS
                         for call in calls for kind in kinds}


@pytest.mark.parametrize("call", DESCRIPTOR_CALLS)
def test_descriptors(mode, tmp_path, call):
    pair = Pair(mode, tmp_path)
    for kind, make in some_in(mode, list(OPENED.items()), 4):
        answers, files = pair(lambda guest: DESCRIPTOR_CALLS[call](guest, make(guest)))
        pair.clear()
        different = DESCRIPTORS_DIFFERENT.get((call, kind))
        if different:
            assert tuple(name for name, *_ in answers) == different[:2], (call, kind)
        else:
            assert answers[0] == answers[1] and files[0] == files[1], (call, kind)
