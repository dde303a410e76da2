"""`import pyjit_wasm.importer` lets `import name` find name.wasm and name.wat, in packages too.

The attributes of such a module are its exports, `__wasm__` is the Instance. What it imports comes from the Python
modules of those names, WASI from a host without arguments and directories; a reactor's `_initialize` has been called.
Everything that Python finds by itself goes first: `.py` files, and directories, wherever on the path they are.
What goes wrong is an ImportError whose cause says what; other exceptions of Python code that is run meanwhile pass.
"""
from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import FileFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from pyjit_wasm.engine import Engine

engine: Engine | None = None
"""The Engine of modules that are imported from now on; None: the default engine."""

_SUFFIXES = [".wasm", ".wat"]
_WASI = ("wasi_snapshot_preview1", "wasi_unstable")


class Finder:
    """Finds modules in the directories of `sys.path` or of a package's `__path__`, as `importlib.machinery.PathFinder`
    does (`importlib.abc.MetaPathFinder`)."""

    def __init__(self) -> None:
        self._directories: dict[str, FileFinder] = {}

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """The spec of the module of that full name, or None."""
        for entry in sys.path if path is None else path:
            if isinstance(entry, str):
                spec = self._directory(entry).find_spec(name)
                if spec is not None and spec.loader is not None:  # without a loader: a directory
                    return spec
        return None

    def _directory(self, entry):
        path = entry or os.getcwd()
        if path not in self._directories:
            self._directories[path] = FileFinder(path, (Loader, _SUFFIXES))
        return self._directories[path]

    def invalidate_caches(self) -> None:
        """Forget what the directories contain (`importlib.invalidate_caches`)."""
        self._directories.clear()


class Loader:
    """Makes a Python module of the file at `path` (`importlib.abc.Loader`)."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path

    def create_module(self, spec: ModuleSpec) -> None:
        """As usual."""

    def exec_module(self, module: ModuleType) -> None:
        """Instantiate, and make the exports attributes. ImportError for files and imports that will not do."""
        from pyjit_wasm.engine import Module
        from pyjit_wasm.errors import WasmError

        try:
            wasm = Module(self.path, engine=engine)
        except (WasmError, OSError) as error:
            raise self._failed(error) from error
        spaces = _imports(self.name, [wanted.module for wanted in wasm.imports])
        try:
            instance = _instantiate(wasm, spaces)
        except WasmError as error:
            raise self._failed(error) from error
        public = {name: instance.exports[name] for name in instance.exports if not _is_pythons(name)}
        vars(module).update(public)
        module.__all__ = [name for name in public if name.isidentifier() and not name.startswith("_")]
        module.__doc__ = "\n".join([f"The WebAssembly module {self.path}.\n", *(f"{n}: {x!r}" for n, x in public.items())])
        module.__wasm__ = instance

    def _failed(self, error):
        return ImportError(f"cannot import {self.name!r}: {error}", name=self.name, path=self.path)

    def get_filename(self, name: str | None = None) -> str:
        """The file's path."""
        return self.path

    def get_data(self, path: str) -> bytes:
        """The content of a file (`pkgutil.get_data`)."""
        with open(path, "rb") as file:
            return file.read()


def _is_pythons(name):
    """Whether that attribute of a module is Python's business: `instance.exports` has the export."""
    return name.startswith("__") and name.endswith("__")


def _imports(importer, names):
    """{module: what it offers} for the modules of those names."""
    spaces, host = {}, None
    for name in dict.fromkeys(names):
        if name in _WASI:
            from pyjit_wasm.wasi import Wasi

            host = host or Wasi()
            spaces[name] = host[name]
        else:
            spaces[name] = _offered(importer, name)
    return spaces


def _offered(importer, name):
    """A Python module, of one that is wasm the exports."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise ImportError(f"cannot import {importer!r}: it imports from {name!r}, which is no module name", name=name)
    try:
        module = import_module(name)
    except ImportError as error:
        raise ImportError(f"cannot import {importer!r}: it imports from {name!r}: {error}", name=name) from error
    instance = getattr(module, "__wasm__", None)
    return module if instance is None else instance.exports


def _instantiate(module, spaces):
    from pyjit_wasm.instance import Instance

    instance = Instance(module, spaces)
    if "_initialize" in instance.exports:
        instance.exports["_initialize"]()
    return instance


finder = Finder()
sys.meta_path.append(finder)
