"""wasm.Instance: instantiation (spec 4.5.4) and what an instance exports."""
from pyjit_wasm import externs, foreign, function
from pyjit_wasm.engine import Engine, Module, check_mode, check_stack_size
from pyjit_wasm.errors import LinkError, WasiExit
from pyjit_wasm.runtime import signals
from pyjit_wasm.runtime.instance import ModuleInstance
from pyjit_wasm.runtime.store import GlobalInst, MemoryInst
from pyjit_wasm.types import I32, DefType, GlobalType, matches_extern
from pyjit_wasm.values import to_bits


class Instance:
    """A module instance.

    imports      {module: {name: value}}: plain callables, Function, Memory, Table, Global, C function
                 pointers (ctypes, cffi, numba), numbers for immutable globals; `other.exports` works as
                 an inner mapping, a Wasi as either
    stack_size   bytes of the exec_env's stack buffer; default the engine's
    mode         overrides the engine's

    Raises LinkError ("unknown import", "incompatible import type"), Trap (from segments or the start
    function), whatever a host function called by the start function raises.
    """

    def __init__(self, module, imports=None, *, stack_size=None, mode=None):
        if not isinstance(module, Module):
            module = Module(module)
        engine = module.engine
        self.module, self._initialized = module, False
        signals.renew()
        resolved = [_resolve(wanted, imports or {}, self) for wanted in module.syntax.imports]
        size = engine.stack_size if stack_size is None else check_stack_size(stack_size)
        self._inst = ModuleInstance(module.code, check_mode(mode or engine.mode), resolved, size)
        self.exports = Exports(self._inst)
        if module.syntax.start is not None:
            function.of_instance(self._inst, module.syntax.start)()

    def run(self):
        """Run a WASI command's `_start`, or a reactor's `_initialize` unless that has been done, and return the exit
        code: what `proc_exit` was given, else 0. Raises LinkError if neither is exported, Trap, and what host functions
        raise."""
        entry = next((name for name in ("_start", "_initialize") if name in self.exports), None)
        if entry is None:
            raise LinkError("the module exports neither _start nor _initialize")
        if entry == "_initialize":
            if self._initialized:
                return 0
            self._initialized = True
        try:
            self.exports[entry]()
        except WasiExit as exit:
            return exit.code
        return 0

    @property
    def mode(self):
        """"interp", "jit" or "tiered"; may be changed at any time. Calls in progress finish as they are."""
        return self._inst.mode

    @mode.setter
    def mode(self, mode):
        self._inst.mode = check_mode(mode)
        self._inst.code.switch_mode(self._inst)

    def function(self, name):
        """The Function exported under `name`, or any by its index or name in the name section. KeyError
        without such a function."""
        syntax = self.module.syntax
        if isinstance(name, int):
            if not 0 <= name < len(syntax.funcs):
                raise KeyError(name)
            return function.of_instance(self._inst, name)
        for export in syntax.exports:
            if export.name == name and export.kind == "func":
                return function.of_instance(self._inst, export.index)
        for index, known in syntax.names.funcs.items():
            if known == name:
                return function.of_instance(self._inst, index)
        raise KeyError(name)

    def __repr__(self):
        return f"<wasm instance: mode {self.mode}, exports {', '.join(self.exports)}>"


class Exports:
    """The exports of an instance, as attributes and as a mapping of their names."""

    def __init__(self, inst):
        self.__dict__["_inst"] = inst
        self.__dict__["_index"] = {e.name: e for e in inst.module.exports}
        self.__dict__["_found"] = {}

    def __getitem__(self, name):
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
        return externs.public(item)

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the instance exports no {name!r}") from None

    def __setattr__(self, name, value):
        raise AttributeError("exports cannot be assigned to")

    def __iter__(self):
        return iter(self._index)

    def __len__(self):
        return len(self._index)

    def __contains__(self, name):
        return name in self._index

    def __dir__(self):
        return list(self._index)


def load(source, imports=None, **settings):
    """Compile and instantiate in one call. `settings` go to the Engine, except `stack_size`, which is the
    instance's."""
    stack_size = settings.pop("stack_size", None)
    engine = settings.pop("engine", None) or (Engine(**settings) if settings else None)
    return Instance(Module(source, engine=engine), imports, stack_size=stack_size)


def _resolve(wanted, imports, instance):
    """The store object for an import of an instance that is being made."""
    value = _look_up(wanted, imports, instance)
    item = externs.store_object(value)
    if item is None:
        item = _adapt(wanted, value)
    elif not matches_extern(item.current_type, wanted.type):
        raise LinkError(f"incompatible import type for {wanted.module}.{wanted.name}: "
                        f"{_describe(wanted.type)} wanted, {_describe(item.current_type)} given")
    if isinstance(item, MemoryInst) and not item.guarded and item.type.addr == I32 and (
            instance.module.engine.memory_bounds == "guard"):
        raise LinkError(f"incompatible import type for {wanted.module}.{wanted.name}: "
                        "a memory without guard pages in an engine that relies on them")
    return item


def _look_up(wanted, imports, instance):
    """The value for an import. An object with `__wasm_space__(module)` in the place of an inner mapping returns that; a
    value with `__wasm_bind__(instance)` returns what this instance imports, which has no exports before it runs."""
    try:
        space = imports[wanted.module]
        if hasattr(type(space), "__wasm_space__"):
            space = space.__wasm_space__(wanted.module)
        value = space[wanted.name] if hasattr(space, "__getitem__") else getattr(space, wanted.name)
    except (KeyError, AttributeError):
        raise LinkError(f"unknown import: {wanted.module}.{wanted.name}") from None
    return value.__wasm_bind__(instance) if hasattr(type(value), "__wasm_bind__") else value


def _adapt(wanted, value):
    """A store object made from a plain Python value."""
    if isinstance(wanted.type, DefType) and callable(value):
        pointer = foreign.c_function(value)
        if pointer is None:
            return function.host_function(value, wanted.type)
        if pointer[1] == wanted.type.comp:
            return function.foreign_function(pointer[0], wanted.type, value)
        raise LinkError(f"incompatible import type for {wanted.module}.{wanted.name}: "
                        f"{wanted.type.comp} wanted, a C function {pointer[1]} given")
    if isinstance(wanted.type, GlobalType) and not wanted.type.mutable:
        cell = GlobalInst(wanted.type)
        try:
            cell.bits = to_bits(wanted.type.valtype, value)
            return cell
        except TypeError:
            pass
    raise LinkError(f"incompatible import type for {wanted.module}.{wanted.name}: "
                    f"{_describe(wanted.type)} wanted, {type(value).__name__} given")


def _describe(type):
    return f"function {type.comp}" if isinstance(type, DefType) else str(type)
