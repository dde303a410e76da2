"""Interleaved measurement: every contestant once a round, the first one changing from round to round."""
import math
import os
import statistics
import sys
from dataclasses import dataclass, field
from typing import Callable, Mapping, Sequence


# child processes keep the bytecode of what they import, as anybody's do: warm starts are measured
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@dataclass
class Samples:
    """What one contestant measured: numbers (seconds or nanoseconds), or why it could not."""
    values: list[float] = field(default_factory=list)
    failure: str | None = None

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values and self.failure is None else None


Measure = Callable[[], float]


def failure_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def attempt(samples: Samples, measure: Measure) -> None:
    """One sample more, or the reason why there are none. A failed contestant does not try again."""
    if samples.failure is not None:
        return
    try:
        samples.values.append(measure())
    except Exception as error:  # a contestant's failure is a result: it is reported, and the others go on
        samples.failure = failure_of(error)


def prepare_all(makers: Mapping[str, Callable[[], Measure]]) -> tuple[dict[str, Measure], dict[str, Samples]]:
    """Calls every maker; those that fail have a failure and no measure."""
    measures, samples = {}, {}
    for name, make in makers.items():
        samples[name] = Samples()
        try:
            measures[name] = make()
        except Exception as error:  # as in attempt()
            samples[name].failure = failure_of(error)
    return measures, samples


def interleave(makers: Mapping[str, Callable[[], Measure]], rounds: int) -> dict[str, Samples]:
    measures, samples = prepare_all(makers)
    order = list(measures)
    for _ in range(rounds):
        for name in order:
            attempt(samples[name], measures[name])
        order = order[1:] + order[:1]
    return samples


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator and denominator else None


def geomean(values: Sequence[float | None]) -> float | None:
    """Of the values that are there."""
    present = [value for value in values if value]
    return math.exp(statistics.fmean(map(math.log, present))) if present else None


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
