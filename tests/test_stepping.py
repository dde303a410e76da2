"""What is seen between single steps: against a stack machine in plain Python, by hand, and the specification's tests."""
import collections
import struct

import pytest

import pyjit_wasm as wasm
from machine_oracle import Machine, Trapped
from modes import engine
from pyjit_wasm import wast
from pyjit_wasm.config import STEPPING
from pyjit_wasm.debugger import trace
from pyjit_wasm.runtime.exec_env import current
from pyjit_wasm.runtime.layout import EXEC_ENV
from pyjit_wasm.state import StateReader
from test_spec import REQUIRED, directory, expected_failures, suite  # noqa: F401  directory is a fixture

PROGRAMS = {
    "add": ("(func (export \"f\") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)", [(8, 2), (-1, 1)]),
    "factorial": ("""(func $f (export "f") (param $n i64) (result i64)
      (if (result i64) (i64.eqz (local.get $n)) (then (i64.const 1))
        (else (i64.mul (local.get $n) (call $f (i64.sub (local.get $n) (i64.const 1)))))))""", [(0,), (5,)]),
    "loop": ("""(func (export "f") (param $n i32) (result i32) (local $sum i32)
      (block $done (loop $more
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $sum (i32.add (local.get $sum) (i32.mul (local.get $n) (local.get $n))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $more)))
      (local.get $sum))""", [(0,), (4,)]),
    "loop with parameters": ("""(func (export "f") (param i32) (result i32) (i32.const 1) (local.get 0)
      (loop (param i32 i32) (result i32) (local.set 0) (local.get 0) (i32.mul) (i32.sub (local.get 0) (i32.const 1))
        (local.tee 0) (br_if 0 (i32.gt_s (local.get 0) (i32.const 0))) (drop)))""", [(1,), (4,)]),
    "br_table": ("""(func (export "f") (param i32) (result i32) (local i32)
      (block $a (result i32) (block $b (result i32) (block $c (result i32)
        (i32.const 7) (i32.const 9) (local.get 0) (br_table $a $b $c $b)) (local.set 1) (i32.const 1))
        (i32.add (local.get 1)) (br 0)) (i32.const 100) (i32.add))""", [(0,), (1,), (2,), (3,), (-1,)]),
    "if without else": ("""(func (export "f") (param i32) (result i32)
      (if (local.get 0) (then (local.set 0 (i32.const 5)))) (local.get 0)
      (if (param i32) (result i32) (i32.const 1) (then (i32.const 2) (i32.add)) (else)))""", [(0,), (1,)]),
    "operands below blocks": ("""(func (export "f") (param i32) (result i64 i32)
      (i64.const 3) (local.get 0) (i64.const 4) (i64.const 5)
      (block (result i64) (i64.const 6) (i64.const 7) (br_if 0 (i64.const 8) (local.get 0)) (i64.add) (i64.add))
      (drop) (drop) (drop))""", [(0,), (1,)]),
    "returns": ("""(func (export "f") (param i32) (result i32) (i32.const 1) (i32.const 2)
      (block (block (if (local.get 0) (then (return (i32.const 3)))) (br 1)) (unreachable)) (br 0))""", [(0,), (1,)]),
    "calls": ("""(func $swap (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
      (func $one (param i64 i32) (result i64) (i64.add (local.get 0) (i64.extend_i32_s (local.get 1))))
      (func (export "f") (param i32) (result i64)
        (i64.const 50) (local.get 0) (i64.const -7) (call $swap) (call $one) (i64.add))
      """, [(3,)]),
    "call_indirect": ("""(type $t (func (param i32) (result i32))) (table funcref (elem $double $negate))
      (func $double (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
      (func $negate (param i32) (result i32) (i32.sub (i32.const 0) (local.get 0)))
      (func (export "f") (param i32 i32) (result i32) (i32.const 1000)
        (call_indirect (type $t) (local.get 1) (local.get 0)) (i32.add))""", [(0, 21), (1, 21)]),
    "tail calls": ("""(func $even (export "f") (param i32 i64 f64) (result i32)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
          (else (return_call $odd (i32.sub (local.get 0) (i32.const 1))))))
      (func $odd (param i32) (result i32) (local i64)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (return_call $even (i32.sub (local.get 0) (i32.const 1)) (i64.const 8) (f64.const 0.5)))""",
                   [(0, 1, 1.5), (3, -1, 2.5), (4, 0, 0.0)]),
    "memory and globals": ("""(memory 1) (global $g (mut i32) (i32.const 3))
      (func (export "f") (param i32) (result i32)
        (i32.store offset=4 (local.get 0) (i32.const 77))
        (global.set $g (i32.add (global.get $g) (i32.load offset=2 (local.get 0))))
        (i32.store (i32.const 0) (global.get $g)) (i32.load (i32.const 0)) (memory.size) (i32.add))""",
                           [(16,), (65532,), (-1,)]),
    "folded comparisons": ("""(func (export "f") (param i32 i32) (result i32) (local $n i32)
      (local.set $n (i32.eqz (i32.eqz (i32.lt_s (local.get 0) (local.get 1)))))
      (local.get $n) (local.set $n (i32.const 40)) (local.get $n) (local.tee $n (i32.const 41)) (i32.add) (i32.add)
      (select (local.get 0) (local.get 1) (i32.ne (local.get 0) (local.get 1))) (i32.xor))""", [(1, 2), (2, 1), (3, 3)]),
    "floats": ("""(func (export "f") (param f64) (result f64) (local f32 i64)
      (local.set 1 (f32.const 0.1)) (f64.mul (local.get 0) (f64.const -0.3)) (local.get 0) (f64.sub)
      (drop (f64.lt (local.get 0) (f64.const inf))))""", [(0.7,), (-0.0,)]),
    "vectors between": ("""(func $g (param v128 i32) (result v128) (local v128 i64)
        (local.set 2 (local.get 0)) (local.set 3 (i64.const -1)) (local.get 2))
      (func (export "f") (param i32) (result i32)
        (i32.const 5) (v128.const i64x2 1 -2) (local.get 0) (call $g) (drop))""", [(9,)]),
    "division": ("""(func (export "f") (param i32 i32) (result i32)
      (i32.const 4) (i32.div_s (local.get 0) (local.get 1)) (i32.add))""", [(7, -2), (1, 0), (-1 << 31, -1)]),
}
CASES = [(name, arguments) for name, (_, calls) in PROGRAMS.items() for arguments in calls]


