"""Adversarial loops: functions whose loops access memories in every way that an optimiser may get wrong.

A function is grown from a sequence of small numbers, its choices (see `generator_values.Choices`); any sequence gives a
valid function, 0 the simplest continuation. Its parameters:

    $n  the limit of the counter, or how many iterations are left     $i  what the counter starts with
    $p  an address in the first memory      $q  an address in the last memory
    $s  something invariant                 $v  a value that is stored

Results are what the locals hold at the end, among them `$acc`, made of what was loaded, and `$x`, the value loaded last.
"""
from collections import namedtuple

Memory = namedtuple("Memory", "address shared imported min max")
Loop = namedtuple("Loop", "text calls")     # calls: lists of arguments, signed

PAGE = 65536
I32, I64 = "i32", "i64"
STEPS = (1, 1, 1, -1, 4, 4, -4, 8, -8, 1, 2, -2, 3, 5, 7, 16, -16, 100, 4, 1, 4096, -4096, 65535, 65536, -65536, 65537,
         1 << 20, 1 << 24, 1 << 28, 1 << 30, (1 << 31) - 1, -1 << 31, -(1 << 30))
STEPS_64 = STEPS + (1 << 32, -(1 << 32), 1 << 40, 1 << 62, -1 << 63)
TAME_STEPS = (1, 4, -1, 8, 4, -4, 1, 2, 3, -8, 16, 1, 4, 5, 7, -2, -16, 64)
TAME_DISTANCES = (0, 0, 4, 8, 0, -4, 1, 12, -8, 16, 2, -1)
TAME_OFFSETS = (0, 0, 4, 0, 8, 0, 16, 64, 1)
TAME_COUNTS = (3, 1, 2, 16, 5, 38, 7, 100, 0, 4, 64, 8, 33, 12, 200)
POINTER_STEPS = (4, 4, 1, 8, -4, 1, 2, -1, 16, 4, -8, 3, 0, 12, 4, 8, -16, 64, 100, 65536, -65536, 4096, 65532,
                 1 << 24, -(1 << 24), 1 << 31, -(1 << 31) + 4, 1 << 30)
DISTANCES = (0, 0, 0, 4, 8, 0, 1, -4, 12, 16, 64, -1, 0, 2, 4, -8, 256, 65532, 65536, -65536, 1 << 20, (1 << 31) - 1,
             -1 << 31, -(1 << 20), 131072, -65540)
OFFSETS = (0, 0, 0, 0, 4, 0, 8, 1, 0, 16, 0, 64, 0, 256, 0, 4096, 65532, 65536, 131072, (1 << 31) - 4, 1 << 31,
           (1 << 32) - 4, (1 << 32) - 1, (1 << 32) - 65536)
OFFSETS_64 = OFFSETS + (1 << 32, (1 << 63) - 8, 1 << 63, (1 << 64) - 4, (1 << 64) - 1)
COUNTS = (3, 1, 2, 16, 5, 38, 7, 100, 0, 4, 257, 64, 8, 1000, 33, 12, 3000, 20000)
HUGE_COUNTS = (100_000, 70_000, 1 << 20, 1 << 24, 1 << 30, (1 << 31) - 1, 1 << 31, 1 << 16, -1)
LIMITS = (0, 1, -1, 7, 100, 65536, (1 << 31) - 1, -1 << 31, (-1 << 31) + 3, -5, (1 << 32) - 1, 1 << 32, (1 << 32) + 7,
          -1 << 63, (1 << 63) - 1)
STARTS = (0, 4, -4, 1 << 31, (1 << 31) - 4, -1, -8, -65536, 65536, 1 << 32, (1 << 32) + 8)
CONDITIONS = ("ne", "lt_u", "lt_s", "gt_u", "gt_s", "le_u", "le_s", "ge_u", "ge_s", "eq")
NEGATED = {"ne": "eq", "eq": "ne", "lt_u": "ge_u", "ge_u": "lt_u", "lt_s": "ge_s", "ge_s": "lt_s", "gt_u": "le_u",
           "le_u": "gt_u", "gt_s": "le_s", "le_s": "gt_s"}
