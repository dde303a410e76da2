"""What was counted, exactly: calls, instructions, and what the tiers did."""
from __future__ import annotations

import dataclasses

from pyjit_wasm.profiling.places import Place


@dataclasses.dataclass(frozen=True, slots=True)
class TierEvent:
    """Code was made: `time` in nanoseconds since the profile began, `kind` ("translate": to threaded code; "compile": to
    native code), the names of the `functions`, `reason`, how many `seconds` it took, how many `bytes` it has, and whether it
    came `from_cache`."""

    time: int
    kind: str
    functions: tuple[str, ...]
    reason: str = ""
    seconds: float = 0.0
    bytes: int = 0
    from_cache: bool = False


@dataclasses.dataclass
class Counts:
    """Exact numbers: `calls` {Place: int}, calls by caller `edges` {(Place, Place): int}, executed instructions `opcodes`
    {mnemonic: int} or None if they were not counted, and the `events` of the tiers in the order of time."""

    calls: dict[Place, int] = dataclasses.field(default_factory=dict)
    edges: dict[tuple[Place, Place], int] = dataclasses.field(default_factory=dict)
    opcodes: dict[str, int] | None = None
    events: list[TierEvent] = dataclasses.field(default_factory=list)

    def calls_of(self) -> dict[Place, int]:
        """{definition: calls}: whatever tier they ran in."""
        return _by_key(self.calls, lambda place: place.definition)

    def edges_of(self) -> dict[tuple[Place, Place], int]:
        """{(caller, callee): calls}, as definitions."""
        return _by_key(self.edges, lambda edge: (edge[0].definition, edge[1].definition))


def _by_key(numbers, key):
    sums = {}
    for item, number in numbers.items():
        sums[key(item)] = sums.get(key(item), 0) + number
    return sums
