"""What validation notes of functions, because the tiers want to know it."""


class Facts:
    """Of a function: `instructions`, how many it has; `has_loop`; `calls`, the function indices it calls directly;
    `tail_calls`, whether it has tail calls; `exceptions`, whether it throws or catches, `legacy_exceptions`, in the older
    way; `indirect`, whether it calls through tables or references; `bulk`, whether it has bulk or grow instructions on
    memories or tables; `writes_references`, whether it writes references into tables or globals; `heap`, an instruction
    on the collected heap that it has, or None."""

    __slots__ = ("instructions", "calls", "has_loop", "tail_calls", "exceptions", "legacy_exceptions", "indirect", "bulk",
                 "writes_references", "heap")

    def __init__(self, instructions, calls=frozenset(), **found):
        self.instructions, self.calls = instructions, calls
        for name in self.__slots__[2:-1]:
            setattr(self, name, found.get(name, False))
        self.heap = found.get("heap")

    def __eq__(self, other):
        return isinstance(other, Facts) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None

    def __repr__(self):
        return f"Facts({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"


class ModuleFacts:
    """The Facts of all defined functions, a sequence, and whether any of them has what the attributes say:
    `tail_calls`, `exceptions`, `legacy_exceptions`, `writes_references`; `heap` of the first that has one;
    `instructions` of all together."""

    def __init__(self, facts):
        self._facts = tuple(facts)
        for name in ("tail_calls", "exceptions", "legacy_exceptions", "writes_references"):
            setattr(self, name, any(getattr(f, name) for f in self._facts))
        self.heap = next((f.heap for f in self._facts if f.heap), None)
        self.instructions = sum(f.instructions for f in self._facts)

    def __len__(self):
        return len(self._facts)

    def __getitem__(self, index):
        return self._facts[index]