FLIPPED = {"ne": "ne", "eq": "eq", "lt_u": "gt_u", "gt_u": "lt_u", "lt_s": "gt_s", "gt_s": "lt_s", "le_u": "ge_u",
           "ge_u": "le_u", "le_s": "ge_s", "ge_s": "le_s"}
# (load, store, type), mostly integers
ACCESSES = (("i32.load", "i32.store", I32), ("i32.load8_u", "i32.store8", I32), ("i64.load", "i64.store", I64),
            ("i32.load", "i32.store", I32), ("i32.load16_s", "i32.store16", I32), ("i32.load8_s", "i32.store8", I32),
            ("i64.load32_u", "i64.store32", I64), ("i64.load8_u", "i64.store8", I64), ("f64.load", "f64.store", "f64"),
            ("i64.load16_u", "i64.store16", I64), ("i64.load32_s", "i64.store32", I64), ("f32.load", "f32.store", "f32"),
            ("v128.load", "v128.store", "v128"), ("i32.load16_u", "i32.store16", I32),
            ("v128.load32_splat", "v128.store", "v128"), ("v128.load8x8_u", "v128.store", "v128"))


def width(store):
    """Bytes that an instruction stores."""
    t, _, name = store.partition(".store")
    return int(name or t[1:]) // 8


def const(t, value):
    value &= (1 << int(t[1:])) - 1
    return f"({t}.const {value - (1 << int(t[1:])) if value >> int(t[1:]) - 1 else value})"


def get(name):
    return f"(local.get ${name})"


def as_i64(t, value):
    return {"i32": f"(i64.extend_i32_u {value})", "i64": value, "f64": f"(i64.reinterpret_f64 {value})",
            "f32": f"(i64.extend_i32_u (i32.reinterpret_f32 {value}))",
            "v128": f"(i64x2.extract_lane 1 {value})"}[t]


def from_i64(t, value):
    return {"i32": f"(i32.wrap_i64 {value})", "i64": value, "f64": f"(f64.reinterpret_i64 {value})",
            "f32": f"(f32.reinterpret_i32 (i32.wrap_i64 {value}))", "v128": f"(i64x2.splat {value})"}[t]


def converted(value, t, wanted):
    """An integer of type `t` as one of type `wanted`."""
    if t == wanted:
        return value
    return f"(i32.wrap_i64 {value})" if t == I64 else f"(i64.extend_i32_u {value})"


def memories(choices):
    """Of a module: one to three."""
    def one():
        shared = choices.chance(6)
        return Memory(I64 if choices.chance(6) else I32, shared, choices.chance(4),
                      choices.of((1, 2, 4, 1, 3, 2, 1, 0)), choices.of((4, 4, 6) if shared else (4, 9, 4, 6)))   # or a loop grows it to 4 GiB
    return [one() for _ in range(1 + choices.of((0, 0, 1, 0, 2)))]


