"""Samples of call stacks, and what follows from them."""
from __future__ import annotations

import collections
import dataclasses
import functools

from pyjit_wasm.profiling.places import Place


@dataclasses.dataclass(slots=True)
class Times:
    """What samples say of a function or an edge: nanoseconds `total_ns` with what was called from there and `self_ns`
    without it, and the number of `samples` that it was in. However often it is in a stack, it counts once."""

    total_ns: int = 0
    self_ns: int = 0
    samples: int = 0


class Node:
    """A node of a call tree: `place` (a Place without line; None of the root), `total_ns` and `self_ns` in nanoseconds,
    the number of `samples`, and `children` {Place: Node}."""

    __slots__ = ("place", "total_ns", "self_ns", "samples", "children")

    def __init__(self, place: Place | None) -> None:
        self.place, self.total_ns, self.self_ns, self.samples = place, 0, 0, 0
        self.children: dict[Place, Node] = {}

    def ordered(self) -> list[Node]:
        """The children, the longest first."""
        return sorted(self.children.values(), key=lambda node: (-node.total_ns, node.place.order))


@dataclasses.dataclass
class Samples:
    """Stacks that were seen: `period` nanoseconds between samples, the `clock` that it was of ("wall"), `start` in
    nanoseconds since the epoch, and `samples`: (nanoseconds since `start`, native id of the thread, stack, weight in
    nanoseconds) each. A stack is a tuple of Place, outermost first. `threads` has names {native id: str}.

    What is derived is computed once, when asked for: the samples must not change after that."""

    period: int
    clock: str = "wall"
    start: int = 0
    samples: list[tuple[int, int, tuple[Place, ...], int]] = dataclasses.field(default_factory=list)
    threads: dict[int, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def stacks(self) -> dict[tuple[Place, ...], tuple[int, int]]:
        """{stack: (nanoseconds, number of samples)} of all threads."""
        seen, sums = {}, {}
        for _, _, stack, weight in self.samples:
            entry = seen.get(id(stack))
            if entry is None:       # samples of one place often share the stack: it is hashed once
                entry = seen[id(stack)] = sums.setdefault(stack, [0, 0])
            entry[0] += weight
            entry[1] += 1
        return {stack: tuple(entry) for stack, entry in sums.items()}

    @functools.cached_property
    def tree(self) -> Node:
        """The root of the call tree of all threads."""
        root, known = Node(None), {}
        for stack, (weight, count) in self.stacks.items():
            node = root
            node.total_ns += weight
            node.samples += count
            for place in stack:
                function = known.get(place)
                if function is None:
                    function = known[place] = place.function
                child = node.children.get(function)
                if child is None:
                    child = node.children[function] = Node(function)
                node = child
                node.total_ns += weight
                node.samples += count
            node.self_ns += weight
        return root

    @functools.cached_property
    def functions(self) -> dict[Place, Times]:
        """{definition: Times}."""
        return self._sums[0]

    @functools.cached_property
    def edges(self) -> dict[tuple[Place, Place], Times]:
        """{(caller, callee): Times of the callee when called from there}, as definitions."""
        return self._sums[1]

    @functools.cached_property
    def tiers(self) -> dict[Place, dict[str | None, int]]:
        """{definition: {tier: nanoseconds in the function itself}}."""
        found = collections.defaultdict(collections.Counter)
        for node in nodes(self.tree):
            found[node.place.definition][node.place.tier] += node.self_ns
        return {definition: dict(tiers) for definition, tiers in found.items()}

    @functools.cached_property
    def _sums(self):
        functions, edges = collections.defaultdict(Times), collections.defaultdict(Times)
        active = collections.Counter()      # the functions and edges on the way from the root
        pending = [(child, None) for child in self.tree.children.values()]
        while pending:
            node, caller = pending.pop()
            if node is None:                # all below is done
                active.subtract(caller)
                continue
            definition = node.place.definition
            here = [(functions, definition)] + ([(edges, (caller, definition))] if caller else [])
            for table, key in here:
                _add(table[key], node, not active[key])
            keys = [key for _, key in here]
            active.update(keys)
            pending.append((None, keys))
            pending.extend([(child, definition) for child in node.children.values()])
        return dict(functions), dict(edges)


def _add(times, node, outermost):
    times.self_ns += node.self_ns
    if outermost:
        times.total_ns += node.total_ns
        times.samples += node.samples


def nodes(root: Node):
    """All nodes below the root, callers before callees."""
    pending = list(root.children.values())
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.children.values())
