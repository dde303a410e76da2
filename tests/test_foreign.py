"""C functions as imports: which are called natively, by which types, and what happens to the others."""
import ctypes
import shutil
import sys

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import foreign
from pyjit_wasm.types import functype
from pyjit_wasm.values import value_type

C = ctypes.CDLL(None)
INTS = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)


def wanted(text):
    """The FuncType of "i32 i64 -> f64"."""
    params, results = (map(value_type, side.split()) for side in text.split("->"))
    return functype(params, results).comp


def caller(text):
    """A module that passes on what it gets to the import `c.f` of that type."""
    params, results = text.split("->")
    signature = f"(param {params}) (result {results})"
    arguments = " ".join(f"(local.get {i})" for i in range(len(params.split())))
    return f"""(module (import "c" "f" (func $f {signature}))
      (func (export "run") {signature} (call $f {arguments})))"""


def declared(name, result, *params, library=C):
    function = library[name]
    function.argtypes, function.restype = params, result
    return function


def is_native(thing, text):
    return foreign.c_function(thing, wanted(text)) is not None


# --- ctypes

class Mine(ctypes.c_long):
    pass


CTYPES_64 = [ctypes.c_long, ctypes.c_ulong, ctypes.c_longlong, ctypes.c_ulonglong, ctypes.c_int64, ctypes.c_uint64,
             ctypes.c_size_t, ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int), INTS, Mine]
CTYPES_32 = [ctypes.c_int, ctypes.c_uint, ctypes.c_int32, ctypes.c_uint32]
CTYPES_OTHER = [ctypes.c_bool, ctypes.c_char, ctypes.c_byte, ctypes.c_short, ctypes.c_uint16, ctypes.c_longdouble,
                ctypes.py_object, ctypes.c_wchar]


@pytest.mark.parametrize("kind", CTYPES_64 + CTYPES_32 + CTYPES_OTHER, ids=lambda kind: kind.__name__)
def test_ctypes_by_size(kind):
    """Whether it is passed as C passes an i32 or i64; what is narrower or something else is left to ctypes."""
    width = "i64" if kind in CTYPES_64 else "i32" if kind in CTYPES_32 else None
    for prototype in (ctypes.CFUNCTYPE(None, kind), ctypes.CFUNCTYPE(kind)):
        found = foreign.c_function(prototype(ctypes.cast(C.abs, ctypes.c_void_p).value), wanted("->"))
        assert (found and {*found[1].params, *found[1].results}) == (width and {width})


def test_library_functions(load):
    strlen = declared("strlen", ctypes.c_size_t, ctypes.c_char_p)
    text = ctypes.create_string_buffer(b"seven..")
    assert is_native(strlen, "i64 -> i64")
    assert load(caller("i64 -> i64"), {"c": {"f": strlen}}).exports.run(ctypes.addressof(text)) == 7
    toupper = declared("toupper", ctypes.c_int, ctypes.c_int)
    assert load(caller("i32 -> i32"), {"c": {"f": toupper}}).exports.run(ord("q")) == ord("Q")
    ldexp = declared("ldexp", ctypes.c_double, ctypes.c_double, ctypes.c_int, library=ctypes.CDLL("libm.so.6"))
    assert load(caller("f64 i32 -> f64"), {"c": {"f": ldexp}}).exports.run(0.75, 5) == 24.0


def test_the_result_of_ctypes_is_int_if_not_declared():
    function = C["isdigit"]
    function.argtypes = [ctypes.c_int]
    assert foreign.c_function(function, wanted("i32 -> i32"))[1] == wanted("i32 -> i32")


def test_without_declaration_ctypes_calls(load):
    function = C["tolower"]
    assert not is_native(function, "i32 -> i32")
    assert load(caller("i32 -> i32"), {"c": {"f": function}}).exports.run(ord("Q")) == ord("q")


def test_narrow_types_are_called_through_python(load):
    narrow = ctypes.CFUNCTYPE(ctypes.c_int16, ctypes.c_uint8, ctypes.c_bool)(lambda a, b: -a if b else a)
    assert not is_native(narrow, "i32 i32 -> i32")
    run = load(caller("i32 i32 -> i32"), {"c": {"f": narrow}}).exports.run
    assert [run(7, 1), run(7, 0), run(256 + 7, 1)] == [-7, 7, -7]


def test_what_ctypes_does_around_a_call_is_kept(load):
    checked = declared("labs", ctypes.c_long, ctypes.c_long)
    checked = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)(ctypes.cast(checked, ctypes.c_void_p).value)
    assert is_native(checked, "i64 -> i64")
    checked.errcheck = lambda result, *_: result + 1
    assert not is_native(checked, "i64 -> i64")
    assert load(caller("i64 -> i64"), {"c": {"f": checked}}).exports.run(-5) == 6
    converted = declared("abs", str, ctypes.c_int)
    assert not is_native(converted, "i32 -> i32")
    assert not is_native(declared("close", ctypes.c_int, ctypes.c_int, library=ctypes.CDLL(None, use_errno=True)),
                         "i32 -> i32")
    assert not is_native(ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int)(int), "i32 -> i32")  # wants the GIL


