"""What Python takes for an integer (`operator.index`) is one everywhere in the API: `True`, NumPy's scalars, own classes."""
import enum
import operator

import pytest

import pyjit_wasm as wasm

numpy = pytest.importorskip("numpy")


class Own:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class Deceitful(int):
    """An int whose methods say that it is within all bounds. Its value is another."""

    def _yes(self, *_):
        return True

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = _yes
    __hash__ = int.__hash__

    def __add__(self, other):
        return self

    __radd__ = __sub__ = __mul__ = __rmul__ = __and__ = __rshift__ = __neg__ = __add__


class Colour(enum.IntEnum):
    ONE = 1
    TWO = 2


SCALARS = [numpy.int8, numpy.uint8, numpy.int16, numpy.uint16, numpy.int32, numpy.uint32, numpy.int64, numpy.uint64, Own, Deceitful]
makers = pytest.mark.parametrize("make", [*SCALARS, Colour], ids=lambda make: make.__name__)
function = wasm.Function(lambda: None)


@makers
@pytest.mark.filterwarnings("error")
def test_one_and_two(load, make):
    one, two = make(1), make(2)
    table, memory, memory64 = wasm.Table(two, make(100 if make is not Colour else 2)), wasm.Memory(one, two), wasm.Memory(one, addr="i64")
    table[one] = function
    assert (len(table), table[one], table[0], memory.pages, memory.type.limits) == (2, function, None, 1, wasm.Memory(1, 2).type.limits)
    assert type(memory.type.limits.min) is type(memory.type.limits.max) is int
    assert (memory.grow(one), memory64.grow(two), wasm.Table(1).grow(two, function)) == (1, 1, 1)
    memory[one] = two
    assert (memory[one], memory[one:two], memory.read_bytes(one, two), memory.read_str(one)) == (2, b"\2", b"\2\0", "\2")
    assert (memory.view("u1", one, two).tolist(), len(memory.view("u2", two))) == ([2, 0], 65535)
    assert (memory.write_str(two, "x"), memory[2]) == (2, ord("x"))
    for valtype in ("i32", "i64"):
        variable = wasm.Global(valtype, one, mutable=True)
        variable.value = two
        inst = load(f"""(module (import "m" "g" (global {valtype})) (import "m" "h" (func (result {valtype})))
          (func (export "g") (result {valtype}) (global.get 0)) (export "h" (func 0))
          (func (export "f") (param {valtype}) (result {valtype}) (local.get 0)))""", {"m": {"g": two, "h": lambda: one}})
        e = inst.exports
        assert [variable.value, e.g(), e.h(), e.f(two), *e.f.call_bits([one])] == [2, 2, 1, 2, 1]
        assert (inst.function(two), inst.function(one)) == (e.f, e.g)
        cells = [two, 0]
        wasm.ExecEnv(inst).call_cells("f", cells)
        assert cells[0] == 2
    assert wasm.Engine(tier_up_threshold=one, stack_size=two).stack_size == 2


@pytest.mark.parametrize("make", SCALARS, ids=lambda make: make.__name__)
def test_sizes_that_small_types_cannot_count(make):
    """NumPy's numbers overflow where Python's do not."""
    table, memory = wasm.Table(make(100)), wasm.Memory(make(100))
    assert (table.grow(make(100)), len(table), memory.grow(make(100)), memory.pages) == (100, 200, 100, 200)
    assert (table[make(100)], memory[make(100)], len(memory)) == (None, 0, 200 << 16)
    assert (wasm.Memory(1, addr="i64").grow(numpy.int32(65537)), wasm.Memory(1).grow(make(5))) == (1, 1)


def test_no_integers():
    table, memory, number = wasm.Table(1), wasm.Memory(1), wasm.Global("i32", 1, mutable=True)
    for value in (1.0, 0.5, float("nan"), "1", None, numpy.float64(1), slice(0, 1)):
        for use in (lambda: table[value], lambda: operator.setitem(table, value, function), lambda: table.grow(value),
                    lambda: memory.grow(value), lambda: wasm.Memory(value), lambda: wasm.Table(value), lambda: wasm.Table(1, value or "2"),
                    lambda: wasm.Global("i64", value), lambda: setattr(number, "value", value), lambda: memory.view("u1", value)):
            with pytest.raises(TypeError):
                use()


def test_bounds_are_those_of_the_number():
    """What an int's own methods say of it is no reason to read elsewhere."""
    table, memory = wasm.Table(3), wasm.Memory(1)
    inst = wasm.load('(module (func (export "f")))')
    for value in (3, -4, 1 << 40, -1 << 40):
        for index in (value, Deceitful(value), Own(value)):
            for use in (lambda: table[index], lambda: operator.setitem(table, index, function)):
                with pytest.raises(IndexError):
                    use()
            with pytest.raises(KeyError):
                inst.function(index)
    for value in (-1, 1 << 33):
        for count in (value, Deceitful(value), Own(value)):
            for use in (table.grow, memory.grow, wasm.Memory, wasm.Table):
                with pytest.raises(ValueError):
                    use(count)
            with pytest.raises(OverflowError):
                wasm.Global("i32", Deceitful(1 << 33))
    with pytest.raises(IndexError):
        memory.view("u1", Deceitful(1 << 20))


@pytest.mark.parametrize("make", [numpy.int32, numpy.uint32, Deceitful], ids=lambda make: make.__name__)
def test_addresses_that_wrap_around(make):
    """The sum of two numbers of 32 bits is no number of 32 bits."""
    from pyjit_wasm import wamr

    inst = wamr.instantiate(wamr.load('(module (memory (export "memory") 1))'), 0, 4096)
    base = wamr.addr_app_to_native(inst, 0)
    for offset, size, inside in ((0, 131072, True), (131071, 1, True), (131071, 2, False), (2**31 - 1, 2**31 - 1, False), (-1, 1, False),
                                 (2**32 - 1, 2, False)):
        if make is Deceitful or numpy.iinfo(make).min <= offset <= numpy.iinfo(make).max:
            assert wamr.validate_app_addr(inst, make(offset), make(size)) == inside
            assert (wamr.addr_app_to_native(inst, make(offset)) is not None) == (0 <= offset < wamr.get_app_addr_range(inst, 0)[1])
    assert wamr.validate_native_addr(inst, numpy.uint64(base + 1), make(1)) and not wamr.validate_native_addr(inst, base - 1, make(1))
    assert (wamr.addr_native_to_app(inst, numpy.uint64(base + 9)), wamr.addr_native_to_app(inst, numpy.uint64(base - 9))) == (9, 0)
    start = wamr.module_malloc(inst, make(8))
    assert start and wamr.module_malloc(inst, make(2**31 - 1)) == 0
    wamr.module_free(inst, make(start))
