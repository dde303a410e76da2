"""wasm.memory_profile: where the memory of an instance is (WAMR: wasm_runtime_dump_mem_consumption)."""
from __future__ import annotations

import ctypes
import sys
from collections import namedtuple

from pyjit_wasm import config
from pyjit_wasm.codegen import cache, objects
from pyjit_wasm.interp import interpreter
from pyjit_wasm.profiling.objects import size_of
from pyjit_wasm.runtime import arena, exec_env, libc
from pyjit_wasm.runtime.layout import CALL_SITE, EXEC_ENV, FUNC, MEM, TABLE
from pyjit_wasm.tiering.module_code import TOO_LARGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LinearMemory = namedtuple("LinearMemory", "reserved committed touched")
Stack = namedtuple("Stack", "struct size touched used peak")

# kinds of module structures: attributes of module.Module
_SYNTAX = {"types": ("types",), "imports": ("imports",), "functions": ("funcs", "codes"), "tables": ("tables", "table_defs"),
           "memories": ("mems",), "globals": ("globals", "global_defs"), "tags": ("tags",), "exports": ("exports",),
           "element segments": ("elems",), "data segments": ("datas",), "names": ("names",),
           "custom sections": ("customs",), "module": ("start", "declared")}


class MemoryProfile:
    """Bytes by kind. Dicts of name and bytes:

    module      `binary`, the syntax of the module by section (`types`, `functions`, `names`, `custom sections`, ...), measured
                with sys.getsizeof, and `facts`, what validation noted; types that modules share count for each
    instance    the INSTANCE block: `functions`, `globals`, `struct`, which is the rest; `tables`, `element segments`,
                `exports` (Function objects made so far), `memories` (their structs)
    code        of all of the module's instances: `threaded`, `native`, and `debug information`, the object files kept for it
    process     what everything in this process has in common: interpreter `handlers`, and `trampolines` with the runtime's
                own routines

    memories    for each linear memory (reserved, committed, touched): address space, current size, and what of that is in
                physical memory now (mincore)
    exec_envs   for each exec_env of the instance (struct, size, touched, used, peak), the latter four of its stack buffer
    heap_size, heap_used
                of the host-managed heap, the latter at most
    """

    module: dict[str, int]
    instance: dict[str, int]
    code: dict[str, int]
    process: dict[str, int]
    memories: tuple[LinearMemory, ...]
    exec_envs: tuple[Stack, ...]
    heap_size: int
    heap_used: int

    def __init__(self, inst: Any, envs: Any) -> None:
        self.module = _module(inst.code)
        self.instance = _instance(inst)
        self.code = _code(inst.code)
        self.process = {"handlers": interpreter.loaded_bytes(), "trampolines": arena.host.used}
        self.memories = tuple(map(_linear_memory, inst.memories))
        self.exec_envs = tuple(map(_stack, envs))
        self._code, self._cache = inst.code, None
        heap = inst.attached.get("heap")
        self.heap_size, self.heap_used = (heap.size, heap.peak) if heap else (0, 0)

    @property
    def cache(self) -> dict[str, int]:
        """On disk: `module`, of the entries that belong to the module's code that is loaded, and `all`. Found when first looked
        at, because all files of the cache are."""
        if self._cache is None:
            self._cache = {"module": _cached(self._code), "all": cache.usage()[1]}
        return self._cache

    @property
    def peak(self) -> int:
        """The most bytes of a stack buffer that the interpreter ever used."""
        return max((stack.peak for stack in self.exec_envs), default=0)

    @property
    def total(self) -> int:
        """Module, code, instance with committed linear memory, exec_envs with their stack buffers."""
        return (sum(self.module.values()) + sum(self.code.values()) + self._of_instance
                + sum(stack.struct + stack.size for stack in self.exec_envs))

    @property
    def touched(self) -> int:
        """The same, of linear memories and stack buffers only what is in physical memory."""
        return (self.total - sum(memory.committed - memory.touched for memory in self.memories)
                - sum(stack.size - stack.touched for stack in self.exec_envs))

    @property
    def _of_instance(self):
        return sum(self.instance.values()) + sum(memory.committed for memory in self.memories)

    def as_dict(self) -> dict[str, Any]:
        """All of it as dicts, lists and ints, for JSON."""
        return {"module": self.module, "instance": self.instance, "code": self.code, "process": self.process,
                "cache": self.cache, "memories": [memory._asdict() for memory in self.memories],
                "exec_envs": [stack._asdict() for stack in self.exec_envs],
                "heap": {"size": self.heap_size, "used": self.heap_used}, "peak": self.peak, "total": self.total,
                "touched": self.touched}

    def text(self) -> str:
        """As WAMR prints it, with lines for what WAMR does not have."""
        from pyjit_wasm.profiling.memory_text import text

        return text(self)

    def __repr__(self) -> str:
        return f"<wasm memory profile: {self.total} bytes, {self.touched} touched>"


def memory_profile(instance: Any, exec_env: Any = None) -> MemoryProfile:
    """The MemoryProfile of an Instance as things are, with all of its exec_envs or only with the ExecEnv given."""
    return MemoryProfile(instance._inst, [exec_env._env] if exec_env is not None else _exec_envs(instance._inst))


def _exec_envs(inst):
    return [env for env in exec_env.live() if env.instance is not None and env.instance() is inst and not env.closed]


# --- the kinds

def _module(code):
    module, seen = code.module, set()
    found = {"binary": size_of([module.data], seen)}
    for kind, names in _SYNTAX.items():
        found[kind] = size_of([getattr(module, name) for name in names], seen)
    found["module"] += sys.getsizeof(module)
    found["facts"] = size_of([code.facts], seen)
    return found


def _instance(inst):
    functions = FUNC.size * len(inst.module.codes)
    cells = 16 * len(inst.module.global_defs) + 8 * (len(inst.globals) - len(inst.module.global_defs))
    callables = list(inst.callables.values())
    return {"struct": ctypes.sizeof(inst._words) - functions - cells, "functions": functions, "globals": cells,
            "tables": sum(TABLE.size + 8 * table.length for table in inst.tables),
            "memories": MEM.size * len(inst.memories),
            "element segments": sum(map(ctypes.sizeof, inst._elems)),
            "exports": sum(sys.getsizeof(function) + CALL_SITE.size for function in callables)}


def _code(code):
    found = {"threaded": 0, "native": 0, "debug information": 0}
    for variant in code.variants:
        for made in list(variant.threaded.values()):
            if made != TOO_LARGE:
                found["threaded"] += made.size + 2 * len(made.starts) * made.starts.itemsize
        for unit in list(variant.units):
            found["native"] += unit.bytes
            found["debug information"] += unit.object_bytes
    return found


def _cached(code):
    """Bytes on disk of the units that are loaded, and of what is kept as a whole."""
    if not code.settings.cache:
        return 0
    names = [objects.entry(*code.unit_object(code.unit(unit.members, unit.entries, unit.loops, unit.batches)))
             for unit in list(code.units)]
    names += [kept.name for name in ("kept_threaded", "kept_native") if (kept := vars(code).get(name))]   # what was looked for
    return sum(map(cache.size, names))


def _linear_memory(memory):
    return LinearMemory(memory.reserved, memory.bytes, libc.MACHINE_PAGE * libc.resident(memory.base, memory.bytes).count(1))


def _stack(env):
    return Stack(EXEC_ENV.size + 8 * config.MAX_TRACE, env.stack_size, env.touched, env.used, env.peak)
