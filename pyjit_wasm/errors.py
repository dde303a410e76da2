"""The error taxonomy. Every message is the specification's where it has one."""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class WasmError(Exception):
    """Base of every error this package raises on its own account."""


class DecodeError(WasmError):
    """A malformed binary (spec chapter 5). `.offset` is the byte offset in the module."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at byte 0x{offset:x})")
        self.message, self.offset = message, offset


class ParseError(WasmError):
    """Malformed text (spec chapter 6). `.line` and `.column` count from 1."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message if line is None else f"{line}:{column}: {message}")
        self.message, self.line, self.column = message, line, column


class ValidationError(WasmError):
    """An invalid module (spec chapter 3). `.offset` is the byte offset in the module."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at byte 0x{offset:x})")
        self.message, self.offset = message, offset


class LinkError(WasmError):
    """Imports that are missing or do not match (spec 4.5.4, instantiation)."""


class Frame:
    """One wasm frame of a trap: `funcidx`, `name` and `offset`, the byte offset of the instruction in the module; `file`,
    `line` and `column`, its place in the source text, where debug information tells it, else None. They count from 1.

    A call that the compiler of the source has inlined is a Frame of its own, before that of the function it was inlined into:
    with `inlined`, the same funcidx and offset, and the inlined function's name.
    """

    __slots__ = ("funcidx", "name", "offset", "file", "line", "column", "inlined")

    def __init__(self, funcidx: int, name: str, offset: int, file: str | None = None, line: int | None = None,
                 column: int | None = None, inlined: bool = False) -> None:
        self.funcidx, self.name, self.offset = funcidx, name, offset
        self.file, self.line, self.column, self.inlined = file, line, column, inlined

    def _values(self) -> tuple[Any, ...]:
        return self.funcidx, self.name, self.offset, self.file, self.line, self.column, self.inlined

    def __repr__(self) -> str:
        place = f", file={self.file!r}, line={self.line}, column={self.column}" if self.file else ""
        inlined = ", inlined=True" if self.inlined else ""
        return f"Frame(funcidx={self.funcidx}, name={self.name!r}, offset=0x{self.offset:x}{place}{inlined})"

    def __str__(self) -> str:
        """`0x%04x - name`, as in WAMR's call stacks, and ` at file:line` where that is known."""
        place = f" at {self.file}" + (f":{self.line}" if self.line else "") if self.file else ""
        return f"0x{self.offset:04x} - {self.name}{place}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and self._values() == other._values()

    def __reduce__(self) -> tuple[Any, ...]:
        return Frame, self._values()

    __hash__ = None  # type: ignore[assignment]


class HostFrame(Frame):
    """A host function in a call stack: `name`, as the module that calls it imports it; `funcidx` is -1, `offset` 0."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(-1, name, 0)

    def __repr__(self) -> str:
        return f"HostFrame({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return HostFrame, (self.name,)


class _Traced(WasmError):
    """An error that wasm has met. Its frames are resolved when first looked at, from raw addresses taken when it happened."""

    _frames: tuple[Frame, ...] | Callable[[], tuple[Frame, ...]] = ()

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The wasm call stack, a tuple of `Frame`, innermost first."""
        if callable(self._frames):
            self._frames = self._frames()
        return self._frames

    def call_stack(self) -> str:
        """The frames, a line each, as in WAMR's call stacks: `#00: 0x%04x - name`, and ` at file:line` where that is known."""
        return "\n".join(f"  #{i:02}: {frame}" for i, frame in enumerate(self.frames))


class Trap(_Traced):
    """Execution trapped (spec 4.2). `.code` is the message; `.frames` run innermost first."""

    def __init__(self, code: str, frames: tuple[Frame, ...] | Callable[[], tuple[Frame, ...]] = ()) -> None:
        super().__init__(code)
        self.code, self._frames = code, frames

    def __str__(self) -> str:
        return f"{self.code}\n{self.call_stack()}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, tuple(self.frames))


class Exhaustion(Trap):
    """The trap `call stack exhausted`. `.native`: of the machine stack, where compiled code has its frames, not of the
    exec_env's stack buffer."""

    def __init__(self, code: str, frames: tuple[Frame, ...] | Callable[[], tuple[Frame, ...]] = (),
                 native: bool = False) -> None:
        super().__init__(code, frames)
        self.native = native

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, tuple(self.frames), self.native)


class WasmException(_Traced):
    """A WebAssembly exception (spec 4.2.12): `.tag`, a Tag, and `.payload`, a tuple of its values. Raised where
    nothing in wasm caught it; a host function may raise one into wasm. `.frames`: where wasm threw it, the innermost 32;
    empty if a host function did, or with an engine without `tracebacks`."""

    def __init__(self, tag: Any, *payload: Any) -> None:
        super().__init__(f"{tag!r}{payload!r}")
        self.tag, self.payload = tag, payload

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.tag, *self.payload)


class InUseError(WasmError, RuntimeError):
    """An instance or exec_env is running in another thread."""


class Interrupted(_Traced):
    """Another thread interrupted the call (`ExecEnv.interrupt`, `Instance.interrupt`). `.frames`: the wasm call stack, as of
    a trap; without the innermost function where that was in a bulk operation or had not begun."""


class WasiExit(WasmError):
    """A WASI program called `proc_exit`; `.code` is its exit code (0..2**32-1)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code,)


class UnsupportedError(WasmError):
    """A valid module needs a part of WebAssembly 3.0 that is not executed yet."""


class FrameTooLarge(WasmError):
    """A function has more locals and operands than slot numbers reach: it is compiled instead."""


class InternalError(WasmError):
    """A bug in pyjit_wasm itself."""
