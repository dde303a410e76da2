"""Host functions with a signature string as WAMR's native symbols have: guest addresses arrive as views and strings.

The letters of parameters: `i I f F` are i32 i64 f32 f64, `r` is a reference, `*` the address of a buffer, `~` behind it the
buffer's length in bytes, `$` the address of a NUL-terminated string. Addresses and lengths are i32, with a 64-bit
memory i64. Results are letters of `iIfFr`.
"""
from __future__ import annotations

import functools

from pyjit_wasm import pickling
from pyjit_wasm.errors import Trap
from pyjit_wasm.function import synchronous
from pyjit_wasm.types import F32, F64, I32, I64, RefType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyjit_wasm.instance import Importer
    from pyjit_wasm.types import FuncType

_NUMBERS = {"i": I32, "I": I64, "f": F32, "F": F64}
_MASKS = {I32: 0xFFFFFFFF, I64: 0xFFFFFFFFFFFFFFFF}
_ADDRESSES = frozenset("*$")
_FIRST_PIECE = 64  # bytes looked at for a string's end; then four times as many


def host_function(signature: str, *, exec_env: bool = False) -> Callable[[Callable[..., Any]], HostFunction]:
    """A decorator that gives a Python callable a signature string, such as `"(i*~$)i"`, for use as an import.

    The callable gets for `i I f F` numbers and for `r` an object, as without a signature; for `*~` one writable
    memoryview of that many bytes of the guest's memory; for `*` alone a memoryview from there to the end of the
    memory; for `$` a str (UTF-8; other bytes as surrogates, as in `os.fsdecode`). With `exec_env` its first argument
    is the ExecEnv that is calling: the instance's where Python does, as with an import that is exported again or the
    start function. Views stay valid when the memory grows. The callable may be `async def`.

    The memory is the first of the instance that imports the function. A buffer or string that is not all inside it is
    the Trap "out of bounds memory access", and the callable is not called. Raises ValueError for a malformed
    signature; instantiation raises LinkError if the import has another type.
    """
    params, results = _parse(signature)
    return lambda target: HostFunction(target, signature, params, results, exec_env)


class HostFunction:
    """What `host_function` makes of a callable: `signature`, str, and `target`, the callable itself. Calling it calls that."""

    __reduce_ex__ = pickling.refuse

    def __init__(self, target: Callable[..., Any], signature: str, params: str, results: str, exec_env: bool) -> None:
        if not callable(target):
            raise TypeError(f"{type(target).__name__!r} object is not callable")
        functools.update_wrapper(self, target)
        self.target, self.signature, self.exec_env = target, signature, exec_env
        self._params, self._results = params, results

    def __call__(self, *arguments: Any) -> Any:
        return self.target(*arguments)

    def __wasm_import__(self, functype: FuncType, importer: Importer) -> Callable[..., Any] | None:
        """What an import of that type calls with wasm's values, None if the type is another."""
        if not (_match(self._params, functype.params, importer.address_type)
                and _match(self._results, functype.results, importer.address_type)):
            return None
        target = synchronous(self.target)
        if self.exec_env:
            target = _with_exec_env(target)
        takes = _takes(self._params, importer)
        if not takes:
            return target

        @functools.wraps(self.target)
        def host(*values):
            values = iter(values)
            return target(*[take(values) for take in takes])

        return host

    def __repr__(self) -> str:
        return f"<wasm host function {getattr(self, '__name__', self.target)}: {self.signature}>"


def _with_exec_env(target):
    from pyjit_wasm.exec_env import current

    return lambda *arguments: target(current(), *arguments)


# --- signature strings

def _parse(signature):
    """The letters of parameters and results. ValueError with the position of what is wrong."""
    if not isinstance(signature, str):
        raise TypeError(f"a signature is a str, not {type(signature).__name__}")
    end = signature.find(")")
    if not signature.startswith("(") or end < 0:
        raise _malformed(signature, len(signature) if signature.startswith("(") else 0, "a signature is like (ii)i")
    for position, letter in enumerate(signature[1:end], 1):
        if letter not in "iIfFr*~$":
            raise _malformed(signature, position, "a parameter is one of i I f F r * ~ $")
        if letter == "~" and signature[position - 1] != "*":
            raise _malformed(signature, position, "~ stands behind *")
    for position, letter in enumerate(signature[end + 1:], end + 1):
        if letter not in "iIfFr":
            raise _malformed(signature, position, "a result is one of i I f F r")
    return signature[1:end], signature[end + 1:]


def _malformed(signature, position, rule):
    return ValueError(f"{rule}: {signature!r}, position {position}")


def _match(letters, valtypes, address_type):
    return len(letters) == len(valtypes) and all(
        isinstance(valtype, RefType) if letter == "r" else valtype == _NUMBERS.get(letter, address_type)
        for letter, valtype in zip(letters, valtypes))


# --- arguments

def _takes(params, importer):
    """For each argument of the callable what takes it from an iterator of wasm's values; none if all are as they are."""
    if not _ADDRESSES.intersection(params):
        return []
    mask = _MASKS[importer.address_type]
    kinds = {"b": _sized, "*": _open_ended, "$": _string}
    return [functools.partial(kinds[letter], importer, mask) if letter in kinds else next
            for letter in params.replace("*~", "b")]


def _sized(importer, mask, values):
    address, size = next(values) & mask, next(values) & mask
    view = importer.view()
    if address + size > len(view):
        raise Trap("out of bounds memory access")
    return view[address:address + size]


def _open_ended(importer, mask, values):
    address = next(values) & mask
    view = importer.view()
    if address >= len(view):
        raise Trap("out of bounds memory access")
    return view[address:]


def _string(importer, mask, values):
    start = position = next(values) & mask
    view, size = importer.view(), _FIRST_PIECE
    while position < len(view):
        end = bytes(view[position:position + size]).find(0)
        if end >= 0:
            return str(view[start:position + end], "utf-8", "surrogateescape")
        position, size = position + size, 4 * size
    raise Trap("out of bounds memory access")
