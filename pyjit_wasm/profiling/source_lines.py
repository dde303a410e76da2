"""Where functions of compiled units come from, address by address: a file and a line, and which calls are inlined."""
import bisect
import collections

from pyjit_wasm.profiling.functions import functions, printable
from pyjit_wasm.profiling.listings import Listings
from pyjit_wasm.source import positions

Line = collections.namedtuple("Line", "address path line")
Inlined = collections.namedtuple("Inlined", "depth low high name path line")
Inlined.__doc__ = """A call of `name` whose code is in [low, high), `depth` deep in others; it is called at `line` of `path`, which is
None for a call that is nowhere in the module, such as that in an entry."""


class SourceLines:
    """`folder`: for files with the text of functions."""

    def __init__(self, folder):
        self._listings = Listings(folder)

    def place(self, module, offset):
        """(path, line) of the instruction at a byte offset of a module.Module: of its source text if that is known, else of
        a listing."""
        found = positions.of(module).at(offset)
        if found and found[0].file and found[0].line:
            return found[0].file, found[0].line
        return self._listings.place(module, offset)

    def folder(self, module):
        """The folder with the files of a module."""
        return self._listings.folder(module)

    def of(self, loaded):
        """{address of a function: (its Lines, one for each address where the line changes; its Inlined calls)} of a
        loader.Loaded; empty if it was compiled of no module."""
        if loaded.origin.module is None:
            return {}
        from pyjit_wasm.codegen import lines    # which takes long to import

        rows, inlined = lines.Lines(loaded.object, loaded.places).all()
        rows = [(loaded.start + place, offset) for place, offset in rows]
        found = {f.address: (self._merged(loaded.origin, f, rows), []) for f in functions(loaded)}
        starts = sorted(found)
        for depth, low, high, name, offset in inlined:
            call = self._inlined(loaded, depth, low, high, name, offset)
            if call is not None:
                found[starts[bisect.bisect(starts, call.low) - 1]][1].append(call)
        return found

    def _merged(self, origin, function, rows):
        """The Lines of one function: of its head first. Code that belongs to no single instruction is taken with what is
        before it."""
        low, high = (bisect.bisect_left(rows, (end,)) for end in (function.address, function.address + function.size))
        rows, head = [row for row in rows[low:high] if row[1]], origin.head(function.symbol)
        if head is not None and (not rows or rows[0][0] > function.address):
            rows.insert(0, (function.address, head))
        found = []
        for address, offset in rows:
            place = self.place(origin.module, offset)
            if not found or found[-1][1:] != place:
                found.append(Line(address, *place))
        return found

    def _inlined(self, loaded, depth, low, high, name, offset):
        """None if there is no code left of the call."""
        if low >= high or not name.isdecimal():
            return None
        module = loaded.origin.module
        path, line = self.place(module, offset) if offset else (None, 0)
        return Inlined(depth, loaded.start + low, loaded.start + high, printable(module.function_name(int(name))), path, line)
