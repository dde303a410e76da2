"""The store (spec 4.2): memory, table, global and function instances as generated code sees them.

Each object owns a struct of `runtime.layout` and the bytes behind it; `address` is the struct's. Linear
memory is a reservation whose pages are committed on growth: the base never moves. Tables likewise, small ones excepted.
"""
import ctypes
import struct
import weakref

from pyjit_wasm import config
from pyjit_wasm.runtime import freed, holders, libc, reservations, waiting
from pyjit_wasm.runtime.layout import FUNC, MEM, TABLE
from pyjit_wasm.runtime.services import provides
from pyjit_wasm.types import I32, Limits, MemType, TableType

_PAGE = config.PAGE
_MACHINE_PAGE = libc.MACHINE_PAGE
_OBJECT = ctypes.py_object


class _Owner:
    """Owns a ctypes struct of 64-bit words at `address`."""

    def __init__(self, layout):
        self.words = freed.words(layout.size // 8)
        self.address = ctypes.addressof(self.words)

    def get(self, offset):
        return self.words[offset // 8]

    def put(self, offset, value):
        self.words[offset // 8] = value


class MemoryInst(_Owner):
    """A linear memory of `type` (MemType). `guarded`: index + offset of 33 bits stays inside the
    reservation, so that compiled code may leave bounds checks to the guard pages. `reserved`: bytes of address space.
    MemoryError if its minimum is not to be had."""

    def __init__(self, type, guarded=True):
        super().__init__(MEM)
        most = config.MAX_PAGES if type.addr == I32 else config.MAX_PAGES_64
        limit = most if type.limits.max is None else min(type.limits.max, most)
        if type.limits.min > limit:
            raise MemoryError(f"cannot allocate a memory of {type.limits.min} pages")
        self.type, self.guarded, self.ownership = type, guarded and type.addr == I32, None
        room = config.MEMORY_RESERVATION if self.guarded else max(limit * _PAGE, _MACHINE_PAGE)
        self.reserved = config.GUARD_BELOW + room
        self.start = reservations.reserve_guarded(self.reserved)
        self.base = self.start + config.GUARD_BELOW
        self.put(MEM.base, self.base)
        self.put(MEM.max_pages, limit)
        self.put(MEM.guarded, self.guarded)
        self.put(MEM.shared, type.shared)
        self.put(MEM.object, id(self))
        self._growth = reservations.Growth(self.base, _PAGE, limit)
        if self.grow(type.limits.min) < 0:
            self.start = None   # given back at once, whoever keeps the exception
            raise MemoryError(f"cannot allocate a memory of {type.limits.min} pages")

    @property
    def bytes(self):
        return self.words[MEM.bytes // 8]

    def grow(self, pages):
        """Add pages; the size before in pages, or -1 if they are not to be had (spec 4.4.7)."""
        return self._growth.grow(pages, self._pages, self._resize)

    def _pages(self):
        return self.words[MEM.bytes // 8] // _PAGE

    def _resize(self, before, after):
        self.words[MEM.bytes // 8] = after * _PAGE

    @property
    def current_type(self):
        """The type for import matching: the limits' minimum is the current size."""
        return MemType(self.type.addr, Limits(self.bytes // _PAGE, self.type.limits.max), self.type.shared)


class TableInst(_Owner):
    """A table of `type` (TableType); elements are references, eight bytes each, 0 is null. `keepers`
    are the instances whose functions may be in it, `passed` the functions that Python put there, by address. MemoryError if
    its minimum is not to be had."""

    def __init__(self, type, init=0):
        super().__init__(TABLE)
        limit = config.MAX_TABLE if type.limits.max is None else min(type.limits.max, config.MAX_TABLE)
        if type.limits.min > limit:
            raise MemoryError(f"cannot allocate a table of {type.limits.min} elements")
        self.type, self.keepers, self.passed, self.ownership = type, [], {}, None
        small, size = limit <= config.TABLE_IN_HEAP, max(limit, 1) * 8
        self.base = reservations.zeroed(size) if small else reservations.reserve(-(-size // _MACHINE_PAGE) * _MACHINE_PAGE)
        self._growth = reservations.Growth(self.base, 8, limit, committed=small)
        self.put(TABLE.elems, self.base)
        self.put(TABLE.max, limit)
        self.put(TABLE.object, id(self))
        if self.grow(type.limits.min, init) < 0:
            self.base = self._growth = None     # given back at once, whoever keeps the exception
            raise MemoryError(f"cannot allocate a table of {type.limits.min} elements")
        holders.note(self, type.elem)

    @property
    def length(self):
        return self.words[TABLE.length // 8]

    def grow(self, count, init):
        """Add elements; the length before, or -1 if they are not to be had (spec 4.4.6)."""
        def resize(before, after):
            self.fill(before, after - before, init)
            self.put(TABLE.length, after)
            holders.changed()

        return self._growth.grow(count, lambda: self.length, resize)

    def fill(self, index, count, reference):
        """Store a reference in `count` elements that are zero or hold it; the caller has checked the bounds."""
        if not reference or not count:
            return
        start = self.base + 8 * index
        ctypes.c_uint64.from_address(start).value = reference
        done = 1
        while done < count:
            part = min(done, count - done)
            ctypes.memmove(start + 8 * done, start, 8 * part)
            done += part

    def references(self):
        """Where they are: (address, number of words) of each place."""
        return ((self.base, self.length),)

    def read(self, index):
        return ctypes.c_uint64.from_address(self.base + 8 * index).value

    def write(self, index, references):
        """Store a list of references from `index` on; the caller has checked the bounds."""
        if references:
            (ctypes.c_uint64 * len(references)).from_address(self.base + 8 * index)[:] = references

    @property
    def current_type(self):
        return TableType(self.type.addr, Limits(self.length, self.type.limits.max), self.type.elem)


class GlobalInst:
    """A global of `type` (GlobalType) whose 16-byte cell is at `address`, inside memory that `owner`
    keeps; `keepers` and `passed` as for tables. `bits` is all of the cell: only a v128 uses its upper half."""

    def __init__(self, type, address=None, owner=None):
        self.type, self.keepers, self.passed, self.ownership = type, [], {}, None
        self.owner = owner or freed.words(2)
        self.address = address or ctypes.addressof(self.owner)
        self.cell = (ctypes.c_uint64 * 2).from_address(self.address)
        holders.note(self, type.valtype)

    def references(self):
        """As of a table."""
        return ((self.address, 1),)

    @property
    def bits(self):
        return self.cell[0] | self.cell[1] << 64

    @bits.setter
    def bits(self, value):
        self.cell[:] = value & 0xFFFFFFFFFFFFFFFF, value >> 64

    @property
    def current_type(self):
        return self.type


class FuncInst:
    """A function: the FUNC at `address`, its `deftype`, and `owner`, which keeps it alive."""

    __slots__ = ("address", "deftype", "owner", "__weakref__")

    def __init__(self, address, deftype, owner):
        self.address, self.deftype, self.owner = address, deftype, owner

    @property
    def ownership(self):
        return self.owner.ownership

    @property
    def current_type(self):
        return self.deftype


# host functions run in no instance: an INSTANCE block of zeroes
_no_instance = libc.permanent(ctypes.create_string_buffer(64))
_FUNC = struct.Struct("<" + "Q" * (FUNC.size // 8))


host_functions = weakref.WeakValueDictionary()     # by the address of their FUNC, for addresses that may be old


def host_of(func):
    """The HostFunc of the FUNC at an address that is known to be alive, or None. Finalizers have no weak references."""
    return _object(func - 8) if _word(func + FUNC.inst) == ctypes.addressof(_no_instance) else None


class HostFunc(_Owner):
    """A function instance made from something outside: `host` is the address called, `keep` whatever
    must live as long (a Python callable, a C function pointer object), `python` which of the two, `passed` the functions
    that it returned, `keepers` the instances that may use them. `importer`: weak reference to the ModuleInstance it was made for, None if it was made for none.
    `layout`: FUNC, or a struct that begins with it."""

    def __init__(self, deftype, entry, ip, host, keep, python, layout=FUNC):
        block = freed.words(1 + layout.size // 8, id(self))     # in front of the struct: this object
        self.words = (ctypes.c_uint64 * (layout.size // 8)).from_buffer(block, 8)
        self.address = ctypes.addressof(self.words)
        self.deftype, self.keep, self.python, self.public, self.importer = deftype, keep, python, None, None
        self.passed, self.keepers = {}, []
        _FUNC.pack_into(self.words, 0, entry, ip, ctypes.addressof(_no_instance), deftype.id, 1 << 62, host, 0, 0)
        host_functions[self.address] = self

    @property
    def name(self):
        """What Python calls it."""
        return getattr(self.keep, "__qualname__", None) or getattr(self.keep, "__name__", None) or repr(self.keep)

    @property
    def current_type(self):
        return self.deftype


def _word(address):
    return ctypes.c_uint64.from_address(address).value


def _object(place):
    """The Python object whose address is at a place; it is known to be alive. Not by `ctypes.cast`, which has an error of its
    own for what fails in it."""
    return _OBJECT.from_address(place).value


_DOUBLE_WORD = 0xFFFFFFFFFFFFFFFF  # services get signed numbers


@provides
def memory_grow(memory, pages, _):
    return _object(memory + MEM.object).grow(pages & _DOUBLE_WORD)


@provides
def memory_wait32(address, expected, timeout):
    cell = ctypes.c_uint32.from_address(address)
    return waiting.wait(address, lambda: cell.value == expected, timeout)


@provides
def memory_wait64(address, expected, timeout):
    cell = ctypes.c_int64.from_address(address)
    return waiting.wait(address, lambda: cell.value == expected, timeout)


@provides
def memory_notify(address, count, _):
    return waiting.notify(address, count)


@provides
def table_grow(table, init, count):
    return _object(table + TABLE.object).grow(count & _DOUBLE_WORD, init & _DOUBLE_WORD)


class Externs:
    """Python objects that guests hold as externref: the reference is the object's address, and the object
    is kept here as long as anything may refer to it. The collector of a later issue will shrink this."""

    def __init__(self):
        self._objects = {}

    def reference(self, thing):
        if thing is None:
            return 0
        self._objects[id(thing)] = thing
        return id(thing)

    def thing(self, reference):
        return self._objects[reference] if reference else None


externs = Externs()


