"""WAMR's functions, by WAMR's facts (wasm_export.h, wasm_runtime_common.c, wasm_application.c of WAMR 2.4)."""
import ctypes
import gc
import logging
import re
import struct
import subprocess
import sys
import threading
import time
import weakref

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import wamr

RUNNING = {"interp": wamr.Mode_Interp, "jit": wamr.Mode_LLVM_JIT, "tiered": wamr.Mode_Multi_Tier_JIT}
SOURCE = """(module
  (memory (export "memory") 1)
  (global (export "number") i32 (i32.const 5))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "turn") (param i32 i64 f32 f64 v128) (result v128 f64 f32 i64 i32)
    (local.get 4) (local.get 3) (local.get 2) (local.get 1) (local.get 0))
  (func (export "two") (result i64) (i64.const 0x500000002))
  (func $deep (export "deep") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
      (else (i32.const 0))))
  (func $forever (export "forever") (loop $l (br $l)))
  (func $inner (unreachable))
  (func $outer (export "crash") (call $inner))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "outside") (result i32) (i32.load (i32.const -1))))"""


@pytest.fixture
def instantiate(engine, mode):
    """`instantiate(wat, default_stack_size, heap_size)`: in each mode, with registered natives."""
    wamr.set_default_running_mode(RUNNING[mode])
    yield lambda source=SOURCE, *sizes: wamr.instantiate(wamr.load(source, engine=engine), *sizes)
    wamr.destroy()


@pytest.fixture
def inst(instantiate):
    return instantiate()


def call(module_inst, name, cells, env=None):
    """(whether it succeeded, the exception); the exception is cleared."""
    env = env or wamr.create_exec_env(module_inst, 1 << 16)
    done = wamr.call_wasm(env, wamr.lookup_function(module_inst, name), len(cells), cells)
    exception = wamr.get_exception(module_inst)
    wamr.clear_exception(module_inst)
    return done, exception


# --- exec_envs

def test_the_buffer_is_zeroed(inst):
    env = wamr.create_exec_env(inst, 10_000)
    assert ctypes.string_at(env._env.stack, 10_000) == bytes(10_000) and env.stack_size == 10_000


def test_stack_size_0_is_no_buffer(inst, mode):
    """Only what is compiled runs."""
    env, cells = wamr.create_exec_env(inst, 0), [1, 2]
    if mode == "jit":
        assert call(inst, "add", cells, env) == (True, None) and cells == [3, 2]
        assert call(inst, "deep", [1000], env) == (True, None)
    else:
        assert call(inst, "add", cells, env) == (False, "Exception: wasm operand stack overflow") and cells == [1, 2]


def test_default_stack_size_0_is_64_kib(instantiate):
    assert wamr.get_exec_env_singleton(instantiate()).stack_size == 65536
    assert wamr.get_exec_env_singleton(instantiate(SOURCE, 8192)).stack_size == 8192


def test_a_frame_that_does_not_fit(inst, mode):
    env = wamr.create_exec_env(inst, 4096)
    assert call(inst, "deep", [10], env) == (True, None)
    done = call(inst, "deep", [1000], env)
    assert done == ((False, "Exception: wasm operand stack overflow") if mode == "interp" else (True, None))
    assert call(inst, "deep", [10], env) == (True, None)


def test_the_machine_stack(instantiate):
    inst = instantiate("""(module (func $f (export "f") (param i32) (result i32)
      (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 1))))""")
    assert wamr.set_running_mode(inst, wamr.Mode_LLVM_JIT)
    assert call(inst, "f", [0], wamr.create_exec_env(inst, 0)) == (False, "Exception: native stack overflow")


def test_destroy(inst):
    env = wamr.create_exec_env(inst, 4096)
    wamr.destroy_exec_env(env)
    with pytest.raises(wasm.InUseError, match="closed"):
        call(inst, "two", [], env)


def test_user_data_and_custom_data(inst):
    env = wamr.create_exec_env(inst, 4096)
    assert wamr.get_user_data(env) is None and wamr.get_custom_data(inst) is None
    wamr.set_user_data(env, "yours")
    wamr.set_custom_data(inst, "ours")
    assert wamr.get_user_data(env) == "yours" and wamr.get_custom_data(inst) == "ours"
    assert wamr.get_module_inst(env) is inst


def test_lookup(inst):
    assert wamr.lookup_function(inst, "add").type == wasm.FuncType(("i32", "i32"), ("i32",))
    for name in ("nothing", "number", "memory", "inner"):   # only exports, and only functions
        assert wamr.lookup_function(inst, name) is None


def test_an_instance_goes(inst, instantiate):
    other = instantiate(SOURCE, 0, 4096)
    call(other, "crash", [])
    wamr.get_exec_env_singleton(other)
    dead = weakref.ref(other), weakref.ref(other._inst)
    del other
    gc.collect()
    assert [d() for d in dead] == [None, None]


def test_deinstantiate(inst):
    wamr.deinstantiate(inst)
    with pytest.raises(wasm.InUseError):
        inst.exports.add(1, 2)


# --- calls with cells

def test_cells(inst):
    """i32 and f32 take one, i64 and f64 two with the low word first, v128 four; results overwrite them from 0."""
    given = [7, 2, 1, *struct.unpack("<3I", struct.pack("<fd", 0.5, -2.5)), 10, 11, 12, 13]
    cells = list(given)
    assert call(inst, "turn", cells) == (True, None)
    assert cells == [10, 11, 12, 13, *given[4:6], given[3], 2, 1, 7]
    array = (ctypes.c_uint32 * 2)(40, 2)
    assert call(inst, "add", array) == (True, None) and list(array) == [42, 2]


