"""Positions: what is known of the source text of a module's instructions."""
import collections
from _thread import RLock

# A place in source text: `name` of the function (str), `file` (str), `line` and `column` (int, from 1); None where unknown.
Position = collections.namedtuple("Position", "name file line column")

UNKNOWN = Position(None, None, None, None)


class Positions:
    """Source positions of a Module (the syntax). `path`: the file that it was read from, or None; `source_map`: a SourceMap, which
    goes before what the module itself says. Nothing is read before somebody asks."""

    def __init__(self, module, path=None, source_map=None):
        self._module, self.path, self._given = module, path, source_map
        self._lock, self._busy, self._readers, self._known = RLock(), False, None, {}

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
                return found
        return ()

    def _given_map(self):
        return _reader(self._given)

    def _named_map(self):
        from pyjit_wasm.source import source_map

        return _reader(source_map.of_module(self._module, self.path))

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


def _reader(source_map):
    """Looks a byte offset up in a SourceMap, if there is one."""
    def at(offset):
        place = source_map.at(offset)
        return () if place is None else (Position(None, *place),)
    return source_map and at


def _attempt(action, otherwise, *arguments):
    try:
        return action(*arguments)
    except Exception:  # whatever pyelftools makes of damaged sections
        return otherwise


def of(module):
    """The Positions of a Module."""
    if module.positions is None:
        module.positions = Positions(module)
    return module.positions
