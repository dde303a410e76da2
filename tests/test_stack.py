"""The machine stack: whatever frames a guest makes, and however small the stack of its thread, it gets the right result,
Exhaustion, or an error that says what is wrong; and the instance goes on. In children: what fails here kills a process."""
import itertools
import re
import subprocess
import sys
import textwrap

import pytest

from pyjit_wasm.codegen import llvm, probes
from pyjit_wasm.codegen.signatures import VALUE_ROOM, source
from pyjit_wasm.config import STACK_PROBE

SIZES = (32 << 10, 64 << 10, 256 << 10, 1 << 20)

# In the child: `in_thread(size, function)` runs it on such a stack; `outcome(function, *arguments)` is its result, or the
# trap's code; `live(count, type, size)`: instructions that have so many values on the operand stack at once, and leave 0.
PRELUDE = """
def in_thread(size, function):
    found = []
    threading.stack_size(size)
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    threading.stack_size(0)
    thread.join()
    return found[0]

def outcome(function, *arguments):
    try:
        return function(*arguments)
    except wasm.Exhaustion as error:
        assert error.code == "call stack exhausted"
        return "exhausted"

def live(count, type="i64", size=8):
    loads = [f"({type}.load offset={size * (k % 4000)} (i32.const 0))" for k in range(count)]
    fold = "(i8x16.swizzle)" if type == "v128" else f"({type}.rotl)"     # what is not associative, or LLVM folds at once
    return "".join([*loads, "(i32.store8 (i32.const 0) (i32.const 0))", *[fold] * (count - 1)])
"""


def check(child, code, **options):
    """Run a child to its end."""
    done = child(PRELUDE + textwrap.dedent(code), **options)
    assert done.returncode == 0 and "done" in done.stdout, (done.returncode, done.stdout[-500:], done.stderr[-2000:])


@pytest.mark.parametrize("kind", ["i64", "v128"])
def test_live_operands(child, mode, bounds, kind):
    """A leaf with a frame of tens of kilobytes, which has no declared locals, at every depth."""
    check(child, f"""
    kind, size, low = {kind!r}, {16 if kind == "v128" else 8}, {"'(i64x2.extract_lane 0)'" if kind == "v128" else "''"}
    inst = load(f'''(module (memory 1)
      (func $leaf (export "leaf") (result i64) {{live({{"i64": 1200, "v128": 700}}[kind], kind, size)}} {{low}})
      (func $down (export "down") (param i32) (result i64)
        (if (result i64) (local.get 0) (then (i64.add (i64.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
          (else (call $leaf))))
      (func $endless (export "endless") (param i32) (result i64)
        (i64.add (call $leaf) (i64.add (i64.const 1) (call $endless (i32.add (local.get 0) (i32.const 1))))))
      (func (export "alive") (result i32) (i32.const 42)))''', mode={mode!r}, memory_bounds={bounds!r})
    f = inst.exports
    def run():
        assert outcome(f.leaf) in (0, "exhausted")
        depths = [outcome(f.down, n) for n in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 100_000)]
        for n, found in zip((0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), depths):
            assert found in (n, "exhausted"), (n, found)
        assert depths == sorted(depths, key=lambda d: (d == "exhausted", 0))    # once exhausted, deeper too
        assert outcome(f.endless, 0) == "exhausted"
        assert f.alive() == 42
        return depths
    for size in {SIZES}:
        in_thread(size, run)
    assert in_thread(1 << 20, lambda: outcome(f.leaf)) == 0
    print("done")
    """)


def test_which_function_had_no_room(child):
    """Its frame is the innermost of the trap, at its first instruction."""
    check(child, """
    from pyjit_wasm.binary.body import instructions
    # LLVM makes a copy of $leaf for the constant argument
    body = live(3000).replace("(i64.load offset=8 (i32.const 0))", "(i64.load offset=8 (local.get 0))")
    inst = load(f'''(module (memory 1) (func $leaf (export "leaf") (param i32) (result i64) {body})
      (func $first (export "first") (result i64) (i64.add (call $leaf (i32.const 0)) (i64.const 1))))''', mode="jit")
    def run():
        try:
            inst.exports.first()
        except wasm.Exhaustion as error:
            return error
    error, syntax = in_thread(32 << 10, run), inst.module.syntax
    places = [{offset: op.mnemonic for op, _, offset in instructions(syntax, code.start, code.end)} for code in syntax.codes]
    assert error.native and [frame.name for frame in error.frames] == ["leaf", "first"], error
    assert [places[frame.funcidx][frame.offset] for frame in error.frames] == ["i32.const", "call"], error
    assert error.frames[0].offset == min(places[0])
    print("done")
    """)


