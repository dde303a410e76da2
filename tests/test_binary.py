"""The binary decoder: hand-made modules; expectations from spec chapter 5."""
import random
import time

import pytest

from pyjit_wasm.binary.body import expression, instructions
from pyjit_wasm.binary.decode import decode
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.errors import DecodeError, ValidationError
from pyjit_wasm.opcodes import BY_CODE, BY_NAME
from pyjit_wasm.types import EXTERNREF, FUNCREF, I32, I64, DefType, FuncType, RefType, functype
from pyjit_wasm.valid import validate

HEADER = b"\0asm\1\0\0\0"


def leb(value):
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def section(number, *items):
    """A section that is a vector of items."""
    content = leb(len(items)) + b"".join(items)
    return bytes([number]) + leb(len(content)) + content


def custom(name, content):
    content = leb(len(name)) + name + content
    return b"\0" + leb(len(content)) + content


def sized(content):
    return leb(len(content)) + content


def module_of(*sections):
    return decode(HEADER + b"".join(sections))


def function(code, runs=(), params=b"\0", results=b"\0"):
    """A module of one function."""
    body = leb(len(runs)) + b"".join(runs) + code
    return module_of(section(1, b"\x60" + params + results), section(3, b"\0"), section(10, sized(body)))


def body_of(code):
    """[(mnemonic, immediates)] of a function body given without its last `end`."""
    module = function(code + b"\x0b")
    code, = module.codes
    decoded = instructions(module, code.start, code.end)
    assert decoded[-1][0] is BY_NAME["end"] and decoded[-1][2] == code.end - 1
    return [(op.mnemonic, imm) for op, imm, _ in decoded[:-1]]


def malformed(message, *sections):
    with pytest.raises(DecodeError) as caught:
        module_of(*sections)
    assert caught.value.message.startswith(message)
    return caught.value


@pytest.mark.parametrize("data, message", [
    (b"", "unexpected end"), (b"\0as", "unexpected end"), (b"\0asm\1\0\0", "unexpected end"),
    (b"asm\0\1\0\0\0", "magic header not detected"), (b"\0asm\2\0\0\0", "unknown binary version"),
    (HEADER + b"\x0e\1\0", "malformed section id"), (HEADER + b"\1\2\0", "length out of bounds"),
    (HEADER + b"\1\2\0\0", "section size mismatch"), (HEADER + b"\0\0", "unexpected end"),
    (HEADER + b"\2\1\0\1\1\0", "unexpected content after last section"),
    (HEADER + b"\1\1\0\1\1\0", "unexpected content after last section"),
])
def test_header_and_sections(data, message):
    with pytest.raises(DecodeError, match=message):
        decode(data)


def test_empty_module():
    module = decode(bytearray(HEADER))
    assert module.types == module.funcs == module.codes == module.exports == ()
    assert module.start is None and module.declared == frozenset() and module.data == HEADER


@pytest.mark.parametrize("read, encoded, value", [
    (Reader.u32, b"\x80\x7f", 0x3F80), (Reader.u32, b"\xff\xff\xff\xff\x0f", 2**32 - 1),
    (Reader.u32, b"\x83\x80\x80\x80\x00", 3), (Reader.u64, b"\xff" * 9 + b"\1", 2**64 - 1),
    (Reader.s32, b"\x7f", -1), (Reader.s32, b"\x3f", 63), (Reader.s32, b"\x80\x80\x80\x80\x78", -2**31),
    (Reader.s32, b"\xff\xff\xff\xff\x07", 2**31 - 1), (Reader.s33, b"\xff\xff\xff\xff\x0f", 2**32 - 1),
    (Reader.s64, b"\x80" * 9 + b"\x7f", -2**63), (Reader.s64, b"\xff" * 9 + b"\0", 2**63 - 1),
])
def test_integers(read, encoded, value):
    reader = Reader(encoded)
    assert read(reader) == value and reader.pos == len(encoded)


@pytest.mark.parametrize("read, encoded, message", [
    (Reader.u32, b"\x80", "unexpected end"), (Reader.u32, b"\x80" * 5 + b"\0", "integer representation too long"),
    (Reader.u32, b"\xff\xff\xff\xff\x10", "integer too large"), (Reader.u64, b"\xff" * 9 + b"\2", "integer too large"),
    (Reader.s32, b"\xff\xff\xff\xff\x0f", "integer too large"),
    (Reader.s32, b"\x80" * 4 + b"\x08", "integer too large"),
    (Reader.s32, b"\xff" * 5 + b"\x7f", "integer representation too long"),
    (Reader.s64, b"\x80" * 9 + b"\x41", "integer too large"),
])
def test_malformed_integers(read, encoded, message):
    with pytest.raises(DecodeError, match=message):
        read(Reader(encoded))


