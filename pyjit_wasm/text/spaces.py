"""Index spaces (spec 6.3.5, 6.6.1): symbolic identifiers to indices."""
from pyjit_wasm.text import annotations


class Space:
    """One index space. `names` keeps what the `name` section should call the items."""

    __slots__ = ("kind", "indices", "names", "count")

    def __init__(self, kind):
        self.kind, self.indices, self.names, self.count = kind, {}, {}, 0

    @staticmethod
    def name_follows(tokens):
        """Whether an identifier or a `(@name ...)` comes next."""
        return tokens.peek()[:1] == "$" or bool(tokens.annotations) and tokens.is_annotated("name")

    def bind(self, tokens):
        """The index of a new item, whose identifier may come next."""
        index = self.anonymous()
        if tokens.peek()[:1] == "$":
            if tokens.peek() in self.indices:
                raise tokens.error(f"duplicate {self.kind} {tokens.peek()}")
            identifier = tokens.next()
            self.indices[identifier] = index
            self.names[index] = identifier[1:]
        if tokens.annotations:
            name = annotations.item_name(tokens, self.kind)
            if name is not None:
                self.names[index] = name
        return index

    def anonymous(self):
        """The index of a new item without identifier."""
        self.count += 1
        return self.count - 1

    def index(self, tokens):
        """The index that comes next, as number or identifier."""
        token = tokens.peek()
        if token[:1] != "$":
            return tokens.natural()
        if token not in self.indices:
            raise tokens.error(f"unknown {self.kind} {token}")
        tokens.position += 1
        return self.indices[token]

    def optional_index(self, tokens):
        """The index that comes next, 0 where none does."""
        return self.index(tokens) if tokens.at_index() else 0


class Unreferenced(Space):
    """Of items that nothing refers to: identifiers need not be unique."""

    __slots__ = ()

    def bind(self, tokens):
        self.indices.clear()
        return super().bind(tokens)


class Labels:
    """The labels of a function, numbered from the innermost."""

    __slots__ = ("stack",)

    def __init__(self):
        self.stack = []

    def index(self, tokens):
        """The label index that comes next, as number or identifier."""
        token = tokens.peek()
        if token[:1] != "$":
            return tokens.natural()
        for depth, label in enumerate(reversed(self.stack)):
            if label == token:
                tokens.position += 1
                return depth
        raise tokens.error(f"unknown label {token}")

    def check(self, tokens):
        """A label repeated after `end` or `else` must be that of the block."""
        if tokens.peek()[:1] == "$" and tokens.peek() != self.stack[-1]:
            raise tokens.error(f"mismatching label {tokens.peek()}")
        tokens.identifier()
