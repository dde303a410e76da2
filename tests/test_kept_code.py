"""What is made of the functions of large modules is kept on disk."""
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
results = [inst.exports[f"f{i}"](10, 3) for i in range(COUNT)]
assert results == [3 + 3 + 5 * i for i in range(COUNT)], results
assert inst.exports.catch() == 5
try:
    inst.exports.f0(0, 0)
except wasm.Trap as trap:
    print(trap.code, [(frame.funcidx, hex(frame.offset)) for frame in trap.frames])
print(len(translated))
"""


@pytest.fixture
def run(child, tmp_path):
    def run(mode, count=60, more=""):
        done = child(f"{more}MODE, COUNT = {mode!r}, {count}" + PROGRAM, **{config.CACHE_VARIABLE: str(tmp_path / "cache")})
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()
    return run


@pytest.mark.parametrize("mode", ("interp", "tiered"))
def test_nothing_is_translated_again(run, mode):
    """Exceptions are caught and traps know their places as before."""
    first, second = run(mode), run(mode)
    assert first[0] == second[0] and first[0].startswith("integer divide by zero [(0, '0x")
    assert first[1] == "62" and second[1] == "0"


def test_a_damaged_entry(run, tmp_path):
    run("interp")
    for entry in (tmp_path / "cache").iterdir():
        entry.write_bytes(entry.read_bytes()[:-5])
    assert run("interp")[1] == "62"


@pytest.mark.parametrize("mode", ("interp", "tiered"))
def test_more_is_added(run, mode):
    """Few new functions are not worth writing all again, many are."""
    assert run(mode, 30)[1] == "32"
    assert run(mode, 31)[1] == "1" and run(mode, 31)[1] == "1"
    assert run(mode)[1] == "30" and run(mode)[1] == "0"


CATCHING = """
from pyjit_wasm import config
from pyjit_wasm.interp import threaded
config.KEPT_CODE = 0
translated, translate = [], threaded.translate
threaded.translate = lambda module, funcidx, *rest: (translated.append(funcidx), translate(module, funcidx, *rest))[1]
inst = load('''(module (tag $t (param i32)) (tag $u (param i64 f64)) (tag $v)
  (func $throw (param i32)
    (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $t (i32.const 11))))
    (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $u (i64.const 22) (f64.const 0.5))))
    (if (i32.eq (local.get 0) (i32.const 3)) (then (throw $v))))
  (func (export "f") (param i32) (result i32) (local i32)
    (block $v
      (block $all (result exnref)
        (try_table (catch $v $v) (catch_all_ref $all)
          (block $u (result i64 f64)
            (local.set 1 (block $t (result i32)
              (try_table (catch $t $t) (catch $u $u) (call $throw (local.get 0)))
              (return (i32.const 0))))
            (return (local.get 1)))
          (return (i32.wrap_i64 (i64.add (i64.trunc_f64_s (f64.mul (f64.const 2)))))))
        (return (i32.const 98)))
      (return (i32.const 99)))
    (i32.const 33)))''', mode=MODE, tier_up_threshold=10 ** 6)
print([inst.exports.f(i) for i in range(4)], len(translated))
"""


def test_who_catches(child, tmp_path, mode):
    """Clauses of nested attempts, with payloads."""
    place = {config.CACHE_VARIABLE: str(tmp_path / "cache")}
    runs = [child(f"MODE = {mode!r}" + CATCHING, **place) for _ in range(2)]
    assert [run.stdout for run in runs] == [f"[0, 11, 23, 33] {0 if mode == 'jit' else 2}\n", "[0, 11, 23, 33] 0\n"], runs


NATIVE = """
from pyjit_wasm import config
config.KEPT_CODE = 0
inst = load('''(module
  (func $h (export "called") (param i32) (result i32) (i32.div_u (i32.const 100) (local.get 0)))
  (func (export "loop") (param i32) (result i32) (local i32)
    (loop (local.set 1 (i32.add (local.get 1) (call $h (i32.const 7))))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))
  (func (export "cold") (result i32) (i32.const 5)))''', mode=MODE, tier_up_threshold=50, background=False)
f = inst.exports
print(f.called.tier, f.called.tier.why)
print(f.loop(1000), [f.called(9) for _ in range(60)][-1], f.cold())
print(f.called.tier, f.loop.tier, f.cold.tier)
try:
    f.called(0)
except wasm.Trap as trap:
    print(trap.code, [(frame.funcidx, hex(frame.offset)) for frame in trap.frames])
inst.mode = "interp"
print(f.called.tier, f.loop(10))
"""


def native(child, tmp_path, mode):
    done = child(f"MODE = {mode!r}" + NATIVE, **{config.CACHE_VARIABLE: str(tmp_path / "cache")})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_was_hot_is_native_from_the_start(child, tmp_path):
    first, second, third = (native(child, tmp_path, "tiered") for _ in range(3))
    assert first[0] == "interp not called yet"
    assert second[0] == third[0]
    assert second[0].startswith("native hot: 50 calls") and second[0].endswith("in an earlier run")
    assert first[1:] == second[1:] == third[1:]
    assert first[1:3] == ["14000 11 5", "native interp interp"] and first[4] == "interp 140"
    assert first[3].startswith("integer divide by zero [(0, '0x")


def test_modes_share_native_code(child, tmp_path):
    """What mode jit compiled is there in mode tiered. Small modules are one unit, called or not."""
    first, second = native(child, tmp_path, "jit"), native(child, tmp_path, "jit")
    assert first[0].startswith("native not called yet") and first[1:] == second[1:]
    assert second[0] == "native compiled before its first call (mode jit), in an earlier run"
    tiered = native(child, tmp_path, "tiered")
    assert tiered[0] == "native compiled before its first call (mode jit), in an earlier run"
    assert tiered[1:3] == ["14000 11 5", "native native native"]
    assert native(child, tmp_path, "interp")[:3] == ["interp mode interp", "14000 11 5", "interp interp interp"]


def test_compiled_ahead_comes_before_what_was_interpreted(child, tmp_path):
    assert native(child, tmp_path, "interp")[2] == "interp interp interp"
    assert native(child, tmp_path, "tiered")[2] == "native interp interp"
    compiling = NATIVE.replace("print(f.called.tier, f.called.tier.why)",
                               "from pyjit_wasm.precompilation import precompile; precompile(inst.module)", 1)
    place = {config.CACHE_VARIABLE: str(tmp_path / "cache")}
    assert child("MODE = 'tiered'" + compiling, **place).returncode == 0
    assert native(child, tmp_path, "tiered")[1:3] == ["14000 11 5", "native native native"]


def test_an_entry_does_not_grow_for_ever(run, tmp_path):
    """What no longer fits is made again in each run."""
    limit = f"from pyjit_wasm import config; config.KEPT_MOST = {200_000}\n"
    assert run("interp", 30, limit)[1] == "32"
    size = max(entry.stat().st_size for entry in (tmp_path / "cache").glob("threaded-*"))
    assert run("interp", 60, f"from pyjit_wasm import config; config.KEPT_MOST = {size}\n")[1] == "30"
    assert run("interp", 60)[1] == "30" and run("interp", 60)[1] == "0"

