"""Where an instruction of a module is in a text that people read: a file with its function in the text format.

The files are written when they are first asked for. Of large modules there are none: there the place is the byte offset in the
module as a line of `<module>.wasm`, because to print a function the whole module has to be read.
"""
import bisect
import functools
import os
import re

from pyjit_wasm import config
from pyjit_wasm.codegen.cache import digest
from pyjit_wasm.profiling.functions import printable

_UNSAFE = re.compile(r"[^\w.+-]", re.ASCII)
_LONGEST = 80  # characters of a name that become part of a file's


class Listings:
    """The files are in folders in `folder`, one for each module."""

    def __init__(self, folder):
        self._folder = folder
        self._of_module = functools.lru_cache(maxsize=8)(self._new)

    def place(self, module, offset):
        """(path, line) of the instruction at a byte offset of a module.Module; inside the code section."""
        return self._of_module(module).place(offset)

    def folder(self, module):
        """Where the files of a module are."""
        return self._of_module(module).folder

    def _new(self, module):
        kind = _Offsets if len(module.data) > config.LISTED_MODULE else _Functions
        return kind(module, self._folder)


class _Offsets:
    """Byte offsets for lines."""

    def __init__(self, module, folder):
        self.name = _safe(module.names.module or "module")
        self.folder = os.path.join(folder, f"{self.name}-{digest(module.data)[:4].hex()}")

    def place(self, offset):
        return os.path.join(self.folder, f"{self.name.removesuffix('.wasm')}.wasm"), offset


class _Functions(_Offsets):
    """Listings of the functions of one module."""

    def __init__(self, module, folder):
        super().__init__(module, folder)
        self._module, self._ends = module, [code.end for code in module.codes]
        self._listed = {}

    def place(self, offset):
        index = bisect.bisect(self._ends, offset)
        if index not in self._listed:
            self._listed[index] = self._list(self._module.imported_funcs + index)
        path, offsets = self._listed[index]
        return path, bisect.bisect(offsets, offset)

    def _list(self, funcidx):
        """Write a function's file. (path, for each line the byte offset from which on it is the place; what is before the
        instructions is on the first line)"""
        path = os.path.join(self.folder, f"{_safe(self._module.function_name(funcidx))}-{funcidx}.wat")
        lines = self._printer.lines(funcidx)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{text}\n" if offset is None else f"{text:<60} ;; {offset:#x}\n" for offset, text in lines)
        start = self._module.codes[funcidx - self._module.imported_funcs].start
        return path, [0, *[offset or start for offset, _ in lines[1:]]]

    @functools.cached_property
    def _printer(self):
        from pyjit_wasm.text.print_function import FunctionPrinter

        return FunctionPrinter(self._module.data)


def _safe(name):
    """Part of a file's name that stands for a guest's name."""
    return _UNSAFE.sub("_", printable(name))[:_LONGEST]