# how a recursion goes on, and what it does at its end
STEPS = {
    "call": "(call $down (i32.sub (local.get 0) (i32.const 1)))",
    "indirect": "(call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))",
    "other": "(call $other (i32.sub (local.get 0) (i32.const 1)))",
    "python": "(call $python (i32.sub (local.get 0) (i32.const 1)))",
}
ENDS = {
    "leaf": "(call $small)",
    "large": "(call $large)",
    "host": "(call $host (i64.const 0))",
    "fill": "(memory.fill (i32.const 0) (i32.const 0) (i32.const 30000)) (i64.const 0)",
    "grow": "(i64.extend_i32_u (i32.mul (memory.grow (i32.const 0)) (i32.const 0)))",
    "jump": "(return_call $large)",
}


@pytest.mark.parametrize("step", STEPS)
def test_recursion_to_the_last_byte(child, mode, step):
    """Frames of several sizes, so that the limit is met at many places of them; at the end something that needs stack."""
    check(child, f"""
    def host(x):
        return len(f"{{x:>{{10}}}} {{[str(k) for k in range(3)]}}") * 0
    for end, frame, kind in {[(e, f, k) for e, (f, k) in zip(ENDS.values(), itertools.cycle(
        [(0, "i64"), (10, "i64"), (125, "i64"), (130, "i64"), (100, "v128")]))]}:
        class Late: pass
        late = Late()
        back = lambda n: late.down(n)
        other = load('(module (import "m" "back" (func $b (param i32) (result i64)))'
                     '(func (export "over") (param i32) (result i64) (i64.add (i64.const 0) (call $b (local.get 0)))))',
                     {{"m": {{"back": back}}}}, mode={mode!r})
        drop = "(drop)" if frame else ""
        inst = load(f'''(module (type $t (func (param i32) (result i64)))
          (import "m" "host" (func $host (param i64) (result i64)))
          (import "m" "over" (func $other (param i32) (result i64)))
          (import "m" "back" (func $python (param i32) (result i64)))
          (memory 1) (table funcref (elem $down))
          (func $small (result i64) {{live(100)}})
          (func $large (result i64) {{live(600)}})
          (func $down (export "down") (param i32) (result i64)
            (if (i32.eqz (local.get 0)) (then {{end}} return))
            {{live(frame, kind, 8 if kind == "i64" else 16) + drop if frame else ""}}
            (i64.add (i64.const 1) {STEPS[step]})
            {{live(frame, kind, 8 if kind == "i64" else 16) + drop if frame else ""}}))''',
          {{"m": {{"host": host, "over": other.exports.over, "back": back}}}}, mode={mode!r}, memory_bounds="explicit")
        late.down = inst.exports.down
        def run():
            n, last = 0, 0
            while last != "exhausted" and n < 3000:
                last = outcome(inst.exports.down, n)
                assert last in (n, "exhausted"), (n, last)
                n += 1 + n // 16
            return n
        for size in {SIZES[:3]}:
            in_thread(size, run)
        assert in_thread(1 << 20, lambda: inst.exports.down(3)) == 3
    print("done")
    """, timeout=120)


@pytest.mark.parametrize("count", [60, 99])
def test_many_values(child, mode, count):
    """Parameters and results that are passed on the machine stack, or through memory: of functions, entries and host
    functions."""
    check(child, f"""
    n = {count}
    types, gets = " ".join(["i64", "f64", "v128"] * (n // 3)), " ".join(f"(local.get {{k}})" for k in range(n))
    rest = " ".join(f"(local.get {{k}})" for k in range(1, n))
    inst = load(f'''(module (import "m" "host" (func $host (param {{types}}) (result {{types}})))
      (func $id (export "id") (param {{types}}) (result {{types}}) {{gets}} (call $host))
      (func $down (export "down") (param {{types}}) (result {{types}})
        (if (i64.eqz (local.get 0)) (then {{gets}} (call $host) return))
        (call $down (i64.sub (local.get 0) (i64.const 1)) {{rest}}))
      (func $endless (export "endless") (param {{types}})
        (call $endless (i64.add (local.get 0) (i64.const 1)) {{rest}})))''',
      {{"m": {{"host": lambda *a: a}}}}, mode={mode!r})
    f, values = inst.exports, [1, 2.0, bytes(16)] * (n // 3)
    def run():
        found = [outcome(f.down, k, *values[1:]) for k in (0, 1, 10, 100)]
        assert all(x == "exhausted" or x == (0, *values[1:]) for x in found), found
        assert outcome(f.endless, *values) == "exhausted"
        return outcome(f.id, *values)
    for size in {SIZES}:
        assert in_thread(size, run) in ("exhausted", tuple(values))
    assert in_thread(1 << 20, run) == tuple(values)
    print("done")
    """, timeout=120)


