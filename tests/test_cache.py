"""The object cache on disk: where it is, that it saves LLVM, and that it trusts nothing."""
import os
import subprocess
import sys

import pytest

from pyjit_wasm import config
from pyjit_wasm.codegen import cache, environment

PROGRAM = """
inst = load('(module (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))', mode=MODE)
print([inst.exports.f(n) for n in range(5)], sorted({"llvmlite", "numba", "elftools"} & set(sys.modules)))
"""
RIGHT = "[0, 3, 6, 9, 12]"
COLD, WARM = f"{RIGHT} ['llvmlite']\n", f"{RIGHT} []\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty cache directory, for this process and its children."""
    folder = tmp_path / "cache"
    monkeypatch.setenv(config.CACHE_VARIABLE, str(folder))
    monkeypatch.setattr(cache, "_trusted", {})
    monkeypatch.setattr(environment, "unchanged", lambda: True)     # whoever edits the package while tests run
    return folder


@pytest.fixture
def run(child, place):
    def run(mode="jit", **environment):
        done = child(f"MODE = {mode!r}" + PROGRAM, **{config.CACHE_VARIABLE: str(place), **environment})
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run


def entries(place):
    return sorted(path for path in place.iterdir())


def test_a_warm_start_needs_no_llvm(run, place, mode):
    assert run(mode) == COLD
    before = [(path.name, path.read_bytes()) for path in entries(place)]
    assert run(mode) == WARM
    assert [(path.name, path.read_bytes()) for path in entries(place)] == before
    assert all(len(name.rpartition("-")[2]) == 64 for name, _ in before)


def test_only_the_user_can_read_and_write(entry, place):
    assert place.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in entries(place)} == {0o600}


def flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:]


