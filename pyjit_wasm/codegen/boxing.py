"""Python objects to native values and back, as IR. References go through services."""
import sys

from pyjit_wasm.codegen.abi import BUFFER_VIEW, CHECKED, REFERENCE_KIND
from pyjit_wasm.codegen.support import call_python
from pyjit_wasm.codegen.text import VECTOR
from pyjit_wasm.runtime.layout import RUNTIME, SERVICE


def unbox(f, letter, value, failed, func, position):
    """The native value of a Python object; branches to `failed` with a Python exception set. `func` and `position`
    tell which type a reference must have: a FUNC, and the parameter's index, or ~index of a result."""
    if letter in "fF":
        number = f.let(f"call double @PyFloat_AsDouble(ptr {value})")
        _fail_if_error(f, f.let(f"fcmp oeq double {number}, -1.0"), failed)
        return number if letter == "F" else f.let(f"fptrunc double {number} to float")
    if letter in REFERENCE_KIND:
        holder = f.let(f"ptrtoint ptr {func} to i64")
        numbers = [SERVICE["to_ref"], REFERENCE_KIND[letter], holder]
        if letter in CHECKED:
            numbers = [SERVICE["to_checked_ref"], holder, position]
        which, *rest = [f.let(f"call ptr @PyLong_FromLongLong(i64 {number})") for number in numbers]
        f.do(f"call void @Py_IncRef(ptr {value})")
        handle = call_python(f, RUNTIME.service, [which, value, *rest])
        f.unlikely(f.let(f"icmp eq ptr {handle}, null"), failed)
        reference = f.let(f"call i64 @PyLong_AsLongLong(ptr {handle})")
        f.do(f"call void @Py_DecRef(ptr {handle})")
        return reference
    if letter == "v":
        return _bytes(f, value, failed)
    number = f.let(f"call i64 @PyLong_AsLongLong(ptr {value})")
    suspect = f.let(f"icmp eq i64 {number}, -1")
    if letter == "i":
        _fail_if_error(f, suspect, failed)
        shifted = f.let(f"add i64 {number}, {1 << 31}")
        f.unlikely(f.let(f"icmp uge i64 {shifted}, {3 << 31}"), failed + ".width")
        return f.let(f"trunc i64 {number} to i32")
    return _unsigned_too(f, value, number, suspect, failed)


def release(f, value):
    """Give up a reference to a Python object, as Py_DECREF does; a call of Py_DecRef takes longer. An object begins with the
    count; since Python 3.12 it has 32 bits and is negative where the object stays."""
    if hasattr(sys, "gettotalrefcount"):    # a debug build counts more
        f.do(f"call void @Py_DecRef(ptr {value})")
        return
    type = "i64" if sys.version_info < (3, 12) else "i32"
    gone, kept = f.new_label("gone"), f.new_label("kept")
    count = f.load(type, value)
    if type == "i32":
        mortal = f.new_label("mortal")
        f.branch(f.let(f"icmp slt i32 {count}, 0"), kept, mortal)
        f.label(mortal)
    left = f.let(f"sub {type} {count}, 1")
    f.store(type, left, value)
    f.branch(f.let(f"icmp eq {type} {left}, 0"), gone, kept)
    f.label(gone)
    f.do(f"call void @_Py_Dealloc(ptr {value})")
    f.do(f"br label %{kept}")
    f.label(kept)


def _bytes(f, value, failed):
    """The 16 bytes of an object with a buffer."""
    size, buf, length = BUFFER_VIEW
    view = f.let(f"alloca [{size} x i8], align 8")
    status = f.let(f"call i32 @PyObject_GetBuffer(ptr {value}, ptr {view}, i32 0)")
    f.unlikely(f.let(f"icmp ne i32 {status}, 0"), failed)
    fits = f.let(f"icmp eq i64 {f.load('i64', view, length)}, 16")
    good, bad = f.new_label("good"), f.new_label("bad")
    f.branch(fits, good, bad)
    f.label(bad)
    f.do(f"call void @PyBuffer_Release(ptr {view})")
    f.do(f"br label %{failed}.length")
    f.label(good)
    vector = f.let(f"load {VECTOR}, ptr {f.load('ptr', view, buf)}, align 1")
    f.do(f"call void @PyBuffer_Release(ptr {view})")
    return vector


def _fail_if_error(f, suspect, failed):
    look, fine = f.new_label("look"), f.new_label("fine")
    f.do(f"br i1 {suspect}, label %{look}, label %{fine}, !prof !0")
    f.label(look)
    error = f.let("call ptr @PyErr_Occurred()")
    f.branch(f.let(f"icmp eq ptr {error}, null"), fine, failed)
    f.label(fine)


def _unsigned_too(f, value, number, suspect, failed):
    """An i64 may also be given as an unsigned number of 64 bits."""
    before, look, again, fine = (f.new_label(h) for h in ("before", "look", "again", "fine"))
    f.do(f"br label %{before}")
    f.label(before)
    f.do(f"br i1 {suspect}, label %{look}, label %{fine}, !prof !0")
    f.label(look)
    error = f.let("call ptr @PyErr_Occurred()")
    overflow = f.new_label("overflow")
    f.branch(f.let(f"icmp eq ptr {error}, null"), fine, overflow)
    f.label(overflow)
    exception = f.load("ptr", "@PyExc_OverflowError")
    matches = f.let(f"call i32 @PyErr_ExceptionMatches(ptr {exception})")
    f.branch(f.let(f"icmp eq i32 {matches}, 0"), failed, again)
    f.label(again)
    f.do("call void @PyErr_Clear()")
    index = f.let(f"call ptr @PyNumber_Index(ptr {value})")  # an int, whose value does not fit an i64
    unsigned = f.let(f"call i64 @PyLong_AsUnsignedLongLong(ptr {index})")
    f.do(f"call void @Py_DecRef(ptr {index})")
    error = f.let("call ptr @PyErr_Occurred()")
    end = f.new_label("end")
    f.branch(f.let(f"icmp eq ptr {error}, null"), end, failed)
    f.label(end)
    f.do(f"br label %{fine}")
    f.label(fine)
    return f.let(f"phi i64 [ {number}, %{before} ], [ -1, %{look} ], [ {unsigned}, %{end} ]")


def box(f, letter, value):
    """A new Python object (or null with an exception set) for a native value."""
    if letter == "i":
        value, letter = f.let(f"sext i32 {value} to i64"), "I"
    if letter == "f":
        value, letter = f.let(f"fpext float {value} to double"), "F"
    if letter == "I":
        return f.let(f"call ptr @PyLong_FromLongLong(i64 {value})")
    if letter == "F":
        return f.let(f"call ptr @PyFloat_FromDouble(double {value})")
    if letter == "v":
        place = f.let(f"alloca {VECTOR}")
        f.store(VECTOR, value, place)
        return f.let(f"call ptr @PyBytes_FromStringAndSize(ptr {place}, i64 16)")
    numbers = (SERVICE["from_ref"], value, REFERENCE_KIND[letter])
    boxed = [f.let(f"call ptr @PyLong_FromLongLong(i64 {v})") for v in numbers]
    return call_python(f, RUNTIME.service, boxed)


def size_errors(f, failed):
    """Where `unbox` goes with a number or bytes of the wrong size; leads on to `failed`."""
    for size, error in (("width", "OverflowError"), ("length", "ValueError")):
        f.label(f"{failed}.{size}")
        f.do(f"call void @PyErr_SetString(ptr {f.load('ptr', f'@PyExc_{error}')}, ptr @{size})")
        f.do(f"br label %{failed}")
