"""Exceptions (spec 4.2.12): what is thrown, as generated code sees it, and how it crosses to Python and back.

An exception in flight is the address of an EXN struct from malloc: its tag, whether somebody holds a reference to
it, and its payload in frame slots. `catch` without a reference frees what nobody holds. A Python exception that a host
function raised travels as one of the tag PYTHON, which only `catch_all` catches.
"""
import ctypes
from functools import partial

from pyjit_wasm.runtime import freed, libc
from pyjit_wasm.runtime.layout import EXN, HELD, KEEPS_PYTHON, TAG
from pyjit_wasm.runtime.lease import Lease
from pyjit_wasm.runtime.services import provides
from pyjit_wasm.types import slots

kept_tags = {}  # TagInsts that only exceptions may refer to, by address


class TagInst:
    """A tag instance (spec 4.2.11) of `type` (TagType): its identity is its `address`, that of a TAG. `passed`: the functions
    that Python put into payloads; `keepers`: the instances that may find functions there. While exceptions are held, the address has a TagInst, of which there may be another one later."""

    def __init__(self, type, address=None):
        self.type, self.public, self.passed, self.keepers = type, None, {}, []
        place = libc.zeroed(TAG.size) if address is None else address
        self.address = Lease(place, partial(_without_instance, place, type))
        word(place + TAG.object).value = id(self)

    @property
    def slots(self):
        """Frame slots of the payload."""
        return slots(self.type.deftype.comp.params)

    @property
    def current_type(self):
        return self.type


def _without_instance(place, type, make=TagInst, kept=kept_tags, free=freed.heap, word=ctypes.c_uint64.from_address,
                      held=TAG.held):
    """A TagInst has gone, which nothing referred to but exceptions, perhaps. (While Python ends there are no globals.)"""
    if not word(place + held).value:
        free(place)
    elif make.__init__.__globals__["TAG"] is not None:
        kept[place] = make(type, place)


def tag_of(exn):
    """The TagInst of an exception; None for one of PYTHON."""
    address = word(exn + EXN.tag).value
    return None if address == PYTHON else ctypes.cast(word(address + TAG.object).value, ctypes.py_object).value


_python_tag = libc.permanent(ctypes.create_string_buffer(TAG.size))
PYTHON = ctypes.addressof(_python_tag)


@provides
def drop_exception(exn, *_):
    drop(exn)
    return 0


def word(address):
    return ctypes.c_uint64.from_address(address)


errors = {}  # the WasmExceptions that host functions raised, and their TagInsts, by address


def new(tag, words, error=None):
    """Address of a new exception of the tag at `tag` with payload `words`, which stands for `error`, a WasmException and its
    TagInst, or, with the tag PYTHON, for another one."""
    exn = libc.allocate(EXN.size + 8 * len(words))
    word(exn + EXN.tag).value, word(exn + EXN.held).value = tag, KEEPS_PYTHON
    if error is not None:
        errors[exn] = error
    for index, value in enumerate(words):
        word(exn + EXN.size + 8 * index).value = value
    return exn


def payload(exn, count):
    """The first `count` slots of an exception's payload."""
    return [word(exn + EXN.size + 8 * index).value for index in range(count)]


def drop(exn):
    """Free an exception unless wasm has a reference to it."""
    if word(exn + EXN.held).value != HELD:
        release(exn)


def release(exn):
    """Free an exception that nothing refers to any more."""
    errors.pop(exn, None)
    if word(exn + EXN.tag).value == PYTHON:
        ctypes.pythonapi.Py_DecRef(ctypes.cast(payload(exn, 1)[0], ctypes.py_object))
    freed.heap(exn)