def shown(value):
    """A Value as the oracle has it."""
    if value.type in ("f32", "f64"):
        return value.value
    return value.bits if isinstance(value.type, str) else value.value


def seen(state):
    return [(frame.funcidx, frame.pc, frame.instruction.split()[0], tuple(map(shown, frame.locals)),
             tuple(map(shown, frame.operands)),
             tuple((label.kind, label.offset, label.arity, label.height) for label in frame.labels)) for frame in state.frames]


def unsigned(valtype, value):
    return value if valtype not in ("i32", "i64") else value & (1 << int(valtype[1:])) - 1


def exact(frames):
    """Floats by their bits, because 0.0 == -0.0."""
    def bits(value):
        return struct.pack("<d", value) if isinstance(value, float) else value
    return [(*frame[:3], *(tuple(map(bits, values)) for values in frame[3:5]), frame[5]) for frame in frames]


@pytest.mark.parametrize("name, arguments", CASES)
def test_states_are_those_of_the_machine(load, name, arguments):
    inst = load(f"(module {PROGRAMS[name][0]})")
    function, before = inst.exports.f, None
    types = function.type.params
    machine = Machine(inst.module.syntax)
    wanted = machine.run(function.index, [unsigned(*pair) for pair in zip(types, arguments)])
    states = trace(inst, "f", *arguments)
    try:
        for expected in wanted:
            before = next(states)
            assert exact(seen(before)) == exact(expected)
    except Trapped as trapped:
        with pytest.raises(wasm.Trap) as caught:
            next(states)
        assert caught.value.code == str(trapped) and caught.value.frames[0].offset == before.frames[0].pc
        return
    with pytest.raises(StopIteration) as end:
        next(states)
    results = end.value.value if len(machine.results) > 1 else (end.value.value,)
    assert tuple(unsigned(*pair) for pair in zip(function.type.results, results)) == tuple(machine.results)
    assert load(f"(module {PROGRAMS[name][0]})").exports.f(*arguments) == end.value.value


def test_instructions_are_the_text_of_the_function(load):
    from pyjit_wasm.disassembly import disassemble
    inst = load(f"(module {PROGRAMS['br_table'][0]})")
    lines = {line.offset: line.text.strip() for line in disassemble(inst.module, "f", ["wasm"]).forms["wasm"]}
    states = [state.frames[0] for state in trace(inst, "f", 1)]
    assert [frame.instruction for frame in states[:-1]] == [lines[frame.pc] for frame in states[:-1]]
    assert lines[states[-1].pc] == ")" and states[-1].instruction == "end"


