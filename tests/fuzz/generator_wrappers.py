"""How the functions of a random module are called from outside: with raw bits as i64s, and so that what they throw
is seen where only the fact that they do gets out."""
from .generator_values import EXN, NUMBERS, is_reference, narrowed, widened, width

THROWN = "(global $thrown (mut i64) (i64.const 0))"
VARIABLES = " ".join(f"(local ${t} {t})" for t in NUMBERS) + f" (local $exn {EXN})"


def wrapper(number, s, tags):
    """Calls function `number`, and notes what it throws before that goes on."""
    arguments, first = [], 0
    for t in s.params:
        arguments.append(narrowed(t, first))
        first += width(t)
    keep = " ".join(f"(local.set {first + i})" for i in reversed(range(len(s.results))))
    results = [one for i, t in enumerate(s.results) for one in widened(t, f"(local.get {first + i})")]
    catches = " ".join(f"(catch_ref $e{n} {n})" for n in range(len(tags)))
    call = f"(call $f{number} {' '.join(arguments)})"
    text = f"(try_table (result {' '.join(s.results)}) {catches} {call}) {keep} {' '.join(results)} return"
    for n, types in enumerate(tags):
        text = f"(block (result {' '.join(types)} {EXN}) {text})\n{note(n, types)}"
    return (f'(func (export "x{number}") (param {"i64 " * first}) (result {"i64 " * len(results)}) '
            f"(local {' '.join(s.results)}) {VARIABLES}\n{text})")


def note(tag, types):
    """Takes an exception with its payload off the stack, mixes them into the global `$thrown`, and throws it on."""
    lines = ["(local.set $exn)", mix(f"(i64.const {tag + 1})")]
    for t in reversed(types):
        if is_reference(t):
            lines.append("ref.is_null")
            t = "i32"
        lines += [f"(local.set ${t})", *map(mix, widened(t, f"(local.get ${t})"))]
    return " ".join([*lines, "(throw_ref (local.get $exn))"])


def mix(value):
    return f"(global.set $thrown (i64.add (i64.mul (global.get $thrown) (i64.const 31)) {value}))"
