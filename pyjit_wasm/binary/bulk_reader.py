"""Reads the long sections of a large module by kernels."""
from array import array

from pyjit_wasm.binary import bulk_kernels
from pyjit_wasm.binary.bulk import DATA, Codes, Datas, FunctionReferences
from pyjit_wasm.binary.bulk_kernels import FULL, NUMBERS, POS, UNKNOWN
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.binary.sections import code, data, ref_func
from pyjit_wasm.binary.types import SINGLE_BYTE, functype
from pyjit_wasm.config import LIMITS
from pyjit_wasm.types import FuncType

LEAST, MOST = 64, LIMITS["elements in a segment"]   # items of a vector for the kernels: room is made for all that are announced

_KNOWN = bytes(byte in SINGLE_BYTE for byte in range(256))


class BulkReader(Reader):
    """A Reader that reads long vectors by kernels; `load` is `codegen.kernels.load`."""

    __slots__ = ("_load", "_at")

    def __init__(self, data, load):
        super().__init__(data)
        self._load = load
        self._at = array("q", (0, len(data)))

    def vec(self, item, what=None):
        """A vector of what `item` reads: a list, or for some items a sequence that makes them when somebody looks."""
        read = _BULK.get(item)
        if read is None or read == _codes and self.read_bodies:
            return super().vec(item, what)
        start, count = self.pos, self.count(what)
        found = read(self, count) if LEAST <= count <= MOST else None
        if found is None:
            self.pos = start
            return super().vec(item, what)
        return found

    def run(self, main, *arguments):
        """What a kernel returns; it goes on where this reader is, and this one where it stopped."""
        self._at[POS] = self.pos
        result = self._load(main, *NUMBERS)(self._at, self.data, *arguments)
        self.pos = self._at[POS]
        return result


def _indices(reader, count):
    """(indices, where they are) or None."""
    indices, places = array("i", bytes(4 * count)), array("i", bytes(4 * count))
    return (indices, places) if reader.run(bulk_kernels.read_indices, count, indices, places) else None


def _references(reader, count):
    found = _indices(reader, count)
    return found and FunctionReferences(*found)


def _functypes(reader, count):
    found = _indices(reader, count)
    if found is None or max(found[0]) >= len(reader.types):
        return None
    deftypes = [reader.types[index] for index in found[0]]
    return deftypes if all(isinstance(deftype.comp, FuncType) for deftype in {id(t): t for t in deftypes}.values()) else None


def _codes(reader, count):
    bodies, run_ends = array("q", bytes(24 * count)), array("i", bytes(4 * count))
    start, room, runs = reader.pos, 2 * count, FULL
    while runs == FULL:
        room *= 2
        reader.pos = start
        run_counts, run_types = array("i", bytes(4 * room)), bytearray(room)
        runs = reader.run(bulk_kernels.read_codes, count, _KNOWN, bodies, run_counts, run_types, run_ends, room)
    return None if runs == UNKNOWN else Codes(bodies, run_counts[:runs], bytes(run_types[:runs]), run_ends)


def _datas(reader, count):
    segments = array("q", bytes(8 * DATA * count))
    return Datas(segments) if reader.run(bulk_kernels.read_datas, count, segments) else None


_BULK = {ref_func: _references, functype: _functypes, code: _codes, data: _datas}
