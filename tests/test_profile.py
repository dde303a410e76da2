"""Profiles of running wasm: counted calls and instructions against a Python oracle, and where samples say that time goes."""
import collections
import subprocess
import sys
import threading
import time

import pytest

import pyjit_wasm as wasm
from pyjit_wasm.config import SAMPLE_DEPTH

PROGRAM = """(module $program
  (import "env" "host" (func $host (param i32) (result i32)))
  (type $t (func (param i32) (result i32)))
  (table 2 funcref) (elem (i32.const 0) $fib $host)
  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1))) (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func $even (param $n i32) (result i32)
    (if (result i32) (local.get $n) (then (return_call $odd (i32.sub (local.get $n) (i32.const 1)))) (else (i32.const 1))))
  (func $odd (param $n i32) (result i32)
    (if (result i32) (local.get $n) (then (return_call $even (i32.sub (local.get $n) (i32.const 1)))) (else (i32.const 0))))
  (func $main (export "main") (param $n i32) (result i32) (local $i i32) (local $sum i32)
    (loop $l
      (local.set $sum (i32.add (local.get $sum) (call_indirect (type $t) (local.get $i) (i32.and (local.get $i) (i32.const 1)))))
      (local.set $sum (i32.add (local.get $sum) (call $even (local.get $i))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (ref.func $fib) (drop)
    (i32.add (local.get $sum) (call_ref $t (i32.const 5) (ref.func $fib)))))"""


class Oracle:
    """The same program in Python, counting."""

    def __init__(self):
        self.calls, self.edges = collections.Counter(), collections.Counter()

    def call(self, caller, callee, n):
        self.calls[callee] += 1
        if caller:
            self.edges[caller, callee] += 1
        return getattr(self, callee)(n)

    def host(self, n):
        return n

    def fib(self, n):
        return n if n < 2 else self.call("fib", "fib", n - 1) + self.call("fib", "fib", n - 2)

    def even(self, n):
        return self.call("even", "odd", n - 1) if n else 1

    def odd(self, n):
        return self.call("odd", "even", n - 1) if n else 0

    def main(self, n):
        total = 0
        for i in range(n):
            total += self.call("main", ("fib", "host")[i & 1], i) + self.call("main", "even", i)
        return total + self.call("main", "fib", 5)


def program(load):
    return load(PROGRAM, {"env": {"host": lambda n: n}})


def by_name(numbers):
    """The same numbers by the names of functions."""
    return {tuple(p.name for p in key) if isinstance(key[0], tuple) else key.name: n for key, n in numbers.items()}


@pytest.mark.parametrize("opcodes", [False, True])
def test_calls(load, opcodes):
    instance, oracle = program(load), Oracle()
    instance.exports.main(7)  # before: not counted
    with wasm.profile(instance, rate=0, counts=True, opcodes=opcodes) as p:
        for n in (12, 9):
            assert instance.exports.main(n) == oracle.call(None, "main", n)
    assert instance.exports.main(12) == Oracle().main(12)  # nor what comes after
    counts = p.report.counts
    assert by_name(counts.calls_of()) == oracle.calls
    assert by_name(counts.edges_of()) == oracle.edges
    assert (counts.opcodes is not None) == opcodes and p.report.samples is None


def test_instructions(load):
    """Executed instructions, counted by hand from a loop that runs n times."""
    instance = load("""(module (memory 1) (func (export "f") (param i32) (result i32) (local i32)
      (block $out (loop $l
        (br_if $out (i32.eqz (local.get 0)))
        (if (i32.and (local.get 0) (i32.const 1))
          (then (i32.store (i32.const 8) (local.get 0)))
          (else (local.set 1 (i32.add (local.get 1) (i32.load (i32.const 8))))))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br $l)))
      (local.get 1)))""")
    with wasm.profile(instance, rate=0, opcodes=True) as p:
        assert instance.exports.f(10) == sum(range(3, 10, 2)) + 0
    assert p.report.counts.opcodes == {
        "block": 1, "loop": 1, "br_if": 11, "i32.eqz": 11, "local.get": 11 + 10 + 5 + 5 + 10 + 1, "if": 10, "i32.and": 10,
        "i32.const": 10 + 5 + 5 + 10, "i32.store": 5, "local.set": 5 + 10, "i32.add": 5, "i32.load": 5, "i32.sub": 10, "br": 10}


def test_calls_across_instances(load):
    inner = program(load)
    outer = load("""(module $outer (import "p" "fib" (func $fib (param i32) (result i32)))
      (func $go (export "go") (result i32) (call $fib (i32.const 6))))""", {"p": inner.exports})
    with wasm.profile([inner, outer], rate=0, counts=True) as p:
        assert outer.exports.go() == 8
    calls = {(place.module, place.name): n for place, n in p.report.counts.calls_of().items()}
    assert calls == {("outer", "go"): 1, ("program", "fib"): 25}
    assert by_name(p.report.counts.edges_of()) == {("go", "fib"): 1, ("fib", "fib"): 24}


