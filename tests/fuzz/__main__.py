"""python -m tests.fuzz: random input of several kinds, for as long as wanted."""
import argparse
import itertools
import sys
import time
from collections import Counter
from pathlib import Path

from modes import BOUNDS, MODES

from . import api, binaryen, damaged, loops, modules, prefixes, wasi
from .minimise import shrunk


class Report:
    """Counts and prints what is found; keeps and minimises the first findings of each sort."""

    def __init__(self, options):
        self.options, self.outcomes, self.sorts, self.kinds = options, Counter(), Counter(), Counter()
        self.began = time.monotonic()
        self.said = self.began

    def add(self, kind, seed, findings, outcomes):
        self.outcomes += outcomes
        for finding in findings:
            self.sorts[finding.kind, name(finding)] += 1
            print(f"{kind.NAME} seed {seed}: {finding.kind}, {name(finding)}: {finding.what}"[:600], flush=True)
            self.kinds[finding.kind] += 1
            if self.kinds[finding.kind] <= self.options.minimise:
                self.minimise(kind, seed, finding)

    def minimise(self, kind, seed, finding):
        text = kind.text(kind.minimised(finding, shrunk, self.options.trials))
        print(text, flush=True)
        if self.options.keep:
            self.options.keep.mkdir(parents=True, exist_ok=True)
            stem = "-".join((kind.NAME, str(seed), finding.kind.replace(" ", "_"), name(finding).replace(" ", "-")))
            (self.options.keep / f"{stem}{kind.SUFFIX}").write_text(text)

    def progress(self, kind, seed, done):
        if time.monotonic() - self.said > self.options.every:
            self.said = time.monotonic()
            print(f"{self.said - self.began:.0f} s: {kind.NAME} up to seed {seed}, {done} cases, {sum(self.sorts.values())} "
                  f"findings; {_listed(self.outcomes)}", file=sys.stderr, flush=True)


def name(finding):
    """The engine's."""
    engine = finding.engine or "process"
    return engine if isinstance(engine, str) else " ".join(engine)


def _listed(counter):
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


KINDS = {kind.NAME: kind for kind in (loops, modules, binaryen, damaged, prefixes, wasi, api)}


def run(kind, options, report, minutes):
    """Cases of one kind; how many. It ends where there are no more."""
    seed, done, until = options.seed, 0, time.monotonic() + minutes * 60
    while done < options.count if options.count else time.monotonic() < until:
        size = min(kind.SIZE, options.count - done) if options.count else kind.SIZE
        findings, outcomes = kind.explore(seed, options, size)
        if not outcomes.total() and not findings:
            break
        report.add(kind, seed, findings, outcomes)
        seed, done = seed + 1, done + size
        report.progress(kind, seed, done)
    return done


def replay(options):
    """Says what is wrong with kept findings; 1 if there is something, else 0."""
    failed = 0
    for path, mode, bounds in itertools.product(options.replay, options.modes, options.bounds):
        kind = KINDS[options.kind or path.name.split("-")[0]]
        if kind is not loops and mode not in MODES:
            continue
        wrong = kind.replay(path.read_text(), mode, bounds)
        failed |= bool(wrong)
        print(f"{path.name}, {mode} {bounds}: {'; '.join(wrong) or 'as it should be'}"[:600], flush=True)
    return int(failed)


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--kind", choices=KINDS, help="default: all, one after the other")
    parser.add_argument("--count", type=int, help="cases (functions, modules, sequences) of each kind")
    parser.add_argument("--minutes", type=float, default=1, help="in all, if there is no --count (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the first batch of cases; batches are numbered from it on")
    parser.add_argument("--modes", type=lambda text: text.split(","), default=list(loops.MODES),
                        help=f"some of {','.join(loops.MODES)} (osr: tiered, switching in the middle of loops)")
    parser.add_argument("--bounds", type=lambda text: text.split(","), default=list(BOUNDS), help=",".join(BOUNDS))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where minimised findings are written")
    parser.add_argument("--minimise", type=int, default=1, metavar="N", help="so many findings of each kind of fault (default: 1)")
    parser.add_argument("--trials", type=int, default=80, help="that minimising one finding may take (default: 80)")
    parser.add_argument("--every", type=float, default=30, metavar="SECONDS", help="between lines of progress (default: 30)")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE",
                        help="do what kept findings say, instead; their names begin with their kind")
    options = parser.parse_args()
    wrong = set(options.modes) - set(loops.MODES) | set(options.bounds) - set(BOUNDS)
    if wrong:
        parser.error(f"unknown: {', '.join(sorted(wrong))}")
    if options.replay:
        return replay(options)
    kinds = [KINDS[options.kind]] if options.kind else list(KINDS.values())
    report = Report(options)
    for kind in kinds:
        done = run(kind, options, report, options.minutes / len(kinds))
        print(f"{kind.NAME}: {done} cases from seed {options.seed}")
    print(f"outcomes: {_listed(report.outcomes)}")
    for (kind, engine), count in report.sorts.most_common():
        print(f"{count} x {kind}, {engine}")
    return 1 if report.sorts else 0


if __name__ == "__main__":
    sys.exit(main())
