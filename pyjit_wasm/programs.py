"""wasm.run: a WASI program as `subprocess.run` runs one."""
from __future__ import annotations

import os

from pyjit_wasm.engine import Module
from pyjit_wasm.errors import WasiExit
from pyjit_wasm.instance import Instance
from pyjit_wasm.wasi import CAPTURE, Wasi
from pyjit_wasm.wasi.streams import output_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Iterable, Mapping
    from typing import Any

    from pyjit_wasm.engine import Engine, Mode, Source

_PIPE, _STDOUT, _DEVNULL = -1, -2, -3       # subprocess's numbers, which is slow to import
_INPUTS = {_DEVNULL: b""}
_OUTPUTS = {_PIPE: CAPTURE, _DEVNULL: lambda data: None}


def run(program: Module | Source, args: Iterable[str | bytes | os.PathLike[str]] = (), *,
        env: Mapping[str, str] | None = None, dirs: Mapping[str, Any] | None = None,
        stdin: Any = None, stdout: Any = None, stderr: Any = None, input: Any = None,
        capture_output: bool = False, text: bool = False, encoding: str = "utf-8", check: bool = False,
        sockets: Iterable[socket.socket] = (), engine: Engine | None = None, mode: Mode | None = None,
        stack_size: int | None = None) -> subprocess.CompletedProcess[Any]:
    """Run a WASI command and return a `subprocess.CompletedProcess`: `args` (program and arguments), `returncode` (the
    exit code, 0..2**32-1), `stdout` and `stderr` (bytes if captured, else None).

    program          a path, bytes, WAT text or a Module
    args             its arguments without its name: str, bytes or path objects
    env, dirs, sockets, stdin, stdout, stderr
                     as for `Wasi`; `subprocess.PIPE` is CAPTURE, `subprocess.DEVNULL` is nothing, and `subprocess.STDOUT`
                     sends standard error to standard output
    input            bytes for standard input, or str with `text`
    capture_output   capture both outputs
    text, encoding   outputs are str
    check            raise subprocess.CalledProcessError for an exit code other than 0
    engine, mode, stack_size
                     as for Module and Instance

    Raises ValueError for arguments that exclude each other, what Module and Instance raise, Trap, and what the
    streams raise.
    """
    import subprocess
    if input is not None and stdin is not None:
        raise ValueError("stdin and input exclude each other")
    if capture_output and (stdout is not None or stderr is not None):
        raise ValueError("stdout and stderr exclude capture_output")
    if capture_output:
        stdout = stderr = CAPTURE
    if input is not None:
        stdin = input.encode(encoding) if text else input
    arguments = [_name(program), *map(os.fspath, args)]
    module = program if isinstance(program, Module) else Module(program, engine=engine)
    output = output_stream(_meant(stdout, _OUTPUTS), 1)
    error = output if isinstance(stderr, int) and stderr == _STDOUT else output_stream(_meant(stderr, _OUTPUTS), 2)
    with Wasi(arguments, env, dirs, _meant(stdin, _INPUTS), output, error, sockets) as wasi:
        code = _exit_code(module, wasi, stack_size, mode)
    captured = [wasi.stdout, None if error is output else wasi.stderr]
    if text:
        captured = [data if data is None else data.decode(encoding) for data in captured]
    done = subprocess.CompletedProcess(arguments, code, *captured)
    if check:
        done.check_returncode()
    return done


def _exit_code(module, wasi, stack_size, mode):
    try:
        return Instance(module, imports=wasi, stack_size=stack_size, mode=mode).run()
    except WasiExit as exit:    # from a start function
        return exit.code


def _name(program):
    """The program's name, its first argument: the path as it was given, or the module's name."""
    if isinstance(program, os.PathLike) or isinstance(program, str) and not program.lstrip().startswith(("(", ";")):
        return os.fspath(program)
    return program.name or "program" if isinstance(program, Module) else "program"


def _meant(stream, table):
    """What Wasi knows one of `subprocess`'s numbers as, or the stream itself."""
    return table.get(stream, stream) if isinstance(stream, int) else stream
