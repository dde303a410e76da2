"""The specification's stack machine in plain Python, for part of the instructions: what a debugger should see.

It goes over the instructions as they are decoded and finds the ends of blocks by counting; it knows nothing of validation,
slots or threaded code. Values are Python ints (unsigned) and floats, references are ints or None.
"""
import struct

from pyjit_wasm.binary.body import instructions
from pyjit_wasm.types import FuncType

_OPENS = ("block", "loop", "if")
MASKS = {"i32": 0xFFFFFFFF, "i64": 0xFFFFFFFFFFFFFFFF}


class Trapped(Exception):
    """With the specification's message."""


def signed(value, width):
    return value - (1 << width) if value >> width - 1 else value


def _divide(a, b, width):
    if not b:
        raise Trapped("integer divide by zero")
    a, b = signed(a, width), signed(b, width)
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    if quotient == 1 << width - 1:
        raise Trapped("integer overflow")
    return quotient


_BINARY = {
    "add": lambda a, b, w: a + b, "sub": lambda a, b, w: a - b, "mul": lambda a, b, w: a * b, "div_s": _divide,
    "and": lambda a, b, w: a & b, "xor": lambda a, b, w: a ^ b, "shl": lambda a, b, w: a << b % w,
    "shr_u": lambda a, b, w: a >> b % w, "eq": lambda a, b, w: a == b, "ne": lambda a, b, w: a != b,
    "lt_s": lambda a, b, w: signed(a, w) < signed(b, w), "lt_u": lambda a, b, w: a < b,
    "gt_s": lambda a, b, w: signed(a, w) > signed(b, w), "ge_s": lambda a, b, w: signed(a, w) >= signed(b, w)}
_FLOAT = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "lt": lambda a, b: int(a < b)}
_COMPARISONS = ("eq", "ne", "lt_s", "lt_u", "gt_s", "ge_s")


class Label:
    def __init__(self, kind, offset, arity, height, target):
        self.kind, self.offset, self.arity, self.height, self.target = kind, offset, arity, height, target


class Frame:
    """`next` is the position of the next instruction in `body`."""

    def __init__(self, machine, funcidx, arguments):
        self.funcidx, self.functype = funcidx, machine.module.funcs[funcidx].comp
        self.body, self.ends, self.elses = machine.body(funcidx)
        code = machine.module.codes[funcidx]
        self.locals = [*arguments, *(_zero(t) for count, t in code.locals for _ in range(count))]
        self.operands, self.next = [], 0
        self.labels = [Label("function", self.body[0][2], len(self.functype.results), 0, len(self.body) - 1)]

    def seen(self):
        """What a debugger should say: pc, mnemonic, locals, operands, labels."""
        op, _, offset = self.body[self.next]
        return (self.funcidx, offset, op.mnemonic, tuple(self.locals), tuple(self.operands),
                tuple((label.kind, label.offset, label.arity, label.height) for label in self.labels))


def _zero(valtype):
    return 0 if valtype in MASKS or valtype == "v128" else 0.0 if valtype in ("f32", "f64") else None


