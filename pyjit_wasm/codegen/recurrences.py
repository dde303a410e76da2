"""Address recurrences: in innermost loops, addresses that advance by a constant become pointers.

To LLVM a linear memory is one object, and `zext(i32)` addresses may wrap: its run-time alias checks then
compare everything with everything and fail for loops that a C compiler has unrolled. So accesses
whose addresses have the same variable part share one pointer that starts before the loop and steps
at its back edge; each is a constant offset from it. LLVM sees distinct, ordinary pointers.

Why that is WebAssembly. Let d be the first access of a group; it happens in every iteration before the
others. The top 64 KiB of the 4 GiB are never accessible here (`config.MAX_GUARDED_PAGES`), and steps and
distances are at most 64 KiB. If d did not trap, its i32 address A is below 4 GiB - 64 KiB, so

- A + distance and the next A + step do not pass 4 GiB;
- if they fall below 0, the i32 address wraps into the inaccessible top and traps; the pointer falls
  into the 64 KiB of guard below the memory's base and traps too, provided that no memarg offset
  lifts it back: groups may go down only with offset 0.
"""
from pyjit_wasm.frames.walk import memarg

REACH = 65536

# a loop body with one of these is left alone
_BREAKS = frozenset(("block", "loop", "if", "else", "call", "call_indirect", "br", "br_table", "return",
                     "unreachable", "memory.grow", "try_table", "try", "throw", "throw_ref", "call_ref",
                     "return_call", "return_call_indirect", "return_call_ref"))


class Group:
    """Accesses that share a pointer. `locals`: their sum, plus `constant`, is the i32 address at the start
    of an iteration; `step` in bytes. `number` names the pointer."""

    __slots__ = ("locals", "constant", "step", "number", "memory")

    def __init__(self, locals, constant, step, number, memory):
        self.locals, self.constant, self.step, self.number, self.memory = locals, constant, step, number, memory


class Recurrences:
    """`groups` of one loop, and `places`: {instruction offset: (Group, distance in bytes from its pointer)}."""

    def __init__(self):
        self.groups, self.places = [], {}


def straight_loops(body):
    """{loop ordinal: index of the first instruction, index of the last} of loops without inner structure
    whose last instruction before `end` is the only branch back."""
    found, stack, ordinal = {}, [], 0
    for index, (op, imm, _) in enumerate(body):
        name = op.mnemonic
        if name == "loop":
            stack = [(ordinal, index + 1)]
            ordinal += 1
        elif name in _BREAKS:
            stack = []
        elif name == "br_if" and imm == 0 and stack and body[index + 1][0].mnemonic != "end":
            stack = []
        elif name == "end" and stack:
            if body[index - 1][0].mnemonic == "br_if" and body[index - 1][1] == 0:
                found[stack[0][0]] = (stack[0][1], index - 1)
            stack = []
    return found


def _add(a, b):
    return None if a is None or b is None else (tuple(sorted(a[0] + b[0])), a[1] + b[1])


def _subtract(a, b):
    return None if a is None or b is None or b[0] else (a[0], a[1] - b[1])


class _Trace:
    """One iteration, executed on symbols: a value is (locals summed, constant), or None if unknown."""

    def __init__(self, local_types):
        self.local_types, self.locals, self.stack, self.accesses = local_types, {}, [], []

    def local(self, index):
        if index not in self.locals:
            self.locals[index] = ((index,), 0) if self.local_types[index] == "i32" else None
        return self.locals[index]

    def run(self, instructions):
        """Whether every instruction was understood."""
        for op, imm, offset in instructions:
            rule = _RULES.get(op.mnemonic)
            if rule is not None:
                rule(self, imm)
            elif op.access is not None and not op.atomic:
                self.access(op, memarg(op, imm)[0], offset)
            elif op.params is not None and op.results is not None:
                del self.stack[len(self.stack) - len(op.params):]
                self.stack += [None] * len(op.results)
            else:
                return False
        return True

    def access(self, op, memarg, offset):
        if len(op.params) == 2:
            self.stack.pop()
        address = self.stack.pop()
        self.stack += [None] * len(op.results)
        if address is not None and address[0]:
            self.accesses.append((offset, address, memarg[1], memarg[2]))

    def pop2(self, operation):
        right, left = self.stack.pop(), self.stack.pop()
        self.stack.append(operation(left, right))

    def set(self, index):
        self.local(index)
        self.locals[index] = self.stack.pop()

    def tee(self, index):
        self.local(index)
        self.locals[index] = self.stack[-1]

    def select(self, _):
        del self.stack[-3:]
        self.stack.append(None)

    def step(self, index):
        """How far an i32 local advances in an iteration, or None."""
        value = self.locals.get(index, ((index,), 0))
        return value[1] if value is not None and value[0] == (index,) else None


_RULES = {
    "local.get": lambda t, imm: t.stack.append(t.local(imm)),
    "local.set": _Trace.set,
    "local.tee": _Trace.tee,
    "i32.const": lambda t, imm: t.stack.append(((), imm)),
    "i32.add": lambda t, imm: t.pop2(_add),
    "i32.sub": lambda t, imm: t.pop2(_subtract),
    "global.get": lambda t, imm: t.stack.append(None),
    "global.set": lambda t, imm: t.stack.pop(),
    "drop": lambda t, imm: t.stack.pop(),
    "select": _Trace.select,
    "nop": lambda t, imm: None,
    "br_if": lambda t, imm: t.stack.pop(),
    "memory.size": lambda t, imm: t.stack.append(None),
}


def find(body, span, local_types, memories):
    """The Recurrences of a straight loop: instructions `span` of `body`. `memories`: which memory
    indices may be treated so."""
    found, trace = Recurrences(), _Trace(local_types)
    try:
        if not trace.run(body[span[0]:span[1]]):
            return found
    except IndexError:  # takes operands from outside the loop
        return found
    for offset, (locals_, constant), memory, memarg in trace.accesses:
        if memory not in memories:
            continue
        steps = [trace.step(index) for index in locals_]
        if None in steps or not 0 < abs(sum(steps)) <= REACH:
            continue
        group = _group_for(found, locals_, constant, sum(steps), memory, memarg)
        if group is not None:
            found.places[offset] = (group, constant - group.constant + memarg)
    return found


def _group_for(found, locals_, constant, step, memory, memarg):
    """A group that the access may join, else a new one, or None if it must stay as it is."""
    for group in found.groups:
        distance = constant - group.constant
        same = (group.locals, group.memory) == (locals_, memory)
        if same and abs(distance) <= REACH and (distance >= 0 or not memarg):
            return group
    if step < 0 and memarg:
        return None
    found.groups.append(Group(locals_, constant, step, len(found.groups), memory))
    return found.groups[-1]
