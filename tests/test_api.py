"""The Python API: modules, instances, calls, memories, tables, globals (issue 2, point 10)."""
import pytest

import pyjit_wasm as wasm

ARITHMETIC = """(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "same32") (param i32) (result i32) (local.get 0))
  (func (export "same64") (param i64) (result i64) (local.get 0))
  (func (export "single") (param f32) (result f32) (local.get 0))
  (func (export "double") (param f64) (result f64) (local.get 0))
  (func (export "nothing"))
  (func (export "swap") (param i32 f64) (result f64 i32) (local.get 1) (local.get 0))
  (func (export "five") (result i32 i64 f32 f64 i32)
    (i32.const -1) (i64.const -2) (f32.const 0.5) (f64.const -0.25) (i32.const 5))
  (func (export "odd name") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "") (result i32) (i32.const 7))
  (func (export "_inst") (result i32) (i32.const 8))
  (func (export "__class__") (result i32) (i32.const 9))
  (func (export "café") (result i32) (i32.const 10))
  (memory (export "memory") 1 4)
  (table (export "table") 3 5 funcref)
  (global (export "counter") (mut i64) (i64.const 5))
  (global (export "fixed") f64 (f64.const 2.5)))"""


@pytest.fixture
def inst(load):
    return load(ARITHMETIC)


def test_names_of_the_issue(tmp_path):
    engine = wasm.Engine(mode="tiered")
    module = wasm.Module(ARITHMETIC, engine=engine)
    inst = wasm.Instance(module, imports={"env": {"log": print}}, stack_size=1 << 20)
    assert inst.exports.add(2, 3) == 5
    assert inst.exports["odd name"](1) == 2
    assert isinstance(inst.exports.memory, wasm.Memory)
    assert inst.function("add").tier in ("interp", "native")
    inst.mode = "jit"
    assert inst.mode == "jit" and inst.exports.add(2, 3) == 5
    path = tmp_path / "module.wat"
    path.write_text(ARITHMETIC)
    assert wasm.load(path, imports={}, mode="jit").exports.add(1, 1) == 2
    assert wasm.load(str(path), mode="interp").mode == "interp"


def test_default_mode_is_tiered():
    assert wasm.Engine().mode == "tiered" and wasm.load("(module)").mode == "tiered"


@pytest.mark.parametrize("settings", [{"mode": "fast"}, {"memory_bounds": "none"}, {"tier_up_threshold": 0}])
def test_bad_settings(settings):
    with pytest.raises(ValueError):
        wasm.Engine(**settings)


def test_bad_mode_of_an_instance(inst):
    with pytest.raises(ValueError):
        inst.mode = "fast"
    with pytest.raises(ValueError):
        wasm.Instance(inst.module, mode="fast")


def test_everything_public_is_importable():
    for name in wasm.__all__:
        assert getattr(wasm, name).__name__ == name
    with pytest.raises(AttributeError):
        wasm.no_such_name


# --- calls

def test_results(inst):
    assert inst.exports.nothing() is None
    assert inst.exports.add(1, 2) == 3 and type(inst.exports.add(1, 2)) is int
    assert inst.exports.swap(1, 2.5) == (2.5, 1)
    assert inst.exports.five() == (-1, -2, 0.5, -0.25, 5)


@pytest.mark.parametrize("name, bits", [("same32", 32), ("same64", 64)])
def test_integers_are_signed_or_unsigned(inst, name, bits):
    same = inst.exports[name]
    half, whole = 1 << bits - 1, 1 << bits
    for given, back in [(0, 0), (-1, -1), (half - 1, half - 1), (half, -half), (whole - 1, -1), (-half, -half),
                        (True, 1)]:
        assert same(given) == back
    for given in (whole, -half - 1, 1 << 70, -1 << 70):
        with pytest.raises(OverflowError):
            same(given)


