"""A failure while a value is converted between Python and wasm comes out as it is, wherever it happens."""
import pytest

import pyjit_wasm as wasm


class Refuses:
    """A number or a buffer of which every conversion raises; how often one was asked for."""

    def __init__(self, error):
        self.error, self.asked = error, 0

    def _refuse(self):
        self.asked += 1
        raise self.error

    __index__ = __float__ = __len__ = __iter__ = _refuse


class Counts:
    """An integer that counts how often its value was asked for, and refuses the second time."""

    def __init__(self, value):
        self.value, self.asked = value, 0

    def __index__(self):
        self.asked += 1
        if self.asked > 1:
            raise KeyError("asked twice")
        return self.value


def identity(load, valtype, padding=0):
    """A function that gives its argument back; one with many parameters has other trampolines."""
    more = " i32" * padding
    function = load(f'(module (func (export "f") (param {valtype}{more}) (result {valtype}) (local.get 0)))').exports.f
    return lambda value: function(value, *padding * [0])


padded = pytest.mark.parametrize("padding", [0, 70])


@padded
@pytest.mark.parametrize("valtype", ["i32", "i64", "f32", "f64"])
@pytest.mark.parametrize("error", [OverflowError("mine"), KeyError("mine"), KeyboardInterrupt("mine")], ids=repr)
def test_what_an_argument_raises_comes_out(load, valtype, padding, error):
    value = Refuses(error)
    with pytest.raises(type(error)) as caught:
        identity(load, valtype, padding)(value)
    assert caught.value is error and value.asked == 1


@padded
@pytest.mark.parametrize("valtype", ["i32", "i64", "f32", "f64"])
@pytest.mark.parametrize("count", [1, 2, 70])
def test_what_a_result_raises_comes_out(load, valtype, padding, count):
    error = OverflowError("mine")
    value, results = Refuses(error), " ".join([valtype] * count)
    inst = load(f'(module (func (import "m" "h") (param{" i32" * padding}) (result {results})) (export "h" (func 0)))',
                {"m": {"h": lambda *_: value if count == 1 else [value] * count}})
    with pytest.raises(OverflowError) as caught:
        inst.exports.h(*[0] * padding)
    assert caught.value is error and value.asked == 1


@padded
def test_an_integer_is_asked_for_once(load, padding):
    """C: `(int64_t)n` for what fits an i64 or an unsigned one; a number that fits neither is an OverflowError."""
    for valtype, value, expected in (("i64", 1 << 63, -1 << 63), ("i64", (1 << 64) - 1, -1), ("i64", -1, -1), ("i32", -1, -1),
                                     ("i32", (1 << 32) - 1, -1), ("i64", 5, 5)):
        number = Counts(value)
        assert identity(load, valtype, padding)(number) == expected and number.asked == 1
        assert identity(load, valtype, padding)(value) == expected
    for valtype, value in (("i64", 1 << 64), ("i64", -1 - (1 << 63)), ("i32", (1 << 64) - 1), ("i32", 1 << 32), ("i32", 1 << 63)):
        for number in (Counts(value), value):
            with pytest.raises(OverflowError):
                identity(load, valtype, padding)(number)


# --- the same where no generated code converts: globals, tables, payloads, raw bits

