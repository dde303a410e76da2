"""Memory objects as Python sees them: the buffer protocol, indices and slices, and copies, as IR.

What an argument's own Python code does (`__index__`, giving a buffer) happens first; then the size is read and bounds are
checked. A memory only grows and its base never moves, so a long copy needs no GIL: the caller holds the object.
"""
from pyjit_wasm.codegen.abi import BUFFER_VIEW
from pyjit_wasm.codegen.text import Function
from pyjit_wasm.config import COPY_WITHOUT_GIL
from pyjit_wasm.runtime.layout import MEM

_DECLARATIONS = """
@PySlice_Type = external global i8
@PyExc_IndexError = external global ptr
@PyExc_TypeError = external global ptr
@PyExc_ValueError = external global ptr
@_Py_NoneStruct = external global i8
declare i64 @PyNumber_AsSsize_t(ptr, ptr) nounwind
declare i32 @PySlice_Unpack(ptr, ptr, ptr, ptr) nounwind
declare i64 @PySlice_AdjustIndices(i64, ptr, ptr, i64) nounwind
declare ptr @PyBytes_AsString(ptr) nounwind
"""
_ERRORS = {  # label: exception, message
    "unmade": ("BufferError", "the memory is no more"),
    "outside": ("IndexError", "outside the memory"),
    "deletion": ("TypeError", "bytes of a memory cannot be deleted"),
    "byte": ("ValueError", "a byte is a number from 0 to 255"),
    "length": ("ValueError", "bytes of a memory can only be replaced by as many others"),
    "arity": ("TypeError", "two arguments are required"),
}
_READ, _WRITE = 0, 1  # flags of PyObject_GetBuffer


class _Slot(Function):
    """A C function that CPython calls with a memory as `self`; a failure ends with a Python exception set."""

    def __init__(self, name, params, mem_offset, result="ptr", failure="null"):
        super().__init__(result, name, f"ptr %self{params}")
        self.failure, self.targets = f"ret {result} {failure}", {}
        self.mem = self.load("ptr", "%self", mem_offset)
        self.fail_if(f"icmp eq ptr {self.mem}, null", "unmade")

    def fail_if(self, condition, label):
        """Go to one of `_ERRORS`, to "failed" with a Python exception set, or to a label of the caller's."""
        self.targets[label] = True
        self.unlikely(self.let(condition), label)

    def extent(self):
        """(base, bytes) of the memory as it is now."""
        return self.load("ptr", self.mem, MEM.base), self.load("i64", self.mem, MEM.bytes)

    def number(self, thing, overflow="null"):
        """A Python integer; one that no i64 holds becomes the nearest that one does, or raises `overflow`."""
        found = self.let(f"call i64 @PyNumber_AsSsize_t(ptr {thing}, ptr {overflow})")
        look, fine = self.new_label("look"), self.new_label("fine")
        self.do(f"br i1 {self.let(f'icmp eq i64 {found}, -1')}, label %{look}, label %{fine}, !prof !0")
        self.label(look)
        self.fail_if(f"icmp ne ptr {self.let('call ptr @PyErr_Occurred()')}, null", "failed")
        self.do(f"br label %{fine}")
        self.label(fine)
        return found

    def place(self, index):
        """Pointer to the byte at an index, which counts from the end if it is negative."""
        base, size = self.extent()
        from_end = self.let(f"add i64 {index}, {size}")
        index = self.let(f"select i1 {self.let(f'icmp slt i64 {index}, 0')}, i64 {from_end}, i64 {index}")
        self.fail_if(f"icmp uge i64 {index}, {size}", "outside")
        return self.at(base, index)

    def range(self, offset, count, otherwise="outside"):
        """Pointer to `count` bytes at `offset`."""
        base, size = self.extent()
        past = self.let(f"icmp ugt i64 {offset}, {size}")
        many = self.let(f"icmp ugt i64 {count}, {self.let(f'sub i64 {size}, {offset}')}")
        self.fail_if(f"or i1 {past}, {many}", otherwise)
        return self.at(base, offset)

    def branch_if_slice(self, key, head):
        """Go to `slice` with a slice, to `index` with anything else, and on there."""
        type = self.load("ptr", key, head - 8)
        self.branch(self.let(f"icmp eq ptr {type}, @PySlice_Type"), "slice", "index")
        self.label("index")

    def unpack(self, key):
        """Take a slice apart; its bounds are adjusted by `adjust`."""
        self.start, self.stop, self.step_place = (self.room("i64") for _ in "123")
        status = self.let(
            f"call i32 @PySlice_Unpack(ptr {key}, ptr {self.start}, ptr {self.stop}, ptr {self.step_place})")
        self.fail_if(f"icmp slt i32 {status}, 0", "failed")
        self.step = self.load("i64", self.step_place)

    def adjust(self):
        """(pointer to the first byte, how many) of the unpacked slice in the memory as it is now."""
        base, size = self.extent()
        count = self.let(
            f"call i64 @PySlice_AdjustIndices(i64 {size}, ptr {self.start}, ptr {self.stop}, i64 {self.step})")
        return self.at(base, self.load("i64", self.start)), count

    def buffer(self, thing, flags):
        """(Py_buffer, pointer to its bytes, how many) of a Python object, to be given to `release`."""
        size, buf, length = BUFFER_VIEW
        view = self.room(f"[{size} x i8]")
        status = self.let(f"call i32 @PyObject_GetBuffer(ptr {thing}, ptr {view}, i32 {flags})")
        self.fail_if(f"icmp ne i32 {status}, 0", "failed")
        return view, self.load("ptr", view, buf), self.load("i64", view, length)

    def release(self, view):
        self.do(f"call void @PyBuffer_Release(ptr {view})")

    def release_and(self, label, view, error):
        """The block `label`: an error with a buffer taken."""
        self.label(label)
        self.release(view)
        self.do(f"br label %{error}")
        self.targets[error] = True

    def none(self):
        self.do("call void @Py_IncRef(ptr @_Py_NoneStruct)")
        self.do("ret ptr @_Py_NoneStruct")

    def __str__(self):
        for label in [label for label in _ERRORS if label in self.targets]:
            self.label(label)
            exception = self.load("ptr", f"@PyExc_{_ERRORS[label][0]}")
            self.do(f"call void @PyErr_SetString(ptr {exception}, ptr @memory.{label})")
            self.do(self.failure)
        if "failed" in self.targets:
            self.label("failed")
            self.do(self.failure)
        return super().__str__()


