"""Random functions of nested blocks of every kind, with operands of every type below them, for entering their loops
in the middle (see `test_loop_entries`).

A function's outcome is one number, `$sum`: everything it drops is mixed into it. Branches and throws depend on a
sequence of numbers that wasm computes from a seed; loops and throws use up fuel, so that all programs end.
"""
NUMBERS = ("i32", "i64", "f32", "f64", "v128")
LEGACY = (*NUMBERS, "funcref", "externref")     # what node 20 has
TYPES = (*LEGACY, "exnref")
# kinds of blocks, and what the older or the newer exceptions add
PLAIN = ("block", "loop", "loop", "loop", "if", "if else")
OLDER = ("try", "catch", "catch two", "catch_all", "delegate")
NEWER = ("try_table", "catch clause", "catch_ref clause", "catch_all clause", "catch_all_ref clause")
DIALECTS = {"older": (*PLAIN, *OLDER), "newer": (*PLAIN, *NEWER), "both": (*PLAIN, *OLDER, *NEWER)}
TAGS = ("i32", "i64 v128 f32", "externref f64", "")     # their parameters
FUEL = 500

_SINKS = {
    "i32": "(i64.extend_i32_u (local.get 0))", "i64": "(local.get 0)",
    "f32": "(i64.extend_i32_u (i32.reinterpret_f32 (local.get 0)))", "f64": "(i64.reinterpret_f64 (local.get 0))",
    "v128": """(i64.add (i64x2.extract_lane 0 (local.get 0))
                        (i64.mul (i64.const 5) (i64x2.extract_lane 1 (local.get 0))))""",
    "funcref": """(table.set $t (i32.const 0) (local.get 0))
        (if (result i64) (ref.is_null (local.get 0)) (then (i64.const 77))
            (else (call_indirect $t (result i64) (i32.const 0))))""",
    "externref": "(i64.extend_i32_u (call $number (local.get 0)))",
    "exnref": """(if (result i64) (ref.is_null (local.get 0)) (then (i64.const 99)) (else
        (block $out (result i64) (block $other (br $out (i64.extend_i32_u (block $number (result i32)
            (try_table (catch $e0 $number) (catch_all $other) (throw_ref (local.get 0))) unreachable))))
            (i64.const 55))))""",
}
_HEAD = """
  (import "host" "number" (func $number (param externref) (result i32)))
  (import "host" "external" (func $external (param i32) (result externref)))
  (table $t 2 funcref) (elem declare func $k1 $k2) (memory 1)
  (global $sum (mut i64) (i64.const 0)) (global $random (mut i32) (i32.const 0)) (global $fuel (mut i32) (i32.const 0))
  (func $k1 (result i64) (i64.const 1001)) (func $k2 (result i64) (i64.const 2002))
  (func $mix (param i64)
    (global.set $sum (i64.add (i64.rotl (global.get $sum) (i64.const 9)) (i64.xor (local.get 0) (i64.const 0x5851F42D)))))
  (func $below (param i32) (result i32)
    (global.set $random (i32.add (i32.mul (global.get $random) (i32.const 1103515245)) (i32.const 12345)))
    (i32.rem_u (i32.shr_u (global.get $random) (i32.const 16)) (local.get 0)))
  (func $burn (result i32)
    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1))) (i32.gt_s (global.get $fuel) (i32.const 0)))
  (func $coin (param i32) (result i32) (i32.and (i32.eqz (call $below (local.get 0))) (call $burn)))
  (func $throws0 (if (i32.eqz (call $below (i32.const 9))) (then (throw $e0 (i32.const 31)))))
"""


def module(grow):
    """The text of a module whose `run(seed)` calls the function that `grow(Function)` fills in, or throws in vain."""
    function = Function()
    grow(function)
    function.drain(0)
    newer = function.dialect != "older"
    types = TYPES if newer else LEGACY
    sinks = "\n".join(f"(func $sink_{t} (param {t}) (call $mix {_SINKS[t]}))" for t in types)
    sinks += "\n".join(map(sink_text, sorted(of for of in function.sinks if len(of) > 1)))
    exception = """(func $exception (param i32) (result exnref)
        (block $h (result exnref) (try_table (catch_all_ref $h) (throw $e0 (local.get 0))) unreachable))""" if newer else ""
    tried = "(block $h (try_table (catch_all $h) (call $f) return))" if newer else "try call $f return catch_all end"
    tags = "\n".join(f"(tag $e{n} (param {params}))" for n, params in enumerate(TAGS))
    return f"""(module {_HEAD} {tags} {sinks} {exception}
      (func $f {function.text()})
      (func $tried {tried} (call $mix (i64.const 404)))
      (func (export "run") (param i32) (result i64)
        (global.set $random (local.get 0)) (global.set $sum (i64.const 0)) (global.set $fuel (i32.const {FUEL}))
        (call $tried) (global.get $sum)))"""


