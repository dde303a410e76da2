"""One iteration of an innermost loop, executed on symbols: what its addresses and conditions are made of.

A value is a Linear form over the locals as they were when the iteration began, a Comparison of such forms, what an access
has Loaded, or None if it is anything else. Where ways through the body meet, a value that differs between them is None.
"""
from typing import NamedTuple

from pyjit_wasm.codegen import linear
from pyjit_wasm.codegen.linear import Comparison, Linear
from pyjit_wasm.frames.walk import block_type, memarg
from pyjit_wasm.types import F32, F64, I32, I64

_BITS = {"i32": 32, "i64": 64}
_SCALARS = (I32, I64, F32, F64)


class Access(NamedTuple):
    """A memory access: its instruction's index in the body and byte offset, its address, and what is immediate. `stored`: of a
    store, the value."""

    index: int
    offset: int
    address: Linear
    memory: int
    memarg: int
    size: int
    stores: bool
    stored: object


class Loaded(NamedTuple):
    """What was loaded as it is, by the access of that index in the body; sign extension does not count where it is stored."""

    index: int


class Test(NamedTuple):
    """The loop goes on only if `condition` holds in the iteration. From instruction `after` up to `until`, instructions are
    executed only if it does."""

    condition: Comparison
    index: int
    after: int
    until: int


_CATCHING = frozenset(("try", "try_table", "delegate", "catch", "catch_all"))


class NotUnderstood(Exception):
    """The body has an instruction whose loop stays exact: it calls, opens what catches, or branches by a table."""


class _Block:
    """`states`: those with which branches leave it, (locals, values) each; `otherwise`: the state in which an `else` begins;
    `dead`: nothing is known to come here. `test`: of an `if` at the outermost level, the condition and the index."""

    def __init__(self, kind, functype, height):
        self.kind, self.functype, self.height = kind, functype, height
        self.states, self.otherwise, self.test = [], None, None


