"""What `inspect.signature`, `help` and IPython's `?` show of a Function."""
from __future__ import annotations

from keyword import iskeyword

from pyjit_wasm.types import F32, F64, I32, I64, V128

TYPE_CHECKING = False
if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable
    from typing import Any

    from pyjit_wasm.function import Function

_PYTHON = {I32: int, I64: int, F32: float, F64: float, V128: bytes}  # references: object


class Computed:
    """An attribute that is computed for instances. The class itself has the value `of_class`, or no such attribute."""

    def __init__(self, compute: Callable[[Any], Any], of_class: object = None) -> None:
        self._compute, self._of_class = compute, of_class

    def __get__(self, thing: Any, cls: type | None = None) -> Any:
        if thing is not None:
            return self._compute(thing)
        if self._of_class is None:
            raise AttributeError("only instances have this attribute")
        return self._of_class


def signature(function: Function) -> inspect.Signature:
    """The signature in Python's terms: positional parameters by their names in the name section, else a0, a1, ..."""
    from inspect import Parameter, Signature

    parameters = [Parameter(name, Parameter.POSITIONAL_ONLY, annotation=_PYTHON.get(valtype, object))
                  for name, valtype in zip(_parameter_names(function), function.type.params)]
    return Signature(parameters, return_annotation=_result(function.type.results))


def _result(valtypes):
    if not valtypes:
        return None
    types = tuple([_PYTHON.get(valtype, object) for valtype in valtypes])
    return types[0] if len(types) == 1 else tuple[types]


def _parameter_names(function):
    """Different Python identifiers."""
    known = {} if function.instance is None else function.instance.module.names.locals.get(function.index, {})
    taken = set()
    for index in range(len(function.type.params)):
        name = plain = _identifier(known.get(index) or f"a{index}")
        number = index
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name)
        yield name


def _identifier(name):
    """A name of a WebAssembly text as an identifier: what Python does not allow becomes an underscore."""
    name = "".join([c if f"_{c}".isidentifier() else "_" for c in name])
    return f"_{name}" if not name.isidentifier() else f"{name}_" if iskeyword(name) else name


def documentation(function: Function) -> str:
    """The signature, the type in WebAssembly, and where the function is from."""
    heading = f"{function.name}{signature(function)}"
    if function.instance is not None:
        return f"{heading}\n\nWebAssembly function {function.type}, {_origin(function)}."
    lines = [heading, f"Host function {function.type}."]
    own = getattr(function._inst.keep, "__doc__", None)
    return "\n\n".join([*lines, own] if isinstance(own, str) else lines)


def _origin(function):
    syntax = function.instance.module
    exported = [repr(e.name) for e in syntax.exports if e.kind == "func" and e.index == function.index]
    of = "a module" if syntax.names.module is None else f"the module {syntax.names.module!r}"
    return f"number {function.index} of {of}" + (f", exported as {' and '.join(exported)}" if exported else "")
