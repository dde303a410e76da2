"""Where the code of each compile unit is (DWARF 5, 7.5 and 2.17): what is read of all units to find the one that has an address.

pyelftools takes 0.2 ms for a unit, and a module may have 100,000. Here one takes 10 us. What is damaged raises any exception.
"""
import types

from pyjit_wasm.binary.reader import Reader

# the attributes that say where code is, and in which sections more is said
_LOW, _HIGH, _RANGES, _ADDR_BASE, _LISTS_BASE = 0x11, 0x12, 0x55, 0x73, 0x74
_WANTED = frozenset((_LOW, _HIGH, _RANGES, _ADDR_BASE, _LISTS_BASE))
_COMPILE, _PARTIAL, _SKELETON = 1, 3, 4     # unit types that have code
_NUMBER = 8                                 # bytes of a unit's number or signature

# forms of attributes: of fixed size in bytes, as long as an offset, LEB128 numbers, blocks with the size of their size
_FIXED = {0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8, 0x19: 0, 0x1C: 4, 0x1E: 16, 0x20: 8,
          0x21: 0, 0x24: 8, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2A: 2, 0x2B: 3, 0x2C: 4}
_OFFSETS = frozenset((0x0E, 0x10, 0x17, 0x1D, 0x1F))
_LEB = frozenset((0x0D, 0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23))
_BLOCKS = {0x0A: 1, 0x03: 2, 0x04: 4}
_ADDRESS, _STRING, _BLOCK, _EXPRESSION, _INDIRECT, _CONSTANT, _LIST = 0x01, 0x08, 0x09, 0x18, 0x16, 0x21, 0x23
_INDEXED = frozenset((0x1B, 0x29, 0x2A, 0x2B, 0x2C))    # addresses by number

# entries of range lists (DWARF 5, 7.25)
_END, _BASE_X, _STARTX_ENDX, _STARTX_LENGTH, _OFFSET_PAIR, _BASE, _START_END, _START_LENGTH = range(8)