class Iteration:
    """`accesses`, `tests`, and `next`: {local: value at the start of the next iteration} of those that are written.
    `back_edges`: indices of the instructions that branch back. `carried`: locals that are read before they are written.
    `straight`: whether each iteration but the last one executes all instructions, and none of them has an effect but accesses."""

    def __init__(self, module, body, first, end, local_types):
        self._module, self._types, self._locals, self._stack = module, local_types, {}, []
        self._blocks, self._dead, self._back = [_Block("loop", None, 0)], 0, []
        self.accesses, self.tests, self.back_edges, self._end = [], [], [], end
        self.carried, self.straight, self.branches = set(), True, 0
        for index in range(first, end):
            self._index, (op, imm, self._offset) = index, body[index]
            self._step(op, imm)
        self.next = _joined(self._back)[0] if self._back else {}
        self.straight &= len(self.back_edges) == 1 and self.branches == len({*self.back_edges, *[t.index for t in self.tests]})
        self.tests = [test for test in self.tests if self._holds_for_all(test)]

    def _holds_for_all(self, test):
        """Whether every way back passes the test."""
        if test.after > test.index:     # behind it, or inside of it, are all back edges
            return all(test.after <= edge < test.until for edge in self.back_edges)
        return self.back_edges == [test.index]

    def _step(self, op, imm):
        name = op.mnemonic
        if self._dead:
            self._skip(name)
        elif name in _RULES:
            _RULES[name](self, imm)
        elif name in _COMPARISONS:
            self._compare(*_COMPARISONS[name])
        elif op.access is not None and op.ir is not None:
            self._access(op, memarg(op, imm)[0])
        elif op.ir is not None and op.results is not None:
            self.straight &= not op.traps
            self._pop(len(op.params))
            self._stack += [None] * len(op.results)
        else:
            raise NotUnderstood(name)

    def _pop(self, count=1):
        """The last of `count` values from the stack."""
        popped = self._stack[len(self._stack) - count:]
        del self._stack[len(self._stack) - count:]
        return popped[0] if popped else None

    def _access(self, op, place):
        stored = self._pop(len(op.params) - 1) if len(op.params) > 1 else None
        address = self._stack.pop()
        if op.results:
            scalar = len(op.params) == 1 and op.results[0] in _SCALARS
            self._stack += [Loaded(self._index) if scalar and not op.atomic else None] * len(op.results)
        provable = isinstance(address, Linear) and not op.atomic
        self.straight &= len(op.params) < 3
        self.accesses.append(Access(self._index, self._offset, address if provable else None, place[1], place[2], op.access,
                                    not op.results, stored))

    # --- locals and numbers

    def _local(self, index):
        if index not in self._locals:
            self.carried.add(index)
            bits = _BITS.get(self._types[index])
            return bits and linear.local(bits, index)
        return self._locals[index]

    def get(self, index):
        self._stack.append(self._local(index))

    def set(self, index):
        self._locals[index] = self._stack.pop()

    def tee(self, index):
        self._locals[index] = self._stack[-1]

    def binary(self, bits, factor_of_right):
        right, left = self._stack.pop(), self._stack.pop()
        known = isinstance(left, Linear) and isinstance(right, Linear)
        self._stack.append(linear.combine(bits, ((left, 1), (right, factor_of_right))) if known else None)

    def multiply(self, bits, shift=False):
        right, left = self._stack.pop(), self._stack.pop()
        if not isinstance(left, Linear) or not isinstance(right, Linear):
            left = right = None
        elif left.terms == () and not shift:
            left, right = right, left
        if right is None or right.terms:
            self._stack.append(None)
        else:
            factor = 1 << right.constant % bits if shift else right.constant
            self._stack.append(linear.combine(bits, ((left, factor),)))

    def wrap(self, _):
        value = self._stack.pop()
        self._stack.append(linear.combine(32, ((value, 1),)) if isinstance(value, Linear) else None)

    def _compare(self, relation, is_signed, bits):
        right, left = self._stack.pop(), self._stack.pop()
        known = isinstance(left, Linear) and isinstance(right, Linear)
        self._stack.append(Comparison(relation, is_signed, left, right) if known else None)

    def is_zero(self, bits):
        value = self._stack.pop()
        if isinstance(value, Comparison):
            value = value.negated
        else:
            value = Comparison("eq", False, value, linear.constant(bits, 0)) if isinstance(value, Linear) else None
        self._stack.append(value)

    def select(self, _):
        self._pop(3)
        self._stack.append(None)

    def push_unknown(self, _):
        self._stack.append(None)

    def set_global(self, _):
        self.straight = False
        self._stack.pop()

    def drop(self, _):
        self._stack.pop()

    # --- control

    def _condition(self):
        """The Comparison that an i32 operand is."""
        self.is_zero(32)
        value = self._stack.pop()
        return value and value.negated

    def open(self, kind, imm):
        self.straight = False
        functype = block_type(self._module, imm)
        self._blocks.append(_Block(kind, functype, len(self._stack) - len(functype.params)))

    def if_(self, imm):
        condition = self._condition()
        outermost = len(self._blocks) == 1
        self.open("if", imm)
        block = self._blocks[-1]
        block.otherwise = self._state(len(block.functype.params))
        block.test = (condition, self._index) if outermost and condition else None

    def else_(self, _):
        block = self._blocks[-1]
        if not self._dead:
            block.states.append(self._state(len(block.functype.results)))
        self._note_test(block)
        self._dead = 0
        self._continue(block, block.otherwise)
        block.otherwise = None

    def _note_test(self, block):
        """The part of an `if` that is executed if its condition holds ends here."""
        if block.test:
            condition, index = block.test
            self.tests.append(Test(condition, index, index + 1, self._index))
            block.test = None

    def end(self, _):
        block = self._blocks.pop()
        if not self._dead:
            block.states.append(self._state(len(block.functype.results)))
        self._note_test(block)
        if block.otherwise:
            block.states.append(block.otherwise)
        self._dead = 0 if block.states else 1
        if block.states:
            self._continue(block, _joined(block.states))

    def _state(self, count):
        """The locals, and `count` values from the top of the stack."""
        return dict(self._locals), self._stack[len(self._stack) - count:] if count else []

    def _continue(self, block, state):
        self._locals = dict(state[0])
        self._stack[block.height:] = state[1]

    def _leave(self, label):
        """A branch to a label, taken perhaps."""
        self.branches += 1
        if label < len(self._blocks) - 1:
            block = self._blocks[-1 - label]
            block.states.append(self._state(len(block.functype.results)))
        elif label == len(self._blocks) - 1:
            self.back_edges.append(self._index)
            self._back.append((dict(self._locals), ()))

    def br(self, label):
        self._leave(label)
        self._dead = 1

    def br_if(self, label):
        condition, loop = self._condition(), len(self._blocks) - 1
        self.straight &= condition is not None
        if loop == 0 and condition:     # executed in every iteration
            if label == 0:
                self.tests.append(Test(condition, self._index, self._index, self._index))
            else:
                self.tests.append(Test(condition.negated, self._index, self._index + 1, self._end))
        self._leave(label)

    def stop(self, _):
        self.straight, self._dead = False, 1

    def _skip(self, name):
        """Unreachable code: only the nesting matters."""
        if name in ("block", "if"):
            self._dead += 1
        elif name in _CATCHING:
            raise NotUnderstood(name)
        elif name == "end" and self._dead > 1:
            self._dead -= 1
        elif self._dead == 1 and name in ("end", "else"):
            getattr(self, "end" if name == "end" else "else_")(None)


