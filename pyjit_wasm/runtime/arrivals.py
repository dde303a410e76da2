"""Tells whoever listens of loaded code: of what there is already, and of what comes.

An object's `origin` says what its code is for people: `module` is the wasm Module it was compiled of, or None, and
`title(symbol, symbols)` gives (name, kind) of the function of a symbol, where `symbols` are all that the object defines. With a
module, `head(symbol)` is the byte offset where a function begins, or None.
"""
import weakref
from _thread import RLock

from pyjit_wasm import forks

_live, _listeners, _lock = weakref.WeakSet(), [], forks.kept(RLock(), "arrivals")


class Origin:
    """Of code that was compiled of no module: functions are named by their symbols. `kind`: what people call such code;
    `suffix`: what tells functions of several objects apart."""

    module = None

    def __init__(self, kind, suffix=""):
        self._kind, self._suffix = kind, suffix

    def title(self, symbol, symbols):
        return symbol.removeprefix("h.") + self._suffix, self._kind


def note(loaded):
    """A loader.Loaded is ready. Listeners know by weak references when it goes."""
    with _lock:
        _live.add(loaded)
        for listener in _listeners.copy():
            listener(loaded)


def listen(listener):
    """Have `listener(loaded)` called for each loader.Loaded, in this thread for those there are. What it raises comes out
    of `listen` and of `loader.load`."""
    with _lock:
        replay(listener)
        _listeners.append(listener)


def replay(listener):
    """Call `listener` for what there is."""
    for loaded in sorted(_live, key=lambda loaded: loaded.start):
        listener(loaded)


def dismiss(listener):
    """Tell a listener no more."""
    with _lock:
        _listeners.remove(listener)