# --- what the oracle does not have, by hand

def columns(inst, *arguments):
    """(mnemonic, operands, kinds of the labels) of the innermost frame before each instruction."""
    for state in trace(inst, "f", *arguments):
        frame = state.frames[0]
        yield frame.instruction.split()[0], [str(value) for value in frame.operands], [label.kind for label in frame.labels]


def test_try_table(load):
    inst = load("""(module (tag $t (param i32 i64))
      (func $throw (param i32) (if (local.get 0) (then (throw $t (i32.const 5) (i64.const 6)))))
      (func (export "f") (param i32) (result i32) (i32.const 1)
        (block $caught (result i32 i64) (try_table (catch $t $caught) (call $throw (local.get 0))) (i32.const 2) (i64.const 3))
        (drop) (i32.add)))""")
    assert inst.exports.f(0) == 3 and inst.exports.f(1) == 6
    assert list(columns(inst, 1)) == [
        ("i32.const", [], ["function"]), ("block", ["1"], ["function"]), ("try_table", ["1"], ["function", "block"]),
        ("local.get", ["1"], ["function", "block", "try_table"]), ("call", ["1", "1"], ["function", "block", "try_table"]),
        ("local.get", [], ["function"]), ("if", ["1"], ["function"]), ("i32.const", [], ["function", "if"]),
        ("i64.const", ["5"], ["function", "if"]), ("throw", ["5", "6"], ["function", "if"]),
        ("drop", ["1", "5", "6"], ["function"]), ("i32.add", ["1", "5"], ["function"]), ("end", ["6"], ["function"])]
    assert ("end", ["1"], ["function", "block", "try_table"]) in list(columns(inst, 0))


def test_legacy_exceptions(load):
    inst = load("""(module (tag $t (param i32))
      (func (export "f") (result i32) (i32.const 1)
        (try (result i32) (do (throw $t (i32.const 7)))
          (catch $t (i32.const 2) (i32.mul)) (catch_all (i32.const 3))) (i32.add)))""")
    assert list(columns(inst)) == [
        ("i32.const", [], ["function"]), ("try", ["1"], ["function"]), ("i32.const", ["1"], ["function", "try"]),
        ("throw", ["1", "7"], ["function", "try"]), ("i32.const", ["1", "7"], ["function", "try"]),
        ("i32.mul", ["1", "7", "2"], ["function", "try"]), ("catch_all", ["1", "14"], ["function", "try"]),
        ("i32.add", ["1", "14"], ["function"]), ("end", ["15"], ["function"])]


def test_references_to_exceptions(load):
    inst = load("""(module (tag $t (param i32)) (func (export "f") (local exnref)
      (block $h (result i32 exnref) (try_table (catch_ref $t $h) (throw $t (i32.const 7))) (unreachable))
      (local.set 0) (drop)))""")
    *_, last = trace(inst, "f")
    value = last.frames[0].locals[0]
    assert isinstance(value.value, wasm.WasmException) and value.value.payload == (7,) and "7" in str(value)
    assert [str(value) for value in next(trace(inst, "f")).frames[0].locals] == ["null"]


def test_vectors(load):
    inst = load("""(module (func (export "f") (param i32) (result v128) (local v128)
      (i32.const 9) (i32x4.splat (local.get 0)) (local.tee 1) (local.get 1) (i32x4.add) (local.set 1) (drop)
      (local.get 1)))""")
    two, four = "02000000" * 4, "04000000" * 4
    assert [operands for _, operands, _ in columns(inst, 2)] == [
        [], ["9"], ["9", "2"], ["9", two], ["9", two], ["9", two, two], ["9", four], ["9"], [], [four]]
    *_, last = trace(inst, "f", 2)
    assert str(last.frames[0].locals[1]) == four and last.frames[0].locals[1].value == bytes.fromhex(four)


def test_references(load):
    thing = object()
    inst = load("""(module (func $named (export "g")) (table 1 funcref) (elem declare func $named)
      (func (export "f") (param externref) (result i32) (local funcref (ref null extern))
        (local.set 1 (ref.func $named)) (local.set 2 (local.get 0)) (ref.null func) (drop) (ref.is_null (local.get 1))))""")
    *_, last = trace(inst, "f", thing)
    values = last.frames[0].locals
    assert values[0].value is values[2].value is thing and values[1].value is inst.exports.g
    assert str(values[1]) == "$named" and str(values[0]).startswith("<object object at ")
    assert "null" in [text for _, operands, _ in columns(inst, None) for text in operands]