def test_all_instances(load):
    first, second = program(load), program(load)
    with wasm.profile(rate=0, counts=True) as p:
        first.exports.fib(3)
        second.exports.fib(2)
    assert by_name(p.report.counts.calls_of())["fib"] == 5 + 3


def test_mode_changes_while_counting():
    instance = wasm.Instance(wasm.Module(PROGRAM), {"env": {"host": lambda n: n}})
    with wasm.profile(instance, rate=0, counts=True) as p:
        for mode in ("interp", "jit", "tiered", "interp"):
            instance.mode = mode
            instance.exports.fib(10)
    assert by_name(p.report.counts.calls_of()) == {"fib": 4 * 177}


def test_counted_twice_is_an_error(load):
    instance = program(load)
    with wasm.profile(instance, rate=0, counts=True):
        with pytest.raises(RuntimeError, match="counted"):
            with wasm.profile(instance, rate=0, counts=True):
                pass
        with pytest.raises(RuntimeError, match="samples are being taken"), wasm.profile(), wasm.profile():
            pass
    with wasm.profile(instance, counts=True) as p:
        instance.exports.fib(5)
    assert by_name(p.report.counts.calls_of()) == {"fib": 15}


@pytest.mark.parametrize("rate", [-1, 30_000, float("nan")])
def test_bad_rates(rate):
    with pytest.raises(ValueError, match="hertz"):
        wasm.profile(rate=rate)


def test_exceptions_and_traps_pass(load):
    instance = load('(module (func $f (export "f") (call $g)) (func $g unreachable))')
    with pytest.raises(wasm.Trap):
        with wasm.profile(instance, counts=True) as p:
            instance.exports.f()
    assert by_name(p.report.counts.calls_of()) == {"f": 1, "g": 1}


def test_tier_events(load, mode):
    instance = program(load)
    with wasm.profile(instance, rate=0, counts=True) as p:
        instance.exports.fib(8)
    kinds = [event.kind for event in p.report.counts.events]
    assert kinds == {"interp": ["translate"], "jit": ["compile"], "tiered": ["translate", "compile"]}[mode]
    for event in p.report.counts.events:
        assert "fib" in event.functions and event.reason and event.seconds > 0 and event.bytes > 0 and event.time > 0


# --- samples

WORK = """(module $work (import "env" "host" (func $host)) (memory 1)
  (func $spin (param i32) (loop $l
    (i32.store (i32.const 8) (i32.xor (i32.mul (i32.load (i32.const 8)) (i32.const 69069)) (local.get 0)))
    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func $short (export "short") (param i32) (call $spin (local.get 0)) (i32.store (i32.const 0) (i32.const 1)))
  (func $long (export "long") (param i32) (call $spin (i32.mul (local.get 0) (i32.const 4))) (i32.store (i32.const 0) (i32.const 1)))
  (func $both (export "both") (param i32) (call $short (local.get 0)) (call $long (local.get 0)))
  (func $calls (export "calls") (call $host) (i32.store (i32.const 0) (i32.const 1))))"""


def stacks(report):
    """{names of a stack, outermost first: how many samples}, of what is below this file."""
    found = collections.Counter()
    for _, _, stack, _ in report.samples.samples:
        names = [f"{place.kind}:{place.name}" for place in stack]
        found[tuple(names)] += 1
    return found


def share(found, *names):
    """What part of the samples has these places, in this order, somewhere."""
    def has(stack):
        rest = iter(stack)
        return all(any(name == place for place in rest) for name in names)

    return sum(n for stack, n in found.items() if has(stack)) / max(1, found.total())


def repeat(seconds, work):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        work()


def test_where_time_goes(load):
    """One function takes four times as long as another."""
    instance = load(WORK, {"env": {"host": lambda: None}})
    instance.exports.both(1000)
    with wasm.profile(instance) as p:
        repeat(0.6, lambda: instance.exports.both(200_000))
    found = stacks(p.report)
    assert found.total() > 60
    assert share(found, "wasm:both", "wasm:long", "wasm:spin") > 0.6
    assert 0.08 < share(found, "wasm:both", "wasm:short", "wasm:spin") < 0.35
    assert share(found, "python:repeat", "python:test_where_time_goes.<locals>.<lambda>", "wasm:both") > 0.9
    assert p.report.functions[0].place.name == "spin"


def test_python_in_wasm_in_python(load):
    """Python, wasm, a host function and what that calls, in one stack."""
    def inner():
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass

    def host():
        inner()

    instance = load(WORK, {"env": {"host": host}})
    with wasm.profile(instance) as p:
        repeat(0.5, instance.exports.calls)
    found = stacks(p.report)
    local = "python:test_python_in_wasm_in_python.<locals>."
    assert share(found, "python:repeat", "wasm:calls", "host:host", f"{local}host", f"{local}inner") > 0.8


def test_wasm_in_python_in_wasm(load):
    inner = load(WORK, {"env": {"host": lambda: None}})
    outer = load(WORK.replace("$calls", "$outermost"), {"env": {"host": lambda: inner.exports.long(100_000)}})
    outer.exports.calls()
    with wasm.profile(rate=2000) as p:
        repeat(0.5, outer.exports.calls)
    found = stacks(p.report)
    assert share(found, "python:repeat", "wasm:outermost", "host:host",
                 "python:test_wasm_in_python_in_wasm.<locals>.<lambda>", "wasm:long", "wasm:spin") > 0.8


