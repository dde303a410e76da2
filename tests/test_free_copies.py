"""What LLVM made of loops that are proven not to trap: in the optimised code of kernels each access that it may move stands
behind a proof, and compiled code calls nothing that signal handlers do not understand."""
import io
import re
from pathlib import Path

import pytest

import pyjit_wasm as wasm
from elftools.elf.elffile import ELFFile
from pyjit_wasm.codegen import guest_calls, llvm
from pyjit_wasm.codegen.control import BEGINS_FREE, ENDS_FREE
from pyjit_wasm.errors import InternalError
from pyjit_wasm.tiering import units
from test_loops import RELATIONS, WAYS, ACCESS, COUNTED, COPY, SHAPES, SOURCE, SUM

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
KERNELS = [*sorted((BENCHMARKS / "kernels").glob("*.wasm")), *sorted((BENCHMARKS / "polybench").glob("*.wasm"))]
SMALL = {"counted": COUNTED.format(loop=WAYS["bottom"].format(access="(i32.store8 (local.get $i) (i32.const 0))", step=1,
                                                              condition="(i32.ne (local.get $i) (local.get $n))"))}
SMALL |= {shape: SOURCE.format(step=4, sums="\n".join(SUM.format(distance=d, offset=o) for d, o in SHAPES[shape]),
                               copies="\n".join(COPY.format(distance=d, offset=o) for d, o in SHAPES[shape]))
          for shape in SHAPES}
SMALL |= {f"{way} {relation}": COUNTED.format(loop=WAYS[way].format(
    access=ACCESS, step=4, condition=f"(i32.{relation} (local.get $i) (local.get $n))")) for way in WAYS for relation in RELATIONS}

MARK = re.compile(r'asm sideeffect "", "([^"]*)"')
BEGINS, ENDS = (MARK.search(text)[1] for text in (BEGINS_FREE, ENDS_FREE))
MEMORY = re.compile(r"mem\d+(\.i\d*)*$")


def unit_of(source, bounds, osr=False):
    """All functions of a module, compiled together, or what takes over in their loops."""
    module = wasm.Module(source, engine=wasm.Engine("jit", memory_bounds=bounds, cache=False))
    code = module.code
    members = range(code.first, len(module.syntax.funcs))
    loops = [f for f in members if code.facts[f - code.first].has_loop] if osr else ()
    return code.unit((), (), loops) if osr else code.unit(members, sorted(units.escaping(module.syntax)))


class Pointers:
    """Which values of a function are addresses in a linear memory, however computed."""

    COMPUTED = frozenset("getelementptr inttoptr ptrtoint add sub phi select bitcast freeze insertelement extractelement "
                         "shufflevector mul shl zext sext".split())

    def __init__(self, function):
        self.definitions = {i.name: i for b in function.blocks for i in b.instructions if i.name}
        self.known = {}

    def in_memory(self, value):
        """Whether an operand is computed from a memory's base."""
        name = value.name
        if MEMORY.match(name):
            return True
        if name not in self.known:
            self.known[name] = False    # of a cycle nothing is known until another way is found
            definition = self.definitions.get(name)
            if definition is not None and definition.opcode in self.COMPUTED:
                self.known[name] = any(self.in_memory(operand) for operand in definition.operands)
        return self.known[name]


def plain_accesses(block, pointers):
    """(instruction, whether it begins a free copy, or ends one, or is an access that LLVM may move) of a block, in order."""
    for instruction in block.instructions:
        text = str(instruction)
        mark = MARK.search(text)
        if mark:
            yield instruction, mark[1]
        elif instruction.opcode in ("load", "store") and " volatile " not in text and " atomic " not in text:
            operands = list(instruction.operands)
            if pointers.in_memory(operands[-1]):
                yield instruction, "access"
        elif instruction.opcode == "call" and re.search(r"@llvm\.(masked|mem)", text):
            if any(pointers.in_memory(operand) for operand in instruction.operands):
                yield instruction, "access"


def unproven(function):
    """Accesses of a function that LLVM may move and that can be reached other than through a proof."""
    pointers, blocks = Pointers(function), list(function.blocks)
    events = {block.name: list(plain_accesses(block, pointers)) for block in blocks}
    successors = {block.name: [o.name for o in list(block.instructions)[-1].operands if o.name in events] for block in blocks}
    proven = dict.fromkeys(events, True)    # at the start of a block, on every way there
    proven[blocks[0].name] = False
    waiting, count = [blocks[0].name, *events], 0
    while waiting:
        name = waiting.pop()
        state = proven[name]
        for _, event in events[name]:
            state = state if event == "access" else event == BEGINS
        for following in successors[name]:
            if proven[following] and not state:
                proven[following] = False
                waiting.append(following)
    found = []
    for name, list_ in events.items():
        state = proven[name]
        for instruction, event in list_:
            if event != "access":
                state = event == BEGINS
            else:
                count += 1
                if not state:
                    found.append(f"{name}: {str(instruction).strip()}")
    return found, count


