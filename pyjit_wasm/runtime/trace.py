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


def owners(addresses, running=True):
    """[(owner, address)] of a stack of code addresses, innermost first, to be given to `places`: all are return addresses but
    the first one if that code is `running`. Native code that runs is known by the address behind."""
    return [(_owner(address, running and not index), address) for index, address in enumerate(addresses)]


def _owner(address, running):
    """Return addresses of native code may lie just behind it; interpreted code that runs is known by the address of the
    instruction."""
    before = owner_of(address - 1)
    return before if not running or (before is not None and before.is_native) else owner_of(address)


def places(found, running=True, trap=None):
    """(owner, (funcidx, name, byte offset)) of wasm functions, innermost first. `found` by `owners`; `trap`: the message of
    the trap that the innermost has met."""
    first, handler = True, None
    for index, (owner, address) in enumerate(found):
        if owner is None:
            continue
        exact = running and index == 0
        if owner.is_handlers:
            if exact:  # a fault: the pc first, then about where the handler's ip was
                handler = owner.handler_at(address)
            continue
        if handler is not None:
            address, exact, handler = owner.instruction_before(address, handler), True, None
        for place in owner.frames_at(address, exact, trap if first else None):
            first = False
            yield owner, place


def is_native(address):
    """Whether a return address leads into compiled wasm."""
    owner = owner_of(address - 1)
    return owner is not None and owner.is_native and not owner.is_handlers


def frames(addresses, trap=None):
    """A function that resolves the stack of a trap when called. Owners are looked up now, because they may be gone later; the
    costly part waits. `trap`: its message."""
    found = owners(addresses)
    return lambda: tuple(Frame(*place) for _, place in places(found, True, trap))
