"""wasm.host_function: WAMR's signature strings."""
import asyncio
import gc
import pickle

import pytest

import pyjit_wasm as wasm

PAGE = 65536


def guest(load, signature, params, results="", memory='(memory (export "memory") 1)'):
    """An instance whose `call` passes its parameters on to a host function, and what that received."""
    seen = []

    @wasm.host_function(signature)
    def host(*arguments):
        seen.append(arguments)
        return len(arguments) if results else None

    reads = "".join(f"(local.get {index})" for index in range(len(params.split())))
    declared = f"(param {params})" + (f"(result {results})" if results else "")
    inst = load(f"""(module (import "m" "host" (func $host {declared})) {memory}
      (func (export "call") {declared} (call $host {reads})))""", {"m": {"host": host}})
    return inst, seen


def test_wamrs_example(load):
    inst, seen = guest(load, "(ii*~$)i", "i32 i32 i32 i32 i32", "i32")
    inst.exports.memory[100:112] = b"buffertext\0."
    assert inst.exports.call(-1, 2, 100, 6, 106) == 4
    ((first, second, buffer, text),) = seen
    assert (first, second, bytes(buffer), text) == (-1, 2, b"buffer", "text")
    buffer[0:3] = b"BUF"
    assert inst.exports.memory[100:106] == b"BUFfer"


def test_numbers_and_references(load):
    inst, seen = guest(load, "(iIfFrr)r", "i32 i64 f32 f64 externref funcref", "externref")
    thing = object()
    assert inst.exports.call(-1, 1 << 40, 0.5, 0.25, thing, None) == 6
    assert seen == [(-1, 1 << 40, 0.5, 0.25, thing, None)]


def test_several_results(load):
    pair = wasm.host_function("($)iF")(lambda text: (len(text), 0.5))
    inst = load("""(module (import "m" "f" (func $f (param i32) (result i32 f64))) (memory 1) (data (i32.const 9) "abc")
      (func (export "f") (result i32 f64) (call $f (i32.const 9))))""", {"m": {"f": pair}})
    assert inst.exports.f() == (3, 0.5)


def test_a_buffer_without_length_reaches_to_the_end(load):
    inst, seen = guest(load, "(*)", "i32")
    inst.exports.call(PAGE - 3)
    inst.exports.call(0)
    inst.exports.memory.grow(1)
    inst.exports.call(0)
    assert [len(view) for view, in seen] == [3, PAGE, 2 * PAGE]


def test_buffers_at_the_edge(load):
    inst, seen = guest(load, "(*~)", "i32 i32")
    for address, size in ((0, PAGE), (PAGE, 0), (PAGE - 1, 1)):
        inst.exports.call(address, size)
    assert [len(view) for view, in seen] == [PAGE, 0, 1]


@pytest.mark.parametrize("signature, arguments", [
    ("(*~)", (PAGE, 1)), ("(*~)", (0, PAGE + 1)), ("(*~)", (-1, 1)), ("(*~)", (1, -1)), ("(*~)", (-1, -1)),
    ("(*i)", (PAGE, 0)), ("(*i)", (-1, 0)), ("($i)", (PAGE, 0)), ("($i)", (PAGE - 2, 0)), ("($i)", (-1, 0))])
def test_out_of_bounds(load, signature, arguments):
    inst, seen = guest(load, signature, "i32 i32")
    inst.exports.memory[PAGE - 2:PAGE] = b"xy"  # no NUL behind it
    with pytest.raises(wasm.Trap, match="out of bounds memory access"):
        inst.exports.call(*arguments)
    assert seen == []


@pytest.mark.parametrize("content", [
    b"", b"a", "größer".encode(), b"\xff\xfe", b"x" * 63, b"x" * 64, b"x" * 65, b"y" * 5000])
def test_strings(load, content):
    inst, seen = guest(load, "($)", "i32")
    address = PAGE - len(content) - 1
    inst.exports.memory[address:PAGE] = content + b"\0"
    inst.exports.call(address)
    assert seen == [(content.decode("utf-8", "surrogateescape"),)]


