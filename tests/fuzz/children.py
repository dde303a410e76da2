"""Functions called in forked children: a crash or a hang there is a finding like any other."""
import mmap
import os
import pickle
import signal
from collections import namedtuple

# `value`: what the function returned, if `death` is None; else `death` says how the child ended and `progress` what it
# was doing then
Ended = namedtuple("Ended", "value death progress")
ROOM = 4096     # bytes for the progress


class Progress:
    """Says to whoever finds this process dead what it was doing."""

    def __init__(self):
        self.shared = mmap.mmap(-1, ROOM)

    def note(self, text):
        content = text.encode()[:ROOM - 1]
        self.shared[:len(content) + 1] = content + b"\0"

    def read(self):
        return self.shared[:].split(b"\0")[0].decode(errors="replace")


def in_child(function, *arguments, timeout=120):
    """The Ended of `function(progress, *arguments)` in a forked child; `timeout` in seconds."""
    progress = Progress()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _run(function, (progress, *arguments), writer, timeout)
    os.close(writer)
    with open(reader, "rb") as file:
        content = file.read()
    status = os.waitpid(child, 0)[1]
    if content and not status:
        return Ended(pickle.loads(content), None, "")
    return Ended(None, _death(status), progress.read())


def _run(function, arguments, writer, timeout):
    """The child: never returns."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(timeout)
        content = pickle.dumps(function(*arguments))
        with open(writer, "wb") as file:
            file.write(content)
        code = 0
    except BaseException as error:
        arguments[0].note(f"{arguments[0].read()} {type(error).__name__}: {error}")
    finally:
        os._exit(code)


def _death(status):
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return "hang" if number == signal.SIGALRM else signal.Signals(number).name
    return f"exit code {os.WEXITSTATUS(status)}"
