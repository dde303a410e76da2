"""Control and variables of random functions: blocks, loops, branches, locals and globals."""
from .generator_values import canonical, defaults, is_reference


def set_local(body):
    if not body.locals:
        return "nop"
    index = body.choices.below(len(body.locals))
    return f"(local.set {index} {body.clean(body.locals[index], 3)})"


def set_global(body):
    types = body.generator.globals
    if not types:
        return "nop"
    index = body.choices.below(len(types))
    return f"(global.set $g{index} {body.clean(types[index], 3)})"


def drop(body):
    return f"(drop {body.expression(body.generator.type())})"


def block(body):
    return f"(block {body.inside()})"


def loop(body):
    """Around a loop there is a block, which it leaves when the fuel is used up."""
    with body.within((), ()):
        inner = body.statements()
        again = body.condition() if body.choices.chance(2) else "(i32.const 1)"
    return f"(block (loop {body.burn('(br 2)')}\n{inner}\n(br_if 0 {again})))"


def counted_loop(body):
    """An ascending counter, as C compilers make them."""
    index = body.local("i32")
    if index is None:
        return loop(body)
    step, bound = 1 + body.choices.below(8), body.choices.of((8, 20, 64, 200))
    with body.within((), ()):
        inner = body.statements()
    return (f"(local.set {index} (i32.const 0)) (block (loop {body.burn('(br 2)')}\n{inner}\n(br_if 0 (i32.lt_u "
            f"(local.tee {index} (i32.add (local.get {index}) (i32.const {step}))) (i32.const {bound})))))")


def if_(body):
    condition = body.condition()
    otherwise = f"(else {body.inside()})" if body.choices.chance(2) else ""
    return f"(if {condition} (then {body.inside()}) {otherwise})"


def branch(body):
    depth = body.choices.below(len(body.labels))
    types = body.labels[-1 - depth]
    values = body.values(types)
    if body.choices.chance(3):
        return f"{values} (br {depth})"
    return f"{values} (br_if {depth} {body.condition()}){' drop' * len(types)}"


def leave(body):
    """By returning, rarely by a trap."""
    condition = body.condition()
    with body.within(()):
        end = "unreachable" if body.choices.chance(8) else f"{body.values(body.signature.results)} return"
        return f"(if {condition} (then {end}))"


def switch(body):
    """A br_table to labels that carry the same types as its default."""
    condition = body.condition()
    with body.within(()):
        default = body.choices.below(len(body.labels))
        types = body.labels[-1 - default]
        same = [i for i in range(len(body.labels)) if body.labels[-1 - i] == types]
        targets = " ".join(str(body.choices.of(same)) for _ in range(body.choices.below(5)))
        return f"(if {condition} (then {body.values(types)} (br_table {targets} {default} {body.index('i32')})))"


def multi_value(body):
    """A block or loop with parameters and several results."""
    number = body.choices.below(len(body.generator.signatures))
    s = body.generator.signatures[number]
    arguments = body.values(s.params)
    is_loop = body.choices.chance(4)
    with body.within(s.params if is_loop else s.results):
        if is_loop:
            inner = f"{body.burn(defaults(body.signature.results) + ' return')} {'drop ' * len(s.params)}"
        else:
            inner = f"{body.keep(s.params)} {body.statements()}"
        inner += f" {body.values(s.results)}"
    return f"{arguments} ({'loop' if is_loop else 'block'} (type $t{number}) {inner}) {body.keep(s.results)}"


# --- expressions

def select(body, t, depth):
    (left, first), (right, second) = body.grow(t, depth), body.grow(t, depth)
    if first and second and first != second:
        right, second = canonical(second, right), ""
    kind = f"(result {t})" if is_reference(t) or body.choices.chance(4) else ""
    return f"(select {kind} {left} {right} {body.condition(depth)})", first or second


def if_expression(body, t, depth):
    condition = body.condition(depth)
    with body.within((t,)):
        return f"(if (result {t}) {condition} (then {body.clean(t, depth)}) (else {body.clean(t, depth)}))", ""


def block_expression(body, t, depth):
    with body.within((t,)):
        inner = body.statements() if body.choices.chance(2) else ""
        return f"(block (result {t}) {inner} {body.clean(t, depth)})", ""


def tee(body, t, depth):
    index = body.local(t)
    return (body.leaf(t) if index is None else f"(local.tee {index} {body.clean(t, depth)})"), ""


def global_(body, t, depth):
    found = [i for i, of in enumerate(body.generator.globals) if of == t]
    return (f"(global.get $g{body.choices.of(found)})" if found else body.leaf(t)), ""


STATEMENTS = (set_local, set_local, set_local, set_global, set_global, drop, if_, if_, block, loop, counted_loop,
              counted_loop, branch, branch, branch, leave, switch, multi_value)
EXPRESSIONS = (select, if_expression, block_expression, tee, global_)
