"""DWARF 4 and 5 in WebAssembly, read with pyelftools: source positions and inlined calls of an address.

Addresses are byte offsets from the start of the code section's contents (WebAssembly tool conventions). Units are found by
their ranges, and only the one that has the address is read. DIEs are gone through by their offsets, which only ascend.
"""
import bisect
import posixpath

from elftools.dwarf.descriptions import describe_form_class
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DWARFInfo, DwarfConfig
from elftools.dwarf.ranges import BaseAddressEntry

from pyjit_wasm.source.bounds import Budget, Stream, TooLong, check_line_header
from pyjit_wasm.source.line_program import DEAD, rows
from pyjit_wasm.source.units import Units

_SECTIONS = ("info", "aranges", "abbrev", "str", "ranges", "line", "addr", "str_offsets", "line_str", "loclists", "rnglists")
_UNUSED = ("debug_frame_sec", "eh_frame_sec", "debug_loc_sec", "debug_pubtypes_sec", "debug_pubnames_sec", "debug_sup_sec",
           "gnu_debugaltlink_sec", "debug_types_sec")
_FIRST = 1  # what linkers have left out may have address 0, where the number of functions is
_ORIGINS = 8  # how many DIEs may lead to the one that has the name


def dies(unit, offset):
    """(depth, DIE) of the DIE at an offset of `.debug_info`, and of all below it."""
    stream, end, depth = unit.dwarfinfo.debug_info_sec.stream, unit.cu_offset + unit.size, 0
    while offset < end:
        die = DIE(cu=unit, stream=stream, offset=offset)
        offset += die.size
        if die.is_null():
            depth -= 1
        else:
            yield depth, die
            depth += bool(die.has_children)
        if depth <= 0:
            return


def extent(unit, die):
    """[(low, high)]: the addresses of a DIE's code."""
    attributes = die.attributes
    if "DW_AT_ranges" in attributes:
        base = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        entries = unit.dwarfinfo.range_lists().get_range_list_at_offset(attributes["DW_AT_ranges"].value, unit)
        return list(_absolute(base.value if base else 0, entries))
    low, high = attributes.get("DW_AT_low_pc"), attributes.get("DW_AT_high_pc")
    if low is None or high is None:
        return []
    return [(low.value, high.value if describe_form_class(high.form) == "address" else low.value + high.value)]


def _absolute(base, entries):
    """[low, high) of the entries of a range list."""
    for entry in entries:
        if isinstance(entry, BaseAddressEntry):
            base = entry.base_address
        else:
            start = 0 if entry.is_absolute else base
            yield start + entry.begin_offset, start + entry.end_offset


def inlined_calls(unit, offset):
    """[(depth, low, high, DIE)]: the calls that were inlined into the function whose DIE is at `offset`."""
    return [(depth, low, high, die) for depth, die in dies(unit, offset) if die.tag == "DW_TAG_inlined_subroutine"
            for low, high in extent(unit, die)]


def name_of(die):
    """(name, linkage name) of a function, from the DIEs that it refers to if it has none; None where there is none."""
    name = linkage = None
    for _ in range(_ORIGINS):
        attributes = die.attributes
        name = name or _text(attributes.get("DW_AT_name"))
        linkage = linkage or _text(attributes.get("DW_AT_linkage_name") or attributes.get("DW_AT_MIPS_linkage_name"))
        origin = next((a for a in ("DW_AT_abstract_origin", "DW_AT_specification") if a in attributes), None)
        if origin is None or (name and linkage):
            break
        die = die.get_DIE_from_attribute(origin)
    return name, linkage


def _text(attribute):
    return attribute.value.decode(errors="replace") if attribute and attribute.value else None


def _path(*parts):
    """The path that parts lead to, of which each may be absolute; a URL is one too."""
    while any("://" in part for part in parts[1:]):
        parts = parts[1:]
    path = posixpath.join(*parts)
    return path if "://" in path else posixpath.normpath(path)


def _number(die, name):
    attribute = die.attributes.get(name)
    return attribute.value if attribute else None


