"""Exceptions (spec 4.2.12): what is thrown, as generated code sees it, and how it crosses to Python and back.

An exception in flight is the address of an EXN struct from malloc: its tag, whether somebody holds a reference to
it, and its payload in frame slots. `catch` without a reference frees what nobody holds. A Python exception that a host
function raised travels as one of the tag PYTHON, which only `catch_all` catches.
"""
import ctypes
import weakref

from pyjit_wasm.runtime import libc
from pyjit_wasm.runtime.layout import EXN, HELD, KEEPS_PYTHON
from pyjit_wasm.runtime.services import provides
from pyjit_wasm.types import slots



tags = weakref.WeakValueDictionary()  # by address
kept_tags = {}  # those that only exceptions may refer to
holders = weakref.WeakSet()  # tables and globals of references to exceptions; `references()` gives those


class TagInst:
    """A tag instance (spec 4.2.11) of `type` (TagType): its identity is its `address`. `passed`: the functions that Python
    put into payloads."""

    address = 0     # of one whose `__init__` an exception ended

    def __init__(self, type):
        self.type, self.public, self.passed = type, None, {}
        self._word = ctypes.create_string_buffer(8)
        self.address = ctypes.addressof(self._word)
        tags[self.address] = self

    def __del__(self):
        """Its word counts the exceptions of this tag that wasm has references to."""
        if self.address and word(self.address).value:
            kept_tags[self.address] = self

    @property
    def slots(self):
        """Frame slots of the payload."""
        return slots(self.type.deftype.comp.params)

    @property
    def current_type(self):
        return self.type


def tag_of(exn):
    """The TagInst of an exception; None for one of PYTHON."""
    address = word(exn + EXN.tag).value
    return tags.get(address) or kept_tags.get(address)


def note_holder(inst, reftype):
    """A table or global may hold references of that type."""
    if reftype.heap in ("exn", "noexn"):
        holders.add(inst)


_python_tag = libc.permanent(ctypes.create_string_buffer(8))
PYTHON = ctypes.addressof(_python_tag)


@provides
def drop_exception(exn, *_):
    drop(exn)
    return 0


def word(address):
    return ctypes.c_uint64.from_address(address)


errors = {}  # the WasmExceptions that host functions raised, by address


def new(tag, words, error=None):
    """Address of a new exception of the tag at `tag` with payload `words`, which stands for the WasmException `error` or, with
    the tag PYTHON, for another one."""
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
    libc.free(exn)
