"""Loading takes time in proportion to the module's size, whatever the shape: four times as much of something takes less than
ten times as long. (What grows with the square takes sixteen times.)"""
import gc
import time

import pytest

import pyjit_wasm as wasm
import shapes
from pyjit_wasm import config
from pyjit_wasm.runtime import trace
from pyjit_wasm.source.dwarf import Dwarf

RATIO = 10
NOISE = 0.04    # seconds: less says nothing
TRIES = 5

# how many of what takes some hundredths of a second; others have COUNT
COUNT = 1_500
COUNTS = {shapes.runs_of_locals: 12_000, shapes.catch_clauses: 2_500, shapes.callers: 500, shapes.br_tables: 16_000,
          shapes.functions_with_older_tries: 50, shapes.fields: 10_000, shapes.parameters: 250, shapes.results: 250}
COUNTS |= dict.fromkeys((shapes.defined_globals, shapes.equal_types, shapes.equal_groups, shapes.functions_with_locals, shapes.passive_data,
                         shapes.data_segments, shapes.constants_below, shapes.customs, shapes.function_names,
                         shapes.function_indices, shapes.unreachable_code, shapes.instructions), 8_000)
SHAPES = [shape for shape in vars(shapes).values() if callable(shape) and getattr(shape, "__module__", None) == "shapes"
          and shape.__code__.co_varnames[:shape.__code__.co_argcount] == ("n",)]
IMPORTS = {"m": {"f": lambda: None, "g": 0}}


def seconds(action):
    """CPU time of this thread, without the collector's for what there was before."""
    gc.collect()    # types of modules that nobody refers to any more
    gc.freeze()
    try:
        began = time.thread_time()
        action()
        return time.thread_time() - began
    finally:
        gc.unfreeze()


def assert_linear(actions):
    """`actions`: two, of which the second has four times as much to do. What is measured once may have been something else."""
    small, large = [], []
    for _ in range(TRIES):
        small.append(seconds(actions[0]))
        large.append(seconds(actions[1]))
        if min(large) <= max(RATIO * min(small), NOISE):
            return
    raise AssertionError((small, large))


def load(binary, everything=False):
    """Decode, validate, instantiate, and call `f`, which is translated; or use all exports."""
    module = wasm.Module(binary, engine=wasm.Engine(mode="interp"))
    instance = wasm.Instance(module, IMPORTS)
    module.syntax.function_name(0)  # reads the name section
    names = list(instance.exports) if everything else [name for name in ("f",) if name in instance.exports]
    for name in names:
        if callable(exported := instance.exports[name]):
            exported(*[0] * len(exported.type.params))


@pytest.fixture(params=(1 << 40, 0), ids=("exact", "kernels"))
def validation(request, monkeypatch):
    monkeypatch.setattr(config, "BULK_VALIDATION", request.param)
    monkeypatch.setattr(config, "KEPT_CODE", 1 << 40)   # nothing comes from an earlier run
    load(shapes.functions(100))     # kernels, trampolines


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_loading(validation, shape):
    count = COUNTS.get(shape, COUNT)
    small, large = shape(count), shape(4 * count)
    if shape is shapes.operands_below_calls:    # which is endless recursion
        small, large = ((lambda binary=binary: wasm.Module(binary).code.translate(0)) for binary in (small, large))
        assert_linear([small, large])
    else:
        assert_linear([lambda: load(small), lambda: load(large)])


@pytest.mark.parametrize("shape", (shapes.functions, shapes.exported_functions, shapes.mutable_globals), ids=lambda s: s.__name__)
def test_using_all_exports(validation, shape):
    assert_linear([lambda n=n: load(shape(n), everything=True) for n in (500, 2_000)])


def test_single_steps():
    """The variant of code for the debugger, in which all operands are in their slots."""
    def translate(binary):
        return lambda: wasm.Module(binary).code.in_variant(config.STEPPING).translate(0)

    for shape in (shapes.operands, shapes.operands_below_sets, shapes.nested_blocks):
        assert_linear([translate(shape(n)) for n in (1_500, 6_000)])


def test_functions_found_by_name():
    def find(n):
        instance = wasm.Instance(wasm.Module(shapes.functions(n)))
        for i in range(n):
            assert instance.function(f"f{i}").name == f"f{i}"
    assert_linear([lambda: find(400), lambda: find(1_600)])


def test_units_of_debug_information():
    """The first lookup among many units: 100,000 took 17 s."""
    def information(n):
        def unit(i):
            content = b"\x04\0\0\0\0\0\x04\x01" + (10 + 10 * i).to_bytes(4, "little") + (9).to_bytes(4, "little")
            return len(content).to_bytes(4, "little") + content
        return {"info": b"".join(map(unit, range(n))), "abbrev": bytes([1, 0x11, 0, 0x11, 0x01, 0x12, 0x06, 0, 0, 0])}

    def look_up(sections):
        dwarf = Dwarf(sections)
        assert dwarf.at(12) == dwarf.at(10 * 1_000 + 5) != []
        assert dwarf.at(10 * len(sections["info"])) == []

    small, large = information(2_000), information(8_000)
    assert_linear([lambda: look_up(small), lambda: look_up(large)])


def test_registered_code():
    """Code is found by its addresses, whatever the order it came in, until its owner dies."""
    class Owner:
        pass

    import weakref

    def register(count, base):
        owners = [Owner() for _ in range(count)]
        for i in range(count):
            place = base + 100 * (i * 7919 % count)
            trace.register(weakref.ref(owners[i]), place, place + 90)
        for i in range(count):
            place = base + 100 * (i * 7919 % count)
            assert trace.owner_of(place) is trace.owner_of(place + 89) is owners[i]
            assert trace.owner_of(place + 90) is None
        for i in range(count):
            trace.unregister(base + 100 * i)

    assert_linear([lambda: register(3_000, 1 << 50), lambda: register(12_000, 1 << 50)])
    trace.register(weakref.ref(keep := Owner()), 1 << 50, (1 << 50) + 1000)
    assert trace.owner_of((1 << 50) + 150) is keep
    trace.unregister(1 << 50)
