"""Python tracebacks that show wasm frames: one entry for each, with file, line and function name.

An entry needs a Python frame that nobody ran. That of a generator which was not started serves: its code object has the names.
"""
import os
import stat
import sys
import types

from pyjit_wasm.binary.body import opcode
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.config import TRACEBACK_INNERMOST, TRACEBACK_OUTERMOST
from pyjit_wasm.runtime.trace import resolved
from pyjit_wasm.source import positions


def _nothing():
    yield


_CODE = _nothing.__code__
_UNITS = len(_CODE.co_code) // 2
_MOST_UNITS = 8  # of code that one entry of a table of positions is about
_LONG, _LINE_ONLY = 14, 13  # kinds of entries (CPython, Objects/locations.md)


def traced(trace, following=None):
    """A Python traceback (types.TracebackType, or None) of a Trace, outermost frame first, that goes on with `following`. Of
    many frames only the outermost and the innermost are shown."""
    for frame, line in _shown(trace):
        following = types.TracebackType(following, frame, 0, line)
    return following


def _shown(trace):
    """The entries of a Trace, innermost first."""
    frames = [(owner, call, index) for owner, call in trace.calls() for index in range(len(resolved(owner, call)))]
    innermost, outermost = frames, []
    if not trace.complete or len(frames) > TRACEBACK_INNERMOST + TRACEBACK_OUTERMOST:
        innermost = frames[:TRACEBACK_INNERMOST]
        outermost = frames[-TRACEBACK_OUTERMOST:] if trace.complete else []
    yield from map(_cached_entry, innermost)
    left_out = len(frames) - len(innermost) - len(outermost)
    if left_out or not trace.complete:
        yield _entry("<wasm>", 1, f"[frames left out: {left_out}{'' if trace.complete else ' or more'}]")
    yield from map(_cached_entry, outermost)


def _cached_entry(place):
    owner, call, index = place
    if call.entries is None:
        call.entries = [_entry_of(frame, owner.module) for frame in call.frames]
    return call.entries[index]


def _entry_of(frame, module):
    """The entry of a Frame."""
    if frame.file is None:
        return _entry(_location(module, frame.offset), 1, frame.name, loader=_Instruction(module, frame.offset))
    return _entry(_readable(frame.file), frame.line or 0, frame.name, frame.column)


def _location(module, offset):
    """What stands for a file where none is known: the module's name or that of its file, and the instruction's offset."""
    path = positions.of(module).path
    location = f"wasm://{module.names.module or (os.path.basename(path) if path else 'wasm')}/{offset:#x}"
    if "linecache" in sys.modules:
        sys.modules["linecache"].cache.pop(location, None)  # perhaps of another module of that name
    return location


class _Instruction:
    """Gives the `traceback` module, by way of `linecache`, an instruction as the text of such a file."""

    def __init__(self, module, offset):
        self._text = opcode(Reader(module.data, offset)).mnemonic

    def get_source(self, name):
        """As of `importlib.abc.InspectLoader`."""
        return self._text


def _readable(file):
    """The path of a source file, in brackets if Python should not read it: it comes from the module."""
    try:
        return file if stat.S_ISREG(os.stat(file).st_mode) else f"<{file}>"
    except (OSError, ValueError):
        return file


def _entry(file, line, name, column=None, loader=None):
    """(frame, line) of a traceback entry; `loader` has the text of the file."""
    name = _printable(name)
    code = _CODE.replace(co_filename=_printable(file), co_name=name, co_qualname=name, co_firstlineno=line,
                         co_linetable=_positions(column))
    return types.FunctionType(code, {"__name__": "wasm", "__loader__": loader})().gi_frame, line


def _printable(text):
    return text if text.isprintable() else repr(text)[1:-1]


def _positions(column):
    """A table that puts all code on the first line, at a column (from 1) if that is known."""
    kind, operands = (_LINE_ONLY, b"\0") if column is None else (_LONG, b"\0\0" + _number(column) + _number(column + 1))
    table = b""
    for start in range(0, _UNITS, _MOST_UNITS):
        table += bytes([0x80 | kind << 3 | min(_MOST_UNITS, _UNITS - start) - 1]) + operands
    return table


def _number(value):
    """An unsigned number in groups of six bits."""
    groups = bytearray()
    while value >= 64:
        groups.append(value & 63 | 64)
        value >>= 6
    return bytes([*groups, value])