def test_too_few_cells(inst):
    assert call(inst, "turn", [0] * 9) == (False, "Exception: invalid argument count 9, must be no smaller than 10")
    env, add = wamr.create_exec_env(inst, 4096), wamr.lookup_function(inst, "add")
    cells = [1, 2, 3]
    assert not wamr.call_wasm(env, add, 1, cells)
    assert wamr.get_exception(inst) == "Exception: invalid argument count 1, must be no smaller than 2"
    wamr.clear_exception(inst)
    assert wamr.call_wasm(env, add, 3, cells) and cells == [3, 2, 3]


def test_values(inst):
    env, results = wamr.create_exec_env(inst, 4096), []
    turn = wamr.lookup_function(inst, "turn")
    arguments = (-7, 1 << 40, 0.5, 2.25, bytes(range(16)))
    assert wamr.call_wasm_a(env, turn, results, arguments) and results == list(arguments[::-1])
    assert wamr.call_wasm_v(env, turn, results, *arguments) and results == list(arguments[::-1])
    assert wamr.call_wasm_v(env, wamr.lookup_function(inst, "add"), results, 1, 2) and results == [3]
    assert not wamr.call_wasm_v(env, wamr.lookup_function(inst, "divide"), results, 1, 0) and results == [3]
    wamr.clear_exception(inst)
    with pytest.raises(TypeError):
        wamr.call_wasm_v(env, turn, results, 1)


# --- exceptions

@pytest.mark.parametrize("name, cells, text", [
    ("crash", [], "unreachable"), ("divide", [1, 0], "integer divide by zero"),
    ("divide", [1 << 31, 0xFFFFFFFF], "integer overflow"), ("outside", [], "out of bounds memory access")])
def test_traps(inst, name, cells, text):
    assert call(inst, name, cells) == (False, f"Exception: {text}")


def test_set_get_clear(inst):
    assert wamr.get_exception(inst) is None
    wamr.set_exception(inst, "mine")
    assert wamr.get_exception(inst) == "Exception: mine"
    env, cells = wamr.create_exec_env(inst, 4096), [1, 2]
    assert not wamr.call_wasm(env, wamr.lookup_function(inst, "add"), 2, cells)
    assert wamr.get_exception(inst) == "Exception: mine" and cells == [1, 2]
    wamr.clear_exception(inst)
    assert wamr.get_exception(inst) is None
    assert wamr.call_wasm(env, wamr.lookup_function(inst, "add"), 2, cells) and cells == [3, 2]
    wamr.set_exception(inst, None)
    assert wamr.get_exception(inst) is None


def test_an_uncaught_exception(instantiate):
    inst = instantiate('(module (tag $t) (func (export "f") (throw $t)))')
    assert call(inst, "f", []) == (False, "Exception: uncaught wasm exception")


def test_terminate(inst):
    """From another thread, in any exec_env."""
    for env in (wamr.create_exec_env(inst, 4096), wamr.get_exec_env_singleton(inst)):
        result = []
        forever = wamr.lookup_function(inst, "forever")
        thread = threading.Thread(target=lambda: result.append(wamr.call_wasm(env, forever, 0, [])), daemon=True)
        thread.start()
        end = time.monotonic() + 20
        while not env._env.thread:
            assert time.monotonic() < end
            time.sleep(0.001)
        wamr.terminate(inst)
        thread.join(20)
        assert result == [False] and wamr.get_exception(inst) == "Exception: terminated by user"
        wamr.clear_exception(inst)
        assert call(inst, "add", [1, 2]) == (True, None)


# --- application_execute_func

@pytest.mark.parametrize("arguments, printed", [
    (("1", "2", "1.5", "0.1", "1\\2"), "<0x0000000000000001 0x0000000000000002>:v128,0.1:f64,1.5:f32,0x2:i64,0x1:i32"),
    # base 0: hexadecimal, octal; modulo the width
    (("0x37", "010", "0x1p-1", "1e300", "0x10,0x20"),
     "<0x0000000000000010 0x0000000000000020>:v128,1e+300:f64,0.5:f32,0x8:i64,0x37:i32"),
    (("-1", "-2", "-0", "-0x1.8p1", "-1x0"),
     "<0xffffffffffffffff 0x0000000000000000>:v128,-3:f64,-0:f32,0xfffffffffffffffe:i64,0xffffffff:i32"),
    (("0x123456789", "99999999999999999999", "123456.789", "3.14159265358979", "1 1"),
     "<0x0000000000000001 0x0000000000000001>:v128,3.141593:f64,123456.8:f32,0xffffffffffffffff:i64,0x23456789:i32"),
    ((" 12", "+7", "inf", "-infinity", "1:2"),
     "<0x0000000000000001 0x0000000000000002>:v128,-inf:f64,inf:f32,0x7:i64,0xc:i32"),
    # what follows an underscore is not looked at
    (("12_i32", "3_", "0.25_x", "8_", "1_2_v"),
     "<0x0000000000000001 0x0000000000000002>:v128,8:f64,0.25:f32,0x3:i64,0xc:i32"),
    (("0", "0", "nan", "-nan", "0 0"), "<0x0000000000000000 0x0000000000000000>:v128,-nan:f64,nan:f32,0x0:i64,0x0:i32"),
])
def test_execute_func(inst, capsys, arguments, printed):
    assert wamr.application_execute_func(inst, "turn", arguments)
    assert capsys.readouterr().out == printed + "\n"


