"""Trampolines of signatures with many parameters or results. What is done with each value is a loop over tables: code for
each would take LLVM time that grows with the square of their number.

Values are in cells of 16 bytes in the machine frame, as in `THREAD.overflow`; what `codegen.signatures` has as a list of
names is the name of an array of cells here.
"""
from pyjit_wasm.codegen.abi import LLVM, NATIVE, formal, give_back, in_registers, keeps_references, overflow, split, take_results
from pyjit_wasm.codegen.boxing import box, size_errors, unbox
from pyjit_wasm.codegen.entries import Entry
from pyjit_wasm.codegen.probes import PROBED
from pyjit_wasm.codegen.signatures import Cells, Objects, Signature, arity_error, check_arity, crossing
from pyjit_wasm.codegen.support import come_back, give_gil, go_outside, look_for_request, take_gil
from pyjit_wasm.codegen.text import VECTOR, Function
from pyjit_wasm.runtime.layout import FUNC

CELL = 16
_DECLARATIONS = "declare ptr @llvm.stacksave.p0()\ndeclare void @llvm.stackrestore.p0(ptr)\n"


def _words(types, places):
    """[(offset in cells, offset in slots)] of the eight-byte words of values."""
    return [(CELL * index + more, place + more) for index, (type, place) in enumerate(zip(types, places))
            for more in range(0, 16 if type == VECTOR else 8, 8)]


def _table(name, type, numbers):
    numbers = list(numbers) or [0]
    return f"@{name} = internal constant [{len(numbers)} x {type}] [{', '.join(f'{type} {n}' for n in numbers)}]\n"


def _letter_blocks(f, letters, letter, name, block):
    """Branch on the letter of a value: `block(letter)` for each that occurs; all go on behind."""
    cases = sorted(set(letters))
    targets = " ".join(f"i8 {ord(c)}, label %{name}.letter.{c}" for c in cases)
    f.do(f"switch i8 {letter}, label %{name}.letter.{cases[0]} [ {targets} ]")
    for c in cases:
        f.label(f"{name}.letter.{c}")
        block(c)
        f.do(f"br label %{name}.known")
    f.label(f"{name}.known")


class LargeSignature(Signature):
    """As Signature; values are `names` in native functions, and what `room` gives."""

    def __init__(self, letters, status=False):
        super().__init__(letters, status)
        self.names = "%parameters"
        self.words = _words(self.types, self.places)
        self.result_words = _words([LLVM[c] for c in self.results], self.result_places)

    def tables(self):
        """The constants that the functions refer to."""
        return _DECLARATIONS + "".join((
            _table("params.letters", "i8", map(ord, self.params)), _table("results.letters", "i8", map(ord, self.results)),
            _table("params.cells", "i32", [a for a, _ in self.words]), _table("params.slots", "i32", [b for _, b in self.words]),
            _table("results.cells", "i32", [a for a, _ in self.result_words]),
            _table("results.slots", "i32", [b for _, b in self.result_words])))

    def parameters(self, f):
        return [f.load(type, self.names, CELL * index) for index, type in enumerate(self.types)]

    def room(self, f, count):
        """Cells for so many values and a status."""
        return f.room(f"[{CELL // 8 * (count + 1)} x i64]", CELL)

    def native(self, name):
        f = Function(f"{NATIVE} {self.result}", name, "ptr nest %func, ptr %env, ptr %inst" + formal(self.types),
                     PROBED)
        cells = f"[{CELL // 8 * (len(self.types) + 1)} x i64]"
        f.do(f"{self.names} = alloca {cells}, align {CELL}")
        registers, memory = split(self.types)
        if memory:
            _copy(f, overflow(f, "%env"), self.names, len(self.types))
        for index in registers:
            f.store(self.types[index], f"%a{index}", self.names, CELL * index)
        return f

    def give_back(self, f, values, status="0"):
        count, types = len(self.results), self.result_types
        if not in_registers(types):
            place = overflow(f, "%env")
            if values is not None:
                _copy(f, values, place, count)
            if self.status:
                f.store(types[-1], status, place, CELL * count)
            f.do("ret void")
            return
        values = ["poison"] * count if values is None else [f.load(t, values, CELL * i) for i, t in enumerate(types[:count])]
        give_back(f, types, [*values, status] if self.status else values)

    def pass_arguments(self, f, values, env="%env"):
        registers, memory = split(self.types)
        if memory:
            _copy(f, values, overflow(f, env), len(self.types))
        return "".join(f", {self.types[i]} {f.load(self.types[i], values, CELL * i)}" for i in registers)

    def take_results(self, f, call, env):
        results = self.room(f, len(self.results))
        if in_registers(self.result_types):
            for index, (type, value) in enumerate(zip(self.result_types, take_results(f, self.result_types, call, env))):
                f.store(type, value, results, CELL * index)
        else:
            f.do(call)
            _copy(f, overflow(f, env), results, len(self.result_types))
        return results

    def status_of(self, f, results):
        return f.load("i64", results, CELL * len(self.results))

    def without_status(self, results):
        return results

    def to_frame(self, f, fp, values, what):
        self.to_slots(f, f.at(fp, -self.header), values, what)

    def from_frame(self, f, fp, what):
        return self.from_slots(f, f.at(fp, -self.header), what)

    def to_slots(self, f, base, values, what):
        return self._slots(f, base, values, what, False)

    def from_slots(self, f, base, what):
        return self._slots(f, base, self.room(f, len(getattr(self, what))), what, True)

    def _slots(self, f, base, cells, what, load):
        """Copy values between cells and slots from `base` on; `what`: "params" or "results"."""
        words = self.words if what == "params" else self.result_words

        def copy(i):
            places = []
            for side, start in (("cells", cells), ("slots", base)):
                offset = f.let(f"load i32, ptr {f.let(f'getelementptr i32, ptr @{what}.{side}, i64 {i}')}")
                places.append(f.let(f"getelementptr i8, ptr {start}, i32 {offset}"))
            target, source = places if load else reversed(places)
            f.store("i64", f.load("i64", source), target)

        f.loop(f.new_label("slots"), len(words), copy)
        return cells


