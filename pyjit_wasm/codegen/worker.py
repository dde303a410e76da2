"""A process that compiles: requests are IR texts on its standard input, answers objects on its output.

Both are preceded by a header: a request by the length of the text and of the level's name, and the budget (processor time
in microseconds, bytes; 0: any); an answer by its length and 0 for an object, 1 for an error message, or 2 for that of a
MemoryError. A process whose budget is used up ends by SIGPROF, or by LLVM's way of saying that there is no memory.
"""
import os
import signal
import struct
import sys
from _thread import RLock
from pathlib import Path

from pyjit_wasm import forks
from pyjit_wasm.codegen import budget
from pyjit_wasm.codegen.objects import compile_here
from pyjit_wasm.errors import InternalError

_REQUEST, _ANSWER, _NO_MEMORY = struct.Struct("<QQQQ"), struct.Struct("<QQ"), 2
_STARTS_WITH = 512 << 20    # bytes that a worker has before it compiles anything: LLVM's stack is most of them

_starting = forks.kept(RLock(), "worker")   # or the child of a fork would have pipes that others wait for the end of


class Worker:
    """A worker process, started anew if the one before has died; where none can be started small texts are compiled in this
    process instead."""

    def __init__(self):
        self._process = _start()

    def compile(self, text, level, limits=None):
        """Object bytes. `limits`: a Budget, or None. Raises InternalError with what LLVM said, OverBudget, MemoryError."""
        self._process = self._process or _start()
        if self._process is None:
            if limits is not None and not budget.is_small(text):
                raise budget.OverBudget("no process can be started to compile it in")
            return compile_here(text, level)
        try:
            return self._ask(text, level, limits)
        except (OSError, struct.error):
            status = self._end()
        except BaseException:   # an exception of a signal handler: nobody waits for the answer any more
            self._end()
            raise
        if status >= 0 and budget.is_small(text):   # Python could not start there
            return compile_here(text, level)
        raise budget.OverBudget(_reason(status, limits))

    def close(self):
        """End the process."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def _end(self):
        """End it now; its exit status, negative for a signal."""
        process, self._process = self._process, None
        process.stdout.close()
        try:
            process.stdin.close()
        except OSError:     # what it has not read
            pass
        try:
            return process.wait(1)  # it may be dead
        except Exception:
            process.kill()
            return process.wait()

    def _ask(self, text, level, limits):
        text, level = text.encode(), level.encode()
        seconds, memory = limits or (0, 0)
        _write(self._process.stdin, _REQUEST.pack(len(text), len(level), int(seconds * 1e6), memory) + level + text)
        length, failed = _ANSWER.unpack(_read(self._process.stdout, _ANSWER.size))
        answer = _read(self._process.stdout, length)
        if failed:
            raise (MemoryError if failed == _NO_MEMORY else InternalError)(answer.decode())
        return answer


def _write(pipe, data):
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest):]


def _read(pipe, size):
    """So many bytes, or fewer at the end."""
    parts = []
    while size and (part := pipe.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _start():
    """A subprocess.Popen, or None."""
    import subprocess

    path = [*(p or os.getcwd() for p in sys.path), str(Path(__file__).parents[2])]
    try:
        with _starting:
            return subprocess.Popen(  # -S: importing `site` takes as long as starting Python; -P: no modules of the working directory
                [sys.executable, "-S", "-P", "-c", "from pyjit_wasm.codegen.worker import main; main()"],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                bufsize=0,      # or the child of a fork would write again what is in the buffer
                stderr=subprocess.DEVNULL)  # or whoever reads this process's waits for the end of the last compilation
    except OSError:
        return None


def _reason(status, limits):
    if limits is not None and status == -signal.SIGPROF:
        return f"compiling it takes more than {limits.seconds:g} s of processor time (compile_seconds of its engine)"
    if limits is not None and status == -signal.SIGABRT:
        return f"compiling it takes more than {limits.memory >> 20} MiB of memory (compile_memory of its engine)"
    return f"the process that compiled it ended with status {status}"


def compile_bounded(source, level, limits):
    """A `compile` for `objects.build` with a Budget: here if that is certain to take little, else in a process that is started
    for it."""
    text = source()
    if budget.is_small(text):
        return compile_here(text, level)
    worker = Worker()
    try:
        return worker.compile(text, level, limits)
    finally:
        worker.close()


def _set_limits(seconds, memory):
    """From now on, as in a request. Memory that is given out of address space reserved before does not count."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = memory + _STARTS_WITH if memory else hard
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)


def main():
    """Serve until the input ends, or the thread that started this process: nobody waits for what is being compiled then."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    from pyjit_wasm.codegen import llvm  # noqa: F401  loaded while the first text is written
    from pyjit_wasm.runtime import libc

    libc.die_with_parent()

    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    while header := requests.read(_REQUEST.size):
        length, level_length, time, memory = _REQUEST.unpack(header)
        level, text = requests.read(level_length).decode(), requests.read(length).decode()
        _set_limits(time / 1e6, memory)
        try:
            answer, failed = compile_here(text, level), 0
        except Exception as error:
            answer, failed = str(error).encode(), _NO_MEMORY if isinstance(error, MemoryError) else 1
        _set_limits(0, 0)
        try:
            answers.write(_ANSWER.pack(len(answer), failed) + answer)
            answers.flush()
        except BrokenPipeError:  # whoever asked is gone
            os._exit(0)
