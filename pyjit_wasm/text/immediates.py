"""Immediates of instructions: what follows the mnemonic in the text, to binary.

An encoder takes the `Body` being assembled and the row of the instruction and gives the instruction
in binary. There is one for each shape of immediates; rows whose text differs from that have their own.
"""
import functools

from pyjit_wasm.binary import encode
from pyjit_wasm.opcodes import BY_CODE, BY_NAME
from pyjit_wasm.text import literals
from pyjit_wasm.text.keywords import SHAPES

MEMIDX_FLAG = 0x40   # in the alignment of a memarg


# immediates by kind: functions of the Body

def index_in(kind):
    return lambda body: encode.uleb(body.spaces[kind].index(body.tokens))


def optional_index_in(kind):
    return lambda body: encode.uleb(body.spaces[kind].optional_index(body.tokens))


def data_index(body):
    body.module.uses_data = True
    return encode.uleb(body.spaces["data"].index(body.tokens))


def label_index(body):
    return encode.uleb(body.labels.index(body.tokens))


def labels(body):
    """At least one label: the last one is the default."""
    targets = [label_index(body)]
    while body.tokens.at_index():
        targets.append(label_index(body))
    return encode.vector(targets[:-1]) + targets[-1]


def block_type(body):
    return body.types.block_type()


def heap_type(body):
    return body.types.heap_type()


def natural(body):
    return encode.uleb(body.tokens.natural())


def zero(body):
    """A byte that the text does not show."""
    return b"\0"


def lane_index(body):
    return bytes([body.tokens.natural(bits=8)])


def lane_indices(body):
    """The sixteen of a shuffle."""
    tokens, indices = body.tokens, []
    while literals.NUMBER.fullmatch(tokens.peek()):
        index = literals.natural(tokens.next())
        if index is None or index > 0xFF:
            raise tokens.error("i8 constant out of range", tokens.position - 1)
        indices.append(index)
    if len(indices) != 16:
        raise tokens.error("invalid lane length")
    return bytes(indices)


def number(parse, bits, encoded):
    """A constant: `encoded` makes binary of its bits."""
    return lambda body: encoded(constant(body.tokens, parse, bits))


def constant(tokens, parse, bits):
    """The bits of the literal that comes next."""
    try:
        value = parse(tokens.peek(), bits)
    except OverflowError as error:
        raise tokens.error(str(error)) from None
    if value is None:
        raise tokens.unexpected()
    tokens.position += 1
    return value


def signed(bits):
    """LEB128 of the two's complement of that many bits."""
    return lambda value: encode.sleb(value - (1 << bits) if value >> bits - 1 else value)