@pytest.mark.parametrize("text, bits, wide", [
    ("nan", 0x7FC00000, 0x7FF8000000000000), ("-nan", 0xFFC00000, 0xFFF8000000000000),
    ("nan:0x1", 0x7F800001, 0x7FF0000000000001), ("-nan:0x200000", 0xFFA00000, 0xFFF0000000200000),
    ("nan:0x400001", 0x7FC00001, 0x7FF0000000400001), ("nan:12", 0x7F80000C, 0x7FF000000000000C),
    ("nan:0xfffffffffffff", 0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF)])
def test_nan_payloads(instantiate, capsys, text, bits, wide):
    """The number behind the colon is the significand, bit for bit, in wasm."""
    inst = instantiate("""(module
      (func (export "f") (param f32) (result i32) (i32.reinterpret_f32 (local.get 0)))
      (func (export "g") (param f64) (result i64) (i64.reinterpret_f64 (local.get 0))))""")
    assert wamr.application_execute_func(inst, "f", [text]) and wamr.application_execute_func(inst, "g", [text])
    assert capsys.readouterr().out == f"0x{bits:x}:i32\n0x{wide:x}:i64\n"


def test_floats_are_printed_as_c_does(instantiate, capfd):
    """%.7g by the C library itself."""
    inst = instantiate('(module (func (export "f") (param f64) (result f64) (local.get 0)))')
    libc, buffer = ctypes.CDLL(None), ctypes.create_string_buffer(100)
    for number in (0.0, -0.0, 1.0, 0.1, 1e-5, 123456789.0, 1e7, 9999999.5, 2 ** 0.5, 5e-324, 1.797e308, float("inf")):
        libc.snprintf(buffer, 100, b"%.7g:f64\n", ctypes.c_double(number))
        assert wamr.application_execute_func(inst, "f", [number.hex()])
        assert capfd.readouterr().out == buffer.value.decode()


def test_references_as_text(instantiate, capsys):
    inst = instantiate("""(module (func $f) (func (export "f") (param funcref externref) (result externref funcref)
      (local.get 1) (local.get 0)))""")
    assert wamr.application_execute_func(inst, "f", ["null", "NULL"])
    assert wamr.application_execute_func(inst, "f", ["0", "0x1234"])
    assert capsys.readouterr().out == "extern:ref.null,func:ref.null\n0x1234:ref.extern,0:ref.func\n"
    assert not wamr.application_execute_func(inst, "f", ["99", "null"])
    assert capsys.readouterr().out == "Exception: invalid input argument 0: 99\n"
    inst = instantiate("""(module (type $v (func)) (func $f) (func $g (param i32))
      (func (export "f") (param (ref $v)) (result (ref null $v)) (local.get 0)) (elem declare func $f))""")
    assert wamr.application_execute_func(inst, "f", ["0"])
    for text in ("null", "1"):
        assert not wamr.application_execute_func(inst, "f", [text])
    assert capsys.readouterr().out == (
        "0:ref.func\nException: invalid input argument 0: null\nException: invalid input argument 0: 1\n")


@pytest.mark.parametrize("name, arguments, text", [
    ("nothing", [], "lookup function nothing failed"), ("number", [], "lookup function number failed"),
    ("add", ["1"], "invalid input argument count"), ("add", ["1", "2", "3"], "invalid input argument count"),
    ("add", ["1", ""], "invalid input argument 1"), ("add", ["1", "x"], "invalid input argument 1: x"),
    ("add", ["1.5", "1"], "invalid input argument 0: 1.5"), ("add", ["08", "1"], "invalid input argument 0: 08"),
    ("add", ["1\0", "1"], "invalid input argument 0: 1\0"), ("add", ["1é", "\udc80"], "invalid input argument 0: 1é"),
    ("turn", ["1", "2", "one", "0", "1 2"], "invalid input argument 2: one"),
    ("turn", ["1", "2", "1", "0", "1"], "invalid input argument 4: 1"),
    ("turn", ["1", "2", "1", "0", "1 2x"], "invalid input argument 4: 1 2x"),
    ("divide", ["1", "0"], "integer divide by zero")])
def test_what_execute_func_refuses(inst, capsys, name, arguments, text):
    assert not wamr.application_execute_func(inst, name, arguments)
    assert capsys.readouterr().out == f"Exception: {text}\n" and wamr.get_exception(inst) == f"Exception: {text}"
    assert wamr.application_execute_func(inst, "two", [])     # the exception before is forgotten
    assert capsys.readouterr().out == "0x500000002:i64\n" and wamr.get_exception(inst) is None


def test_no_result_is_an_empty_line(instantiate, capsys):
    inst = instantiate('(module (func (export "f")))')
    assert wamr.application_execute_func(inst, "f", [])
    assert capsys.readouterr().out == "\n"


# --- application_execute_main

MAIN = """(module (memory (export "memory") 1)
  (func (export "main") (param $argc i32) (param $argv i32) (result i32) (local $sum i32) (local $p i32)
    ;; the sum of all bytes of the strings
    (loop $string
      (if (local.get $argc) (then
        (local.set $p (i32.load (local.get $argv)))
        (loop $byte
          (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $p))))
          (local.set $p (i32.add (local.get $p) (i32.const 1)))
          (br_if $byte (i32.load8_u (local.get $p))))
        (local.set $argv (i32.add (local.get $argv) (i32.const 4)))
        (local.set $argc (i32.sub (local.get $argc) (i32.const 1)))
        (br $string))))
    (local.get $sum)))"""