def _get_buffer(mem_offset):
    """`bf_getbuffer`."""
    f = Function("i32", "rt_get_buffer", "ptr %self, ptr %view, i32 %flags")
    mem = f.load("ptr", "%self", mem_offset)
    f.unlikely(f.let(f"icmp eq ptr {mem}, null"), "unmade")
    base, length = f.load("ptr", mem, MEM.base), f.load("i64", mem, MEM.bytes)
    f.do(f"%r = call i32 @PyBuffer_FillInfo(ptr %view, ptr %self, ptr {base}, i64 {length}, i32 0, i32 %flags)")
    f.do("ret i32 %r")
    f.label("unmade")
    f.store("ptr", "null", "%view", 8)  # Py_buffer.obj
    f.do(f"call void @PyErr_SetString(ptr {f.load('ptr', '@PyExc_BufferError')}, ptr @memory.unmade)")
    f.do("ret i32 -1")
    return str(f)


def _copy():
    """`copy(to, from, count)` of bytes that may overlap. `bytes_at(place, count)`: a bytes object.
    `scatter(to, its step, from, its step, count)`."""
    f = Function("internal void", "copy", "ptr %to, ptr %from, i64 %count")
    f.branch(f.let(f"icmp ult i64 %count, {COPY_WITHOUT_GIL}"), "short", "long")
    f.label("short")
    f.do("call ptr @memmove(ptr %to, ptr %from, i64 %count)")
    f.do("ret void")
    f.label("long")
    tstate = f.let("call ptr @PyEval_SaveThread()")
    f.do("call ptr @memmove(ptr %to, ptr %from, i64 %count)")
    f.do(f"call void @PyEval_RestoreThread(ptr {tstate})")
    f.do("ret void")
    g = Function("internal ptr", "bytes_at", "ptr %place, i64 %count")
    g.branch(g.let(f"icmp ult i64 %count, {COPY_WITHOUT_GIL}"), "short", "long")
    g.label("short")
    g.do(f"ret ptr {g.let('call ptr @PyBytes_FromStringAndSize(ptr %place, i64 %count)')}")
    g.label("long")
    made = g.let("call ptr @PyBytes_FromStringAndSize(ptr null, i64 %count)")
    g.unlikely(g.let(f"icmp eq ptr {made}, null"), "failed")
    content = g.let(f"call ptr @PyBytes_AsString(ptr {made})")
    g.do(f"call void @copy(ptr {content}, ptr %place, i64 %count)")
    g.do(f"ret ptr {made}")
    g.label("failed")
    g.do("ret ptr null")
    scatter = """
define internal void @scatter(ptr %to, i64 %to.step, ptr %from, i64 %from.step, i64 %count) nounwind "frame-pointer"="all" {
  br label %next
next:
  %i = phi i64 [ 0, %0 ], [ %i1, %body ]
  %t = phi ptr [ %to, %0 ], [ %t1, %body ]
  %f = phi ptr [ %from, %0 ], [ %f1, %body ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %body, label %done
body:
  %byte = load i8, ptr %f
  store i8 %byte, ptr %t
  %i1 = add i64 %i, 1
  %t1 = getelementptr i8, ptr %t, i64 %to.step
  %f1 = getelementptr i8, ptr %f, i64 %from.step
  br label %next
done:
  ret void
}
"""
    return str(f) + str(g) + scatter


def _length(mem_offset):
    """`mp_length`, `sq_length`."""
    f = _Slot("rt_buffer_length", "", mem_offset, "i64", "-1")
    f.do(f"ret i64 {f.extent()[1]}")
    return str(f)


def _byte(f, place):
    """Return a byte as an int."""
    number = f.let(f"zext i8 {f.load('i8', place)} to i64")
    f.do(f"ret ptr {f.let(f'call ptr @PyLong_FromLongLong(i64 {number})')}")


