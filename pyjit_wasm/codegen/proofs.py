"""What can be proven of a loop before it is entered: that none of its accesses traps, in whichever iteration.

A loop can be proven if it is innermost, calls nothing, and one condition that each iteration passes bounds their number:
a comparison of a sum that advances by a constant distance with one that does not change. Its accesses fall into groups
whose addresses differ by constants. At the loop's entry (`codegen.proof_text`) the last iteration is computed, and of each
group the lowest and the highest byte that all iterations together touch. If all of them lie inside the memories, which never
shrink, the *free* copy of the loop runs: no access in it can trap or wrap around, so LLVM may move, combine and vectorise
them. Otherwise the *exact* copy runs, like all code that nothing is proven of: its accesses are volatile and keep their places.

Accesses that are in no group keep their place and their trap in the free copy as well.
"""
from typing import NamedTuple

from pyjit_wasm import config
from pyjit_wasm.codegen import block_moves, linear
from pyjit_wasm.codegen.iteration import Iteration, NotUnderstood
from pyjit_wasm.codegen.linear import Linear, combine
from pyjit_wasm.frames.walk import block_type
from pyjit_wasm.types import I64

MAX_STEP = 1 << 30      # of an address in one iteration: times 2^32 iterations it stays within 63 bits
MAX_TRIPS = 1 << 32
_MAX_REACH = 1 << 40    # of an access from its group's pointer


class Group:
    """Accesses whose addresses are `start`, a form over the locals at the loop's entry, plus `step` for each iteration (a
    form, constant or of locals that the loop does not write), plus constants. `low`, `high`: of the lowest byte and behind the
    highest one, in one iteration, from `start`. `whole`: some access is executed even in the iteration that ends the loop."""

    def __init__(self, number, memory, start, step):
        self.number, self.memory, self.start, self.step = number, memory, start, step
        self.low = self.high = 0
        self.whole = False

    def admit(self, access, whole):
        """The access's distance in bytes from the group's pointer, its immediate offset included; None if it is too far."""
        distance = linear.subtract(access.address, self.start).signed
        if max(abs(distance), access.memarg) >= _MAX_REACH:
            return None
        self.low = min(self.low, distance)
        self.high = max(self.high, distance + access.memarg + access.size)
        self.whole |= whole
        return distance + access.memarg


class Count(NamedTuple):
    """The loop ends in the first iteration in which `value` relation `limit` fails; `value` advances by `step`."""

    relation: str
    signed: bool
    value: Linear
    limit: Linear
    step: Linear


class Plan:
    """Of a loop whose body is instructions `first` up to `end`: `count`; `groups`; `places`, {byte offset of an access:
    (group, distance)}; `exact_accesses`: whether there are others; `memories` that it accesses; `last_branch`: byte offset of the branch back if it
    is the body's last instruction; `move`: a `block_moves.Move` that it mostly is, or None."""

    move = None

    def __init__(self, first, end, count, last_branch):
        self.first, self.end, self.count, self.last_branch = first, end, count, last_branch
        self.groups, self.places, self.exact_accesses, self.memories = [], {}, False, set()


def find(module, body, loops, local_types):
    """{loop ordinal: Plan} of those of the Loops of a function that can be proven."""
    plans = {}
    for ordinal, loop in enumerate(loops):
        if (loop.innermost and loop.end - loop.first <= config.COPIED_LOOP
                and not block_type(module, body[loop.first - 1][1]).params):
            try:
                iteration = Iteration(module, body, loop.first, loop.end, local_types)
                plan = _plan(module, body, loop.first, loop.end, iteration)
            except NotUnderstood:
                continue
            if plan is not None:
                plans[ordinal] = plan
    return plans


def _plan(module, body, first, end, iteration):
    if not iteration.back_edges:
        return None
    steps = _Steps(iteration)
    for test in iteration.tests:
        count = _count(steps, test.condition)
        if count is not None:
            break
    else:
        return None
    last = body[end - 1]
    plan = Plan(first, end, count, last[2] if iteration.back_edges[-1] == end - 1 else None)
    for access in iteration.accesses:
        plan.memories.add(access.memory)
        whole = not test.after <= access.index < test.until
        if module.mems[access.memory].shared or not _join(plan, steps, access, whole):
            plan.exact_accesses = True
    plan.move = block_moves.find(plan, iteration, steps.constant) if plan.places else None
    return plan if plan.places else None


class _Steps:
    """How far forms advance from one iteration to the next."""

    def __init__(self, iteration):
        self._next, self._known = iteration.next, {}

    def _of_local(self, index):
        """The step of a local as a form of locals that do not change, or None."""
        if index not in self._next:
            return linear.constant(64, 0)
        value = self._next[index]
        if not isinstance(value, Linear):
            return None
        step = linear.subtract(value, linear.local(value.bits, index))
        return step if all(self._constant(i) for i, _ in step.terms) else None

    def _constant(self, index):
        value = self._next.get(index)
        return index not in self._next or isinstance(value, Linear) and value == linear.local(value.bits, index)

    def constant(self, index):
        """The step of a local as a number; None if it is not constant."""
        step = self._of_local(index)
        return None if step is None or step.terms else step.signed

    def of(self, form):
        """The step of a form, or None."""
        parts = []
        for index, coefficient in form.terms:
            step = self._of_local(index)
            if step is None:
                return None
            parts.append((step, coefficient))
        return combine(form.bits, parts)


def _count(steps, condition):
    """The Count that a condition gives, or None."""
    for candidate in (condition, condition.swapped):
        step, other = steps.of(candidate.left), steps.of(candidate.right)
        if step is None or other is None or other.terms or other.constant or not (step.terms or step.constant):
            continue
        if candidate.relation == "ne":
            countable = not step.terms
        elif candidate.relation in ("lt", "le"):
            countable = bool(step.terms) and step.bits == 32 or not step.terms and step.signed > 0
        elif candidate.relation in ("gt", "ge"):
            countable = not step.terms and step.signed < 0
        else:
            countable = False
        if countable and abs(step.signed) < MAX_STEP:
            return Count(candidate.relation, candidate.signed, candidate.left, candidate.right, step)
    return None


def _join(plan, steps, access, whole):
    """Put an access into a group, a new one perhaps. Whether it is in one."""
    if access.address is None:
        return False
    step = steps.of(access.address)
    if step is None or not step.terms and abs(step.signed) >= MAX_STEP:
        return False
    group = next((g for g in plan.groups if g.memory == access.memory and g.start.terms == access.address.terms), None)
    if group is None:
        if len(plan.groups) == config.PROVEN_GROUPS:
            return False
        group = Group(len(plan.groups), access.memory, access.address, step)
        plan.groups.append(group)
    distance = group.admit(access, whole)
    if distance is None:
        return False
    plan.places[access.offset] = group, distance
    return True


def wide(module, memory):
    """Whether addresses of a memory have 64 bits."""
    return module.mems[memory].addr == I64
