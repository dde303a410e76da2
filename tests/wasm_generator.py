"""Random valid modules, as text, for comparing engines with each other (see `differential`).

A module is grown from a sequence of small numbers, its choices, drawn from a seeded generator; any sequence gives a
valid module, 0 the simplest continuation. That is how a module that shows a difference is shrunk: by leaving out
and zeroing choices. All programs end: loops and calls burn a fuel global. NaN bits are not determined, so floats
are canonicalised before anything looks at their bits. From outside everything is called through wrappers that
pass raw bits as i64: `x0`, `x1` ... for the functions, `globals` for what the globals hold.
"""
from collections import namedtuple

from oracle import BITS, INF, SIGN, number
from pyjit_wasm.opcodes import memory, numeric

TYPES = ("i32", "i64", "f32", "f64")
PRODUCERS = {t: [op for op in numeric.ROWS if op.ir and op.results == (t,)] for t in TYPES}
LOADS = {t: [op for op in memory.ROWS if op.access and op.results == (t,)] for t in TYPES}
STORES = [op for op in memory.ROWS if op.access and not op.results]
LOOKS_AT_BITS, CARRIES_BITS = ("reinterpret", "copysign"), ("neg", "abs")
FUEL, TABLE = 150, 8
FAR = (0, 0, 1, 8, 100, 65520, 65536, 131072, 0xFFFFFFFF)    # offsets of memory accesses
EDGES = (0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 63, 64, 255, 256, 1000, 4096, 65528, 65535, 65536, 0x7FFFFFFF, 0x80000000,
         0xFFFFFFFF, 0xFFFFFFFE, 0x7F800000, 0x3F800000, 0x7FA00000, 1 << 63, (1 << 64) - 1, (1 << 63) - 1,
         0x3FF << 52, 0x7FF << 52, 0x41DFFFFFFFC00000)

Label = namedtuple("Label", "types")    # what a branch to it carries
Signature = namedtuple("Signature", "params results")


class Choices:
    """Numbers to decide by: given ones, then random ones while there is a generator, then zeros."""

    def __init__(self, given=(), rng=None):
        self.given, self.rng, self.made = given, rng, []

    def below(self, count):
        if len(self.made) < len(self.given):
            choice = self.given[len(self.made)] % count
        else:
            choice = self.rng.randrange(count) if self.rng else 0
        self.made.append(choice)
        return choice

    def of(self, options):
        return options[self.below(len(options))]

    def chance(self, one_in):
        """False is the simplest."""
        return self.below(one_in) == one_in - 1


class Generator:
    """Grows the text of one module; `size` bounds the statements of a function."""

    def __init__(self, choices, size):
        self.choices, self.size = choices, size
        self.memories = 1 + choices.chance(3)
        self.globals = [choices.of(TYPES) for _ in range(choices.below(4))]
        self.signatures = [Signature((), ())] + [self.signature() for _ in range(1 + choices.below(5))]
        self.functions = [self.signatures[choices.below(len(self.signatures))] for _ in range(1 + choices.below(5))]

    def signature(self):
        return Signature(tuple(self.choices.of(TYPES) for _ in range(self.choices.below(5))),
                         tuple(self.choices.of(TYPES) for _ in range(self.choices.below(4))))

    def module(self):
        lines = ["(module"]
        for number, s in enumerate(self.signatures):
            lines.append(f"(type $t{number} (func (param {' '.join(s.params)}) (result {' '.join(s.results)})))")
        for number in range(self.memories):
            lines.append(f'(memory (export "memory{number}") 1 3)')
        lines.append(f'(table (export "table") {TABLE} 12 funcref)')
        lines.append(f'(global $fuel (export "fuel") (mut i32) (i32.const {FUEL}))')
        for number, t in enumerate(self.globals):
            lines.append(f'(global $g{number} (export "g{number}") (mut {t}) {constant(t, self.value())})')
        count = len(self.functions)
        elements = [self.choices.below(count + 1) for _ in range(TABLE)]
        entries = " ".join(f"(ref.func $f{n - 1})" if n else "(ref.null func)" for n in elements)
        lines.append(f"(elem (i32.const 0) funcref {entries})")
        lines.append(f"(elem $passive func {' '.join(f'$f{n}' for n in range(count))})")
        content = "".join(f"\\{self.choices.below(256):02x}" for _ in range(8))
        lines.append(f'(data (i32.const 0) "{content}")')
        lines.append('(data $passive "\\00\\01\\fe\\ff\\7f\\80abcdefgh")')
        lines += [Body(self, number).text() for number in range(count)]
        lines += [wrapper(number, s) for number, s in enumerate(self.functions)]
        values = " ".join(widened(t, f"(global.get $g{number})") for number, t in enumerate(self.globals))
        lines.append(f'(func (export "globals") (result {"i64 " * (len(self.globals) + 1)}) {values} '
                     "(i64.extend_i32_u (table.size)))")
        return "\n".join(lines) + ")"

    def value(self):
        """Raw bits of some constant."""
        if self.choices.chance(4):
            return sum(self.choices.below(256) << 8 * i for i in range(8))
        return self.choices.of(EDGES)


