"""Kernels: plain Python functions over integers and arrays of them, compiled to native code.

What has to look at every byte of a large module is written once, in a small part of Python, and runs compiled. A kernel's
parameters are 64-bit integers, or arrays where they are annotated with the type of elements: u8, i32, i64. It has
local variables, `if`, `while`, `break`, `continue`, `return`, arithmetic without division, comparisons, `and`, `or`, `not`,
array elements, and calls of other kernels. Numbers wrap at 64 bits; `and`, `or` and `not` give 1 or 0. A kernel is Python too: with lists for arrays it does
the same, slowly.
"""
import ctypes
import functools

from pyjit_wasm.codegen import objects
from pyjit_wasm.runtime import arena, arrivals, loader


@functools.cache
def load(main, *others):
    """A function that runs the kernel `main`, which may call `others`. Arrays are what has a buffer (bytes are only read), or
    addresses."""
    identity = repr([_identity(f) for f in (*others, main)])
    laid_out = objects.build("kernel", identity, lambda: _source(main, others), "full")
    loaded = loader.load(laid_out, arena.host, {}, arrivals.Origin("kernel"))
    function = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * main.__code__.co_argcount)(loaded.symbols[main.__name__])
    function.loaded = loaded
    return lambda *arguments: function(*map(_argument, arguments))


def _argument(value):
    """A number or the address of an array's first element."""
    if isinstance(value, int):
        return value
    if isinstance(value, bytes):
        return ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p).value
    return ctypes.addressof(ctypes.c_char.from_buffer(value)) if len(value) else 0


def _identity(function):
    """What decides a kernel's code: reading sources would take longer than loading what was compiled."""
    code = function.__code__
    constants = sorted((name, value) for name in code.co_names if isinstance(value := function.__globals__.get(name), int))
    arrays = sorted((name, getattr(kind, "__name__", str(kind))) for name, kind in function.__annotations__.items())
    return code.co_name, code.co_code, code.co_consts, code.co_varnames, code.co_names, constants, arrays


def _source(main, others):
    from pyjit_wasm.codegen import kernel_text

    return kernel_text.source(main, others)