def test_other_threads(load):
    instances = [load(WORK, {"env": {"host": lambda: None}}) for _ in range(2)]
    threads = [threading.Thread(target=repeat, args=(0.6, lambda i=i: i.exports.long(200_000)), name=f"worker {k}")
               for k, i in enumerate(instances)]
    with wasm.profile() as p:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    per_thread = collections.Counter(thread for _, thread, stack, _ in p.report.samples.samples
                                     if any(place.name == "spin" for place in stack))
    assert len(per_thread) == 2 and min(per_thread.values()) > 25


def test_results_are_the_same_while_sampled(load):
    """Interrupting at thousands of places changes nothing."""
    instance = program(load)
    with wasm.profile(rate=20_000):
        repeat(0.5, lambda: _assert_equal(instance.exports.main(13), Oracle().main(13)))


def _assert_equal(a, b):
    assert a == b


def test_deep_stacks(load):
    instance = load("""(module (memory 1) (func $f (export "f") (param i32) (param i32) (result i32)
      (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)) (local.get 1))))
        (else (loop $l
           (i32.store (i32.const 8) (i32.xor (i32.mul (i32.load (i32.const 8)) (i32.const 69069)) (local.get 1)))
           (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1))))) (i32.const 0)))))""")
    with wasm.profile() as p:
        repeat(0.3, lambda: instance.exports.f(3000, 1_000_000))
    depths = [sum(place.name == "f" for place in stack) for _, _, stack, _ in p.report.samples.samples]
    assert max(depths) > SAMPLE_DEPTH // 2


def test_an_idle_profile():
    with wasm.profile() as p:
        time.sleep(0.05)
    assert p.report.table()


def test_no_samples_after_the_end(load):
    instance = load(WORK, {"env": {"host": lambda: None}})
    for _ in range(5):
        with wasm.profile(rate=5000) as p:
            instance.exports.long(200_000)
        before = len(p.report.samples.samples)
        instance.exports.long(200_000)
        assert len(p.report.samples.samples) == before


# --- a C program in three modes

C_PROGRAM = r"""
#define WORK(name, rounds) \
    __attribute__((noinline, export_name(#name))) unsigned name(unsigned x) { \
        for (unsigned i = 0; i < rounds; i++) x = x * 69069 + (x >> 13) + i; \
        return x; \
    }
WORK(first, 16000)
WORK(second, 8000)
WORK(third, 4000)
WORK(fourth, 2000)
WORK(fifth, 600)
WORK(seldom, 10)
__attribute__((noinline)) static unsigned choose(unsigned x, unsigned i) {
    return i % 3 ? seldom(x) : fifth(seldom(x));
}
typedef unsigned (*function)(unsigned);
static function volatile table[] = {first, second, third, fourth};
__attribute__((export_name("run"))) unsigned run(unsigned n) {
    unsigned x = 1;
    for (unsigned i = 0; i < n; i++) {
        for (int k = 0; k < 4; k++) x = table[k](x);
        x = fifth(x);
        x = choose(x, i);
    }
    return x;
}
"""


@pytest.fixture(scope="module", params=["-g", "-g0"])
def c_program(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("profile")
    (folder / "p.c").write_text(C_PROGRAM)
    subprocess.run([sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding", "-O2", "-nostdlib", "-Wl,--no-entry",
                    request.param, "-o", "p.wasm", "p.c"], cwd=folder, check=True, capture_output=True)
    return wasm.Module(folder / "p.wasm").binary


def test_a_c_program(c_program):
    """The same program has the same counts in all modes, and the same functions take the most time."""
    rounds = 30
    for mode in ("interp", "jit", "tiered"):
        engine = wasm.Engine(mode=mode, tier_up_threshold=1, background=False)
        instance = wasm.Instance(wasm.Module(c_program, engine=engine))
        instance.exports.run(rounds)
        with wasm.profile(instance, counts=True) as p:
            instance.exports.run(rounds)  # compiles code with counters
            repeat(1.2, lambda: instance.exports.run(rounds))
        calls = by_name(p.report.counts.calls_of())
        runs = calls.pop("run")
        assert calls == {
            **dict.fromkeys(("first", "second", "third", "fourth", "choose", "seldom"), runs * rounds),
            "fifth": runs * (rounds + rounds // 3)}, mode
        names = [row.place.name for row in p.report.functions if row.place.kind == "wasm"]
        assert names[:5] == ["first", "second", "third", "fourth", "fifth"], mode
        line = C_PROGRAM.splitlines().index("WORK(first, 16000)") + 1
        sampled = [place for _, _, stack, _ in p.report.samples.samples for place in stack if place.name == "first"]
        if sampled[0].file:  # compiled with -g
            assert {place.file.rpartition("/")[2] for place in sampled} == {"p.c"}
            assert collections.Counter(place.line for place in sampled).most_common(1)[0][0] == line
        assert {place.definition for place in sampled} <= p.report.counts.calls_of().keys()