def _joined(states):
    """One state for several."""
    locals_ = {}
    for index in set().union(*[state[0] for state in states]):
        values = [state[0].get(index, "as it was") for state in states]
        locals_[index] = values[0] if all(value == values[0] for value in values) else None
    values = [group[0] if all(value == group[0] for value in group) else None
              for group in zip(*[state[1] for state in states])]
    return locals_, values


def _number(bits):
    return lambda iteration, imm: iteration._stack.append(linear.constant(bits, imm))


_RULES = {
    "local.get": Iteration.get, "local.set": Iteration.set, "local.tee": Iteration.tee,
    "i32.wrap_i64": Iteration.wrap, "select": Iteration.select, "drop": Iteration.drop, "nop": lambda i, imm: None,
    "global.get": Iteration.push_unknown, "global.set": Iteration.set_global, "memory.size": Iteration.push_unknown,
    "block": lambda i, imm: i.open("block", imm), "if": Iteration.if_, "else": Iteration.else_, "end": Iteration.end,
    "br": Iteration.br, "br_if": Iteration.br_if, "return": Iteration.stop, "unreachable": Iteration.stop,
    "v128.const": Iteration.push_unknown,
    "i8x16.shuffle": lambda i, imm: (i.drop(imm), i.drop(imm), i.push_unknown(imm)),
}
_COMPARISONS = {}
for _bits in (32, 64):
    _RULES |= {
        f"i{_bits}.const": _number(_bits), f"f{_bits}.const": _number(_bits),     # the bits
        f"i{_bits}.add": lambda i, imm, bits=_bits: i.binary(bits, 1),
        f"i{_bits}.sub": lambda i, imm, bits=_bits: i.binary(bits, -1),
        f"i{_bits}.mul": lambda i, imm, bits=_bits: i.multiply(bits),
        f"i{_bits}.shl": lambda i, imm, bits=_bits: i.multiply(bits, shift=True),
        f"i{_bits}.eqz": lambda i, imm, bits=_bits: i.is_zero(bits),
    }
    for _relation in linear.NEGATED:
        for _suffix in ("",) if _relation in ("eq", "ne") else ("_s", "_u"):
            _COMPARISONS[f"i{_bits}.{_relation}{_suffix}"] = _relation, _suffix == "_s", _bits
