"""The dump that `perf inject --jit` reads: code, names and source lines of functions, with the time when they came.

Unlike the map of `perf_map` it has the instructions, for `perf annotate`, and an address may mean one function after the other.
The format is that of tools/perf/Documentation/jitdump-specification.txt of Linux. perf finds the file because the process maps a page
of it to be executed.
"""
import contextlib
import ctypes
import mmap
import os
import struct
import tempfile
import time
from _thread import get_native_id

from pyjit_wasm.profiling.functions import functions, title
from pyjit_wasm.profiling.source_lines import SourceLines

VARIABLE = "JITDUMPDIR"
_MAGIC, _VERSION, _X86_64 = 0x4A695444, 1, 62
_LOAD, _DEBUG_INFO, _CLOSE = 0, 2, 3
_HEADER = struct.Struct("<IIIIIIQQ")
_RECORD = struct.Struct("<IIQ")
_CODE = struct.Struct("<IIQQQQ")
_LINES = struct.Struct("<QQ")
_LINE = struct.Struct("<QII")


class JitDump:
    """The file of this process; `path` says where. It is in a new folder in .debug/jit of `base`, else of $JITDUMPDIR, else of
    the home directory, where perf puts what it makes of it too. Raises OSError if it cannot be made."""

    def __init__(self, base=None):
        base = base or os.environ.get(VARIABLE) or os.path.expanduser("~")
        place = os.path.join(os.path.abspath(base), ".debug", "jit")
        os.makedirs(place, mode=0o700, exist_ok=True)
        status = os.stat(place)
        if status.st_uid != os.geteuid() or status.st_mode & 0o002:     # who can write there can put links in our way
            raise PermissionError(f"{place} is not a folder of this user alone")
        self._folder = tempfile.mkdtemp(prefix=f"pyjit_wasm-jit-{time.strftime('%Y%m%d')}.", dir=place)
        self._lines = SourceLines(self._folder)
        self.restart()

    def restart(self):
        """In a child after a fork: a file for the new process, beside its parent's."""
        self._pid, self._count = os.getpid(), 0
        self.path = os.path.join(self._folder, f"jit-{self._pid}.dump")
        file = open(self.path, "xb+", buffering=0)
        file.write(_HEADER.pack(_MAGIC, _VERSION, _HEADER.size, _X86_64, 0, self._pid, time.monotonic_ns(), 0))
        self._mark = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
        self._file = file

    def add(self, loaded):
        """Write what is in a loader.Loaded."""
        found = self._lines.of(loaded)
        self._file.write(b"".join(self._function(f, found.get(f.address, ((),))[0]) for f in functions(loaded) if f.size))

    def _function(self, function, lines):
        """The records of a function: its lines come first."""
        content = b"".join(_LINE.pack(line.address, line.line, 0) + os.fsencode(line.path) + b"\0" for line in lines)
        debug = self._record(_DEBUG_INFO, _LINES.pack(function.address, len(lines)) + content) if lines else b""
        self._count += 1
        code = _CODE.pack(self._pid, get_native_id(), function.address, function.address, function.size, self._count)
        name = title(function).encode() + b"\0"
        return debug + self._record(_LOAD, code + name + ctypes.string_at(function.address, function.size))

    def _record(self, kind, content):
        return _RECORD.pack(kind, _RECORD.size + len(content), time.monotonic_ns()) + content

    def close(self):
        """Write no more. The folder stays, for perf."""
        with contextlib.suppress(OSError):  # a disk may be full; the end of the file says it too
            self._file.write(self._record(_CLOSE, b""))
        self._mark.close()
        self._file.close()
