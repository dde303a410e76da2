"""Which wasm instruction an address of native code belongs to, from the object's debug information.

Read only when somebody looks at a trap's frames. Lines are byte offsets in the module, subprogram names
function indices (`codegen.unit`); inlined calls are nested scopes.
"""
import bisect
import io
import struct

from elftools.dwarf.descriptions import describe_form_class
from elftools.dwarf.ranges import BaseAddressEntry
from elftools.elf.elffile import ELFFile


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


def _absolute(base, entries):
    """[low, high) of the entries of a range list."""
    found = []
    for entry in entries:
        if isinstance(entry, BaseAddressEntry):
            base = entry.base_address
        else:
            found.append((base + entry.begin_offset, base + entry.end_offset))
    return found


class Lines:
    """Debug information of one object, whose sections lie at `places` {index: offset} when it is loaded.
    Addresses are such offsets."""

    def __init__(self, data, places):
        dwarf = ELFFile(io.BytesIO(_placed(data, places))).get_dwarf_info()
        self._ranges = dwarf.range_lists()
        self._rows, self._inlined = [], []
        for unit in dwarf.iter_CUs():
            self._read_lines(dwarf.line_program_for_CU(unit))
            for subprogram in unit.get_top_DIE().iter_children():
                self._read_scopes(unit, subprogram, 0)
        self._rows.sort()
        self._places = [address for address, _ in self._rows]

    def _read_lines(self, program):
        for entry in program.get_entries():
            state = entry.state
            if state is not None and not state.end_sequence:
                self._rows.append((state.address, state.line))

    def _read_scopes(self, unit, die, depth):
        for child in die.iter_children():
            if child.tag == "DW_TAG_inlined_subroutine":
                origin = child.get_DIE_from_attribute("DW_AT_abstract_origin")
                name = origin.attributes["DW_AT_name"].value.decode()
                line = child.attributes["DW_AT_call_line"].value
                for low, high in self._extent(unit, child):
                    self._inlined.append((depth, low, high, name, line))
            self._read_scopes(unit, child, depth + 1)

    def _extent(self, unit, die):
        """[low, high) address ranges of a scope."""
        if "DW_AT_ranges" in die.attributes:
            base = unit.get_top_DIE().attributes["DW_AT_low_pc"].value
            return _absolute(base, self._ranges.get_range_list_at_offset(die.attributes["DW_AT_ranges"].value))
        low, high = die.attributes["DW_AT_low_pc"].value, die.attributes["DW_AT_high_pc"]
        return [(low, high.value if describe_form_class(high.form) == "address" else low + high.value)]

    def all(self):
        """Everything at once, sorted: [(address, byte offset)] of where an instruction's code begins, 0 for code of no single
        instruction; [(depth, low, high, name, byte offset of the call)] of inlined calls."""
        return self._rows, sorted(self._inlined)

    def lookup(self, place, name):
        """[(name, byte offset)], innermost first, of the instruction at `place` in the function `name`."""
        index = bisect.bisect(self._places, place) - 1
        while index > 0 and not self._rows[index][1]:
            index -= 1  # code that belongs to no single instruction: take the one before
        line = self._rows[index][1] if index >= 0 else 0
        found, current = [], name
        for _, low, high, inlined, call_line in sorted(self._inlined):
            if low <= place < high:
                found.append((current, call_line))
                current = inlined
        return [(current, line), *reversed(found)]
