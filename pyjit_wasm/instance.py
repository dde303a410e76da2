"""wasm.Instance: instantiation (spec 4.5.4) and what an instance exports."""
from __future__ import annotations

import weakref

from pyjit_wasm import externs, foreign, function, pickling
from pyjit_wasm.codegen import native
from pyjit_wasm.engine import Engine, Module, check_mode, check_stack_size
from pyjit_wasm.errors import LinkError, Trap, WasiExit
from pyjit_wasm.runtime import sharing, signals
from pyjit_wasm.runtime.instance import ModuleInstance
from pyjit_wasm.runtime.store import GlobalInst, HostFunc, MemoryInst
from pyjit_wasm.types import I32, DefType, GlobalType, matches_extern
from pyjit_wasm.values import to_bits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, NoReturn

    from pyjit_wasm.engine import Mode, Source
    from pyjit_wasm.function import Function

    Imports = Mapping[str, Any]  # {module: {name: value}}


class Instance:
    """A module instance.

    imports      {module: {name: value}}: plain callables, those of `host_function`, Function, Memory, Table, Global,
                 Tag, C function pointers (ctypes, cffi, numba), numbers for immutable globals; `other.exports` and
                 Python modules work as inner mappings, a Linker as the outer one, a Wasi as either
    stack_size   bytes of the exec_env's stack buffer; default the engine's
    mode         overrides the engine's

    Raises LinkError ("unknown import", "incompatible import type"), Trap (from segments or the start
    function), MemoryError if there is no room (for the minimum of a memory or table, for code), whatever a host function
    called by the start function raises.

    An instance goes when nothing refers to it, its functions or its memories any more, cycles included; there is
    nothing to close.
    """

    module: Module
    exports: Exports
    __reduce_ex__ = pickling.refuse

    def __init__(self, module: Module | Source, imports: Imports | None = None, *, stack_size: int | None = None,
                 mode: Mode | None = None) -> None:
        if not isinstance(module, Module):
            module = Module(module)
        engine = module.engine
        self.module = module
        native.load_support()
        signals.renew()
        importer = Importer(module.syntax.mems)
        resolved = [_resolve(wanted, {} if imports is None else imports, module, importer)
                    for wanted in module.syntax.imports]
        size = engine.stack_size if stack_size is None else check_stack_size(stack_size)
        self._set(ModuleInstance(module.code, check_mode(mode or engine.mode), resolved, size))
        self._inst.public_module = module
        importer.made(self)
        if module.syntax.start is not None:
            function.of_instance(self._inst, module.syntax.start)()

    def _set(self, inst):
        self._inst = inst
        self.exports = Exports(inst)
        inst.public = weakref.ref(self)
        return self

    @classmethod
    def _of(cls, inst):
        """The Instance of a ModuleInstance."""
        public = inst.public()
        if public is None:
            public = object.__new__(cls)._set(inst)
            public.module = inst.public_module
        return public

    def run(self) -> int:
        """Run a WASI command's `_start`, or a reactor's `_initialize` unless that has been done, and return the exit
        code: what `proc_exit` was given, else 0. Raises LinkError if neither is exported, Trap, and what host functions
        raise."""
        entry = next((name for name in ("_start", "_initialize") if name in self.exports), None)
        if entry is None:
            raise LinkError("the module exports neither _start nor _initialize")
        if entry == "_initialize":
            if self._inst.initialized:
                return 0
            self._inst.initialized = True
        try:
            self.exports[entry]()
        except WasiExit as exit:
            return exit.code
        return 0

    @property
    def mode(self) -> Mode:
        """"interp", "jit" or "tiered"; may be changed at any time. Calls in progress finish as they are."""
        return self._inst.mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._inst.mode = check_mode(mode)
        self._inst.code.switch_mode(self._inst)

    def function(self, name: str | int) -> Function:
        """The Function exported under `name`, or any by its index or name in the name section. KeyError
        without such a function."""
        syntax = self.module.syntax
        if isinstance(name, int):
            if not 0 <= name < len(syntax.funcs):
                raise KeyError(name)
            return function.of_instance(self._inst, name)
        export = self.exports._index.get(name)
        index = export.index if export is not None and export.kind == "func" else syntax.named_function(name)
        if index is None:
            raise KeyError(name)
        return function.of_instance(self._inst, index)

    def interrupt(self, error: BaseException | None = None) -> bool:
        """Have the call that is running in this instance, in another thread, raise `error`, an Interrupted unless one
        is given; whether a call is running. `ExecEnv.interrupt` says more."""
        from pyjit_wasm.exec_env import of_runtime

        return of_runtime(self._inst.exec_env).interrupt(error)

    def __repr__(self) -> str:
        return f"<wasm instance: mode {self.mode}, exports {', '.join(self.exports)}>"