def _copy(f, source, target, cells):
    """Copy so many cells."""
    f.loop(f.new_label("cells"), CELL // 8 * cells, lambda i: f.store(
        "i64", f.load("i64", f.let(f"getelementptr i64, ptr {source}, i64 {i}")),
        f.let(f"getelementptr i64, ptr {target}, i64 {i}")))


def _cell(f, cells, i):
    return f.let(f"getelementptr [{CELL} x i8], ptr {cells}, i64 {i}")


def _each(f, s, what, name, action):
    """`action(i, letter)` for every parameter or result, each in the machine stack that it found."""
    letters = getattr(s, what)

    def body(i):
        stack = f.let("call ptr @llvm.stacksave.p0()")
        letter = f.load("i8", f.let(f"getelementptr i8, ptr @{what}.letters, i64 {i}"))
        _letter_blocks(f, letters, letter, name, lambda c: action(i, c))
        f.do(f"call void @llvm.stackrestore.p0(ptr {stack})")

    if letters:
        f.loop(name, len(letters), body)


def _unbox_all(f, s, what, name, item, failed, func):
    """The cells of parameters or results of which `item(i)` is the Python object."""
    cells = s.room(f, len(getattr(s, what)))

    def one(i, c):
        position = i if what == "params" else f.let(f"xor i64 {i}, -1")
        f.store(LLVM[c], unbox(f, c, item(i), failed, func, position), _cell(f, cells, i))

    _each(f, s, what, name, one)
    return cells


def _box_all(f, s, what, name, cells, keep, failed):
    """`keep(i, object)` with a Python object for each value in cells; branches to `failed` if there is none."""
    def one(i, c):
        item = box(f, c, f.load(LLVM[c], _cell(f, cells, i)))
        f.unlikely(f.let(f"icmp eq ptr {item}, null"), failed)
        keep(i, item)

    _each(f, s, what, name, one)


class _Objects(Objects):
    """Arguments are Python objects, the result one too."""

    tuple = None

    def arguments(self, f, s, func):
        return _unbox_all(f, s, "params", "unboxing", lambda i: f.load("ptr", f.let(f"getelementptr ptr, ptr %args, i64 {i}")),
                          "failed", func)

    def results(self, f, s, values):
        if len(s.results) < 2:
            return super().results(f, s, [f.load(LLVM[c], values) for c in s.results])
        self.tuple = f.let(f"call ptr @PyTuple_New(i64 {len(s.results)})")
        f.unlikely(f.let(f"icmp eq ptr {self.tuple}, null"), "failed")
        _box_all(f, s, "results", "boxing", values,
                 lambda i, item: f.do(f"call i32 @PyTuple_SetItem(ptr {self.tuple}, i64 {i}, ptr {item})"), "unfinished")
        return self.tuple

    def failures(self, f):
        if self.tuple:
            f.label("unfinished")
            f.do(f"call void @Py_DecRef(ptr {self.tuple})")
            f.do("br label %failed")


class _Cells(Cells):
    """The one argument is the address of slots."""

    def arguments(self, f, s, func):
        self.find(f)
        return s.from_slots(f, self.cells, "params")

    def results(self, f, s, values):
        s.to_slots(f, self.cells, values, "results")
        return super().results(f, s, ())


