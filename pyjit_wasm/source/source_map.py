"""Source maps (ECMA-426). In one of a WebAssembly module the generated line is 0 and the column the byte offset."""
import base64
import bisect
import json
import os
import posixpath
import urllib.parse

from pyjit_wasm.source import sections

SECTION = "sourceMappingURL"
_DIGITS = {character: value for value, character in enumerate(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}

_MOST_BITS = 60


def read(source):
    """A source map as a dict, which is checked no further than its version. `source`: that dict, its JSON text, bytes or str,
    or the path of a file with it. Raises TypeError for another source, ValueError for what is no source map of version 3,
    OSError."""
    if isinstance(source, os.PathLike) or isinstance(source, str) and not source.lstrip().startswith("{"):
        with open(source, "rb") as file:
            source = file.read()
    if not isinstance(source, (dict, str, bytes, bytearray)):
        raise TypeError(f"a source map is a dict, JSON text or a path, not {type(source).__name__}")
    fields = source if isinstance(source, dict) else json.loads(source)
    if not isinstance(fields, dict) or fields.get("version") != 3:
        raise ValueError("a source map of version 3 is required")
    return fields


def of_module(module, path):
    """The source map, as a dict, that a Module read from `path` names: a `data:` URL or a file beside it. None if it names
    none; one that cannot be had raises any exception."""
    url = sections.url(module, SECTION)
    if url is None:
        return None
    return read(_data(url) if url.startswith("data:") else sections.beside(path, urllib.parse.unquote(url)))


def _data(url):
    """The contents of a `data:` URL (RFC 2397)."""
    head, _, content = url.partition(",")
    content = urllib.parse.unquote_to_bytes(content)
    return base64.b64decode(content) if head.endswith(";base64") else content


class SourceMap:
    """`at(offset)`, from the dict that a source map is. Raises any exception for one with nonsense in it."""

    def __init__(self, fields):
        root = fields.get("sourceRoot") or ""
        self._files = [name and posixpath.join(root, name) for name in fields["sources"]]
        self._segments = sorted(_segments(fields["mappings"].partition(";")[0]), key=lambda segment: segment[0])
        self._offsets = [segment[0] for segment in self._segments]

    def at(self, offset):
        """(file, line, column) of an instruction at a byte offset, line and column counting from 1; None if it has none."""
        index = bisect.bisect(self._offsets, offset) - 1
        if index < 0 or len(self._segments[index]) < 4:
            return None
        _, file, line, column = self._segments[index][:4]
        return (self._files[file], line + 1, column + 1) if 0 <= file < len(self._files) else None


def _segments(line):
    """The segments of a line of `mappings`: (column[, source, line, column[, name]]), made absolute."""
    sums = [0] * 5
    for text in filter(None, line.split(",")):
        values = _numbers(text)
        if len(values) not in (1, 4, 5):
            raise ValueError("a segment of a source map has 1, 4 or 5 fields")
        for index, value in enumerate(values):
            sums[index] += value
        yield tuple(sums[:len(values)])


def _numbers(text):
    """The signed variable-length quantities of a segment, in base 64."""
    values, value, shift = [], 0, 0
    for character in text:
        digit = _DIGITS[character]
        if shift > _MOST_BITS:
            raise ValueError("a number in a source map is too large")
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            values.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    return values
