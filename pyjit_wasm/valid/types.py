"""Validity of types (spec 3.2) and matching of composite types (spec 3.3.7)."""
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.types import I32, FuncType, StructType, defaultable, matches
from pyjit_wasm.valid.body import check_limit

MAX_PAGES = {"i32": 1 << 16, "i64": 1 << 48}
PAGES_TEXT = {"i32": "65536 pages (4GiB)", "i64": "2^48 pages (16EiB)"}
MAX_ELEMENTS = {"i32": (1 << 32) - 1, "i64": (1 << 64) - 1}


def matches_field(sub, sup):
    if sub.mutable != sup.mutable:
        return False
    return sub.storage == sup.storage or not sup.mutable and matches(sub.storage, sup.storage)


def matches_all(subs, sups):
    return len(subs) == len(sups) and all(map(matches, subs, sups))


def matches_comp(sub, sup):
    """Composite type matching `sub <= sup`."""
    if type(sub) is not type(sup):
        return False
    if isinstance(sub, FuncType):
        return matches_all(sup.params, sub.params) and matches_all(sub.results, sup.results)
    if isinstance(sub, StructType):
        return len(sub.fields) >= len(sup.fields) and all(map(matches_field, sub.fields, sup.fields))
    return matches_field(sub.field, sup.field)


def check_types(types):
    """Every sub type must match its supertype, which must not be final.

    Matching walks up the supertypes, therefore their number is checked before.
    """
    depths = {}
    for deftype in types:
        if not deftype.supers:
            depths[deftype] = 0
            continue
        if len(deftype.supers) > 1:
            raise ValidationError("sub type has more than one supertype")
        depths[deftype] = 1 + max([depths[s] for s in deftype.supers], default=-1)
        check_limit("supertypes above a type", depths[deftype])
    for index, deftype in enumerate(types):
        for supertype in deftype.supers:
            if supertype.final or not matches_comp(deftype.comp, supertype.comp):
                raise ValidationError(f"sub type {index} does not match its supertype")


def check_limits(limits, most, message):
    if limits.min > most or limits.max is not None and limits.max > most:
        raise ValidationError(message)
    if limits.max is not None and limits.min > limits.max:
        raise ValidationError("size minimum must not be greater than maximum")


def check_memory(memtype):
    check_limits(memtype.limits, MAX_PAGES[memtype.addr], f"memory size must be at most {PAGES_TEXT[memtype.addr]}")
    if memtype.shared and memtype.limits.max is None:
        raise ValidationError("shared memory must have maximum")


def check_table(tabletype):
    bits = 32 if tabletype.addr == I32 else 64
    check_limits(tabletype.limits, MAX_ELEMENTS[tabletype.addr], f"table size must be at most 2^{bits}-1")


def check_tag(tagtype):
    if tagtype.deftype.comp.results:
        raise ValidationError("non-empty tag result type")


def check_default(valtype):
    """Something without an initial value needs a type that has a default."""
    if not defaultable(valtype):
        raise ValidationError(f"type mismatch: {valtype} has no default value")
