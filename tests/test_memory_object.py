"""Memory objects beside a bytearray: indices, slices, copies, strings, NumPy views, and how long views live."""
import ctypes
import gc
import itertools
import random
import threading
import weakref

import pytest

import pyjit_wasm as wasm

SIZE = 65536
GUEST = """(module (memory (export "memory") 1 8)
  (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "set") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"""
EDGES = (None, 0, 1, 5, SIZE - 1, SIZE, SIZE + 1, 1 << 40, 1 << 70, -1, -5, -SIZE, -SIZE - 1, -1 << 70)


@pytest.fixture
def pair():
    """A memory and a bytearray with the same contents."""
    content = random.Random(1).randbytes(SIZE)
    memory = wasm.Memory(1, 4)
    memory[:] = content
    return memory, bytearray(content)


def slices():
    steps = (None, 1, 2, 7, -1, -3, 1 << 70, -1 << 70)
    return [slice(*bounds) for bounds in itertools.product(EDGES, EDGES, steps)]


# --- indices and slices, as a bytearray has them

def test_every_byte(pair):
    memory, model = pair
    assert len(memory) == SIZE and list(memory) == list(model) and list(reversed(memory)) == list(reversed(model))
    assert all(memory[i] == model[i] and memory[i - SIZE] == model[i] for i in range(0, SIZE, 97))
    assert model[77] in memory and 256 not in memory


def test_slices(pair):
    memory, model = pair
    for key in slices():
        found = memory[key]
        assert type(found) is bytes and found == model[key], key


def test_assignment_to_slices(pair):
    memory, model = pair
    rng = random.Random(2)
    for key in slices()[::7]:
        data = rng.randbytes(len(model[key]))
        memory[key] = data
        model[key] = data
    assert bytes(memory) == model


@pytest.mark.parametrize("key", [slice(0, 10), slice(5, 5), slice(0, 20, 2), slice(9, None, -1)])
@pytest.mark.parametrize("extra", [-1, 1, 1000])
def test_slices_keep_their_length(pair, key, extra):
    memory, model = pair
    size = max(0, len(model[key]) + extra) if len(model[key]) else 1000
    for data in (bytes(size), bytearray(size), memoryview(bytes(size))):
        with pytest.raises(ValueError):
            memory[key] = data
    assert bytes(memory) == model


@pytest.mark.parametrize("index", [SIZE, -SIZE - 1, 1 << 63, -1 << 63, 1 << 80, -1 << 80])
def test_indices_outside(pair, index):
    memory, _ = pair
    with pytest.raises(IndexError):
        memory[index]
    with pytest.raises(IndexError):
        memory[index] = 0


@pytest.mark.parametrize("key", [1.0, "1", None, (1, 2), ..., slice(1.5, 2), slice(0, 5, "x"), b""])
def test_keys_of_a_wrong_type(pair, key):
    memory, model = pair
    with pytest.raises(TypeError):
        memory[key]
    with pytest.raises(TypeError):
        memory[key] = b"x"
    assert bytes(memory) == model


def test_a_step_of_zero(pair):
    with pytest.raises(ValueError):
        pair[0][::0]
    with pytest.raises(ValueError):
        pair[0][::0] = b""


@pytest.mark.parametrize("value, error", [(256, ValueError), (-1, ValueError), (1 << 70, ValueError), (1.0, TypeError),
                                          ("a", TypeError), (b"a", TypeError), (None, TypeError)])
def test_bytes_of_a_wrong_value(pair, value, error):
    memory, model = pair
    with pytest.raises(error):
        memory[5] = value
    assert bytes(memory) == model


def test_deletion(pair):
    memory, model = pair
    for key in (0, slice(0, 2), slice(None, None, 2)):
        with pytest.raises(TypeError):
            del memory[key]
    assert bytes(memory) == model


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2], 1.5])
def test_only_bytes_like_objects(pair, data):
    memory, model = pair
    for store in (lambda: memory.__setitem__(slice(0, 2), data), lambda: memory.write_bytes(0, data)):
        with pytest.raises(TypeError):
            store()
    assert bytes(memory) == model


class Number:
    """An integer that does something else first."""

    def __init__(self, value, act=lambda: None):
        self.value, self.act = value, act

    def __index__(self):
        self.act()
        return self.value