DAMAGE = {"empty": lambda data: b"", "truncated": lambda data: data[:-1], "half": lambda data: data[:len(data) // 2],
          "longer": lambda data: data + b"\0", "one bit": flip, "other": lambda data: b"no object\n" * 100,
          "first byte": lambda data: b"X" + data[1:]}


NAME, PAYLOAD = "0123456789abcdef" * 4, bytes(range(256)) * 20


@pytest.fixture
def entry(place):
    """The file of an entry that is right."""
    cache.store(NAME, PAYLOAD)
    assert cache.fetch(NAME) == PAYLOAD
    return place / NAME


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_entries_are_ignored(entry, kind):
    sound = entry.read_bytes()
    entry.write_bytes(DAMAGE[kind](sound))
    assert cache.fetch(NAME) is None
    cache.store(NAME, PAYLOAD)
    assert entry.read_bytes() == sound and cache.fetch(NAME) == PAYLOAD


def test_damaged_entries_are_rebuilt(run, place):
    run()
    sound = {path: path.read_bytes() for path in entries(place)}
    for path, damage in zip(sound, [flip, *DAMAGE.values()]):
        path.write_bytes(damage(sound[path]))
    assert run() == COLD
    assert {path: path.read_bytes() for path in entries(place)} == sound


def test_an_entry_under_another_name(entry, place):
    entry.rename(place / NAME[::-1])
    assert cache.fetch(NAME[::-1]) is None


@pytest.mark.parametrize("permissions", [0o666, 0o620, 0o602])
def test_entries_that_others_can_write_are_not_used(entry, permissions):
    entry.chmod(permissions)
    assert cache.fetch(NAME) is None


def test_strange_entries(entry):
    entry.unlink()
    entry.symlink_to("/no/such/file")
    assert cache.fetch(NAME) is None
    entry.unlink()
    entry.mkdir()
    assert cache.fetch(NAME) is None
    cache.store(NAME, PAYLOAD)
    assert cache.fetch(NAME) is None and len(entries(entry.parent)) == 1


@pytest.mark.parametrize("permissions", [0o777, 0o770, 0o702])
def test_a_directory_that_others_can_write_is_not_used(entry, place, monkeypatch, permissions):
    monkeypatch.setattr(cache, "_trusted", {})
    place.chmod(permissions)
    cache.store(NAME[::-1], PAYLOAD)
    assert cache.fetch(NAME) is None and entries(place) == [entry]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
@pytest.mark.parametrize("what", ["entry", "directory"])
def test_foreign_owners_are_not_trusted(entry, place, monkeypatch, what):
    monkeypatch.setattr(cache, "_trusted", {})
    os.chown(entry if what == "entry" else place, 12345, 12345)
    assert cache.fetch(NAME) is None


def test_a_place_that_cannot_be_made(run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert run(PYJIT_WASM_CACHE=str(tmp_path / "file" / "cache")) == COLD


def test_off(run, tmp_path):
    assert run(PYJIT_WASM_CACHE="off", XDG_CACHE_HOME=str(tmp_path), HOME=str(tmp_path)) == COLD
    assert list(tmp_path.iterdir()) == []


def test_the_default_place(run, tmp_path):
    for _ in range(2):
        out = run(PYJIT_WASM_CACHE="", XDG_CACHE_HOME=str(tmp_path / "xdg"))
    assert out == WARM and list((tmp_path / "xdg" / "pyjit_wasm").iterdir())


def test_settings_have_entries_of_their_own(child, place):
    """Explicit bounds and guard pages must not share code."""
    code = """
        for bounds in ("guard", "explicit", "guard"):
            inst = load('(module (memory 1) (func (export "f") (param i32) (result i32) (i32.load (local.get 0))))',
                        mode="jit", memory_bounds=bounds)
            try:
                inst.exports.f(65534)
            except wasm.Trap as error:
                print(error.code)"""
    for _ in range(2):
        assert child(code).stdout == "out of bounds memory access\n" * 3


def test_the_size_is_bounded(place, monkeypatch):
    monkeypatch.setattr(config, "CACHE_LIMIT", 100_000)
    place.mkdir(mode=0o700)
    (place / "notes.txt").write_text("the user's own")
    names = [f"{number:064x}" for number in range(60)]
    for age, name in enumerate(names):
        monkeypatch.setattr(cache, "_written", cache._BETWEEN)
        cache.store(name, bytes(5000))
        if (place / name).exists():
            os.utime(place / name, (1_000_000 + age, 1_000_000 + age))
    count, size = cache.usage()
    assert 10 <= count <= 20 and size <= 100_000
    assert cache.fetch(names[-1]) == bytes(5000) and cache.fetch(names[0]) is None
    assert (place / "notes.txt").exists()
    cache.clear()
    assert cache.usage() == (0, 0) and [path.name for path in entries(place)] == ["notes.txt"]


def test_contents_by_kind(place):
    for name, size in (("unit-" + "0" * 64, 10), ("unit-" + "1" * 64, 20), ("signature-" + "0" * 64, 30), ("2" * 64, 40)):
        cache.store(name, bytes(size))
    (place / (".unit-" + "3" * 64 + ".1.2")).write_bytes(b"unfinished")
    (place / "notes-on.txt").write_text("the user's own")
    counts = {kind: count for kind, (count, _) in cache.contents().items()}
    assert counts == {"unit": 3, "signature": 1, "": 1}
    sizes = [path.stat().st_size for path in entries(place) if "notes" not in path.name]
    assert cache.usage() == (5, sum(sizes)) == (5, sum(size for _, size in cache.contents().values()))


def test_entries_that_go_meanwhile(place, monkeypatch):
    """Another process may finish or remove an entry between listing and looking."""
    for digit in "012":
        cache.store("unit-" + digit * 64, b"payload")
    listed = cache._entries

    def vanishing(place):
        found = listed(place)
        os.unlink(found[0].path)
        return found

    monkeypatch.setattr(cache, "_entries", vanishing)
    assert cache.contents()["unit"][0] == 2
    cache.clear()
    assert list(place.iterdir()) == []


def test_a_payload_larger_than_the_limit(place, monkeypatch):
    monkeypatch.setattr(config, "CACHE_LIMIT", 1000)
    monkeypatch.setattr(cache, "_written", cache._BETWEEN)
    cache.store("0" * 64, bytes(5000))
    assert cache.usage()[1] <= 1000


def test_keys(place):
    keys = {cache.key(*parts) for parts in [("a",), ("a", "b"), ("ab",), ("a", b"b", "c"), ("", "ab"), ("ab", "")]}
    assert len(keys) == 6
    assert cache.key("a", b"b") == cache.key("a", "b")


def test_concurrent_writers(place):
    """Several cold processes at once: all are right, and what they leave is sound."""
    code = f"import pyjit_wasm as wasm, sys\nload = lambda s, mode: wasm.load(s, mode=mode)\nMODE = 'jit'{PROGRAM}"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=100)[0] for process in processes]
    assert all(output.startswith(RIGHT) for output in outputs)
    assert all(cache.fetch(path.name) is not None for path in entries(place))
    assert not [path for path in entries(place) if path.name.startswith(".")]
