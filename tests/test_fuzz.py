"""Short runs of `python -m tests.fuzz`, always the same cases, and what longer runs have found (tests/regress)."""
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import damaged

pytest.importorskip("wasmtime")

ROOT = Path(__file__).resolve().parent.parent
REGRESS = sorted((ROOT / "tests" / "regress").iterdir())
TIMEOUT = 1800

# (kind, cases, seed, modes)
RUNS = (
    ("loops", 150, 0, "interp,jit"), ("loops", 150, 100, "tiered,osr"),
    ("modules", 150, 0, "interp,jit,tiered"), ("modules", 150, 15, "interp,jit,tiered"),
    ("damaged", 1500, 0, "interp,jit,tiered"),
    ("prefixes", sum(1 for _ in damaged.prefixes()), 0, "interp"),
    ("wasi", 60, 0, "interp,jit,tiered"),
    ("api", 60, 0, "interp,jit,tiered"),
)


def fuzz(*arguments):
    # not in this process: pytest's may have threads, and children are forked
    return subprocess.run([sys.executable, "-X", "faulthandler", "-m", "tests.fuzz", *map(str, arguments)], cwd=ROOT,
                          capture_output=True, text=True, timeout=TIMEOUT, check=False)


@pytest.mark.parametrize(("kind", "count", "seed", "modes"), RUNS, ids=lambda value: str(value))
def test_finds_nothing(kind, count, seed, modes):
    done = fuzz("--kind", kind, "--count", count, "--seed", seed, "--modes", modes, "--minimise", 0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kind}: {count} cases" in done.stdout


def test_half_of_the_loops_stay_inside():
    """Loops that trap at once and loops that never do are both needed: what LLVM may do differs."""
    done = fuzz("--kind", "loops", "--count", 100, "--seed", 300, "--modes", "interp", "--bounds", "guard", "--minimise", 0)
    counts = dict(words.rsplit(" ", 1) for words in done.stdout.split("outcomes: ")[1].splitlines()[0].split(", "))
    returned, trapped = int(counts["returned"]), int(counts["out of bounds memory access"])
    assert returned > 100 and trapped > 100, counts


@pytest.mark.parametrize("path", REGRESS, ids=lambda path: path.name)
def test_kept_cases(path):
    """In every mode, with both kinds of bounds."""
    done = fuzz("--replay", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_canaries_see_what_escapes(child):
    """A memory's neighbours are looked at: a write there is noticed, once."""
    done = child(f"""
        sys.path.insert(0, {str(ROOT)!r})
        from tests.fuzz.canaries import Canaries, PATTERN, Spacer
        source = '(module (memory (export "m") 1))'
        first = load(source)    # makes what else takes address space
        with Spacer():
            inst = load(source)
        inner = inst.exports.m._inst
        canaries = Canaries([inner])
        assert canaries.damage() == []
        assert inner.start - len(PATTERN) in dict(canaries.places)      # directly below; above there may be something else
        assert len(canaries.places) > 5
        for place, what in canaries.places:
            assert ctypes.string_at(place, 4) in PATTERN
            ctypes.memset(place, 0, 4)
            assert canaries.damage() == [what]
            assert canaries.damage() == []
    """)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code, death", [
    ("os.kill(os.getpid(), 11)", "SIGSEGV"), ("os._exit(3)", "exit code 3"), ("time.sleep(60)", "hang"),
    ("raise KeyError('x')", "exit code 1")])
def test_deaths_are_findings(child, code, death):
    done = child(f"""
        sys.path.insert(0, {str(ROOT)!r})
        from tests.fuzz.children import in_child
        def work(progress):
            progress.note("working")
            {code}
        ended = in_child(work, timeout=2)
        assert ended.death == {death!r}, ended
        assert ended.progress.startswith("working")
    """)
    assert done.returncode == 0, done.stderr


def test_minimising():
    from fuzz.minimise import shrunk

    assert shrunk([[3, 7, 1, 9, 4], [5, 5]], lambda found: 9 in found[0]) == [[9], []]
