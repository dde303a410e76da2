"""Object code: out of the cache on disk, or compiled and put there. LLVM is imported only to compile."""
from pyjit_wasm.codegen import cache


def entry(kind, identity):
    """The name in the cache of what `kind` and `identity` (str or bytes) describe."""
    return f"{kind}-{cache.key(kind, identity)}"


def build(kind, identity, source, level, use_cache=True, compile=None):
    """Object bytes for what `kind` and `identity` describe. `source()` gives the IR text if it has to be compiled, by
    `compile(source, level)` if given, else in this process."""
    return find(kind, identity, source, level, use_cache, compile)[0]


def find(kind, identity, source, level, use_cache=True, compile=None):
    """The same bytes, and whether they came from the cache."""
    name = entry(kind, identity) if use_cache else None
    data = cache.fetch(name) if use_cache else None
    if data is not None:
        return data, True
    data = (compile or _compile_here)(source, level)
    if use_cache:
        cache.store(name, data)
    return data, False


class Absent(Exception):
    """An object is not in the cache."""


def absent(source, level):
    """A `compile` that does not: raises Absent."""
    raise Absent


def _compile_here(source, level):
    from pyjit_wasm.codegen.llvm import compile_ir

    return compile_ir(source(), level)
