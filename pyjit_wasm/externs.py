"""wasm.Memory, wasm.Table, wasm.Global: made from Python, exported, imported, shared between instances."""
from __future__ import annotations

from operator import index

from pyjit_wasm import config, pickling, tag
from pyjit_wasm.codegen import native
from pyjit_wasm.function import Function
from pyjit_wasm.runtime.exceptions import TagInst
from pyjit_wasm.runtime.store import GlobalInst, MemoryInst, TableInst
from pyjit_wasm.types import I32, I64, GlobalType, Limits, MemType, RefType, TableType
from pyjit_wasm.values import from_bits, to_bits, value_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from pyjit_wasm.types import AddressType
    from pyjit_wasm.values import Value, ValueTypeName


def _of_store(cls, inst):
    """The one public object of a store object."""
    found = getattr(inst, "public", None)
    if found is None:
        found = inst.public = object.__new__(cls)
        found._bind(inst)
    return found


_ADDRESS_BITS = {I32: 32, I64: 64}


def _limits(min, max, unit, addr):
    """Limits from Python numbers. TypeError, or ValueError for a size no memory or table can have."""
    if addr not in _ADDRESS_BITS:
        raise ValueError(f'an address type is "i32" or "i64", not {addr!r}')
    for number in (min,) if max is None else (min, max):
        if not 0 <= index(number) < 1 << _ADDRESS_BITS[addr]:
            raise ValueError(f"a size is a number of {unit} of {_ADDRESS_BITS[addr]} bits, not {number}")
    if max is not None and max < min:
        raise ValueError(f"the maximum of {max} {unit} is less than the minimum of {min}")
    return Limits(min, max)


class Memory(native.buffer_base()):
    """A linear memory (spec 4.2.8), `min` and `max` in pages of 64 KiB; `addr` "i32" or "i64": the type of addresses;
    `shared`: instances that run in several threads may use it (threads proposal), and it has a maximum.

    Supports the buffer protocol (`memoryview(memory)`, NumPy): a writable view of the bytes there are
    now. The base address never moves: a view stays valid when the memory grows. `memory[i]` is a byte,
    `memory[i:j]` bytes; both can be assigned to. `len(memory)` is in bytes.
    """

    __slots__ = ("_inst", "__weakref__")
    __reduce_ex__ = pickling.refuse

    # not __init__: what a view looks into must not be replaced
    def __new__(cls, min, max=None, *, addr="i32", shared=False):
        if shared and max is None:
            raise ValueError("shared memory must have maximum")
        return _of_store(cls, MemoryInst(MemType(addr, _limits(min, max, "pages", addr), bool(shared))))

    def _bind(self, inst):
        self._inst = inst
        native.set_memory(self, inst.address)

    @property
    def type(self):
        """MemType; the minimum is the current size."""
        return self._inst.current_type

    @property
    def pages(self):
        """Current size in pages of 64 KiB."""
        return self._inst.bytes // config.PAGE

    def grow(self, pages: int) -> int:
        """Add pages of 64 KiB; returns the size before, in pages. Raises ValueError if the maximum or the
        system forbids it."""
        before = self._inst.grow(pages) if pages >= 0 else -1
        if before < 0:
            raise ValueError(f"cannot grow memory by {pages} pages")
        return before

    def __len__(self):
        return self._inst.bytes

    def __getitem__(self, index):
        view = memoryview(self)[index]
        return view if isinstance(view, int) else view.tobytes()

    def __setitem__(self, index, value):
        memoryview(self)[index] = value

    def read(self, offset, size):
        """`size` bytes from `offset` on. Raises IndexError outside the memory."""
        self._check(offset, size)
        return memoryview(self)[offset:offset + size].tobytes()

    def write(self, offset, data):
        """Store a bytes-like object at `offset`. Raises IndexError outside the memory."""
        data = memoryview(data).cast("B")
        self._check(offset, len(data))
        memoryview(self)[offset:offset + len(data)] = data

    def _check(self, offset, size):
        if offset < 0 or size < 0 or offset + size > len(self):
            raise IndexError("outside the memory")

    def __repr__(self):
        return f"<wasm memory: {self.pages} pages>"


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
        limits = _limits(min, max, "elements", addr)
        inst = TableInst(TableType(addr, limits, elem))
        bits = to_bits(elem, init, inst)
        if bits:
            inst.write(0, [bits] * inst.length)
        return _of_store(cls, inst)

    def _bind(self, inst):
        self._inst = inst

    @property
    def type(self) -> TableType:
        """TableType; the minimum is the current length."""
        return self._inst.current_type

    def grow(self, count: int, init: object = None) -> int:
        """Add `count` elements, references to `init`; returns the length before. Raises ValueError if it cannot grow so
        far, TypeError as for elements."""
        bits = to_bits(self._inst.type.elem, init, self._inst)
        before = self._inst.grow(count, bits) if count >= 0 else -1
        if before < 0:
            raise ValueError(f"cannot grow table by {count} elements")
        return before

    def __len__(self) -> int:
        return self._inst.length

    def _index(self, index):
        index = index + len(self) if index < 0 else index
        if not 0 <= index < len(self):
            raise IndexError("out of bounds table access")
        return index

    def __getitem__(self, index: int) -> Any:
        return from_bits(self._inst.type.elem, self._inst.read(self._index(index)))

    def __setitem__(self, index: int, value: object) -> None:
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
        cell.bits = to_bits(valtype, value, cell)
        return _of_store(cls, cell)

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
        return from_bits(self._inst.type.valtype, self._inst.bits)

    @value.setter
    def value(self, value: Value) -> None:
        if not self._inst.type.mutable:
            raise AttributeError("the global is immutable")
        self._inst.bits = to_bits(self._inst.type.valtype, value, self._inst)

    def __repr__(self) -> str:
        return f"<wasm global: {'mut ' if self.type.mutable else ''}{self.type.valtype}>"


def public(inst):
    """The object Python sees for a memory, table or global of the store."""
    if isinstance(inst, TagInst):
        return tag.public(inst)
    return _of_store({MemoryInst: Memory, TableInst: Table, GlobalInst: Global}[type(inst)], inst)


def store_object(thing):
    """The store object behind a public one, or None."""
    return thing._inst if isinstance(thing, (Memory, Table, Global, tag.Tag, Function)) else None