def test_exact_floats(load):
    inst = load("""(module (func (export "f") (f32.const nan:0x200001) (f64.const -0x1p-1074) (f32.const 0.1) (f64.const -inf)
      (drop) (drop) (drop) (drop)))""")
    assert list(columns(inst))[4][1] == ["nan:0x200001", "-5e-324", "0.1", "-inf"]


def test_names_of_locals(load):
    inst = load('(module (func (export "f") (param $a i32) (param i32) (local $c i64)))')
    frame = next(trace(inst, "f", 1, 2)).frames[0]
    assert frame.local_names == ("a", "", "c") and [value.value for value in frame.locals] == [1, 2, 0]
    assert [str(value.type) for value in frame.locals] == ["i32", "i32", "i64"] and frame.arity == 0


def test_call_ref_takes_its_operands(load):
    inst = load("""(module (type $t (func (param i32) (result i32))) (elem declare func $g)
      (func $g (type $t) (local.get 0))
      (func (export "f") (result i32) (i32.const 1) (i32.const 2) (call_ref $t (ref.func $g)) (i32.add)))""")
    outer = [state.frames[1] for state in trace(inst, "f") if len(state.frames) > 1]
    assert [[str(value) for value in frame.operands] for frame in outer] == [["1"], ["1"]]
    assert {frame.instruction.split()[0] for frame in outer} == {"call_ref"}


def test_endless_recursion(load):
    inst = load('(module (func $f (export "f") (param i32) (call $f (i32.add (local.get 0) (i32.const 1)))))',
                stack_size=1 << 13)
    depths, error = [], None
    try:
        for state in trace(inst, "f", 0):
            depths.append(len(state.frames))
    except wasm.Exhaustion as exhaustion:
        error = exhaustion
    assert error is not None and max(depths) == 128 and depths[:5] == [1, 1, 1, 1, 2]


# --- the specification's tests, in code for single steps

class Stepping(wast.Runner):
    """Instances run code for single steps; `stepper` is asked before every instruction, if there is one."""

    stepper = None

    def instantiate(self, module):
        instance = super().instantiate(module)
        inst = instance._inst
        inst.code.in_variant(STEPPING).adopt(inst)
        if self.stepper is not None:
            inst.exec_env.stepper = self.stepper
            inst.exec_env.put(EXEC_ENV.step_limit, (1 << 64) - 1)
        return instance


def pytest_generate_tests(metafunc):
    if "script" in metafunc.fixturenames:
        root = suite(metafunc.config)
        found = {str(path.relative_to(root).with_suffix("")) for path in root.rglob("*.wast")}
        metafunc.parametrize("script", sorted({*found, *REQUIRED}))


def failures(monkeypatch, directory, script):
    monkeypatch.setattr(wast, "Runner", Stepping)
    return wast.run_file(str(directory / f"{script}.wast"), engine("jit")).failures


def test_specification(monkeypatch, directory, script):  # noqa: F811
    if f"{script}.wast" not in expected_failures("interp"):
        assert failures(monkeypatch, directory, script) == []


READ = """block br br_if br_table call call_indirect call_ref fac if legacy/rethrow legacy/try_catch local_tee loop
    memory_copy0 memory_grow ref_func return_call return_call_indirect select table_grow throw_ref try_table unwind""".split()
OFTEN, MOST = 5, 20_000     # how many times each instruction is looked at, and how many are stopped at


@pytest.mark.parametrize("name", READ)
def test_states_of_the_specification_tests(monkeypatch, directory, name):  # noqa: F811
    """Every frame can be read, and has the operands that its labels need."""
    reader, count = StateReader(), collections.Counter()

    def look(ip, fp, within):
        count[ip] += 1
        if count.total() > MOST:
            current().put(EXEC_ENV.step_limit, 0)
        elif count[ip] <= OFTEN:
            for frame in reader.state(current(), ip, fp).frames[:3]:
                assert all(str(value) for value in (*frame.locals, *frame.operands))
                assert all(label.height <= len(frame.operands) for label in frame.labels)

    monkeypatch.setattr(Stepping, "stepper", staticmethod(look))
    assert failures(monkeypatch, directory, name) == [] and count
