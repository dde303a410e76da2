"""wasm.Table, wasm.Global: made from Python, exported, imported, shared between instances."""
from pyjit_wasm import tag
from pyjit_wasm.function import Function
from pyjit_wasm.memory import Memory
from pyjit_wasm.runtime.exceptions import TagInst
from pyjit_wasm.runtime.store import GlobalInst, MemoryInst, TableInst
from pyjit_wasm.types import GlobalType, RefType, TableType
from pyjit_wasm.values import from_bits, to_bits, value_type
from pyjit_wasm.wrappers import limits, of_store


class Table:
    """A table of references (spec 4.2.7): `elem` "funcref" or "externref", sizes in elements; `addr` "i32" or
    "i64": the type of indices."""

    __slots__ = ("_inst", "__weakref__")

    def __new__(cls, min, max=None, elem="funcref", init=None, *, addr="i32"):
        elem = value_type(elem)
        if not isinstance(elem, RefType):
            raise TypeError(f"a table holds references, not {elem}")
        type = TableType(addr, limits(min, max, "elements", addr), elem)
        return of_store(cls, TableInst(type, to_bits(elem, init)))

    def _bind(self, inst):
        self._inst = inst

    @property
    def type(self):
        """TableType; the minimum is the current length."""
        return self._inst.current_type

    def grow(self, count, init=None):
        """Add `count` elements; returns the length before. Raises ValueError if it cannot grow so far."""
        bits = to_bits(self._inst.type.elem, init)
        before = self._inst.grow(count, bits) if count >= 0 else -1
        if before < 0:
            raise ValueError(f"cannot grow table by {count} elements")
        return before

    def __len__(self):
        return self._inst.length

    def _index(self, index):
        index = index + len(self) if index < 0 else index
        if not 0 <= index < len(self):
            raise IndexError("out of bounds table access")
        return index

    def __getitem__(self, index):
        return from_bits(self._inst.type.elem, self._inst.read(self._index(index)))

    def __setitem__(self, index, value):
        self._inst.write(self._index(index), [to_bits(self._inst.type.elem, value)])

    def __repr__(self):
        return f"<wasm table: {len(self)} x {self._inst.type.elem}>"


class Global:
    """A global variable (spec 4.2.9); `valtype` "i32", "i64", "f32", "f64", "v128", "funcref" or "externref"."""

    __slots__ = ("_inst", "__weakref__")

    def __new__(cls, valtype, value=0, mutable=False):
        valtype = value_type(valtype)
        cell = GlobalInst(GlobalType(valtype, bool(mutable)))
        cell.bits = to_bits(valtype, value)
        return of_store(cls, cell)

    def _bind(self, inst):
        self._inst = inst

    @property
    def type(self):
        """GlobalType."""
        return self._inst.type

    @property
    def bits(self):
        """Raw bits of a number, as for `Function.call_bits`; vectors and references as their values."""
        valtype = self._inst.type.valtype
        if valtype in ("i32", "f32"):
            return self._inst.bits & 0xFFFFFFFF
        return self._inst.bits if valtype in ("i64", "f64") else self.value

    @property
    def value(self):
        """The value; assignable if the global is mutable, else AttributeError."""
        return from_bits(self._inst.type.valtype, self._inst.bits)

    @value.setter
    def value(self, value):
        if not self._inst.type.mutable:
            raise AttributeError("the global is immutable")
        self._inst.bits = to_bits(self._inst.type.valtype, value)

    def __repr__(self):
        return f"<wasm global: {'mut ' if self.type.mutable else ''}{self.type.valtype}>"


def public(inst):
    """The object Python sees for a memory, table or global of the store."""
    if isinstance(inst, TagInst):
        return tag.public(inst)
    return of_store({MemoryInst: Memory, TableInst: Table, GlobalInst: Global}[type(inst)], inst)


def store_object(thing):
    """The store object behind a public one, or None."""
    return thing._inst if isinstance(thing, (Memory, Table, Global, tag.Tag, Function)) else None