def test_addresses_are_unsigned(load):
    memory = '(memory (export "memory") 32769)'
    inst, seen = guest(load, "(*~$)", "i32 i32 i32", memory=memory)
    inst.exports.memory[1 << 31:(1 << 31) + 4] = b"abc\0"
    inst.exports.call(1 << 31, 3, 1 << 31)
    assert [(bytes(view), text) for view, text in seen] == [(b"abc", "abc")]


def test_64_bit_memories(load):
    inst, seen = guest(load, "(*~$i)", "i64 i64 i64 i32", memory='(memory (export "memory") i64 1)')
    inst.exports.memory[8:12] = b"abc\0"
    inst.exports.call(8, 2, 8, 5)
    assert [(bytes(view), *rest) for view, *rest in seen] == [(b"ab", "abc", 5)]
    for address in (1 << 40, -1):
        with pytest.raises(wasm.Trap):
            inst.exports.call(address, 1, 8, 5)


def test_the_memory_is_the_importing_instances(load):
    """Own and imported memories, one host function for all of them."""
    seen = []
    say = wasm.host_function("($)")(seen.append)
    source = """(module (import "m" "say" (func $say (param i32))) {} (data (i32.const 5) "{}\\00")
      (func (export "run") (call $say (i32.const 5))))"""
    common = wasm.Memory(1)
    instances = [load(source.format("(memory 1)", "one"), {"m": {"say": say}}),
                 load(source.format("(memory 1) (memory 1)", "two"), {"m": {"say": say}}),
                 load(source.format('(import "m" "memory" (memory 1))', "three"), {"m": {"say": say, "memory": common}})]
    for inst in instances:
        inst.exports.run()
    common[5:11] = b"other\0"
    instances[2].exports.run()
    assert seen == ["one", "two", "three", "other"]


def test_from_a_start_function(load):
    seen = []
    load("""(module (import "m" "say" (func $say (param i32))) (memory 1) (data (i32.const 5) "now")
      (func $start (call $say (i32.const 5))) (start $start))""", {"m": {"say": wasm.host_function("($)")(seen.append)}})
    assert seen == ["now"]


def test_a_view_outlives_the_instance(load):
    inst, seen = guest(load, "(*~)", "i32 i32")
    inst.exports.memory[0:3] = b"abc"
    inst.exports.call(0, 3)
    del inst
    assert bytes(seen[0][0]) == b"abc"


def test_after_a_failed_instantiation(load):
    """There is no instance whose memory it could be, but a function of it in a table."""
    table = wasm.Table(1)
    with pytest.raises(wasm.Trap):
        load("""(module (import "m" "t" (table 1 funcref)) (import "m" "f" (func $f (param i32)))
          (func $g (call $f (i32.const 0))) (elem (i32.const 0) $g) (memory 1) (data (i32.const 65536) "x"))""",
             {"m": {"t": table, "f": wasm.host_function("($)")(print)}})
    with pytest.raises(wasm.Trap, match="out of bounds memory access"):
        table[0]()


@pytest.mark.parametrize("signature, params, results, memory", [
    ("(i)", "i64", "", "(memory 1)"), ("(i)", "", "", "(memory 1)"), ("()", "", "i32", "(memory 1)"), ("()i", "", "", ""),
    ("(i)i", "i32", "f32", ""), ("(*)", "i64", "", "(memory 1)"), ("(*)", "i32", "", "(memory i64 1)"), ("($)", "i32", "", ""),
    ("(*~)", "i32 i64", "", "(memory 1)"), ("(r)", "i32", "", ""), ("(i)", "externref", "", "")])
def test_another_type_than_the_imports(load, signature, params, results, memory):
    with pytest.raises(wasm.LinkError, match="incompatible import type for m.f"):
        load(f'(module (import "m" "f" (func (param {params}) (result {results}))) {memory})',
             {"m": {"f": wasm.host_function(signature)(print)}})


@pytest.mark.parametrize("signature, position", [
    ("", 0), ("ii", 0), ("(ii", 3), ("(x)", 1), ("(iix)", 3), ("(~)", 1), ("(*~~)", 3), ("(i~)", 2), ("(i)x", 3),
    ("(i)*", 3), ("(i)(i)", 3), (" (i)", 0)])
