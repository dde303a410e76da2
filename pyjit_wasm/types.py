"""Types of WebAssembly 3.0 (spec 2.3): value, function, aggregate, memory, table, global, tag types.

Number and vector types are the strings "i32", "i64", "f32", "f64", "v128"; everything else is an
immutable object that compares by value. A heap type is one of `ABSTRACT_HEAP_TYPES` or a `DefType`;
defined types are interned process-wide, so type equivalence is identity (`canonical_group`).
"""
from __future__ import annotations

import itertools
import weakref
from _thread import allocate_lock

from pyjit_wasm import forks
from pyjit_wasm.config import LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, Union

    ValueType = Union[Literal["i32", "i64", "f32", "f64", "v128"], "RefType"]
    AddressType = Literal["i32", "i64"]
    ExternType = Union["FuncType", "TableType", "MemType", "GlobalType", "TagType"]

I32, I64, F32, F64, V128 = "i32", "i64", "f32", "f64", "v128"

ABSTRACT_HEAP_TYPES = ("nofunc", "noextern", "none", "noexn", "func", "extern", "any", "eq", "i31",
                       "struct", "array", "exn")

# direct supertypes among abstract heap types (spec 3.3.3); the bottoms are handled by hierarchy
_SUPER = {"i31": "eq", "struct": "eq", "array": "eq", "eq": "any"}
_BOTTOM_OF = {"none": "any", "nofunc": "func", "noextern": "extern", "noexn": "exn"}


class _Value:
    """Immutable record: fields are `__slots__`, equality and hash by value. A module may have a million: the hash is
    remembered."""

    __slots__ = ("_hash",)

    def __init_subclass__(cls):
        cls._set = [getattr(cls, name).__set__ for name in cls.__slots__]

    def __init__(self, *values):
        for put, value in zip(self._set, values, strict=True):
            put(self, value)

    def __setattr__(self, name, value):
        raise AttributeError(f"{type(self).__name__} is immutable")

    def _key(self):
        return tuple([getattr(self, name) for name in self.__slots__])

    def __eq__(self, other):
        return self is other or type(self) is type(other) and hash(self) == hash(other) and self._key() == other._key()

    def __hash__(self):
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", hash((type(self).__name__, self._key())))
            return self._hash

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(map(repr, self._key()))})"

    def __reduce__(self):
        return type(self), self._key()


class RefType(_Value):
    """Reference type (spec 2.3): `nullable` bool, `heap` an abstract heap type name or a DefType."""

    __slots__ = ("nullable", "heap")
    nullable: bool
    heap: str | DefType

    def __str__(self):
        if self.nullable and self.heap in ABSTRACT_HEAP_TYPES:
            return _SHORTHAND[self.heap]
        return f"(ref {'null ' if self.nullable else ''}{self.heap})"


_SHORTHAND = {"nofunc": "nullfuncref", "noextern": "nullexternref", "none": "nullref",
              "noexn": "nullexnref"}
_SHORTHAND |= {h: h + "ref" for h in ABSTRACT_HEAP_TYPES if h not in _SHORTHAND}

FUNCREF, EXTERNREF, EXNREF = (RefType(True, h) for h in ("func", "extern", "exn"))


class FuncType(_Value):
    """Function type (spec 2.3): `params` and `results`, tuples of value types."""

    __slots__ = ("params", "results")
    params: tuple[ValueType, ...]
    results: tuple[ValueType, ...]

    def __str__(self):
        return f"[{' '.join(map(str, self.params))}] -> [{' '.join(map(str, self.results))}]"


class FieldType(_Value):
    """`storage`: a value type, "i8" or "i16"; `mutable`: bool."""

    __slots__ = ("storage", "mutable")


class StructType(_Value):
    """`fields`: tuple of FieldType."""

    __slots__ = ("fields",)


class ArrayType(_Value):
    """`field`: FieldType of every element."""

    __slots__ = ("field",)


