"""A MemoryProfile as WAMR prints it."""

# (words of a line, kind); WAMR's lines in WAMR's order, then ours
_MODULE = (("module struct", "module"), ("types", "types"), ("imports", "imports"), ("funcs", "functions"),
           ("tables", "tables"), ("memories", "memories"), ("globals", "globals"), ("exports", "exports"),
           ("table segs", "element segments"), ("data segs", "data segments"), ("const strings", "names"),
           ("tags", "tags"), ("custom sections", "custom sections"), ("binary", "binary"), ("facts", "facts"))
_CODE = (("threaded code", "threaded"), ("native code", "native"), ("debug information", "debug information"))
_UNKNOWN = "no enough info to profile"


def text(profile):
    """The lines, each with its end."""
    return "".join(f"{line}\n" for part in (_module, _instance, _exec_envs, _totals) for line in part(profile))


def _module(profile):
    yield from ("", "Memory consumption summary (bytes):")
    yield ("WASM module memory consumption, total size: "
           f"{sum(profile.module.values()) + sum(profile.code.values())}")
    yield from (f"    {words} size: {profile.module[kind]}" for words, kind in _MODULE)
    yield from (f"    {words} size: {profile.code[kind]}" for words, kind in _CODE)


def _instance(profile):
    kinds = profile.instance
    committed = kinds["memories"] + sum(memory.committed for memory in profile.memories)
    yield ("WASM module inst memory consumption, total size: "
           f"{sum(kinds.values()) - kinds['memories'] + committed}")
    yield f"    module inst struct size: {kinds['struct']}"
    yield f"    memories size: {committed}"
    yield f"        app heap size: {profile.heap_size}"
    yield f"        touched size: {sum(memory.touched for memory in profile.memories)}"
    yield f"        reserved address space: {sum(memory.reserved for memory in profile.memories)}"
    for words in ("tables", "functions", "globals", "exports"):
        yield f"    {words} size: {kinds[words]}"
    yield f"    table segs size: {kinds['element segments']}"


def _exec_envs(profile):
    structs, sizes = (sum(getattr(env, name) for env in profile.exec_envs) for name in ("struct", "size"))
    yield f"Exec env memory consumption, total size: {structs + sizes}"
    yield f"    exec env struct size: {structs}"
    yield f"    stack size: {sizes}"
    yield f"        touched size: {sum(env.touched for env in profile.exec_envs)}"


def _totals(profile):
    yield ""
    yield f"Total memory consumption of module, module inst and exec env: {profile.total}"
    yield f"Total interpreter stack used: {profile.peak}"
    yield f"Total aux stack used: {_UNKNOWN}"
    yield f"Native stack left: {_UNKNOWN}"
    yield f"Total app heap used: {profile.heap_used}"
    yield f"Total of it in physical memory: {profile.touched}"
    yield f"Code of the whole process: handlers {profile.process['handlers']}, trampolines {profile.process['trampolines']}"
    yield f"Cache on disk: this module {profile.cache['module']}, in all {profile.cache['all']}"