def test_floats(inst):
    single, double = inst.exports.single, inst.exports.double
    assert double(0.1) == 0.1 and double(3) == 3.0 and type(double(3)) is float
    assert single(0.1) == 0.10000000149011612 and single(1e300) == float("inf")
    assert str(double(-0.0)) == "-0.0" and double(float("nan")) != double(float("nan"))


class Index:
    def __index__(self):
        return -3


class Float:
    def __float__(self):
        return 1.5


def test_numbers_by_protocol(inst):
    assert inst.exports.same32(Index()) == -3 and inst.exports.same64(Index()) == -3
    assert inst.exports.double(Float()) == 1.5 and inst.exports.double(Index()) == -3.0


def test_numpy_numbers(inst):
    numpy = pytest.importorskip("numpy")
    assert inst.exports.add(numpy.int32(-2), numpy.uint8(5)) == 3
    assert inst.exports.same64(numpy.int64(-2)) == -2 and inst.exports.double(numpy.float32(0.5)) == 0.5


def test_unsigned_numpy_numbers(inst):
    numpy = pytest.importorskip("numpy")
    assert inst.exports.same64(numpy.uint64(2 ** 64 - 1)) == -1


@pytest.mark.parametrize("name, arguments", [
    ("add", ()), ("add", (1,)), ("add", (1, 2, 3)), ("nothing", (1,)), ("add", (1, "2")), ("add", (1.0, 2)),
    ("add", (None, 2)), ("same64", (1.5,)), ("same64", ("x",)), ("double", ("1",)), ("single", (None,)),
    ("double", (1j,)), ("same32", ([],))])
def test_wrong_arguments(inst, name, arguments):
    with pytest.raises(TypeError):
        inst.exports[name](*arguments)
    assert inst.exports.add(1, 2) == 3


def test_keyword_arguments(inst):
    with pytest.raises(TypeError):
        inst.exports.add(1, b=2)
    with pytest.raises(TypeError):
        inst.exports.add(1, 2, c=3)
    with pytest.raises(TypeError):
        inst.exports.nothing(**{"x": 1})
    assert inst.exports.add(*[1, 2], **{}) == 3


class Angry:
    def __index__(self):
        raise LookupError("angry")

    __float__ = __index__


def test_errors_from_conversions_pass(inst):
    for name in ("same32", "same64", "single", "double"):
        with pytest.raises(LookupError, match="angry"):
            inst.exports[name](Angry())


def test_a_conversion_may_call_wasm(inst):
    class Calls:
        def __index__(self):
            return inst.exports.add(20, 22)

    assert inst.exports.add(Calls(), Calls()) == 84


def test_many_parameters_and_results(load):
    count = 40
    types, reads = "i64 " * count, "".join(f"(local.get {i})" for i in reversed(range(count)))
    inst = load(f'(module (func (export "f") (param {types}) (result {types}) {reads}))')
    assert inst.exports.f(*range(count)) == tuple(reversed(range(count)))


# --- exports

def test_exports_as_mapping(inst):
    names = ["add", "same32", "same64", "single", "double", "nothing", "swap", "five", "odd name", "", "_inst",
             "__class__", "café", "memory", "table", "counter", "fixed"]
    assert list(inst.exports) == names and len(inst.exports) == len(names)
    assert "add" in inst.exports and "sub" not in inst.exports
    assert set(names) <= set(dir(inst.exports))
    with pytest.raises(KeyError):
        inst.exports["sub"]
    with pytest.raises(AttributeError):
        inst.exports.sub
    with pytest.raises(AttributeError):
        inst.exports.add = 1


def test_odd_names(inst):
    assert inst.exports[""]() == 7 and inst.exports["_inst"]() == 8 and inst.exports["__class__"]() == 9
    assert inst.exports.café() == 10
    assert inst.exports.add(1, 2) == 3


def test_an_export_is_one_object(inst):
    assert inst.exports.add is inst.exports["add"] is inst.function("add")
    assert inst.exports.memory is inst.exports["memory"]
    assert inst.exports.table is inst.exports.table and inst.exports.counter is inst.exports.counter


