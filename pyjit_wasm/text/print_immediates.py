"""Immediates of instructions as decoded by `binary.body` to what follows the mnemonic in the text.

A printer takes the `Body` being printed and the immediate, or the row too and all immediates where the text
is not one immediate after the other.
"""
import functools

from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.text import print_literals
from pyjit_wasm.text.immediates import CATCHES
from pyjit_wasm.text.print_names import NO_NAMES
from pyjit_wasm.types import RefType

CATCH_KEYWORDS = {code: keyword for keyword, code in CATCHES.items()}


# immediates by kind

def index_in(kind):
    return lambda body, index: body.spaces[kind][index]


def optional_index_in(kind):
    return lambda body, index: body.spaces[kind][index] if index else ""


def label_index(body, label):
    """The number, and which block that is counted from the outermost."""
    return f"{label} (;@{body.depth - label};)" if label <= body.depth else str(label)


def labels(body, targets):
    return " ".join([label_index(body, label) for label in (*targets[0], targets[1])])


def block_type(body, blocktype):
    if isinstance(blocktype, int):
        return body.types.use(blocktype)
    return f"(result {blocktype})" if blocktype else ""


def result_types(body, types):
    return f"({' '.join(['result', *map(str, types)])})"


def catches(body, clauses):
    return " ".join([_catch(body, *clause) for clause in clauses])


def _catch(body, code, tag, label):
    words = [CATCH_KEYWORDS[code], *([] if tag is None else [body.spaces["tag"][tag]]), label_index(body, label)]
    return f"({' '.join(words)})"


def decimal(body, value):
    return str(value)


def lanes(body, indices):
    return " ".join(map(str, indices))


def vector_constant(body, value):
    words = [int.from_bytes(value[start:start + 4], "little") for start in range(0, 16, 4)]
    return " ".join(["i32x4", *[f"{word:#010x}" for word in words]])


def zero(body, nothing):
    """A byte that the text does not show."""
    return ""


def floating(width):
    return lambda body, bits: print_literals.floating(bits, width)


KINDS = {"blocktype": block_type, "catches": catches, "heaptype": decimal, "valtypes": result_types,
         "labelidx": label_index, "labels": labels, "laneidx": decimal, "lanes": lanes, "u32": decimal,
         "v128": vector_constant, "memidx": optional_index_in("memory"), "tableidx": optional_index_in("table"),
         "i32": decimal, "i64": decimal, "f32": floating(32), "f64": floating(64), "zero": zero,
         **{f"{kind}idx": index_in(kind) for kind in ("func", "global", "local", "tag", "type", "elem", "data")}}


# shapes of immediates that are not one kind after the other

def memory_argument(body, op, memarg):
    """`memidx? offset=n? align=n?`"""
    exponent, memory, offset = memarg
    words = [body.spaces["memory"][memory]] if memory else []
    if offset:
        words.append(f"offset={offset}")
    if 1 << exponent != op.access:
        words.append(f"align={1 << exponent}")
    return " ".join(words)


def memory_argument_and_lane(body, op, immediates):
    memarg, lane = immediates
    return f"{memory_argument(body, op, memarg)} {lane}".lstrip()


def indirect_call(body, op, immediates):
    """`tableidx? typeuse`"""
    index, table = immediates
    return f"{KINDS['tableidx'](body, table)} {body.types.use(index)}".lstrip()


def initialisation(segment, target):
    """`targetidx? segmentidx`"""
    def printer(body, op, immediates):
        return f"{KINDS[target](body, immediates[1])} {KINDS[segment](body, immediates[0])}".lstrip()
    return printer


def copy(kind):
    """Destination and source, or neither."""
    def printer(body, op, immediates):
        return " ".join([body.spaces[kind][index] for index in immediates]) if any(immediates) else ""
    return printer


def field(body, op, immediates):
    """`typeidx fieldidx`, where identifiers of fields belong to the type."""
    index, fieldidx = immediates
    return f"{body.spaces['type'][index]} {body.types.fields.get(index, NO_NAMES)[fieldidx]}"


def branch_on_cast(body, op, immediates):
    """`labelidx reftype reftype`"""
    flags, label, source, target = immediates
    return f"{label_index(body, label)} {RefType(bool(flags & 1), source)} {RefType(bool(flags & 2), target)}"


def cast(body, op, heaptype):
    """`reftype`: the second opcode of a mnemonic is the nullable one."""
    return str(RefType(op is not BY_NAME[op.mnemonic], heaptype))


SHAPES = {
    ("memarg",): memory_argument,
    ("memarg", "laneidx"): memory_argument_and_lane,
    ("typeidx", "tableidx"): indirect_call,
    ("dataidx", "memidx"): initialisation("dataidx", "memidx"),
    ("elemidx", "tableidx"): initialisation("elemidx", "tableidx"),
    ("memidx", "memidx"): copy("memory"),
    ("tableidx", "tableidx"): copy("table"),
    ("typeidx", "fieldidx"): field,
    ("castflags", "labelidx", "heaptype", "heaptype"): branch_on_cast,
}
MNEMONICS = {"ref.test": cast, "ref.cast": cast}


@functools.cache
def printer(op):
    """The function of a Body and decoded immediates for this row, None if it has no immediates."""
    if not op.imm:
        return None
    shape = MNEMONICS.get(op.mnemonic) or SHAPES.get(op.imm)
    if shape:
        return lambda body, immediates: shape(body, op, immediates)
    if len(op.imm) == 1:
        return KINDS[op.imm[0]]
    kinds = [KINDS[kind] for kind in op.imm]
    return lambda body, immediates: " ".join(filter(None, [
        kind(body, immediate) for kind, immediate in zip(kinds, immediates, strict=True)]))