def test_names_are_utf8():
    assert Reader(b"\x03\xe2\x8c\xa3").name() == "\u2323"
    for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x8c", b"\xf4\x90\x80\x80"):
        with pytest.raises(DecodeError, match="malformed UTF-8 encoding"):
            Reader(sized(bad)).name()


@pytest.mark.parametrize("code, expected", [
    (b"\x01", ("nop", None)), (b"\x20\x05", ("local.get", 5)), (b"\x20\x85\x01", ("local.get", 133)),
    (b"\x41\x7f", ("i32.const", -1)), (b"\x41\xc0\x00", ("i32.const", 64)), (b"\x41\x3f", ("i32.const", 63)),
    (b"\x42\x80\x7f", ("i64.const", -128)),
    (b"\x43\0\0\xc0\x7f", ("f32.const", 0x7FC00000)), (b"\x44\1\0\0\0\0\0\xf0\xff", ("f64.const", 0xFFF0000000000001)),
    (b"\x28\x02\x08", ("i32.load", (2, 0, 8))), (b"\x28\x02\x88\x01", ("i32.load", (2, 0, 136))),
    (b"\x28\x42\x03\x08", ("i32.load", (2, 3, 8))),
    (b"\x28\x00" + b"\xff" * 9 + b"\1", ("i32.load", (0, 0, 2**64 - 1))),
    (b"\x0e\x02\x01\x02\x03", ("br_table", ((1, 2), 3))), (b"\x11\x01\x02", ("call_indirect", (1, 2))),
    (b"\x1b", ("select", None)), (b"\x1c\x01\x7f", ("select", (I32,))),
    (b"\xd0\x70", ("ref.null", "func")), (b"\xfc\x0a\x01\x02", ("memory.copy", (1, 2))),
    (b"\xfc\x8a\x80\x00\x01\x02", ("memory.copy", (1, 2))), (b"\xfc\x0f\x01", ("table.grow", 1)),
    (b"\xfd\x0c" + bytes(range(16)), ("v128.const", bytes(range(16)))),
    (b"\xfd\x0d" + bytes(range(16)), ("i8x16.shuffle", tuple(range(16)))),
    (b"\xfd\x54\x00\x04\x0f", ("v128.load8_lane", ((0, 0, 4), 15))),
    (b"\xfb\x18\x03\x01\x6e\x6b", ("br_on_cast", (3, 1, "any", "struct"))),
    (b"\xfb\x02\x01\x02", ("struct.get", (1, 2))),
])
def test_immediates(code, expected):
    assert body_of(code) == [expected]


@pytest.mark.parametrize("encoded, blocktype", [
    (b"\x40", None), (b"\x7e", I64), (b"\x6f", EXTERNREF), (b"\x64\x70", RefType(False, "func")), (b"\x00", 0),
    (b"\x80\x01", 128), (b"\xc0\x00", 64)])
def test_blocktypes(encoded, blocktype):
    assert body_of(b"\x03" + encoded + b"\x0b")[0] == ("loop", blocktype)


def test_concrete_types_are_resolved():
    (_, heap), (_, (valtype,)), (_, blocktype) = body_of(b"\xd0\x00\x1c\x01\x63\x00\x02\x64\x00\x0b")[:3]
    assert heap is functype((), ()) and valtype == RefType(True, heap) and blocktype == RefType(False, heap)
    with pytest.raises(ValidationError, match="unknown type 7"):
        body_of(b"\xd0\x07")


def test_catches():
    (op, imm), _ = body_of(b"\x1f\x40\x04\x00\x05\x00\x01\x06\x01\x02\x02\x03\x03\x0b")
    assert (op, imm) == ("try_table", (None, ((0, 5, 0), (1, 6, 1), (2, None, 2), (3, None, 3))))


