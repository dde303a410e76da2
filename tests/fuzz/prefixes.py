"""All that real modules can be cut down to: the kind of damage that files get in transit."""
import itertools
from collections import Counter

from modes import MODES

from . import damaged
from .damaged import minimised, replay, text  # noqa: F401 (a kind has them)

NAME, SUFFIX, SIZE = "prefixes", ".txt", 500


def explore(seed, options, count=SIZE):
    """([Finding], Counter) of a stretch of the prefixes."""
    cases = [(binary, description, number) for number, (binary, description)
             in enumerate(itertools.islice(damaged.prefixes(), seed * SIZE, seed * SIZE + count))]
    found, outcomes = damaged.attempt(cases, [mode for mode in options.modes if mode in MODES][:1])
    return found, outcomes + Counter(prefixes=len(cases))
