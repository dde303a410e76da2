"""A function in its forms: wasm, threaded code, LLVM IR, machine code."""
import re
from pathlib import Path

import pytest

import pyjit_wasm as wasm
from pyjit_wasm import text
from pyjit_wasm.binary.body import instructions
from pyjit_wasm.disassembly import TITLES, disassemble, function_index
from pyjit_wasm.interp.interpreter import interpreter
from pyjit_wasm.interp.listing import listing

SOURCE = """(module
  (import "env" "p" (func $p (param i32)))
  (memory 1)
  (func $half (export "half") (param $n i32) (param $d i32) (result i32) (i32.div_s (local.get $n) (local.get $d)))
  (func $sum (export "sum") (param $at i32) (param $end i32) (result i32) (local $total i32)
    (loop $more
      (local.set $total (i32.add (local.get $total) (i32.load offset=8 (i32.add (local.get $at) (i32.const 4)))))
      (br_if $more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (local.get $end))))
    (call $p (call $half (local.get $total) (i32.const 2)))
    (local.get $total))
  (func $big (export "large") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 3.25))))"""

VARIED = """(module (memory 1) (global $g (mut f64) (f64.const 0)) (tag $t (param i32)) (table 1 funcref)
  (func $rest (export "a name") (param i32) (local v128)
    (block (block (br_table 0 1 0 (local.get 0))) (global.set $g (f64.const 1.5)))
    (local.set 1 (i32x4.splat (local.get 0)))
    (block $c (result i32) (try_table (catch $t $c) (throw $t (i32.const 70000))) (i32.const 3)) drop
    (drop (memory.grow (i32.const 1))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))
    (call_indirect (i32.const 0)) (return_call $rest (i32.const 0))))"""

THREADED = """\
0x0000  enter frame=88, 1
0x0010  loop sum, 0, frame=88
0x0028  [5] = i32.load.si $0, 4, offset=8
0x0040  $2 = i32.add.ss $2, [5]
0x0050  $0 = i32.add.si $0, 4
0x0060  back.br_if.i32.lt_u.ss $0, $1, sum, -> 0x28
0x0078  [4] = copy $2
0x0088  [5] = const.i 2
0x0098  call half, [6]
0x00a8  restore
0x00b0  call.import p, [5]
0x00c0  restore
0x00c8  return.s $0, $2"""


@pytest.fixture(scope="module")
def module():
    return wasm.Module(SOURCE, engine=wasm.Engine(mode="jit"))


def texts(form):
    return [line.text for line in form]


def test_names(module):
    assert [function_index(module, name) for name in ("sum", "$sum", "2", 2, "large", "big", "p", "0")] == [
        2, 2, 2, 2, 3, 3, 0, 0]
    for name in ("absent", "17", 17, "$"):
        with pytest.raises(KeyError):
            function_index(module, name)
    with pytest.raises(ValueError, match="function 0, p, is imported"):
        disassemble(module, "p")


TYPES = """(module (type $v (func (param i32))) (type $w (func (param (ref $v)) (result (ref null $v))))
  (func (type $w) (local (ref null $w)) (local.get 0)))"""


@pytest.mark.parametrize("source", [SOURCE, VARIED, TYPES, "examples/hello.wasm"])
def test_wasm_is_the_text_with_offsets(source):
    module = wasm.Module(source)
    whole = [line.strip() for line in text.disassemble(module.syntax.data).splitlines()]
    for index, code in enumerate(module.syntax.codes, module.syntax.imported_funcs):
        lines = disassemble(module, index, ["wasm"]).forms["wasm"]
        shown = texts(lines) if len(lines) > 2 else ["".join(texts(lines))]     # an empty function is one line
        start = whole.index(shown[0])
        assert [line.strip() for line in shown] == whole[start:start + len(shown)]
        decoded = instructions(module.syntax, code.start, code.end)
        found = [line for line in lines if line.offset is not None]
        assert [line.offset for line in found] == [offset for _, _, offset in decoded]
        assert all(line.text.split()[0] == op.mnemonic for line, (op, _, _) in zip(found[:-1], decoded))


