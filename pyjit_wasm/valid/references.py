"""Rules of reference and aggregate instructions (spec 3.4.8, 3.4.9)."""
from functools import lru_cache

from pyjit_wasm.errors import ValidationError
from pyjit_wasm.types import I32, ArrayType, RefType, StructType, defaultable, heap_top, matches
from pyjit_wasm.valid.body import lookup
from pyjit_wasm.valid.memory import data_segment, elem_segment


def ref_null(body, imm):
    body.stack.append(RefType(True, imm))


def ref_is_null(body, _):
    body.pop_ref()
    body.stack.append(I32)


def ref_func(body, imm):
    deftype = lookup(body.module.funcs, imm, "function")
    if imm not in body.module.declared:
        raise ValidationError(f"undeclared function reference {imm}")
    body.stack.append(RefType(False, deftype))


def ref_as_non_null(body, _):
    body.stack.append(RefType(False, body.pop_ref().heap))


def br_on_null(body, imm):
    reference = body.pop_ref()
    label = body.label(imm)
    body.apply(label, (*label, RefType(False, reference.heap)))


def br_on_non_null(body, imm):
    *others, reference = branch_types(body, imm)
    body.pop(RefType(True, reference.heap))
    body.apply(tuple(others), others)


def branch_types(body, labelidx):
    """The types of a label whose last one must be a reference."""
    label = body.label(labelidx)
    if not label or not isinstance(label[-1], RefType):
        raise ValidationError("type mismatch: instruction requires a label with a reference")
    return label


def expect_match(sub, sup):
    if not matches(sub, sup):
        raise ValidationError(f"type mismatch: {sub} does not match {sup}")


def cast_types(imm):
    """Source, target and difference types of a branch on a cast."""
    flags, _, source, target = imm
    before, after = RefType(bool(flags & 1), source), RefType(bool(flags & 2), target)
    expect_match(after, before)
    return before, after, RefType(before.nullable and not after.nullable, source)


def br_on_cast(body, imm):
    before, after, other = cast_types(imm)
    branch_on_cast(body, imm[1], before, after, other)


def br_on_cast_fail(body, imm):
    before, after, other = cast_types(imm)
    branch_on_cast(body, imm[1], before, other, after)


def branch_on_cast(body, labelidx, operand, taken, passed):
    """A branch that takes a reference of type `taken` along and leaves one of type `passed` otherwise."""
    *others, reference = branch_types(body, labelidx)
    expect_match(taken, reference)
    body.pop(operand)
    body.apply(tuple(others), (*others, passed))


def ref_test(body, imm):
    body.apply((RefType(True, heap_top(imm)),), (I32,))


def ref_cast(nullable):
    def rule(body, imm):
        body.apply((RefType(True, heap_top(imm)),), (RefType(nullable, imm),))
    return rule


def convert(source, target):
    """Conversion between external and internal references keeps nullability."""
    def rule(body, _):
        operand = body.pop_ref()
        body.stack.append(operand)
        body.pop(RefType(True, source))
        body.stack.append(RefType(operand.nullable, target))
    return rule


def unpacked(field):
    """The type that a field's value has on the stack."""
    return I32 if field.storage in ("i8", "i16") else field.storage


def composite(body, typeidx, kind, what):
    """(DefType, composite type) of a type index that must be a structure or an array."""
    deftype = lookup(body.module.types, typeidx, "type")
    if not isinstance(deftype.comp, kind):
        raise ValidationError(f"type mismatch: type {typeidx} is not {what}")
    return deftype, deftype.comp


def structure(body, typeidx):
    return composite(body, typeidx, StructType, "a structure type")


def array(body, typeidx):
    """(nullable reference type, field type) of an array type index."""
    deftype, comp = composite(body, typeidx, ArrayType, "an array type")
    return RefType(True, deftype), comp.field


def mutable_array(body, typeidx):
    reference, field = array(body, typeidx)
    if not field.mutable:
        raise ValidationError("immutable array")
    return reference, field


# cached because a short instruction may stand for thousands of fields
@lru_cache(64)
def operands(deftype):
    """The types on the stack of all fields of a structure."""
    return tuple(map(unpacked, deftype.comp.fields))


@lru_cache(64)
def all_defaultable(deftype):
    return all(map(defaultable, operands(deftype)))


def no_default():
    return ValidationError("type mismatch: field type is not defaultable")