class SubType(_Value):
    """Sub type before canonicalisation: `final` bool, `supers` tuple of type references, `comp`."""

    __slots__ = ("final", "supers", "comp")


class Limits(_Value):
    """Limits (spec 2.3): `min` int, `max` int or None, in pages or elements."""

    __slots__ = ("min", "max")
    min: int
    max: int | None


class MemType(_Value):
    """Memory type (spec 2.3): `addr` "i32" or "i64", `limits` in pages of 64 KiB, `shared` bool."""

    __slots__ = ("addr", "limits", "shared")
    addr: AddressType
    limits: Limits
    shared: bool


class TableType(_Value):
    """Table type (spec 2.3): `addr` "i32" or "i64", `limits` in elements, `elem` RefType."""

    __slots__ = ("addr", "limits", "elem")
    addr: AddressType
    limits: Limits
    elem: RefType


class GlobalType(_Value):
    """Global type (spec 2.3): `valtype`, a value type, and `mutable`, bool."""

    __slots__ = ("valtype", "mutable")
    valtype: ValueType
    mutable: bool


class TagType(_Value):
    """Tag type (spec 2.3): `deftype`, the DefType of a function type without results; its parameters are the payload."""

    __slots__ = ("deftype",)
    deftype: DefType


class ImportType(_Value):
    """What a module needs (spec appendix, module_imports): `module` and `name`, str; `type`: FuncType, TableType,
    MemType, GlobalType or TagType."""

    __slots__ = ("module", "name", "type")
    module: str
    name: str
    type: ExternType


class ExportType(_Value):
    """What a module offers (spec appendix, module_exports): `name`, str; `kind`: "func", "table", "memory", "global" or
    "tag"; `index` in the index space of its kind, int; `type` as of an import."""

    __slots__ = ("name", "kind", "index", "type")
    name: str
    kind: str
    index: int
    type: ExternType


class RecRef(_Value):
    """Inside a recursive group being defined: the `index`-th type of that very group."""

    __slots__ = ("index",)


class DefType:
    """A defined type (spec 2.3.9): one sub type of a canonical recursive group.

    Interned: two equivalent types are the same object. `id` is a process-wide number that compiled
    code compares, `comp` the composite type, `supers` a tuple of DefType, `final` bool.
    """

    __slots__ = ("id", "group", "index", "final", "supers", "comp", "__weakref__")
    comp: FuncType | StructType | ArrayType

    def __repr__(self):
        return f"DefType({self.id}: {self.comp})"

    def __str__(self):
        return str(self.id)

    def __reduce__(self):
        return _rebuild, (self.group.key, self.index)


class _Group:
    """A canonical recursive group: `key` with RecRefs inside, `types` the DefTypes."""

    __slots__ = ("key", "types", "__weakref__")


_ids = itertools.count(1)
_groups = weakref.WeakValueDictionary()
_by_id = weakref.WeakValueDictionary()
_lock = forks.kept(allocate_lock(), "types")


def _resolved(comp, types):
    """A composite type with DefTypes for its RecRefs, which are indices of `types`; itself if it has none."""
    known = {}

    def valtype(actual):
        if not isinstance(actual, RefType) or not isinstance(actual.heap, RecRef):
            return actual
        found = known.get(actual)
        if found is None:
            found = known[actual] = RefType(actual.nullable, types[actual.heap.index])
        return found

    def field(actual):
        storage = valtype(actual.storage)
        return actual if storage is actual.storage else FieldType(storage, actual.mutable)

    if isinstance(comp, FuncType):
        params, results = tuple(map(valtype, comp.params)), tuple(map(valtype, comp.results))
        return FuncType(params, results) if known else comp
    if isinstance(comp, StructType):
        fields = tuple(map(field, comp.fields))
        return StructType(fields) if known else comp
    return ArrayType(field(comp.field))


