"""Profiles made by hand and at random, for the tests of what is written of them."""
import random

from pyjit_wasm.profiling.counts import Counts, TierEvent
from pyjit_wasm.profiling.places import Place
from pyjit_wasm.profiling.report import Profile
from pyjit_wasm.profiling.samples import Samples

MILLISECOND = 1_000_000
MAIN, WORKER = 100, 101     # native ids of threads

MODULE = Place("python", "<module>", "/app/main.py", 3)
CALLBACK = Place("python", "callback", "/app/main.py", 9)
LOG = Place("host", "log", module="env")


def guest(name, funcidx, tier="jit", line=None):
    return Place("wasm", name, "src/prog.c" if line else "", line, "prog.wasm", funcidx, tier)


START, FIB, FIB_INTERP = guest("_start", 1), guest("fib", 2), guest("fib", 2, "interp")

# (milliseconds, thread, stack): `fib` recurses, in both tiers, and calls Python through an import
STACKS = [(4, MAIN, (MODULE, START)), (6, MAIN, (MODULE, START, FIB_INTERP)), (20, MAIN, (MODULE, START, FIB, FIB)),
          (10, MAIN, (MODULE, START, FIB_INTERP, FIB)), (5, MAIN, (MODULE, START, FIB, LOG, CALLBACK)),
          (15, WORKER, (MODULE._replace(line=5), START, FIB))]
TOTAL = 60


def sampled():
    """60 samples, one each millisecond."""
    samples, now = [], 0
    for milliseconds, thread, stack in STACKS:
        for _ in range(milliseconds):
            samples.append((now, thread, stack, MILLISECOND))
            now += MILLISECOND
    return Samples(MILLISECOND, "wall", 1_700_000_000 * 10**9, samples, {MAIN: "MainThread", WORKER: "worker"})


def counted():
    return Counts({FIB._replace(tier=None): 177, START: 2, LOG: 1}, {(START, FIB): 2, (FIB, FIB_INTERP): 175, (FIB, LOG): 1},
                  {"local.get": 900, "call": 176},
                  [TierEvent(2 * MILLISECOND, "translate", ("_start", "fib"), "first call", 0.0005, 640),
                   TierEvent(9 * MILLISECOND, "compile", ("fib",), "hot", 0.025, 2048, True)])


def profile():
    return Profile(sampled(), counted())


HOSTILE = ["", "a;b", "<script>alert(1)</script>", "]]>", "\"quoted\" & 'so'", "two\nlines\r\t\x00\x1b[31m",
           "\udcff\ud800", "é 函数 😀", "n" * 5000, "\\", "a 12", "#zoom", "../../etc/passwd", "</style><b>", "\u2028\uffff", " "]


def hostile():
    """Every kind of place has every name."""
    places = [Place(kind, name, name, 1, name, 0, tier) for name in HOSTILE
              for kind, tier in (("wasm", "jit"), ("wasm", "interp"), ("wasm", None), ("python", None), ("host", None))]
    samples = Samples(MILLISECOND, "wall", 0, [(i, MAIN, tuple(places[i:i + 3]), MILLISECOND) for i in range(len(places))],
                      {MAIN: HOSTILE[5]})
    counts = Counts(dict.fromkeys(places, 1), dict.fromkeys(zip(places, places[1:]), 2), {HOSTILE[2]: 1},
                    [TierEvent(0, HOSTILE[3], (HOSTILE[2], HOSTILE[6]), HOSTILE[5])])
    return Profile(samples, counts)


def wandering(count, seed=1, functions=12, depth=9):
    """Samples with stacks at random, recursion of all kinds included."""
    rng = random.Random(seed)
    places = [guest(f"f{i}", i, rng.choice(("interp", "jit")), rng.choice((None, i))) for i in range(functions)]
    stacks = [tuple(rng.choices(places, k=rng.randrange(depth))) for _ in range(count // 4 + 1)]
    return Samples(MILLISECOND, samples=[(i, rng.choice((MAIN, WORKER)), rng.choice(stacks), rng.randrange(1, 9))
                                         for i in range(count)])
