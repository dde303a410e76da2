"""Reads relocatable ELF objects (x86-64, position independent, small code model) and lays them out: what can be done
without knowing where code will be is done once, when it has been compiled.
"""
import struct

from pyjit_wasm.errors import InternalError

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_SYM = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")

_SHT_RELA, _SHT_SYMTAB, _SHT_NOBITS = 4, 2, 8
_SHF_ALLOC, _SHF_EXECINSTR = 2, 4
_SHN_UNDEF, _SHN_LORESERVE = 0, 0xFF00
_STT_FUNC = 2
ABS64, PC32, PLT32, _GOTPCREL, PC64, _GOTPCRELX, _REX_GOTPCRELX = 1, 2, 4, 9, 24, 41, 42
_FIELDS = {PC32: "<i", PLT32: "<i", PC64: "<q"}
FAR = struct.Struct("<6sQ")     # jmp *[rip], and the address that follows it
JUMP = b"\xff\x25\x00\x00\x00\x00"


class Object:
    """A laid out object. `data`: the file, in which references from one of its places to another are filled in. In memory it
    has `size` bytes, `text_size` of them instructions, which come first; `copies` [(place, offset in the file, size)] fill
    them; `places` {section index: place}; `symbols` {name: place} of what it defines. Of what it refers to, a str is the
    name of something elsewhere, an int a place: `far` {target: place of a FAR that leads there}, `patches` [(place, type of
    relocation, addend, target)]. Places are offsets from where it will be.
    """

    __slots__ = ("data", "size", "text_size", "copies", "places", "symbols", "far", "patches")

    def __init__(self, *fields):
        for name, value in zip(self.__slots__, fields, strict=True):
            setattr(self, name, value)

    @property
    def fields(self):
        """What makes the same Object again: plain values."""
        return tuple([getattr(self, name) for name in self.__slots__])


class _Section:
    __slots__ = ("name", "type", "flags", "offset", "size", "link", "info", "align", "place")

    def __init__(self, fields):
        self.name, self.type, self.flags, _, self.offset, self.size, self.link, self.info, self.align, _ = fields
        self.place = None


class _File:
    """The sections and symbols of an object file."""

    def __init__(self, data):
        self.data = data
        header = _EHDR.unpack_from(data)
        if header[0][:6] != b"\x7fELF\x02\x01" or header[1] != 1 or header[2] != 62:
            raise InternalError("not a relocatable x86-64 object")
        self.sections = [_Section(_SHDR.unpack_from(data, header[6] + i * _SHDR.size)) for i in range(header[12])]
        symtab = next(s for s in self.sections if s.type == _SHT_SYMTAB)
        self._names = self.sections[symtab.link].offset
        self.symbols = list(_SYM.iter_unpack(data[symtab.offset:symtab.offset + symtab.size]))

    def name(self, symbol):
        start = self._names + symbol[0]
        return self.data[start:self.data.index(b"\0", start)].decode()


class _Layout:
    """Fills an Object."""

    def __init__(self, data):
        self.file = _File(data)
        self.data = bytearray(data)
        self.size = self.text_size = 0
        self.copies, self.far, self.patches = [], {}, []
        for section in sorted(self.file.sections, key=lambda s: not s.flags & _SHF_EXECINSTR):
            if section.flags & _SHF_ALLOC and section.size:
                self._place(section)
        self.size = -(-self.size // 16) * 16
        self._targets = [self._target(symbol) for symbol in self.file.symbols]
        for section in self.file.sections:
            if section.type == _SHT_RELA and self.file.sections[section.info].place is not None:
                self._relocate(section, self.file.sections[section.info])

    def _place(self, section):
        section.place = -(-self.size // section.align) * section.align
        self.size = section.place + section.size
        if section.flags & _SHF_EXECINSTR:
            self.text_size = self.size
        if section.type != _SHT_NOBITS:
            self.copies.append((section.place, section.offset, section.size))

    def _target(self, symbol):
        """A place, a name, or None for a symbol that nothing in memory can refer to."""
        if symbol[3] == _SHN_UNDEF:
            return self.file.name(symbol)
        if symbol[3] >= _SHN_LORESERVE or self.file.sections[symbol[3]].place is None:
            return None
        return self.file.sections[symbol[3]].place + symbol[4]

    def _relocate(self, section, section_of_places):
        """Fill in what is known, note the rest."""
        raw = self.file.data[section.offset:section.offset + section.size]
        for offset, info, addend in _RELA.iter_unpack(raw):
            kind, target = info & 0xFFFFFFFF, self._targets[info >> 32]
            place = section_of_places.place + offset
            if kind in (_GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX):
                kind, target = PC32, self._far(target) + len(JUMP)
            if kind not in (ABS64, PC32, PLT32, PC64) or target is None:
                raise InternalError(f"unknown relocation type {kind}")
            if kind != ABS64 and isinstance(target, int):
                struct.pack_into(_FIELDS[kind], self.data, section_of_places.offset + offset, target + addend - place)
                continue
            if kind == PLT32:
                self._far(target)
            self.patches.append((place, kind, addend, target))

    def _far(self, target):
        """The place of a FAR that leads to a target."""
        if target not in self.far:
            self.far[target] = self.size
            self.size += 16
        return self.far[target]

    @property
    def symbols(self):
        return {self.file.name(symbol): target for symbol, target in zip(self.file.symbols, self._targets)
                if symbol[0] and isinstance(target, int)}

    def object(self):
        places = {index: section.place for index, section in enumerate(self.file.sections) if section.place is not None}
        return Object(bytes(self.data), self.size, self.text_size, self.copies, places, self.symbols, self.far, self.patches)


def lay_out(data):
    """The Object of a file. Raises InternalError for what is none that `loader.load` could load."""
    return _Layout(data).object()


def functions(laid_out):
    """[(place, size in bytes, symbol)] of the functions that an Object defines."""
    file = _File(laid_out.data)
    return [(laid_out.places[symbol[3]] + symbol[4], symbol[5], file.name(symbol))
            for symbol in file.symbols if symbol[1] & 15 == _STT_FUNC and symbol[3] in laid_out.places]