class Function:
    """Grows one function; `text` is the Loop."""

    def __init__(self, choices, memories, number):
        self.choices, self.memories, self.number = choices, memories, number
        self.of, self.chance = choices.of, choices.chance
        self.types = {"p": memories[0].address, "q": memories[-1].address, "v": I64}
        self.steps, self.depth, self.tee, self.access = {}, 0, None, None
        self.used = []      # distances and offsets of accesses through $p and $q, for arguments that are inside

    def text(self):
        of = self.of
        self.plain = self.choices.below(3) == 0     # what LLVM transforms most: few statements and nothing else
        self.types["n"] = self.types["i"] = self.types["s"] = of((I32, I32, I64))
        self.counter = "p" if self.chance(5) and self.types["p"] == self.types["n"] else "i"
        self.tame = not self.chance(3)      # small steps and distances: most calls stay inside memory
        self.steps = {name: of(TAME_STEPS if self.tame else POINTER_STEPS) for name in "pq"}
        if self.plain and not self.chance(4):   # fills, copies and sums without gaps
            self.access = of(ACCESSES)
            self.steps = {name: width(self.access[1]) * of((1, 1, -1)) for name in "pq"}
        t = self.types["n"]
        if self.counter == "i":
            self.steps["i"] = of(TAME_STEPS if self.tame and self.chance(2) else STEPS_64 if t == I64 else STEPS)
        self.steps[self.counter] = self.steps[self.counter] or 4
        # "up to a limit", "down to zero", "no condition"
        self.kind = of(("limit", "down", "limit", "down", "limit", "limit", "down", "none"))
        self.condition = of(CONDITIONS)
        if self.choices.below(4 if self.tame else 2):   # mostly one that fits the direction
            down = self.steps[self.counter] < 0
            self.condition = of(("ne", "gt_s", "gt_u", "ge_s", "ge_u") if down else ("ne", "lt_u", "lt_s", "le_u", "le_s"))
        self.down_by = of((1, 1, 1, 2, 1, 4, 3, 1 << 16, 1 << 31))
        loop = self.loop()
        lead, tail = (f"(block $out {self.statement()})\n" if not self.plain and self.chance(6) else "" for _ in range(2))
        params = " ".join(f"(param ${name} {self.types[name]})" for name in "nipqsv")
        results = " ".join(self.types[name] for name in "nipq")
        text = (f'(func $f{self.number} (export "f{self.number}") {params} (result i64 i64 {results})\n'
                f"  (local $acc i64) (local $x i64) (local $k i32) (local $j i32)\n{lead}{loop}{tail}"
                f"  {get('acc')} {get('x')} {' '.join(map(get, 'nipq'))})\n")
        return Loop(text, [self.arguments() for _ in range(4)])

    # --- the loop

    def loop(self):
        shape = self.of(("bottom", "top", "bottom", "bottom", "top", "middle", "guarded", "if", "rest"))
        body = self.statements(1, 2 if self.plain else 4)
        advances = self.advances()
        if self.kind == "limit" and shape in ("bottom", "if", "rest") and self.chance(2):   # as compilers write it
            self.tee = advances.pop().strip().replace("local.set", "local.tee", 1)
        for advance in advances:
            body.insert(self.of((len(body), 0, self.choices.below(len(body) + 1))), advance)
        text = "".join(body)
        again, stop = self.again(), self.stop
        if self.kind == "none":
            return f"(block $out (loop $l\n{text}(br $l)))\n"
        if shape == "bottom":
            inside = f"(loop $l\n{text}(br_if $l {again}))\n"
        elif shape == "guarded":
            inside = f"(if {self.compared(self.condition, get(self.counter))} (then (loop $l\n{text}(br_if $l {again}))))\n"
        elif shape == "if":
            inside = f"(loop $l\n{text}(if {again} (then (br $l))))\n"
        elif shape == "rest":
            inside = f"(loop $l\n{text}(br_if $l {again})\n{self.statement()})\n"
        else:
            test = f"(br_if $out {stop()})\n"
            if shape == "top":
                text = test + text + self.count_down()
            else:
                place = self.choices.below(len(body) + 1)
                text = "".join(body[:place]) + test + "".join(body[place:]) + self.count_down()
            inside = f"(loop $l\n{text}(br $l))\n"
        text = f"(block $out {inside})\n"
        if not self.plain and self.chance(6):   # nested: everything is done a second time
            text = f"(local.set $k (i32.const 2))(loop $outer {text}{self.reset()}" \
                   "(br_if $outer (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))\n"
        return text

    def reset(self):
        return self.of(("", "(local.set $p (i32.const 0))" if self.types["p"] == I32 else "",
                        f"(local.set $n {const(self.types['n'], 5)})"))

    def again(self):
        """Whether to go on, at the bottom."""
        t = self.types["n"]
        if self.kind == "down":
            value = f"(local.tee $n ({t}.sub {get('n')} {const(t, self.down_by)}))"
            if t == I64:
                return self.of((f"(i64.ne {value} (i64.const 0))", f"(i32.eqz (i64.eqz {value}))"))
            return self.of((value, f"(i32.ne {value} (i32.const 0))"))
        return self.compared(self.condition, self.tee or get(self.counter))

    def stop(self):
        """Whether to leave, at the top."""
        if self.kind == "down":
            return f"({self.types['n']}.eqz {get('n')})"
        if self.chance(4):
            return f"(i32.eqz {self.compared(self.condition, get(self.counter))})"
        return self.compared(NEGATED[self.condition], get(self.counter))

    def count_down(self):
        t = self.types["n"]
        return f"(local.set $n ({t}.sub {get('n')} {const(t, self.down_by)}))\n" if self.kind == "down" else ""

    def compared(self, condition, value):
        t = self.types["n"]
        limit = const(t, self.of(LIMITS)) if self.chance(12) else get("n")
        if self.chance(6):
            return f"({t}.{FLIPPED[condition]} {limit} {value})"
        return f"({t}.{condition} {value} {limit})"

    def advances(self):
        names = ["p"] + ([] if self.plain and self.chance(2) else ["q"]) + (["i"] if self.counter == "i" and (self.kind == "limit" or self.chance(3)) else [])
        if self.kind != "limit" and self.counter == "i":
            self.steps["i"] = self.of((1, 4, -1, 3))
        names.sort(key=self.counter.__eq__)     # the counter comes last
        return [self.advance(name) for name in names if name == self.counter or not self.chance(8)]

    def advance(self, name):
        t, step = self.types[name], self.steps[name]
        if self.chance(10) and t == self.types["s"]:
            return f"(local.set ${name} ({t}.add {get(name)} {get('s')}))\n"
        if self.chance(4):
            return f"(local.set ${name} ({t}.sub {get(name)} {const(t, -step)}))\n"
        return f"(local.set ${name} ({t}.add {get(name)} {const(t, step)}))\n"

    # --- statements

    def statements(self, least, most):
        return [self.statement() for _ in range(least + self.choices.below(most - least + 1))]

    def statement(self):
        kind = self.choices.below(31 if self.plain else 40)
        if kind < 31 or self.depth > 1:
            return (self.load, self.store, self.store, self.load, self.copy)[kind % 5]()
        self.depth += 1
        text = (self.conditional, self.block, self.exit, self.conditional, self.call, self.grow, self.inner, self.bulk,
                self.exit)[kind - 31]()
        self.depth -= 1
        return text

    def conditional(self):
        other = f"(else {self.statement()})" if self.chance(2) else ""
        return f"(if {self.truth()} (then {self.statement()}) {other})\n"

    def block(self):
        return f"(block {self.statement()}(br_if 0 {self.truth()}){self.statement()})\n"

    def exit(self):
        return f"(br_if $out {self.rarely()})\n"

    def call(self):
        return self.of(("(call $touch)\n", "(local.set $acc (i64.add (local.get $acc) (call $pure (local.get $acc))))\n",
                        "(call $nothing)\n", "(call $grow)\n"))

    def grow(self):
        m = self.choices.below(len(self.memories))
        a = self.memories[m].address
        if self.chance(2):
            return f"(local.set $acc (i64.add (local.get $acc) {as_i64(a, f'(memory.size $m{m})')}))\n"
        return f"(if {self.rarely()} (then (drop (memory.grow $m{m} ({a}.const 1)))))\n"

    def inner(self):
        return (f"(local.set $j (i32.const {self.of((3, 1, 9))}))\n(loop {self.statement()}"
                "(br_if 0 (local.tee $j (i32.sub (local.get $j) (i32.const 1)))))\n")

    def bulk(self):
        name, m, _ = self.pointer()
        a = self.memories[m].address
        count = const(a, self.of((3, 16, 0, 200)))
        if self.chance(2):
            return f"(memory.copy $m{m} $m{m} {get(name)} {self.address(name, m)[0]} {count})\n"
        return f"(memory.fill $m{m} {get(name)} (i32.const 165) {count})\n"

    def truth(self):
        """Some i32 that is sometimes zero."""
        t = self.types["n"]
        return self.of((f"(i32.wrap_i64 (i64.and {get('acc')} (i64.const 1)))",
                        f"({t}.lt_s {get('i')} {get('s')})", f"({t}.eqz ({t}.rem_u {get('i')} {const(t, 3)}))",
                        converted(f"({t}.and {get('n')} {const(t, 1)})", t, I32)))

    def rarely(self):
        t = self.types["n"]
        return self.of((f"(i64.eq (i64.and {get('acc')} (i64.const 1023)) (i64.const 77))", f"({t}.eq {get('i')} {get('s')})",
                        f"(i64.eqz (i64.and {get('x')} (i64.const 63)))", f"(i64.gt_u {get('x')} (i64.const -2))"))

    # --- accesses

    def pointer(self):
        """(local, index of its memory, type of addresses)"""
        if self.chance(3):
            return "q", len(self.memories) - 1, self.types["q"]
        return "p", 0, self.types["p"]

    def address(self, name, memory):
        """(address, text of the memarg)"""
        t, of = self.types[name], self.of
        base, distance = get(name), of(TAME_DISTANCES if self.tame else DISTANCES)
        offset = of(TAME_OFFSETS if self.tame else OFFSETS_64 if t == I64 else OFFSETS)
        counter, other = converted(get("i"), self.types["i"], t), get("q" if name == "p" else "p")
        other = converted(other, self.types["q" if name == "p" else "p"], t)
        invariant = converted(get("s"), self.types["s"], t)
        kind = self.choices.below(30 if not self.tame else 60)
        if distance and kind not in (19, 20, 23, 24):
            base = of((f"({t}.add {base} {const(t, distance)})", f"({t}.add {const(t, distance)} {base})",
                       f"({t}.sub {base} {const(t, -distance)})"))
        value = {
            13: f"({t}.add {base} ({t}.shl {counter} {const(t, of((2, 0, 1, 3, 12)))}))",
            14: f"({t}.add {base} ({t}.mul {counter} {const(t, of((4, 3, -4, 12, 65536)))}))",
            15: f"({t}.add {base} {counter})", 16: f"({t}.sub {base} {counter})",
            17: f"({t}.add {base} {invariant})", 18: f"({t}.add {invariant} {base})",
            19: f"({t}.shl {counter} {const(t, of((2, 0, 3)))})", 20: counter,
            21: f"({t}.add {base} {other})", 22: f"({t}.and {base} {const(t, 0xFFFC)})", 23: invariant,
            24: const(t, of((0, 64, 65532, 65536, -4))), 25: f"({t}.add {base} {self.indirect(t)})",
            26: f"({t}.xor {base} {const(t, 4)})", 27: f"({t}.shl {base} {const(t, of((1, 0, 2)))})",
        }.get(kind, base)
        self.used.append((name, distance, offset))
        return value, f"$m{memory}" + (f" offset={offset}" if offset else "")

    def indirect(self, t):
        """Something loaded that is used as an index."""
        return converted(f"({self.types['p']}.load8_u $m0 {get('p')})", self.types["p"], t)

    def target(self):
        name, memory, _ = self.pointer()
        address, memarg = self.address(name, memory)
        return address, memarg

    def loaded(self):
        """(value, its type)"""
        load, _, t = self.access or self.of(ACCESSES)
        address, memarg = self.target()
        return f"({load} {memarg} {address})", t

    def load(self):
        value, t = self.loaded()
        wide = as_i64(t, value)
        if self.plain and self.chance(2):
            return self.of((f"(local.set $x {wide})\n", f"(drop {value})\n"))
        return self.of((
            f"(local.set $acc (i64.add {get('acc')} {wide}))\n", f"(local.set $x {wide})\n", f"(drop {value})\n",
            f"(local.set $acc (i64.add (i64.mul {get('acc')} (i64.const 31)) {wide}))\n",
            f"(local.set $acc (i64.xor {get('acc')} {wide}))\n", f"(local.set $x {wide})\n", f"(drop {value})\n",
            f"(local.set $acc (select {wide} {get('acc')} {self.truth()}))\n",
            f"(local.set $acc (i64.add {get('acc')} (i64.mul {wide} {get('v')})))\n",
            f"(br_if $out (i64.eq {wide} (i64.const 7)))\n"))

    def store(self):
        _, store, t = self.access or self.of(ACCESSES)
        address, memarg = self.target()
        counter = converted(get("i"), self.types["i"], I64)
        if self.plain and self.chance(2):
            return f"({store} {memarg} {address} {from_i64(t, self.of(('(i64.const 0)', get('v'))))})\n"
        value = self.of((from_i64(t, "(i64.const 0)"), from_i64(t, get("v")), from_i64(t, "(i64.const 0x0707070707070707)"),
                         from_i64(t, counter), from_i64(t, get("acc")), from_i64(t, "(i64.const -1)"),
                         from_i64(t, f"(i64.add {get('x')} (i64.const 1))")))
        return f"({store} {memarg} {address} {value})\n"

    def copy(self):
        load, store, t = self.access or self.of(ACCESSES)
        source, source_memarg = self.target()
        address, memarg = self.target()
        value = f"({load} {source_memarg} {source})"
        if t in (I32, I64) and self.chance(3):
            value = f"({t}.{self.of(('add', 'xor', 'mul'))} {value} {self.of((const(t, 5), from_i64(t, get('v'))))})"
        return f"({store} {memarg} {address} {value})\n"

    # --- arguments

    def arguments(self):
        t, of = self.types["n"], self.of
        step = self.steps[self.counter]
        count = of(HUGE_COUNTS) if self.chance(8 if self.plain else 16) else of(TAME_COUNTS if self.tame and not self.chance(6) else COUNTS)
        start = of(STARTS) if self.chance(12 if self.tame else 4) else of((0, 0, 1, 0, 100))
        invariant = of((4, 1, 0, 8, -4, 64)) if not self.chance(12 if self.tame else 4) else of(STARTS)
        places = {name: self.place(name, count) for name in "pq"}
        if self.counter == "p":
            start = places["p"]
        if self.kind == "down":
            limit = count * self.down_by + (of((1, -1)) if self.chance(10) else 0)
            limit = limit or self.down_by
        else:
            limit = start + count * step + (of((1, -1, 2, 3)) if self.chance(10) else 0)
        if self.chance(24 if self.tame else 8):
            limit = of(LIMITS)
        values = {"n": limit, "i": start, "s": invariant, **places,
                  "v": of((0x0102030405060708, 0, -1, 0x6161616161616161))}
        return [signed(values[name], t if name in "nis" else self.types[name]) for name in "nipqsv"]

    def place(self, name, count):
        """Where a pointer starts: mostly so that it stays inside, sometimes at an edge, sometimes anywhere."""
        of, step = self.of, self.steps[name]
        memory = self.memories[0 if name == "p" else -1]
        size = memory.min * PAGE
        low = -min([0] + [d for n, d, _ in self.used if n == name and abs(d) < 4096])
        high = 24 + max([0] + [d + o for n, d, o in self.used if n == name and d + o <= 131072])
        span = (max(count, 0) + 1) * abs(step)
        if step < 0:
            low += span
        else:
            high += span
        kind = self.choices.below(36 if self.tame else 16)
        room = size - low - high
        if (kind < 10 or kind >= 16) and room > 0:
            return low + (self.choices.below(min(room, 4096) + 1) & -4)
        if kind < 12:   # the last access touches the end of the memory, or nearly
            return size - span + of((0, -4, 4, -1, 1, -8)) if step >= 0 else size - of((4, 8, 1, 0, 3))
        if kind < 14:   # what goes down touches the beginning, or nearly
            return span - abs(step) + of((0, 4, -4, 1, -1)) if step < 0 else of((0, 4, -4, 1, -1))
        if kind < 15 and self.used:
            return -of(self.used)[1] + of((0, 4, 64))       # a distance makes it wrap around
        return of((*STARTS, size, size - 4, size - 1, -size))