def test_execute_main(instantiate):
    inst, argv = instantiate(MAIN, 0, 4096), ["program", "one", "zwölf"]
    total = sum(sum(text.encode()) for text in argv)
    assert wamr.application_execute_main(inst, argv)
    assert argv == [total, "one", "zwölf"]
    assert inst._inst.attached["heap"].used == 0
    inst = instantiate(MAIN)     # no heap
    assert not wamr.application_execute_main(inst, ["program"])
    assert wamr.get_exception(inst) == "Exception: allocate memory failed"


@pytest.mark.parametrize("source, text", [
    ("(module)", "lookup the entry point symbol (like _start, main, _main, __main_argc_argv) failed"),
    ('(module (func (export "main") (param i32)))', "invalid function type of main function"),
    ('(module (func (export "main") (param i64 i32)))', "invalid function type of main function"),
    ('(module (func (export "main") (result f32) (f32.const 0)))', "invalid function type of main function"),
    ('(module (import "m" "f" (func $f)) (export "main" (func $f)))', "lookup main function failed"),
    ('(module (func (export "_main") (unreachable)))', "unreachable")])
def test_main_functions_that_are_none(instantiate, source, text):
    inst = instantiate(source)
    assert not wamr.application_execute_main(inst, [])
    assert wamr.get_exception(inst) == f"Exception: {text}"


def test_a_wasi_program(instantiate, tmp_path):
    module = wamr.load("examples/hello.wasm")
    output = tmp_path / "output"
    with open(output, "wb") as file:
        wamr.set_wasi_args_ex(module, argv=["hello", "one"], stdoutfd=file.fileno())
        inst = wamr.instantiate(module)
        assert wamr.application_execute_main(inst, [])
    assert output.read_text() == "Hello from WebAssembly!\nargument 1: one\n"
    assert wamr.get_exception(inst) is None and wamr.get_wasi_exit_code(inst) == 1
    with pytest.raises(ValueError, match="GUEST::HOST"):
        wamr.set_wasi_args(module, map_dir_list=["here"])


def test_what_is_called_after_instantiation(instantiate):
    """As WAMR does for older compilers, and only if the type is right."""
    inst = instantiate("""(module (global $g (export "g") (mut i32) (i32.const 1))
      (func (export "__post_instantiate") (global.set $g (i32.mul (global.get $g) (i32.const 3))))
      (func (export "__wasm_call_ctors") (global.set $g (i32.add (global.get $g) (i32.const 1))))
      (func (export "_initialize") (global.set $g (i32.const 99))))""")
    assert inst.exports.g.value == 4
    inst = instantiate('(module (func (export "__post_instantiate") (param i32) (unreachable)))')


# --- native functions

def test_signature_letters(instantiate):
    seen = []

    def native(env, i, I, f, F, r, buffer, string, rest):
        seen.append((type(env), i, I, f, F, r, bytes(buffer), string, len(rest)))
        buffer[0:1] = b"J"
        return 2.5

    wamr.register_natives("env", [("native", native, "(iIfFr*~$*)F")])
    inst = instantiate("""(module
      (import "env" "native" (func $native (param i32 i64 f32 f64 externref i32 i32 i32 i32) (result f64)))
      (memory (export "memory") 1) (data (i32.const 100) "hello\\00")
      (func (export "f") (param externref) (result f64)
        (call $native (i32.const -1) (i64.const -2) (f32.const 0.5) (f64.const 0.25) (local.get 0)
          (i32.const 100) (i32.const 4) (i32.const 101) (i32.const 65000))))""")
    thing = object()
    assert inst.exports.f(thing) == 2.5
    assert seen == [(wasm.ExecEnv, -1, -2, 0.5, 0.25, thing, b"hell", "ello", 536)]
    assert inst.exports.memory[100:105] == b"Jello"


@pytest.mark.parametrize("signature, arguments", [
    ("(*~)", (65530, 7)), ("(*~)", (-1, 1)), ("(*~)", (0, -1)), ("(*i)", (65536, 0)), ("($i)", (65530, 0)), ("($i)", (-8, 0))])
def test_addresses_are_checked(instantiate, signature, arguments):
    wamr.register_natives("env", [("f", lambda *_: pytest.fail("must not be called"), signature)])
    inst = instantiate("""(module (import "env" "f" (func $f (param i32 i32))) (memory 1)
      (data (i32.const 65530) "no end")
      (func (export "g") (param i32 i32) (call $f (local.get 0) (local.get 1))))""")
    assert call(inst, "g", list(arguments)) == (False, "Exception: out of bounds memory access")


def test_the_exec_env_and_the_attachment(instantiate):
    seen = []

    def native(env, again):
        seen.append((env, wamr.get_function_attachment(env)))
        if again:
            wamr.call_wasm(env, wamr.lookup_function(wamr.get_module_inst(env), "g"), 0, [])
            seen.append((env, wamr.get_function_attachment(env)))

    wamr.register_natives("env", [("f", native, "(i)", "first"), ("h", lambda env: native(env, 0), "()", "second")])
    inst = instantiate("""(module (import "env" "f" (func $f (param i32))) (import "env" "h" (func $h))
      (func (export "f") (call $f (i32.const 1))) (func (export "g") (call $h)))""")
    env = wamr.create_exec_env(inst, 8192)
    assert call(inst, "f", [], env) == (True, None)
    assert seen == [(env, "first"), (env, "second"), (env, "first")]
    assert wamr.get_function_attachment(env) is None


