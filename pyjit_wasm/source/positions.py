"""Positions: what is known of the source text of a module's instructions."""
import collections
from _thread import RLock

from pyjit_wasm import forks

# A place in source text: `name` of the function (str), `file` (str), `line` and `column` (int, from 1); None where unknown.
Position = collections.namedtuple("Position", "name file line column")

_MOST = (1 << 31) - 2  # lines and columns
UNKNOWN = Position(None, None, None, None)


class Positions:
    """Source positions of a Module (the syntax). `path`: the file that it was read from, or None; `source_map`: one as a dict,
    which goes before what the module itself says. Nothing is read before somebody asks."""

    def __init__(self, module, path=None, source_map=None):
        self._module, self.path, self._given = module, path, source_map
        self._lock, self._busy, self._readers, self._known = forks.kept(RLock(), "positions"), False, None, {}

    def at(self, offset):
        """A tuple of Positions for the instruction at a byte offset of the module, innermost first: inlined calls, then the
        function itself. Empty if nothing is known. Debug information that is damaged is as none."""
        found = self._known.get(offset)
        if found is None:
            with self._lock:
                if self._busy:  # a signal handler or a finalizer, in the middle of the lookup below
                    return ()
                self._busy = True
                try:
                    found = self._known[offset] = self._look_up(offset)
                finally:
                    self._busy = False
        return found

    def _look_up(self, offset):
        if self._readers is None:
            made = [_attempt(make, None) for make in (self._given_map, self._dwarf, self._named_map)]
            self._readers = [reader for reader in made if reader is not None]
        for reader in self._readers:
            found = _attempt(reader, (), offset)
            if found:
                return tuple([_checked(*place) for place in found])
        return ()

    def _given_map(self):
        return self._given and _map_reader(self._given)

    def _named_map(self):
        from pyjit_wasm.source import source_map

        found = source_map.of_module(self._module, self.path)
        return found and _map_reader(found)

    def _dwarf(self):
        from pyjit_wasm.source import sections

        found = sections.debug_sections(self._module, self.path)
        if "info" not in found:
            return None
        from pyjit_wasm.source.demangling import demangled
        from pyjit_wasm.source.dwarf import Dwarf

        dwarf, start = Dwarf(found), sections.code_start(self._module.data)
        return lambda offset: tuple([Position(demangled(linkage, name), *place)
                                     for name, linkage, *place in dwarf.at(offset - start)])


def _map_reader(fields):
    """Looks byte offsets up in a source map."""
    from pyjit_wasm.source.source_map import SourceMap

    found = SourceMap(fields)

    def at(offset):
        place = found.at(offset)
        return () if place is None else (Position(None, *place),)
    return at


def _attempt(action, otherwise, *arguments):
    try:
        return action(*arguments)
    except (RecursionError, MemoryError):  # it is not the data
        raise
    except Exception:  # whatever pyelftools makes of damaged sections
        return otherwise


def _checked(name, file, line, column):
    """A Position whose parts are of their types and in a range that Python has room for. Without a file there is no line."""
    if not isinstance(file, str):
        file = line = column = None
    return Position(name if isinstance(name, str) else None, file,
                    *[number if isinstance(number, int) and 0 < number <= _MOST else None for number in (line, column)])


def of(module):
    """The Positions of a Module."""
    if module.positions is None:
        module.positions = Positions(module)
    return module.positions