def signed(value, t):
    bits = int(t[1:])
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def module_text(memories, functions):
    """A module of functions' texts. Imports are memories only: (env, m<number>)."""
    lines, last = ["(module"], len(memories) - 1
    for number, m in enumerate(memories):
        kind = f"{m.address} {m.min} {'' if m.max is None else m.max} {'shared' if m.shared else ''}"
        source = f'(import "env" "m{number}") ' if m.imported else ""
        # imports come first
        lines.insert(1 if m.imported else len(lines), f'(memory $m{number} (export "memory{number}") {source}{kind})')
    lines.append('(global $g (export "g") (mut i64) (i64.const 0))')
    a, b = memories[0].address, memories[last].address
    text = "\n".join(functions)
    called = {
        "$touch": f"""(global.set $g (i64.add (global.get $g) (i64.const 1)))
  (i32.store8 $m0 ({a}.const 11) (i32.load8_u $m{last} ({b}.const 12)))""",
        "$nothing": "", "$grow": f"(drop (memory.grow $m0 ({a}.const 1)))",
        "$pure": "(param i64) (result i64) (i64.add (i64.mul (local.get 0) (i64.const 3)) (global.get $g))"}
    lines += [f"(func {name} {body})" for name, body in called.items() if f"(call {name}" in text]
    return "\n".join(lines) + f"\n{text})\n"