def test_natives_by_name(instantiate):
    """The last registration counts, and a name may lack the underscore that the import's begins with."""
    source = '(module (import "env" "_f" (func $f (result i32))) (func (export "g") (result i32) (call $f)))'
    first, second = [("f", lambda env: 1, "()i")], [("_f", lambda env: 2, None)]
    wamr.register_natives("env", first)
    one = instantiate(source)
    wamr.register_natives("env", second)
    assert (one.exports.g(), instantiate(source).exports.g()) == (1, 2)
    assert wamr.unregister_natives("env", second) and not wamr.unregister_natives("env", second)
    assert not wamr.unregister_natives("other", first)
    assert instantiate(source).exports.g() == 1


def test_unlinked_imports(instantiate, caplog):
    """Loading warns, calling is an exception."""
    wamr.register_natives("env", [("typed", lambda env, number: 0, "(I)i")])
    with caplog.at_level(logging.WARNING, "pyjit_wasm.wamr"):
        inst = instantiate("""(module (import "env" "gone" (func $f)) (import "env" "typed" (func $t (param i32) (result i32)))
          (func (export "g") (call $f)) (func (export "t") (drop (call $t (i32.const 1)))) (func (export "ok")))""")
    assert [record.message for record in caplog.records] == [
        "failed to link import function (env, gone)",
        "failed to check signature '(I)i' and resolve pointer params for import function (env typed)"]
    assert call(inst, "ok", []) == (True, None)
    assert call(inst, "g", []) == (False, "Exception: failed to call unlinked import function (env, gone)")
    assert call(inst, "t", []) == (False, "Exception: failed to call unlinked import function (env, typed)")
    with pytest.raises(wasm.LinkError):
        instantiate('(module (import "env" "memory" (memory 1)))')


def test_exceptions_of_natives(instantiate):
    """What is set ends the wasm; what Python raises comes out."""
    after = []

    def fails(env):
        wamr.set_exception(wamr.get_module_inst(env), "no such thing")

    def raises(env):
        raise LookupError("mine")

    wamr.register_natives("env", [
        ("fails", fails, "()"), ("raises", raises, "()"), ("after", lambda env: after.append(1), "()")])
    inst = instantiate("""(module (import "env" "fails" (func $fails)) (import "env" "raises" (func $raises))
      (import "env" "after" (func $after))
      (func (export "f") (call $fails) (call $after)) (func (export "r") (call $raises) (call $after)))""")
    assert call(inst, "f", []) == (False, "Exception: no such thing")
    with pytest.raises(LookupError, match="mine"):
        call(inst, "r", [])
    assert after == []


@pytest.mark.parametrize("symbols, error", [
    ([("f", abs, "(i")], ValueError), ([("f", abs, "(x)")], ValueError), ([("f", 3, "()")], TypeError),
    ([("f", abs)], TypeError), ([(1, abs, "()")], TypeError), ([("f", abs, "()", 1, 2)], TypeError)])
def test_bad_natives(symbols, error):
    with pytest.raises(error):
        wamr.register_natives("env", symbols)
    wamr.destroy()


# --- the heap

def test_the_host_managed_heap(instantiate):
    inst = instantiate('(module (memory (export "memory") 1) (data (i32.const 65532) "data"))', 0, 100_000)
    assert inst.exports.memory.pages == 3
    first, second = wamr.module_malloc(inst, 10), wamr.module_malloc(inst, 90_000)
    assert first >= 65536 and second >= first + 10 and second + 90_000 <= 3 * 65536 and first % 8 == second % 8 == 0
    assert wamr.module_malloc(inst, 20_000) == 0    # no room is no error
    assert wamr.get_exception(inst) is None
    third = wamr.module_dup_data(inst, b"some bytes")
    assert inst.exports.memory[third:third + 10] == b"some bytes" and inst.exports.memory[65532:65536] == b"data"
    assert wamr.module_dup_data(inst, b"some bytes", 4)
    wamr.module_free(inst, second)
    assert wamr.module_malloc(inst, 90_000) == second
    wamr.module_free(inst, 0)
    for bad in (second + 8, 8, 1 << 40, -8):
        with pytest.raises(ValueError, match="nothing is allocated"):
            wamr.module_free(inst, bad)
    wamr.module_free(inst, second)
    with pytest.raises(ValueError, match="nothing is allocated"):
        wamr.module_free(inst, second)
    with pytest.raises(ValueError):
        wamr.module_malloc(inst, -1)
    with pytest.raises(ValueError):
        wamr.module_dup_data(inst, b"abc", 4)


def test_the_guest_grows_behind_the_heap(instantiate):
    inst = instantiate("""(module (memory (export "memory") 1 10)
      (func (export "grow") (result i32) (memory.grow (i32.const 1))))""", 0, 70_000)
    offset = wamr.module_malloc(inst, 70_000)
    assert inst.exports.grow() == 3 and offset + 70_000 <= 3 * 65536


def test_natives_of_the_start_function_have_the_heap(instantiate):
    found = []
    wamr.register_natives("env", [("f", lambda env: found.append(wamr.module_malloc(wamr.get_module_inst(env), 8)), "()")])
    inst = instantiate('(module (import "env" "f" (func $f)) (export "f" (func $f)) (memory 1) (start $f))', 0, 1024)
    inst.exports.f()
    assert found == [65536, 65544]


def test_no_heap(instantiate):
    inst = instantiate("(module (memory 1))")
    assert wamr.module_malloc(inst, 8) == 0 and wamr.get_exception(inst) is None
    inst = instantiate("(module)", 0, 1024)
    assert wamr.module_malloc(inst, 8) == 0 and wamr.get_exception(inst) == "Exception: uninitialized memory"
    wamr.module_free(inst, 8)
    with pytest.raises(wasm.LinkError, match="failed to insert app heap into linear memory"):
        instantiate("(module (memory 1 1))", 0, 1024)
    with pytest.raises(ValueError):
        instantiate("(module (memory 1))", 0, -1)


