"""Object code: out of the cache on disk, or compiled, laid out and put there. LLVM is imported only to compile."""
import marshal
import sys

from pyjit_wasm.codegen import cache
from pyjit_wasm.runtime import libc, machine_stack
from pyjit_wasm.runtime.elf import Object, lay_out

_LIBRARY = 200 << 20        # address space that loading LLVM takes
_ROOM, _ROOM_PER_BYTE = 32 << 20, 256   # memory that must be there before LLVM is called: it took up to 80 bytes per byte of text


def entry(kind, identity, source=None, level=""):
    """The name in the cache of what `kind` and `identity` (str or bytes) describe, arguments as for `build`: they decide the
    source."""
    return f"{kind}-{cache.key(kind, identity, level)}"


def build(kind, identity, source, level, use_cache=True, compile=None):
    """The elf.Object for what `kind` and `identity` describe. `source()` gives the IR text if it has to be compiled, by
    `compile(source, level)` if given, else in this process. What all engines share is always kept in the cache."""
    return find(kind, identity, source, level, use_cache, compile)[0]


def find(kind, identity, source, level, use_cache=True, compile=None):
    """The same, and whether it came from the cache."""
    use_cache = use_cache and cache.available()     # without one nobody reads all sources for a key
    name = entry(kind, identity, source, level) if use_cache else None
    data = cache.fetch(name) if use_cache else None
    if data is not None:
        return Object(*marshal.loads(data)), True
    laid_out = lay_out((compile or _compile_here)(source, level))
    if use_cache:
        cache.store(name, marshal.dumps(laid_out.fields))
    return laid_out, False


class Absent(Exception):
    """An object is not in the cache."""


def absent(*_):
    """A `compile` that does not: raises Absent."""
    raise Absent


def _compile_here(source, level):
    return compile_here(source(), level)


def compile_here(text, level):
    """Object bytes of the LLVM module `text`, compiled in this process. Raises MemoryError if there is little memory: LLVM
    ends the process when it finds none."""
    machine_stack.before_imports()
    if "llvmlite" not in sys.modules:
        libc.require(_LIBRARY, libc.PROT_NONE)
    libc.require(_ROOM + _ROOM_PER_BYTE * len(text), libc.PROT_RW)
    from pyjit_wasm.codegen.llvm import compile_ir

    return compile_ir(text, level)
