"""What the kernels look up, as arrays: the rows of the opcode table, and a module's types and index spaces."""
from array import array

from pyjit_wasm import types
from pyjit_wasm.binary.bulk import Codes
from pyjit_wasm.binary.types import SINGLE_BYTE
from pyjit_wasm.opcodes import BY_CODE
from pyjit_wasm.types import FuncType, RefType, defaultable
from pyjit_wasm.valid.bulk import state
from pyjit_wasm.valid.rules import LANES, SIGNATURES

_KNOWN = {types.I32: state.I32, types.I64: state.I64, types.F32: state.F32, types.F64: state.F64, types.V128: state.V128,
          types.FUNCREF: state.FUNCREF, types.EXTERNREF: state.EXTERNREF, types.EXNREF: state.EXNREF,
          RefType(False, "exn"): state.EXN, "addr": state.ADDR}
_NUMBERS = frozenset((types.I32, types.I64, types.F32, types.F64, types.V128, "addr"))
_BASE = {0xFC: state.FC, 0xFD: state.FD, 0xFE: state.FE}

# rows with a kind of their own, by mnemonic
_OWN = {name.replace("_", ".", 1) if "_" in name else name: getattr(state, name.upper()) for name in (
    "unreachable", "block", "loop", "if", "else", "end", "br", "return", "call", "throw", "drop", "local_get", "local_set",
    "local_tee", "global_get", "global_set", "ref_null", "ref_is_null", "ref_func", "table_get", "table_set", "table_size",
    "table_grow", "table_fill", "table_copy", "table_init", "elem_drop", "memory_size", "memory_grow", "memory_fill",
    "memory_copy", "memory_init", "data_drop")}
_OWN |= {"br_if": state.BR_IF, "br_table": state.BR_TABLE, "call_indirect": state.CALL_INDIRECT,
         "return_call": state.RETURN_CALL, "return_call_indirect": state.RETURN_CALL_INDIRECT,
         "throw_ref": state.THROW_REF, "try_table": state.TRY_TABLE, "try": state.TRY, "catch": state.CATCH,
         "catch_all": state.CATCH_ALL, "delegate": state.DELEGATE, "rethrow": state.RETHROW}
_CONSTANTS = {("i32",): (state.CONST32, 0), ("i64",): (state.CONST64, 0), ("f32",): (state.BYTES, 4), ("f64",): (state.BYTES, 8),
              ("v128",): (state.BYTES, 16), ("zero",): (state.ZERO, 0), ("lanes",): (state.SHUFFLE, 0)}


def _rows():
    """The array `ops`: kind, 8 bits of what `immediate` wants to know, signature of every row that the kernels know."""
    rows = array("q", [state.UNKNOWN]) * state.OPS
    for code, op in BY_CODE.items():
        place = code if code < 0x100 else _BASE.get(code >> 16, state.OPS) + (code & 0xFFFF)
        if place < state.OPS:
            kind, aux = _kind(op)
            rows[place] = kind | aux << 8 | _signature(op) << 16
    return rows


def _kind(op):
    if op.mnemonic == "select":
        return (state.SELECT_TYPED if op.imm else state.SELECT), 0
    if op.mnemonic in _OWN:
        return _OWN[op.mnemonic], 0
    if op.params is None or op.results is None or not _NUMBERS.issuperset((*op.params, *op.results)) or len(op.results) > 1:
        return state.UNKNOWN, 0
    if not op.imm:
        return (state.SIMPLE if SIGNATURES[op][3] is None else state.UNKNOWN), 0
    if op.imm == ("laneidx",):
        return state.LANE, LANES[op.mnemonic.split(".")[0]]
    if op.imm[0] == "memarg":
        kind = {("memarg",): state.ACCESS, ("memarg", "laneidx"): state.LANE_ACCESS}[op.imm]
        return kind, op.access.bit_length() - 1 | 128 * op.atomic
    return _CONSTANTS.get(op.imm, (state.UNKNOWN, 0))


