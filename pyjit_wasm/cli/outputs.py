"""Where commands write: files, which are there as a whole or not at all, and standard output."""
import sys

from .. import files
from .options import CommandError

STDOUT = "-"


def write(path, content):
    """Write str, as UTF-8, or bytes, unless that is to a terminal. Raises CommandError and OSError."""
    if path == STDOUT:
        _send(sys.stdout.buffer, content)
    elif files.is_special(path):
        with open(path, "wb") as file:
            _send(file, content)
    else:
        files.replace(path, _encoded(content))


def _encoded(content):
    return content.encode() if isinstance(content, str) else content


def _send(file, content):
    if isinstance(content, bytes) and file.isatty():
        raise CommandError("a binary is not written to a terminal; -o FILE names a file")
    file.write(_encoded(content))
