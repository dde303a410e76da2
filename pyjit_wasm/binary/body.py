"""Instruction sequences in the binary format (spec 5.4): decode bytes to a list of instructions.

An instruction is a tuple (op, imm, offset): the table row, its immediates (None without any, the value
itself when there is one, else a tuple in binary order), and the byte offset in the module.

Immediates by kind: indices are ints; `memarg` is (align exponent, memidx, offset); `labels` is
(tuple of labelidx, default labelidx); `blocktype` is None (no result), a value type, or an int typeidx;
`valtypes` is a tuple of value types; `heaptype` a heap type; `i32`, `i64` signed ints; `f32`, `f64` the
bits as unsigned ints; `v128` 16 bytes; `lanes` 16 ints; `catches` a tuple of (kind 0..3, tagidx or None,
labelidx); `castflags` an int; `zero` None, a byte that must be 0.
"""
from pyjit_wasm.binary.reader import Reader, truncated
from pyjit_wasm.binary.types import heaptype, valtype
from pyjit_wasm.errors import DecodeError
from pyjit_wasm.opcodes import BY_CODE, BY_NAME

NO_RESULT = 0x40        # the empty block type
HAS_MEMIDX = 0x40       # flag in the alignment of a memarg
MAX_MEMARG_FLAGS = 0x7F


def instructions(module, start, end):
    """The instructions in `module.data[start:end]`, the final `end` included, as a list."""
    reader = Reader(module.data, start, module.types)
    sequence = expression(reader)
    if reader.pos != end:
        raise DecodeError("section size mismatch", start)
    return sequence


def constant(reader):
    """A constant expression: its instructions without the final `end`."""
    used = reader.uses_data     # only function bodies need the data count section
    sequence = expression(reader)
    reader.uses_data = used
    return sequence[:-1]


def expression(reader):
    """Instructions up to the `end` that closes the expression, which is included.

    The loop knows the instructions that make up nearly all code, as long as their integers fit in one
    byte; `_instruction` reads the others.
    """
    data, pos, enclosing, decoded = reader.data, reader.pos, [], []
    append = decoded.append
    try:
        while True:
            op, shape = SHAPES[data[pos]]
            if shape == INDEX and (byte := data[pos + 1]) < 0x80:
                append((op, byte, pos))
                pos += 2
            elif shape == PLAIN:
                append((op, None, pos))
                pos += 1
            elif shape == SIGNED and (byte := data[pos + 1]) < 0x80:
                append((op, byte - 0x80 if byte & 0x40 else byte, pos))
                pos += 2
            elif shape == MEMARG and (byte := data[pos + 1]) < HAS_MEMIDX and (offset := data[pos + 2]) < 0x80:
                append((op, (byte, 0, offset), pos))
                pos += 3
            elif shape == END:
                append((op, None, pos))
                pos += 1
                if not enclosing:
                    break
                enclosing.pop()
            else:
                reader.pos = pos
                append(_instruction(reader, enclosing))
                pos = reader.pos
    except IndexError:
        raise truncated(len(data)) from None
    reader.pos = pos
    return decoded


def _instruction(reader, enclosing):
    """Any instruction; `enclosing`, mnemonics of the open blocks, innermost last, is kept up to date."""
    offset = reader.pos
    op = opcode(reader)
    if op in NESTING:
        _nest(op.mnemonic, enclosing, offset)
    kinds = IMMEDIATES[op]
    if len(kinds) == 1:
        return op, kinds[0](reader), offset
    return op, tuple([kind(reader) for kind in kinds]) or None, offset


def opcode(reader):
    """The row of the next instruction, whose immediates stay unread."""
    offset = reader.pos
    code = reader.byte()
    text = f"{code:02x}"
    if code in PREFIXES:
        sub = reader.u32()
        # a sub-opcode of more than 16 bits must not look like another prefix
        code, text = code << 16 | sub if sub < 0x10000 else None, f"{text} {sub:02x}"
    op = BY_CODE.get(code)
    if op is None:
        raise DecodeError(f"illegal opcode {text}", offset)
    return op


