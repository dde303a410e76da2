"""The long sections of a large module as arrays (`binary.bulk_reader`), made into objects one by one when somebody looks."""
from pyjit_wasm.binary.types import SINGLE_BYTE
from pyjit_wasm.module import Code, Data
from pyjit_wasm.opcodes import BY_NAME

DATA = 4        # words of a data segment: start and end of its bytes, offset, place of the offset's expression
PASSIVE = -1    # that place, of a passive one

_REF_FUNC, _I32_CONST = BY_NAME["ref.func"], BY_NAME["i32.const"]


class Codes:
    """The Codes of a module. `bodies`: start, end, 1 of each; `run_counts`, `run_types` (as bytes of the binary format) of
    the locals of all, those of a function up to its number in `run_ends`."""

    def __init__(self, bodies, run_counts, run_types, run_ends):
        self.bodies, self.run_counts, self.run_types, self.run_ends = bodies, run_counts, run_types, run_ends
        self._made = {}

    def __len__(self):
        return len(self.run_ends)

    def __getitem__(self, index):
        found = self._made.get(index)
        if found is None:
            index = range(len(self))[index]
            end = self.run_ends[index]
            runs = range(self.run_ends[index - 1] if index else 0, end)
            locals_ = tuple([(self.run_counts[run], SINGLE_BYTE[self.run_types[run]]) for run in runs])
            found = self._made[index] = Code(locals_, self.bodies[3 * index], self.bodies[3 * index + 1])
        return found


class Datas:
    """The data segments of a module, all of them passive, or for memory 0 at a constant offset of 32 bits."""

    def __init__(self, segments):
        self._segments = segments

    def __len__(self):
        return len(self._segments) // DATA

    def __getitem__(self, index):
        index = range(len(self))[index]
        start, end, offset, place = self._segments[DATA * index:DATA * index + DATA]
        if place == PASSIVE:
            return Data(start, end, "passive", 0, None)
        return Data(start, end, "active", 0, [(_I32_CONST, offset, place)])

    def active(self):
        """(offset, start, end) of the active ones."""
        segments = self._segments
        return ((segments[at + 2] & 0xFFFFFFFF, segments[at], segments[at + 1])
                for at in range(0, len(segments), DATA) if segments[at + 3] != PASSIVE)

    def passive(self):
        """The numbers of the passive ones."""
        return [index for index, place in enumerate(self._segments[3::DATA]) if place == PASSIVE]

    @property
    def first_active(self):
        """An active one as a list, if there is any: it is as valid as the others."""
        return next(([found] for found in self if found.mode == "active"), [])


class FunctionReferences:
    """The constant expressions of an element segment that is a list of function indices, which are `indices`."""

    def __init__(self, indices, places):
        self.indices, self._places = indices, places

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return [(_REF_FUNC, self.indices[index], self._places[index])]


def function_indices(constants):
    """The functions that constant expressions refer to."""
    if isinstance(constants, FunctionReferences):
        return constants.indices
    return [imm for constant in constants for op, imm, _ in constant if op is _REF_FUNC]
