"""Exceptions that wasm took references to are freed here, when there have been many.

The collection is conservative: any word on this thread's machine stack, in the used part of an exec_env's stack buffer,
or in a table or global of that type counts as a reference if it looks like one. While other threads run wasm,
nothing is freed.
"""
import ctypes
from array import array
from collections import Counter

from pyjit_wasm import config
from pyjit_wasm.runtime import exec_env, process
from pyjit_wasm.runtime.exceptions import holders, kept_tags, payload, release, tag_of, word
from pyjit_wasm.runtime.layout import EXN, RUNTIME
from pyjit_wasm.runtime.services import provides

process.put(RUNTIME.held_limit, config.HELD_EXCEPTIONS)
# types of functions by the number of arguments; to make a type is slow, and CPython 3.12 dies where that has no memory
_BY_COUNT = [ctypes.PYFUNCTYPE(*[ctypes.c_uint64] * (1 + count)) for count in range(3)]
_held = set()  # addresses of what is held; what was noted since the last collection is in the list of native code


def hold(exn):
    """Note that wasm has a reference to an exception."""
    if _native(RUNTIME.note_held, exn) >= process.get(RUNTIME.held_limit):
        collect_exceptions(exn)


def _native(function, *arguments):
    """Call a function of the support object, which the RUNTIME struct names."""
    return _BY_COUNT[len(arguments)](process.get(function))(*arguments)


@provides
def collect_exceptions(exn, *_):
    """Free what is held and not referred to, except `exn`."""
    exn &= 0xFFFFFFFFFFFFFFFF
    alive = {exn, _take_list()}
    if exec_env.in_other_threads():
        alive |= _held
    else:
        for words in _roots():
            alive.update(_held.intersection(words))
        _add_payloads(alive)
        _release_all(_held - alive)
    process.put(RUNTIME.held_limit, max(config.HELD_EXCEPTIONS, 2 * len(alive)))
    process.put(RUNTIME.held_count, len(alive))
    return 0


def _release_all(dead):
    _held.difference_update(dead)
    for tag, count in Counter([word(exn + EXN.tag).value for exn in dead]).items():
        _native(RUNTIME.add, tag, -count)
    for exn in dead:
        release(exn)
    for tag in [tag for tag in kept_tags if not word(tag).value]:
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


def _roots():
    """Arrays of words that may be references."""
    frame, end = process.used_stack()
    yield _words(frame, end - frame)
    for env in exec_env.live():
        yield env.words()
        yield _words(env.stack, env.top - env.stack)
    for holder in list(holders):
        yield holder.references()


def _words(address, size):
    return array("Q", ctypes.string_at(address, size & ~7))


def _add_payloads(alive):
    """What the payloads of living exceptions refer to is alive."""
    waiting = [exn for exn in alive if exn]
    while waiting:
        exn = waiting.pop()
        tag = tag_of(exn)
        fresh = _held.intersection(payload(exn, tag.slots if tag else 0)) - alive
        alive |= fresh
        waiting += fresh