class _Unit:
    """A compile unit, read: its lines, and where its functions are."""

    def __init__(self, unit):
        self._unit, self._scopes = unit, {}
        top = unit.get_top_DIE()
        self._directory = _text(top.attributes.get("DW_AT_comp_dir")) or ""
        self._files, self._rows = [], []
        if "DW_AT_stmt_list" in top.attributes:
            self._read_lines(top.attributes["DW_AT_stmt_list"].value)
        self._addresses = [row[0] for row in self._rows]
        self._functions = sorted((low, high, die.offset) for _, die in dies(unit, unit.cu_die_offset)
                                 if die.tag == "DW_TAG_subprogram" for low, high in extent(unit, die) if low >= _FIRST)

    def _read_lines(self, offset):
        data = self._unit.dwarfinfo.debug_line_sec.stream.getvalue()
        check_line_header(data, offset)
        program = self._unit.dwarfinfo.line_program_for_CU(self._unit)
        self._files, self._rows = list(self._paths(program)), rows(program, data, _FIRST)

    def _paths(self, program):
        """The paths of a line program's files by number (DWARF 5, 6.2.4; before, numbers begin with 1)."""
        if program["version"] >= 5:
            directories = [entry.DW_LNCT_path for entry in program["directories"]]
            entries = [(entry.DW_LNCT_path, entry.get("DW_LNCT_directory_index", 0)) for entry in program["file_names"]]
        else:
            directories = [b"", *program["include_directory"]]
            entries = [(b"", 0), *((entry.name, entry.dir_index) for entry in program["file_entry"])]
        for name, directory in entries:
            parts = [part.decode(errors="replace") for part in (*directories[directory:directory + 1], name)]
            yield _path(self._directory, *parts)

    def _place(self, file, line, column):
        known = file is not None and 0 <= file < len(self._files)
        return self._files[file] if known else None, line or None, column or None

    def at(self, address):
        """[(name, linkage name, file, line, column)] of an address, innermost first."""
        index = bisect.bisect(self._addresses, address) - 1
        row = self._rows[index][1:] if index >= 0 else (None, None, None)
        place = self._place(*row) if row[1] is not None else (None, None, None)
        names, inlined = self._scope(address)
        found = []
        for low, high, name, call in inlined:
            if low <= address < high:
                found.append((*names, *self._place(*call)))
                names = name
        return [(*names, *place), *reversed(found)]

    def _scope(self, address):
        """The names of the function that an address is in, and the calls inlined into it, outermost first."""
        index = bisect.bisect(self._functions, (address, 1 << 64)) - 1
        if index < 0 or address >= self._functions[index][1]:
            return (None, None), ()
        start, end, offset = self._functions[index]
        if offset not in self._scopes:
            self._scopes[offset] = (None, None), ()  # one that cannot be read is not tried again
            calls = sorted(inlined_calls(self._unit, offset), key=lambda call: call[0])
            self._scopes[offset] = name_of(self._unit.get_DIE_from_refaddr(offset)), [
                (low, high, name_of(die), tuple(_number(die, f"DW_AT_call_{part}") for part in ("file", "line", "column")))
                for _, low, high, die in calls if start <= low and high <= end]  # tools that rewrite modules leave others
        return self._scopes[offset]


class _Info(DWARFInfo):
    """Knows where the units are: `offsets`."""

    offsets = ()

    def get_CU_containing(self, refaddr):
        return self.get_CU_at(self.offsets[bisect.bisect(self.offsets, refaddr) - 1])


class Dwarf:
    """Debug information: `sections` {name without `.debug_`: bytes}. What is damaged raises any exception or is misread."""

    def __init__(self, sections):
        self._budget, self._units, self._index = Budget(), {}, None
        described = {f"debug_{name}_sec": self._section(name, sections) for name in _SECTIONS}
        self._all = Units(sections, self._budget.spend)
        self._dwarf = _Info(DwarfConfig(True, "wasm", 4), **described, **dict.fromkeys(_UNUSED))

    def _section(self, name, sections):
        content = sections.get(name)
        return None if content is None else DebugSectionDescriptor(
            Stream(content, self._budget), f".debug_{name}", 0, len(content), 0)

    def at(self, address):
        """[(name, linkage name, file, line, column)] of an address, innermost first: inlined calls, then the function itself.
        None for what is not known; lines and columns count from 1. Empty if no unit has the address."""
        self._budget.refill()
        offset = self._unit_offset(address)
        if offset is None:
            return []
        if offset not in self._units:
            self._units[offset] = None  # one that cannot be read is not tried again
            self._units[offset] = _Unit(self._dwarf.get_CU_at(offset))
        unit = self._units[offset]
        return [] if unit is None else unit.at(address)

    def _unit_offset(self, address):
        if self._index is None:
            self._index = []
            self._index = sorted(self._ranges())
            self._starts = [low for low, _, _ in self._index]
        index = bisect.bisect(self._starts, address) - 1 if self._index else -1
        return self._index[index][2] if index >= 0 and address < self._index[index][1] else None

    def _ranges(self):
        """(low, high, offset of the unit) of the code of all units."""
        self._dwarf.offsets = []
        for offset, code in self._all:
            self._dwarf.offsets.append(offset)
            try:
                for low, high in code():
                    if _FIRST <= low < high < DEAD:
                        yield low, high, offset
            except TooLong:
                raise
            except Exception:  # this unit is damaged; the next one may not be
                continue
