"""Compiles ahead of time: fills the cache on disk with all that a module needs in a mode.

    from pyjit_wasm.precompilation import precompile
    precompile(wasm.Module("prog.wasm", engine=wasm.Engine(mode="jit")))
"""
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from pyjit_wasm import large_stacks
from pyjit_wasm.codegen import abi, budget, cache, native, objects
from pyjit_wasm.codegen.worker import Worker
from pyjit_wasm.engine import Module
from pyjit_wasm.features import SIMD, proposals
from pyjit_wasm.interp import interpreter
from pyjit_wasm.runtime.instance import check_supported
from pyjit_wasm.tiering import units
from pyjit_wasm.tiering.module_code import ModuleCode
from pyjit_wasm.types import DefType
from pyjit_wasm.wasi import direct
from pyjit_wasm.wasi.host import MODULES


@dataclasses.dataclass(frozen=True)
class Precompiled:
    """What was done: `functions`, how many are in the cache as native code; `objects` that are needed; how many of them were
    `compiled`, the others being there; `bytes` of the compiled ones; `seconds` it took."""

    functions: int
    objects: int
    compiled: int
    bytes: int
    seconds: float


def precompile(module: Module, jobs: int | None = None,
               progress: Callable[[int, int], object] | None = None) -> Precompiled:
    """Fill the cache for a module in the mode and with the settings of its engine, in `jobs` processes (default: one for each
    processor that this one may use). In modes "jit" and "tiered" that is native code of every function; in "interp" and
    "tiered" the interpreter; in "interp" the threaded code of large modules, which is written when the module goes. All have
    what calls need.
    `progress` is called with how many objects are done and how many there are.

    Raises ValueError if the cache is off, RuntimeError if its directory cannot be used, UnsupportedError, and InternalError
    with what LLVM said.
    """
    if not module.engine.cache or cache.directory() is None:
        raise ValueError("the cache of compiled code is off")
    if not cache.available():
        raise RuntimeError(f"{cache.directory()}: not a directory that only this user can write")
    check_supported(module.syntax, module.code.facts)
    start, parts = time.monotonic(), list(_parts(module))
    missing = [part for part in parts if cache.fetch(objects.entry(*part)) is None]
    progress = progress or (lambda done, count: None)
    progress(len(parts) - len(missing), len(parts))
    compiled = 0
    for done, size in enumerate(_compiled(missing, jobs or len(os.sched_getaffinity(0))), len(parts) - len(missing) + 1):
        compiled += size
        progress(done, len(parts))
    interpreted = module.engine.mode == "interp"
    if not interpreted:
        cache.store(module.code.ahead_entry, b"")
    elif module.code.kept_threaded is not None:
        for funcidx in range(module.code.first, len(module.syntax.funcs)):
            module.code.translate(funcidx)
    functions = 0 if interpreted else len(module.syntax.codes)
    return Precompiled(functions, len(parts), len(missing), compiled, time.monotonic() - start)


def _parts(module: Module) -> Iterator[tuple]:
    """The first arguments of `objects.build` for all that is needed, the slowest first."""
    code, explicit = module.code, module.code.explicit
    if module.engine.mode != "interp":
        for members, entries in {id(unit): unit for unit in code.partition.values()}.values():
            try:
                budget.check(code.module, code.facts, members)
            except budget.OverBudget:   # it is interpreted
                continue
            yield code.unit_object(code.unit(members, entries))
    if module.engine.mode != "jit":
        yield interpreter.handlers_object(explicit)
        if SIMD in proposals(module.syntax):
            yield interpreter.vectors_object(explicit)
    yield native.support_object()
    if any(wanted.module in MODULES and isinstance(wanted.type, DefType) and direct.is_direct(wanted.name, wanted.type.comp)
           for wanted in module.syntax.imports):
        yield direct.code()
    for kind, part, letters in dict.fromkeys(_trampolines(code)):
        yield kind.object(part, letters)


def _trampolines(code: ModuleCode) -> Iterator[tuple]:
    """(class, part, letters) of the trampolines through which functions are called, for each function."""
    plain, status = native.Trampolines, native.StatusTrampolines
    called = units.escaping(code.module) | {export.index for export in code.module.exports if export.kind == "func"}
    for index, deftype in enumerate(code.module.funcs):
        if index < code.first:
            wanted = [(plain, "host"), (plain, "tiers")] + [(status, "tiers"), (status, "catching")] * code.status
        else:
            wanted = [(status, "tiers"), (status, "throwing")] if code.status else [(plain, "tiers")]
        if index in called:
            wanted.append((plain, "enter"))
        for kind, part in wanted:
            yield kind, part, abi.signature(deftype.comp)


def _compiled(parts: list[tuple], jobs: int) -> Iterator[int]:
    """The sizes of objects, in the order in which they are compiled and stored."""
    workers, local = [], threading.local()

    def start() -> None:
        local.worker = Worker()
        workers.append(local.worker)

    def build(part: tuple) -> int:
        return len(objects.build(*part, compile=lambda source, level: local.worker.compile(source(), level)).data)

    with ThreadPoolExecutor(max(1, min(jobs, len(parts))), initializer=start) as executor:
        try:
            for future in as_completed(large_stacks.start(lambda: [executor.submit(build, part) for part in parts])):
                yield future.result()
        finally:
            executor.shutdown(cancel_futures=True)
            for worker in workers:
                worker.close()
