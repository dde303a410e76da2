"""Attributes that generated code relies on cannot be assigned to; exports may have any name."""
import pytest

import pyjit_wasm as wasm

SOURCE = """(module (memory (export "memory") 1) (table (export "table") 1 funcref) (tag (export "tag"))
  (global (export "global") (mut i32) (i32.const 7)) (func (export "f") (result i32) (i32.const 1)))"""

READ_ONLY = {
    "f": ("type", "name", "index", "instance", "deftype", "tier", "__name__"), "memory": ("type", "pages"),
    "table": ("type",), "tag": ("type",), "global": ("type", "bits"),
    "": ("module", "exports"), "module": ("binary", "engine", "path", "code", "syntax", "imports", "exports", "name", "custom_sections"),
    "engine": ("mode", "memory_bounds", "stack_size"), "exec_env": ("instance", "stack_size", "used", "peak", "frames", "buffer_frames"),
    "debugger": ("instance", "result", "error", "breakpoints")}


def things(inst):
    return {**{name: inst.exports[name] for name in inst.exports}, "": inst, "module": inst.module, "engine": inst.module.engine, "exec_env": wasm.ExecEnv(inst),
            "debugger": wasm.Debugger(inst)}


@pytest.mark.parametrize("thing, name", [(thing, name) for thing, names in READ_ONLY.items() for name in names])
def test_read_only(load, thing, name):
    inst, other = load(SOURCE), wasm.load(SOURCE)
    target, value = things(inst)[thing], getattr(things(other)[thing], name)
    before = getattr(target, name)
    with pytest.raises(AttributeError):
        setattr(target, name, value)
    if thing not in ("module", "engine"):
        with pytest.raises(AttributeError):
            delattr(target, name)
    assert inst.exports.f() == 1 and type(getattr(target, name)) is type(before)


def test_types_are_values(load):
    e = load(SOURCE).exports
    for thing, name in ((e.f.type, "params"), (e.memory.type, "limits"), (e.table.type.limits, "min"), (getattr(e, "global").type, "valtype"),
                        (e.tag.type, "deftype")):
        with pytest.raises(AttributeError):
            setattr(thing, name, ())


NAMES = ["_make", "_inst", "_index", "_found", "_by_name", "", "keys", "mro", "__init__", "__getattr__", "__getitem__", "__len__", "__iter__",
         "__repr__", "__doc__", "__module__", "__slots__", "__reduce_ex__", "__call__", "__name__", "__mro__", "__wasm_space__", "a.b"]
PYTHON = ["__class__", "__dict__", "__weakref__"]


@pytest.mark.parametrize("attributes_first", [False, True])
def test_exports_of_any_name(load, attributes_first):
    functions = " ".join(f'(func (export "{name}") (result i32) (i32.const {k}))' for k, name in enumerate(NAMES + PYTHON))
    inst = load(f"(module {functions})")
    e = inst.exports
    if attributes_first:
        assert [getattr(e, name)() for name in NAMES] == list(range(len(NAMES)))
    assert [e[name]() for name in NAMES + PYTHON] == list(range(len(NAMES + PYTHON)))
    assert all(getattr(e, name) is e[name] is inst.function(name) for name in NAMES)
    assert (list(e), len(e), sorted(e) == dir(e), "_make" in e, "other" in e) == (NAMES + PYTHON, len(NAMES + PYTHON), True, True, False)
    assert e.__class__ is type(e) is not e["__class__"]
    with pytest.raises(AttributeError, match="exports no 'other'"):
        e.other
    with pytest.raises(KeyError):
        e["other"]
    importing = "".join(f'(import "m" "{name}" (func (result i32)))' for name in NAMES + PYTHON)
    again = load(f'(module {importing} (export "last" (func {len(NAMES + PYTHON) - 1})))', {"m": e})
    assert again.exports.last() == len(NAMES + PYTHON) - 1
