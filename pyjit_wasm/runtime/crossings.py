"""References on their way between Python and wasm: bare addresses in a local variable of Python, in a register, on a machine
stack, where nothing keeps what they refer to. While there are any, nothing is collected (`runtime.collector`).

Entries of functions that take or return references count their crossings at RUNTIME.crossings; Python's are here.
"""
import ctypes

from pyjit_wasm import config
from pyjit_wasm.runtime import libc, process
from pyjit_wasm.runtime.layout import RUNTIME
from pyjit_wasm.runtime.services import provides

_open = libc.permanent([])  # an element for each; appending and popping cannot be interrupted by other threads
_count = libc.permanent(ctypes.c_uint64())
process.put(RUNTIME.crossings, ctypes.addressof(_count))
process.put(RUNTIME.open_crossings, id(_open) + object.__basicsize__)   # where CPython has a list's length


process.put(RUNTIME.held_limit, config.HELD_EXCEPTIONS)


@provides
def collect_exceptions(exn, *_):
    """Free what is held and not referred to, but the exception `exn` and what it refers to."""
    from pyjit_wasm.runtime.collector import collect    # imported when the first collection is due

    collect(exn & 0xFFFFFFFFFFFFFFFF)
    return 0


def collect_if_due():
    """Where no references are on their way but on the machine stack of this thread."""
    if not _open and process.get(RUNTIME.held_count) >= process.get(RUNTIME.held_limit):
        collect_exceptions(0)


class _UnderWay:
    """Context manager around Python code that has references as numbers."""

    def __enter__(self):
        _open.append(None)

    def __exit__(self, *_):
        _open.pop()


class _Crossing(_UnderWay):
    """The same of what does not have any yet: it is time to collect if it is due."""

    def __enter__(self):
        collect_if_due()
        _open.append(None)


under_way, crossing = _UnderWay(), _Crossing()
