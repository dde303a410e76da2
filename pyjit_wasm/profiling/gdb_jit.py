"""Describes generated code to gdb by its JIT interface: an ELF file in memory for each loaded object, in a list that gdb reads.

As its manual says ("JIT Compilation Interface"), the descriptor has a version, an action, the relevant and the first entry; entries
have the next one, the previous one, address and size of a file; and a function is called when the list has changed.
"""
import ctypes
import functools
import os
import tempfile
import weakref

from pyjit_wasm.profiling import elf, gdb_library
from pyjit_wasm.profiling.dwarf import DebugInformation
from pyjit_wasm.profiling.frame_tables import frame_table
from pyjit_wasm.profiling.functions import functions, title
from pyjit_wasm.profiling.source_lines import SourceLines

_REGISTER, _UNREGISTER = 1, 2
_VERSION = 1
_NEXT, _PREVIOUS, _FILE, _SIZE = range(4)      # words of an entry
_ACTION, _RELEVANT, _FIRST = range(3)          # words of the descriptor; the version is in the first one too
_COMPILED = "jit"                              # code of this kind has the guest's name alone, so that `break NAME` finds it


class GdbJit:
    """What gdb knows. `path`: the folder with the text of functions, which is removed when the process ends. Raises OSError if
    that or the library in it cannot be made."""

    def __init__(self):
        self.path, self._notify, self._descriptor = _library()
        self._lines = SourceLines(self.path)
        self._entries, self._gone = {}, []

    def restart(self):
        """In a child after a fork: its memory has the list too."""

    def add(self, loaded):
        """Describe a loader.Loaded; take out those that went meanwhile."""
        while self._gone:
            self._remove(self._gone.pop())
        if loaded.start not in self._entries:
            entry = _Entry(symbol_file(loaded, self._lines))
            self._entries[int(loaded.start)] = entry, weakref.ref(loaded, functools.partial(_note, self._gone, int(loaded.start)))
            first = self._descriptor[_FIRST]
            entry.words[_NEXT] = first
            if first:
                _words(first)[_PREVIOUS] = entry.address
            self._descriptor[_FIRST] = entry.address
            self._tell(_REGISTER, entry)

    def _remove(self, start):
        entry, _ = self._entries.pop(start)
        following, previous = entry.words[_NEXT], entry.words[_PREVIOUS]
        if following:
            _words(following)[_PREVIOUS] = previous
        if previous:
            _words(previous)[_NEXT] = following
        else:
            self._descriptor[_FIRST] = following
        self._tell(_UNREGISTER, entry)

    def _tell(self, action, entry):
        self._descriptor[_ACTION] = _VERSION | action << 32
        self._descriptor[_RELEVANT] = entry.address
        self._notify()
        self._descriptor[_ACTION] = _VERSION

    def close(self):
        """Take everything out of the list."""
        for start in list(self._entries):
            self._remove(start)


class _Entry:
    """An entry of gdb's list, with its file."""

    def __init__(self, file):
        self._file = ctypes.create_string_buffer(file, len(file))
        self.words = (ctypes.c_uint64 * 4)(0, 0, ctypes.addressof(self._file), len(file))
        self.address = ctypes.addressof(self.words)


def _words(address):
    return (ctypes.c_uint64 * 4).from_address(address)


def _note(gone, start, reference):
    """Code went, perhaps in the middle of something: its entry is taken out later."""
    gone.append(start)


def symbol_file(loaded, source):
    """An ELF file that describes a loader.Loaded where it is: symbols, stack frames, and lines where `source`, a
    source_lines.SourceLines, knows any."""
    low, high = loaded.text
    found = functions(loaded)
    table, strings = elf.symbol_table([elf.Symbol(_name(f), elf.FUNCTION, 1, f.address, f.size) for f in found])
    debug = {".debug_frame": frame_table(loaded)} | _debug_sections(loaded, found, source)
    sections = [elf.Section(".text", elf.NOBITS, b"", elf.ALLOC | elf.EXECUTE, low, high - low),
                elf.Section(".symtab", elf.SYMTAB, table, link=3, info=1, entry=elf.SYMBOL_SIZE),
                elf.Section(".strtab", elf.STRTAB, strings),
                *[elf.Section(name, elf.PROGBITS, content) for name, content in debug.items() if content]]
    return elf.write(elf.EXECUTABLE, sections)


def _name(function):
    return function.name if function.kind == _COMPILED else title(function)


def _debug_sections(loaded, found, source):
    """{section: content} with names, inlined calls and lines, if the code is a module's."""
    module = loaded.origin.module
    if module is None:
        return {}
    described = source.of(loaded)
    information = DebugInformation(found[0].module or "wasm", source.folder(module), *loaded.text)
    for function in found:
        lines, inlined = described[function.address]
        if function.kind == _COMPILED:
            inlined = [call for call in inlined if call.path]   # not the function inlined in its entry
        information.add(function, _name(function), lines, inlined)
    return information.sections()


@functools.cache
def _library():
    """(a folder for the life of the process, the function that tells gdb, the descriptor's words). gdb reads the library from the
    folder."""
    import atexit

    folder = tempfile.mkdtemp(prefix="pyjit_wasm-gdb-")
    atexit.register(_remove_folder, folder, os.getpid())
    notify, descriptor = gdb_library.load(folder)
    return folder, notify, (ctypes.c_uint64 * 3).from_address(descriptor)


def _remove_folder(folder, pid):
    """At the end of the process that made it, and of no child."""
    import shutil

    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
