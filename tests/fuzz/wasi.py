"""Random sequences of WASI calls: the same on the host's files, on files in memory, without generated code, and in wasmtime.

The model is the same sequence in the other implementations: success or failure, results, and the files at the end. Ours
must give the same errnos too. Files outside the directories that a guest was given must stay what they are and their content
must not come out. Calls with random numbers instead of pointers follow, which only ours are asked.
"""
import json
import random
import signal
import tempfile
from collections import Counter, namedtuple
from pathlib import Path, PurePosixPath

import pyjit_wasm as wasm
from modes import MODES
from pyjit_wasm.wasi import abi
from wasi_guests import PAGES, PyjitGuest, WasmtimeGuest
from wasi_trees import OUTSIDE, build, snapshot

from .children import in_child
from .generator_values import Choices

NAME, SUFFIX, SIZE = "wasi", ".json", 20
STEPS, RAW, SECONDS = 40, 20, 60     # calls of a sequence, the same of random numbers; seconds until it hangs
PATHS = ("file", "new", "dir", "dir/inner", "link", "dirlink/inner", "empty", "dir/sub", "dir/new", "new/x", "empty/x", "dirlink",
         "../x", "/file", "out", "outdir/canary", "dir/over/canary", "dangling", "loop", "nope/x", ".", "dir/../file", "dir/up")
DATA = ("ab", "", "0123456789", "x" * 3000)
NUMBERS = (0, 1, 2, 5, 100, 4095, 4096, 65536)
SMALL = (0, 1, 2, 3, 4, 5, 7, 8)
# numbers in the place of pointers, lengths, descriptors and flags
HOSTILE = (0, 1, 3, 4, 5, 8, 64, 1024, 65535, PAGES * 65536 - 8, PAGES * 65536 - 1, PAGES * 65536, 1 << 31, (1 << 32) - 1,
           (1 << 32) - 8)
NOT_RAW = {"proc_exit", "proc_raise", "poll_oneoff", "clock_time_get", "random_get", "sock_accept"}
# flags that stay as they are can be set on anything here, and not in wasmtime (tests/test_wasi_parity.py)
OWN = {"append"}
RAW_MEMORY = b"file\0dir/../new" * 512
READ_ONLY = abi.ALL_RIGHTS & ~abi.RIGHT_FD_WRITE

# `made`: choices, or None where `steps` were given
Finding = namedtuple("Finding", "kind engine what made steps")


def one_step(choices):
    """[name, arguments ...]: `handles` are numbers of what was opened, 0 and 1 the directories."""
    of = choices.of
    name = of(("open", "write", "read", "close", "open", "seek", "pread", "pwrite", "size", "stat", "mkdir", "rmdir", "unlink",
               "rename", "link", "symlink", "readlink", "lstat", "readdir", "tell", "filestat", "renumber", "write", "read",
               "append", "times"))
    rights = of((abi.ALL_RIGHTS, READ_ONLY))
    # wasmtime lets what it creates or truncates be written in any case
    oflags = of((0, abi.OFLAGS_CREAT, abi.OFLAGS_CREAT, abi.OFLAGS_CREAT | abi.OFLAGS_EXCL, abi.OFLAGS_TRUNC,
                 abi.OFLAGS_DIRECTORY) if rights == abi.ALL_RIGHTS else (0, abi.OFLAGS_DIRECTORY))
    path, other, handle = of(PATHS), of(PATHS), choices.below(8)
    folder = of((0, 0, 0, 1, handle))
    return [name, *{
        "open": (folder, path, oflags, rights, of((1, 0)), of((0, abi.FDFLAGS_APPEND))),
        "write": (handle, of(DATA)), "read": (handle, of(NUMBERS[:7])), "close": (handle,), "tell": (handle,),
        "seek": (handle, of((0, 3, -2, 100, 5000)), of((0, 1, 2))), "pread": (handle, of(NUMBERS[:6]), of(NUMBERS)),
        "pwrite": (handle, of(DATA), of(NUMBERS)), "size": (handle, of(NUMBERS)), "filestat": (handle,),
        "append": (handle, of((1, 0))), "readdir": (handle,), "renumber": (handle, choices.below(8)),
        "mkdir": (folder, path), "rmdir": (folder, path), "unlink": (folder, path), "readlink": (folder, path),
        "stat": (folder, path), "lstat": (folder, path), "times": (folder, path),
        "rename": (folder, path, other), "link": (folder, path, other), "symlink": (folder, path, other)}[name]]


def raw_step(choices):
    """["raw", function, numbers ...]"""
    name = choices.of(sorted(set(abi.SIGNATURES) - NOT_RAW))
    return ["raw", name, *(choices.of(SMALL) if choices.chance(2) else choices.of(HOSTILE) for _ in abi.SIGNATURES[name])]