def test_numbers_by_protocol(pair):
    memory, model = pair
    assert memory[Number(9)] == model[9] and memory[Number(3):Number(7)] == model[3:7]
    memory[Number(9)] = Number(17)
    assert memory[9] == 17 and memory.read_bytes(Number(3), Number(2)) == model[3:5]


def test_bounds_are_those_after_the_conversions(pair):
    """An `__index__` that grows the memory is seen, and one that fails comes out."""
    memory, _ = pair
    grow = lambda: memory.grow(1)
    assert memory[Number(SIZE, grow)] == 0
    assert memory.read_bytes(Number(2 * SIZE, grow), 4) == bytes(4)
    memory[3 * SIZE - 1:Number(4 * SIZE, grow)] = bytes(SIZE + 1)

    def fail():
        raise LookupError("angry")

    for use in (lambda n: memory[n], lambda n: memory[n:], lambda n: memory.read_bytes(n, 1),
                lambda n: memory.write_bytes(n, b""), lambda n: memory.__setitem__(0, n)):
        with pytest.raises(LookupError, match="angry"):
            use(Number(0, fail))


# --- copies

INSIDE = [(0, 0), (0, 16), (SIZE, 0), (SIZE - 16, 16), (0, SIZE), (1, SIZE - 1)]
OUTSIDE = [(SIZE, 1), (SIZE + 1, 0), (-1, 1), (-1, 0), (0, SIZE + 1), (0, -1), (1 << 64, 1), (1, (1 << 64) - 1),
           (1 << 63, 1 << 63), ((1 << 63) - 1, (1 << 63) - 1)]


@pytest.mark.parametrize("offset, size", INSIDE)
def test_copies(pair, offset, size):
    memory, model = pair
    assert memory.read_bytes(offset, size) == model[offset:offset + size]
    buffer = bytearray(size)
    assert memory.read_into(offset, buffer) is None and buffer == model[offset:offset + size]
    data = random.Random(3).randbytes(size)
    assert memory.write_bytes(offset, data) is None
    model[offset:offset + size] = data
    assert bytes(memory) == model


@pytest.mark.parametrize("offset, size", OUTSIDE)
def test_copies_outside(pair, offset, size):
    memory, model = pair
    with pytest.raises(IndexError, match="outside the memory"):
        memory.read_bytes(offset, size)
    if 0 <= size <= SIZE + 1:
        with pytest.raises(IndexError):
            memory.write_bytes(offset, b"x" * size)
        buffer = bytearray(size)
        with pytest.raises(IndexError):
            memory.read_into(offset, buffer)
        buffer.append(1)  # nothing is exported any more
    assert bytes(memory) == model


@pytest.mark.parametrize("name", ["read_bytes", "write_bytes", "read_into"])
@pytest.mark.parametrize("arguments", [(), (1,), (1, 2, 3), ("0", b""), (0, "x"), (None, None), (0.0, b"")])
def test_wrong_arguments(pair, name, arguments):
    with pytest.raises(TypeError):
        getattr(pair[0], name)(*arguments)


def test_read_into_needs_a_writable_buffer(pair):
    for buffer in (b"bytes", memoryview(b"bytes"), memoryview(bytearray(10))[::2]):
        with pytest.raises((TypeError, BufferError)):
            pair[0].read_into(0, buffer)


def test_buffers_of_other_elements(pair):
    """Their bytes count."""
    numpy = pytest.importorskip("numpy")
    memory, model = pair
    array = numpy.arange(10, dtype="<i4")
    memory.write_bytes(8, array)
    assert memory.read_bytes(8, 40) == memory[8:48] == array.tobytes()
    memory[100:140] = array
    assert memory[100:140] == array.tobytes()
    target = numpy.zeros(5, "<f8")
    memory.read_into(16, target)
    assert target.tobytes() == memory[16:56]
    with pytest.raises((ValueError, BufferError)):
        memory.write_bytes(0, array[::2])