def symbols(data):
    """What an object takes from elsewhere."""
    table = ELFFile(io.BytesIO(data)).get_section_by_name(".symtab")
    return {symbol.name for symbol in table.iter_symbols() if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name}


def check(source, bounds, osr):
    """How many accesses LLVM may move; none of them without a proof, and nothing is called that may not be."""
    with llvm._optimised(unit_of(source, bounds, osr).source(), "full") as module:
        results = [unproven(function) for function in module.functions if not function.is_declaration]
        assert [access for found, _ in results for access in found] == []
        assert symbols(llvm.machine().emit_object(module)) <= guest_calls.SUPPORT.keys()
    return sum(count for _, count in results)


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_kernels_are_proven_first(path, bounds):
    check(path, bounds, osr=False)


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_kernels_entered_in_loops(path):
    check(path, "guard", osr=True)


@pytest.mark.parametrize("name", SMALL)
def test_loops_are_proven_first(name, bounds):
    """Those that count in the direction of their step, by a constant if it is for equality."""
    way, _, relation = name.rpartition(" ")
    countable = name in SHAPES or relation in ("counted", "lt_s", "lt_u", "le_s", "le_u") or relation == "ne" and way != "by a local"
    for osr in (False, True):
        assert bool(check(SMALL[name], bounds, osr)) == countable


def test_an_access_without_a_proof_is_found(bounds):
    """The test sees what it looks for."""
    text = unit_of(SMALL["counted"], bounds).source().replace(BEGINS_FREE, "").replace("store volatile", "store")
    with llvm._optimised(text, "full") as module:
        assert any(unproven(function)[0] for function in module.functions if not function.is_declaration)


# --- what compiled code calls

LIBRARY_CALLS = {
    "a fill": "(i32.store8 (local.get $i) (i32.const 7))", "a wide fill": "(i64.store (local.get $i) (i64.const 0))",
    "a copy": "(i32.store8 (local.get $i) (i32.load8_u offset=4096 (local.get $i)))",
    "a copy within": "(i32.store8 offset=1 (local.get $i) (i32.load8_u (local.get $i)))",
    "a comparison": "(br_if 1 (i32.ne (i32.load8_u (local.get $i)) (i32.load8_u offset=512 (local.get $i))))",
    "a search for a zero": "(br_if 1 (i32.eqz (i32.load8_u (local.get $i))))",
    "rounding": "(f32.store (local.get $i) (f32.nearest (f32.ceil (f32.floor (f32.trunc (f32.load (local.get $i)))))))",
    "many zeroes": "".join(f"(i64.store offset={8 * i} (local.get $i) (i64.const 0))" for i in range(64)),
    "large counts": "(i64.store (local.get $i) (i64.rem_u (i64.load (local.get $i)) (i64.load offset=8 (local.get $i))))",
}


@pytest.mark.parametrize("access", LIBRARY_CALLS)
def test_loops_call_no_library(access, bounds):
    """Those that LLVM knows as functions of the C library, in either copy."""
    for way in WAYS:
        source = COUNTED.format(loop="(block " + WAYS[way].format(
            access=LIBRARY_CALLS[access], step=1, condition="(i32.lt_s (local.get $i) (local.get $n))") + ")")
        check(source, bounds, osr=False)


def test_a_call_of_the_library_is_refused(monkeypatch):
    """Whatever the optimiser may think of."""
    from pyjit_wasm.codegen import unit
    source = COUNTED.format(loop="(block " + WAYS["bottom"].format(
        access=LIBRARY_CALLS["a fill"], step=1, condition="(i32.lt_s (local.get $i) (local.get $n))") + ")")
    monkeypatch.setattr(unit, "_ATTRIBUTES", unit._ATTRIBUTES.replace('"no-builtins"', ""))
    inst = wasm.load(source, mode="jit", cache=False)
    with pytest.raises(InternalError, match="memset"):
        inst.exports.f(0, 10, 1)


def test_divisions_of_128_bits(load_bounded):
    """LLVM divides so to count the iterations of such a loop."""
    inst = load_bounded("""(module (memory 1) (func (export "f") (param $n i64) (param $i i64) (param $p i32) (result i64 i64)
      (local $sum i64)
      (loop $l
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (i32.load (local.get $p)))))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (local.set $i (i64.add (local.get $i) (i64.const 100)))
        (br_if $l (i64.le_s (local.get $i) (local.get $n))))
      (local.get $i) (local.get $sum)))""")
    assert inst.exports.f(300, 0, 0) == (400, 0)
    assert inst.exports.f((1 << 63) - 200, (1 << 63) - 900, 0) == ((1 << 63) - 100, 0)
    with pytest.raises(wasm.Trap, match="out of bounds memory access"):
        inst.exports.f(-5, -1 << 63, 0)
