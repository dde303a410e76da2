"""Which wasm instruction an address of native code belongs to, from the object's debug information.

Read only when somebody looks at a trap's frames. Lines are byte offsets in the module, subprogram names
function indices (`codegen.unit`); inlined calls are nested scopes.
"""
import bisect
import io
import struct

from elftools.elf.elffile import ELFFile

from pyjit_wasm.source.dwarf import dies, extent, inlined_calls, name_of
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


class Lines:
    """Debug information of one object, whose sections lie at `places` {index: offset} when it is loaded.
    Addresses are such offsets."""

    def __init__(self, data, places):
        dwarf = ELFFile(io.BytesIO(_placed(data, places))).get_dwarf_info()
        self._rows, self._subprograms, self._inlined = [], [], {}
        for unit in dwarf.iter_CUs():
            self._rows += rows(dwarf.line_program_for_CU(unit), dwarf.debug_line_sec.stream.getvalue())
            self._subprograms += [(low, high, unit, die.offset) for _, die in dies(unit, unit.cu_die_offset)
                                  if die.tag == "DW_TAG_subprogram" for low, high in extent(unit, die)]
        self._rows.sort(key=lambda row: row[0])
        self._places = [row[0] for row in self._rows]

    def _calls(self, place):
        """[(low, high, name, line of the call)] of the calls inlined into the function at `place`, outermost first."""
        for low, high, unit, offset in self._subprograms:
            if low <= place < high:
                if offset not in self._inlined:
                    calls = sorted(inlined_calls(unit, offset), key=lambda call: call[0])
                    self._inlined[offset] = [(low, high, name_of(die)[0], die.attributes["DW_AT_call_line"].value)
                                             for _, low, high, die in calls]
                return self._inlined[offset]
        return ()

    def lookup(self, place, name):
        """[(name, byte offset)], innermost first, of the instruction at `place` in the function `name`."""
        index = bisect.bisect(self._places, place) - 1
        while index > 0 and not self._rows[index][2]:
            index -= 1  # code that belongs to no single instruction: take the one before
        line = index >= 0 and self._rows[index][2] or 0
        found, current = [], name
        for low, high, inlined, call_line in self._calls(place):
            if low <= place < high:
                found.append((current, call_line))
                current = inlined
        return [(current, line), *reversed(found)]
