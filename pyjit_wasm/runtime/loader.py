"""Loads relocatable ELF objects (x86-64, position independent, small code model) into an arena.

Own and small because a warm start must need no LLVM, and because LLVM's run-time linker aborts the
process on a relocation that does not reach: here that is an InternalError.
"""
import struct

from pyjit_wasm.errors import InternalError
from pyjit_wasm.runtime import arena, arrivals, libc

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_SYM = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")

_SHT_RELA, _SHT_SYMTAB, _SHT_NOBITS = 4, 2, 8
_SHF_ALLOC = 2
_STT_FUNC = 2
_ABS64, _PC32, _PLT32, _GOTPCREL, _PC64, _GOTPCRELX, _REX_GOTPCRELX = 1, 2, 4, 9, 24, 41, 42
_JUMP = b"\xff\x25\x00\x00\x00\x00"  # jmp *[rip]: the address follows


class Loaded:
    """A loaded object: `symbols` {name: address} of what it defines, `start` and `size` of its pages, `text` (address,
    end) of its instructions, `object` its bytes and `places` {section index: offset from `start`} (for the debug information),
    `origin` what it is for people (`runtime.arrivals`).
    """

    def __init__(self, start, size, symbols, text, data, places, origin):
        self.start, self.size = start, size
        self.symbols, self.text, self.object, self.places, self.origin = symbols, text, data, places, origin

    def functions(self):
        """[(address, size in bytes, symbol)] of the functions that it defines, sorted."""
        image = _Image(self.object, None, {})
        return sorted((self.start + self.places[symbol[3]] + symbol[4], symbol[5], image.name(symbol))
                      for symbol in image.symbols if symbol[1] & 15 == _STT_FUNC and symbol[3] in self.places)


class _Section:
    __slots__ = ("name", "type", "flags", "offset", "size", "link", "info", "align", "place")

    def __init__(self, fields):
        self.name, self.type, self.flags, _, self.offset, self.size, self.link, self.info, self.align, _ = fields
        self.place = None


class _Image:
    """One object on its way into memory: sections first, then the table of far addresses."""

    def __init__(self, data, region, externals):
        self.data, self.region, self.externals = data, region, externals
        header = _EHDR.unpack_from(data)
        if header[0][:6] != b"\x7fELF\x02\x01" or header[1] != 1 or header[2] != 62:
            raise InternalError("not a relocatable x86-64 object")
        self.sections = [_Section(_SHDR.unpack_from(data, header[6] + i * _SHDR.size)) for i in range(header[12])]
        self.symtab = next(s for s in self.sections if s.type == _SHT_SYMTAB)
        self.names = self.sections[self.symtab.link]
        raw = data[self.symtab.offset:self.symtab.offset + self.symtab.size]
        self.symbols = list(_SYM.iter_unpack(raw))
        self.far = {}

    def lay_out(self):
        """Give every allocated section its place; the text comes first."""
        place = 0
        for section in sorted(self.sections, key=lambda s: not s.flags & 4):
            if section.flags & _SHF_ALLOC and section.size:
                place = -(-place // section.align) * section.align
                section.place = place
                place += section.size
                if section.flags & 4:
                    self.text_size = place
        self.far_place = -(-place // 16) * 16
        undefined = sum(1 for s in self.symbols if s[3] == 0)
        self.size = self.far_place + 32 * undefined

    def load(self, origin):
        self.text_size = 0
        self.lay_out()
        image = bytearray(self.size)
        for section in self.sections:
            if section.place is not None and section.type != _SHT_NOBITS:
                image[section.place:section.place + section.size] = \
                    self.data[section.offset:section.offset + section.size]
        self.base = self.region.allocate(self.size)
        self.image = image
        self.addresses = [self.address(symbol) for symbol in self.symbols]
        for section in self.sections:
            if section.type == _SHT_RELA and self.sections[section.info].place is not None:
                self.relocate(section)
        arena.write(self.base, image)
        libc.protect(self.base, -(-self.size // 4096) * 4096, libc.PROT_RX)
        defined = {self.name(s): a for s, a in zip(self.symbols, self.addresses)
                   if s[3] not in (0, 0xFFF1) and s[0] and a is not None}
        places = {i: section.place for i, section in enumerate(self.sections) if section.place is not None}
        text = self.base, self.base + self.text_size
        return Loaded(self.base, self.size, defined, text, self.data, places, origin)

    def name(self, symbol):
        start = self.names.offset + symbol[0]
        return self.data[start:self.data.index(b"\0", start)].decode()

    def address(self, symbol):
        _, _, _, index, value, _ = symbol
        if index == 0:
            name = self.name(symbol)
            return self.resolve(name) if name else 0
        if index >= 0xFF00 or self.sections[index].place is None:
            return None
        return self.base + self.sections[index].place + value

    def resolve(self, name):
        address = self.externals.get(name)
        if address is None:
            try:
                address = libc.symbol(name)
            except KeyError:
                raise InternalError(f"generated code wants an unknown symbol: {name}") from None
        return address

    def far_slot(self, address):
        """Place in the image of a jump to `address` followed by the address itself."""
        place = self.far.get(address)
        if place is None:
            place = self.far[address] = self.far_place
            self.image[place:place + 14] = _JUMP + struct.pack("<Q", address)
            self.far_place += 16
        return place

    def relocate(self, section):
        target = self.sections[section.info]
        raw = self.data[section.offset:section.offset + section.size]
        for offset, info, addend in _RELA.iter_unpack(raw):
            kind, value = info & 0xFFFFFFFF, self.addresses[info >> 32]
            place = target.place + offset
            here = self.base + place
            if kind == _ABS64:
                struct.pack_into("<Q", self.image, place, value + addend)
                continue
            if kind == _PC64:
                struct.pack_into("<q", self.image, place, value + addend - here)
                continue
            if kind in (_GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX):
                value = self.base + self.far_slot(value) + len(_JUMP)
            elif kind == _PLT32 and not -1 << 31 <= value + addend - here < 1 << 31:
                value = self.base + self.far_slot(value)
            elif kind not in (_PC32, _PLT32):
                raise InternalError(f"unknown relocation type {kind}")
            try:
                struct.pack_into("<i", self.image, place, value + addend - here)
            except struct.error:
                raise InternalError("a relocation does not reach its target") from None


def load(data, region, externals, origin):
    """Load object bytes into `arena.guest` or `arena.host`. `externals` {name: address} come before
    the C library's symbols; `origin`: what the code is for people (`runtime.arrivals`). Raises InternalError for what
    cannot be linked."""
    loaded = _Image(data, region, externals).load(origin)
    arrivals.note(loaded)
    return loaded
