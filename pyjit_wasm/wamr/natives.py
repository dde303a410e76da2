"""Native functions by module, name and signature, which `instantiate` links imports to."""
from __future__ import annotations

import functools
import logging
import weakref

from pyjit_wasm.errors import Trap
from pyjit_wasm.exec_env import current, of_runtime
from pyjit_wasm.function import synchronous
from pyjit_wasm.host_signature import host_function
from pyjit_wasm.types import FuncType
from pyjit_wasm.wamr.state import of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pyjit_wasm.exec_env import ExecEnv
    from pyjit_wasm.instance import Importer

log = logging.getLogger(__name__)
_registered: list[tuple[str, Any, dict[str, _Native]]] = []      # the last one first
_attachments: weakref.WeakKeyDictionary[ExecEnv, Any] = weakref.WeakKeyDictionary()     # of the natives that are running


class _Native:
    """A native function, as it was registered."""

    def __init__(self, function, signature=None, attachment=None):
        if not callable(function):
            raise TypeError(f"{type(function).__name__!r} object is not callable")
        if signature:
            host_function(signature)    # raises for a malformed one
        self.function, self.signature, self.attachment = synchronous(function), signature, attachment

    def run(self, exec_env, *arguments):
        """Call it for wasm, which ends if it leaves an exception."""
        before = _attachments.get(exec_env)
        _attachments[exec_env] = self.attachment
        try:
            result = self.function(exec_env, *arguments)
        finally:
            _attachments[exec_env] = before
        exception = of(exec_env.instance).exception
        if exception is not None:
            raise Trap(exception)
        return result


class _Link:
    """What an import of a function is given: the native, or None, by the import's names."""

    def __init__(self, native, module, name):
        self.native, self.names = native, (module, name)

    def __wasm_import__(self, functype: FuncType, importer: Importer) -> Callable[..., Any]:
        native = self.native
        if native is None:
            log.warning("failed to link import function (%s, %s)", *self.names)
            return self.unlinked

        @functools.wraps(native.function)
        def target(exec_env, *arguments):
            return native.run(exec_env or of_runtime(importer.exports._inst.exec_env), *arguments)

        if not native.signature:
            return functools.wraps(target)(lambda *arguments: target(current(), *arguments))
        found = host_function(native.signature, exec_env=True)(target).__wasm_import__(functype, importer)
        if found is None:
            log.warning("failed to check signature '%s' and resolve pointer params for import function (%s %s)",
                        native.signature, *self.names)
        return found or self.unlinked

    def unlinked(self, *_):
        raise Trap("failed to call unlinked import function ({}, {})".format(*self.names))


def linked(module, others):
    """The imports of a Module: natives, else what `others` {module: {name: value}} has, else functions that trap."""
    found = {}
    for wanted in module.imports:
        space = found.setdefault(wanted.module, {})
        given = others.get(wanted.module, {}).get(wanted.name)
        if isinstance(wanted.type, FuncType):
            native = _find(wanted.module, wanted.name)
            space[wanted.name] = given if native is None and given is not None else _Link(native, wanted.module, wanted.name)
    return found


def _find(module, name):
    """The _Native registered for an import; one without the underscore that a name begins with will do."""
    for candidate, _, natives in _registered:
        if candidate == module:
            native = natives.get(name) or natives.get(name[1:]) if name.startswith("_") else natives.get(name)
            if native is not None:
                return native
    return None


def forget_natives():
    """Register nothing any more."""
    _registered.clear()


# --- WAMR's functions

def register_natives(module_name: str, native_symbols: Sequence[tuple[Any, ...]]) -> bool:
    """Link imports from `module_name`, of instances that are made later, to Python functions: (symbol, function, signature)
    or (symbol, function, signature, attachment) each. A function gets the ExecEnv that calls it, then the arguments,
    as the signature says; see `wasm.host_function`. Without one (None or "") they are as for any Python function. Called
    from Python, a native gets the ExecEnv that `get_exec_env_singleton` returns.
    The last registration of a name counts. Raises ValueError for a malformed signature, TypeError."""
    natives = {}
    for symbol, *rest in native_symbols:
        if not isinstance(symbol, str) or len(rest) not in (2, 3):
            raise TypeError("a native symbol is a tuple of name, function, signature and perhaps an attachment")
        natives[symbol] = _Native(*rest)
    _registered.insert(0, (module_name, native_symbols, natives))
    return True


def unregister_natives(module_name: str, native_symbols: Sequence[tuple[Any, ...]]) -> bool:
    """Undo `register_natives` with the same object; whether there was one. Instances keep what they were linked to."""
    for place, (name, symbols, _) in enumerate(_registered):
        if name == module_name and symbols is native_symbols:
            del _registered[place]
            return True
    return False


def get_function_attachment(exec_env: ExecEnv) -> object:
    """The attachment of the native that is running in an exec_env, else None."""
    return _attachments.get(exec_env)
