"""LLVM's tables of stack frames (DWARF section `.debug_frame`), for code where it is in memory."""
import io
import struct

_ABS64, _ABS32 = 1, 10   # relocation types


def frame_table(loaded):
    """The content of `.debug_frame` for a loader.Loaded, b"" if it has none."""
    from elftools.elf.elffile import ELFFile    # takes long to import

    file = ELFFile(io.BytesIO(loaded.object))
    section, relocations = file.get_section_by_name(".debug_frame"), file.get_section_by_name(".rela.debug_frame")
    if section is None:
        return b""
    content, symbols = bytearray(section.data()), file.get_section(relocations["sh_link"])
    for relocation in relocations.iter_relocations():
        if relocation["r_info_type"] == _ABS64:     # of a function
            symbol = symbols.get_symbol(relocation["r_info_sym"])
            address = loaded.start + loaded.places[symbol["st_shndx"]] + symbol["st_value"] + relocation["r_addend"]
            struct.pack_into("<Q", content, relocation["r_offset"], address)
        elif relocation["r_info_type"] == _ABS32:   # of an entry in this section
            struct.pack_into("<I", content, relocation["r_offset"], relocation["r_addend"])
    return bytes(content)
