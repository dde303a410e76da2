"""Wasi: what WASI programs see of their host."""
from __future__ import annotations

import os
from collections.abc import Mapping

from . import descriptor_calls, path_calls, process_calls, socket_calls, unstable
from .abi import SIGNATURES, UNSTABLE_ABSENT
from .calls import host_function
from .descriptors import DescriptorTable
from .guest import Guest
from .quick_calls import QUICK
from .streams import CapturedOutput, input_stream, output_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator
    from typing import Any

_CALLS = {call.__name__: call for module in (process_calls, descriptor_calls, path_calls, socket_calls)
          for call in module.CALLS}
MODULES = {
    "wasi_snapshot_preview1": _CALLS,
    "wasi_unstable": {name: unstable.CALLS.get(name, call) for name, call in _CALLS.items()
                      if name not in UNSTABLE_ABSENT}}


class ReadOnly:
    """`ReadOnly(target)` as a value of `dirs`: a directory whose files can be read and not changed. `target` is a
    host path, a MemoryTree or a dict."""

    __slots__ = ("target",)

    def __init__(self, target: Any) -> None:
        self.target = target


class Wasi(Mapping[str, "dict[str, Any]"]):
    """The host of WASI programs (wasi_snapshot_preview1, and wasi_unstable for older ones).

    args      str or bytes each, the program's name first
    env       a dict of variables; nothing is inherited
    dirs      {name the guest knows it by: host path, ReadOnly, MemoryTree, or a dict, which becomes a MemoryTree}:
              preopened directories. Nothing outside them can be reached
    stdin     None for this process's own, a host descriptor, bytes, a binary file object, or a callable: it is given
              the most bytes to return, and returns b"" at the end
    stdout, stderr
              None for this process's own, a host descriptor, CAPTURE, a binary file object, or a callable that is
              given bytes. Python's own buffer of `sys.stdout` is not flushed first
    sockets   `socket.socket` objects, listening or connected, whose descriptors follow those of `dirs`

    It is a mapping of WASI's modules, and so can be the `imports` of an Instance, or a part of them:
    `{**wasi, "env": {...}}`. Instances that import the same Wasi share its descriptors; each has its own memory.
    `close`, or the end of a `with` block, closes what it has opened. `dirs` keeps the directories by name.

    Raises ValueError for a NUL in a string, OSError for a directory that cannot be opened, TypeError.
    """

    dirs: dict[str, Any]

    def __init__(self, args: Iterable[str | bytes | os.PathLike[str]] = (), env: Mapping[str, str] | None = None,
                 dirs: Mapping[str, Any] | None = None, stdin: Any = None, stdout: Any = None, stderr: Any = None,
                 sockets: Iterable[socket.socket] = ()) -> None:
        self.args = [_c_string(arg) for arg in args]
        self.environ = [_c_string(_variable(name) + b"=" + os.fsencode(value)) for name, value in (env or {}).items()]
        streams = input_stream(stdin, 0), output_stream(stdout, 1), output_stream(stderr, 2)
        self._streams = streams
        self._modules = {module: {name: HostCall(self, call, SIGNATURES[name]) for name, call in calls.items()}
                         for module, calls in MODULES.items()}
        self.descriptors = DescriptorTable()
        for stream in streams:
            self.descriptors.add(stream)
        self.dirs = {}
        try:
            self._open(dirs or {}, sockets)
        except BaseException:
            self.close()
            raise

    def _open(self, dirs, sockets):
        for name, target in dirs.items():
            preopened, self.dirs[name] = _directory(os.fsencode(name), target)
            self.descriptors.add(preopened)
        for given in sockets:
            from .sockets import Socket
            self.descriptors.add(Socket(given))

    @property
    def stdout(self) -> bytes | None:
        """The bytes written to standard output so far, if it is CAPTURE, else None."""
        return _captured(self._streams[1])

    @property
    def stderr(self) -> bytes | None:
        """The bytes written to standard error so far, if it is CAPTURE, else None."""
        return _captured(self._streams[2])

    def imports(self) -> dict[str, dict[str, Any]]:
        """{module: {name: what an Instance imports under it}} of both modules."""
        return {module: dict(functions) for module, functions in self._modules.items()}

    def __getitem__(self, module: str) -> dict[str, Any]:
        return self._modules[module]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    __eq__, __hash__ = object.__eq__, object.__hash__

    def __wasm_space__(self, module):
        return self[module]

    def close(self) -> None:
        """Close every file and directory that is open. Streams and sockets that were given stay open."""
        self.descriptors.clear()

    def __enter__(self) -> Wasi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Wasi: {len(self.descriptors)} descriptors>"


class HostCall:
    """One WASI function as an import. Each instance that imports it gets a callable of its own, which uses the memory
    of that instance."""

    __slots__ = ("_wasi", "_call", "_parameters")

    def __init__(self, wasi, call, parameters):
        self._wasi, self._call, self._parameters = wasi, call, parameters

    def __wasm_import__(self, functype, importer):
        from .direct import DirectCall, is_direct
        name, guest = self._call.__name__, Guest(self._wasi, importer)
        call = host_function(self._call, guest, self._parameters)
        quick = QUICK.get(name)
        call = quick(guest, call) if quick else call
        return DirectCall(name, call, guest.descriptors, importer) if is_direct(name, functype) else call

    def __repr__(self):
        return f"<WASI function {self._call.__name__}>"


def _directory(name, target):
    """The Directory of a value of `dirs` named `name`, and what it is of: the path, or the MemoryTree."""
    from .directories import Directory
    from .trees import MemoryTree
    writable = not isinstance(target, ReadOnly)
    target = target if writable else target.target
    if isinstance(target, dict):
        target = MemoryTree(target)
    if isinstance(target, MemoryTree):
        return Directory(target.folder(writable), preopen=name), target
    from .folders import host_folder
    return Directory(host_folder(target, writable), preopen=name), target


def _captured(stream):
    return bytes(stream.data) if isinstance(stream, CapturedOutput) else None


def _variable(name):
    encoded = os.fsencode(name)
    if not encoded or b"=" in encoded:
        raise ValueError(f"{name!r} cannot be the name of a variable")
    return encoded


def _c_string(text):
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError(f"NUL in {text!r}")
    return encoded + b"\0"