@pytest.mark.parametrize("source, target", [(0, 1), (1, 0), (100, 300), (300, 100), (0, 0)])
def test_overlapping_copies(pair, source, target):
    memory, model = pair
    view, size = memoryview(memory), 1000
    wanted = bytes(model[source:source + size])
    memory.write_bytes(target, view[source:source + size])
    model[target:target + size] = wanted
    assert bytes(memory) == model
    memory[source:source + size] = view[target:target + size]
    model[source:source + size] = model[target:target + size]
    assert bytes(memory) == model
    memory.read_into(target, view[source:source + size])
    model[source:source + size] = model[target:target + size]
    assert bytes(memory) == model
    memory[target:target + 2 * size:2] = view[source:source + size]
    model[target:target + 2 * size:2] = bytes(model[source:source + size])
    assert bytes(memory) == model


def test_large_copies_in_threads():
    """They run without the GIL; the memory may grow meanwhile."""
    memory, size = wasm.Memory(128, 400), 64 * SIZE
    content = random.Random(4).randbytes(size)
    memory.write_bytes(0, content)
    failures = []

    def work():
        for _ in range(20):
            buffer = bytearray(size)
            memory.read_into(0, buffer)
            if not memory.read_bytes(0, size) == memory[:size] == buffer == content:
                failures.append("read")
            memory[size:2 * size] = buffer
            if memory[size:2 * size] != content:
                failures.append("written")

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        memory.grow(1)
    for thread in threads:
        thread.join()
    assert not failures and memory.pages == 328


def test_no_references_leak(pair):
    import sys

    memory, _ = pair
    data, buffer, wrong = bytes(range(100)) * 3, bytearray(300), bytes(7)
    key = slice(0, 300)

    def use():
        memory.write_bytes(1000, data)
        memory.read_into(1000, buffer)
        memory[key] = data
        memory[0:600:2] = data
        for bad in (lambda: memory.__setitem__(key, wrong), lambda: memory.write_bytes(SIZE, data),
                    lambda: memory.read_into(SIZE, buffer)):
            with pytest.raises((ValueError, IndexError)):
                bad()

    use()
    before = [sys.getrefcount(thing) for thing in (memory, data, buffer, wrong, key, None)]
    for _ in range(50):
        use()
    for _ in range(10_000):
        memory.write_bytes(0, data)
    after = [sys.getrefcount(thing) for thing in (memory, data, buffer, wrong, key, None)]
    assert after[:5] == before[:5] and abs(after[5] - before[5]) < 1000
    buffer.append(1)


# --- strings

def test_strings():
    memory = wasm.Memory(1)
    assert memory.write_str(10, "grüße") == 8 and memory[10:18] == "grüße".encode() + b"\0"
    assert memory.read_str(10) == "grüße" and memory.read_str(10, 2) == "gr"
    assert memory.write_str(100, "ab", nul=False) == 2 and memory[98:103] == b"\0\0ab\0"
    assert memory.write_str(200, "hi", encoding="utf-16-le") == 6
    assert memory.read_str(200, 4, encoding="utf-16-le") == "hi"
    assert memory.write_str(0, "") == 1 and memory.read_str(0) == "" == memory.read_str(SIZE, 0)
    for size in (63, 64, 65, 320, 5000, 60000):
        memory.write_str(1000, "x" * size)
        assert memory.read_str(1000) == "x" * size


def test_strings_that_are_none():
    memory = wasm.Memory(1)
    memory[:] = b"a" * SIZE
    for offset in (0, SIZE - 1, SIZE):
        with pytest.raises(ValueError):
            memory.read_str(offset)
    for offset in (-1, SIZE + 1, 1 << 70):
        with pytest.raises(IndexError):
            memory.read_str(offset)
        with pytest.raises(IndexError):
            memory.write_str(offset, "x")
    with pytest.raises(IndexError):
        memory.read_str(SIZE - 2, 3)
    with pytest.raises(IndexError):
        memory.write_str(SIZE - 3, "abc")
    assert memory[-3:] == b"aaa"
    memory[0] = 0xFF
    with pytest.raises(UnicodeDecodeError):
        memory.read_str(0, 4)
    with pytest.raises(UnicodeEncodeError):
        memory.write_str(0, "ü", encoding="ascii")
    with pytest.raises(LookupError):
        memory.read_str(0, encoding="no such encoding")
    with pytest.raises(ValueError):
        memory.read_str(0, encoding="utf-16-le")


# --- views

