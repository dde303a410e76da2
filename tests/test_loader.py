"""Objects that LLVM makes are laid out, kept as plain values, and loaded."""
import ctypes
import marshal
import struct

import pytest

from pyjit_wasm.codegen import native
from pyjit_wasm.codegen.llvm import compile_ir
from pyjit_wasm.errors import InternalError
from pyjit_wasm.runtime import arena, arrivals, elf, loader

SOURCE = """
@table = internal constant [4 x i64] [i64 11, i64 22, i64 33, i64 44]
@pointer = internal constant ptr getelementptr ([4 x i64], ptr @table, i64 0, i64 2)
@zeros = internal global [100 x i64] zeroinitializer
@near = external hidden global i64
@known = external global i64
declare i64 @labs(i64)
declare i64 @given(i64)
define internal i64 @inner(i64 %x) noinline { %y = mul i64 %x, 3
  ret i64 %y }
define i64 @element(i64 %i) { %p = getelementptr [4 x i64], ptr @table, i64 0, i64 %i
  %v = load volatile i64, ptr %p
  ret i64 %v }
define i64 @through() { %p = load volatile ptr, ptr @pointer
  %v = load i64, ptr %p
  ret i64 %v }
define i64 @zero(i64 %i) { %p = getelementptr [100 x i64], ptr @zeros, i64 0, i64 %i
  %v = load volatile i64, ptr %p
  ret i64 %v }
define i64 @calls(i64 %x) { %y = call i64 @inner(i64 %x)
  %z = call i64 @labs(i64 %y)
  ret i64 %z }
define i64 @got() { %v = load volatile i64, ptr @known
  ret i64 %v }
define i64 @far(i64 %x) { %y = call i64 @given(i64 %x)
  ret i64 %y }
USE_NEAR
"""
NEAR = "define i64 @direct() { %v = load volatile i64, ptr @near\n ret i64 %v }"


def laid_out(near=""):
    found = elf.lay_out(compile_ir(SOURCE.replace("USE_NEAR", near), "code"))
    return elf.Object(*marshal.loads(marshal.dumps(found.fields)))


def load(laid_out, **externals):
    return loader.load(laid_out, arena.host, externals, arrivals.Origin("test"))


def function(loaded, name, *arguments):
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))(loaded.symbols[name])(*arguments)


@pytest.fixture
def externals():
    """What the object wants, far from any code."""
    number = ctypes.c_int64(77)
    given = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda x: x + 1000)
    yield {"known": ctypes.addressof(number), "given": ctypes.cast(given, ctypes.c_void_p).value}
    del given, number


def test_two_copies_run(externals):
    """One Object can be loaded more than once. Functions of the C library are far too."""
    code = laid_out()
    for loaded in (load(code, **externals), load(code, **externals)):
        assert [function(loaded, "element", i) for i in range(4)] == [11, 22, 33, 44]
        assert function(loaded, "through") == 33 and function(loaded, "zero", 99) == 0
        assert function(loaded, "calls", -5) == 15 and function(loaded, "got") == 77
        assert function(loaded, "far", 5) == 1005
        names = {name: (address, size) for address, size, name in loaded.functions()}
        assert {"inner", "element", "through", "zero", "calls", "got", "far"} == set(names)
        assert all(address == loaded.symbols[name] and size > 0 for name, (address, size) in names.items() if name != "inner")
        assert all(loaded.text[0] <= address < loaded.text[1] for address, _ in names.values())


def test_near_calls_are_direct(externals):
    """No jump leads to what is within reach."""
    support = native.load_support()["rt_link"]
    loaded = load(laid_out(), **externals | {"given": support})
    code = ctypes.string_at(loaded.symbols["far"], 40)
    calls = [loaded.symbols["far"] + i + 5 + struct.unpack_from("<i", code, i + 1)[0]
             for i in range(len(code) - 5) if code[i] in (0xE8, 0xE9)]
    assert support in calls


def test_out_of_reach(externals):
    near, used = laid_out(NEAR), arena.host.used
    for address in (4096, 1 << 62):
        with pytest.raises(InternalError, match="does not reach"):
            load(near, near=address, **externals)
        assert arena.host.used == used
    inside = load(laid_out(), **externals)
    number = ctypes.string_at(inside.start, 8)
    assert function(load(near, near=inside.start, **externals), "direct") == int.from_bytes(number, "little", signed=True)


def test_errors(externals):
    with pytest.raises(InternalError, match="unknown symbol: given"):
        load(laid_out(), known=externals["known"])
    with pytest.raises(InternalError, match="not a relocatable"):
        elf.lay_out(b"\x7fELF" + bytes(100))
