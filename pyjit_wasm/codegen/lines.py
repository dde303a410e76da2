"""Which wasm instruction an address of native code belongs to, from the object's debug information.

Read only when somebody looks at a trap's frames. Lines are byte offsets in the module, subprogram names
function indices (`codegen.unit`); inlined calls are nested scopes.
"""
import bisect
import io
import struct

from elftools.elf.elffile import ELFFile

from pyjit_wasm.source.dwarf import dies, extent, name_of
from pyjit_wasm.source.line_program import rows

_SYMBOL = struct.Struct("<IBBHQQ")


def _placed(data, places):
    """The object with its symbols where they are when it is loaded: in a relocatable object each section
    starts at 0, and cold functions have a section of their own."""
    data = bytearray(data)
    symbols = ELFFile(io.BytesIO(data)).get_section_by_name(".symtab")
    for at in range(symbols["sh_offset"], symbols["sh_offset"] + symbols["sh_size"], _SYMBOL.size):
        name, info, other, section, value, size = _SYMBOL.unpack_from(data, at)
        _SYMBOL.pack_into(data, at, name, info, other, section, value + places.get(section, 0), size)
    return data


def _inlined(unit):
    """[(depth, low, high, name, line of the call)] of all calls that were inlined."""
    names, found = {}, []
    for depth, die in dies(unit, unit.cu_die_offset):
        if die.tag == "DW_TAG_subprogram":
            names[die.offset - unit.cu_offset] = name_of(die)[0]
        elif die.tag == "DW_TAG_inlined_subroutine":
            origin, line = (die.attributes[name].value for name in ("DW_AT_abstract_origin", "DW_AT_call_line"))
            found += [(depth, low, high, origin, line) for low, high in extent(unit, die)]
    return [(depth, low, high, names[origin], line) for depth, low, high, origin, line in found]


class Lines:
    """Debug information of one object, whose sections lie at `places` {index: offset} when it is loaded.
    Addresses are such offsets. It is read once and whole: several threads may look things up."""

    def __init__(self, data, places):
        dwarf = ELFFile(io.BytesIO(_placed(data, places))).get_dwarf_info()
        self._rows, self._inlined = [], []
        for unit in dwarf.iter_CUs():
            self._rows += rows(dwarf.line_program_for_CU(unit), dwarf.debug_line_sec.stream.getvalue())
            self._inlined += _inlined(unit)
        self._rows.sort(key=lambda row: row[0])
        self._inlined.sort(key=lambda call: call[0])
        self._places = [row[0] for row in self._rows]

    def all(self):
        """Everything at once, sorted: [(address, byte offset)] of where an instruction's code begins, 0 for code of no single
        instruction; [(depth, low, high, name, byte offset of the call)] of inlined calls."""
        return [(row[0], row[2] or 0) for row in self._rows], sorted(self._inlined)

    def lookup(self, place, name):
        """[(name, byte offset)], innermost first, of the instruction at `place` in the function `name`."""
        index = bisect.bisect(self._places, place) - 1
        while index > 0 and not self._rows[index][2]:
            index -= 1  # code that belongs to no single instruction: take the one before
        line = index >= 0 and self._rows[index][2] or 0
        found, current = [], name
        for _, low, high, inlined, call_line in self._inlined:
            if low <= place < high:
                found.append((current, call_line))
                current = inlined
        return [(current, line), *reversed(found)]