class Machine:
    """Runs functions of a module without imports: `module` is its syntax, `memory` its bytes."""

    def __init__(self, module):
        self.module, self.bodies, self.frames = module, {}, []
        self.globals = [g.init[0][1] for g in module.global_defs]    # small constants
        self.memory = bytearray(65536)
        self.table = [init[0][1] for elem in module.elems for init in elem.inits]

    def body(self, funcidx):
        """(instructions, {position of an opener: of its end}, {position of an if: of its else})."""
        if funcidx not in self.bodies:
            code = self.module.codes[funcidx]
            body, ends, elses, opened = instructions(self.module, code.start, code.end), {}, {}, []
            for position, (op, _, _) in enumerate(body):
                if op.mnemonic in _OPENS:
                    opened.append(position)
                elif op.mnemonic == "else":
                    elses[opened[-1]] = position
                elif op.mnemonic == "end" and opened:
                    ends[opened.pop()] = position
            self.bodies[funcidx] = body, ends, elses
        return self.bodies[funcidx]

    def run(self, funcidx, arguments):
        """Yield what is seen of all frames, innermost first, before each instruction; the value is the results."""
        self.frames = [Frame(self, funcidx, arguments)]
        self.results = None
        while self.frames:
            yield [frame.seen() for frame in reversed(self.frames)]
            self.execute(self.frames[-1])
        return self.results

    def execute(self, frame):
        op, imm, offset = frame.body[frame.next]
        position, frame.next = frame.next, frame.next + 1
        rule = getattr(self, "do_" + op.mnemonic.replace(".", "_"), None)
        if rule is not None:
            rule(frame, imm, position, offset)
        elif op.mnemonic.endswith(".const"):
            frame.operands.append(self.constant(op.mnemonic.removesuffix(".const"), imm))
        else:
            self.numeric(frame, *op.mnemonic.split("."))

    @staticmethod
    def constant(valtype, imm):
        if valtype in MASKS:
            return imm & MASKS[valtype]
        if valtype == "v128":
            return int.from_bytes(imm, "little")
        return struct.unpack("<f" if valtype == "f32" else "<d", imm.to_bytes(4 if valtype == "f32" else 8, "little"))[0]

    @staticmethod
    def numeric(frame, valtype, name):
        operands = frame.operands
        if name == "eqz":
            operands.append(int(operands.pop() == 0))
        elif name == "extend_i32_s":
            operands.append(signed(operands.pop(), 32) & MASKS["i64"])
        elif name == "wrap_i64":
            operands.append(operands.pop() & MASKS["i32"])
        else:
            right, left = operands.pop(), operands.pop()
            if valtype in MASKS:
                width = 32 if valtype == "i32" else 64
                result = _BINARY[name](left, right, width)
                operands.append(int(result) if name in _COMPARISONS else result & MASKS[valtype])
            else:
                operands.append(_FLOAT[name](left, right))

    # control

    def block_type(self, imm):
        if isinstance(imm, int):
            return self.module.types[imm].comp
        return FuncType((), () if imm is None else (imm,))

    def enter(self, frame, kind, imm, position, offset):
        functype = self.block_type(imm)
        height = len(frame.operands) - len(functype.params)
        arity = len(functype.params if kind == "loop" else functype.results)
        target = position + 1 if kind == "loop" else frame.ends[position] + 1
        frame.labels.append(Label(kind, offset, arity, height, target))

    def do_block(self, frame, imm, position, offset):
        self.enter(frame, "block", imm, position, offset)

    def do_loop(self, frame, imm, position, offset):
        self.enter(frame, "loop", imm, position, offset)

    def do_if(self, frame, imm, position, offset):
        if frame.operands.pop():
            self.enter(frame, "if", imm, position, offset)
        elif position in frame.elses:
            self.enter(frame, "if", imm, position, offset)
            frame.next = frame.elses[position] + 1
        else:
            frame.next = frame.ends[position] + 1

    def do_else(self, frame, imm, position, offset):
        frame.next = frame.labels.pop().target

    def do_end(self, frame, imm, position, offset):
        if len(frame.labels) == 1:
            self.do_return(frame, imm, position, offset)
        else:
            frame.labels.pop()

    def do_br(self, frame, imm, position, offset):
        label = frame.labels[-1 - imm]
        if label.kind == "function":
            return self.do_return(frame, imm, position, offset)
        carried = frame.operands[len(frame.operands) - label.arity:]
        frame.operands[label.height:] = carried
        del frame.labels[len(frame.labels) - imm - (label.kind != "loop"):]
        frame.next = label.target

    def do_br_if(self, frame, imm, position, offset):
        if frame.operands.pop():
            self.do_br(frame, imm, position, offset)

    def do_br_table(self, frame, imm, position, offset):
        labels, default = imm
        index = frame.operands.pop()
        self.do_br(frame, labels[index] if index < len(labels) else default, position, offset)

    def do_return(self, frame, imm, position, offset):
        results = frame.operands[len(frame.operands) - len(frame.functype.results):]
        self.frames.pop()
        if self.frames:
            self.frames[-1].operands += results
            self.frames[-1].next += 1
        else:
            self.results = results

    def do_unreachable(self, frame, imm, position, offset):
        raise Trapped("unreachable")

    def arguments(self, frame, funcidx):
        count = len(self.module.funcs[funcidx].comp.params)
        found = frame.operands[len(frame.operands) - count:]
        del frame.operands[len(frame.operands) - count:]
        return found

    def call(self, frame, funcidx, position):
        frame.next = position       # the call has not returned
        self.frames.append(Frame(self, funcidx, self.arguments(frame, funcidx)))

    def do_call(self, frame, imm, position, offset):
        self.call(frame, imm, position)

    def do_call_indirect(self, frame, imm, position, offset):
        self.call(frame, self.table[frame.operands.pop()], position)

    def do_return_call(self, frame, imm, position, offset):
        arguments = self.arguments(frame, imm)
        self.frames[-1] = Frame(self, imm, arguments)

    # the rest

    def do_nop(self, frame, *_):
        pass

    def do_drop(self, frame, *_):
        frame.operands.pop()

    def do_select(self, frame, *_):
        condition, otherwise, then = (frame.operands.pop() for _ in range(3))
        frame.operands.append(then if condition else otherwise)

    def do_local_get(self, frame, imm, *_):
        frame.operands.append(frame.locals[imm])

    def do_local_set(self, frame, imm, *_):
        frame.locals[imm] = frame.operands.pop()

    def do_local_tee(self, frame, imm, *_):
        frame.locals[imm] = frame.operands[-1]

    def do_global_get(self, frame, imm, *_):
        frame.operands.append(self.globals[imm])

    def do_global_set(self, frame, imm, *_):
        self.globals[imm] = frame.operands.pop()

    def do_i32_load(self, frame, imm, *_):
        where = frame.operands.pop() + imm[2]
        if where + 4 > len(self.memory):
            raise Trapped("out of bounds memory access")
        frame.operands.append(int.from_bytes(self.memory[where:where + 4], "little"))

    def do_i32_store(self, frame, imm, *_):
        value, where = frame.operands.pop(), frame.operands.pop() + imm[2]
        if where + 4 > len(self.memory):
            raise Trapped("out of bounds memory access")
        self.memory[where:where + 4] = value.to_bytes(4, "little")

    def do_memory_size(self, frame, imm, *_):
        frame.operands.append(len(self.memory) // 65536)
