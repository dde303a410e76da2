"""Types in the binary format (spec 5.3) and the type section; every function takes a `Reader`."""
from pyjit_wasm.binary.reader import check_limit
from pyjit_wasm.errors import DecodeError, ValidationError
from pyjit_wasm.types import (F32, F64, I32, I64, V128, ArrayType, FieldType, FuncType, GlobalType, Limits, MemType,
                              RecRef, RefType, StructType, SubType, TableType, TagType, canonical_group)

NUMERIC = {0x7F: I32, 0x7E: I64, 0x7D: F32, 0x7C: F64, 0x7B: V128}
PACKED = {0x78: "i8", 0x77: "i16"}
HEAP = {0x74: "noexn", 0x73: "nofunc", 0x72: "noextern", 0x71: "none", 0x70: "func", 0x6F: "extern", 0x6E: "any",
        0x6D: "eq", 0x6C: "i31", 0x6B: "struct", 0x6A: "array", 0x69: "exn"}
REFERENCE = {code: RefType(True, heap) for code, heap in HEAP.items()}
SINGLE_BYTE = NUMERIC | REFERENCE
_ONE_BYTE = bytes(SINGLE_BYTE)
REF, REF_NULL = 0x64, 0x63

REC, SUB, SUB_FINAL = 0x4E, 0x50, 0x4F
HAS_MAX, SHARED, ADDR_I64 = 1, 2, 4


def typeidx(reader):
    """A type index, resolved: a DefType, or a RecRef into the recursive group being defined."""
    start = reader.pos
    return resolve(reader, reader.u32(), start)


def resolve(reader, index, offset):
    known = len(reader.types)
    if index < known:
        return reader.types[index]
    if index < known + reader.pending:
        return RecRef(index - known)
    raise ValidationError(f"unknown type {index}", offset)


def heaptype(reader):
    abstract = HEAP.get(reader.peek())
    if abstract is not None:
        reader.pos += 1
        return abstract
    start = reader.pos
    index = reader.s33()
    if index < 0:
        raise DecodeError("malformed heap type", start)
    return resolve(reader, index, start)


def reftype(reader):
    byte = reader.typecode()
    if byte in REFERENCE:
        return REFERENCE[byte]
    if byte not in (REF, REF_NULL):
        raise reader.malformed("malformed reference type")
    return RefType(byte == REF_NULL, heaptype(reader))


def valtype(reader):
    byte = reader.typecode()
    if byte in SINGLE_BYTE:
        return SINGLE_BYTE[byte]
    if byte not in (REF, REF_NULL):
        raise reader.malformed("malformed value type")
    return RefType(byte == REF_NULL, heaptype(reader))


def mutability(reader):
    byte = reader.byte()
    if byte > 1:
        raise reader.malformed("malformed mutability")
    return byte == 1


def limits(reader, allowed):
    """(address type, Limits, shared); `allowed`: the flags that may be set."""
    flags = reader.byte()
    if flags & ~allowed:
        raise reader.malformed("malformed limits flags")
    bounds = Limits(reader.u64(), reader.u64() if flags & HAS_MAX else None)
    return I64 if flags & ADDR_I64 else I32, bounds, bool(flags & SHARED)


def tabletype(reader):
    elem = reftype(reader)
    addr, bounds, _ = limits(reader, HAS_MAX | ADDR_I64)
    return TableType(addr, bounds, elem)


def memtype(reader):
    return MemType(*limits(reader, HAS_MAX | SHARED | ADDR_I64))


def globaltype(reader):
    return GlobalType(valtype(reader), mutability(reader))


def functype(reader):
    """The DefType of a type index that must be of a function."""
    start = reader.pos
    deftype = typeidx(reader)
    if not isinstance(deftype.comp, FuncType):
        raise ValidationError("type mismatch: function type expected", start)
    return deftype


def tagtype(reader):
    if reader.byte():
        raise reader.malformed("malformed tag attribute")
    return TagType(functype(reader))


def _valtypes(reader, what):
    """The value types of a function's parameters or results; nearly all have one byte."""
    count = reader.count(what)
    encoded = reader.data[reader.pos:reader.pos + count]
    if encoded.translate(None, _ONE_BYTE):
        return tuple([valtype(reader) for _ in range(count)])
    reader.pos += count
    return tuple([SINGLE_BYTE[code] for code in encoded])


def _function(reader):
    return FuncType(_valtypes(reader, "parameters"), _valtypes(reader, "results"))


def _fieldtype(reader):
    storage = PACKED.get(reader.peek())
    if storage is None:
        storage = valtype(reader)
    else:
        reader.pos += 1
    return FieldType(storage, mutability(reader))


def _struct(reader):
    return StructType(tuple(reader.vec(_fieldtype, "fields")))


def _array(reader):
    return ArrayType(_fieldtype(reader))


FUNCTION = 0x60
COMPOSITE = {FUNCTION: _function, 0x5F: _struct, 0x5E: _array}


def _comptype(reader):
    composite = COMPOSITE.get(reader.typecode())
    if composite is None:
        raise reader.malformed("malformed definition type")
    return composite(reader)


def _subtype(reader, index):
    """The `index`-th sub type of its group. Its supertypes must come before it, else walking up the
    supertypes would not end."""
    final, supers = True, ()
    if reader.peek() in (SUB, SUB_FINAL):
        final = reader.byte() == SUB_FINAL
        start = reader.pos
        supers = tuple(reader.vec(typeidx))
        if any(isinstance(s, RecRef) and s.index >= index for s in supers):
            raise ValidationError("unknown type: a supertype must be defined before", start)
    return SubType(final, supers, _comptype(reader))


def rectype(reader):
    """The sub types of one recursive group, as a tuple."""
    reader.pending = 1
    if reader.peek() == REC:
        reader.pos += 1
        reader.pending = reader.count("types in a recursive group")
    group = tuple([_subtype(reader, index) for index in range(reader.pending)])
    reader.pending = 0
    return group


def _plain_function(reader):
    """The bytes of the next type if it is a function type of types of one byte, fewer than 128 each way; else none."""
    data, start = reader.data, reader.pos
    head = data[start:start + 2]
    if len(head) < 2 or head[0] != FUNCTION or head[1] > 0x7F:
        return b""
    middle = start + 2 + head[1]
    count = data[middle:middle + 1]
    end = middle + 1 + (count[0] if count else 0)
    plain = count and count[0] < 0x80 and not (data[start + 2:middle] + data[middle + 1:end]).translate(None, _ONE_BYTE)
    return data[start:end] if plain else b""


def _definer():
    """What reads one recursive group and adds its types to the reader's. A module may have the same type a million times:
    one that refers to no other is read once."""
    known = {}

    def define(reader):
        encoded, start = _plain_function(reader), reader.pos
        group = known.get(encoded)
        if group is None:
            group = canonical_group(rectype(reader))
            if encoded:
                known[encoded] = group
        else:
            reader.pos = start + len(encoded)
        reader.types.extend(group)
        check_limit("types", len(reader.types), start)
    return define


def type_section(reader):
    """The DefTypes of the module; later sections find them in `reader.types`, too."""
    reader.types = []
    reader.vec(_definer(), "types")
    return reader.types