def sink_text(types):
    """A function that does what the sinks of these types do."""
    calls = " ".join(f"(call $sink_{t} (local.get {index}))" for index, t in enumerate(types))
    return f"(func $sink_{'_'.join(types)} (param {' '.join(types)}) {calls})"


class Function:
    """A function being written. `labels`: (what a branch carries, whether it is a clause of an older `try`) of the open
    blocks, the innermost last; `stack`: types of the operands, `height`: how many lie below the innermost block."""

    def __init__(self, dialect="both"):
        self.rng, self.dialect = None, dialect
        self.lines, self.locals, self.sinks = [], [], set()
        self.labels, self.stack, self.height = [((), False)], [], 0

    def start(self, rng, dialect):
        """Begin with random choices; two locals of each type."""
        self.rng, self.dialect = rng, dialect
        self.types = TYPES if dialect != "older" else LEGACY
        self.locals = [*self.types, *self.types]
        for index, t in enumerate(self.locals):
            self.push(t)
            self.do(f"local.set {index}", 1)

    def text(self):
        return f"(local {' '.join(self.locals)})\n" + "\n".join(self.lines)

    def do(self, text, pops=0, pushes=()):
        self.lines.append(text)
        del self.stack[len(self.stack) - pops:]
        self.stack += pushes

    def types_of(self, most):
        return tuple(self.rng.choice(self.types) for _ in range(self.rng.randrange(most + 1)))

    # --- values

    def push(self, t):
        """A value of a type, made in one of the ways that the interpreter treats differently."""
        locals_ = [i for i, of in enumerate(self.locals) if of == t]
        ways = [lambda: self.constant(t), lambda: self.made(t)]
        if self.lines:
            ways += [lambda: f"local.get {self.rng.choice(locals_)}"] * 2
            ways += [lambda: f"{self.constant(t)} local.tee {self.rng.choice(locals_)}"]
            if t == "i32":
                i, j = (self.rng.choice(locals_) for _ in "ij")
                ways += [lambda: f"local.get {i} i32.const {self.rng.randrange(-9, 9)} i32.add",
                         lambda: f"local.get {i} local.get {j} i32.add", lambda: f"local.get {i} i32.eqz",
                         lambda: f"local.get {i} local.get {j} i32.lt_u"]
        self.do(self.rng.choice(ways)(), 0, (t,))

    def constant(self, t):
        rng = self.rng
        if t in ("i32", "i64"):
            return f"{t}.const {rng.choice((0, 1, -1, 5, -1 << 31, (1 << 31) - 1, rng.getrandbits(20)))}"
        if t in ("f32", "f64"):
            return f"{t}.const {rng.choice(('0', '-0', '1', '-1.5', 'inf', 'nan', '0x1p-20'))}"
        if t == "v128":
            return f"v128.const i64x2 {rng.getrandbits(64)} {rng.choice((0, 1 << 63, rng.getrandbits(64)))}"
        return {"funcref": "ref.null func", "externref": "ref.null extern", "exnref": "ref.null exn"}[t]

    def made(self, t):
        """A value that no tier knows."""
        number = self.rng.randrange(1, 1000)
        return {"i32": f"i32.const {number} call $below", "i64": f"i32.const {number} call $below i64.extend_i32_s",
                "f32": f"i32.const {number} call $below f32.convert_i32_s",
                "f64": f"i32.const {number} call $below f64.convert_i32_s",
                "v128": f"i32.const {number} call $below i32x4.splat", "funcref": f"ref.func $k{1 + number % 2}",
                "externref": f"i32.const {number} call $external", "exnref": f"i32.const {number} call $exception"}[t]

    def push_all(self, types):
        for t in types:
            self.push(t)

    def sink(self):
        """Drop the topmost operand into the sum."""
        self.do(f"call $sink_{self.stack[-1]}", 1)

    def drain(self, height):
        """The same with all above a height, several at once."""
        while len(self.stack) > height:
            types = tuple(self.stack[max(height, len(self.stack) - 5):])
            self.sinks.add(types)
            self.do(f"call $sink_{'_'.join(types)}", len(types))

    # --- statements

    def statements(self, count, depth):
        for _ in range(count):
            statement = self.rng.choice((self.some_value, self.some_value, self.set_local, self.consume, self.branch,
                                         self.throw, self.call, self.rethrow) + (self.block,) * (4 if depth else 0))
            statement(depth - 1)

    def some_value(self, depth):
        self.push(self.rng.choice(self.types))

    def set_local(self, depth):
        index = self.rng.randrange(len(self.locals))
        self.push(self.locals[index])
        self.do(f"local.set {index}", 1)

    def consume(self, depth):
        if len(self.stack) > self.height:
            self.sink()

    def branch(self, depth):
        """A `br_if`, or a `br` or `return` inside an `if`."""
        label = min(self.rng.randrange(len(self.labels)) for _ in "ab")
        carried = self.labels[-1 - label][0]
        before = len(self.stack)
        if self.rng.randrange(2):
            self.push_all(carried)
            self.do(f"{self.coin(6)} br_if {label}")
            self.drain(before)
            return
        self.lines.append(f"{self.coin(6)} if")
        self.push_all(carried)
        self.lines.append(f"br {label + 1} end" if self.rng.randrange(8) else "return end")
        del self.stack[before:]

    def coin(self, one_in):
        """Rarely true, and never once the fuel is used up, so that loops are left."""
        return f"i32.const {one_in} call $coin"

    def throw(self, depth):
        self.throw_tag(self.some_tag(), 12)

    def throw_tag(self, tag, one_in):
        before = len(self.stack)
        self.lines.append(f"{self.coin(one_in)} if")
        self.push_all(TAGS[tag].split())
        self.lines.append(f"throw $e{tag} end")
        del self.stack[before:]

    def call(self, depth):
        self.lines.append("call $throws0")

    def rethrow(self, depth):
        """Inside clauses, of any of them: the innermost or one around it."""
        clauses = [i for i in range(len(self.labels)) if self.labels[-1 - i][1]]
        if clauses:
            self.lines.append(f"{self.coin(6)} if rethrow {1 + self.rng.choice(clauses)} end")

    # --- blocks

    def block(self, depth, kind=None, inner=None):
        """A block of some kind, with parameters if operands are there for it. `inner`: writes what is inside it."""
        kind = kind or self.rng.choice(DIALECTS[self.dialect])
        inner = inner or (lambda: self.statements(self.rng.randrange(1, 5), depth))
        taken = self.rng.randrange(min(3, len(self.stack) - self.height) + 1)
        params, results = tuple(self.stack[len(self.stack) - taken:]), self.types_of(2)
        getattr(self, f"block_{kind.replace(' ', '_')}")(params, results, inner)

    def inside(self, params, results, carried, inner, clause=False):
        """Write what is between the beginning and the end of a block, or a part of it that begins with `params`."""
        around, height = self.stack[:], self.height
        self.height = len(self.stack)
        self.stack += params
        self.labels.append((carried, clause))
        inner()
        self.drain(self.height)
        self.push_all(results)
        self.labels.pop()
        self.stack, self.height = around, height

    def begin(self, text, params, results):
        signature = f"(param {' '.join(params)}) (result {' '.join(results)})"
        self.do(text.format(signature), len(params))

    def block_block(self, params, results, inner):
        self.begin("block {}", params, results)
        self.inside(params, results, results, inner)
        self.do("end", 0, results)

    def block_loop(self, params, results, inner):
        def body():
            inner()
            self.drain(self.height)
            self.push_all(params)
            self.do("call $burn i32.const 3 call $below i32.const 0 i32.ne i32.and br_if 0")

        self.begin("loop {}", params, results)
        self.inside(params, results, params, body)
        self.do("end", 0, results)

    def block_if(self, params, results, inner):
        """Without `else`, parameters are results."""
        self.lines.append(self.coin(2))
        self.begin("if {}", params, params)
        self.inside(params, params, params, inner)
        self.do("end", 0, params)

    def block_if_else(self, params, results, inner):
        self.lines.append("i32.const 2 call $below")
        first, second = self.either(inner)
        self.begin("if {}", params, results)
        self.inside(params, results, results, first)
        self.lines.append("else")
        self.inside(params, results, results, second)
        self.do("end", 0, results)

    def block_try(self, params, results, inner):
        """What is of interest is in the body."""
        self.try_(params, results, inner, ((self.some_tag(), self.nothing), (None, self.nothing)))

    def block_catch(self, params, results, inner):
        tag = self.some_tag()
        self.try_(params, results, lambda: self.thrower((0, tag)), ((tag, inner), (None, self.nothing)))

    def block_catch_two(self, params, results, inner):
        first, second = self.either(inner)
        self.try_(params, results, lambda: self.thrower((0, 1)), ((0, first), (1, second), (2, self.nothing)))

    def block_catch_all(self, params, results, inner):
        self.try_(params, results, lambda: self.thrower((0, 1, 2)), ((3, self.nothing), (None, inner)))

    def some_tag(self):
        return self.rng.randrange(len(TAGS))

    def nothing(self):
        pass

    def either(self, inner):
        """What is inside two parts of a block: `inner` in one of them."""
        return self.rng.choice(((inner, self.nothing), (self.nothing, inner)))

    def thrower(self, tags):
        """Mostly throws one of these."""
        for tag in tags:
            self.throw_tag(tag, 2)
        if 0 in tags:
            self.lines.append("call $throws0")

    def try_(self, params, results, tried, clauses):
        """`clauses`: (tag or None, what is inside) each."""
        self.begin("try {}", params, results)
        self.inside(params, results, results, tried)
        for tag, inner in clauses:
            self.lines.append("catch_all" if tag is None else f"catch $e{tag}")
            self.inside(() if tag is None else tuple(TAGS[tag].split()), results, results, inner, True)
        self.do("end", 0, results)

    def block_delegate(self, params, results, inner):
        self.begin("try {}", params, results)
        self.inside(params, results, results, inner)
        self.do(f"delegate {self.rng.randrange(len(self.labels))}", 0, results)

    def block_try_table(self, params, results, inner):
        """What is of interest is in the body."""
        self.table("catch_all", (), params, results, inner, self.nothing)

    def block_catch_clause(self, params, results, inner):
        tag = self.some_tag()
        self.table(f"catch $e{tag}", tuple(TAGS[tag].split()), params, results, lambda: self.thrower((tag,)), inner)

    def block_catch_ref_clause(self, params, results, inner):
        tag = self.some_tag()
        self.table(f"catch_ref $e{tag}", (*TAGS[tag].split(), "exnref"), params, results, lambda: self.thrower((tag,)), inner)

    def block_catch_all_clause(self, params, results, inner):
        self.table("catch_all", (), params, results, lambda: self.thrower((0, 1, 2)), inner)

    def block_catch_all_ref_clause(self, params, results, inner):
        self.table("catch_all_ref", ("exnref",), params, results, lambda: self.thrower((0, 1, 2)), inner)

    def guarded(self, inner):
        """A block that catches all that is thrown inside."""
        guard = self.block_try_table if self.dialect == "newer" else self.block_try
        guard((), (), inner)

    def table(self, clause, caught, params, results, tried, inner):
        """A `try_table` with one clause, and `inner` where that leads to, with what it carries."""
        def outside():
            taken = tuple(self.stack[self.height:])
            self.begin("block {}", taken, caught)
            self.inside(taken, (), caught, lambda: self.attempt(clause, results, tried))
            self.do("end", 0, caught)
            inner()

        self.begin("block {}", params, results)     # left at once where nothing is caught
        self.inside(params, results, results, outside)
        self.do("end", 0, results)

    def attempt(self, clause, results, tried):
        taken = tuple(self.stack[self.height:])
        self.begin(f"try_table {{}} ({clause} 0)", taken, results)
        self.inside(taken, results, results, tried)
        self.do("end", 0, results)
        self.do("br 1", len(results))
