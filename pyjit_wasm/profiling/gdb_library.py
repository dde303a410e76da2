"""A shared library that has nothing but the two symbols of gdb's JIT interface.

gdb looks for them in the libraries of a process ("JIT Compilation Interface" in its manual): the function, where it sets a
breakpoint, and the descriptor of what there is. Generated code itself has no symbols that it could find.
"""
import ctypes
import os

from pyjit_wasm.profiling import elf

_FUNCTION, _DESCRIPTOR = "__jit_debug_register_code", "__jit_debug_descriptor"
_EMPTY = (1).to_bytes(24, "little")     # a descriptor: version 1, then nothing
_RETURN = b"\xc3"
_HASH, _SYMBOLS, _STRINGS, _CODE, _DYNAMIC, _DATA = 0x200, 0x280, 0x300, 0x400, 0x1000, 0x1100  # places
_LOAD, _DYNAMIC_SEGMENT, _STACK = 1, 2, 0x6474E551
_R, _W, _X = 4, 2, 1
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT = 4, 5, 6, 10, 11


def content():
    """The bytes of the library."""
    symbols, strings = elf.symbol_table((elf.Symbol(_FUNCTION, elf.FUNCTION, 4, _CODE, len(_RETURN)),
                                         elf.Symbol(_DESCRIPTOR, elf.OBJECT, 6, _DATA, len(_EMPTY))))
    table = _words(4, 1, 3, 1, 0, 2, 0)     # one bucket: symbol 1, then 2
    dynamic = _words(8, _DT_HASH, _HASH, _DT_STRTAB, _STRINGS, _DT_SYMTAB, _SYMBOLS, _DT_STRSZ, len(strings),
                     _DT_SYMENT, elf.SYMBOL_SIZE, 0, 0)
    sections = (
        elf.Section(".hash", elf.HASH, table, elf.ALLOC, _HASH, link=2, entry=4),
        elf.Section(".dynsym", elf.DYNSYM, symbols, elf.ALLOC, _SYMBOLS, link=3, info=1, entry=elf.SYMBOL_SIZE),
        elf.Section(".dynstr", elf.STRTAB, strings, elf.ALLOC, _STRINGS),
        elf.Section(".text", elf.PROGBITS, _RETURN, elf.ALLOC | elf.EXECUTE, _CODE),
        elf.Section(".dynamic", elf.DYNAMIC, dynamic, elf.ALLOC | elf.WRITE, _DYNAMIC, link=3, entry=16),
        elf.Section(".data", elf.PROGBITS, _EMPTY, elf.ALLOC | elf.WRITE, _DATA))
    segments = (
        elf.Segment(_LOAD, _R | _X, 0, _CODE + len(_RETURN), 0x1000),
        elf.Segment(_LOAD, _R | _W, _DYNAMIC, _DATA + len(_EMPTY) - _DYNAMIC, 0x1000),
        elf.Segment(_DYNAMIC_SEGMENT, _R | _W, _DYNAMIC, len(dynamic)),
        elf.Segment(_STACK, _R | _W))
    return elf.write(elf.LIBRARY, sections, segments)


def load(folder):
    """Write the library into a folder and load it: (ctypes function, address of the descriptor). The file has to stay, for gdb.
    Raises OSError."""
    path = os.path.join(folder, "gdb_jit.so")
    with open(path, "xb") as file:
        file.write(content())
    library = ctypes.CDLL(path)
    function = getattr(library, _FUNCTION)
    function.restype, function.argtypes = None, ()
    return function, ctypes.addressof(ctypes.c_char.in_dll(library, _DESCRIPTOR))


def _words(size, *values):
    return b"".join(value.to_bytes(size, "little") for value in values)
