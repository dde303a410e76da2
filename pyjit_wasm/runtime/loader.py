"""Loads laid out objects (`runtime.elf`) into an arena.

Own and small because a warm start must need no LLVM, and because LLVM's run-time linker aborts the
process on a relocation that does not reach: here that is an InternalError.
"""
import struct

from pyjit_wasm.errors import InternalError
from pyjit_wasm.runtime import arena, arrivals, elf, libc

_ADDRESS, _DISTANCE, _FAR_DISTANCE = struct.Struct("<Q"), struct.Struct("<i"), struct.Struct("<q")
_REACH = 1 << 31


class Loaded:
    """A loaded elf.Object: `symbols` {name: address} of what it defines, `start` and `size` of its pages, `text` (address,
    end) of its instructions, `object` the bytes of the file and `places` {section index: offset from `start`} (for the debug
    information), `origin` what it is for people (`runtime.arrivals`).
    """

    def __init__(self, start, laid_out, origin):
        self.start, self.origin, self._laid_out = start, origin, laid_out
        self.size, self.object, self.places = laid_out.size, laid_out.data, laid_out.places
        self.text = start, start + laid_out.text_size
        self.symbols = {name: start + place for name, place in laid_out.symbols.items()}

    def functions(self):
        """[(address, size in bytes, symbol)] of the functions that it defines, sorted."""
        return sorted((self.start + place, size, symbol) for place, size, symbol in elf.functions(self._laid_out))


def _image(laid_out, base, externals, outside):
    """The bytes of an Object at an address."""
    image, data, addresses = bytearray(laid_out.size), laid_out.data, _Addresses(base, externals, outside)
    for place, offset, size in laid_out.copies:
        image[place:place + size] = data[offset:offset + size]
    for target, place in laid_out.far.items():
        elf.FAR.pack_into(image, place, elf.JUMP, addresses[target])
    for place, kind, addend, target in laid_out.patches:
        value = addresses[target] + addend
        distance = value - base - place
        if kind == elf.ABS64:
            _ADDRESS.pack_into(image, place, value)
        elif kind == elf.PC64:
            _FAR_DISTANCE.pack_into(image, place, distance)
        elif -_REACH <= distance < _REACH:
            _DISTANCE.pack_into(image, place, distance)
        elif kind == elf.PLT32:
            _DISTANCE.pack_into(image, place, laid_out.far[target] + addend - place)
        else:
            raise InternalError("a relocation does not reach its target")
    return image


class _Addresses(dict):
    """{target in an Object: its address}: something elsewhere, or a place in it."""

    def __init__(self, base, externals, outside):
        super().__init__()
        self._base, self._externals, self._outside = base, externals, outside

    def __missing__(self, target):
        if isinstance(target, int):
            return self._base + target
        address = self._externals.get(target)
        if address is None:
            try:
                address = self._outside(target)
            except KeyError:
                raise InternalError(f"generated code wants an unknown symbol: {target}, or may not use it") from None
        self[target] = address
        return address


def load(laid_out, region, externals, origin, outside=libc.symbol):
    """Load an elf.Object into `arena.guest` or `arena.host`. `externals` {name: address} come before
    `outside(name)`, which raises KeyError for what there is not; `origin`: what the code is for people (`runtime.arrivals`).
    Raises InternalError for what cannot be linked."""
    base = region.allocate(laid_out.size)
    arena.write(base, _image(laid_out, base, externals, outside))
    libc.protect(base, -(-laid_out.size // libc.MACHINE_PAGE) * libc.MACHINE_PAGE, libc.PROT_RX)
    loaded = Loaded(base, laid_out, origin)
    arrivals.note(loaded)
    return loaded