def test_numpy_views(load):
    numpy = pytest.importorskip("numpy")
    inst = load(GUEST)
    memory = inst.exports.memory
    array = memory.view(numpy.float64)[2:4]
    array[:] = 1.5, -2.0
    assert memory[16:32] == numpy.array([1.5, -2.0]).tobytes() and inst.exports.get(23) == memory[23]
    inst.exports.set(40, 7)
    view = memory.view()
    assert view.dtype == numpy.uint8 and view.shape == (SIZE,) and view[40] == 7 and view.flags.writeable
    assert memory.view("<i4", 40, 2).tolist() == [7, 0] and memory.view("<i8", 1).size == (SIZE - 1) // 8
    assert memory.view(numpy.uint16, offset=SIZE - 3).size == 1 and memory.view("<i4", SIZE).size == 0
    assert memory.view("<i4", SIZE - 4)[0] == 0 and memory.view([("a", "<i4"), ("b", "u1")], 0, 3).shape == (3,)


def test_numpy_views_outside():
    pytest.importorskip("numpy")
    memory = wasm.Memory(1)
    for offset, count in ((SIZE + 1, None), (-1, None), (-8, 1), (0, SIZE // 4 + 1), (SIZE, 1), (0, -1), (1 << 70, 1),
                          (0, 1 << 70)):
        with pytest.raises(IndexError):
            memory.view("<i4", offset, count)
    with pytest.raises(ValueError):
        memory.view(object)
    with pytest.raises(TypeError):
        memory.view("no such type")
    assert wasm.Memory(0).view("<i4").size == 0


VIEWS = {
    "memoryview": memoryview,
    "numpy": lambda memory: memory.view(),
    "frombuffer": lambda memory: pytest.importorskip("numpy").frombuffer(memory, "u1"),
    "ctypes": lambda memory: (ctypes.c_uint8 * SIZE).from_buffer(memory),
}


@pytest.mark.parametrize("kind", VIEWS)
def test_views_outlive_growth_and_instance(load, kind):
    pytest.importorskip("numpy")
    inst = load(GUEST)
    get, put, view = inst.exports.get, inst.exports.set, VIEWS[kind](inst.exports.memory)
    view[5] = 50
    assert inst.exports.grow(2) == 1 and inst.exports.memory.grow(3) == 3
    assert len(view) == SIZE and view[5] == 50
    view[6] = 60
    put(7, 70)
    assert (get(5), get(6), view[7]) == (50, 60, 70)
    watched = weakref.ref(inst)
    del inst, get, put
    gc.collect()
    kept = [bytearray(b"\xff" * size) for size in range(64, 4096, 16) for _ in range(8)]
    assert watched() is None and (view[5], view[6], view[7]) == (50, 60, 70)
    view[5] = 1
    assert view[5] == 1
    del kept


@pytest.mark.parametrize("kind", VIEWS)
def test_views_let_go(load, kind):
    pytest.importorskip("numpy")
    memory = load(GUEST).exports.memory
    view, watched = VIEWS[kind](memory), weakref.ref(memory)
    store = weakref.ref(memory._inst)
    del memory
    gc.collect()
    assert watched() is not None
    del view
    gc.collect()
    assert watched() is None and store() is None


def test_an_object_without_its_memory(child):
    """`object.__new__` leaves out what makes a Memory; nothing may crash."""
    done = child("""
        memory = object.__new__(wasm.Memory)
        uses = [lambda: memory[0], lambda: memory[0:1], lambda: len(memory), lambda: list(memory), lambda: bytes(memory),
                lambda: memory.read_bytes(0, 1), lambda: memory.write_bytes(0, b"x"), lambda: memory.view(),
                lambda: memory.read_into(0, bytearray(1)), lambda: memory.__setitem__(0, 1),
                lambda: memory.__setitem__(slice(0, 1), b"x"), lambda: memory.__delitem__(0)]
        for use in uses:
            try:
                use()
            except (TypeError, BufferError, ValueError, AttributeError):
                continue
            print("no error")
        print("fine")""")
    assert done.stdout == "fine\n", done.stderr


def test_memories_describe_themselves():
    for name in ("read_bytes", "write_bytes", "read_into", "read_str", "write_str", "view"):
        assert getattr(wasm.Memory, name).__doc__
    assert wasm.Memory.read_bytes.__text_signature__ == "($self, offset, size, /)"
