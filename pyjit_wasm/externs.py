"""wasm.Table, wasm.Global: made from Python, exported, imported, shared between instances."""
from __future__ import annotations

from pyjit_wasm import pickling, tag
from pyjit_wasm.function import Function
from pyjit_wasm.memory import Memory
from pyjit_wasm.runtime.crossings import crossing
from pyjit_wasm.runtime.exceptions import TagInst
from pyjit_wasm.runtime.store import GlobalInst, MemoryInst, TableInst
from pyjit_wasm.types import GlobalType, RefType, TableType
from pyjit_wasm.values import from_bits, integer, to_bits, value_type
from pyjit_wasm.wrappers import limits, of_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from pyjit_wasm.types import AddressType
    from pyjit_wasm.values import Value, ValueTypeName


class Table:
    """A table of references (spec 4.2.7): `min` and `max` in elements; `elem` "funcref" or "externref"; `init`: what it is
    filled with; `addr` "i32" or "i64": the type of indices.

    `table[i]` is a Function, an object or None and can be assigned to: IndexError outside the table, TypeError for what is
    no such reference. `len(table)` is in elements. Raises ValueError, TypeError, MemoryError for sizes and types that
    cannot be.
    """

    __slots__ = ("_inst", "__weakref__")
    __reduce_ex__ = pickling.refuse

    def __new__(cls, min: int, max: int | None = None, elem: Literal["funcref", "externref", "exnref"] | RefType = "funcref",
                init: object = None, *, addr: AddressType = "i32") -> Table:
        elem = value_type(elem)
        if not isinstance(elem, RefType):
            raise TypeError(f"a table holds references, not {elem}")
        inst = TableInst(TableType(addr, limits(min, max, "elements", addr), elem))
        with crossing:
            bits = to_bits(elem, init, inst)
            if bits:
                inst.fill(0, inst.length, bits)
        return of_store(cls, inst)

    def _bind(self, inst):
        self._inst = inst

    @property
    def type(self) -> TableType:
        """TableType; the minimum is the current length."""
        return self._inst.current_type

    def grow(self, count: int, init: object = None) -> int:
        """Add `count` elements, references to `init`; returns the length before. Raises ValueError if it cannot grow so
        far, TypeError as for elements."""
        count = integer(count)
        with crossing:
            bits = to_bits(self._inst.type.elem, init, self._inst)
            before = self._inst.grow(count, bits) if count >= 0 else -1
        if before < 0:
            raise ValueError(f"cannot grow table by {count} elements")
        return before

    def __len__(self) -> int:
        return self._inst.length

    def _index(self, index):
        index, length = integer(index), self._inst.length
        index = index + length if index < 0 else index
        if not 0 <= index < length:
            raise IndexError("out of bounds table access")
        return index

    def __getitem__(self, index: int) -> Any:
        with crossing:
            return from_bits(self._inst.type.elem, self._inst.read(self._index(index)))

    def __setitem__(self, index: int, value: object) -> None:
        with crossing:
            self._inst.write(self._index(index), [to_bits(self._inst.type.elem, value, self._inst)])

    def __repr__(self) -> str:
        return f"<wasm table: {len(self)} x {self._inst.type.elem}>"


class Global:
    """A global variable (spec 4.2.9) of `valtype` "i32", "i64", "f32", "f64", "v128", "funcref" or "externref" with an
    initial `value`; `mutable`: it can be assigned to. Raises TypeError, OverflowError, ValueError as a call with
    that value would."""

    __slots__ = ("_inst", "__weakref__")
    __reduce_ex__ = pickling.refuse

    def __new__(cls, valtype: ValueTypeName, value: Value = 0, mutable: bool = False) -> Global:
        valtype = value_type(valtype)
        cell = GlobalInst(GlobalType(valtype, bool(mutable)))
        with crossing:
            cell.bits = to_bits(valtype, value, cell)
        return of_store(cls, cell)

    def _bind(self, inst):
        self._inst = inst

    @property
    def type(self) -> GlobalType:
        """GlobalType."""
        return self._inst.type

    @property
    def bits(self) -> Value:
        """Raw bits of a number, as for `Function.call_bits`; vectors and references as their values."""
        valtype = self._inst.type.valtype
        if valtype in ("i32", "f32"):
            return self._inst.bits & 0xFFFFFFFF
        return self._inst.bits if valtype in ("i64", "f64") else self.value

    @property
    def value(self) -> Any:
        """The value; assignable if the global is mutable, else AttributeError."""
        with crossing:
            return from_bits(self._inst.type.valtype, self._inst.bits)

    @value.setter
    def value(self, value: Value) -> None:
        if not self._inst.type.mutable:
            raise AttributeError("the global is immutable")
        with crossing:
            self._inst.bits = to_bits(self._inst.type.valtype, value, self._inst)

    def __repr__(self) -> str:
        return f"<wasm global: {'mut ' if self.type.mutable else ''}{self.type.valtype}>"


def public(inst):
    """The object Python sees for a memory, table or global of the store."""
    if isinstance(inst, TagInst):
        return tag.public(inst)
    return of_store({MemoryInst: Memory, TableInst: Table, GlobalInst: Global}[type(inst)], inst)


def store_object(thing):
    """The store object behind a public one, or None."""
    return thing._inst if isinstance(thing, (Memory, Table, Global, tag.Tag, Function)) else None
