"""Module files, binary or text."""
from .. import errors

# what the user is told about a file that cannot be loaded or linked
UNUSABLE = (errors.DecodeError, errors.ParseError, errors.ValidationError, errors.LinkError)


def load(path):
    """The binary module in the file; one named `.wat` is assembled. Raises OSError and UNUSABLE."""
    with open(path, "rb") as file:
        content = file.read()
    return assembled(content) if path.endswith(".wat") else content


def assembled(content):
    """The binary module of a text given as UTF-8 bytes. Raises UNUSABLE."""
    from ..text import assemble
    try:
        return assemble(content.decode())
    except UnicodeDecodeError:
        raise errors.ParseError("malformed UTF-8 encoding") from None