@pytest.mark.parametrize("size", SIZES[:3])
def test_everything_on_a_small_thread(child, mode, size):
    """Nothing is there yet: modules are imported, LLVM compiles, on whose stack it does not matter."""
    check(child, f"""
    def run():
        inst = load('''(module (memory (export "m") 1) (table (export "t") 1 funcref) (global (export "g") i32 (i32.const 7))
          (func (export "f") (param i32) (result i32) (local i32)
            (loop (local.set 1 (i32.add (local.get 1) (local.get 0)))
              (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1))
          (func (export "trap") unreachable) (func $endless (export "endless") (call $endless)))''', mode={mode!r})
        f = inst.exports
        assert (f.f(100), f.m[0], f.t[0], f.g.value, outcome(f.endless)) == (5050, 0, None, 7, "exhausted")
        try:
            f.trap()
        except wasm.Trap as error:
            assert str(error).startswith("unreachable")
        return True
    assert in_thread({size}, run)
    print("done")
    """, PYJIT_WASM_CACHE="off", timeout=120)


def test_deep_code_on_a_small_thread(child, mode):
    """LLVM recurses over what it compiles."""
    check(child, f"""
    deep = "(local.get 0)"
    for k in range(300):
        deep = (f"(block (result i32) (if (result i32) (i32.and {{deep}} (i32.const {{k + 1}}))"
                f"(then (i32.const {{k}})) (else (local.get 0))))")
    inst = load(f'(module (func (export "f") (param i32) (result i32) {{deep}}))', mode={mode!r})
    assert in_thread(64 << 10, lambda: inst.exports.f(3)) == 299
    print("done")
    """, PYJIT_WASM_CACHE="off", timeout=120)


@pytest.mark.parametrize("size", [16 << 10, 24 << 10, 32 << 10])
def test_threads_of_c(child, mode, size):
    """Smaller stacks than Python makes threads with: an error that says so, or the result."""
    check(child, f"""
    inst = load('''(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
      (func $r (export "r") (param i32) (result i32) (i32.add (i32.const 1) (call $r (local.get 0)))))''', mode={mode!r})
    libc, attributes, thread = ctypes.CDLL(None), ctypes.create_string_buffer(128), ctypes.c_ulong()
    libc.pthread_attr_init(attributes)
    assert libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t({size})) == 0
    def start(function):
        assert libc.pthread_create(ctypes.byref(thread), attributes, function, ctypes.c_void_p(5)) == 0
        result = ctypes.c_void_p()
        libc.pthread_join(thread, ctypes.byref(result))
        return result.value
    found = []
    def python(_):
        try:
            found.append((inst.exports.f(1), outcome(inst.exports.r, 1)))
        except RuntimeError as error:
            assert "{size} bytes" in str(error) and "threading.stack_size" in str(error)
            found.append("refused")
        return 0
    start(ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)(python))
    assert found == ["refused" if {size} < 32768 else (2, "exhausted")], found
    pointer = inst.exports.f.c_function()
    if {size} < 32768:
        assert not start(ctypes.c_void_p(pointer.address))
        try:
            pointer.check()
        except RuntimeError as error:
            assert "{size} bytes" in str(error)
        else:
            raise AssertionError("nothing was raised")
    else:
        assert start(ctypes.c_void_p(pointer.address)) == 6
    assert inst.exports.f(1) == 2
    print("done")
    """)


ENDLESS = """(module (memory 1) (func (export "alive") (result i32) (i32.const 42))
  (func $f (export "f") (param i64) (result i64) (i64.add (local.get 0) (call $f (i64.add (local.get 0) (i64.const 1))))))"""


EXHAUST = f"""
import sys
import pyjit_wasm as wasm
inst = wasm.load({ENDLESS!r}, mode=sys.argv[1], tier_up_threshold=1, background=False)
for _ in range(3):
    try:
        inst.exports.f(1)
    except wasm.Exhaustion as error:
        print(error.code)
print(inst.exports.alive())
"""


@pytest.mark.parametrize("limit", ["256", "1024", "100000", "unlimited"])
def test_limits_of_the_main_thread(mode, limit):
    command = ["sh", "-c", f'ulimit -s {limit} && exec "$0" "$@"', sys.executable, "-P", "-c", EXHAUST, mode]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "ulimit" in done.stderr:
        pytest.skip("the hard limit is lower")
    assert done.stdout == "call stack exhausted\n" * 3 + "42\n", (done.returncode, done.stderr[-1000:])


