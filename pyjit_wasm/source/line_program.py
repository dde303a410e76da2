"""Line programs (DWARF 5, 6.2.5): the rows of address, file, line and column.

pyelftools reads their headers. It runs programs too, but takes 10 us an instruction, with all the states that it keeps, and
somebody is waiting for a traceback.
"""
from elftools.dwarf.constants import DW_LNE, DW_LNS

DEAD = 0xFFFFFFFE  # linkers write this and the next for the addresses of what they have left out
_MOST_BITS = 63


def rows(program, data, lowest=0):
    """[(address, file, line, column)], ascending, of a pyelftools LineProgram; `data`: `.debug_line`. The line of what is
    behind a sequence is None. Sequences that begin below `lowest` are left out. Raises exceptions for what is malformed."""
    found, sequence = [], []
    for row in _run(program, data):
        sequence.append(row)
        if row[2] is None:
            if lowest <= sequence[0][0] < DEAD:
                found += sequence
            sequence = []
    return sorted(found, key=lambda row: (row[0], row[2] is not None))  # of rows with one address the last one holds


def _run(program, data):
    header, position = program.header, program.program_start_offset
    base, line_base, line_range = header["opcode_base"], header["line_base"], header["line_range"]
    unit, lengths = header["minimum_instruction_length"], header["standard_opcode_lengths"]
    end = min(program.program_end_offset, len(data))
    address, file, line, column = 0, 1, 1, 0
    while position < end:
        opcode = data[position]
        position += 1
        if opcode >= base:
            address += (opcode - base) // line_range * unit
            line += line_base + (opcode - base) % line_range
            yield address, file, line, column
        elif opcode == DW_LNS.copy:
            yield address, file, line, column
        elif opcode == DW_LNS.advance_pc:
            operand, position = _unsigned(data, position)
            address += operand * unit
        elif opcode == DW_LNS.advance_line:
            operand, position = _signed(data, position)
            line += operand
        elif opcode == DW_LNS.set_file:
            file, position = _unsigned(data, position)
        elif opcode == DW_LNS.set_column:
            column, position = _unsigned(data, position)
        elif opcode == DW_LNS.const_add_pc:
            address += (255 - base) // line_range * unit
        elif opcode == DW_LNS.fixed_advance_pc:
            address += int.from_bytes(data[position:position + 2], "little")
            position += 2
        elif opcode:
            for _ in range(lengths[opcode - 1]):
                _, position = _unsigned(data, position)
        else:
            size, start = _unsigned(data, position)
            position = start + size
            if data[start] == DW_LNE.end_sequence:
                yield address, file, None, column
                address, file, line, column = 0, 1, 1, 0
            elif data[start] == DW_LNE.set_address:
                address = int.from_bytes(data[start + 1:position], "little")


def _unsigned(data, position):
    """(number, position behind it)."""
    byte = data[position]
    if byte < 0x80:
        return byte, position + 1
    value, shift = 0, 0
    while byte >= 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > _MOST_BITS:
            raise ValueError("a number in a line program is too large")
        position += 1
        byte = data[position]
    return value | byte << shift, position + 1


def _signed(data, position):
    value, after = _unsigned(data, position)
    bits = 7 * (after - position)
    return (value - (1 << bits) if value >> bits - 1 else value), after