def test_every_row_decodes():
    """Each instruction with immediates of zeros, in a block it is allowed in."""
    for op in BY_CODE.values():
        if op.mnemonic in ("else", "end", "catch", "catch_all", "delegate"):
            continue
        prefix = bytes([op.code]) if op.code < 256 else bytes([op.code >> 16]) + leb(op.code & 0xFFFF)
        reader = Reader(prefix + b"\0" * 40 + b"\x0b\x0b", 0, (functype((), ()),))
        assert expression(reader)[0][0] is op, op.mnemonic


@pytest.mark.parametrize("code, message", [
    (b"\xff\x0b", "illegal opcode ff"), (b"\xfc\x40\x0b", "illegal opcode fc 40"),
    (b"\xfc\x80\x80\x04\x0b", "illegal opcode fc"), (b"\x06\x40\x19\x19\x0b\x0b", "END opcode expected"),
    (b"\x05\x0b", "END opcode expected"), (b"\x02\x40\x05\x0b\x0b", "END opcode expected"),
    (b"\x04\x40\x05\x05\x0b\x0b", "END opcode expected"), (b"\x07\x00\x0b", "END opcode expected"),
    (b"\x06\x40\x07\x00\x18\x00\x0b", "END opcode expected"), (b"\x02\x40\x0b", "unexpected end"),
    (b"\x28\x80\x01\x00\x0b", "malformed memop flags"), (b"\x1c\x01\x40\x0b", "malformed value type"),
    (b"\xd0\x41\x0b", "malformed heap type"), (b"\x02\x7a\x0b\x0b", "malformed value type"),
    (b"\x1f\x40\x01\x04\x00\x0b\x0b", "malformed catch clause"),
    (b"\xfb\x18\x04\0\x6e\x6e\x0b", "malformed br_on_cast"),
    (b"\x0e\xff\xff\xff\xff\x0f\x0b", "unexpected end"), (b"\x0b\x0b", "section size mismatch"),
    (b"\xfc\x09\x00\x0b", "data count section required"),
])
def test_malformed_bodies(code, message):
    with pytest.raises(DecodeError) as caught:
        function(code)
    assert caught.value.message.startswith(message) and caught.value.offset <= len(HEADER) + 20 + len(code)


def test_legacy_exceptions_nest():
    assert [name for name, _ in body_of(b"\x06\x40\x07\x00\x07\x01\x19\x0b\x06\x40\x18\x00")] == [
        "try", "catch", "catch", "catch_all", "end", "try", "delegate"]


def test_locals():
    assert function(b"\x0b", (b"\x00\x7f", b"\x02\x7d")).codes[0].locals == ((0, "i32"), (2, "f32"))
    assert len(function(b"\x0b", (leb(50_000) + b"\x7f",)).codes) == 1
    for runs in ((leb(50_001) + b"\x7f",), (leb(2**32 - 1) + b"\x7f", b"\2\x7e")):
        with pytest.raises(DecodeError, match="too many locals"):
            function(b"\x0b", runs)


def test_hostile_counts_fail_fast():
    huge = leb(2**32 - 1)
    began = time.perf_counter()
    for number in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13):
        malformed("unexpected end", bytes([number]) + sized(huge))
    malformed("unexpected end", section(1, b"\x60" + huge))
    malformed("unexpected end", section(1, b"\x4e" + huge))
    malformed("too many parameters", section(1, b"\x60" + sized(b"\x7f" * 1001) + b"\0"))
    assert time.perf_counter() - began < 1


def test_deep_nesting():
    depth = 200_000
    module = function(b"\x02\x40" * depth + b"\x0b" * depth + b"\x0b")
    facts, = validate(module)
    assert facts.instructions == 2 * depth + 1


def test_recursive_types():
    # a group of a struct that refers to itself and to a function type of the group
    struct = b"\x5f\x02\x63\x00\x00\x64\x01\x01"
    module = module_of(section(1, b"\x4e\x02" + struct + b"\x60\x00\x00", b"\x50\x00\x5f\x00", b"\x60\0\0"))
    first, second = module.types[:2]
    assert [field.storage for field in first.comp.fields] == [RefType(True, first), RefType(False, second)]
    assert [field.mutable for field in first.comp.fields] == [False, True]
    assert second is not module.types[3] and second.group is first.group


def test_equivalent_types_are_identical():
    group = b"\x4e\x01\x5e\x63\x00\x00"
    assert module_of(section(1, group)).types == module_of(section(1, group)).types
    assert module_of(section(1, b"\x60\0\0")).types[0] is module_of(section(1, b"\x4f\x00\x60\0\0")).types[0]


