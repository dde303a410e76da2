"""From code addresses back to wasm: who owns an address, and which instruction of which function it is."""
import bisect
from _thread import allocate_lock

from pyjit_wasm.errors import Frame

_ranges = []  # (start, end, weak reference to the owner), sorted; replaced as a whole, so readers need no lock
_gone = []  # starts of ranges to be taken out: owners may die in the middle of anything
_lock = allocate_lock()


def register(owner, start, end):
    """`owner()`, a weak reference, answers for code addresses in [start, end): see `frames`."""
    global _ranges
    with _lock:
        ranges = _ranges.copy()
        while _gone:
            dead = _gone.pop()
            place = bisect.bisect_left(ranges, (dead,))
            if place < len(ranges) and ranges[place][0] == dead:
                del ranges[place]
        bisect.insort(ranges, (start, end, owner))
        _ranges = ranges


def unregister(start):
    """Called when an owner dies, perhaps inside `register`: only noted."""
    _gone.append(start)


def owner_of(address):
    """The live owner of a code address, or None."""
    ranges = _ranges
    place = bisect.bisect(ranges, (address, 1 << 64)) - 1
    if place < 0:
        return None
    _, end, owner = ranges[place]
    return owner() if address < end else None


def _owner(address, index):
    """Native code is known by return addresses, which may lie just behind it; interpreted code that runs
    by the address of the instruction."""
    before = owner_of(address - 1)
    return before if index or (before is not None and before.is_native) else owner_of(address)


def frames(addresses, trap=None):
    """A function that resolves a trace when called: addresses innermost first, of which all but the
    first are return addresses; that is the first one's case too in native code. Owners are looked up
    now, because they may be gone later; the costly part waits. `trap`: the message of the trap."""
    found = [(_owner(address, index), address) for index, address in enumerate(addresses)]

    def resolve():
        result, handler = [], None
        for index, (owner, address) in enumerate(found):
            if owner is None:
                continue
            if owner.is_handlers:
                if index == 0:  # a fault: the pc first, then about where the handler's ip was
                    handler = owner.handler_at(address)
                continue
            exact = index == 0
            if handler is not None:
                address, exact, handler = owner.instruction_before(address, handler), True, None
            result += [Frame(*place) for place in owner.frames_at(address, exact, None if result else trap)]
        return tuple(result)

    return resolve
