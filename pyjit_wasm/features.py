"""Which proposals, of those that became part of WebAssembly 1.1 to 3.0 and threads, a module uses.

Derived from what is in the module: its instructions (PREFIXES, MNEMONICS), its types, and how many memories there are.
"""
from collections.abc import Iterator

from pyjit_wasm.binary.body import instructions
from pyjit_wasm.module import Module
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.opcodes.op import Op
from pyjit_wasm.types import I64, V128, ArrayType, DefType, FuncType, MemType, RefType, StructType, TableType

BULK_MEMORY, BRANCH_HINTING = "bulk memory", "branch hinting"
EXCEPTIONS, LEGACY_EXCEPTIONS = "exception handling", "legacy exception handling"
EXTENDED_CONST, GC, MEMORY64, MULTI_MEMORY = "extended constant expressions", "garbage collection", "memory64", "multi-memory"
MULTI_VALUE, MUTABLE_GLOBALS, REFERENCE_TYPES = "multi-value", "mutable globals", "reference types"
SATURATING, SIGN_EXTENSION, SIMD, RELAXED_SIMD = "saturating conversions", "sign extension", "SIMD", "relaxed SIMD"
TAIL_CALLS, THREADS, TYPED_REFERENCES = "tail calls", "threads", "typed function references"

# in the order they came
PROPOSALS = (MUTABLE_GLOBALS, SIGN_EXTENSION, SATURATING, MULTI_VALUE, BULK_MEMORY, REFERENCE_TYPES, SIMD, THREADS, TAIL_CALLS,
             EXTENDED_CONST, MULTI_MEMORY, MEMORY64, LEGACY_EXCEPTIONS, EXCEPTIONS, TYPED_REFERENCES, GC, RELAXED_SIMD,
             BRANCH_HINTING)

# codes of these prefixes: up to which subopcode, and what they belong to
PREFIXES = {0xFB: ((0xFFFF, GC),), 0xFC: ((7, SATURATING), (14, BULK_MEMORY), (17, REFERENCE_TYPES)),
            0xFD: ((0xFF, SIMD), (0xFFFF, RELAXED_SIMD)), 0xFE: ((0xFFFF, THREADS),)}
MNEMONICS = {
    SIGN_EXTENSION: "i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s",
    REFERENCE_TYPES: "ref.null ref.is_null ref.func table.get table.set",
    TAIL_CALLS: "return_call return_call_indirect return_call_ref",
    LEGACY_EXCEPTIONS: "try catch catch_all delegate rethrow",
    EXCEPTIONS: "try_table throw_ref",
    TYPED_REFERENCES: "call_ref return_call_ref ref.as_non_null br_on_null br_on_non_null",
    GC: "ref.eq",
}
_BY_MNEMONIC: dict[str, list[str]] = {}
for _proposal, _names in MNEMONICS.items():
    for _name in _names.split():
        _BY_MNEMONIC.setdefault(_name, []).append(_proposal)
_TYPED_SELECT = 0x1C
_ARITHMETIC = {BY_NAME[f"{valtype}.{name}"] for valtype in ("i32", "i64") for name in ("add", "sub", "mul")}
_HINTS = "metadata.code.branch_hint"
_THROW = "throw"
_OF_HEAP = {"func": (), "extern": (REFERENCE_TYPES,), "exn": (EXCEPTIONS,)}


def proposals(module: Module) -> tuple[str, ...]:
    """The names of the proposals that a decoded module uses, in the order of PROPOSALS. It need not be valid. Raises
    DecodeError."""
    found = {*_of_types(module), *_of_sections(module), *_of_bodies(module)}
    if (module.tags or _THROW in found) and LEGACY_EXCEPTIONS not in found:     # both have tags and `throw`
        found.add(EXCEPTIONS)
    return tuple(name for name in PROPOSALS if name in found)


def of_instruction(op: Op) -> list[str]:
    """What an instruction, by its row of the opcode table, belongs to."""
    if op.code > 0xFF:
        return [next(name for last, name in PREFIXES[op.code >> 16] if op.code & 0xFFFF <= last)]
    return [REFERENCE_TYPES] if op.code == _TYPED_SELECT else _BY_MNEMONIC.get(op.mnemonic, [])


def _of_valtype(valtype: object) -> Iterator[str]:
    if valtype == V128:
        yield SIMD
    if not isinstance(valtype, RefType):
        return
    if isinstance(valtype.heap, DefType) or not valtype.nullable:
        yield TYPED_REFERENCES
    if not isinstance(valtype.heap, DefType):
        yield from _OF_HEAP.get(valtype.heap, (GC,))


def _of_signature(functype: FuncType) -> Iterator[str]:
    if len(functype.results) > 1:
        yield MULTI_VALUE
    for valtype in (*functype.params, *functype.results):
        yield from _of_valtype(valtype)


def _of_types(module: Module) -> Iterator[str]:
    for deftype in module.types:
        if isinstance(deftype.comp, (StructType, ArrayType)) or deftype.supers or not deftype.final or len(
                deftype.group.types) > 1:
            yield GC
        else:
            yield from _of_signature(deftype.comp)
    for item in (*module.mems, *module.tables):
        yield from _of_space(item)
    for item in module.globals:
        yield from _of_valtype(item.valtype)
    if len(module.mems) > 1:
        yield MULTI_MEMORY
    if len(module.tables) > 1:
        yield REFERENCE_TYPES


def _of_space(item: MemType | TableType) -> Iterator[str]:
    if item.addr == I64:
        yield MEMORY64
    if isinstance(item, MemType):
        yield from [THREADS] * item.shared
    else:
        yield from _of_valtype(item.elem)


def _of_sections(module: Module) -> Iterator[str]:
    imported = len(module.globals) - len(module.global_defs)
    crossing = {*range(imported), *(export.index for export in module.exports if export.kind == "global")}
    if any(module.globals[index].mutable for index in crossing if index < len(module.globals)):
        yield MUTABLE_GLOBALS
    for segment in (*module.elems, *module.datas):
        if segment.mode != "active":
            yield BULK_MEMORY
    if any(name == _HINTS for name, _ in module.customs):
        yield BRANCH_HINTING
    if any(table.init for table in module.table_defs):
        yield TYPED_REFERENCES
    for constant in _constants(module):
        for op, _, _ in constant:
            yield from [EXTENDED_CONST] if op in _ARITHMETIC else of_instruction(op)


def _constants(module: Module) -> Iterator[list]:
    yield from (item.init for item in (*module.table_defs, *module.global_defs) if item.init)
    yield from (segment.offset for segment in (*module.elems, *module.datas) if segment.mode == "active")
    for elem in module.elems:
        if any(op.mnemonic != "ref.func" for init in elem.inits for op, _, _ in init):
            yield from elem.inits


def _of_bodies(module: Module) -> Iterator[str]:
    used = set()
    for code in module.codes:
        for _, valtype in code.locals:
            yield from _of_valtype(valtype)
        for op, imm, _ in instructions(module, code.start, code.end):
            used.add(op)
            if op.imm[:1] == ("blocktype",) and isinstance(imm[0] if isinstance(imm, tuple) else imm, int):
                yield MULTI_VALUE
            elif op.mnemonic == "call_indirect" and imm[1]:
                yield REFERENCE_TYPES
    for op in used:
        yield from [_THROW] if op.mnemonic == _THROW else of_instruction(op)