GUEST_MALLOC = """(module (memory (export "memory") 1) (global $top (mut i32) (i32.const 1024))
  (global $freed (export "freed") (mut i32) (i32.const 0))
  (func (export "malloc") (param i32) (result i32)
    (if (i32.gt_u (local.get 0) (i32.const 60000)) (then (return (i32.const 0))))
    (if (i32.eq (local.get 0) (i32.const 13)) (then unreachable))
    (if (i32.eq (local.get 0) (i32.const 14)) (then (return (i32.const 65530))))
    (global.get $top) (global.set $top (i32.add (global.get $top) (local.get 0))))
  (func (export "free") (param i32) (global.set $freed (local.get 0))))"""


def test_the_malloc_of_the_guest(instantiate):
    inst = instantiate(GUEST_MALLOC, 0, 1 << 20)
    assert inst.exports.memory.pages == 1     # it needs no heap
    assert (wamr.module_malloc(inst, 16), wamr.module_dup_data(inst, b"copy")) == (1024, 1040)
    assert inst.exports.memory[1040:1044] == b"copy"
    wamr.module_free(inst, 1024)
    assert inst.exports.freed.value == 1024
    wamr.module_free(inst, 1 << 20)     # outside: not asked
    assert inst.exports.freed.value == 1024
    assert wamr.module_malloc(inst, 61000) == 0 and wamr.get_exception(inst) is None
    assert wamr.module_malloc(inst, 13) == 0 and wamr.get_exception(inst) == "Exception: unreachable"
    wamr.clear_exception(inst)
    assert wamr.module_malloc(inst, 14) == 0 and wamr.get_exception(inst) == "Exception: out of bounds memory access"


def test_the_malloc_of_a_guest_with_64_bits(instantiate):
    inst = instantiate("""(module (memory (export "memory") i64 1)
      (func (export "malloc") (param i64) (result i64) (i64.const 2048)) (func (export "free") (param i64)))""")
    assert wamr.module_dup_data(inst, b"wide") == 2048 and inst.exports.memory[2048:2052] == b"wide"
    assert wamr.module_malloc(inst, 1 << 64) == 0
    inst = instantiate("""(module (memory i64 1))""", 0, 1000)
    assert wamr.module_malloc(inst, 1000) == 65536


def test_the_malloc_of_the_guest_in_a_native(instantiate):
    """It runs in the exec_env that is running."""
    source = GUEST_MALLOC.replace("(memory (export", '(import "env" "f" (func $f (result i32))) (memory (export') \
        .replace('(func (export "free")', '(func (export "g") (result i32) (call $f)) (func (export "free")')
    wamr.register_natives("env", [("f", lambda env: wamr.module_malloc(wamr.get_module_inst(env), 8), "()i")])
    inst, cells = instantiate(source), [0]
    assert call(inst, "g", cells, wamr.create_exec_env(inst, 4096)) == (True, None) and cells == [1024]


def test_the_allocator_of_assemblyscript(instantiate):
    inst = instantiate("""(module (memory (export "memory") 1) (global $pins (export "pins") (mut i32) (i32.const 0))
      (func (export "__new") (param i32 i32) (result i32) (i32.add (i32.const 4096) (local.get 1)))
      (func (export "__pin") (param i32) (result i32)
        (global.set $pins (i32.add (global.get $pins) (i32.const 1))) (local.get 0))
      (func (export "__unpin") (param i32) (global.set $pins (i32.sub (global.get $pins) (i32.const 1)))))""")
    assert wamr.module_malloc(inst, 8) == 4096 and inst.exports.pins.value == 1
    wamr.module_free(inst, 4096)
    assert inst.exports.pins.value == 0


def test_first_fit_by_a_plain_list():
    """Random requests against a list of the ranges that are taken."""
    import random

    from pyjit_wasm.wamr.heap import Heap
    choice, heap, taken = random.Random(5), Heap(65536, 4096), {}
    for _ in range(5000):
        if taken and choice.random() < 0.5:
            offset = choice.choice(list(taken))
            heap.free(offset)
            del taken[offset]
        else:
            size = choice.choice((0, 1, 8, 9, 100, 1000, 5000))
            room = max(size + 7 & ~7, 8)
            starts = sorted([65536, *(at + length for at, length in taken.items())])
            fits = [at for at in starts if at + room <= 65536 + 4096
                    and all(at + room <= other or other + length <= at for other, length in taken.items())]
            offset = heap.allocate(size)
            assert offset == (fits[0] if fits else None)
            if fits:
                taken[offset] = room
        assert heap.used == sum(taken.values()) <= heap.peak


@pytest.fixture(scope="module")
def c_program(tmp_path_factory):
    """A C program for WASI with its own allocator, and a main function that is not `_start`."""
    pytest.importorskip("ziglang")
    folder = tmp_path_factory.mktemp("wamr")
    (folder / "program.c").write_text("""
        #include <stdlib.h>
        #include <string.h>
        __attribute__((export_name("joined"))) char *joined(const char *a, const char *b) {
            char *text = malloc(strlen(a) + strlen(b) + 1);
            return strcat(strcpy(text, a), b);
        }
        __attribute__((export_name("main"))) int entry(int argc, char **argv) {
            int sum = 0;
            for (int i = 1; i < argc; i++)
                sum += atoi(argv[i]);
            return sum;
        }""")
    subprocess.run([sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O1", "-mexec-model=reactor",
                    "-Wl,--export=malloc", "-Wl,--export=free", "-o", "program.wasm", "program.c"], cwd=folder, check=True)
    return folder / "program.wasm"


