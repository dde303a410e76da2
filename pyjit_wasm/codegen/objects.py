"""Object code: out of the cache on disk, or compiled and put there. LLVM is imported only to compile."""
from pyjit_wasm.codegen import cache


def fetch(kind, identity, use_cache):
    """(cache name, object bytes or None) for what `kind` and `identity` (str or bytes) describe."""
    name = cache.key(kind, identity) if use_cache else None
    return name, cache.fetch(name) if use_cache else None


def build(kind, identity, source, level, use_cache=True):
    """Object bytes; `source()` gives the IR text if it has to be compiled."""
    name, data = fetch(kind, identity, use_cache)
    if data is None:
        from pyjit_wasm.codegen import llvm

        data = llvm.compile_ir(source(), level)
        if use_cache:
            cache.store(name, data)
    return data
