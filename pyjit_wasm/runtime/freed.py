"""What becomes of memory that is freed. Generated code has raw addresses, and one that is used too late finds the same bytes
most of the time. With `PYJIT_DEBUG=poison` in the environment, freed memory is overwritten, its pages are protected, and
nothing is ever there again: whatever comes too late is a fault. Structs have pages of their own then.
"""
import ctypes
import functools
import os

from pyjit_wasm import config
from pyjit_wasm.runtime import libc
from pyjit_wasm.runtime.lease import Lease

POISON = "poison" in os.environ.get(config.DEBUG_VARIABLE, "").split(",")
BYTE = 0xDD     # what is freed consists of these
_PAGE = libc.MACHINE_PAGE


def _poison_heap(address, fill=ctypes.memset, byte=BYTE, size=libc.usable_size):
    fill(address, byte, size(address))


# frees what `libc.allocate` or `libc.zeroed` gave
heap = _poison_heap if POISON else libc.free


# what runs in finalizers has all it needs as defaults: while Python ends there are no globals
def mapping(start, size, poison=POISON, protect=libc.set_protection, release=libc.release):
    """Give whole machine pages back; whether others may have the address."""
    if poison:
        protect(start, size, 0)
    else:
        release(start, size)
    return not poison


def words(count, *values):
    """`count` 64-bit words whose address others get to know, as a ctypes array that begins with `values`."""
    made = _in_pages(ctypes.c_uint64 * count) if POISON else (ctypes.c_uint64 * count)()
    if values:
        made[:len(values)] = values
    return made


def characters(data):
    """The same of the bytes `data`."""
    made = _in_pages(ctypes.c_char * len(data)) if POISON else (ctypes.c_char * len(data))()
    made[:] = bytes(data)
    return made


def pages(size):
    """`libc.pages`."""
    return _in_pages(ctypes.c_char * size) if POISON else libc.pages(size)


def _in_pages(kind):
    """An object of a ctypes type in pages of its own."""
    size = -(-max(ctypes.sizeof(kind), 1) // _PAGE) * _PAGE
    start = libc.reserve(size)
    libc.protect(start, size, libc.PROT_RW)
    made = _poisoned(kind).from_address(start)
    made.lease = Lease(start, functools.partial(_end_pages, start, size))
    return made


@functools.cache
def _poisoned(kind):
    """The type with room for a Lease, which `close` ends."""
    return type("Poisoned", (kind,), {"close": lambda self: setattr(self, "lease", None)})


def _end_pages(start, size, fill=ctypes.memset, byte=BYTE, protect=libc.set_protection):
    fill(start, byte, size)
    protect(start, size, 0)
