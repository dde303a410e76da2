"""Writes debug information of functions in memory, in the format DWARF 4: names, inlined calls and lines."""
import collections
import os
import struct

_Tree = collections.namedtuple("_Tree", "inlined nested")

_COMPILE_UNIT, _SUBPROGRAM, _INLINED = 0x11, 0x2E, 0x1D     # tags
_NAME, _STATEMENTS, _LOW, _HIGH, _LANGUAGE, _DIRECTORY = 0x03, 0x10, 0x11, 0x12, 0x13, 0x1B     # attributes
_INLINE, _ORIGIN, _CALL_FILE, _CALL_LINE = 0x20, 0x31, 0x58, 0x59
_ADDRESS, _DATA1, _DATA2, _DATA8, _STRING, _UDATA, _REF4, _SEC_OFFSET = 0x01, 0x0B, 0x05, 0x07, 0x08, 0x0F, 0x13, 0x17  # forms
_C99 = 0x0C

# abbreviations, numbered from 1: tag, whether there are children, attributes with their forms
_ABBREVIATIONS = (
    (_COMPILE_UNIT, 1, ((_NAME, _STRING), (_DIRECTORY, _STRING), (_LANGUAGE, _DATA2), (_STATEMENTS, _SEC_OFFSET),
                        (_LOW, _ADDRESS), (_HIGH, _DATA8))),
    (_SUBPROGRAM, 0, ((_NAME, _STRING), (_INLINE, _DATA1))),
    (_SUBPROGRAM, 1, ((_NAME, _STRING), (_LOW, _ADDRESS), (_HIGH, _DATA8))),
    (_INLINED, 1, ((_ORIGIN, _REF4), (_LOW, _ADDRESS), (_HIGH, _DATA8), (_CALL_FILE, _UDATA), (_CALL_LINE, _UDATA))),
)
_UNIT, _ABSTRACT, _CONCRETE, _CALL = 1, 2, 3, 4
_END = b"\0"
_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE = 1, 2, 3, 4                       # instructions of line programs
_SET_ADDRESS, _END_SEQUENCE = b"\0\x09\x02", b"\0\x01\x01"
_STANDARD_OPERANDS = bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))                # of instructions 1 to 12


class DebugInformation:
    """Of one compile unit. `name`, `folder`: what it is called, and where its files are if their paths are relative; `low`,
    `high`: the addresses of its code."""

    def __init__(self, name, folder, low, high):
        self._name, self._folder, self._low, self._high = name, folder, low, high
        self._files, self._functions, self._lines = {}, [], []

    def add(self, function, name, lines, inlined):
        """A functions.Function as `name`, with its source_lines.Lines and source_lines.Inlined calls, outer ones first."""
        self._functions.append((function, name, _nested(inlined)))
        if lines:
            self._lines.append(self._sequence(function, lines))

    def sections(self):
        """{name of a section: content}."""
        abbreviations = b"".join(_uleb(number) + _uleb(tag) + bytes((children,)) + b"".join(map(bytes, attributes)) + bytes(2)
                                 for number, (tag, children, attributes) in enumerate(_ABBREVIATIONS, 1)) + _END
        return {".debug_abbrev": abbreviations, ".debug_info": self._information(), ".debug_line": self._line_table()}

    def _information(self):
        content = bytearray(struct.pack("<HIB", 4, 0, 8))   # behind the length: version, abbreviations, size of addresses
        content += _uleb(_UNIT) + _text(self._name) + _text(self._folder)
        content += struct.pack("<HIQQ", _C99, 0, self._low, self._high - self._low)
        origins = {}
        for _, _, trees in self._functions:
            for name in _names(trees):
                if name not in origins:
                    origins[name] = 4 + len(content)
                    content += _uleb(_ABSTRACT) + _text(name) + b"\1"
        for function, name, trees in self._functions:
            content += _uleb(_CONCRETE) + _text(name) + struct.pack("<QQ", function.address, function.size)
            content += b"".join(self._call(tree, origins) for tree in trees) + _END
        content += _END
        return struct.pack("<I", len(content)) + content

    def _call(self, tree, origins):
        call = tree.inlined
        return b"".join((
            _uleb(_CALL), struct.pack("<IQQ", origins[call.name], call.low, call.high - call.low),
            _uleb(self._file(call.path)), _uleb(call.line), *[self._call(nested, origins) for nested in tree.nested], _END))

    def _file(self, path):
        """The number of a file, from 1; 0 is none."""
        return 0 if path is None else self._files.setdefault(path, len(self._files) + 1)

    def _sequence(self, function, lines):
        """The line program of one function."""
        program = bytearray(_SET_ADDRESS + struct.pack("<Q", function.address))
        address, file, line = function.address, 1, 1
        for place in lines:
            number = self._file(place.path)
            if number != file:
                program += bytes((_SET_FILE,)) + _uleb(number)
            program += bytes((_ADVANCE_PC,)) + _uleb(place.address - address)
            program += bytes((_ADVANCE_LINE,)) + _sleb(place.line - line) + bytes((_COPY,))
            address, file, line = place.address, number, place.line
        end = function.address + function.size - address
        return bytes(program) + bytes((_ADVANCE_PC,)) + _uleb(end) + _END_SEQUENCE

    def _line_table(self):
        """Header and line programs, after `_information`: that may name more files."""
        files = b"".join(_text(os.path.relpath(path, self._folder) if path.startswith(self._folder + os.sep) else path) + bytes(3)
                         for path in self._files)
        header = struct.pack("<BBBbBB", 1, 1, 1, -5, 14, 13) + _STANDARD_OPERANDS + _END + files + _END
        content = struct.pack("<HI", 4, len(header)) + header + b"".join(self._lines)
        return struct.pack("<I", len(content)) + content


def _nested(inlined):
    """Trees of inlined calls: those of a greater depth are in those around them."""
    trees, open_ = [], []
    for call in sorted(inlined, key=lambda call: (call.low, call.depth, -call.high)):
        tree = _Tree(call, [])
        while open_ and not (open_[-1].inlined.depth < call.depth and call.high <= open_[-1].inlined.high):
            open_.pop()
        (open_[-1].nested if open_ else trees).append(tree)
        open_.append(tree)
    return trees


def _names(trees):
    for tree in trees:
        yield tree.inlined.name
        yield from _names(tree.nested)


def _text(text):
    return text.encode(errors="surrogateescape") + b"\0"


def _uleb(number):
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes(found) + bytes((number,))


def _sleb(number):
    found = bytearray()
    while not -64 <= number < 64:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes(found) + bytes((number & 127,))