def widened(t, text):
    """A value as the i64 with its bits."""
    return {"i32": f"(i64.extend_i32_u {text})", "i64": text, "f64": f"(i64.reinterpret_f64 {text})",
            "f32": f"(i64.extend_i32_u (i32.reinterpret_f32 {text}))"}[t]


def narrowed(t, text):
    """The value of a type with the bits of an i64."""
    return {"i32": f"(i32.wrap_i64 {text})", "i64": text, "f64": f"(f64.reinterpret_i64 {text})",
            "f32": f"(f32.reinterpret_i32 (i32.wrap_i64 {text}))"}[t]


def wrapper(number, s):
    """Calls function `number` with everything as i64."""
    arguments = " ".join(narrowed(t, f"(local.get {i})") for i, t in enumerate(s.params))
    count, first = len(s.results), len(s.params)
    keep = " ".join(f"(local.set {first + i})" for i in reversed(range(count)))
    results = " ".join(widened(t, f"(local.get {first + i})") for i, t in enumerate(s.results))
    return (f'(func (export "x{number}") (param {"i64 " * first}) (result {"i64 " * count}) '
            f'(local {" ".join(s.results)}) (call $f{number} {arguments}) {keep} {results})')


def constant(t, bits):
    bits &= (1 << BITS[t]) - 1
    if t[0] == "i":
        return f"({t}.const {bits})"
    magnitude = bits & ~SIGN[t]
    if magnitude > INF[t]:
        text = f"nan:{magnitude - INF[t]:#x}"
    else:
        text = number(t, magnitude).hex()
    return f"({t}.const {'-' if bits & SIGN[t] else ''}{text})"