def canonical_group(subtypes):
    """The DefTypes of a recursive group given as a tuple of SubType whose references into the group
    are RecRef and whose references outside are DefType (spec 3.3.11, type equivalence)."""
    key = tuple(subtypes)
    with _lock:
        group = _groups.get(key)
        if group is None:
            group = _Group()
            group.key = key
            types = [DefType() for _ in key]
            for index, (deftype, sub) in enumerate(zip(types, key, strict=True)):
                deftype.id, deftype.group, deftype.index = next(_ids), group, index
                _by_id[deftype.id] = deftype
                deftype.final, deftype.comp = sub.final, _resolved(sub.comp, types)
                deftype.supers = tuple([types[s.index] if isinstance(s, RecRef) else s for s in sub.supers])
            group.types = tuple(types)
            _groups[key] = group
    return group.types


def by_id(number):
    """The DefType with that `id`; it must be alive."""
    return _by_id[number]


def _rebuild(key, index):
    return canonical_group(key)[index]


def functype(params, results):
    """The DefType of the final, ungrouped function type `params -> results`. ValueError for more than there may be: room
    for values is made for so many."""
    params, results = tuple(params), tuple(results)
    for what, values in (("parameters", params), ("results", results)):
        if len(values) > LIMITS[what]:
            raise ValueError(f"too many {what}: {len(values)} (at most {LIMITS[what]})")
    return canonical_group((SubType(True, (), FuncType(params, results)),))[0]


def slots(valtypes):
    """How many eight-byte slots values take: a v128 two, others one."""
    return len(valtypes) + valtypes.count(V128)


def heap_top(heap):
    """The top heap type of the hierarchy `heap` belongs to."""
    if isinstance(heap, DefType):
        return "func" if isinstance(heap.comp, FuncType) else "any"
    while heap in _SUPER:
        heap = _SUPER[heap]
    return _BOTTOM_OF.get(heap, heap)


def matches_heap(sub, sup):
    """Heap type matching `sub <= sup` (spec 3.3.3)."""
    if sub is sup or sub == sup:
        return True
    if isinstance(sub, DefType):
        if isinstance(sup, DefType):
            return any(matches_heap(s, sup) for s in sub.supers)
        kind = {FuncType: "func", StructType: "struct", ArrayType: "array"}[type(sub.comp)]
        return matches_heap(kind, sup)
    if sub in _BOTTOM_OF:
        return _BOTTOM_OF[sub] == heap_top(sup)
    return sub in _SUPER and matches_heap(_SUPER[sub], sup)


def matches(sub, sup):
    """Value type matching `sub <= sup` (spec 3.3.5)."""
    if sub == sup:
        return True
    return (isinstance(sub, RefType) and isinstance(sup, RefType)
            and (sup.nullable or not sub.nullable) and matches_heap(sub.heap, sup.heap))


def matches_limits(sub, sup):
    """Limits matching (spec 3.3.13)."""
    return sub.min >= sup.min and (sup.max is None or (sub.max is not None and sub.max <= sup.max))


def matches_extern(sub, sup):
    """External type matching `sub <= sup` for imports (spec 3.3.18); arguments are DefType (a
    function), TableType, MemType, GlobalType or TagType."""
    if type(sub) is not type(sup):
        return False
    if isinstance(sub, DefType):
        return matches_heap(sub, sup)
    if isinstance(sub, MemType):
        return sub.addr == sup.addr and sub.shared == sup.shared and matches_limits(sub.limits, sup.limits)
    if isinstance(sub, TableType):
        return sub.addr == sup.addr and matches_limits(sub.limits, sup.limits) and sub.elem == sup.elem
    if isinstance(sub, GlobalType):
        if sub.mutable != sup.mutable:
            return False
        return sub.valtype == sup.valtype if sub.mutable else matches(sub.valtype, sup.valtype)
    return sub == sup


def defaultable(valtype):
    """Whether locals of this type have a default value (spec 3.4.9)."""
    return not isinstance(valtype, RefType) or valtype.nullable
