"""Object code: out of the cache on disk, or compiled, laid out and put there. LLVM is imported only to compile."""
import marshal

from pyjit_wasm.codegen import cache
from pyjit_wasm.runtime import machine_stack
from pyjit_wasm.runtime.elf import Object, lay_out


def entry(kind, identity):
    """The name in the cache of what `kind` and `identity` (str or bytes) describe."""
    return f"{kind}-{cache.key(kind, identity)}"


def build(kind, identity, source, level, use_cache=True, compile=None):
    """The elf.Object for what `kind` and `identity` describe. `source()` gives the IR text if it has to be compiled, by
    `compile(source, level)` if given, else in this process."""
    return find(kind, identity, source, level, use_cache, compile)[0]


def find(kind, identity, source, level, use_cache=True, compile=None):
    """The same, and whether it came from the cache."""
    name = entry(kind, identity) if use_cache else None
    data = cache.fetch(name) if use_cache else None
    if data is not None:
        return Object(*marshal.loads(data)), True
    laid_out = lay_out((compile or _compile_here)(source, level))
    if use_cache:
        cache.store(name, marshal.dumps(laid_out.fields))
    return laid_out, False


class Absent(Exception):
    """An object is not in the cache."""


def absent(source, level):
    """A `compile` that does not: raises Absent."""
    raise Absent


def _compile_here(source, level):
    machine_stack.before_imports()
    from pyjit_wasm.codegen.llvm import compile_ir

    return compile_ir(source(), level)
