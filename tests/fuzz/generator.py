"""Random valid modules, as text, for comparing engines with each other (see `modules`).

A module is grown from a sequence of small numbers, its choices, drawn from a seeded generator; any sequence gives a
valid module, 0 the simplest continuation. That is how a module that shows a difference is shrunk: by leaving out
and zeroing choices. All programs end: loops and functions burn a fuel global. NaN bits are not determined, so floats
are canonicalised before anything looks at their bits. From outside everything is called through wrappers that
pass raw bits as i64: `x0`, `x1` ... for the functions, `globals` for what the globals hold.
"""
from collections import namedtuple

from .generator_body import Body
from .generator_values import ADDRESSES, EXN, FUNC, NUMBERS, default, defaults, heap, is_nullable, is_reference
from .generator_values import some_constant, widened
from .generator_wrappers import THROWN, wrapper

FUEL, ELEMENTS = 150, 8

Signature = namedtuple("Signature", "params results parent", defaults=(None,))    # parent: index of the supertype
Table = namedtuple("Table", "address type")


class Generator:
    """Grows the text of one module; `size` bounds the statements of a function. Functions are `$f0`, `$f1` ...; and
    for each signature there is one, `$d0`, `$d1` ..., that only returns defaults."""

    def __init__(self, choices, size):
        self.choices, self.size = choices, size
        self.memories = [choices.of(ADDRESSES) for _ in range(1 + choices.below(3))]
        self.signatures = [Signature((), ())]
        for _ in range(1 + choices.below(5)):
            self.signatures.append(self.signature())
        self.tags = [self.choices.of(self.signatures).params for _ in range(1 + choices.below(3))]
        self.globals = [self.type() for _ in range(choices.below(5))]
        self.tables = [Table("i32", FUNC)] + [self.table() for _ in range(choices.below(3))]
        self.functions = [choices.below(len(self.signatures)) for _ in range(1 + choices.below(5))]

    # --- types

    def type(self):
        """Some value type; references are to signatures made so far."""
        return self.reference() if self.choices.chance(5) else self.choices.of(NUMBERS)

    def reference(self):
        if self.choices.chance(4):
            return EXN
        index = self.choices.below(len(self.signatures) + 1)
        if not index:
            return FUNC
        return f"(ref {'null ' if self.choices.chance(2) else ''}$t{index - 1})"

    def signature(self):
        if self.choices.chance(4):
            parent = self.choices.below(len(self.signatures))
            return self.signatures[parent]._replace(parent=parent)
        params = self.types(12 if self.choices.chance(6) else 5)
        if self.choices.chance(2):    # tail calls need the results of another
            return Signature(params, self.choices.of(self.signatures).results)
        return Signature(params, self.types(8 if self.choices.chance(8) else 4))

    def types(self, below):
        return tuple(self.type() for _ in range(self.choices.below(below)))

    def table(self):
        return Table(self.choices.of(ADDRESSES), self.reference())

    def matches(self, signature, other):
        """Whether a signature is another or a subtype of it, by their indices."""
        while signature is not None and signature != other:
            signature = self.signatures[signature].parent
        return signature == other

    def functions_of(self, signature):
        """Names of those with a signature, by its index, or a subtype of it."""
        matching = [f"$f{i}" for i, index in enumerate(self.functions) if self.matches(index, signature)]
        return [f"$d{signature}", *matching]

    def function_of(self, t):
        """`ref.func` of some function that a reference type admits."""
        if heap(t) == "func":
            return f"(ref.func $f{self.choices.below(len(self.functions))})"
        return f"(ref.func {self.choices.of(self.functions_of(int(heap(t)[2:])))})"

    # --- the module

    def module(self):
        count = len(self.functions)
        names = " ".join([*(f"$f{n}" for n in range(count)), *(f"$d{n}" for n in range(len(self.signatures)))])
        return "\n".join([
            "(module",
            *map(self.type_text, range(len(self.signatures))),
            *(f"(tag $e{n} (param {' '.join(types)}))" for n, types in enumerate(self.tags)),
            *(f'(memory (export "memory{n}") {address} 1 3)' for n, address in enumerate(self.memories)),
            *(self.table_text(n, table) for n, table in enumerate(self.tables)),
            f'(global $fuel (export "fuel") (mut i32) (i32.const {FUEL}))',
            THROWN,
            *(f'(global $g{n} (mut {t}) {self.constant(t)})' for n, t in enumerate(self.globals)),
            f"(elem declare func {names})",
            *(self.data(n) for n in range(len(self.memories))),
            '(data $passive "\\00\\01\\fe\\ff\\7f\\80abcdefgh")',
            *(f"(func $d{n} (type $t{n}) {defaults(s.results)})" for n, s in enumerate(self.signatures)),
            *(Body(self, n).text() for n in range(count)),
            *(wrapper(n, self.signatures[index], self.tags) for n, index in enumerate(self.functions)),
            self.globals_text()]) + ")"

    def type_text(self, number):
        """Final unless it has something to do with subtypes."""
        s = self.signatures[number]
        text = f"(func (param {' '.join(s.params)}) (result {' '.join(s.results)}))"
        if s.parent is not None or any(other.parent == number for other in self.signatures):
            text = f"(sub {'' if s.parent is None else f'$t{s.parent}'} {text})"
        return f"(type $t{number} {text})"

    def constant(self, t):
        """Some constant expression."""
        if not is_reference(t):
            return some_constant(self.choices, t)
        return default(t) if t == EXN or is_nullable(t) and not self.choices.below(3) else self.function_of(t)

    def table_text(self, number, table):
        """A table and the segment that it starts with, which is there a second time as a passive one."""
        initial = "" if is_nullable(table.type) else default(table.type)
        entries = " ".join(f"(item {self.constant(table.type)})" for _ in range(ELEMENTS))
        return (f"(table $table{number} {table.address} {ELEMENTS} 12 {table.type} {initial})\n"
                f"(elem (table $table{number}) (offset ({table.address}.const 0)) {table.type} {entries})\n"
                f"(elem $elem{number} {table.type} {entries})")

    def data(self, number):
        content = "".join(f"\\{self.choices.below(256):02x}" for _ in range(8))
        return f'(data (memory {number}) (offset ({self.memories[number]}.const 0)) "{content}")'

    def globals_text(self):
        """The export `globals`: what they hold, what was thrown, and the sizes of tables."""
        values = ["(global.get $thrown)"]
        values += [one for number, t in enumerate(self.globals) for one in widened(t, f"(global.get $g{number})")]
        values += [widened(table.address, f"(table.size $table{n})")[0] for n, table in enumerate(self.tables)]
        return f'(func (export "globals") (result {"i64 " * len(values)}) {" ".join(values)})'