PLACES = {
    "global": lambda valtype, value: wasm.Global(valtype, value),
    "assignment": lambda valtype, value: setattr(wasm.Global(valtype, 0, mutable=True), "value", value),
    "import": lambda valtype, value: wasm.load(f'(module (import "m" "g" (global {valtype})))', {"m": {"g": value}}),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("valtype", ["i32", "i64", "f32", "f64"])
def test_what_a_value_of_a_global_raises_comes_out(place, valtype):
    error = OverflowError("mine")
    value = Refuses(error)
    with pytest.raises(OverflowError) as caught:
        PLACES[place](valtype, value)
    assert caught.value is error and value.asked == 1


@pytest.mark.parametrize("valtype, too_large", [("f32", 10 ** 400), ("f64", 10 ** 400), ("i32", 1 << 32), ("i64", 1 << 64)])
def test_globals_refuse_what_calls_refuse(load, valtype, too_large):
    for call in (identity(load, valtype), lambda value: wasm.Global(valtype, value).value):
        with pytest.raises(OverflowError):
            call(too_large)
        for value in ("1", None, 1j):
            with pytest.raises(TypeError):
                call(value)
    assert wasm.Global("f32", 1e300).value == identity(load, "f32")(1e300) == float("inf")


def test_what_a_payload_raises_comes_out(load):
    error, tag = OverflowError("mine"), wasm.Tag(["i64", "f32"])

    def throw(integer, number):
        raise wasm.WasmException(tag, integer, number)

    for values in ((Refuses(error), 1.5), (1, Refuses(error))):
        inst = load("""(module (import "m" "t" (tag $t (param i64 f32))) (import "m" "throw" (func $throw))
          (func (export "f") (block $b (result i64 f32) (try_table (catch $t $b) (call $throw)) (return)) drop drop))""",
                    {"m": {"t": tag, "throw": lambda values=values: throw(*values)}})
        with pytest.raises(OverflowError) as caught:
            inst.exports.f()
        assert caught.value is error


def test_the_tag_of_an_exception_is_a_tag(load):
    for tag in ("t", None, wasm.Memory(1), wasm.Function(lambda: None), wasm.Global("i32")):
        def throw(tag=tag):
            raise wasm.WasmException(tag, 1)

        inst = load("""(module (import "m" "throw" (func $throw))
          (func (export "f") (block $b (try_table (catch_all $b) (call $throw)))))""", {"m": {"throw": throw}})
        with pytest.raises(TypeError, match="is a Tag, not"):
            inst.exports.f()


class Lies(list):
    """A sequence that says it is longer than it is."""

    def __len__(self):
        return 500


def test_a_sequence_is_as_long_as_what_it_yields(load):
    tag, many = wasm.Tag(["i64"] * 500), " i64" * 500
    inst = load(f"""(module (import "m" "t" (tag $t (param{many}))) (import "m" "throw" (func $throw))
      (import "m" "many" (func $many (result{many})))
      (func (export "f") (param{many}) (result i64) (local.get 499))
      (func (export "many") (result{many}) (call $many))
      (func (export "catch") (block $b (result{many}) (try_table (catch $t $b) (call $throw)) (return)) {"drop " * 500}))""",
                {"m": {"t": tag, "throw": lambda: throw(), "many": lambda: Lies([1])}})

    def throw():
        error = wasm.WasmException(tag)
        error.payload = Lies([1])
        raise error

    for call in (lambda: inst.exports.f.call_bits(Lies([1])), inst.exports.catch, inst.exports.many):
        with pytest.raises(TypeError, match="1 given|wrong number of results"):
            call()
    assert inst.exports.f.call_bits(iter(range(500))) == (499,)


# --- Python runs signal handlers between the conversions of references, and runs out of stack there

INTERRUPTED = """
    {imports}
    inst = load('''(module (import "m" "h" (func $h (param externref{more} externref) (result externref)))
      (func (export "f") (param externref i32)
        (loop $l (drop (call $h (local.get 0){zeros} (local.get 0))) (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))))''',
      {{"m": {{"h": {host}}}}}, mode={mode!r})
    f = inst.exports.f
    f("x", 9)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    caught = 0
    for _ in range(300):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.05)
            f("x", 1 << 30)
        except KeyboardInterrupt:
            caught += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("caught", caught > 250)"""


@pytest.mark.parametrize("host, more", [("operator.is_", 0), ("lambda *a: a[0] is a[-1]", 0), ("lambda *a: a[0] is a[-1]", 70)])
def test_interrupted_between_two_arguments(child, mode, host, more):
    done = child(INTERRUPTED.format(imports="import operator", host=host, mode=mode, more=" i32" * more,
                                    zeros=" (i32.const 0)" * more), timeout=120)
    assert (done.stdout, done.returncode) == ("caught True\n", 0), done.stderr[-2000:]


RECURSION = """
    T = "i64 externref funcref f64 v128 externref"
    values = " ".join(f"(local.get {{i}})" for i in range(6))
    inst = load(f'''(module (import "m" "h" (func $h (param {{T}}) (result {{T}}))) (import "m" "t" (tag $t (param externref)))
        (func (export "f") (param {{T}}) (result {{T}}) {{values}} (call $h))
        (func (export "throw") (param externref) (throw $t (local.get 0)))
        (func (export "trap") (param externref) unreachable))''',
        {{"m": {{"h": lambda *a: a, "t": wasm.Tag(["externref"])}}}}, mode={mode!r})
    f, g = inst.exports.f, wasm.Function(lambda: None)
    arguments = 1, "a", g, 2.5, b"0123456789abcdef", "b"
    calls = [lambda: f(*arguments), lambda: inst.exports.throw("x"), lambda: inst.exports.trap("x"), lambda: f.call_bits((*arguments[:3], 3, *arguments[4:]))]
    def attempt(call):
        try:
            call()
        except (wasm.WasmException, wasm.Trap):
            pass
    def deeper(call, depth):
        return deeper(call, depth - 1) if depth else call()
    seen = set()
    for call in calls:
        attempt(call)   # what is compiled for a first call takes more room
        for depth in range(sys.getrecursionlimit() - 60, sys.getrecursionlimit() + 5):
            try:
                seen.add(type(deeper(call, depth)).__name__)
            except (wasm.WasmException, wasm.Trap, RecursionError) as error:
                seen.add(type(error).__name__)
    assert f(*arguments) == arguments
    print(*sorted(seen))"""


def test_the_recursion_limit_is_reached_in_a_conversion(child, mode):
    done = child(RECURSION.format(mode=mode), timeout=120)
    assert (done.stdout, done.returncode) == ("RecursionError Trap WasmException tuple\n", 0), done.stderr[-2000:]


# --- memory that is not there, for each allocation of a call in turn

EXHAUSTED = """
    import _testcapi
    import pyjit_wasm.codegen.lines     # later CPythons do not survive an import without memory
    many = 70
    T = "i32 i64 f32 f64 v128 externref funcref"
    def get(count): return " ".join(f"(local.get {{i}})" for i in range(count))
    inst = load(f'''(module (import "m" "h" (func $h (param {{T}}) (result {{T}}))) (import "m" "t" (tag $t (param i64 externref)))
        (import "m" "many" (func $many (param {{"i64 " * many}}) (result {{"i64 " * many}})))
        (import "m" "raise" (func $raise (param i64)))
        (func (export "f") (param {{T}}) (result {{T}}) {{get(7)}} (call $h))
        (func (export "many") (param {{"i64 " * many}}) (result {{"i64 " * many}}) {{get(many)}} (call $many))
        (func (export "raise") (param i64) (call $raise (local.get 0)))
        (func (export "throw") (param i64 externref) (throw $t (local.get 0) (local.get 1)))
        (func (export "catch") (param i64 externref) (result i64 externref)
          (block $b (result i64 externref) (try_table (result i64 externref) (catch $t $b) (throw $t (local.get 0) (local.get 1)))))
        (func (export "catch_all") (param i64) (block $b (try_table (catch_all $b) (call $raise (local.get 0)))))
        (func (export "trap") (param externref) unreachable))''',
        {{"m": {{"h": lambda *a: a, "many": lambda *a: a, "t": wasm.Tag(["i64", "externref"]), "raise": lambda n: [][n]}}}}, mode={mode!r})
    e, g, big = inst.exports, wasm.Function(lambda: None), 1 << 62
    started = wasm.Module('''(module (import "m" "h" (func $h (param i64 externref))) (global $g (import "m" "g") externref)
        (func $s (call $h (i64.const 0x123456789abc) (global.get $g))) (start $s))''', engine=wasm.Engine(mode={mode!r}))
    def instantiate():
        if sys.version_info < (3, 12):  # later ones do not survive a lambda that there is no memory for
            wasm.Instance(started, {{"m": {{"h": lambda *a: None, "g": "x"}}}})
    arguments = 123456789, big, 1.5, 2.5, b"0123456789abcdef", "x", g
    calls = [(e.f, arguments), (e.many, [big + i for i in range(many)]), (getattr(e, "raise"), [big]), (e.throw, [big, "x"]),
             (e.catch, [big, "x"]), (e.catch_all, [big]), (e.trap, ["x"]), (e.f, [1.5]), (e.f, [*arguments[:4], b"1", "x", g]),
             (instantiate, [])]
    errors = Exception      # a MemoryError, or whatever the call fails with, and SystemError where CPython itself loses one
    for call, given in calls:
        try:
            call(*given)    # ctypes makes types, which they do not survive either
        except errors:
            pass
        for width in (1, 3):
            for start in range(1, 130):
                _testcapi.set_nomemory(start, start + width)
                try:
                    call(*given)
                except errors:
                    pass
                finally:
                    _testcapi.remove_mem_hooks()
    assert e.f(*arguments) == arguments
    assert e.catch(big, "x") == (big, "x")
    print("survived")"""


def test_no_memory_for_an_object(child, mode):
    pytest.importorskip("_testcapi")
    done = child(EXHAUSTED.format(mode=mode), timeout=200)
    assert (done.stdout, done.returncode) == ("survived\n", 0), done.stderr[-2000:]
