"""Addresses whose memory is given back when nothing refers to them any more.

Python's collector runs the finalizers of all that is in a garbage cycle, in any order, before it takes the cycle apart, and
one of them may still call wasm. What gives memory back is therefore hidden from the collector: it dies with the
last reference to it, when nothing that uses the memory is left.
"""
import ctypes

_untrack = ctypes.pythonapi.PyObject_GC_UnTrack
_untrack.restype, _untrack.argtypes = None, [ctypes.py_object]

_returns = {}  # by address


def _nothing():
    """What there is to give back of something that was given back."""


class Lease(int):
    """The address of something; `give_back` is called without arguments when the last reference to the Lease goes, or at once
    if an exception comes before there is one."""

    __slots__ = ()  # a reference to something else would have to be known to the collector

    def __new__(cls, address, give_back):
        try:
            _returns[address] = give_back
            self = super().__new__(cls, address)
        except BaseException:   # of a signal handler too: then the Lease may have been made, and have gone
            _returns.pop(address, _nothing)()
            raise
        _untrack(self)      # if this fails `__del__` runs
        return self

    def __del__(self, returns=_returns):
        returns.pop(self)()