class Units:
    """The units of debug information; `sections` {name without `.debug_`: bytes}, `spend(n)` is told of n parts that are
    read."""

    def __init__(self, sections, spend):
        self._sections, self._spend, self._abbreviations = sections, spend, {}

    def __iter__(self):
        """(offset of the unit in `.debug_info`, what gives [(low, high)] of its code) of each, ascending."""
        reader, end = self._reader("info"), len(self._sections["info"])
        while reader.pos < end:
            start, unit = reader.pos, types.SimpleNamespace(offset_size=4)
            size = _fixed(reader, 4)
            if size == 0xFFFFFFFF:
                size, unit.offset_size = _fixed(reader, 8), 8
            following = reader.pos + size
            self._spend(1)
            unit.top = reader.pos
            yield start, lambda unit=unit, following=following: self._code(unit, following)
            reader.pos = following

    def _reader(self, section, pos=0):
        return Reader(self._sections.get(section, b""), pos)

    def _code(self, unit, end):
        reader = self._reader("info", unit.top)
        if not self._header(unit, reader) or reader.pos >= end:
            return []
        return list(self._extent(unit, self._attributes(unit, reader)))

    def _header(self, unit, reader):
        """Read the rest of a unit's header. Whether it is of a unit that has code."""
        unit.version = _fixed(reader, 2)
        if unit.version < 5:
            unit.abbreviations, unit.address_size = _fixed(reader, unit.offset_size), reader.byte()
            return True
        kind, unit.address_size = reader.byte(), reader.byte()
        unit.abbreviations = _fixed(reader, unit.offset_size)
        if kind == _SKELETON:
            reader.take(_NUMBER)
        return kind in (_COMPILE, _PARTIAL, _SKELETON)

    def _abbreviation(self, start, wanted):
        """[(attribute, form)] that an abbreviation stands for; those of a table are read as far as somebody wants."""
        reader, known = self._abbreviations.setdefault(start, (self._reader("abbrev", start), {}))
        while wanted not in known:
            code = reader.u64()
            if not code:
                raise ValueError("unknown abbreviation")
            reader.u64()
            reader.byte()
            known[code] = pairs = []
            while True:
                attribute, form = reader.u64(), reader.u64()
                if form == _CONSTANT:
                    reader.s64()
                self._spend(1)
                if not attribute and not form:
                    break
                pairs.append((attribute, form))
        return known[wanted]

    def _attributes(self, unit, reader):
        """{attribute: (value, form)} of the first DIE, those that are wanted."""
        found = {}
        for attribute, form in self._abbreviation(unit.abbreviations, reader.u64()):
            self._spend(1)
            value, form = _value(unit, reader, form)
            if attribute in _WANTED:
                found[attribute] = value, form
        return found

    def _address(self, unit, found, value, form):
        return self._indexed(unit, found, value) if form in _INDEXED else value

    def _indexed(self, unit, found, index):
        """The address of that number."""
        base = found[_ADDR_BASE][0] if _ADDR_BASE in found else 8
        return _fixed(self._reader("addr", base + index * unit.address_size), unit.address_size)

    def _extent(self, unit, found):
        low = self._address(unit, found, *found[_LOW]) if _LOW in found else None
        if _RANGES in found:
            yield from self._listed(unit, found, low or 0)
        elif low is not None and _HIGH in found:
            value, form = found[_HIGH]
            absolute = form == _ADDRESS or form in _INDEXED
            yield low, self._address(unit, found, value, form) if absolute else low + value

    def _listed(self, unit, found, base):
        """What a range list says; `base`: what its offsets are from."""
        place, form = found[_RANGES]
        if unit.version < 5:
            return self._pairs(unit, self._reader("ranges", place), base)
        if form == _LIST:
            start = found[_LISTS_BASE][0] if _LISTS_BASE in found else 12
            place = start + _fixed(self._reader("rnglists", start + place * unit.offset_size), unit.offset_size)
        return self._entries(unit, found, self._reader("rnglists", place), base)

    def _pairs(self, unit, reader, base):
        size = unit.address_size
        while True:
            self._spend(1)
            low, high = _fixed(reader, size), _fixed(reader, size)
            if not low and not high:
                return
            if low == (1 << 8 * size) - 1:
                base = high
            else:
                yield base + low, base + high

    def _entries(self, unit, found, reader, base):
        def address():
            return _fixed(reader, unit.address_size)

        def indexed():
            return self._indexed(unit, found, reader.u64())

        while True:
            self._spend(1)
            kind = reader.byte()
            if kind == _END:
                return
            if kind in (_BASE, _BASE_X):
                base = address() if kind == _BASE else indexed()
            elif kind == _OFFSET_PAIR:
                low, high = reader.u64(), reader.u64()
                yield base + low, base + high
            elif kind in (_STARTX_ENDX, _START_END):
                read = indexed if kind == _STARTX_ENDX else address
                low, high = read(), read()
                yield low, high
            elif kind in (_STARTX_LENGTH, _START_LENGTH):
                low = indexed() if kind == _STARTX_LENGTH else address()
                yield low, low + reader.u64()
            else:
                raise ValueError("unknown entry of a range list")


def _fixed(reader, size):
    return int.from_bytes(reader.take(size), "little")


def _value(unit, reader, form):
    """(value, form) of an attribute; of strings and blocks nothing is kept."""
    size = _FIXED.get(form)
    if size is None and form in _OFFSETS:
        size = unit.offset_size
    if size is not None:
        return _fixed(reader, size), form
    if form == _ADDRESS:
        return _fixed(reader, unit.address_size), form
    if form in _LEB:
        return reader.u64(), form
    if form == _STRING:
        reader.pos = reader.data.index(b"\0", reader.pos) + 1
    elif form in (_BLOCK, _EXPRESSION):
        reader.take(reader.u64())
    elif form in _BLOCKS:
        reader.take(_fixed(reader, _BLOCKS[form]))
    elif form == _INDIRECT:
        return _value(unit, reader, reader.u64())
    else:
        raise ValueError("unknown form")
    return None, form