def test_a_limit_that_is_lowered(child, mode):
    """The system refuses the stack that was there when the thread first ran wasm: the handler of faults sees that."""
    check(child, f"""
    import resource
    inst = load({ENDLESS!r}, mode={mode!r})
    assert inst.exports.alive() == 42
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    for _ in range(3):
        try:
            inst.exports.f(1)
        except wasm.Exhaustion as error:
            assert error.native == ({mode!r} != "interp") or {mode!r} == "tiered"
            assert len(error.frames) > 100 and {{frame.name for frame in error.frames}} == {{"f"}}
        else:
            raise AssertionError("nothing was raised")
        assert inst.exports.alive() == 42
    print("done")
    """)


def test_threads_of_this_package(child):
    """The size that a program gives its threads is not theirs."""
    check(child, """
    threading.stack_size(32 << 10)
    inst = load('(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))',
                mode="tiered", background=True)
    with wasm.profile(rate=100):
        for k in range(100):
            assert inst.exports.f(k) == k + 1
        while inst.exports.f(1) and inst.function("f").tier != "native":
            assert not inst.module.code.failed
            time.sleep(0.01)
    debugger = wasm.Debugger(inst)
    debugger.start("f", 1)
    debugger.run()
    assert debugger.result == 2
    assert threading.stack_size() == 32 << 10
    print("done")
    """, PYJIT_WASM_CACHE="off")


def test_faults_of_others_stay_theirs(child):
    """Overflows of what is not guest code, with a stack for the handlers."""
    done = child("""
    faulthandler.enable()
    inst = load('(module (func (export "f")))', mode="jit")
    inst.exports.f()
    ctypes.string_at(0)
    """)
    assert done.returncode == -11 and "Segmentation fault" in done.stderr


def test_stacks_of_handlers_are_given_back(child):
    check(child, """
    inst = load('(module (func (export "f")))', mode="jit")
    def maps():
        with open("/proc/self/maps") as file:
            return len(file.readlines())
    in_thread(1 << 20, inst.exports.f)
    before = maps()
    for _ in range(200):
        in_thread(1 << 20, inst.exports.f)
    assert maps() < before + 50
    print("done")
    """)


def test_interrupts_and_samples_deep_in_a_small_stack(child, mode):
    """Signals take stack where guest code left some."""
    check(child, f"""
    inst = load('''(module (memory 1)
      (func $spin (result i64) (local i64)
        (loop (local.set 0 (i64.add (local.get 0) (i64.load (i32.const 8)))) (br 0)) (local.get 0))
      (func $down (export "down") (param i32) (result i64)
        (if (local.get 0) (then (return (i64.add (i64.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))))
        (call $spin)))''', mode={mode!r})
    def run():
        for n in range(0, 3000, 90):
            try:
                inst.exports.down(n)
            except wasm.Interrupted:
                pass
            except wasm.Exhaustion:
                break
        return n
    def interrupt():
        while not ended:
            inst.interrupt()
            time.sleep(0.01)
    ended = []
    threading.Thread(target=interrupt, daemon=True).start()
    for size in (32 << 10, 64 << 10):
        with wasm.profile(rate=2000):
            assert in_thread(size, run) > 0
    ended.append(True)
    print("done")
    """)


# --- how it works

FRAME = re.compile(r"^(?P<name>[a-z]\w*):|subq\s+\$(?P<small>\d+), %rsp|movl\s+\$(?P<large>\d+), %eax\s+callq\s+rt_probe",
                   re.M)


def frames(text, level):
    """{function: (bytes of its frame, whether it is probed)} of an IR text's functions."""
    found, name = {}, None
    for match in FRAME.finditer(llvm.assembly(text, level)):
        if match["name"]:
            name = match["name"]
        else:
            found[name] = int(match["small"] or match["large"]), bool(match["large"])
    return found


@pytest.mark.parametrize("part", ["enter", "cells", "host", "tiers"])
@pytest.mark.parametrize("letters", ["iI:f", "iIfF" * 12 + ":i", "iIfFvr" * 6 + ":" + "iIfFvr" * 6, ":" + "vI" * 30])
def test_trampolines_frames(part, letters):
    """What runs inside wasm is probed; an entry has no larger frame than it asks for."""
    params, results = letters.split(":")
    for name, (size, probed) in frames(source(part, letters, 24), "code").items():
        if name.endswith("_with_room"):
            assert size <= VALUE_ROOM * (len(params) + len(results))
        else:
            assert probed or size < STACK_PROBE + 64, name


def test_the_probe_keeps_registers():
    """All that arguments may be in: r12 to r15 and rbx are the callee's to keep anyway."""
    text = probes.source()
    for register in ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11"):
        assert f"push {register}" in text and f"pop {register}" in text