def test_functions_describe_themselves(inst):
    add = inst.exports.add
    assert add.name == add.__name__ == "add" and "add" in repr(add)
    assert [str(t) for t in add.type.params] == ["i32", "i32"] and [str(t) for t in add.type.results] == ["i32"]


def test_function_lookup(load):
    inst = load('(module (func $hidden (result i32) (i32.const 3)) (func (export "f")))')
    assert inst.function("hidden")() == 3 and inst.function(0)() == 3 and inst.function("f").index == 1
    for missing in ("g", 2, -1):
        with pytest.raises(KeyError):
            inst.function(missing)


def test_modules_describe_themselves():
    module = wasm.Module('(module $m (import "a" "b" (func (param i32))) (func (export "f")))')
    (wanted,), (offered,) = module.imports, module.exports
    assert (wanted.module, wanted.name) == ("a", "b") and [str(t) for t in wanted.type.params] == ["i32"]
    assert (offered.name, offered.kind, offered.index) == ("f", "func", 1) and module.name == "m"


@pytest.mark.parametrize("source, error", [
    (b"", wasm.DecodeError), (b"\0asm\2\0\0\0", wasm.DecodeError), ("(module", wasm.ParseError),
    ("(module (func i32.add))", wasm.ValidationError), ("/no/such/file.wasm", OSError),
    (3, TypeError), (None, TypeError)])
def test_bad_modules(source, error):
    with pytest.raises(error):
        wasm.Module(source)


# --- memory

def test_memory_as_buffer(inst):
    memory = inst.exports.memory
    assert len(memory) == 65536 and memory.pages == 1
    memory[0:4] = b"wasm"
    assert memory[0] == ord("w") and memory[:4] == b"wasm" and memory[-1] == 0 and memory[4:4] == b""
    memory[1] = 0x41
    memory.write_bytes(65532, b"tail")
    assert memory.read_bytes(0, 3) == b"wAs" and memory.read_bytes(65532, 4) == b"tail" and memory[65532:70000] == b"tail"
    view = memoryview(memory)
    assert (view.nbytes, view.readonly, view.format, view.ndim) == (65536, False, "B", 1)
    view[2:4] = b"!!"
    assert bytes(memory)[:4] == b"wA!!"


def test_memory_bounds_from_python(inst):
    memory = inst.exports.memory
    for bad in (65536, -65537):
        with pytest.raises(IndexError):
            memory[bad]
        with pytest.raises(IndexError):
            memory[bad] = 1
    for offset, size in ((65536, 1), (-1, 1), (0, 65537), (0, -1), (1 << 64, 1)):
        with pytest.raises(IndexError):
            memory.read_bytes(offset, size)
    with pytest.raises(IndexError):
        memory.write_bytes(65533, b"long")
    with pytest.raises(ValueError):
        memory[0:2] = b"three"
    with pytest.raises(ValueError):
        memory[0] = 256


def test_a_view_outlives_growth(inst):
    memory = inst.exports.memory
    view = memoryview(memory)
    assert memory.grow(2) == 1 and len(memory) == 3 * 65536
    view[7] = 9
    assert memory[7] == 9 and len(view) == 65536
    assert memory.grow(0) == 3 and len(memoryview(memory)) == 3 * 65536


@pytest.mark.parametrize("pages", [2, 1 << 16, 1 << 40, -1])
def test_growth_beyond_the_maximum(pages):
    memory = wasm.Memory(3, 4)
    with pytest.raises(ValueError):
        memory.grow(pages)
    assert memory.pages == 3