def grow(seed):
    choices = Choices(rng=random.Random(f"wasi {seed}"))
    steps_of(choices)
    return choices.made


def steps_of(choices):
    count = choices.below(STEPS) + 1
    return [one_step(choices) for _ in range(count)] + [raw_step(choices) for _ in range(choices.below(RAW))]


class Player:
    """Plays steps on a guest."""

    def __init__(self, guest):
        self.guest, self.handles = guest, [3, 4]

    def handle(self, number):
        return self.handles[number] if number < len(self.handles) else 99

    def play(self, name, *arguments):
        """(errno or "trap", results ...)"""
        import wasmtime
        try:
            return getattr(self, f"do_{name}")(*arguments)
        except (wasm.Trap, wasmtime.Trap, wasmtime.WasmtimeError):
            return ("trap",)

    def do_open(self, folder, path, oflags, rights, follow, fdflags):
        errno, fd = self.guest.open(path, oflags, rights, self.handle(folder), follow, fdflags)
        if not errno and len(self.handles) < 8:
            self.handles.append(fd)
        return (errno,)

    def do_close(self, number):
        return (self.guest.fd_close(self.handle(number)) if number > 1 else 0,)

    def do_renumber(self, number, to):
        if min(number, to) < 2 or max(number, to) >= len(self.handles):
            return (0,)
        return (self.guest.fd_renumber(self.handle(number), self.handle(to)),)

    def do_write(self, number, data):
        return self.guest.write(self.handle(number), data.encode())

    def do_read(self, number, size):
        return self.guest.read(self.handle(number), size)

    def do_pread(self, number, size, offset):
        return self.guest.pread(self.handle(number), size, offset)

    def do_pwrite(self, number, data, offset):
        return self.guest.pwrite(self.handle(number), data.encode(), offset)

    def do_seek(self, number, delta, whence):
        return self.guest.seek(self.handle(number), delta, whence)

    def do_tell(self, number):
        return self.guest.tell(self.handle(number))

    def do_size(self, number, size):
        return (self.guest.fd_filestat_set_size(self.handle(number), size),)

    def do_append(self, number, flags):
        return (self.guest.fd_fdstat_set_flags(self.handle(number), flags),)

    def do_filestat(self, number):
        return _stat(self.guest.filestat(self.handle(number)))

    def do_readdir(self, number):
        errno, _, entries = self.guest.readdir(self.handle(number))
        return errno, entries and sorted((name, filetype) for _, _, filetype, name in entries)

    def do_mkdir(self, folder, path):
        return (self.guest.mkdir(path, self.handle(folder)),)

    def do_rmdir(self, folder, path):
        return (self.guest.rmdir(path, self.handle(folder)),)

    def do_unlink(self, folder, path):
        return (self.guest.unlink(path, self.handle(folder)),)

    def do_readlink(self, folder, path):
        return self.guest.readlink(path, self.handle(folder))

    def do_stat(self, folder, path):
        return _stat(self.guest.stat(path, self.handle(folder)))

    def do_lstat(self, folder, path):
        return _stat(self.guest.stat(path, self.handle(folder), 0))

    def do_times(self, folder, path):
        return (self.guest.set_times(path, 5, 6, 5, self.handle(folder)),)

    def do_rename(self, folder, path, other):
        return (self.guest.rename(path, other, self.handle(folder), 3),)

    def do_link(self, folder, path, other):
        return (self.guest.link(path, other, self.handle(folder), 3),)

    def do_symlink(self, folder, path, other):
        return (self.guest.symlink(path, other, self.handle(folder)),)

    def do_raw(self, name, *numbers):
        self.guest.store(0, RAW_MEMORY)     # nothing of files' times and numbers, which are read as paths
        return (getattr(self.guest, name)(*numbers),)


def _stat(answer):
    """Type, and size of files."""
    errno, stat = answer
    if errno:
        return (errno,)
    return errno, stat[2], stat[4] if stat[2] == abi.FILETYPE_REGULAR_FILE else None


def _tree(path):
    """What MemoryTree.contents() says of a host directory."""
    if path.is_symlink():
        return PurePosixPath(path.readlink())
    return {one.name: _tree(one) for one in path.iterdir()} if path.is_dir() else path.read_bytes()