def test_malformed_signatures(signature, position):
    with pytest.raises(ValueError, match=f"position {position}$"):
        wasm.host_function(signature)


@pytest.mark.parametrize("make", [lambda: wasm.host_function(3), lambda: wasm.host_function("()")(3)])
def test_wrong_arguments(make):
    with pytest.raises(TypeError):
        make()


def test_it_is_still_a_callable():
    @wasm.host_function("(ii)i")
    def add(a, b):
        """Adds."""
        return a + b

    assert add(1, 2) == 3 and (add.__name__, add.__doc__, add.signature) == ("add", "Adds.", "(ii)i")
    assert repr(add) == "<wasm host function add: (ii)i>"
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(add)


def test_the_calling_exec_env(load):
    seen = []

    @wasm.host_function("(i$)i", exec_env=True)
    def host(exec_env, number, text):
        seen.append((exec_env, text))
        return exec_env.user_data + number

    inst = load("""(module (import "m" "f" (func $f (param i32 i32) (result i32))) (memory 1) (data (i32.const 3) "abc")
      (func (export "f") (param i32) (result i32) (call $f (local.get 0) (i32.const 3))))""", {"m": {"f": host}})
    envs = [wasm.ExecEnv(inst, user_data=number) for number in (10, 20)]
    assert [env.call("f", 1) for env in envs] == [11, 21] and seen == [(env, "abc") for env in envs]


IMPORT = '(import "m" "f" (func $f (param i32))) (global (export "own") i32 (i32.const 7))'
WAYS = {"start": "(func $s (call $f (i32.const 1))) (start $s)", "re-exported": '(export "g" (func $f))',
        "in a table": '(table (export "t") funcref (elem $f))',
        "result": '(elem declare func $f) (func (export "r") (result funcref) (ref.func $f))'}


@pytest.mark.parametrize("way", WAYS)
def test_the_exec_env_of_an_import_that_python_calls(load, way):
    """It is that of the instance which imports it, for plain callables too, as long as the function is there."""
    seen = []

    def look(env):
        seen.append((env.instance.exports.own.value, wasm.ExecEnv.current() is env))

    @wasm.host_function("(i)", exec_env=True)
    def with_signature(exec_env, number):
        look(exec_env)

    for host in (with_signature, lambda number: look(wasm.ExecEnv.current())):
        inst = load(f"(module {IMPORT} {WAYS[way]})", {"m": {"f": host}})
        called = {"re-exported": lambda inst: inst.exports.g, "in a table": lambda inst: inst.exports.t[0],
                  "result": lambda inst: inst.exports.r()}.get(way, lambda inst: None)(inst)
        del inst
        gc.collect()
        if called is not None:
            called(1)
    assert seen == [(7, True)] * 2


def test_the_exec_env_of_an_import_that_is_the_start_function(load):
    seen = []

    @wasm.host_function("()", exec_env=True)
    def host(exec_env):
        seen.append((exec_env, exec_env.instance))

    imported = '(import "m" "f" (func)) (start 0)'
    instances = [load(f"(module {imported})", {"m": {"f": host}}) for _ in range(2)]
    assert [instance for _, instance in seen] == instances and seen[0][0] is not seen[1][0]


def test_coroutine_functions(load):
    @wasm.host_function("($)i")
    async def host(text):
        await asyncio.sleep(0.001)
        return len(text)

    inst = load("""(module (import "m" "f" (func $f (param i32) (result i32))) (memory 1) (data (i32.const 3) "abc")
      (func (export "f") (result i32) (call $f (i32.const 3))))""", {"m": {"f": host}})
    assert asyncio.run(inst.exports.f.call_async()) == 3


def test_exceptions_pass(load):
    def fail(view):
        raise LookupError(bytes(view[:1]))

    inst = load("""(module (import "m" "f" (func $f (param i32))) (memory 1) (data (i32.const 3) "x")
      (func (export "f") (call $f (i32.const 3))))""", {"m": {"f": wasm.host_function("(*)")(fail)}})
    with pytest.raises(LookupError, match="x"):
        inst.exports.f()