def _item(mem_offset):
    """`sq_item`, for iteration."""
    f = _Slot("rt_buffer_item", ", i64 %index", mem_offset)
    _byte(f, f.range("%index", "1"))
    return str(f)


def _subscript(mem_offset, head):
    """`mp_subscript`: a byte as an int, a slice as bytes."""
    f = _Slot("rt_buffer_subscript", ", ptr %key", mem_offset)
    f.branch_if_slice("%key", head)
    _byte(f, f.place(f.number("%key", f.load("ptr", "@PyExc_IndexError"))))
    f.label("slice")
    f.unpack("%key")
    first, count = f.adjust()
    f.branch(f.let(f"icmp eq i64 {f.step}, 1"), "dense", "strided")
    f.label("dense")
    f.do(f"ret ptr {f.let(f'call ptr @bytes_at(ptr {first}, i64 {count})')}")
    f.label("strided")
    made = f.let(f"call ptr @PyBytes_FromStringAndSize(ptr null, i64 {count})")
    f.fail_if(f"icmp eq ptr {made}, null", "failed")
    content = f.let(f"call ptr @PyBytes_AsString(ptr {made})")
    f.do(f"call void @scatter(ptr {content}, i64 1, ptr {first}, i64 {f.step}, i64 {count})")
    f.do(f"ret ptr {made}")
    return str(f)


def _assign(mem_offset, head):
    """`mp_ass_subscript`. A slice with a step is copied first: the new bytes may be the memory's own."""
    f = _Slot("rt_buffer_assign", ", ptr %key, ptr %value", mem_offset, "i32", "-1")
    f.fail_if("icmp eq ptr %value, null", "deletion")
    f.branch_if_slice("%key", head)
    index, value = f.number("%key", f.load("ptr", "@PyExc_IndexError")), f.number("%value")
    place = f.place(index)
    f.fail_if(f"icmp ugt i64 {value}, 255", "byte")
    f.store("i8", f.let(f"trunc i64 {value} to i8"), place)
    f.do("ret i32 0")
    f.label("slice")
    f.unpack("%key")
    view, source, size = f.buffer("%value", _READ)
    first, count = f.adjust()
    f.fail_if(f"icmp ne i64 {count}, {size}", "other_length")
    f.branch(f.let(f"icmp eq i64 {f.step}, 1"), "dense", "strided")
    f.label("dense")
    f.do(f"call void @copy(ptr {first}, ptr {source}, i64 {count})")
    f.do("br label %done")
    f.label("strided")
    made = f.let(f"call ptr @PyBytes_FromStringAndSize(ptr {source}, i64 {count})")
    f.fail_if(f"icmp eq ptr {made}, null", "no_room")
    content = f.let(f"call ptr @PyBytes_AsString(ptr {made})")
    f.do(f"call void @scatter(ptr {first}, i64 {f.step}, ptr {content}, i64 1, i64 {count})")
    f.do(f"call void @Py_DecRef(ptr {made})")
    f.do("br label %done")
    f.label("done")
    f.release(view)
    f.do("ret i32 0")
    f.release_and("other_length", view, "length")
    f.release_and("no_room", view, "failed")
    return str(f)


def _method(name, mem_offset):
    """A METH_FASTCALL function of two arguments, and those."""
    f = _Slot(f"rt_{name}", ", ptr %args, i64 %nargs", mem_offset)
    f.fail_if("icmp ne i64 %nargs, 2", "arity")
    return f, f.load("ptr", "%args"), f.load("ptr", "%args", 8)


def _read_bytes(mem_offset):
    f, offset, size = _method("read_bytes", mem_offset)
    offset, size = f.number(offset), f.number(size)
    place = f.range(offset, size)
    f.do(f"ret ptr {f.let(f'call ptr @bytes_at(ptr {place}, i64 {size})')}")
    return str(f)


def _transfer(name, flags, mem_offset):
    """`write_bytes`, or `read_into`, which goes the other way."""
    f, offset, thing = _method(name, mem_offset)
    offset = f.number(offset)
    view, content, size = f.buffer(thing, flags)
    place = f.range(offset, size, "too_far")
    to, source = (content, place) if flags == _WRITE else (place, content)
    f.do(f"call void @copy(ptr {to}, ptr {source}, i64 {size})")
    f.release(view)
    f.none()
    f.release_and("too_far", view, "outside")
    return str(f)


def source(mem_offset, head):
    """IR text. Objects have their MEM pointer `mem_offset` bytes from the start, their type `head` - 8 bytes."""
    texts = "".join(f'@memory.{label} = private constant [{len(text) + 1} x i8] c"{text}\\00"\n'
                    for label, (_, text) in _ERRORS.items())
    return "".join((_DECLARATIONS, texts, _copy(), _get_buffer(mem_offset), _length(mem_offset), _item(mem_offset),
                    _subscript(mem_offset, head), _assign(mem_offset, head), _read_bytes(mem_offset),
                    _transfer("write_bytes", _READ, mem_offset), _transfer("read_into", _WRITE, mem_offset)))