def test_a_c_program(instantiate, c_program):
    inst = instantiate(str(c_program), 0, 1 << 16)
    assert "heap" not in inst._inst.attached
    a, b = wamr.module_dup_data(inst, b"one \0"), wamr.module_dup_data(inst, b"and two\0")
    env, cells = wamr.create_exec_env(inst, 1 << 16), [a, b]
    assert wamr.call_wasm(env, wamr.lookup_function(inst, "joined"), 2, cells), wamr.get_exception(inst)
    assert inst.exports.memory.read_str(cells[0]) == "one and two" and len({a, b, cells[0]}) == 3
    for offset in (a, b, cells[0]):
        wamr.module_free(inst, offset)
    argv = ["program", "40", "-5", "7"]
    assert wamr.application_execute_main(inst, argv) and argv[0] == 42


# --- addresses

def test_addresses(inst):
    memory = inst.exports.memory
    memory[10:13] = b"abc"
    assert wamr.validate_app_addr(inst, 0, 65536) and wamr.validate_app_addr(inst, 65536, 0)
    address = wamr.addr_app_to_native(inst, 10)
    assert ctypes.string_at(address, 3) == b"abc" and wamr.addr_native_to_app(inst, address) == 10
    assert wamr.addr_app_to_native(inst, 65536) is None is wamr.addr_app_to_native(inst, -1)
    assert wamr.addr_native_to_app(inst, address + 65536) == 0 == wamr.addr_native_to_app(inst, 1)
    assert wamr.get_app_addr_range(inst, 5) == (0, 65536) and wamr.get_app_addr_range(inst, 65536) is None
    assert wamr.get_native_addr_range(inst, address) == (address - 10, address - 10 + 65536)
    assert wamr.get_native_addr_range(inst, 0) is None
    assert wamr.validate_native_addr(inst, address, 65526) and wamr.validate_app_str_addr(inst, 10)
    assert wamr.get_exception(inst) is None
    memory[65000:65536] = b"x" * 536
    for check in (lambda: wamr.validate_app_addr(inst, 65536, 1), lambda: wamr.validate_app_addr(inst, -1, 1),
                  lambda: wamr.validate_native_addr(inst, address, 65527), lambda: wamr.validate_app_str_addr(inst, 65000),
                  lambda: wamr.validate_app_str_addr(inst, 65536), lambda: wamr.validate_app_str_addr(inst, -1)):
        assert not check() and wamr.get_exception(inst) == "Exception: out of bounds memory access"
        wamr.clear_exception(inst)


def test_addresses_without_a_memory(instantiate):
    inst = instantiate("(module)")
    assert not wamr.validate_app_addr(inst, 0, 0) and not wamr.validate_native_addr(inst, 0, 0)
    assert wamr.addr_app_to_native(inst, 0) is None and wamr.addr_native_to_app(inst, 0) == 0
    assert not wamr.validate_app_str_addr(inst, 0) and wamr.get_app_addr_range(inst, 0) is None


# --- running modes

def test_running_modes(instantiate, mode):
    supported = {wamr.Mode_Default, wamr.Mode_Interp, wamr.Mode_LLVM_JIT, wamr.Mode_Multi_Tier_JIT}
    assert [int(running) for running in wamr.RunningMode] == [0, 1, 2, 3, 4]
    assert {running for running in wamr.RunningMode if wamr.is_running_mode_supported(running)} == supported
    assert not wamr.is_running_mode_supported(9)
    inst = instantiate()
    assert wamr.get_running_mode(inst) == RUNNING[mode] and inst.mode == mode
    for name, running in RUNNING.items():
        assert wamr.set_running_mode(inst, int(running))
        assert wamr.get_running_mode(inst) is running and inst.mode == name
        assert call(inst, "add", [1, 2]) == (True, None)
    assert wamr.set_running_mode(inst, wamr.Mode_Default) and wamr.get_running_mode(inst) is wamr.Mode_Multi_Tier_JIT
    for unknown in (wamr.Mode_Fast_JIT, 9):
        assert not wamr.set_running_mode(inst, unknown) and not wamr.set_default_running_mode(unknown)
    assert wamr.get_running_mode(instantiate()) == RUNNING[mode]


# --- dumps

def test_the_call_stack(inst, capsys):
    """One line a frame, innermost first, the offset in the module; a name from the name section, else the export."""
    env = wamr.create_exec_env(inst, 4096)
    assert wamr.get_call_stack_buf_size(env) == 0 == wamr.dump_call_stack_to_buf(env, bytearray(10))
    wamr.dump_call_stack(env)
    assert capsys.readouterr().out == ""
    wamr.call_wasm(env, wamr.lookup_function(inst, "crash"), 0, [])
    binary = inst.module.binary
    trap = binary.index(b"\x00\x00\x0b") + 1          # the bodies of $inner: no locals, unreachable, end
    calls = binary.index(bytes([0x00, 0x10, inst.function("inner").index, 0x0B])) + 1
    text = f"\n#00: 0x{trap:04x} - inner\n#01: 0x{calls:04x} - outer\n\n"
    wamr.dump_call_stack(env)
    assert capsys.readouterr().out == text
    buffer = bytearray(b"?" * 200)
    size = wamr.get_call_stack_buf_size(env)
    assert size == len(text) + 1 == wamr.dump_call_stack_to_buf(env, buffer)
    assert buffer[:size + 1] == text.encode() + b"\0?"
    assert wamr.dump_call_stack_to_buf(env, memoryview(buffer)[:5]) == 5 and buffer[:6] == b"\n#00\0" + text[5].encode()
    wamr.clear_exception(inst)
    assert wamr.get_call_stack_buf_size(env) == 0


