"""Proven loops that copy or fill memory, which the runtime's bulk routines do quicker, and where signals can stop them.

LLVM would call memmove or memset for them, in the C library, where a signal cannot stop them. A loop qualifies if it does
nothing but copy, or fill, adjacent bytes, which advance by as many. All iterations but the last two are then done at once,
if it is worth it and if copying in order is what copying at once does; the loop goes on from there, and leaves the locals as
it always does.
"""
from typing import NamedTuple

from pyjit_wasm.codegen import linear
from pyjit_wasm.codegen.iteration import Loaded
from pyjit_wasm.codegen.linear import Linear

WORTH = 512     # bytes


class Move(NamedTuple):
    """Bytes from `distance` on from the pointer of group `to` are filled with the i32 form `value`, or, if that is None, copied
    from those at `from_distance` from that of group `source`. `advancing`: (local, step in an iteration) of the locals that the
    loop advances."""

    to: object
    distance: int
    value: object
    source: object
    from_distance: int
    advancing: tuple


def find(plan, iteration, step_of):
    """The Move that all but the end of a proven loop is, or None. `step_of(local)`: its constant step, or None."""
    if not iteration.straight or len(iteration.tests) > 1 or plan.exact_accesses or any(group.step.terms for group in plan.groups):
        return None
    advancing = [(index, step_of(index)) for index in iteration.next]
    if any(step is None and index in iteration.carried for index, step in advancing):
        return None
    stores = [access for access in iteration.accesses if access.stores]
    loads = {access.index: access for access in iteration.accesses if not access.stores}
    to = _adjacent(plan, stores)
    if to is None:
        return None
    advancing = tuple((index, step) for index, step in advancing if step)
    values = [_filled(access) for access in stores]
    if not loads and None not in values and len({repr(value) for value in values}) == 1:
        invariant = all(step_of(index) == 0 for index, _ in values[0].terms)
        return Move(*to, values[0], None, 0, advancing) if invariant else None
    return _copied(plan, stores, loads, to, advancing)


def _adjacent(plan, accesses):
    """(group, distance of the lowest byte) of accesses that together touch as many adjacent bytes as they advance, else None."""
    places = sorted((plan.places[access.offset][1], access.size) for access in accesses)
    groups = {plan.places[access.offset][0] for access in accesses}
    if len(groups) != 1:
        return None
    (group,), end = groups, places[0][0]
    for distance, size in places:
        if distance != end:
            return None
        end += size
    return (group, places[0][0]) if end - places[0][0] == abs(group.step.signed) else None


def _filled(access):
    """The byte that a store fills memory with, as an i32 form, or None."""
    value = access.stored
    if not isinstance(value, Linear):
        return None
    if access.size == 1:
        return linear.combine(32, ((value, 1),))
    pattern = value.constant & (1 << 8 * access.size) - 1
    if value.terms or pattern != pattern % 256 * (((1 << 8 * access.size) - 1) // 255):
        return None
    return linear.constant(32, pattern % 256)


def _copied(plan, stores, loads, to, advancing):
    if len(loads) != len(stores) or any(not isinstance(access.stored, Loaded) for access in stores):
        return None
    pairs = [(loads.pop(access.stored.index, None), access) for access in stores]
    if any(load is None or load.size != store.size for load, store in pairs):
        return None
    source = _adjacent(plan, [load for load, _ in pairs])
    if source is None or source[0].step != to[0].step:
        return None
    apart = {plan.places[load.offset][1] - plan.places[store.offset][1] for load, store in pairs}
    if apart != {source[1] - to[1]} or not _in_order(plan, pairs):
        return None
    return Move(*to, None, *source, advancing)


def _in_order(plan, pairs):
    """Whether within an iteration nothing is loaded behind the store of something further on in the direction of the loop: where
    the blocks overlap, that store may have changed it."""
    sign = 1 if plan.places[pairs[0][0].offset][0].step.signed > 0 else -1
    events = sorted([(load.index, sign * plan.places[store.offset][1], False) for load, store in pairs]
                    + [(store.index, sign * plan.places[store.offset][1], True) for _, store in pairs])
    furthest = None
    for _, place, stores in events:
        if stores:
            furthest = place if furthest is None else max(furthest, place)
        elif furthest is not None and place < furthest:
            return False
    return True
