"""From code addresses back to wasm: who owns an address, and which instruction of which function it is."""
import bisect
from _thread import allocate_lock
from operator import itemgetter

from pyjit_wasm import config, forks
from pyjit_wasm.errors import Frame
from pyjit_wasm.source import positions
from pyjit_wasm.source.demangling import demangled

# Pairs of lists, starts and (end, weak reference to the owner, {what is known of its addresses}), sorted by starts. Every
# function that is translated adds a range: of long lists each is longer than twice the next. Lists do not change, and the
# tuple is replaced as a whole, so that readers need no lock. Ranges of living owners do not overlap.
_lists = ()
_LONG = 64
_gone = []  # starts of ranges to be taken out: owners may die in the middle of anything
_lock = forks.kept(allocate_lock(), "pages")


def register(owner, start, end):
    """`owner()`, a weak reference, answers for code addresses in [start, end): see `frames`."""
    register_all([(owner, start, end)])


def register_all(owners):
    """The same for each (owner, start, end)."""
    global _lists
    with _lock:
        added = [(start, (end, owner, {})) for owner, start, end in owners]
        lists = list(_lists)
        many_gone = 2 * len(_gone) > sum([len(starts) for starts, _ in lists])
        if many_gone:
            _gone.clear()
        while lists and (many_gone or len(lists[-1][0]) <= max(2 * len(added), _LONG)):
            added = [known for known in (*zip(*lists.pop()), *added) if known[1][1]() is not None]
        added.sort(key=itemgetter(0))
        _lists = (*lists, ([start for start, _ in added], [known for _, known in added]))


def unregister(start):
    """Called when an owner dies, perhaps inside `register`: only noted."""
    _gone.append(start)


def owner_of(address):
    """The live owner of a code address, or None."""
    return _find(address)[0]


def _find(address):
    """(live owner of a code address, what is known of its addresses), or (None, None)."""
    for starts, ranges in _lists:
        place = bisect.bisect(starts, address) - 1
        if place >= 0:
            end, owner, known = ranges[place]
            if address < end and (found := owner()) is not None:
                return found, known
    return None, None


def owners(addresses, running=True):
    """The owners of a stack of code addresses, innermost first, to be given to `places` or `source_frames`: all are return
    addresses but the first one if that code is `running`. Native code that runs is known by the address behind."""
    return [(*_owner(address, running and not index), address) for index, address in enumerate(addresses)]


def _owner(address, running):
    """Return addresses of native code may lie just behind it; interpreted code that runs is known by the address of the
    instruction."""
    before = _find(address - 1)
    return before if not running or (before[0] is not None and before[0].is_native) else _find(address)


class Call:
    """One code address: the arguments of its owner's `frames_at`, and what was made of it when somebody looked: `places`
    [(funcidx, name, byte offset)], `frames` and `entries` of Python tracebacks, innermost first."""

    __slots__ = ("arguments", "places", "frames", "entries")

    def __init__(self, arguments):
        self.arguments, self.places, self.frames, self.entries = arguments, None, None, None


def calls(found, running=True, trap=None):
    """(owner, Call) of the code addresses that are those of wasm functions, innermost first. `found` by `owners`; `trap`: the
    message of the trap that the innermost has met."""
    handler = None
    for index, (owner, known, address) in enumerate(found):
        if owner is None:
            continue
        exact = running and index == 0
        if owner.is_handlers:
            if exact:  # a fault: the pc first, then about where the handler's ip was
                handler = owner.handler_at(address)
            continue
        if handler is not None:
            address, exact, handler = owner.instruction_before(address, handler), True, None
        arguments = address, exact, trap
        call = known.get(arguments)
        if call is None:
            call = known[arguments] = Call(arguments)
        if call.places is None:
            call.places = owner.frames_at(*arguments)
        trap = None if call.places else trap
        yield owner, call


def is_native(address):
    """Whether a return address leads into compiled wasm."""
    owner = owner_of(address - 1)
    return owner is not None and owner.is_native and not owner.is_handlers


def source_frames(found, running=True, trap=None):
    """The Frames of wasm functions and of what was inlined into them, innermost first; the arguments as of `calls`."""
    return tuple([frame for owner, call in calls(found, running, trap) for frame in resolved(owner, call)])


def resolved(owner, call):
    """A tuple of the Frames of one address, innermost first."""
    if call.frames is None:
        call.frames = tuple([frame for place in call.places for frame in in_source(owner.module, *place)])
    return call.frames


def in_source(module, funcidx, name, offset):
    """The Frames of an instruction: inlined calls, then the function itself."""
    *inlined, own = positions.of(module).at(offset) or (positions.UNKNOWN,)
    for place in inlined:
        yield Frame(funcidx, place.name or "inlined function", offset, place.file, place.line, place.column, True)
    name = own.name if own.name and funcidx not in module.names.funcs else demangled(name)
    yield Frame(funcidx, name, offset, own.file, own.line, own.column)


class Trace:
    """The stack of a trap, whose message is `trap`, or of an exception. Owners are looked up now, because they may be gone
    later; the costly part waits. Called, it gives a tuple of Frames, innermost first. `complete`: whether these are all."""

    __slots__ = ("_found", "_trap", "complete")

    def __init__(self, addresses, trap, most):
        self._found, self._trap, self.complete = owners(addresses), trap, len(addresses) < most

    def calls(self):
        """(owner, Call), innermost first."""
        return calls(self._found, True, self._trap)

    def __call__(self):
        return source_frames(self._found, True, self._trap)


def frames(addresses, trap=None, most=config.MAX_TRACE):
    """The Trace of the code addresses that an exec_env has noted, `most` at most."""
    return Trace(addresses, trap, most)