def expect_packing(mnemonic, field):
    if mnemonic.endswith(("_s", "_u")) != (field.storage in ("i8", "i16")):
        raise ValidationError(f"type mismatch: {mnemonic} of {field.storage} field")


def struct_new(body, imm):
    deftype, _ = structure(body, imm)
    body.apply(operands(deftype), (RefType(False, deftype),))


def struct_new_default(body, imm):
    deftype, _ = structure(body, imm)
    if not all_defaultable(deftype):
        raise no_default()
    body.stack.append(RefType(False, deftype))


def struct_get(mnemonic):
    def rule(body, imm):
        deftype, comp = structure(body, imm[0])
        field = lookup(comp.fields, imm[1], "field")
        expect_packing(mnemonic, field)
        body.apply((RefType(True, deftype),), (unpacked(field),))
    return rule


def struct_set(body, imm):
    deftype, comp = structure(body, imm[0])
    field = lookup(comp.fields, imm[1], "field")
    if not field.mutable:
        raise ValidationError("immutable field")
    body.pop_all((RefType(True, deftype), unpacked(field)))


def array_new(body, imm):
    reference, field = array(body, imm)
    body.apply((unpacked(field), I32), (RefType(False, reference.heap),))


def array_new_default(body, imm):
    reference, field = array(body, imm)
    if not defaultable(field.storage):
        raise no_default()
    body.apply((I32,), (RefType(False, reference.heap),))


def array_new_fixed(body, imm):
    typeidx, count = imm
    reference, field = array(body, typeidx)
    body.pop_repeated(unpacked(field), count)
    body.stack.append(RefType(False, reference.heap))


def expect_data(body, field, dataidx):
    """Data segments can only fill arrays of numbers or vectors."""
    if isinstance(field.storage, RefType):
        raise ValidationError("array type is not numeric or vector")
    data_segment(body, dataidx)


def expect_elem(body, field, elemidx):
    expect_match(elem_segment(body, elemidx).reftype, field.storage)


def array_new_from(expect_segment):
    def rule(body, imm):
        typeidx, segment = imm
        reference, field = array(body, typeidx)
        expect_segment(body, field, segment)
        body.apply((I32, I32), (RefType(False, reference.heap),))
    return rule


def array_init_from(expect_segment):
    def rule(body, imm):
        typeidx, segment = imm
        reference, field = mutable_array(body, typeidx)
        expect_segment(body, field, segment)
        body.pop_all((reference, I32, I32, I32))
    return rule


def array_get(mnemonic):
    def rule(body, imm):
        reference, field = array(body, imm)
        expect_packing(mnemonic, field)
        body.apply((reference, I32), (unpacked(field),))
    return rule


def array_set(body, imm):
    reference, field = mutable_array(body, imm)
    body.pop_all((reference, I32, unpacked(field)))


def array_fill(body, imm):
    reference, field = mutable_array(body, imm)
    body.pop_all((reference, I32, unpacked(field), I32))


def array_copy(body, imm):
    target, field = mutable_array(body, imm[0])
    source, copied = array(body, imm[1])
    if not matches(copied.storage, field.storage):
        raise ValidationError("array types do not match")
    body.pop_all((target, I32, source, I32, I32))


RULES = {
    "ref.null": ref_null, "ref.is_null": ref_is_null, "ref.func": ref_func, "ref.as_non_null": ref_as_non_null,
    "br_on_null": br_on_null, "br_on_non_null": br_on_non_null, "br_on_cast": br_on_cast,
    "br_on_cast_fail": br_on_cast_fail, "ref.test": ref_test,
    "any.convert_extern": convert("extern", "any"), "extern.convert_any": convert("any", "extern"),
    "struct.new": struct_new, "struct.new_default": struct_new_default, "struct.set": struct_set,
    **{mnemonic: struct_get(mnemonic) for mnemonic in ("struct.get", "struct.get_s", "struct.get_u")},
    "array.new": array_new, "array.new_default": array_new_default, "array.new_fixed": array_new_fixed,
    "array.new_data": array_new_from(expect_data), "array.new_elem": array_new_from(expect_elem),
    "array.init_data": array_init_from(expect_data), "array.init_elem": array_init_from(expect_elem),
    **{mnemonic: array_get(mnemonic) for mnemonic in ("array.get", "array.get_s", "array.get_u")},
    "array.set": array_set, "array.fill": array_fill, "array.copy": array_copy,
}