def test_wasm_and_python_see_one_memory(load):
    inst = load("""(module (memory (export "memory") 1)
      (func (export "get") (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "set") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "size") (result i32) (memory.size)))""")
    memory = inst.exports.memory
    memory[8:12] = (123456).to_bytes(4, "little")
    assert inst.exports.get(8) == 123456
    inst.exports.set(100, -2)
    assert memory[100:104] == b"\xfe\xff\xff\xff"
    assert inst.exports.grow(1) == 1 and len(memory) == 131072 and memory.grow(1) == 2 and inst.exports.size() == 3
    memory[131072 + 4:131072 + 8] = b"\1\0\0\0"
    assert inst.exports.get(131076) == 1
    assert inst.exports.grow(70000) == -1 and inst.exports.size() == 3


def test_numpy_views_memory(inst):
    numpy = pytest.importorskip("numpy")
    array = numpy.frombuffer(inst.exports.memory, dtype=numpy.int32)
    array[3] = 77
    assert inst.exports.memory[12:16] == b"M\0\0\0"


def test_empty_memory():
    memory = wasm.Memory(0)
    assert len(memory) == 0 and bytes(memory) == b"" and memory[:] == b""
    with pytest.raises(IndexError):
        memory[0]


# --- globals

def test_globals(inst):
    counter, fixed = inst.exports.counter, inst.exports.fixed
    counter.value = 2 ** 64 - 1
    assert counter.value == -1 and fixed.value == 2.5
    with pytest.raises(AttributeError):
        fixed.value = 1.0
    with pytest.raises(OverflowError):
        counter.value = 1 << 64
    with pytest.raises(TypeError):
        counter.value = 1.5
    assert counter.value == -1


@pytest.mark.parametrize("valtype, value, back", [
    ("i32", 0xFFFFFFFF, -1), ("i64", -5, -5), ("f32", 0.1, 0.10000000149011612), ("f64", 0.1, 0.1),
    ("externref", "thing", "thing"), ("externref", None, None), ("funcref", None, None)])
def test_globals_made_from_python(load, valtype, value, back):
    cell = wasm.Global(valtype, value, mutable=True)
    assert cell.value == back
    inst = load(f"""(module (import "m" "g" (global $g (mut {valtype})))
      (func (export "get") (result {valtype}) (global.get $g))
      (func (export "set") (param {valtype}) (global.set $g (local.get 0))))""", {"m": {"g": cell}})
    assert inst.exports.get() == back
    cell.value = back
    assert inst.exports.get() == back
    inst.exports.set(back)
    assert cell.value == back


def test_bad_globals():
    with pytest.raises(TypeError):
        wasm.Global("i32", "x")
    with pytest.raises(OverflowError):
        wasm.Global("i32", 1 << 32)
    for bad in ("i16", "nonsense", None, 3):
        with pytest.raises((TypeError, ValueError)):
            wasm.Global(bad, 0)


@pytest.mark.parametrize("make", [
    lambda: wasm.Memory(-1), lambda: wasm.Memory(2, 1), lambda: wasm.Memory(1 << 40), lambda: wasm.Table(-1),
    lambda: wasm.Table(2, 1), lambda: wasm.Table(1 << 40)])
def test_impossible_sizes(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize("make", [
    lambda: wasm.Memory(1.5), lambda: wasm.Memory("1"), lambda: wasm.Memory(), lambda: wasm.Table(1, elem="i32"),
    lambda: wasm.Table(1, init=5), lambda: wasm.Table(1.5), lambda: wasm.Memory.__new__(wasm.Memory)])
def test_impossible_arguments(make):
    with pytest.raises(TypeError):
        make()


def test_sizes_that_cannot_be_had():
    for make in (lambda: wasm.Memory(70000), lambda: wasm.Table(1 << 31)):
        with pytest.raises(MemoryError):
            make()


def test_an_object_without_its_memory(child):
    """`object.__new__` leaves out what makes a Memory; it must not crash."""
    done = child("""
        try:
            memoryview(object.__new__(wasm.Memory))
        except (TypeError, BufferError, ValueError):
            pass
        print("fine")""")
    assert done.stdout == "fine\n", done.stderr
