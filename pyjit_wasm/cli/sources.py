"""Module files, binary or text."""
import contextlib

from .. import errors
from .options import CommandError

# what the user is told about a file that cannot be loaded, linked or executed
UNUSABLE = (errors.DecodeError, errors.ParseError, errors.ValidationError, errors.LinkError, errors.UnsupportedError)

BINARY, COMPONENT = b"\0asm", b"\0asm\r\0\1\0"


@contextlib.contextmanager
def naming(path):
    """Inside, UNUSABLE becomes a CommandError that names the file."""
    try:
        yield
    except UNUSABLE as error:
        raise CommandError(f"{path}: {error}") from None


def similar(name, names):
    """The end of an error message that says which of `names` may be meant."""
    import difflib
    found = [repr(close) for close in difflib.get_close_matches(name, names)]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def load(path):
    """The binary module in the file; one named `.wat` is assembled, and so is a text behind a first line that begins with
    `#!`, which is left out. Raises OSError and UNUSABLE."""
    content, is_script = _read(path)
    if content.startswith(COMPONENT):
        raise errors.DecodeError("a component, not a core module")
    if content.startswith(BINARY) or not (is_script or path.endswith(".wat")):
        return content
    return _assembled(content)


def load_text(path):
    """The binary module of a file with text, whatever its name. Raises OSError and UNUSABLE."""
    return _assembled(_read(path)[0])


def _read(path):
    """The contents of a file without the line that makes it a script, and whether there was one."""
    with open(path, "rb") as file:
        content = file.read()
    if not content.startswith(b"#!"):
        return content, False
    line, newline, rest = content.partition(b"\n")
    return (rest if rest.startswith(BINARY) else newline + rest), True     # the lines of a text keep their numbers


def _assembled(content):
    from ..text import assemble
    try:
        return assemble(content.decode())
    except UnicodeDecodeError:
        raise errors.ParseError("malformed UTF-8 encoding") from None