def test_subtypes():
    module = module_of(section(1, b"\x50\0\x5f\0", b"\x50\1\0\x5f\1\x78\0", b"\x4f\1\1\x5f\1\x78\0"))
    base, middle, leaf = module.types
    assert (base.final, middle.final, leaf.final) == (False, False, True)
    assert (base.supers, middle.supers, leaf.supers) == ((), (base,), (middle,))
    for own in (b"\x50\1\0\x5f\0", b"\x4e\2\x50\1\1\x5f\0\x50\0\x5f\0"):     # itself; one that comes later
        with pytest.raises(ValidationError, match="unknown type"):
            module_of(section(1, own))


@pytest.mark.parametrize("number, item, message", [
    (1, b"\x61\0\0", "malformed definition type"), (1, b"\xe0\x7f\0\0", "integer representation too long"),
    (1, b"\x5e\x78\2", "malformed mutability"), (2, b"\0\0\5\0", "malformed import kind"),
    (4, b"\x70\x02\0", "malformed limits flags"), (4, b"\x7f\0\0", "malformed reference type"),
    (4, b"\x40\1\x70\0\0\x0b", "malformed table"), (5, b"\x08\0", "malformed limits flags"),
    (6, b"\x7f\2\x41\0\x0b", "malformed mutability"), (7, b"\0\5\0", "malformed export kind"),
    (9, b"\x08", "malformed elements segment kind"), (9, b"\1\1\0", "malformed element kind"),
    (11, b"\3", "malformed data segment kind"), (13, b"\1\0", "malformed tag attribute"),
])
def test_malformed_items(number, item, message):
    malformed(message, section(number, item))


def test_limits():
    module = module_of(section(4, b"\x70\1\2\3", b"\x6f\4\2"), section(5, b"\0\1", b"\3\1\2", b"\5\1" + leb(2**48)))
    assert [(t.addr, t.limits.min, t.limits.max, t.elem) for t in module.tables] == [
        (I32, 2, 3, FUNCREF), (I64, 2, None, EXTERNREF)]
    assert [(m.addr, m.limits.min, m.limits.max, m.shared) for m in module.mems] == [
        (I32, 1, None, False), (I32, 1, 2, True), (I64, 1, 2**48, False)]


def test_index_spaces_hold_imports_first():
    module = module_of(
        section(1, b"\x60\1\x7f\0"),
        section(2, b"\1m\1f\0\0", b"\1m\1t\1\x70\0\0", b"\1m\1m\2\0\1", b"\1m\1g\3\x7f\1", b"\1m\1e\4\0\0"),
        section(3, b"\0"), section(4, b"\x40\0\x70\0\1\xd2\0\x0b"), section(5, b"\0\2"), section(13, b"\0\0"),
        section(6, b"\x7e\0\x42\5\x0b"), section(7, b"\1x\0\1", b"\1y\2\1"), b"\x08\1\1", section(10, sized(b"\0\x0b")))
    deftype, = module.types
    assert isinstance(deftype, DefType) and deftype.comp == FuncType((I32,), ())
    assert module.funcs == (deftype, deftype) and module.imported_funcs == 1 and module.start == 1
    assert [i.type for i in module.imports] == [module.funcs[0], module.tables[0], module.mems[0], module.globals[0],
                                                module.tags[0]]
    assert [len(s) for s in (module.tables, module.mems, module.globals, module.tags)] == [2] * 4
    assert [op.mnemonic for op, _, _ in module.table_defs[0].init] == ["ref.func"]
    assert [(op.mnemonic, imm) for op, imm, _ in module.global_defs[0].init] == [("i64.const", 5)]
    assert [(e.name, e.kind, e.index) for e in module.exports] == [("x", "func", 1), ("y", "memory", 1)]
    assert module.declared == {0, 1}


NULLABLE, NON_NULL = FUNCREF, RefType(False, "func")


@pytest.mark.parametrize("item, reftype, mode, table", [
    (b"\0\x41\1\x0b\1\0", NON_NULL, "active", 0), (b"\1\0\1\0", NON_NULL, "passive", 0),
    (b"\2\1\x41\1\x0b\0\1\0", NON_NULL, "active", 1), (b"\3\0\1\0", NON_NULL, "declarative", 0),
    (b"\4\x41\1\x0b\1\xd2\0\x0b", NULLABLE, "active", 0), (b"\5\x70\1\xd2\0\x0b", NULLABLE, "passive", 0),
    (b"\6\1\x41\1\x0b\x64\x70\1\xd2\0\x0b", NON_NULL, "active", 1),
    (b"\7\x70\1\xd2\0\x0b", NULLABLE, "declarative", 0)])
