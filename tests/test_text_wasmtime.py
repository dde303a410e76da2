"""The text format against wasmtime: which texts are accepted, and which modules they are; and damaged texts."""
import random
import re
from pathlib import Path

import pytest

from pyjit_wasm.binary.encode import MAGIC
from pyjit_wasm.errors import DecodeError, ParseError, ValidationError
from pyjit_wasm.text import assemble, disassemble, script

LINES = (Path(__file__).parent / "texts" / "modules.txt").read_text(encoding="utf-8").splitlines()
CASES = [(line[:2], line[3:].replace("␤", "\n")) for line in LINES if line[:1] in ("+", "-")]
# what wasmtime writes into the `name` section and we do not: labels, parameters of types and tags
ITS_OWN_NAMES = {3, 12, 13}


def assembled(text):
    """The binary of a text, None where it is refused. Refused texts have a place, and nothing else is raised."""
    try:
        return assemble(text)
    except ParseError as error:
        lines = text.splitlines() or [""]
        assert 1 <= error.line <= len(lines) + 1 and error.column >= 1
        return None


def by_wasmtime(text):
    wasmtime = pytest.importorskip("wasmtime")
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError:
        return None


def sized(data, position):
    """(value of the LEB128 at a position, the position behind it)"""
    value = shift = 0
    while True:
        byte = data[position]
        value, shift, position = value | (byte & 0x7F) << shift, shift + 7, position + 1
        if byte < 0x80:
            return value, position


def parts(data, position):
    """(id, contents) of sections or subsections."""
    while position < len(data):
        code = data[position]
        size, position = sized(data, position + 1)
        yield code, data[position:position + size]
        position += size


def essence(binary):
    """Sections, and of the `name` section what both write."""
    found = []
    for code, contents in parts(binary, len(MAGIC)):
        if code == 0 and contents.startswith(b"\4name"):
            found += [("name", code, names) for code, names in parts(contents, 5) if code not in ITS_OWN_NAMES]
        else:
            found.append((code, contents))
    return found


def printed(binary):
    try:
        return disassemble(binary)
    except (DecodeError, ValidationError):   # of a text that is well-formed, but no valid module
        return binary


def same(ours, its):
    """Whether two binaries are the same module. An element segment of table 0 has two encodings."""
    return essence(ours) == essence(its) or printed(ours) == printed(its)


@pytest.mark.parametrize("verdicts, text", CASES)
def test_verdict(verdicts, text):
    assert (assembled(text) is not None) == (verdicts[0] == "+")


@pytest.mark.parametrize("verdicts, text", CASES)
def test_wasmtime(verdicts, text):
    its, ours = by_wasmtime(text), assembled(text)
    assert (its is None) == (verdicts[1] == "-")
    if verdicts == "++":
        assert same(ours, its)
    elif verdicts == "+*":
        assert not same(ours, its)


# damaged texts

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+|\s+')
WORDS = [word for _, text in CASES for word in TOKEN.findall(text) if not word.isspace()]


def delete(tokens, place, rng):
    tokens[place] = ""


def copy(tokens, place, rng):
    tokens.insert(place, rng.choice(tokens))


def swap(tokens, place, rng):
    other = rng.randrange(len(tokens))
    tokens[place], tokens[other] = tokens[other], tokens[place]


def replace(tokens, place, rng):
    tokens[place] = rng.choice(WORDS)


def insert(tokens, place, rng):
    tokens.insert(place, f" {rng.choice(WORDS)} ")


def change_character(tokens, place, rng):
    token = tokens[place]
    at = rng.randrange(len(token) + 1)
    tokens[place] = token[:at] + chr(rng.randrange(0x250)) + token[at + 1:]


DAMAGES = (delete, copy, swap, replace, insert, change_character)


def damaged(text, rng):
    """A text with a few tokens deleted, doubled, swapped, replaced, inserted or with another character."""
    tokens = TOKEN.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(DAMAGES)(tokens, rng.randrange(len(tokens)), rng)
    return "".join(tokens)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_modules(seed):
    rng = random.Random(seed)
    for _ in range(1500):
        assembled(damaged(rng.choice(CASES)[1], rng))


SCRIPT = r"""
(module $m (func $f (export "f") (param i32 i64 f32 f64 v128 externref) (result i32) (local.get 0)) (memory 1))
(module definition $d binary "\00asm" "\01\00\00\00") (module instance $i $d) (register "m" $i)
(module quote "(func)") (invoke $m "f" (i32.const 1) (i64.const -1) (f32.const nan:0x1) (f64.const 0x1p1)
  (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16) (ref.extern 1))
(assert_return (invoke "f" (ref.null func)) (either (i32.const 1) (i32.const 2)) (f32.const nan:canonical) (ref.func)
  (v128.const f32x4 1 nan:arithmetic nan:0x1 -0) (ref.null) (ref.null any) (ref.host 7) (ref.i31))
(assert_return (get $m "g") (f64.const nan:arithmetic)) (assert_trap (module (func $s unreachable) (start $s)) "unreachable")
(assert_trap (invoke "f") "x") (assert_exhaustion (invoke "f") "x") (assert_exception (invoke "f"))
(assert_unlinkable (module (import "a" "b" (func))) "unknown import") (assert_invalid (module (func drop)) "type mismatch")
(assert_malformed (module quote "(func") "x") (assert_malformed_custom (module quote "(@custom)") "x")
"""


def read_script(source):
    """How many commands there are; every text module among them is assembled."""
    count = 0
    for command in script.parse(source):
        count += 1
        if isinstance(command.subject, script.ModuleSource):
            try:
                command.subject.binary()
            except ParseError as error:
                assert error.line
    return count


def test_script():
    assert read_script(SCRIPT) == 16


@pytest.mark.parametrize("seed", range(4))
def test_damaged_scripts(seed):
    rng = random.Random(seed)
    for _ in range(500):
        try:
            read_script(damaged(SCRIPT, rng))
        except ParseError as error:
            assert error.line and error.column
