"""Where commands write: files, which are there as a whole or not at all, and standard output."""
import os
import stat
import sys

from .options import CommandError

STDOUT = "-"


def write(path, content):
    """Write str, as UTF-8, or bytes, unless that is to a terminal. Raises CommandError and OSError."""
    if path == STDOUT:
        _send(sys.stdout.buffer, content)
    elif _is_special(path):
        with open(path, "wb") as file:
            _send(file, content)
    else:
        _replace(os.path.realpath(path), _encoded(content))


def _encoded(content):
    return content.encode() if isinstance(content, str) else content


def _send(file, content):
    if isinstance(content, bytes) and file.isatty():
        raise CommandError("a binary is not written to a terminal; -o FILE names a file")
    file.write(_encoded(content))


def _is_special(path):
    """Whether there is something other than a file, such as a pipe, which a file must not replace."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def _replace(path, content):
    """Write a temporary file and rename it. Who may use the file that was there may use the new one."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        if os.path.exists(path):
            os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
        os.rename(temporary, path)
    except BaseException as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename = path   # the temporary one means nothing to the user
        raise
