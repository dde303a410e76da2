"""Calls of random functions, tail calls included: direct ones, by table and by reference."""


def invoke(body, number, tail=""):
    """A call of something with a signature, whose arguments are on the stack."""
    kind = body.choices.below(4)
    if kind < 2:
        return f"({tail}call {body.choices.of(body.generator.functions_of(number)[kind - 1:])})"
    if kind == 2:
        reference = body.clean(f"(ref {'null ' if body.choices.chance(4) else ''}$t{number})")
        return f"{reference} ({tail}call_ref $t{number})"
    tables = [(n, table) for n, table in enumerate(body.generator.tables) if "exn" not in table.type]
    n, table = body.choices.of(tables)
    return f"({tail}call_indirect $table{n} (type $t{number}) {body.index(table.address)})"


def call(body):
    number = body.choices.of(body.generator.functions)
    if body.choices.chance(4):
        number = body.choices.below(len(body.generator.signatures))
    s = body.generator.signatures[number]
    return f"{body.values(s.params)} {invoke(body, number)} {body.keep(s.results)}"


def tail_call(body):
    """Of something with the same results."""
    same = [n for n, s in enumerate(body.generator.signatures) if s.results == body.signature.results]
    number = body.choices.of(same)
    condition = body.condition()
    with body.within(()):
        arguments = body.values(body.generator.signatures[number].params)
        return f"(if {condition} (then {arguments} {invoke(body, number, 'return_')}))"


def call_expression(body, t, depth):
    found = [n for n, s in enumerate(body.generator.signatures) if s.results == (t,)]
    if not found:
        return body.leaf(t), ""
    number = body.choices.of(found)
    with body.within((t,)):    # a block: one expression, whatever the operands of the call are
        arguments = body.values(body.generator.signatures[number].params, depth)
        return f"(block (result {t}) {arguments} {invoke(body, number)})", ""


STATEMENTS = (call, call, tail_call, tail_call)
EXPRESSIONS = (call_expression,)