def _enter(s, name, marshal, site_offset):
    """As `signatures.enter`."""
    crosses, outer = keeps_references(s.params + s.results), ""
    if crosses and isinstance(marshal, _Objects):
        outer, name = crossing(name), f"{name}_crossing"
    f = Function("ptr", name, "ptr %callable, ptr %args, i64 %nargsf, ptr %names")
    entry = Entry(f, f.load("ptr", "%callable", site_offset), crosses=crosses)
    count = check_arity(f, marshal.count(s))
    values, results = marshal.arguments(f, s, entry.func), []
    whole = s.room(f, len(s.results))

    def call():
        results.append(s.call(f, entry.func, entry.env, values))
        _copy(f, results[-1], whole, len(s.results))
        return []

    entry.open()
    entry.run(call, [])
    entry.close()
    f.do(f"ret ptr {marshal.results(f, s, whole)}")
    entry.failures()
    marshal.failures(f)
    arity_error(f, count)
    size_errors(f, "failed")
    f.label("failed")
    f.do("ret ptr null")
    return outer + str(f)


def _py_host(s):
    """As `signatures.py_host`. `made`: how many parameters are objects so far, which are released whatever happens."""
    f = s.native("py_host")
    objects, made, answer = f.room(f"[{len(s.params) + 1} x ptr]"), f.room("i64"), f.room("ptr")
    f.store("ptr", "null", answer)
    f.store("i64", "0", made)
    thread = go_outside(f, "%func")
    tstate = take_gil(f)

    def keep(i, item):
        following = f.let(f"add i64 {i}, 1")
        f.store("ptr", item, f.let(f"getelementptr ptr, ptr {objects}, i64 {following}"))
        f.store("i64", following, made)

    _box_all(f, s, "params", "boxing", s.names, keep, "release")
    count = len(s.params) | 1 << 63  # PY_VECTORCALL_ARGUMENTS_OFFSET
    f.store("ptr", f.let(f"call ptr @PyObject_Vectorcall(ptr {f.load('ptr', '%func', FUNC.host)}, ptr {f.at(objects, 8)}, "
                         f"i64 {count - (1 << 64)}, ptr null)"), answer)
    f.do("br label %release")
    f.label("release")
    f.loop("releasing", f.load("i64", made), lambda i: f.do("call void @Py_DecRef(ptr {})".format(
        f.load("ptr", f.at(f.let(f"getelementptr ptr, ptr {objects}, i64 {i}"), 8)))))
    result = f.load("ptr", answer)
    f.unlikely(f.let(f"icmp eq ptr {result}, null"), "failed")
    values, result = _host_results(f, s, result)
    f.do(f"call void @Py_DecRef(ptr {result})")
    look_for_request(f, "failed")
    give_gil(f, tstate)
    come_back(f, thread)
    s.give_back(f, values)
    size_errors(f, "unboxed")
    f.label("unboxed")
    f.do(f"call void @Py_DecRef(ptr {result})")
    f.do("br label %failed")
    f.label("failed")
    come_back(f, thread)
    f.do("call void @rt_fail(ptr %env)")
    f.do("unreachable")
    return str(f)


def _host_results(f, s, result):
    """(cells of the results, the object that they are from): several results may come as any sequence."""
    if len(s.results) < 2:
        return _unbox_all(f, s, "results", "unboxing", lambda i: result, "unboxed", "%func"), result
    items = f.let(f"call ptr @PySequence_Tuple(ptr {result})")
    f.do(f"call void @Py_DecRef(ptr {result})")
    f.unlikely(f.let(f"icmp eq ptr {items}, null"), "failed")
    counted = f.new_label("counted")
    size = f.let(f"call i64 @PyTuple_Size(ptr {items})")
    f.branch(f.let(f"icmp eq i64 {size}, {len(s.results)}"), counted, "miscounted")
    f.label("miscounted")
    f.do(f"call void @PyErr_SetString(ptr {f.load('ptr', '@PyExc_TypeError')}, ptr @count)")
    f.do("br label %unboxed")
    f.label(counted)
    return _unbox_all(f, s, "results", "unboxing", lambda i: f.let(f"call ptr @PyTuple_GetItem(ptr {items}, i64 {i})"),
                      "unboxed", "%func"), items


def functions(part, letters, site_offset):
    """As `signatures.functions`, and the tables."""
    from pyjit_wasm.codegen.signatures import c_host
    from pyjit_wasm.codegen.tiers import between_tiers

    s = LargeSignature(letters)
    return [s.tables(), *{"enter": lambda: [_enter(s, "py_enter", _Objects(), site_offset)],
                          "cells": lambda: [_enter(s, "cells_enter", _Cells(), site_offset)],
                          "host": lambda: [_py_host(s)], "c_host": lambda: [c_host(s)],
                          "tiers": lambda: between_tiers(s)}[part]()]