def test_threaded_code(module):
    assert "\n".join(texts(disassemble(module, "sum", ["threaded"]).forms["threaded"])) == THREADED
    rest = "\n".join(texts(disassemble(wasm.Module(VARIED), "rest", ["threaded"]).forms["threaded"]))
    for part in ("br_table $0 -> 0x", "global.set [5], global 0", "memory.grow [",
                 "throw tag 0, 1, [", "i32x4.splat.s", "call_indirect table 0, type ", "return_call rest, [", "70000",
                 "memory.fill [", "0x3ff8000000000000", "attempt 0x", "tag 0 -> 0x"):
        assert part in rest, part


@pytest.mark.parametrize("source", ["examples/wordcount.wasm", "examples/embed.wat", SOURCE, VARIED])
def test_threaded_code_is_what_runs(source):
    """Places and offsets are those of the code that the interpreter gets; branches lead to instructions."""
    module = wasm.Module(source)
    code, syntax = module.code, module.syntax
    for index in range(syntax.imported_funcs, len(syntax.funcs)):
        real = interpreter(False).translate(syntax, index, code.layout)
        lines = [(int(line.split()[0], 16), offset) for offset, line in listing(syntax, index, code.layout)
                 if not line.startswith("attempt")]
        assert lines == list(zip(real.starts, real.offsets))
        places = {place for place, _ in lines} | {real.size}
        for _, line in listing(syntax, index, code.layout):
            targets = line.rpartition("->")[2].split() if "->" in line else ()
            assert {int(target, 16) for target in targets} <= places


@pytest.mark.parametrize("name, arguments, bounds", [
    ("half", (1, 0), "guard"), ("half", (-1 << 31, -1), "guard"), ("sum", (1 << 20, 0), "explicit")])
def test_machine_code_has_the_offset_of_a_trap(name, arguments, bounds):
    """Where a call of `rt_trap` is said to come from is where the trap is reported."""
    module = wasm.Module(SOURCE, engine=wasm.Engine(mode="jit", memory_bounds=bounds))
    instance = wasm.Instance(module, {"env": {"p": print}})
    with pytest.raises(wasm.Trap) as caught:
        instance.exports[name](*arguments)
    offset = caught.value.frames[0].offset
    forms = disassemble(module, name).forms
    marked = [line.text for line in forms["asm"] if line.offset == offset]
    assert any("rt_trap" in line for line in marked)
    assert any(line.offset == offset for line in forms["ir"])


def test_ir_and_machine_code(module):
    forms = disassemble(module, "large").forms
    ir = "\n".join(texts(forms["ir"]))
    assert ir.startswith("define tailcc double @entry3(") and ir.endswith("}") and ir.count("define") == 1
    assert "fmul double %a0, 3.250000e+00" in ir and "!" not in ir
    asm = texts(forms["asm"])
    assert asm[0] == "entry3:" and asm[-1].split()[0].startswith("ret")
    assert any("mulsd" in line for line in asm) and not any(line.strip().startswith(".") for line in asm)


def test_text(module):
    shown = disassemble(module, "sum").text()
    assert re.findall(r"^\S+ (.*) of function 2, sum$", shown, re.M) == list(TITLES.values())
    assert re.search(r"^    i32\.load offset=8 +;; 0x[0-9a-f]+$", shown, re.M)
    assert re.search(r"^0x0028  \[5\] = i32\.load\.si \$0, 4, offset=8 +; 0x[0-9a-f]+$", shown, re.M)
    assert disassemble(module, "sum", ["asm"]).text().startswith("# machine code of function 2, sum\nentry2:\n")
    with pytest.raises(KeyError):
        disassemble(module, "sum", ["c"])


def test_too_large_for_the_interpreter():
    module = wasm.Module(f"(module (func (local {'i64 ' * 40_000})))")
    line, = disassemble(module, 0, ["threaded"]).forms["threaded"]
    assert line.text == "; always compiled: function 0 needs 40003 slots"


def test_unsupported():
    module = wasm.Module("(module (type $s (struct)) (func (drop (struct.new $s))))")
    with pytest.raises(wasm.UnsupportedError):
        disassemble(module, 0)
    assert "struct.new $s" in disassemble(module, 0, ["wasm"]).text()


def test_examples_of_all_functions():
    """Nothing in a C program is beyond the listings."""
    module = wasm.Module(Path(__file__).parents[1] / "examples" / "hello.wasm")
    for index in range(module.syntax.imported_funcs, len(module.syntax.funcs)):
        assert disassemble(module, index, ["wasm", "threaded"]).text()
