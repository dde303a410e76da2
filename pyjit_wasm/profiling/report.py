"""`Profile`: what was sampled and counted, as rows, text and files."""
from __future__ import annotations

import dataclasses
import functools
import os
from importlib import import_module

from pyjit_wasm import files
from pyjit_wasm.profiling.counts import Counts
from pyjit_wasm.profiling.places import Place
from pyjit_wasm.profiling.samples import Samples, Times

# name: (writer, a function of this package that makes bytes of a Profile; suffixes of its files, the first preferred)
FORMATS = {
    "table": ("texts.table_file", (".table",)),
    "text": ("texts.text_file", (".txt",)),
    "json": ("records.write", (".json",)),
    "pstats": ("pstats.write", (".pstats", ".prof")),
    "collapsed": ("collapsed.write", (".collapsed", ".folded")),
    "speedscope": ("speedscope.write", (".speedscope.json",)),
    "firefox": ("firefox.write", (".firefox.json",)),
    "svg": ("flamegraph.write", (".svg",)),
    "html": ("page.write", (".html", ".htm")),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A function of a profile: its `place` (without line and tier), `calls` (None where they were not counted), nanoseconds
    in itself `self_ns` and with what it called `total_ns`, the number of `samples` that it was in, and `tiers`: {tier:
    nanoseconds in itself}."""

    place: Place
    calls: int | None
    self_ns: int
    total_ns: int
    samples: int
    tiers: dict[str | None, int]


class Profile:
    """What a program spent its time on: `samples` (Samples, or None if only calls were counted) and `counts` (Counts, or
    None if only samples were taken).

        profile.save("prog.html")           # a flame graph and a table; the suffix says which of Profile.formats
        print(profile.table(10))
    """

    formats = tuple(FORMATS)

    def __init__(self, samples: Samples | None = None, counts: Counts | None = None) -> None:
        self.samples, self.counts = samples, counts

    def __repr__(self) -> str:
        samples = len(self.samples.samples) if self.samples else 0
        return f"<Profile: {samples} samples, {len(self.functions)} functions>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and (self.samples, self.counts) == (other.samples, other.counts)

    __hash__ = None  # type: ignore[assignment]

    @functools.cached_property
    def functions(self) -> tuple[Row, ...]:
        """The functions, those with the most time in themselves first, then by total time and calls."""
        times = self.samples.functions if self.samples else {}
        tiers = self.samples.tiers if self.samples else {}
        calls = self.counts.calls_of() if self.counts else {}
        rows = []
        for place in times.keys() | calls.keys():
            time = times.get(place) or Times()
            rows.append(Row(place, calls.get(place), time.self_ns, time.total_ns, time.samples, tiers.get(place, {})))
        return tuple(sorted(rows, key=lambda row: (-row.self_ns, -row.total_ns, -(row.calls or 0), row.place.order)))

    @property
    def sampled(self) -> Samples:
        """The samples. Raises ValueError if there are none because the profile only counted."""
        if self.samples is None:
            raise ValueError("this profile has no samples, it only counted")
        return self.samples

    def text(self) -> str:
        """The wasm and host functions that ran, in the words of WAMR's `wasm_runtime_dump_perf_profiling`: times are total
        and of what was called, in milliseconds, recursion counted once. What was not measured is left out."""
        return _writer("texts.text")(self)

    def table(self, top: int = 20) -> str:
        """A table for people: the `top` functions by time in themselves, then what else was counted."""
        return _writer("texts.table")(self, top)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the profile to a file, as a whole or not at all, in a format of `Profile.formats`; without one, in that of
        the file's suffix (see docs/profiling.md). Raises ValueError if there is no such format or the profile has nothing
        for it, and OSError."""
        path = os.fspath(path)
        files.write(path, self.written(format or format_of(path)))

    def written(self, format: str) -> bytes:
        """What `save` writes. Raises ValueError."""
        if format not in FORMATS:
            raise ValueError(f"no format of profiles is called {format!r}; there are {', '.join(FORMATS)}")
        return _writer(FORMATS[format][0])(self)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Profile:
        """Read a profile that was saved as "json". Raises ValueError if it is something else, and OSError."""
        return _writer("records.read")(path)


def _writer(name):
    module, _, function = name.partition(".")
    return getattr(import_module(f".{module}", __package__), function)


def format_of(path: str) -> str:
    """The format that the suffix of a file means. Raises ValueError."""
    suffixes = {suffix: name for name, (_, of_format) in FORMATS.items() for suffix in of_format}
    for suffix in sorted(suffixes, key=len, reverse=True):
        if path.lower().endswith(suffix):
            return suffixes[suffix]
    raise ValueError(f"{path}: the suffix names no format of profiles; there are {', '.join(suffixes)}")
