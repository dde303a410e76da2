"""Threaded code of large modules is kept on disk."""
import pytest

from pyjit_wasm import config

PROGRAM = """
from pyjit_wasm import config
from pyjit_wasm.interp import threaded
config.KEPT_CODE = 0
translated, translate = [], threaded.translate
threaded.translate = lambda module, funcidx, *rest: (translated.append(funcidx), translate(module, funcidx, *rest))[1]
functions = "".join(f'''(func (export "f{i}") (param i32 i64) (result i64) (local v128)
    (local.set 2 (i64x2.splat (local.get 1)))
    (block (loop (br_if 1 (i32.eqz (local.get 0))) (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (block (block (br_table 0 1 (i32.and (local.get 0) (i32.const 1))))
        (local.set 1 (i64.add (local.get 1) (i64.const {i})))) (br 0)))
    (i64.add (i64x2.extract_lane 0 (local.get 2)) (call $g (local.get 1))))''' for i in range(60))
inst = load('(module (tag $t) (func $g (param i64) (result i64) (local.get 0) (drop (i64.div_u (i64.const 9) (local.get 0))))'
            f'{functions} (func (export "catch") (result i32) (block (try_table (catch $t 0) (throw $t)) unreachable)'
            ' (i32.const 5)))', mode=MODE, tier_up_threshold=10 ** 6)
results = [inst.exports[f"f{i}"](10, 3) for i in range(60)]
assert results == [3 + 3 + 5 * i for i in range(60)], results
assert inst.exports.catch() == 5
try:
    inst.exports.f0(0, 0)
except wasm.Trap as trap:
    print(trap.code, [(frame.funcidx, hex(frame.offset)) for frame in trap.frames])
print(len(translated))
"""


@pytest.fixture
def run(child, tmp_path):
    def run(mode):
        done = child(f"MODE = {mode!r}" + PROGRAM, **{config.CACHE_VARIABLE: str(tmp_path / "cache")})
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()
    return run


@pytest.mark.parametrize("mode", ("interp", "tiered"))
def test_nothing_is_translated_again(run, mode):
    """But for functions that catch exceptions. Traps know their places as before."""
    first, second = run(mode), run(mode)
    assert first[0] == second[0] and first[0].startswith("integer divide by zero [(0, '0x")
    assert first[1] == "62" and second[1] == "1"


def test_a_damaged_entry(run, tmp_path):
    run("interp")
    for entry in (tmp_path / "cache").iterdir():
        entry.write_bytes(entry.read_bytes()[:-5])
    assert run("interp")[1] == "62"