def test_the_call_stack_in_a_native(instantiate, capsys):
    """wasm -> native -> wasm -> native; a native's offset is 0."""
    def native(env, again):
        if again:
            wamr.call_wasm(env, wamr.lookup_function(wamr.get_module_inst(env), "inner"), 0, [])
        else:
            wamr.dump_call_stack(env)

    wamr.register_natives("env", [("native", native, "(i)")])
    inst = instantiate("""(module (import "env" "native" (func $native (param i32)))
      (func $outer (export "outer") (call $native (i32.const 1)))
      (func $inner (export "inner") (call $native (i32.const 0))))""")
    env = wamr.create_exec_env(inst, 1 << 14)
    assert call(inst, "outer", [], env) == (True, None)
    lines = capsys.readouterr().out.split("\n")
    binary = inst.module.binary
    outer, inner = (binary.index(bytes([0x41, again, 0x10, 0, 0x0B])) + 2 for again in (1, 0))
    assert [line.split(" - ") for line in lines] == [
        [""], ["#00: 0x0000", "native"], [f"#01: 0x{inner:04x}", "inner"], ["#02: 0x0000", "native"],
        [f"#03: 0x{outer:04x}", "outer"], [""], [""]]
    wamr.dump_call_stack(env)
    assert capsys.readouterr().out == ""


def test_names_of_functions_without_one(instantiate, capsys):
    inst = instantiate("""(module (func (unreachable)) (func (export "exported") (call 0)))""")
    env = wamr.create_exec_env(inst, 4096)
    wamr.call_wasm(env, wamr.lookup_function(inst, "exported"), 0, [])
    wamr.dump_call_stack(env)
    assert [line.split(" - ")[1] for line in capsys.readouterr().out.split("\n")[1:3]] == ["$f0", "exported"]


def test_the_memory_dump(instantiate, capsys):
    inst = instantiate(SOURCE, 0, 70_000)
    env = wamr.create_exec_env(inst, 8192)
    wamr.module_malloc(inst, 1000)
    call(inst, "deep", [5], env)
    wamr.dump_mem_consumption(env)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["", "Memory consumption summary (bytes):"]
    for line in ("    stack size: 8192", "        app heap size: 70000", "Total app heap used: 1000",
                 f"Total interpreter stack used: {env.peak}", f"    binary size: {len(inst.module.binary) + 33}"):
        assert line in lines
    starts = [line.split(":")[0].strip() for line in lines]
    wanted = ["WASM module memory consumption, total size", "module struct size", "types size", "imports size", "funcs size",
              "tables size", "memories size", "globals size", "exports size", "table segs size", "data segs size",
              "const strings size", "WASM module inst memory consumption, total size", "module inst struct size",
              "memories size", "app heap size", "tables size", "functions size", "globals size", "exports size",
              "Exec env memory consumption, total size", "exec env struct size", "stack size",
              "Total memory consumption of module, module inst and exec env", "Total interpreter stack used",
              "Total aux stack used", "Native stack left", "Total app heap used"]
    places = iter(starts)
    assert all(start in places for start in wanted)     # in WAMR's order


PERF = """(module
  (func $leaf (param $n i32) (result i32) (local $x i32)
    (loop $l
      (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1103515245)) (local.get $n)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x))
  (func $down (export "down") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))
      (else (call $leaf (i32.const 200000000)))))
  (func (export "unused")))"""


def test_perf_profiling(instantiate, capsys, mode):
    """WAMR's words; a function that did not run is left out, and recursion counts once in the total."""
    inst = instantiate(PERF.replace("200000000", "20000000" if mode == "interp" else "200000000"))
    wamr.start_perf_profiling(inst)
    env, cells = wamr.create_exec_env(inst, 1 << 16), [9]
    start = time.perf_counter()
    assert wamr.call_wasm(env, wamr.lookup_function(inst, "down"), 1, cells)
    elapsed = (time.perf_counter() - start) * 1000
    wamr.dump_perf_profiling(inst)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "Performance profiler data:"
    pattern = (r"  func (\w+), execution time: ([0-9.]+) ms, execution count: (\d+) times, "
               r"children execution time: ([0-9.]+) ms")
    found = {name: (float(total), int(count), float(children)) for name, total, count, children in (
        re.fullmatch(pattern, line).groups() for line in lines)}
    assert set(found) == {"down", "leaf"} and found["down"][1] == 10 and found["leaf"][1] == 1
    assert 0 < found["leaf"][0] <= found["down"][0] <= elapsed * 1.5 + 50
    assert wamr.get_wasm_func_exec_time(inst, "leaf") == pytest.approx(found["leaf"][0], abs=0.001)
    assert wamr.get_wasm_func_exec_time(inst, "unused") == wamr.get_wasm_func_exec_time(inst, "nothing") == -1
    assert wamr.sum_wasm_exec_time(inst) == pytest.approx(
        sum(wamr.get_wasm_func_exec_time(inst, name) for name in ("leaf", "down")))
    wamr.dump_perf_profiling(inst)      # the same again: the profile has ended
    assert capsys.readouterr().out.splitlines() == [first, *lines]


def test_no_perf_profiling(inst, capsys):
    wamr.dump_perf_profiling(inst)
    assert capsys.readouterr().out == "Performance profiler data:\n"
    assert wamr.sum_wasm_exec_time(inst) == 0 and wamr.get_wasm_func_exec_time(inst, "add") == -1
