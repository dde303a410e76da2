"""The part of cache keys that all compiled code has in common: this package, Python, the C library, LLVM and the processor.

Files count by content. Size and time miss an edit that restores both, and differ between machines and images that have
the same files and may share a cache.
"""
import os
import sys

try:
    from _blake2 import blake2b  # hashlib would load OpenSSL
except ImportError:
    from hashlib import blake2b

_package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CODE = (".py", ".pyc")     # .pyc outside of __pycache__: an installation without sources
_BLOCK = 1 << 17
_NOTES = 4096               # bytes at each end of a library: they have the build ID and the offsets of all sections

_digest = _package_digest = None
_modules, _unchanged = 0, True


def digest():
    """32 bytes that stand for all of it, computed once per process. None if a part cannot be read."""
    global _digest, _package_digest
    if _digest is None:
        try:
            _package_digest = package_digest()
            _digest = _hash([_package_digest, *python(), *llvm(), processor()])
        except OSError:
            _digest = b""
    return _digest or None


def unchanged():
    """Whether the package still is what `digest` read. Else modules that this process has imported since then may make other
    code. Reads the package again if anything was imported since the last time."""
    global _modules, _unchanged
    if _modules != len(sys.modules):
        _modules = len(sys.modules)
        try:
            _unchanged = _unchanged and package_digest() == _package_digest
        except OSError:
            _unchanged = False
    return _unchanged


def _hash(parts):
    state = blake2b(digest_size=32)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


# --- this package

def package_digest():
    """32 bytes that stand for the names and contents of all source files. Raises OSError."""
    if not os.path.isdir(_package):
        return _hash([_content(_archive(_package))])
    return _hash(part for name, path in sorted(_files(_package, "")) for part in (name.encode(), _content(path)))


def _files(folder, prefix):
    """[(name, path)] of the files with code in a folder and those below; a name begins with `prefix`."""
    found = []
    for entry in os.scandir(folder):
        if entry.name.endswith(_CODE):
            found.append((prefix + entry.name, entry.path))
        elif entry.name != "__pycache__" and entry.is_dir():
            found += _files(entry.path, f"{prefix}{entry.name}/")
    return found


def _archive(path):
    """The file that a path leads into: the package is in a zip. Raises OSError."""
    while not os.path.isfile(path):
        outer = os.path.dirname(path)
        if outer == path:
            raise FileNotFoundError(path)
        path = outer
    return path


def _content(path):
    """The bytes of a file: `open` takes three times as long."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, _BLOCK)
        if len(content) == _BLOCK:
            while more := os.read(descriptor, _BLOCK):
                content += more
        return content
    finally:
        os.close(descriptor)


# --- everything else

def python():
    """Descriptions of Python and the C library: they decide the layout of objects and of what signal handlers get."""
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        library = None
    uname = os.uname()
    return [str(part).encode() for part in (
        sys.version, sys.implementation.cache_tag, sys.abiflags, sys.maxsize, object.__basicsize__, uname.sysname,
        uname.machine, library)]


def llvm():
    """Descriptions of llvmlite and its LLVM, which are not imported for that; none without llvmlite. Raises OSError."""
    folder = _llvmlite()
    if folder is None:
        return []
    libraries = os.path.join(folder, "binding")
    found = [_content(os.path.join(folder, "_version.py"))]
    for name in sorted(os.listdir(libraries)):
        if name.endswith(".so"):
            found += [name.encode(), _ends(os.path.join(libraries, name))]
    return found


def _llvmlite():
    """The folder of the llvmlite that is or would be imported, or None."""
    if "llvmlite" in sys.modules:
        return sys.modules["llvmlite"].__path__[0]
    for folder in sys.path:     # finders would list all of it
        candidate = os.path.join(folder, "llvmlite")
        if os.path.exists(os.path.join(candidate, "_version.py")):
            return candidate
    for finder in sys.meta_path:
        spec = finder.find_spec("llvmlite", None) if hasattr(finder, "find_spec") else None
        if spec is not None:
            return spec.submodule_search_locations[0]
    return None


def _ends(path):
    """Size and both ends of a library, too large to be read as a whole."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(_NOTES)
        file.seek(max(0, size - _NOTES))
        return size.to_bytes(8, "little") + head + file.read(_NOTES)


_PROCESSOR = (b"vendor_id", b"cpu family", b"model", b"stepping", b"flags")


def processor():
    """The lines of /proc/cpuinfo that decide which instructions LLVM chooses: the model, and the features that programs may
    use. A change of microcode matters only if it changes the features. Raises OSError."""
    first = _content("/proc/cpuinfo").split(b"\n\n")[0]
    return b"\n".join(line for line in first.split(b"\n") if line.startswith(_PROCESSOR))