def _nest(mnemonic, enclosing, offset):
    """Enter a block, or check that a delimiter is in a block it belongs to."""
    if mnemonic not in DELIMITERS:
        enclosing.append(mnemonic)
        return
    if not enclosing or enclosing[-1] not in DELIMITERS[mnemonic]:
        raise DecodeError("END opcode expected", offset)
    enclosing.pop()
    if mnemonic != "delegate":
        enclosing.append(mnemonic)


def _blocktype(reader):
    byte = reader.peek()
    if byte == NO_RESULT:
        reader.pos += 1
        return None
    if byte is not None and byte & 0xC0 == 0x40:
        return valtype(reader)
    start = reader.pos
    index = reader.s33()
    if index < 0:
        raise DecodeError("malformed block type", start)
    return index


def _memarg(reader):
    flags = reader.u32()
    if flags > MAX_MEMARG_FLAGS:
        raise reader.malformed("malformed memop flags")
    memidx = reader.u32() if flags & HAS_MEMIDX else 0
    return flags & ~HAS_MEMIDX, memidx, reader.u64()


def _labels(reader):
    return tuple(reader.vec(Reader.u32, "targets of a br_table")), reader.u32()


def _valtypes(reader):
    return tuple(reader.vec(valtype))


def _catch(reader):
    kind = reader.byte()
    if kind > 3:
        raise reader.malformed("malformed catch clause")
    return kind, reader.u32() if kind < 2 else None, reader.u32()


def _catches(reader):
    return tuple(reader.vec(_catch, "clauses of a try_table"))


def _castflags(reader):
    flags = reader.byte()
    if flags > 3:
        raise reader.malformed("malformed br_on_cast flags")
    return flags


def _dataidx(reader):
    reader.uses_data = True
    return reader.u32()


def _bits32(reader):
    return int.from_bytes(reader.take(4), "little")


def _bits64(reader):
    return int.from_bytes(reader.take(8), "little")


def _v128(reader):
    return bytes(reader.take(16))


def _lanes(reader):
    return tuple(reader.take(16))


def _zero(reader):
    if reader.byte():
        raise reader.malformed("zero byte expected")


KINDS = {"blocktype": _blocktype, "memarg": _memarg, "labels": _labels, "valtypes": _valtypes, "heaptype": heaptype,
         "i32": Reader.s32, "i64": Reader.s64, "f32": _bits32, "f64": _bits64, "v128": _v128, "lanes": _lanes,
         "laneidx": Reader.byte, "catches": _catches, "castflags": _castflags, "dataidx": _dataidx, "u32": Reader.u32,
         "zero": _zero}
INDICES = ("labelidx", "localidx", "globalidx", "funcidx", "typeidx", "tableidx", "memidx", "tagidx", "elemidx",
           "fieldidx")
KINDS |= dict.fromkeys(INDICES, Reader.u32)

IMMEDIATES = {op: tuple([KINDS[kind] for kind in op.imm]) for op in BY_CODE.values()}
PREFIXES = {code >> 16 for code in BY_CODE if code > 0xFF}

OPENERS = ("block", "loop", "if", "try", "try_table")
# delimiters inside blocks, by what must have opened or last divided the block
DELIMITERS = {"else": ("if",), "catch": ("try", "catch"), "catch_all": ("try", "catch"), "delegate": ("try",)}
NESTING = {BY_NAME[mnemonic] for mnemonic in (*OPENERS, *DELIMITERS)}

# how `expression` reads an opcode byte
PLAIN, INDEX, SIGNED, MEMARG, END, OTHER = range(6)
BY_KIND = {(): PLAIN, ("i32",): SIGNED, ("i64",): SIGNED, ("memarg",): MEMARG}
BY_KIND |= {(kind,): INDEX for kind in INDICES}


def _shape(op):
    if op is None or op in NESTING:
        return OTHER
    return END if op.mnemonic == "end" else BY_KIND.get(op.imm, OTHER)


SHAPES = [(op, _shape(op)) for op in map(BY_CODE.get, range(256))]