class Exports:
    """The exports of an instance, as attributes and as a mapping of their names to Function, Memory, Table, Global and
    Tag objects. AttributeError or KeyError for what is not exported."""

    __reduce_ex__ = pickling.refuse

    def __init__(self, inst):
        self.__dict__["_inst"] = inst
        self.__dict__["_index"] = {e.name: e for e in inst.module.exports}
        self.__dict__["_found"] = {}

    def __getitem__(self, name: str) -> Any:
        found = self._found.get(name)
        if found is None:
            export = self._index[name]
            found = self._found[name] = self._make(export)
            if name not in ("_inst", "_index", "_found"):
                self.__dict__[name] = found
        return found

    def _make(self, export):
        if export.kind == "func":
            return function.of_instance(self._inst, export.index)
        item = {"memory": self._inst.memories, "table": self._inst.tables, "global": self._inst.globals,
                "tag": self._inst.tags}[export.kind][export.index]
        sharing.keep_owner(self._inst, item)
        return externs.public(item)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the instance exports no {name!r}") from None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("exports cannot be assigned to")

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __dir__(self) -> list[str]:
        return list(self._index)


def load(source: Source, imports: Imports | None = None, **settings: Any) -> Instance:
    """Compile and instantiate in one call. `settings` go to the Engine, except `stack_size`, which is the
    instance's, and `engine`, which is instead of them. Raises what Engine, Module and Instance raise."""
    stack_size = settings.pop("stack_size", None)
    engine = settings.pop("engine", None) or (Engine(**settings) if settings else None)
    return Instance(Module(source, engine=engine), imports, stack_size=stack_size)


class Importer:
    """The instance that imports are found for: `address_type` "i32" or "i64" of its first memory, None if there will be
    none, and `exports`, those of the instance as soon as there is one."""

    def __init__(self, memtypes):
        self.address_type, self.exports, self.memory = (memtypes[0].addr if memtypes else None), {}, None
        self._waiting, self.adapted = [], []

    def view(self):
        """A memoryview of all of the first memory."""
        if self.memory is None:  # the instance failed, but left a function in a table
            raise Trap("out of bounds memory access")
        return memoryview(self.memory)

    def call_when_made(self, function):
        """Have it called with the exports as soon as there is an instance, before its start function runs."""
        self._waiting.append(function)

    def made(self, instance):
        self.exports = instance.exports
        for item in self.adapted:
            if isinstance(item, HostFunc):
                item.importer = item.importer or weakref.ref(instance._inst)
        if instance._inst.memories:
            self.memory = externs.public(instance._inst.memories[0])
        while self._waiting:
            self._waiting.pop()(self.exports)


def _resolve(wanted, imports, module, importer):
    """The store object for an import."""
    value = _look_up(wanted, imports)
    item = externs.store_object(value)
    if item is None:
        item = _adapt(wanted, value, importer)
        importer.adapted.append(item)
    elif not matches_extern(item.current_type, wanted.type):
        raise _mismatch(wanted, _describe(item.current_type))
    if isinstance(item, MemoryInst) and not item.guarded and item.type.addr == I32 and (
            module.engine.memory_bounds == "guard"):
        raise LinkError(f"incompatible import type for {wanted.module}.{wanted.name}: "
                        "a memory without guard pages in an engine that relies on them")
    return item


def _look_up(wanted, imports):
    """The value for an import. An object with `__wasm_space__(module)` in the place of an inner mapping returns that."""
    try:
        space = imports[wanted.module]
        if hasattr(type(space), "__wasm_space__"):
            space = space.__wasm_space__(wanted.module)
        return space[wanted.name] if hasattr(space, "__getitem__") else getattr(space, wanted.name)
    except (KeyError, AttributeError):
        raise LinkError(f"unknown import: {wanted.module}.{wanted.name}") from None


def _adapt(wanted, value, importer):
    """A store object made from a plain Python value. What has `__wasm_import__(functype, importer)` gives the callable that
    this instance imports, or None if its type is another. That may have native code: `__wasm_function__(deftype)`, a HostFunc."""
    if isinstance(wanted.type, DefType):
        if hasattr(type(value), "__wasm_import__"):
            target = value.__wasm_import__(wanted.type.comp, importer)
            if target is None:
                raise _mismatch(wanted, repr(value))
            if hasattr(type(target), "__wasm_function__"):
                return target.__wasm_function__(wanted.type)
            return function.host_function(target, wanted.type)
        if callable(value):
            return _adapt_function(wanted, value)
    if isinstance(wanted.type, GlobalType) and not wanted.type.mutable:
        cell = GlobalInst(wanted.type)
        try:
            cell.bits = to_bits(wanted.type.valtype, value, cell)
            return cell
        except TypeError:
            pass
    raise _mismatch(wanted, type(value).__name__)


def _adapt_function(wanted, value):
    try:
        pointer = foreign.c_function(value, wanted.type.comp)
    except TypeError as error:
        raise LinkError(f"incompatible import type for {wanted.module}.{wanted.name}: {error}") from error
    if pointer is None:
        return function.host_function(value, wanted.type)
    if pointer[1] == wanted.type.comp:
        return function.foreign_function(pointer[0], wanted.type, value)
    raise _mismatch(wanted, f"a C function {pointer[1]}")


def _mismatch(wanted, given):
    return LinkError(f"incompatible import type for {wanted.module}.{wanted.name}: "
                     f"{_describe(wanted.type)} wanted, {given} given")


def _describe(type):
    return f"function {type.comp}" if isinstance(type, DefType) else str(type)
