"""Exceptions that wasm took references to are freed here, when there have been many.

The collection is conservative: any word on this thread's machine stack, in the used part of an exec_env's stack buffer,
or in a table or global of that type counts as a reference if it looks like one. While other threads run wasm,
nothing is freed.
"""
import ctypes
from array import array

from pyjit_wasm import config
from pyjit_wasm.runtime import exec_env, process
from pyjit_wasm.runtime.exceptions import holders, payload, release, tags, word
from pyjit_wasm.runtime.layout import EXN, HELD, RUNTIME
from pyjit_wasm.runtime.services import provides

_held = set()  # addresses of all that are held; those that native code noted last are still in its list
process.put(RUNTIME.held_limit, config.HELD_EXCEPTIONS)


def hold(exn):
    """Note that wasm has a reference to an exception."""
    if word(exn + EXN.held).value != HELD:
        word(exn + EXN.held).value = HELD
        _held.add(exn)
        if len(_held) >= process.get(RUNTIME.held_limit):
            collect_exceptions(exn)


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
        for dead in _held - alive:
            _held.remove(dead)
            release(dead)
    process.put(RUNTIME.held_limit, max(config.HELD_EXCEPTIONS, 2 * len(alive)))
    process.put(RUNTIME.held_count, len(alive))
    return 0


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
        tag = tags.get(word(exn + EXN.tag).value)
        fresh = _held.intersection(payload(exn, tag.slots if tag else 0)) - alive
        alive |= fresh
        waiting += fresh
