"""Python objects to native values and back, as IR. References go through services."""
import sys

from pyjit_wasm.codegen.abi import BUFFER_VIEW, CHECKED, REFERENCE_KIND
from pyjit_wasm.codegen.python_calls import call_python, new_integers
from pyjit_wasm.codegen.text import VECTOR, Function
from pyjit_wasm.runtime.layout import RUNTIME, SERVICE

_TYPE = object.__basicsize__ - 8    # of an object: offset of its type


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
        which, *rest = new_integers(f, numbers)
        f.do(f"call void @Py_IncRef(ptr {value})")
        handle = call_python(f, RUNTIME.service, [which, value, *rest])
        f.unlikely(f.let(f"icmp eq ptr {handle}, null"), failed)
        reference = f.let(f"call i64 @PyLong_AsLongLong(ptr {handle})")
        f.do(f"call void @Py_DecRef(ptr {handle})")
        return reference
    if letter == "v":
        return _bytes(f, value, failed)
    number = _integer(f, value, letter == "I", failed)
    if letter == "I":
        return number
    shifted = f.let(f"add i64 {number}, {1 << 31}")
    f.unlikely(f.let(f"icmp uge i64 {shifted}, {3 << 31}"), failed + ".width")
    return f.let(f"trunc i64 {number} to i32")


def _integer(f, value, unsigned_too, failed):
    """The i64 of a Python integer; what is no plain int that fits is left to `rt_integer`."""
    plain, other, asked, fine = (f.new_label(h) for h in ("plain", "other", "asked", "fine"))
    type = f.load("ptr", value, _TYPE)
    f.do(f"br i1 {f.let(f'icmp ne ptr {type}, @PyLong_Type')}, label %{other}, label %{plain}, !prof !0")
    f.label(plain)
    number = f.let(f"call i64 @PyLong_AsLongLong(ptr {value})")
    f.do(f"br i1 {f.let(f'icmp eq i64 {number}, -1')}, label %{other}, label %{fine}, !prof !0")
    f.label(other)
    answer = f.let(f"call i64 @rt_integer(ptr {value}, i1 {int(unsigned_too)})")
    _fail_if_error(f, f.let(f"icmp eq i64 {answer}, -1"), failed)
    f.do(f"br label %{asked}")
    f.label(asked)
    f.do(f"br label %{fine}")
    f.label(fine)
    return f.let(f"phi i64 [ {number}, %{plain} ], [ {answer}, %{asked} ]")


def integer():
    """`rt_integer(object, unsigned too) -> i64`: the value of an int or of what has `__index__`, which is called first and once:
    its exceptions come out. An i64 may also be given as an unsigned number of 64 bits. -1 with a Python exception set."""
    f = Function("i64", "rt_integer", "ptr %value, i1 %unsigned")
    f.do("call void @PyErr_Clear()")    # where the caller has tried
    index = f.let("call ptr @PyNumber_Index(ptr %value)")
    f.unlikely(f.let(f"icmp eq ptr {index}, null"), "failed")
    number = f.let(f"call i64 @PyLong_AsLongLong(ptr {index})")
    f.do("br label %signed")
    f.label("signed")
    error = f.let("call ptr @PyErr_Occurred()")
    again = f.let(f"and i1 {f.let(f'icmp ne ptr {error}, null')}, %unsigned")    # only OverflowError: it is an int
    f.branch(again, "again", "done")
    f.label("again")
    f.do("call void @PyErr_Clear()")
    wide = f.let(f"call i64 @PyLong_AsUnsignedLongLong(ptr {index})")
    f.do("br label %done")
    f.label("done")
    result = f.let(f"phi i64 [ {number}, %signed ], [ {wide}, %again ]")
    f.do(f"call void @Py_DecRef(ptr {index})")
    f.do(f"ret i64 {result}")
    f.label("failed")
    f.do("ret i64 -1")
    return str(f)


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
    return call_python(f, RUNTIME.service, new_integers(f, numbers))


def box_all(f, letters, values, failed):
    """`box` for each: new Python objects; branches to `failed` with a Python exception set, and without any."""
    boxed, cleanups = [], []
    for letter, value in zip(letters, values):
        item, unmade = box(f, letter, value), f.new_label("unmade")
        f.unlikely(f.let(f"icmp eq ptr {item}, null"), unmade)
        boxed.append(item)
        cleanups.append(unmade)
    made = f.new_label("made")
    f.do(f"br label %{made}")
    for index in reversed(range(len(boxed))):   # falls from what could not be made to the first
        f.label(cleanups[index])
        if index:
            f.do(f"call void @Py_DecRef(ptr {boxed[index - 1]})")
        f.do(f"br label %{cleanups[index - 1] if index else failed}")
    f.label(made)
    return boxed


def size_errors(f, failed):
    """Where `unbox` goes with a number or bytes of the wrong size; leads on to `failed`."""
    for size, error in (("width", "OverflowError"), ("length", "ValueError")):
        f.label(f"{failed}.{size}")
        f.do(f"call void @PyErr_SetString(ptr {f.load('ptr', f'@PyExc_{error}')}, ptr @{size})")
        f.do(f"br label %{failed}")