def little_endian(bits):
    return lambda value: value.to_bytes(bits // 8, "little")


def vector_constant(body):
    bits, values = lanes(body.tokens, constant)
    return pack(bits, values).to_bytes(16, "little")


def lanes(tokens, lane):
    """Shape and literals of a vector: bits per lane and the values; `lane` reads one like `constant`."""
    bits = SHAPES.get(tokens.peek())
    if bits is None:
        raise tokens.unexpected()
    parse = literals.floating if tokens.next()[0] == "f" else literals.integer
    values = []
    for _ in range(128 // bits):
        if tokens.peek() == ")":
            raise tokens.error("wrong number of lane literals")
        values.append(lane(tokens, parse, bits))
    if literals.NUMBER.fullmatch(tokens.peek()):
        raise tokens.error("wrong number of lane literals")
    return bits, values


def pack(bits, values):
    """Lanes, the first one lowest, as one integer."""
    return sum(value << lane * bits for lane, value in enumerate(values))


CATCHES = {"catch": 0, "catch_ref": 1, "catch_all": 2, "catch_all_ref": 3}


def catches(body):
    clauses, tokens = [], body.tokens
    while tokens.peek() == "(" and tokens.peek(1) in CATCHES:
        tokens.next()
        code = CATCHES[tokens.next()]
        tag = encode.uleb(body.spaces["tag"].index(tokens)) if code < 2 else b""
        clauses.append(bytes([code]) + tag + label_index(body))
        tokens.close()
    return encode.vector(clauses)


KINDS = {"blocktype": block_type, "catches": catches, "dataidx": data_index, "heaptype": heap_type,
         "labelidx": label_index, "labels": labels, "laneidx": lane_index, "lanes": lane_indices, "u32": natural,
         "v128": vector_constant, "memidx": optional_index_in("memory"), "tableidx": optional_index_in("table"),
         "zero": zero,
         "i32": number(literals.integer, 32, signed(32)), "i64": number(literals.integer, 64, signed(64)),
         "f32": number(literals.floating, 32, little_endian(32)),
         "f64": number(literals.floating, 64, little_endian(64)),
         **{f"{kind}idx": index_in(kind) for kind in ("func", "global", "local", "tag", "type", "elem")}}


# shapes of immediates that are not one kind after the other

def memory_argument(body, op):
    """`memidx? offset=n? align=n?`"""
    return memory_immediate(body, op, encode.uleb(body.spaces["memory"].optional_index(body.tokens)))


def memory_argument_and_lane(body, op):
    """`memidx? offset=n? align=n? laneidx`: a single number is the lane."""
    tokens = body.tokens
    after_first = tokens.peek(1)
    attributes = ("offset=", "align=")
    has_memory = tokens.peek()[:1] == "$" or tokens.at_natural() and (
        after_first[:1].isdecimal() or after_first.startswith(attributes))
    memory = encode.uleb(body.spaces["memory"].index(tokens)) if has_memory else b"\0"
    return memory_immediate(body, op, memory) + lane_index(body)


def memory_immediate(body, op, memory):
    tokens = body.tokens
    offset = assignment(tokens, "offset=", 0)
    align = assignment(tokens, "align=", op.access)
    if align & align - 1 or not align:
        raise tokens.error("alignment must be a power of two", tokens.position - 1)
    exponent = align.bit_length() - 1
    if memory == b"\0":
        return encode.uleb(exponent) + encode.uleb(offset)
    return encode.uleb(exponent | MEMIDX_FLAG) + memory + encode.uleb(offset)


def assignment(tokens, key, default):
    """The value of `key` if it comes next."""
    if not tokens.peek().startswith(key):
        return default
    value = literals.natural(tokens.peek()[len(key):])
    if value is None:
        raise tokens.error(f"unknown operator {tokens.peek()}")
    if value >> 64:
        raise tokens.error("i64 constant out of range")
    tokens.position += 1
    return value


def indirect_call(body, op):
    """`tableidx? typeuse`"""
    table = KINDS["tableidx"](body)
    return encode.uleb(body.types.use()) + table


def initialisation(segment, target):
    """`targetidx? segmentidx`: of two indices, the segment is the second."""
    def encoder(body, op):
        tokens = body.tokens
        token = tokens.peek(1)[:1]
        destination = KINDS[target](body) if token == "$" or token.isdecimal() else b"\0"
        return KINDS[segment](body) + destination
    return encoder


def copy(kind):
    """Destination and source, or neither."""
    def encoder(body, op):
        if not body.tokens.at_index():
            return b"\0\0"
        return encode.uleb(body.spaces[kind].index(body.tokens)) + encode.uleb(body.spaces[kind].index(body.tokens))
    return encoder


def field(body, op):
    """`typeidx fieldidx`, where identifiers of fields belong to the type."""
    tokens = body.tokens
    index = body.types.space.index(tokens)
    fields = body.types.fields[index] if index < len(body.types.fields) else None
    return encode.uleb(index) + encode.uleb(tokens.natural() if fields is None else fields.index(tokens))


def branch_on_cast(body, op):
    """`labelidx reftype reftype`"""
    label = label_index(body)
    (from_null, from_heap), (to_null, to_heap) = body.types.reference(), body.types.reference()
    return bytes([from_null | to_null << 1]) + label + from_heap + to_heap


IMMEDIATES = {
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


# mnemonics with two opcodes, the second one right after the first

def select(body, op):
    """`(result t)*`, absent for numeric types."""
    if not body.tokens.at_open("result"):
        return encode.opcode(op.code)
    types = []
    while body.tokens.open("result"):
        types += body.types.list_to_close()
    return encode.opcode(following(op).code) + encode.vector(types)


def cast(body, op):
    """`reftype`, whose nullability is in the opcode."""
    nullable, heap = body.types.reference()
    return encode.opcode((following(op) if nullable else op).code) + heap


def following(op):
    return BY_CODE[op.code + 1]


ENCODERS = {"select": select, "ref.test": cast, "ref.cast": cast}


@functools.cache
def encoder(mnemonic):
    """The function of a Body that encodes this instruction, or bytes where there are no immediates."""
    op = BY_NAME[mnemonic]
    if mnemonic in ENCODERS:
        return functools.partial(ENCODERS[mnemonic], op=op)
    code = encode.opcode(op.code)
    if not op.imm:
        return code
    if op.imm in IMMEDIATES:
        immediates = IMMEDIATES[op.imm]
        return lambda body: code + immediates(body, op)
    if len(op.imm) == 1:
        only = KINDS[op.imm[0]]
        return lambda body: code + only(body)
    kinds = [KINDS[kind] for kind in op.imm]
    return lambda body: code + b"".join([kind(body) for kind in kinds])
