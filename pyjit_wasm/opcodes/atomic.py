"""Atomic memory instructions (threads proposal): loads, stores, read-modify-write, wait, notify, fence. All
are sequentially consistent. That the address is aligned is for the tiers to check, before bounds."""
from pyjit_wasm.opcodes.op import BYTES, I32, I64, OUT_OF_BOUNDS, UNALIGNED, Op, prefixed

# (type of the values, type in memory) of the accesses of a family, in the order of their codes
WIDTHS = ((I32, "i32"), (I64, "i64"), (I32, "i8"), (I32, "i16"), (I64, "i8"), (I64, "i16"), (I64, "i32"))


def access(code, mnemonic, params, results, size, ir=None):
    return Op(prefixed(0xFE, code), mnemonic, ("addr", *params), results, ir, imm=("memarg",),
              traps=(UNALIGNED, *OUT_OF_BOUNDS), access=size)


def family(first, name, ir, operands=0, results=1):
    """The rows of one operation; `{}` in its name is the width in memory, where that is less than the type's. In
    `ir`, `{m}` is the type in memory and `{size}` its bytes; `{b}`, `{c}` and `{o}`: operands and result of it."""
    for code, (t, stored) in enumerate(WIDTHS, first):
        narrow = t != stored
        names = {letter: f"%{letter}n" if narrow else f"%{letter}" for letter in "bc"}
        lines = [f"%{letter}n = trunc {t} %{letter} to {stored}" for letter in "bc"[:operands] if narrow]
        lines.append(ir.format(m=stored, size=BYTES[stored], o="%o" if narrow else "%r", **names))
        unsigned = ""
        if narrow and results:
            lines.append(f"%r = zext {stored} %o to {t}")
            unsigned = "_u"
        mnemonic = f"{t}.atomic.{name.format(stored[1:] if narrow else '')}{unsigned}"
        yield access(code, mnemonic, (t,) * operands, (t,) * results, BYTES[stored], "\n".join(lines))


def modify(first, operation):
    return family(first, f"rmw{{}}.{operation}", f"{{o}} = atomicrmw {operation} ptr %p, {{m}} {{b}} seq_cst", 1)


ROWS = (
    access(0x00, "memory.atomic.notify", (I32,), (I32,), 4),
    access(0x01, "memory.atomic.wait32", (I32, I64), (I32,), 4),
    access(0x02, "memory.atomic.wait64", (I64, I64), (I32,), 8),
    Op(prefixed(0xFE, 0x03), "atomic.fence", (), (), imm=("zero",)),
    *family(0x10, "load{}", "{o} = load atomic {m}, ptr %p seq_cst, align {size}"),
    *family(0x17, "store{}", "store atomic {m} {b}, ptr %p seq_cst, align {size}", 1, 0),
    *modify(0x1E, "add"),
    *modify(0x25, "sub"),
    *modify(0x2C, "and"),
    *modify(0x33, "or"),
    *modify(0x3A, "xor"),
    *modify(0x41, "xchg"),
    *family(0x48, "rmw{}.cmpxchg", "%x = cmpxchg ptr %p, {m} {b}, {m} {c} seq_cst seq_cst\n"
            "{o} = extractvalue {{{m}, i1}} %x, 0", 2),
)