def _guests(root, mode):
    """{name: Player}, with the same files each."""
    for name in ("host", "python", "wasmtime"):
        build(root / name)
    tree = _tree(root / "host" / "rw")
    ours = {"stdin": b"input", "stdout": lambda data: None, "stderr": lambda data: None}
    (root / "in").write_bytes(b"input")

    def on(name):
        return {"rw": root / name / "rw", "ro": wasm.ReadOnly(root / name / "ro")}
    return {
        "host": Player(PyjitGuest(mode, dirs=on("host"), **ours)),
        "python": Player(PyjitGuest(mode, dirs=on("python"), direct=False, **ours)),
        "memory": Player(PyjitGuest(mode, dirs={"rw": tree, "ro": wasm.ReadOnly(tree)}, **ours)),
        "wasmtime": Player(WasmtimeGuest(dirs={"rw": (root / "wasmtime" / "rw", True), "ro": (root / "wasmtime" / "ro", False)},
                                         stdin=root / "in", stdout=root / "out", stderr=root / "err")),
    }


def _same(name, answers):
    """Whether the answers agree. What fails may fail for another reason in wasmtime, which also traps where ours say EINVAL;
    and so may a path of random bytes in memory."""
    host, memory = answers["host"], answers["memory"]
    if host != answers["python"]:
        return False
    if name in ("raw", "rename"):   # two things may be wrong with a path, or with a directory that would move into itself
        if (host[0] == 0) != (memory[0] == 0):
            return False
        if name == "raw":
            return True
    elif host != memory:
        return False
    theirs = answers["wasmtime"]
    return (theirs == host or 0 not in (theirs[0], host[0]) or name in OWN)


def play(steps, mode, progress=None):
    """[what is wrong, ...] of one sequence; at most one str."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        players = _guests(root, mode)
        for number, (name, *arguments) in enumerate(steps):
            if progress is not None:
                progress.note(f"step {number}: {name} {arguments}")
            signal.alarm(SECONDS)
            active = {one: player for one, player in players.items() if name != "raw" or one != "wasmtime"}
            answers = {one: player.play(name, *arguments) for one, player in active.items()}
            if OUTSIDE in repr(answers):
                return [f"step {number} {name}{arguments} reads outside: {answers}"]
            if not _same(name, answers):
                return [f"step {number} {name}{arguments}: {answers}"]
            if name != "raw" and (wrong := _files(root, players)):
                return [f"step {number} {name}{arguments}: {wrong}"]
        for name in ("host", "python", "wasmtime"):
            if snapshot(root / name / "outside") != snapshot(build(root / f"new {name}") / "outside"):
                return [f"files outside have changed: {name}"]
        for name in ("host", "python", "memory"):
            players[name].guest.close()
    return []


def _files(root, players):
    """How the writable trees differ, or an empty str."""
    trees = {name: _tree(root / name / "rw") for name in ("host", "python", "wasmtime")}
    trees["memory"] = players["memory"].guest.wasi.dirs["rw"].contents()
    return "" if all(tree == trees["host"] for tree in trees.values()) else f"files: {trees}"


def trial(progress, cases, mode):
    """[Finding, ...] of [(choices or None, steps)]."""
    found = []
    for place, (made, steps) in enumerate(cases):
        progress.note(f"sequence {place}")
        found += [Finding("difference", mode, what, made, steps) for what in play(steps, mode, progress)]
    return found


def explore(seed, options, count=SIZE):
    """([Finding], Counter) of sequences; each in one of the modes."""
    modes = [mode for mode in options.modes if mode in MODES]
    found, mode = [], modes[seed % len(modes)]
    cases = [(made, steps_of(Choices(made))) for made in map(grow, range(seed * SIZE, seed * SIZE + count))]
    ended = in_child(trial, cases, mode)
    if ended.death is None:
        return ended.value, Counter(sequences=count)
    for made, _ in cases:
        found += check(made, mode)
    return found, Counter(sequences=count)


def check(made, mode):
    steps = steps_of(Choices(made))
    ended = in_child(trial, [(made, steps)], mode)
    return [Finding(ended.death, mode, ended.progress, made, steps)] if ended.death else ended.value


def minimised(finding, shrunk, trials):
    """The shortest sequence found that shows it."""
    best = finding

    def fails(sequences):
        nonlocal best
        found = [one for one in check(sequences[0], finding.engine) if one.kind == finding.kind]
        best = found[0] if found else best
        return bool(found)

    shrunk([finding.made], fails, trials)
    return best


def text(finding):
    """JSON."""
    return json.dumps({"kind": "wasi", "what": finding.what[:500], "steps": finding.steps}) + "\n"


def replay(text, mode, bounds):
    """[what is wrong, ...] with steps that were kept."""
    ended = in_child(trial, [(None, json.loads(text)["steps"])], mode)
    return [f"{ended.death}: {ended.progress}"] if ended.death else [one.what for one in ended.value]
