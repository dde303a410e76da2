"""Which wasm instruction an address of native code belongs to, from the object's debug information.

Read only when somebody looks at a trap's frames. Lines are byte offsets in the module, subprogram names
function indices (`codegen.unit`); inlined calls are nested scopes.
"""
import bisect
import io

from elftools.dwarf.descriptions import describe_form_class
from elftools.elf.elffile import ELFFile


class Lines:
    """Debug information of one object. Addresses are offsets from the start of its text."""

    def __init__(self, data):
        dwarf = ELFFile(io.BytesIO(data)).get_dwarf_info()
        self._ranges = dwarf.range_lists()
        self._rows, self._inlined = [], []
        for unit in dwarf.iter_CUs():
            self._read_lines(dwarf.line_program_for_CU(unit))
            self._names = {}
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
            return [(base + r.begin_offset, base + r.end_offset)
                    for r in self._ranges.get_range_list_at_offset(die.attributes["DW_AT_ranges"].value)]
        low, high = die.attributes["DW_AT_low_pc"].value, die.attributes["DW_AT_high_pc"]
        return [(low, high.value if describe_form_class(high.form) == "address" else low + high.value)]

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
