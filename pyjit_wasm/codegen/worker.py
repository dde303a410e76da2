"""A process that compiles: requests are IR texts on its standard input, answers objects on its output.

Both are preceded by a header: a request by the length of the text and of the level's name, an answer by
its length and 0 for an object, 1 for an error message, or 2 for that of a MemoryError.
"""
import os
import struct
import sys
from pathlib import Path

from pyjit_wasm.codegen.objects import compile_here
from pyjit_wasm.errors import InternalError

_HEADER, _NO_MEMORY = struct.Struct("<QQ"), 2


class Worker:
    """A worker process; if none can be started or it dies, compiles in this process instead."""

    def __init__(self):
        import subprocess

        path = [*(p or os.getcwd() for p in sys.path), str(Path(__file__).parents[2])]
        try:
            self._process = subprocess.Popen(  # -S: importing `site` takes as long as starting Python; -P: no modules of the working directory
                [sys.executable, "-S", "-P", "-c", "from pyjit_wasm.codegen.worker import main; main()"],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                stderr=subprocess.DEVNULL)  # or whoever reads this process's waits for the end of the last compilation
        except OSError:
            self._process = None

    def compile(self, text, level):
        """Object bytes. Raises InternalError with what LLVM said, MemoryError."""
        if self._process is not None:
            try:
                return self._ask(text, level)
            except (OSError, struct.error):
                self._process = None
        return compile_here(text, level)

    def close(self):
        """End the process."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def _ask(self, text, level):
        text, level = text.encode(), level.encode()
        pipe = self._process.stdin
        pipe.write(_HEADER.pack(len(text), len(level)) + level + text)
        pipe.flush()
        length, failed = _HEADER.unpack(self._process.stdout.read(_HEADER.size))
        answer = self._process.stdout.read(length)
        if failed:
            raise (MemoryError if failed == _NO_MEMORY else InternalError)(answer.decode())
        return answer


def main():
    """Serve until the input ends, or the thread that started this process: nobody waits for what is being compiled then."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    from pyjit_wasm.codegen import llvm  # noqa: F401  loaded while the first text is written
    from pyjit_wasm.runtime import libc

    libc.die_with_parent()

    while header := requests.read(_HEADER.size):
        length, level_length = _HEADER.unpack(header)
        level, text = requests.read(level_length).decode(), requests.read(length).decode()
        try:
            answer, failed = compile_here(text, level), 0
        except Exception as error:
            answer, failed = str(error).encode(), _NO_MEMORY if isinstance(error, MemoryError) else 1
        try:
            answers.write(_HEADER.pack(len(answer), failed) + answer)
            answers.flush()
        except BrokenPipeError:  # whoever asked is gone
            os._exit(0)
