"""Grows one function of a random module. Expressions are text that leaves a value of a type; statements leave
nothing. What there is to grow is in tables, of functions that take the body."""
from contextlib import contextmanager

from . import generator_calls
from . import generator_control
from . import generator_exceptions
from . import generator_memory
from . import generator_numeric
from . import generator_references
from . import generator_tables
from .generator_values import canonical, default, defaults, is_nullable, is_reference, without_null

CLEANED = ("f32", "f64", "v128")    # types of the locals that `canonical` uses


class Body:
    """One function. A label is the types that a branch to it carries."""

    def __init__(self, generator, number):
        self.generator, self.choices, self.number = generator, generator.choices, number
        self.signature = generator.signatures[generator.functions[number]]
        self.locals = [*self.signature.params, *(generator.type() for _ in range(self.choices.below(6)))]
        self.labels = [self.signature.results]
        self.left = generator.size

    def text(self):
        s, extra = self.signature, self.locals[len(self.signature.params):]
        first = len(s.params)
        initial = " ".join(f"(local.set {i} {default(t)})" for i, t in enumerate(extra, first)
                           if is_reference(t) and not is_nullable(t))
        body = self.statements()
        return (f"(func $f{self.number} (type $t{self.generator.functions[self.number]})\n"
                f"(local {' '.join(extra)}) {' '.join(f'(local ${t} {t})' for t in CLEANED)}\n"
                f"{initial} {self.burn(defaults(s.results) + ' return')}\n{body}\n{self.values(s.results, 3)})")

    def burn(self, stop):
        """Use some fuel, or stop."""
        return (f"(if (i32.le_s (global.get $fuel) (i32.const 0)) (then {stop}))"
                "(global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))")

    @contextmanager
    def within(self, *labels):
        """Inside more labels, the outermost first."""
        self.labels += labels
        yield
        del self.labels[len(self.labels) - len(labels):]

    # --- statements

    def statements(self):
        made = []
        while self.left > 0 and self.choices.below(6):
            self.left -= 1
            made.append(self.choices.of(STATEMENTS)(self))
        return "\n".join(made)

    def inside(self):
        """Statements in a block without results."""
        with self.within(()):
            return self.statements()

    def keep(self, types):
        """Takes values off the stack, to locals where there are some."""
        return " ".join(self.keep_one(t) for t in reversed(types))

    def keep_one(self, t):
        index = self.local(t)
        return "drop" if index is None else f"(local.set {index})"

    def local(self, t):
        """Some local of a type, or None."""
        found = [i for i, of in enumerate(self.locals) if of == t]
        return self.choices.of(found) if found else None

    def condition(self, depth=2):
        return self.expression("i32", depth)

    # --- expressions

    def values(self, types, depth=2):
        return " ".join(self.clean(t, depth) for t in types)

    def clean(self, t, depth=2):
        """A value whose bits are determined."""
        text, dirt = self.grow(t, depth)
        return canonical(dirt, text) if dirt else text

    def expression(self, t, depth=2):
        return self.grow(t, depth)[0]

    def grow(self, t, depth):
        """(text, its dirt)"""
        if depth <= 0:
            return self.leaf(t), ""
        return self.choices.of(EXPRESSIONS[t if t in EXPRESSIONS else "reference"])(self, t, depth - 1)

    def leaf(self, t):
        index = None if self.choices.chance(3) else self.local(t)
        if index is None and is_nullable(t) and self.choices.chance(2):
            index = self.local(without_null(t))
        return self.constant(t) if index is None else f"(local.get {index})"

    def constant(self, t):
        return self.generator.constant(t)

    def index(self, address, depth=2):
        """Of a table element; mostly there is one."""
        text = self.expression(address, depth)
        return text if self.choices.chance(4) else f"({address}.and {text} ({address}.const 7))"


STATEMENTS = (*generator_control.STATEMENTS, *generator_calls.STATEMENTS, *generator_memory.STATEMENTS,
              *generator_tables.STATEMENTS, *generator_exceptions.STATEMENTS, *generator_references.STATEMENTS)
_COMMON = (lambda body, t, depth: (body.leaf(t), ""), *generator_control.EXPRESSIONS, *generator_calls.EXPRESSIONS)
_NUMBERS = (*_COMMON, *generator_numeric.FOR_SCALARS, *generator_memory.FOR_SCALARS)
EXPRESSIONS = {
    "i32": (*_NUMBERS, *generator_memory.SIZES, *generator_tables.SIZES), "f32": _NUMBERS, "f64": _NUMBERS,
    "i64": (*_NUMBERS, *generator_memory.SIZES, *generator_tables.SIZES),
    "v128": (*_COMMON, *generator_numeric.FOR_VECTORS, *generator_memory.FOR_VECTORS),
    "reference": (*_COMMON, *generator_references.EXPRESSIONS),
}
