"""Object cache on disk: keyed, atomic, bounded, distrustful.

An entry is native code that will run in this process, so a directory that others may write is not
used, and an entry whose digest does not match is ignored and rebuilt. Writes go to a temporary file
that is renamed. The place is `$PYJIT_WASM_CACHE` (or "off"), else `$XDG_CACHE_HOME/pyjit_wasm`.
"""
import functools
import os

from pyjit_wasm import config
from pyjit_wasm.codegen import environment

try:
    from _blake2 import blake2b  # hashlib would load OpenSSL
except ImportError:
    from hashlib import blake2b

_hash = functools.partial(blake2b, digest_size=32)
_MAGIC = b"pyjit_wasm object 1\n"
_HEADER = len(_MAGIC) + 32


def directory():
    """Where entries are, or None when the cache is off."""
    place = os.environ.get(config.CACHE_VARIABLE)
    if place == "off":
        return None
    if place:
        return place
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "pyjit_wasm")


_trusted = {}


def available():
    """Whether entries can be kept: the cache is on, there is a directory that only this user can write, and it can be told
    what decides their code."""
    place = directory()
    return place is not None and _usable(place)


def _usable(place):
    """Whether `place` exists (it is made if need be), only this user can write it, and keys stand for all they should."""
    if place not in _trusted:
        try:
            os.makedirs(place, mode=0o700, exist_ok=True)
            status = os.stat(place)
            _trusted[place] = _ours(status) and environment.digest() is not None
        except OSError:
            _trusted[place] = False
    return _trusted[place]


def _ours(status):
    """Whether only this user can write a file or directory."""
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _private(path, flags):
    return os.open(path, flags, 0o600)


def _header(name, payload):
    """What precedes the payload of an entry."""
    return _MAGIC + digest(name.encode() + payload)


def digest(data):
    """32 bytes that stand for `data`."""
    return _hash(data).digest()


def key(*parts):
    """File name for what is made from `parts` (bytes or str) in this environment (`codegen.environment`)."""
    state = _hash(environment.digest() or b"")
    for part in parts:
        part = part.encode() if isinstance(part, str) else part
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def fetch(name):
    """The entry's bytes, or None: missing, damaged or not to be trusted."""
    place = directory()
    if place is None or not _usable(place):
        return None
    path = os.path.join(place, name)
    try:
        with open(path, "rb") as file:
            if not _ours(os.fstat(file.fileno())):
                return None
            entry = file.read()
        os.utime(path)
    except OSError:
        return None
    payload = entry[_HEADER:]
    if entry[:_HEADER] != _header(name, payload):
        return None
    return payload


def store(name, payload):
    """Add an entry; failing to (a full disk, no permission) is no error. Nothing is added once the package has changed
    under the running process."""
    place = directory()
    if place is None or not _usable(place) or not environment.unchanged():
        return
    temporary = os.path.join(place, f".{name}.{os.getpid()}.{id(payload):x}")
    try:
        with open(temporary, "wb", opener=_private) as file:
            file.write(_header(name, payload) + payload)
        os.rename(temporary, os.path.join(place, name))
        _shrink(place, len(payload))
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass


_BETWEEN = 32 << 20     # bytes written between two looks at the whole directory, by all processes together
_written = os.getpid() * 0x9E3779B1 % _BETWEEN  # processes that write little look in turn: with 100,000 entries it takes 0.5 s


def _shrink(place, size):
    """Keep the directory below the limit, oldest entries go first; looked at once in a while."""
    global _written
    _written += size
    if _written < _BETWEEN:
        return
    _written = 0
    entries = sorted((e.stat().st_mtime, e.stat().st_size, e.path) for e in _entries(place))
    total = sum(size for _, size, _ in entries)
    for _, size, path in entries:
        if total <= config.CACHE_LIMIT:
            break
        os.unlink(path)
        total -= size


def _entries(place):
    """Directory entries of what we wrote, unfinished files included: the user may keep other things there."""
    return [e for e in os.scandir(place) if _is_entry(e.name) and e.is_file(follow_symlinks=False)]


def _is_entry(name):
    """<kind>-<key>, or while it is written .<kind>-<key>.<pid>.<number>; once there were no kinds"""
    key = _without_suffix(name).rpartition("-")[2]
    return len(key) == 64 and not key.strip("0123456789abcdef")


def _without_suffix(name):
    return name[1:].split(".")[0] if name.startswith(".") else name


def size(name):
    """Bytes of an entry on disk, 0 if there is none."""
    place = directory()
    try:
        return os.stat(os.path.join(place, name)).st_size if place else 0
    except OSError:
        return 0


def usage():
    """(number of entries, bytes) on disk."""
    counts = contents().values()
    return sum(count for count, _ in counts), sum(size for _, size in counts)


def contents():
    """{kind: (number of entries, bytes)} on disk; a kind is what `objects.build` calls it, "" in older entries."""
    place, found = directory(), {}
    for entry in _entries(place) if place and os.path.isdir(place) else ():
        kind = _without_suffix(entry.name).rpartition("-")[0]
        count, size = found.get(kind, (0, 0))
        try:
            found[kind] = count + 1, size + entry.stat().st_size
        except FileNotFoundError:   # another process has finished or removed it
            pass
    return found


def clear():
    """Remove every entry."""
    place = directory()
    if place and os.path.isdir(place):
        for entry in _entries(place):
            try:
                os.unlink(entry.path)
            except FileNotFoundError:   # another process has finished or removed it
                pass
