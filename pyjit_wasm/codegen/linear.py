"""Linear forms: sums of locals times constants, modulo 2^32 or 2^64, and comparisons of them.

A form of 32 bits may have locals of 64 bits in it: their low halves.
"""
from typing import NamedTuple


class Linear(NamedTuple):
    """`terms`: ((local index, coefficient), ...) in order of the locals, without zeroes; all modulo 2^bits."""

    bits: int
    terms: tuple
    constant: int

    @property
    def signed(self):
        """The constant as a signed number."""
        return signed(self.constant, self.bits)


def signed(number, bits):
    return (number & (1 << bits) - 1 ^ 1 << bits - 1) - (1 << bits - 1)


def constant(bits, number):
    return Linear(bits, (), number & (1 << bits) - 1)


def local(bits, index):
    return Linear(bits, ((index, 1),), 0)


def combine(bits, parts):
    """The sum of (form, factor)s, of any number of bits, modulo 2^bits."""
    mask, coefficients, total = (1 << bits) - 1, {}, 0
    for form, factor in parts:
        total += form.constant * factor
        for index, coefficient in form.terms:
            coefficients[index] = coefficients.get(index, 0) + coefficient * factor
    terms = tuple(sorted((index, c & mask) for index, c in coefficients.items() if c & mask))
    return Linear(bits, terms, total & mask)


def subtract(a, b):
    return combine(a.bits, ((a, 1), (b, -1)))


class Comparison(NamedTuple):
    """`left` relation `right`: Linear forms or None. `relation`: a key of NEGATED; `signed` matters for the last four."""

    relation: str
    signed: bool
    left: Linear
    right: Linear

    @property
    def negated(self):
        return self._replace(relation=NEGATED[self.relation])

    @property
    def swapped(self):
        """The same with its sides exchanged."""
        return self._replace(relation=_SWAPPED[self.relation], left=self.right, right=self.left)


NEGATED = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_SWAPPED = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
