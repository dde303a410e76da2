"""Exceptions in random functions: `throw`, `throw_ref`, and `try_table` with clauses of every kind."""
from .generator_values import EXN

KINDS = ("catch_all", "catch", "catch_ref", "catch_all_ref")


def throw(body):
    number = body.choices.below(len(body.generator.tags))
    condition = body.condition()
    with body.within(()):
        return f"(if {condition} (then {body.values(body.generator.tags[number])} (throw $e{number})))"


def throw_ref(body):
    """Null is mostly left alone."""
    condition = body.condition()
    with body.within((), ()):
        reference = body.clean(EXN)
    checked = reference if body.choices.chance(6) else f"(br_on_null 0 {reference})"
    return f"(if {condition} (then (block (throw_ref {checked}))))"


def clause(body):
    """(kind and tag, the types that it carries)"""
    kind, types, tag = body.choices.of(KINDS), (), ""
    if "all" not in kind:
        number = body.choices.below(len(body.generator.tags))
        types, tag = body.generator.tags[number], f" $e{number}"
    return kind + tag, types + (EXN,) * kind.endswith("_ref")


def try_(body):
    """Each clause branches to a block with a handler behind it, or to any label around that takes what it carries."""
    clauses, handlers = [], []    # handlers: types of their blocks, the innermost first
    for _ in range(body.choices.below(4)):
        text, types = clause(body)
        fitting = [i for i in range(len(body.labels)) if body.labels[-1 - i] == types]
        outer = body.choices.of(fitting) if fitting and body.choices.chance(2) else None
        clauses.append((text, len(handlers) if outer is None else outer, outer is None))
        if outer is None:
            handlers.append(types)
    around = len(handlers) + 1
    catches = " ".join(f"({text} {label if own else label + around})" for text, label, own in clauses)
    number = body.choices.below(len(body.generator.signatures))
    s = body.generator.signatures[number]
    with body.within((), *reversed(handlers)):
        arguments = body.values(s.params)
        with body.within(s.results):
            tried = f"{body.keep(s.params)} {body.statements()} {thrower(body)} {body.values(s.results)}"
        text = (f"{arguments} (try_table (type $t{number}) {catches} {tried}) {body.keep(s.results)} "
                f"(br {len(handlers)})")
    for i, types in enumerate(handlers):
        with body.within((), *reversed(handlers[i + 1:])):
            text = (f"(block (result {' '.join(types)}) {text})\n{body.keep(types)} {body.statements()} "
                    f"(br {len(handlers) - i - 1})")
    return f"(block {text})"


def thrower(body):
    """Something for a `try_table` to catch, or another around it, or nothing."""
    return body.choices.of((lambda body: "", throw, throw, try_))(body)


def caught(body, t, depth):
    """A reference to an exception thrown here."""
    number = body.choices.below(len(body.generator.tags))
    with body.within((t,), ()):
        values = body.values(body.generator.tags[number], depth)
    return f"(block (result {t}) (try_table (catch_all_ref 0) {values} (throw $e{number})) unreachable)", ""


STATEMENTS = (throw, throw, throw_ref, try_, try_, try_)
