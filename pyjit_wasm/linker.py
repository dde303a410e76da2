"""wasm.Linker: names that modules are linked to (a convenience; spec 4.5.4 knows lists only)."""
from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyjit_wasm import pickling
from pyjit_wasm.engine import Module
from pyjit_wasm.errors import LinkError, Trap
from pyjit_wasm.instance import Instance
from pyjit_wasm.types import FuncType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    from pyjit_wasm.engine import Engine, Source

    F = TypeVar("F", bound=Callable[..., Any])


class Linker(Mapping):
    """Definitions by module and name, and instances linked to them: a mapping {module: {name: value}} that can be given
    as `imports` too.

    `engine`: of modules that `instantiate` gets as bytes, text or paths; default the default engine.
    `allow_shadowing`: a name may be defined again, for instances that are made later. Otherwise that is a LinkError.
    """

    __reduce_ex__ = pickling.refuse

    def __init__(self, engine: Engine | None = None, *, allow_shadowing: bool = False) -> None:
        self.engine, self.allow_shadowing = engine, allow_shadowing
        self._spaces: dict[str, dict[str, Any]] = {}

    def define(self, module: str, name: str, value: Any) -> None:
        """Define `module`.`name` as anything that an Instance takes as an import. LinkError if it is defined already;
        TypeError for names that are not str."""
        for part in (module, name):
            if not isinstance(part, str):
                raise TypeError(f"names are str, not {type(part).__name__}")
        space = self._spaces.setdefault(module, {})
        if name in space and not self.allow_shadowing:
            raise LinkError(f"{module}.{name} is defined already")
        space[name] = value

    def define_instance(self, module: str, instance: Instance) -> None:
        """Define all exports of an instance as `module`. Raises as `define` does."""
        for name in instance.exports:
            self.define(module, name, instance.exports[name])

    def define_wasi(self, wasi: Any) -> None:
        """Define the functions of a `Wasi`, which use the memory of the instance that calls. Raises as `define` does."""
        for module, functions in wasi.imports().items():
            for name, value in functions.items():
                self.define(module, name, value)

    def define_traps(self, module: Module) -> None:
        """Define each function that a module imports and that is not defined yet as one that traps when it is called."""
        for wanted in module.imports:
            if isinstance(wanted.type, FuncType) and wanted.name not in self._spaces.get(wanted.module, {}):
                self.define(wanted.module, wanted.name, _trap(f"unknown import {wanted.module}.{wanted.name} was called"))

    def function(self, module: str, name: str | None = None) -> Callable[[F], F]:
        """A decorator that defines a host function; `name`: default the function's own. Raises as `define` does."""
        def decorate(target: F) -> F:
            self.define(module, target.__name__ if name is None else name, target)
            return target

        return decorate

    def instantiate(self, module: Module | Source, **options: Any) -> Instance:
        """A new Instance linked to what is defined; `options` are an Instance's. Raises what Module and Instance raise."""
        if not isinstance(module, Module):
            module = Module(module, engine=self.engine)
        return Instance(module, self, **options)

    def __getitem__(self, module: str) -> Mapping[str, Any]:
        return MappingProxyType(self._spaces[module])

    def __iter__(self) -> Iterator[str]:
        return iter(self._spaces)

    def __len__(self) -> int:
        return len(self._spaces)

    def __repr__(self) -> str:
        return f"<wasm linker: {sum(map(len, self._spaces.values()))} names>"


def _trap(message):
    def trap(*_):
        raise Trap(message)

    return trap
