"""What wasm has references to is freed here, when there has been much of it: exceptions, and host functions that Python gave.

The collection is conservative: any word on this thread's machine stack, in an exec_env and the used part of its stack buffer,
in a table, a global or an element segment counts as a reference if it looks like one. They are all looked at in one go,
`rt_scan`, while which no other thread has the GIL. Nothing is freed while other threads run wasm, as their registers and stacks
are not looked at, nor while references are on their way between Python and wasm (`runtime.crossings`).
"""
import ctypes
from array import array
from collections import Counter
from _thread import allocate_lock

from pyjit_wasm import config
from pyjit_wasm.runtime import exec_env, holders, process
from pyjit_wasm.runtime.exceptions import kept_tags, payload, release, tag_of, word
from pyjit_wasm.runtime.layout import EXEC_ENV, EXN, RUNTIME, SCAN, TAG, THREAD

_held = set()  # addresses of exceptions; what was noted since the last collection is in the list of native code
# types of functions by the number of arguments; to make a type is slow, and CPython 3.12 dies where that has no memory
_BY_COUNT = [ctypes.PYFUNCTYPE(*[ctypes.c_uint64] * (1 + count)) for count in range(3)]
_collecting = allocate_lock()
_WORDS_FOR_ONE = 8      # a collection is worth looking at so many words for each exception that was noted


def hold(exn):
    """Note that wasm has a reference to an exception."""
    _native(RUNTIME.note_held, exn)


def _native(function, *arguments):
    """Call a function of the support object, which the RUNTIME struct names."""
    return _BY_COUNT[len(arguments)](process.get(function))(*arguments)


def collect(exn=0):
    """Free what is held and not referred to, except the exception `exn` and what it refers to. It does nothing while it is
    forbidden, or going on already (finalizers may call wasm)."""
    if _collecting.acquire(False):
        try:
            passed = holders.take_passed()
            try:
                _collect(exn, passed)
            finally:
                holders.put_passed(passed)
        finally:
            _collecting.release()


def _collect(exn, passed):
    alive = {exn, _take_list()}
    found = _look_for(_held.union(*passed.values()))
    if found is None:
        process.put(RUNTIME.held_limit, max(config.HELD_EXCEPTIONS, 2 * process.get(RUNTIME.held_count)))
        return
    marked, words = found
    alive |= marked & _held
    alive.update(env.get(EXEC_ENV.exception) for env in exec_env.live())
    marked |= _add_payloads(alive)
    dead = _held - alive
    functions = holders.forget(passed, marked)
    kept = len(_held) - len(dead) + config.HOST_FUNCTION_WEIGHT * functions
    process.put(RUNTIME.held_limit, max(config.HELD_EXCEPTIONS, 2 * kept, words // _WORDS_FOR_ONE))
    process.put(RUNTIME.held_count, kept)
    _release_all(dead)


def _release_all(dead):
    _held.difference_update(dead)
    for tag, count in Counter([word(exn + EXN.tag).value for exn in dead]).items():
        _native(RUNTIME.add, tag, -count)
    for exn in dead:
        release(exn)
    for tag in [tag for tag in kept_tags if not word(tag + TAG.held).value]:
        del kept_tags[tag]


def _take_list():
    """Move the list of native code to `_held`. Other threads may add to it meanwhile: its first element stays
    in the list, and must not be freed."""
    first = exn = process.get(RUNTIME.held)
    while exn:
        _held.add(exn)
        following = word(exn + EXN.next)
        exn, following.value = following.value, 0
    return first


def _look_for(numbers):
    """(those of `numbers` that are found where references can be, how many words were looked at), or None if it cannot be
    done now."""
    numbers, change = array("Q", sorted(numbers)), holders.last_change()
    marks, thread = bytearray(len(numbers)), process.this_thread() or 0
    places, envs = holders.all(), exec_env.live()   # so long they stay where they are
    ranges, addresses = array("Q", _ranges(places, thread)), array("Q", [env.address for env in envs])
    job = (ctypes.c_uint64 * (SCAN.size // 8))()
    for offset, value in (
            (SCAN.numbers, numbers.buffer_info()[0]), (SCAN.number_count, len(numbers)),
            (SCAN.marks, ctypes.addressof(ctypes.c_char.from_buffer(marks)) if marks else 0),
            (SCAN.ranges, ranges.buffer_info()[0]), (SCAN.range_count, len(ranges) // 2),
            (SCAN.stack_end, process.used_stack()[1]),
            (SCAN.envs, addresses.buffer_info()[0]), (SCAN.env_count, len(envs)), (SCAN.thread, thread)):
        job[offset // 8] = value
    if not _native(RUNTIME.scan, ctypes.addressof(job)) or holders.last_change() is not change:
        return None
    return {numbers[place] for place, mark in enumerate(marks) if mark}, sum(ranges[1::2]) - sum(ranges[::2]) >> 3


def _ranges(places, thread):
    """First and end, alternately, of memory that may hold references: `places`, and what this thread's values are in that do
    not fit registers."""
    if thread:
        yield from (thread, thread + THREAD.size + config.OVERFLOW)
    for holder in places:
        for first, count in holder.references():
            yield from (first, first + 8 * count)


def _add_payloads(alive):
    """What the payloads of living exceptions refer to is alive; all words in there."""
    waiting, seen = [exn for exn in alive if exn], set()
    while waiting:
        exn = waiting.pop()
        tag = tag_of(exn)
        words = set(payload(exn, tag.slots if tag else 0))
        fresh = _held.intersection(words) - alive
        seen |= words
        alive |= fresh
        waiting += fresh
    return seen