def test_an_exception_in_a_callback_is_printed_by_ctypes(load, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_type))
    run = load(caller("i32 -> i32"), {"c": {"f": INTS(lambda n: 10 // n)}}).exports.run
    assert run(5) == 2 and seen == []
    run(0)
    assert seen == [ZeroDivisionError]


# --- cffi

@pytest.fixture
def ffi():
    return pytest.importorskip("cffi").FFI()


def test_cffi_libraries(load, ffi):
    ffi.cdef("long labs(long); int toupper(int); size_t strlen(const char *); double fabs(double);")
    library = ffi.dlopen(None)
    assert load(caller("i64 -> i64"), {"c": {"f": library.labs}}).exports.run(-7) == 7
    assert load(caller("i32 -> i32"), {"c": {"f": library.toupper}}).exports.run(97) == 65
    text = ffi.new("char[]", b"abc")
    assert load(caller("i64 -> i64"), {"c": {"f": library.strlen}}).exports.run(int(ffi.cast("size_t", text))) == 3
    assert load(caller("f64 -> f64"), {"c": {"f": ffi.dlopen("libm.so.6").fabs}}).exports.run(-0.5) == 0.5


CFFI_TYPES = {"enum color": "i32", "unsigned": "i32", "int32_t": "i32", "wchar_t": "i32", "ssize_t": "i64", "uintptr_t": "i64",
              "void *": "i64", "int(*)(int)": "i64", "unsigned long long": "i64", "float": "f32", "double": "f64",
              "short": None, "char": None, "_Bool": None, "long double": None, "float _Complex": None, "struct pair": None}


@pytest.mark.parametrize("kind", CFFI_TYPES)
def test_cffi_types_by_size(ffi, kind):
    ffi.cdef("enum color { RED, BLUE }; struct pair { int a, b; }; typedef int (*function)(int);")
    name = "function" if "(*)" in kind else kind
    for text in (f"void(*)({name})", f"{name}(*)(void)"):
        found = foreign.c_function(ffi.cast(text, 1), wanted("->"))
        expected = CFFI_TYPES[kind]
        assert (found and {*found[1].params, *found[1].results}) == (expected and {expected})


def test_variadic_functions_are_not_called_natively(ffi):
    ffi.cdef("int printf(const char *, ...);")
    assert not is_native(ffi.dlopen(None).printf, "i64 -> i32")


def test_a_callback(load, ffi):
    callback = ffi.callback("int(int, double)", lambda a, b: a + int(b))
    assert is_native(callback, "i32 f64 -> i32")
    assert load(caller("i32 f64 -> i32"), {"c": {"f": callback}}).exports.run(5, 2.5) == 7


def test_compiled_libraries(load, ffi, tmp_path, monkeypatch):
    """API mode: functions are built-in functions of Python, with the C function behind."""
    pytest.importorskip("setuptools")
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    monkeypatch.chdir(tmp_path)
    ffi.cdef("int twice(int); double half(double); struct pair { int a, b; }; int sum(struct pair); void stop(void);")
    ffi.set_source("_compiled_library", """
      struct pair { int a, b; };
      static int twice(int x) { return 2 * x; }
      static double half(double x) { return x / 2; }
      static int sum(struct pair p) { return p.a + p.b; }
      static void stop(void) {}""")
    ffi.compile(tmpdir=str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    from _compiled_library import ffi as compiled, lib

    for twice in (lib.twice, compiled.addressof(lib, "twice")):
        assert is_native(twice, "i32 -> i32")
        assert load(caller("i32 -> i32"), {"c": {"f": twice}}).exports.run(-21) == -42
    assert load(caller("f64 -> f64"), {"c": {"f": lib.half}}).exports.run(5) == 2.5
    assert is_native(lib.stop, "->") and not is_native(lib.sum, "i64 -> i32")
    with pytest.raises(wasm.LinkError, match="incompatible import type for c.f"):
        load(caller("i64 -> i64"), {"c": {"f": lib.twice}})


# --- what cannot be

def test_another_type(load):
    with pytest.raises(wasm.LinkError, match=r"type for c.f: .* wanted, a C function \[i32\] -> \[i32\] given"):
        load(caller("i64 -> i64"), {"c": {"f": INTS(abs)}})


def test_several_results(load):
    with pytest.raises(wasm.LinkError, match="a C function has one result at most"):
        load(caller("i32 -> i32 i32"), {"c": {"f": INTS(abs)}})


def test_null(load, ffi):
    for null in (INTS(), ffi.cast("int(*)(int)", 0)):
        with pytest.raises(wasm.LinkError, match="null pointer"):
            load(caller("i32 -> i32"), {"c": {"f": null}})


def test_other_builtin_functions_are_python(load):
    assert not is_native(abs, "i32 -> i32") and not is_native("abc".find, "i32 -> i32")
    assert load(caller("i32 -> i32"), {"c": {"f": abs}}).exports.run(-3) == 3


@pytest.mark.parametrize("place", range(14))
@pytest.mark.parametrize("kinds", ["i32", "i64", "f32", "f64", "i32 f64 i64 f32"])
def test_every_parameter_arrives(load, place, kinds):
    """More parameters than registers, of one kind and mixed; the C function gives one of them back."""
    kinds = (kinds.split() * 14)[:14]
    pytypes = {"i32": ctypes.c_int32, "i64": ctypes.c_int64, "f32": ctypes.c_float, "f64": ctypes.c_double}
    chosen = kinds[place]
    pick = ctypes.CFUNCTYPE(pytypes[chosen], *(pytypes[k] for k in kinds))(lambda *values: values[place])
    run = load(caller(" ".join(kinds) + f"-> {chosen}"), {"c": {"f": pick}}).exports.run
    assert run(*range(100, 114)) == 100 + place
