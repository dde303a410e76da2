"""Calls of Python's callables out of generated code, as IR."""


def new_integers(f, numbers):
    """Python ints of i64s, for `call_python`: null, and a Python exception set, where there is no memory."""
    return [f.let(f"call ptr @PyLong_FromLongLong(i64 {number})") for number in numbers]


def call_python(f, callable_offset, arguments):
    """PyObject_Vectorcall of the runtime word's callable with new references, which are released. Null if it fails, or if
    one of them is."""
    array = f.let(f"alloca [{len(arguments) + 1} x ptr]")
    call, missing, done = (f.new_label(hint) for hint in ("call", "missing", "called"))
    some = "false"
    for index, argument in enumerate(arguments):
        f.store("ptr", argument, array, 8 * index)
        some = f.let(f"or i1 {some}, {f.let(f'icmp eq ptr {argument}, null')}")
    f.do(f"br i1 {some}, label %{missing}, label %{call}, !prof !0")
    f.label(call)
    target = f.load("ptr", "@runtime", callable_offset)
    answer = f.let(f"call ptr @PyObject_Vectorcall(ptr {target}, ptr {array}, i64 {len(arguments)}, ptr null)")
    f.do(f"br label %{done}")
    f.label(missing)
    f.do(f"br label %{done}")
    f.label(done)
    result = f.let(f"phi ptr [ {answer}, %{call} ], [ null, %{missing} ]")
    for argument in arguments:
        f.do(f"call void @Py_DecRef(ptr {argument})")
    return result
