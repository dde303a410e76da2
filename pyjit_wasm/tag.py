"""wasm.Tag, and exceptions that cross between wasm and Python."""
from __future__ import annotations

import ctypes

from pyjit_wasm import config
from pyjit_wasm.errors import WasmError, WasmException
from pyjit_wasm.runtime import exceptions, exec_env, trace
from pyjit_wasm.runtime.crossings import under_way
from pyjit_wasm.runtime.exceptions import PYTHON, TagInst, word
from pyjit_wasm.runtime.layout import EXN
from pyjit_wasm.runtime.services import provides
from pyjit_wasm.types import TagType, functype
from pyjit_wasm.values import from_bits, from_words, to_bits, to_words, value_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pyjit_wasm.values import ValueTypeName


class Tag:
    """A tag (spec 4.2.11), which tells exceptions apart: `Tag(params)` with the value types of their payload. TypeError
    for others. Can be imported and exported; `WasmException(tag, *payload)` raised by a host function is thrown in wasm.

    A pickled tag, for instance that of a WasmException which goes to another process, becomes a new tag of that type.
    """

    __slots__ = ("_inst", "__weakref__")

    def __new__(cls, params: Iterable[ValueTypeName] = ()) -> Tag:
        return _of_store(TagInst(TagType(functype(map(value_type, params), ()))))

    @property
    def type(self) -> TagType:
        """TagType."""
        return self._inst.type

    def __reduce__(self) -> tuple[Any, ...]:
        return Tag, (self.type.deftype.comp.params,)

    def __repr__(self) -> str:
        return f"<wasm tag: {' '.join(map(str, self.type.deftype.comp.params))}>"


def _of_store(inst):
    if inst.public is None:
        inst.public = object.__new__(Tag)
        inst.public._inst = inst
    return inst.public


public = _of_store


def _words(tag, values):
    """A payload as frame slots. TypeError or OverflowError for what the tag's type does not have."""
    params, values = tag.type.deftype.comp.params, tuple(values)
    if len(values) != len(params):
        raise TypeError(f"{tag.public!r} takes {len(params)} values ({len(values)} given)")
    return [word for t, v in zip(params, values) for word in to_words(t, to_bits(t, v, tag))]


def _values(tag, exn):
    params = tag.type.deftype.comp.params
    return [from_bits(t, bits) for t, bits in zip(params, from_words(params, exceptions.payload(exn, tag.slots)))]


def reference(error):
    """A reference to the exception that a Python exception is in wasm."""
    from pyjit_wasm.runtime.collector import hold

    exn = take_exception(error) if isinstance(error, BaseException) else 0
    if not exn:
        raise TypeError(f"an exception or None is required, not {type(error).__name__}")
    hold(exn)
    return exn


def error_of(exn):
    """The Python exception of one in wasm."""
    if word(exn + EXN.tag).value == PYTHON:
        return ctypes.py_object.from_address(exn + EXN.size).value
    known = exceptions.errors.get(exn)
    if known is not None:
        return known[0]
    inst = exceptions.tag_of(exn)
    return WasmException(_of_store(inst), *_values(inst, exn))


@provides
def exception_error(exn, address, *_):
    """The Python exception of what nothing in wasm caught, to be raised by who asks. The exec_env at `address` has noted the
    frames that it went through."""
    exn &= 0xFFFFFFFFFFFFFFFF
    with under_way:
        error, env = error_of(exn), exec_env.at(address)
        exceptions.drop(exn)
    if env is not None and error.__traceback__ is None:
        error._frames = trace.frames(env.take_trace()[1:], most=config.THROW_TRACE - 1)
        exec_env.show(error, env, error._frames)
        env.forget_trace()
    return error


@provides
def take_exception(error, *_):
    """Address of the exception that a host function's Python exception is in wasm, or 0 for what wasm does not
    catch: traps, exits, interrupts."""
    env = exec_env.current()
    if env is not None:
        env.forget_trace()  # of one that may have had the address of the new one
    if isinstance(error, WasmException):
        if not isinstance(error.tag, Tag):
            raise TypeError(f"the tag of a WasmException is a Tag, not {type(error.tag).__name__}")
        inst = error.tag._inst
        with under_way:
            return exceptions.new(inst.address, _words(inst, error.payload), (error, inst))
    if not isinstance(error, Exception) or isinstance(error, WasmError):
        return 0
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(error))
    return exceptions.new(PYTHON, [id(error)])
