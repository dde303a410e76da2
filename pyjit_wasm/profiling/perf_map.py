"""The map that `perf report` looks for: names of functions by address, in /tmp/perf-<pid>.map.

A line is start and size in hexadecimal, and a name (tools/perf/Documentation/jit-interface.txt of Linux). Other JIT compilers of
the process, CPython's trampolines included, add to the same file, so nothing in it is replaced.
"""
import os
import stat

from pyjit_wasm.profiling.functions import functions, title

FOLDER = "/tmp"     # where perf looks, whatever TMPDIR says
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class PerfMap:
    """The file of this process, open for appending; `path` says where. Raises OSError if it cannot be made, PermissionError if
    it is somebody else's."""

    def __init__(self):
        self.restart()

    def restart(self):
        """In a child after a fork: the file of the new process."""
        self.path = os.path.join(FOLDER, f"perf-{os.getpid()}.map")
        self._file = os.fdopen(os.open(self.path, _FLAGS, 0o600), "ab", buffering=0)
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink != 1:
            self._file.close()
            raise PermissionError(f"{self.path} is not a file of this user alone")

    def add(self, loaded):
        """Write what is in a loader.Loaded."""
        lines = [f"{f.address:x} {f.size:x} {title(f)}\n" for f in functions(loaded) if f.size]
        self._file.write("".join(lines).encode())

    def close(self):
        """Write no more. The file stays, for `perf report`."""
        self._file.close()
