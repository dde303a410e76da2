"""What custom sections say about the source, and files beside the module that they name.

DWARF for WebAssembly (WebAssembly tool conventions): the sections `.debug_*` are custom sections, `external_debug_info` names
a file that has them. `sourceMappingURL` names a source map (ECMA-426).
"""
import os
import stat

from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.config import DEBUG_FILE_SIZE

_HEADER, _CUSTOM, _CODE = 8, 0, 10  # bytes of magic number and version; section ids
DWARF = ".debug_"


def sections(data):
    """(section id, Reader at its contents, offset of its end) of a binary. Raises DecodeError where it is malformed."""
    reader = Reader(data, _HEADER)
    while reader.peek() is not None:
        section, size = reader.byte(), reader.size()
        end = reader.pos + size
        yield section, Reader(data, reader.pos), end
        reader.pos = end


def code_start(data):
    """The byte offset of the code section's contents, from where DWARF counts addresses."""
    return next((reader.pos for section, reader, _ in sections(data) if section == _CODE), 0)


def customs(data):
    """(name, contents) of the custom sections of a binary."""
    for section, reader, end in sections(data):
        if section == _CUSTOM:
            name = reader.name()
            yield name, data[reader.pos:end]


def debug_sections(module, path):
    """{name without `.debug_`: contents} of a Module that was read from `path`, or of the file beside it that it names."""
    found = _dwarf(module.customs)
    external = url(module, "external_debug_info")
    if "info" not in found and external is not None:
        found = _dwarf(customs(beside(path, external)))
    return found


def _dwarf(sections):
    return {name.removeprefix(DWARF): bytes(content) for name, content in sections if name.startswith(DWARF)}


def url(module, name):
    """The string in a custom section, or None."""
    content = dict(module.customs).get(name)
    return None if content is None else Reader(content).name()


def beside(path, name):
    """The contents of the file `name` in the folder of the file `path`. OSError for whatever else a name may be: it comes from
    the module, which nobody need trust."""
    if path is None or "/" in name or "\\" in name or name in ("", ".", ".."):
        raise FileNotFoundError(name)
    descriptor = os.open(os.path.join(os.path.dirname(os.fspath(path)), name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > DEBUG_FILE_SIZE:
            raise FileNotFoundError(name)
        return file.read()
