"""Where a thread is: one entry of a sampled stack, or a function that is counted."""
from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A function, and where in it: `kind` ("wasm", "python", "host"), `name`, `file` of its source, executing `line` of
    that file, name of the wasm `module`, `funcidx` in it, and `tier` ("interp", "jit") of wasm; "" or None is unknown.

    Names may be any text. `function` and `definition` are places too: the keys that profiles add up under."""

    kind: str
    name: str
    file: str = ""
    line: int | None = None
    module: str = ""
    funcidx: int | None = None
    tier: str | None = None

    @property
    def function(self) -> Place:
        """The function in its tier: the place without its line."""
        return self if self.line is None else self._replace(line=None)

    @property
    def definition(self) -> Place:
        """The function in whatever tier it is: the place without line and tier."""
        return self if self.line is None and self.tier is None else self._replace(line=None, tier=None)

    @property
    def source(self) -> str:
        """What the function is in: its source file, else its module, else ""."""
        return self.file or self.module

    @property
    def engine(self) -> str:
        """What runs it: "python", "host", "wasm", or with the tier "wasm interp" or "wasm jit"."""
        return f"{self.kind} {self.tier}" if self.tier else self.kind

    @property
    def label(self) -> str:
        """The name and the last part of its source, as readable text: `fib (prog.wasm)`."""
        place = self.source.replace("\\", "/").rpartition("/")[2]
        return readable(f"{self.name} ({place})" if place else self.name)

    @property
    def order(self) -> tuple:
        """A key to sort places by: None cannot be compared with numbers."""
        return (self.kind, self.source, self.name, -1 if self.funcidx is None else self.funcidx, self.tier or "",
                self.line or 0)


def readable(text: str) -> str:
    """The text in one line and as valid UTF-8: what cannot be printed is replaced by U+FFFD, line ends and tabs by spaces."""
    if text.isprintable():
        return text
    return "".join([" " if character.isspace() else character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
                    for character in text])
