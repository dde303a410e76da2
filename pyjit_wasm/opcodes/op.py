"""What a row of the opcode table is, and the families that instantiate rows per width.

Semantics are LLVM IR text over neutral names: `%a %b ...` operands in stack order, `%r` the result,
`%p` the effective address of a memory access, `%lane` the number of a lane; other names are the row's
own temporaries. Guards are data: the IR of a guard defines the i1 `%c`, true where the instruction
traps. `codegen.rows` is the only reader of this text and always puts the guards before the body.
"""
import struct

from pyjit_wasm.types import F32, F64, I32, I64, V128

# Every reason to trap. Compiled code passes the index; the text is the specification's message.
TRAPS = ("", "unreachable", "integer divide by zero", "integer overflow", "invalid conversion to integer",
         "out of bounds memory access", "out of bounds table access", "undefined element",
         "uninitialized element", "indirect call type mismatch", "call stack exhausted",
         "null reference", "null function reference", "cast failure", "null exception reference",
         "uncaught exception", "unaligned atomic", "expected shared memory", "out of bounds array access",
         "null structure reference", "null array reference", "null i31 reference", "out of memory")
TRAP_CODE = {message: code for code, message in enumerate(TRAPS)}

LLVM_TYPE = {I32: "i32", I64: "i64", F32: "float", F64: "double", V128: "<2 x i64>"}
BITS = {I32: 32, I64: 64, F32: 32, F64: 64}
BYTES = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "float": 4, "double": 8}

OUT_OF_BOUNDS = ("out of bounds memory access",)
UNALIGNED = "unaligned atomic"


class Op:
    """One instruction.

    code      int: the opcode byte, or prefix << 16 | subopcode
    mnemonic  as in the text format
    imm       kinds of the immediates, in binary order (see `binary.body`)
    params, results  value types; "addr" is the address type of the memory immediate; None where they
              depend on the context (the validator has a rule of that name)
    ir        semantics, or None where each tier implements the instruction by hand; may be given as a function
              that makes the text when it is first wanted
    traps     Guards, and bare messages for traps that the semantics itself raises
    commutes  whether the operands of a binary instruction may be swapped
    access    bytes that the instruction loads or stores through its memarg (its natural alignment), or None
    swapped, negated  of a comparison: the mnemonic with operands swapped, and of the opposite test
    """

    __slots__ = ("code", "mnemonic", "imm", "params", "results", "_ir", "traps", "commutes",
                 "swapped", "negated", "access")

    def __init__(self, code, mnemonic, params=None, results=None, ir=None, *, imm=(), traps=(),
                 commutes=False, swapped=None, negated=None, access=None):
        self.code, self.mnemonic, self.imm = code, mnemonic, imm
        self.params, self.results, self._ir, self.traps = params, results, ir, traps
        self.commutes, self.swapped, self.negated, self.access = commutes, swapped, negated, access

    @property
    def ir(self):
        if callable(self._ir):
            self._ir = self._ir()
        return self._ir

    @property
    def identifier(self):
        return self.mnemonic.replace(".", "_")

    @property
    def atomic(self):
        """Whether it accesses memory atomically: alignment must be natural."""
        return UNALIGNED in self.traps

    def __repr__(self):
        return f"<Op {self.mnemonic}>"


class Guard:
    """A condition under which a row traps: `trap` message, `ir` defining the i1 `%c`."""

    __slots__ = ("trap", "ir")

    def __init__(self, trap, ir):
        self.trap, self.ir = trap, ir


def prefixed(prefix, sub):
    """The `code` of a prefixed instruction."""
    return prefix << 16 | sub


def double(value):
    """An LLVM constant of type float or double, exact."""
    return "0x%016X" % struct.unpack("<Q", struct.pack("<d", value))[0]


def instantiate(text, operand, result):
    """`{t}`, `{r}`: the LLVM types of operand and result;
    `{m}`: its shift mask; `{min}`: its least integer; `{i}`: the intrinsic suffix (`i32`, `f64`)."""
    for key, value in (("{t}", LLVM_TYPE[operand]), ("{r}", LLVM_TYPE[result]),
                       ("{m}", str(BITS[operand] - 1)), ("{min}", str(-1 << BITS[operand] - 1)), ("{i}", operand)):
        text = text.replace(key, value)
    return text


def unop(code, t, name, ir):
    return Op(code, f"{t}.{name}", (t,), (t,), instantiate(ir, t, t))


def binop(code, t, name, ir, traps=(), commutes=False):
    guards = tuple(Guard(g.trap, instantiate(g.ir, t, t)) for g in traps)
    return Op(code, f"{t}.{name}", (t, t), (t,), instantiate(ir, t, t), traps=guards, commutes=commutes)


def testop(code, t, name, ir):
    return Op(code, f"{t}.{name}", (t,), (I32,), instantiate(ir, t, I32))


def relop(code, t, name, compare, swapped, negated=None):
    ir = instantiate(f"%c = {compare} {{t}} %a, %b\n%r = zext i1 %c to i32", t, I32)
    return Op(code, f"{t}.{name}", (t, t), (I32,), ir, commutes=swapped == name,
              swapped=f"{t}.{swapped}", negated=negated and f"{t}.{negated}")


def cvtop(code, to, name, source, ir, traps=()):
    return Op(code, f"{to}.{name}", (source,), (to,), instantiate(ir, source, to), traps=traps)


def load(code, t, name, stored, extend=None):
    """`stored`: LLVM type in memory; `extend`: "sext" or "zext" to the result type."""
    if extend is None:
        ir = f"%r = load {stored}, ptr %p, align 1"
    else:
        ir = f"%v = load {stored}, ptr %p, align 1\n%r = {extend} {stored} %v to {LLVM_TYPE[t]}"
    return Op(code, f"{t}.{name}", ("addr",), (t,), ir, imm=("memarg",), traps=OUT_OF_BOUNDS, access=BYTES[stored])


def store(code, t, name, stored):
    if stored == LLVM_TYPE[t]:
        ir = f"store {stored} %b, ptr %p, align 1"
    else:
        ir = f"%v = trunc {LLVM_TYPE[t]} %b to {stored}\nstore {stored} %v, ptr %p, align 1"
    return Op(code, f"{t}.{name}", ("addr", t), (), ir, imm=("memarg",), traps=OUT_OF_BOUNDS, access=BYTES[stored])
