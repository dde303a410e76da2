"""wasm.Memory: a linear memory as Python sees it, at the cost of C calls where bytes are moved."""
from __future__ import annotations

from pyjit_wasm import config, pickling
from pyjit_wasm.codegen import native
from pyjit_wasm.runtime.store import MemoryInst
from pyjit_wasm.types import MemType
from pyjit_wasm.values import integer
from pyjit_wasm.wrappers import limits, of_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, overload

    from pyjit_wasm.types import AddressType

_OUTSIDE = "outside the memory"
_SCAN = 64  # bytes that a search for a NUL begins with


class Memory(native.buffer_base()):
    """A linear memory (spec 4.2.8), `min` and `max` in pages of 64 KiB; `addr` "i32" or "i64": the type of addresses;
    `shared`: instances that run in several threads may use it (threads proposal), and it has a maximum. MemoryError if
    there is no room for the minimum.

    Supports the buffer protocol (`memoryview(memory)`, NumPy, ctypes): a writable view of the bytes there are now. The base
    address never moves: a view stays valid when the memory grows, keeps the memory alive, and goes on without its
    instance. `memory[i]` is a byte, `memory[i:j]` bytes; both can be assigned to (IndexError outside, ValueError for
    another number of bytes than there are). `len(memory)` is in bytes. Copies of a MiB or more release the GIL.

    read_bytes(offset, size) -> bytes; write_bytes(offset, data), a contiguous bytes-like object, which may be a view
    of the same memory; read_into(offset, buffer): fills a writable contiguous buffer. Offsets and sizes are in bytes;
    IndexError outside the memory.
    """

    __slots__ = ("_inst", "__weakref__")
    __reduce_ex__ = pickling.refuse

    if TYPE_CHECKING:   # these are native
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[int]: ...
        @overload
        def __getitem__(self, index: int) -> int: ...
        @overload
        def __getitem__(self, index: slice) -> bytes: ...
        @overload
        def __setitem__(self, index: int, value: int) -> None: ...
        @overload
        def __setitem__(self, index: slice, value: Any) -> None: ...
        def __buffer__(self, flags: int) -> memoryview: ...
        def read_bytes(self, offset: int, size: int, /) -> bytes: ...
        def write_bytes(self, offset: int, data: Any, /) -> None: ...
        def read_into(self, offset: int, buffer: Any, /) -> None: ...

    # not __init__: what a view looks into must not be replaced
    def __new__(cls, min: int, max: int | None = None, *, addr: AddressType = "i32",
                shared: bool = False) -> Memory:
        if shared and max is None:
            raise ValueError("shared memory must have maximum")
        return of_store(cls, MemoryInst(MemType(addr, limits(min, max, "pages", addr), bool(shared))))

    def _bind(self, inst):
        self._inst = inst
        native.set_memory(self, inst.address)

    @property
    def type(self) -> MemType:
        """MemType; the minimum is the current size."""
        return self._inst.current_type

    @property
    def pages(self) -> int:
        """Current size in pages of 64 KiB."""
        return self._inst.bytes // config.PAGE

    def grow(self, pages: int) -> int:
        """Add pages of 64 KiB; returns the size before, in pages. Raises ValueError if the maximum or the
        system forbids it."""
        pages = integer(pages)
        before = self._inst.grow(pages) if pages >= 0 else -1
        if before < 0:
            raise ValueError(f"cannot grow memory by {pages} pages")
        return before

    def view(self, dtype: Any = "u1", offset: int = 0, count: int | None = None) -> Any:
        """A NumPy array of the bytes from `offset` on, without a copy and writable: `count` elements of `dtype`, or as
        many as there are whole ones now. Valid for good; see the new pages after growth in a new view. IndexError
        outside the memory, ValueError for a dtype of Python objects."""
        import numpy

        dtype, offset = numpy.dtype(dtype), integer(offset)
        count = None if count is None else integer(count)
        room = len(self) - offset
        if count is None:
            count = room // dtype.itemsize if dtype.itemsize else 0
        if offset < 0 or room < 0 or not 0 <= count * dtype.itemsize <= room:
            raise IndexError(_OUTSIDE)
        return numpy.frombuffer(self, dtype, count, offset)

    def read_str(self, offset: int, size: int | None = None, encoding: str = "utf-8") -> str:
        """The string of `size` bytes at `offset`, or without a size up to the first NUL. IndexError outside the memory,
        ValueError without a NUL or if it is wrongly encoded (UnicodeDecodeError)."""
        offset = integer(offset)
        if size is None:
            size = self._find_nul(offset, encoding)
        return self.read_bytes(offset, size).decode(encoding)

    def write_str(self, offset: int, text: str, encoding: str = "utf-8", nul: bool = True) -> int:
        """Store an encoded string at `offset`, with a NUL behind it if `nul`; returns how many bytes were written.
        IndexError outside the memory, UnicodeEncodeError."""
        data = (text + "\0" if nul else text).encode(encoding)
        self.write_bytes(offset, data)
        return len(data)

    def _find_nul(self, offset, encoding):
        """Bytes between `offset` and the next NUL."""
        if "\0".encode(encoding) != b"\0":
            raise ValueError(f"a string in {encoding} needs a size: its NUL is not one byte")
        start, step, end = offset, _SCAN, len(self)
        while True:
            step = min(step, end - start)
            found = self.read_bytes(start, step).find(0)
            if found >= 0:
                return start + found - offset
            start += step
            if start == end:
                raise ValueError("no NUL up to the end of the memory")
            step *= 4

    def __repr__(self) -> str:
        return f"<wasm memory: {self.pages} pages>"
