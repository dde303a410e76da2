"""The facts that the kernels found, made into objects when somebody looks at them."""
from pyjit_wasm.valid.bulk import state
from pyjit_wasm.valid.facts import Facts

_BITS = {"has_loop": state.HAS_LOOP, "tail_calls": state.TAIL_CALLS, "exceptions": state.EXCEPTIONS,
         "indirect": state.INDIRECT, "bulk": state.BULK, "writes_references": state.WRITES_REFERENCES,
         "legacy_exceptions": state.LEGACY_EXCEPTIONS}


class BulkFacts:
    """As `valid.facts.ModuleFacts`. `out` and `calls` are what `bodies.check_bodies` wrote; `others`: {index: Facts} of the
    functions that it did not know."""

    def __init__(self, out, calls, others):
        self._out, self._calls, self._facts = out, calls, dict(others)
        bits = 0
        for found in set(out[2::4]):
            bits |= found
        for name in ("tail_calls", "exceptions", "legacy_exceptions", "writes_references"):
            setattr(self, name, bool(bits & _BITS[name]) or any(getattr(f, name) for f in others.values()))
        self.heap = next((f.heap for f in others.values() if f.heap), None)
        self.instructions = sum(out[1::4])

    def __len__(self):
        return len(self._out) // 4

    def __getitem__(self, index):
        found = self._facts.get(index)
        if found is None:
            if not 0 <= index < len(self):
                raise IndexError(index)
            found = self._facts[index] = self._make(index)
        return found

    def _make(self, index):
        _, count, bits, end = self._out[4 * index:4 * index + 4]
        start = self._out[4 * index - 1] if index else 0
        return Facts(count, frozenset(self._calls[start:end]), **{name: bool(bits & bit) for name, bit in _BITS.items()})