def test_element_segments(item, reftype, mode, table):
    module = module_of(section(9, item))
    elem, = module.elems
    assert (elem.reftype, elem.mode, elem.table) == (reftype, mode, table)
    assert (elem.offset is not None) == (mode == "active")
    assert [[(op.mnemonic, imm) for op, imm, _ in init] for init in elem.inits] == [[("ref.func", 0)]]
    assert module.declared == {0}


def test_data_segments():
    module = module_of(section(11, b"\0\x41\0\x0b\2ab", b"\1\1c", b"\2\3\x41\0\x0b\0"))
    assert [(module.data[d.start:d.end], d.mode, d.memory) for d in module.datas] == [
        (b"ab", "active", 0), (b"c", "passive", 0), (b"", "active", 3)]
    malformed("unexpected end", section(11, b"\1\7c"))
    malformed("data count and data section", b"\x0c\1\1")


def test_function_and_code_sections_agree():
    malformed("function and code section have inconsistent lengths", section(10, sized(b"\0\x0b")))
    malformed("function and code section have inconsistent lengths", section(1, b"\x60\0\0"), section(3, b"\0"))


def test_name_section():
    subsections = (b"\0" + sized(b"\1m") + b"\1" + sized(b"\1\0\1f") + b"\2" + sized(b"\1\0\2\0\1a\1\1b")
                   + b"\4" + sized(b"junk"))
    module = module_of(custom(b"name", subsections), custom(b"other", b"xyz"))
    assert (module.names.module, module.names.funcs, module.names.locals) == ("m", {0: "f"}, {0: {0: "a", 1: "b"}})
    assert module.customs == (("name", subsections), ("other", b"xyz"))


@pytest.mark.parametrize("content", [b"\0", b"\0\5ab", b"\1\2\1\0", b"\0\2\1\xff", b"\1\5\xff\xff\xff\xff\x0f"])
def test_malformed_name_section_is_ignored(content):
    names = module_of(custom(b"name", content)).names
    assert (names.module, names.funcs, names.locals) == (None, {}, {})


def survives(data):
    """Whether data is a valid module; any error but the two documented ones fails the test."""
    try:
        validate(decode(data))
    except (DecodeError, ValidationError):
        return False
    return True


RICH = """
(module
  (rec (type $s (sub (struct (field i8) (field (mut (ref null $s)))))) (type $f (func (param i32) (result i32))))
  (type $a (array (mut i32)))
  (import "env" "g" (global $g i32))
  (memory 1) (table 3 funcref) (tag $t (param i32))
  (global $x (mut i64) (i64.const -5))
  (func $fib (export "fib") (type $f)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (result i32) (local (ref $s))
    (local.set 0 (struct.new $s (i32.const 1) (ref.null $s)))
    (struct.get_u $s 0 (local.get 0)))
  (func (block $b (result i32) (try_table (catch $t $b) (throw $t (i32.const 7))) (i32.const 0)) (drop)
    (loop $l (br_table 0 $l 1 (i32.load8_u offset=300 (i32.const 0))))
    (drop (array.new_data $a $d (i32.const 0) (i32.const 1))))
  (func (param v128) (result v128) (i8x16.add (local.get 0) (v128.const i32x4 1 2 3 4)))
  (elem (i32.const 0) $fib) (data $d "hello") (data (i32.const 8) "world"))
"""


@pytest.fixture(scope="module")
def rich():
    return bytes(pytest.importorskip("wasmtime").wat2wasm(RICH))


def test_prefixes(rich):
    assert survives(rich)
    # a prefix may be valid where a section with nothing missing ends
    assert sum(survives(rich[:end]) for end in range(len(rich))) <= 8


def test_corruptions(rich):
    chance = random.Random(7)
    for position in range(len(rich)):
        for byte in (0, 0x0B, 0x7F, 0x80, 0xFF, rich[position] ^ 1, chance.randrange(256)):
            survives(rich[:position] + bytes([byte]) + rich[position + 1:])
