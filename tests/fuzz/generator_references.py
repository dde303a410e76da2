"""References in random functions: where they come from, and branches on null."""
from .generator_exceptions import caught
from .generator_values import EXN, heap, is_nullable, is_reference, without_null


def element(body, t, depth):
    """Of a table of a type."""
    found = [n for n, table in enumerate(body.generator.tables) if table.type == t]
    if not found:
        return body.leaf(t), ""
    number = body.choices.of(found)
    return f"(table.get $table{number} {body.index(body.generator.tables[number].address, depth)})", ""


def narrower(body, t, depth):
    """A value of a type that matches: of a subtype, or without null."""
    if t == EXN:
        return caught(body, t, depth)
    signatures = range(len(body.generator.signatures))
    if heap(t) != "func":
        signatures = [n for n in signatures if body.generator.matches(n, int(heap(t)[2:]))]
    subtype = t.replace(heap(t), f"$t{body.choices.of(signatures)}")
    return body.clean(without_null(subtype) if body.choices.chance(2) else subtype, depth), ""


def not_null(body, t, depth):
    """Of a reference that may be null, which traps, or leaves a block."""
    if is_nullable(t):
        return (body.clean(without_null(t), depth) if t != EXN else caught(body, t, depth)[0]), ""
    nullable = f"(ref null {heap(t)})"
    if body.choices.chance(4):
        return f"(ref.as_non_null {body.clean(nullable, depth)})", ""
    with body.within((t,)):
        inner = f"(br_on_non_null 0 {body.clean(nullable, depth)}) {body.leaf(t)}"
    return f"(block (result {t}) {inner})", ""


def branch_on_null(body):
    depth = body.choices.below(len(body.labels))
    types = body.labels[-1 - depth]
    t = body.generator.reference()
    text = f"{body.values(types)} (br_on_null {depth} {body.clean(t)})"
    return f"{text} {body.keep((without_null(t),))}{' drop' * len(types)}"


def branch_on_non_null(body):
    found = [i for i in range(len(body.labels)) if any(map(is_reference, body.labels[-1 - i][-1:]))]
    if not found:
        return branch_on_null(body)
    depth = body.choices.of(found)
    *types, t = body.labels[-1 - depth]
    nullable = f"(ref null {heap(t)})"
    return f"{body.values(types)} (br_on_non_null {depth} {body.clean(nullable)}){' drop' * len(types)}"


STATEMENTS = (branch_on_null, branch_on_non_null)
EXPRESSIONS = (element, element, narrower, not_null)