def _signature(op):
    """As `state.apply_row` reads it."""
    params, results = op.params or (), op.results or ()
    if len(params) > 4 or len(results) > 1 or not _NUMBERS.issuperset((*params, *results)):
        return 0
    packed = len(params) | len(results) << 20
    for place, valtype in enumerate((*params, *[None] * (4 - len(params)), *results), 1):
        if valtype is not None:
            packed |= _KNOWN[valtype] << (4 * place if place < 5 else 24)
    return packed


class Tables:
    """The arrays of one module, by the names of the kernels' parameters."""

    def __init__(self, module):
        self._numbers, self._sequences = dict(_KNOWN), {}
        self.ops = _rows()
        self.valtypes, self.sigs = array("i"), array("i")
        places = {id(t): i for i, t in reversed(list(enumerate(module.types)))}    # where types are first, which may be often
        signatures = {i: self._signature(module.types[i].comp) for i in places.values()}
        for deftype in module.types:
            self.sigs.extend(signatures[places[id(deftype)]])
        self.types = len(module.types)
        self.sigs.extend(self._signature(FuncType((), ())))
        constants = sorted((n, t) for t, n in _KNOWN.items() if n <= state.EXN)
        for _, valtype in constants:
            self.sigs.extend(self._signature(FuncType((), (valtype,))))
        self.func_sigs = array("i", [places[id(t)] for t in module.funcs])
        references = {index: self.number(RefType(False, module.types[index])) for index in {*self.func_sigs}}
        self.func_refs = array("i", [references[index] for index in self.func_sigs])
        self.func_count = len(module.funcs)
        self.globals = array("i", [n for g in module.globals for n in (self.number(g.valtype), g.mutable)])
        self.global_count = len(module.globals)
        self.tables = array("i", [n for t in module.tables for n in (self.number(t.elem), self.number(t.addr))])
        self.table_count = len(module.tables)
        self.mems, self.mem_count = array("i", [self.number(m.addr) for m in module.mems]), len(module.mems)
        self.tags = array("i", [places[id(t.deftype)] for t in module.tags])
        self.tag_count = len(module.tags)
        # (ref func) may go where funcref may, and segments of functions usually do
        reftypes = [types.FUNCREF if e.reftype == RefType(False, "func") else e.reftype for e in module.elems]
        self.elems, self.elem_count = array("i", map(self.number, reftypes)), len(module.elems)
        self.data_count = len(module.datas)
        self.declared = bytearray(self.func_count)
        for funcidx in module.declared:
            if funcidx < self.func_count:
                self.declared[funcidx] = 1
        self._bodies(module.codes)

    def number(self, valtype):
        """What stands for a value type."""
        return self._numbers.setdefault(valtype, state.FIRST_OTHER + len(self._numbers))

    def _signature(self, comp):
        """The words of a signature, as `state` names them."""
        if not isinstance(comp, FuncType):
            return -1, 0, 0, 0
        return self._sequence(comp.params), len(comp.params), self._sequence(comp.results), len(comp.results)

    def _sequence(self, valtypes):
        start = self._sequences.get(valtypes)
        if start is None:
            start = self._sequences[valtypes] = len(self.valtypes)
            self.valtypes.extend(map(self.number, valtypes))
        return start

    def _bodies(self, codes):
        self.count = len(codes)
        if isinstance(codes, Codes):
            self.bodies, self.run_counts, self.run_ends = codes.bodies, codes.run_counts, codes.run_ends
            numbers = {byte: self.number(SINGLE_BYTE[byte]) for byte in set(codes.run_types)}
            self.run_types = array("i", [numbers[byte] for byte in codes.run_types])
            return
        self.bodies, self.run_counts, self.run_types, self.run_ends = array("q"), array("i"), array("i"), array("i")
        for code in codes:
            plain = True
            for count, valtype in code.locals:
                self.run_counts.append(count)
                self.run_types.append(self.number(valtype))
                plain = plain and defaultable(valtype)
            self.bodies.extend((code.start, code.end, plain))
            self.run_ends.append(len(self.run_counts))
