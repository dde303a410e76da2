"""Writes ELF files for x86-64: what gdb is told of code in memory, and the library by which it finds that."""
import collections
import struct

EXECUTABLE, LIBRARY = 2, 3                                                                      # kinds of files,
PROGBITS, SYMTAB, STRTAB, HASH, DYNAMIC, NOBITS, DYNSYM = 1, 2, 3, 5, 6, 8, 11                  # of sections,
OBJECT, FUNCTION = 1, 2                                                                         # of symbols
WRITE, ALLOC, EXECUTE = 1, 2, 4

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_PHDR = struct.Struct("<IIQQQQQQ")
_SYM = struct.Struct("<IBBHQQ")
_IDENTITY = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
_X86_64, _GLOBAL = 62, 1
SYMBOL_SIZE = _SYM.size

Symbol = collections.namedtuple("Symbol", "name type section value size")
Section = collections.namedtuple("Section", "name type content flags address size link info entry",
                                 defaults=(b"", 0, 0, None, 0, 0, 0))
Section.__doc__ = """`content`: bytes in the file; `size`: bytes of a section without; `address`: in memory, which is also the place
of the content in the file; `link`: number of another section, from 1; `entry`: bytes of an entry of a table."""
Segment = collections.namedtuple("Segment", "type flags address size align", defaults=(0, 0, 8))
Segment.__doc__ = "What is mapped: it is in the file where it is in memory."


def symbol_table(symbols):
    """(content, content of its string table) of a symbol table."""
    strings, table = _Strings(), [bytes(_SYM.size)]
    for symbol in symbols:
        table.append(_SYM.pack(strings.place(symbol.name), _GLOBAL << 4 | symbol.type, 0, symbol.section, symbol.value,
                               symbol.size))
    return b"".join(table), bytes(strings.content)


def write(kind, sections, segments=()):
    """The bytes of an ELF file of EXECUTABLE or LIBRARY kind. Sections with addresses and contents come first, in the order of
    addresses."""
    image, headers, names = bytearray(_EHDR.size + _PHDR.size * len(segments)), [bytes(_SHDR.size)], _Strings()
    for section in (*sections, Section(".shstrtab", STRTAB)):
        name = names.place(section.name)
        content = section.content or (names.content if section.type == STRTAB else b"")
        image += bytes((section.address if section.address and content else -(-len(image) // 8) * 8) - len(image))
        size = len(content) if section.size is None else section.size
        headers.append(_SHDR.pack(name, section.type, section.flags, section.address, len(image), size, section.link,
                                  section.info, 8, section.entry))
        image += content
    image += bytes(-len(image) % 8)
    _EHDR.pack_into(image, 0, _IDENTITY, kind, _X86_64, 1, 0, _EHDR.size if segments else 0, len(image), 0, _EHDR.size,
                    _PHDR.size, len(segments), _SHDR.size, len(headers), len(headers) - 1)
    for index, segment in enumerate(segments):
        _PHDR.pack_into(image, _EHDR.size + index * _PHDR.size, segment.type, segment.flags, segment.address,
                        segment.address, segment.address, segment.size, segment.size, segment.align)
    return bytes(image + b"".join(headers))


class _Strings:
    """A string table under construction."""

    def __init__(self):
        self.content, self._places = bytearray(1), {}

    def place(self, text):
        """Where a string begins."""
        found = self._places.get(text)
        if found is None:
            found = self._places[text] = len(self.content)
            self.content += text.encode() + b"\0"
        return found