class Body:
    """Grows one function. Expressions are text that leaves a value of a type; statements leave nothing."""

    def __init__(self, generator, number):
        self.generator, self.choices, self.number = generator, generator.choices, number
        self.signature = generator.functions[number]
        self.locals = list(self.signature.params) + [self.choices.of(TYPES) for _ in range(self.choices.below(5))]
        self.labels = [Label(self.signature.results)]
        self.left = generator.size

    def text(self):
        s, extra = self.signature, self.locals[len(self.signature.params):]
        typeidx = self.generator.signatures.index(s)
        body = self.statements()
        results = " ".join(self.clean(t, 3) for t in s.results)
        stop = self.burn(self.defaults(s.results) + " return")
        return (f'(func $f{self.number} (export "f{self.number}") (type $t{typeidx})\n'
                f"(local {' '.join(extra)}) (local $f32 f32) (local $f64 f64)\n{stop}\n{body}\n{results})")

    def defaults(self, types):
        return " ".join(constant(t, 0) for t in types)

    def burn(self, stop):
        """Use some fuel, or stop."""
        return (f"(if (i32.le_s (global.get $fuel) (i32.const 0)) (then {stop}))"
                "(global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))")

    # --- statements

    def statements(self):
        made = []
        while self.left > 0 and self.choices.below(6):
            self.left -= 1
            made.append(self.choices.of(_STATEMENTS)(self))
        return "\n".join(made)

    def set_local(self):
        if not self.locals:
            return "nop"
        index = self.choices.below(len(self.locals))
        return f"(local.set {index} {self.clean(self.locals[index], 3)})"

    def set_global(self):
        if not self.generator.globals:
            return "nop"
        index = self.choices.below(len(self.generator.globals))
        return f"(global.set $g{index} {self.clean(self.generator.globals[index], 3)})"

    def store(self):
        op = self.choices.of(STORES)
        which, offset = self.place()
        return f"({op.mnemonic} {which} {offset} {self.address()} {self.clean(op.params[1], 2)})"

    def drop(self):
        return f"(drop {self.expression(self.choices.of(TYPES), 2)})"

    def inside(self):
        """Statements in a block without results."""
        self.labels.append(Label(()))
        body = self.statements()
        self.labels.pop()
        return body

    def block(self):
        return f"(block {self.inside()})"

    def loop(self):
        """Around a loop there is a block, which it leaves when the fuel is used up."""
        self.labels += Label(()), Label(())
        body = self.statements()
        again = self.expression("i32", 2) if self.choices.chance(2) else "(i32.const 1)"
        del self.labels[-2:]
        return f"(block (loop {self.burn('(br 2)')}\n{body}\n(br_if 0 {again})))"

    def counted_loop(self):
        """An ascending counter, as C compilers make them."""
        index = self.local("i32")
        if index is None:
            return self.loop()
        step, bound = 1 + self.choices.below(8), self.choices.of((8, 20, 64, 200))
        self.labels += Label(()), Label(())
        body = self.statements()
        del self.labels[-2:]
        return (f"(local.set {index} (i32.const 0)) (block (loop {self.burn('(br 2)')}\n{body}\n(br_if 0 (i32.lt_u "
                f"(local.tee {index} (i32.add (local.get {index}) (i32.const {step}))) (i32.const {bound})))))")

    def if_(self):
        condition = self.expression("i32", 2)
        otherwise = f"(else {self.inside()})" if self.choices.chance(2) else ""
        return f"(if {condition} (then {self.inside()}) {otherwise})"

    def branch(self):
        depth = self.choices.below(len(self.labels))
        values = " ".join(self.clean(t, 2) for t in self.labels[-1 - depth].types)
        if self.choices.chance(3):
            return f"{values} (br {depth})"
        drops = " drop" * len(self.labels[-1 - depth].types)
        return f"{values} (br_if {depth} {self.expression('i32', 2)}){drops}"

    def switch(self):
        """A br_table to labels that carry the same types as its default."""
        condition = self.expression("i32", 2)
        self.labels.append(Label(()))
        default = self.choices.below(len(self.labels))
        types = self.labels[-1 - default].types
        same = [i for i in range(len(self.labels)) if self.labels[-1 - i].types == types]
        targets = " ".join(str(self.choices.of(same)) for _ in range(self.choices.below(5)))
        values = " ".join(self.clean(t, 2) for t in types)
        text = f"(if {condition} (then {values} (br_table {targets} {default} {self.index()})))"
        self.labels.pop()
        return text

    def index(self):
        text = self.expression("i32", 2)
        return f"(i32.and {text} (i32.const 7))" if self.choices.chance(2) else text

    def call(self):
        number = self.choices.below(len(self.generator.functions))
        s = self.generator.functions[number]
        arguments = " ".join(self.clean(t, 2) for t in s.params)
        if self.choices.chance(3):
            typeidx = self.generator.signatures.index(s)
            call = f"(call_indirect (type $t{typeidx}) {arguments} {self.index()})"
        else:
            call = f"(call $f{number} {arguments})"
        return call + "".join(self.keep(t) for t in reversed(s.results))

    def keep(self, t):
        index = self.local(t)
        return f" (local.set {index})" if index is not None else " drop"

    def local(self, t):
        """Some local of a type, or None."""
        found = [i for i, of in enumerate(self.locals) if of == t]
        return self.choices.of(found) if found else None

    def multi_value(self):
        """A block or loop with parameters and several results."""
        s = self.choices.of(self.generator.signatures)
        typeidx = self.generator.signatures.index(s)
        arguments = " ".join(self.clean(t, 2) for t in s.params)
        loop = self.choices.chance(4)
        self.labels.append(Label(s.params if loop else s.results))
        if loop:
            stop = self.burn(self.defaults(self.signature.results) + " return")
            body = f"{stop} {'drop ' * len(s.params)}{' '.join(self.clean(t, 2) for t in s.results)}"
        else:
            keep = "".join(self.keep(t) for t in reversed(s.params))
            body = f"{keep} {self.statements()} {' '.join(self.clean(t, 2) for t in s.results)}"
        self.labels.pop()
        kept = "".join(self.keep(t) for t in reversed(s.results))
        return f"{arguments} ({'loop' if loop else 'block'} (type $t{typeidx}) {body}){kept}"

    def bulk_memory(self):
        which = [self.choices.below(self.generator.memories) for _ in range(2)]
        target, source, count = (self.address() for _ in range(3))
        count = f"(i32.and {count} (i32.const 255))" if not self.choices.chance(8) else count
        return self.choices.of((
            f"(memory.fill {which[0]} {target} {source} {count})",
            f"(memory.copy {which[0]} {which[1]} {target} {source} {count})",
            f"(memory.init {which[0]} $passive {target} (i32.and {source} (i32.const 15)) "
            f"(i32.and {count} (i32.const 15)))",
            f"(drop (memory.grow {which[0]} (i32.and {count} (i32.const 1))))"))

    def tables(self):
        index, other, count = self.index(), self.index(), self.index()
        function = f"(ref.func $f{self.choices.below(len(self.generator.functions))})"
        return self.choices.of((
            f"(table.set {index} {function})", f"(table.set {index} (table.get {other}))",
            f"(table.copy {index} {other} {count})", f"(table.fill {index} {function} {count})",
            f"(table.init $passive {index} {other} {count})",
            f"(drop (table.grow (ref.null func) (i32.and {count} (i32.const 1))))"))

    # --- expressions

    def clean(self, t, depth):
        """A value whose bits are determined."""
        text, dirty = self.grow(t, depth)
        return self.canonical(t, text) if dirty else text

    def canonical(self, t, text):
        return f"(select (local.tee ${t} {text}) ({t}.const nan) ({t}.eq (local.get ${t}) (local.get ${t})))"

    def expression(self, t, depth):
        return self.grow(t, depth)[0]

    def grow(self, t, depth):
        """(text, whether it may be a NaN with undetermined bits)"""
        if depth <= 0:
            return self.leaf(t), False
        return self.choices.of(_EXPRESSIONS)(self, t, depth - 1)

    def leaf(self, t):
        index = None if self.choices.chance(3) else self.local(t)
        return constant(t, self.generator.value()) if index is None else f"(local.get {index})"

    def numeric(self, t, depth):
        op = self.choices.of(PRODUCERS[t])
        name = op.mnemonic.partition(".")[2]
        if name.startswith("trunc_f") and not self.choices.chance(8):
            op = next(o for o in PRODUCERS[t] if o.mnemonic == op.mnemonic.replace("trunc_f", "trunc_sat_f"))
        if name.startswith(("div_", "rem_")) and not self.choices.chance(6):
            right = f"({t}.or {self.expression(t, depth)} ({t}.const 1))"
            return f"({op.mnemonic} {self.expression(t, depth)} {right})", False
        if name.startswith(LOOKS_AT_BITS):
            return f"({op.mnemonic} {' '.join(self.clean(p, depth) for p in op.params)})", False
        operands = [self.grow(p, depth) for p in op.params]
        dirty = t[0] == "f" and (name not in CARRIES_BITS or operands[0][1])
        return f"({op.mnemonic} {' '.join(text for text, _ in operands)})", dirty

    def load(self, t, depth):
        which, offset = self.place()
        return f"({self.choices.of(LOADS[t]).mnemonic} {which} {offset} {self.address(depth)})", False

    def place(self):
        which = self.choices.below(self.generator.memories)
        offset = self.choices.of(FAR if self.choices.chance(4) else (0, 4, 16))
        return which or "", f"offset={offset}"

    def address(self, depth=2):
        text = self.expression("i32", depth)
        masked = f"(i32.and {text} (i32.const {self.choices.of((1023, 0xFFF8, 255))}))"
        return text if self.choices.chance(8) else masked

    def select(self, t, depth):
        (left, first), (right, second) = self.grow(t, depth), self.grow(t, depth)
        return f"(select {left} {right} {self.expression('i32', depth)})", first or second

    def if_expression(self, t, depth):
        condition = self.expression("i32", depth)
        self.labels.append(Label((t,)))
        text = f"(if (result {t}) {condition} (then {self.clean(t, depth)}) (else {self.clean(t, depth)}))"
        self.labels.pop()
        return text, False

    def block_expression(self, t, depth):
        self.labels.append(Label((t,)))
        body = self.statements() if self.choices.chance(2) else ""
        text = f"(block (result {t}) {body} {self.clean(t, depth)})"
        self.labels.pop()
        return text, False

    def tee(self, t, depth):
        index = self.local(t)
        return (self.leaf(t) if index is None else f"(local.tee {index} {self.clean(t, depth)})"), False

    def global_(self, t, depth):
        found = [i for i, of in enumerate(self.generator.globals) if of == t]
        return (f"(global.get $g{self.choices.of(found)})" if found else self.leaf(t)), False

    def call_expression(self, t, depth):
        found = [i for i, s in enumerate(self.generator.functions) if s.results == (t,)]
        if not found:
            return self.leaf(t), False
        number = self.choices.of(found)
        arguments = " ".join(self.clean(p, depth) for p in self.generator.functions[number].params)
        return f"(call $f{number} {arguments})", False

    def size_(self, t, depth):
        if t != "i32":
            return self.leaf(t), False
        return self.choices.of(("(memory.size)", "(table.size)", f"(ref.is_null (table.get {self.index()}))")), False


_STATEMENTS = (Body.set_local, Body.set_local, Body.set_global, Body.store, Body.store, Body.drop, Body.if_, Body.block,
               Body.loop, Body.counted_loop, Body.branch, Body.branch, Body.switch, Body.call, Body.multi_value,
               Body.bulk_memory, Body.tables)
_EXPRESSIONS = (lambda body, t, depth: (body.leaf(t), False), *[Body.numeric] * 4, Body.load, Body.select, Body.tee,
                Body.if_expression, Body.block_expression, Body.global_, Body.call_expression, Body.size_)
