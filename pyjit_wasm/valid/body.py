"""Body: the state of the validation algorithm of the specification's appendix, one per expression.

`stack` holds the types of operands, Unknown being `BOTTOM`; `frames` the enclosing blocks, innermost
last. Rules (see `valid.rules`) call the methods here, which raise ValidationError without an offset.
"""
from pyjit_wasm.config import LIMITS
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.types import I32, RefType, defaultable, matches

BOTTOM = "bot"                          # matches every type
BOTTOM_REF = RefType(False, "bot")      # matches every reference type


def fits(actual, expected):
    """Whether an operand of type `actual` may be used as one of type `expected`."""
    if actual is BOTTOM or matches(actual, expected):
        return True
    return actual == BOTTOM_REF and isinstance(expected, RefType)


def all_fit(actual, expected):
    """`fits` for result types."""
    return actual == expected or len(actual) == len(expected) and all(map(fits, actual, expected))


def listed(types):
    return f"[{' '.join(map(str, types))}]"


def lookup(space, index, what):
    """The item of an index space; `what` names the space in the error."""
    if index >= len(space):
        raise ValidationError(f"unknown {what} {index}")
    return space[index]


def check_limit(what, found, offset=None):
    """Check how many of `what`, a key of LIMITS, there are."""
    if found > LIMITS[what]:
        raise ValidationError(f"too many {what}: {found} (at most {LIMITS[what]})", offset)


class Frame:
    """An entered block: `mnemonic` of the instruction that began it, `params` and `results`, `height` of
    the stack below it, `unreachable` after an unconditional branch, `initialized`: how many locals had
    been initialised."""

    __slots__ = ("mnemonic", "params", "results", "height", "unreachable", "initialized")

    def __init__(self, mnemonic, params, results, height, initialized):
        self.mnemonic, self.params, self.results, self.height = mnemonic, params, results, height
        self.unreachable, self.initialized = False, initialized

    @property
    def label(self):
        """The types that a branch to this block takes."""
        return self.params if self.mnemonic == "loop" else self.results


class Body:
    """`locals`: types; `assigned`: locals that surely have a value, None if every one has a default;
    `initialized`: those that got one in the open blocks, in order; `height`: that of the innermost frame;
    `globals`: how many of them are in scope; the facts are collected in `has_loop`, `calls`, `tail_calls`, `exceptions`,
    `legacy_exceptions`, `indirect`, `bulk`, `writes_references` and `heap`."""

    __slots__ = ("module", "globals", "locals", "assigned", "initialized", "stack", "frames", "height", "results",
                 "has_loop", "calls", "tail_calls", "exceptions", "legacy_exceptions", "indirect", "bulk", "writes_references",
                 "heap")

    def __init__(self, module, results, params=(), runs=(), globals_=None):
        self.module, self.results = module, results
        self.globals = len(module.globals) if globals_ is None else globals_
        self.locals, self.assigned, self.initialized = list(params), None, []
        for count, valtype in runs:
            if not defaultable(valtype):
                self.assigned = set(range(len(params)))
            self.locals += [valtype] * count
        self.stack, self.frames = [], []
        self.calls, self.heap = set(), None
        self.has_loop = self.tail_calls = self.exceptions = self.legacy_exceptions = False
        self.indirect = self.bulk = self.writes_references = False
        self.enter("function", (), results)

    def enter(self, mnemonic, params, results):
        """Begin a block whose parameters have been popped."""
        self.height = len(self.stack)
        self.frames.append(Frame(mnemonic, params, results, self.height, len(self.initialized)))
        self.stack += params

    def leave(self):
        """End the innermost block, or one part of it: checks and pops its results."""
        frame = self.frames[-1]
        self.pop_all(frame.results)
        if len(self.stack) != frame.height:
            rest = self.stack[frame.height:]
            raise ValidationError(f"type mismatch: block requires {listed(frame.results)} but stack has "
                                  f"{listed([*rest, *frame.results])}")
        self.frames.pop()
        self.height = self.frames[-1].height if self.frames else 0
        if len(self.initialized) > frame.initialized:
            self.assigned.difference_update(self.initialized[frame.initialized:])
            del self.initialized[frame.initialized:]
        return frame

    def set_unreachable(self):
        """What follows up to the end of the block is never executed."""
        del self.stack[self.height:]
        self.frames[-1].unreachable = True

    def label(self, index):
        """The types that a branch to the label takes."""
        if index >= len(self.frames):
            raise ValidationError(f"unknown label {index}")
        return self.frames[~index].label

    def require(self, types):
        """Check that the operands on top of the stack have these types, without popping them."""
        base = len(self.stack) - len(types)
        if base >= self.height and tuple(self.stack[base:]) == types:
            return
        found = self.stack[max(base, self.height):]
        missing = len(types) - len(found)
        if missing and not self.frames[-1].unreachable or not all(map(fits, found, types[missing:])):
            raise ValidationError(f"type mismatch: instruction requires {listed(types)} but stack has {listed(found)}")

    def pop_all(self, types):
        """Pop operands of these types (a tuple)."""
        if types:
            self.require(types)
            del self.stack[max(len(self.stack) - len(types), self.height):]

    def apply(self, params, results):
        """Pop `params`, push `results`."""
        self.pop_all(params)
        self.stack += results

    def pop(self, expected):
        """Pop one operand."""
        stack = self.stack
        if len(stack) > self.height and stack[-1] is expected:
            stack.pop()
        else:
            self.pop_all((expected,))

    def pop_any(self):
        """Pop one operand, whatever its type, and return the type."""
        if len(self.stack) > self.height:
            return self.stack.pop()
        if self.frames[-1].unreachable:
            return BOTTOM
        raise ValidationError("type mismatch: instruction requires [any] but stack has []")

    def pop_ref(self):
        """Pop one reference and return its type."""
        actual = self.pop_any()
        if actual is BOTTOM:
            return BOTTOM_REF
        if not isinstance(actual, RefType):
            raise ValidationError(f"type mismatch: instruction requires [ref] but stack has [{actual}]")
        return actual

    def pop_repeated(self, expected, count):
        """Pop `count` operands of the same type; the count is an immediate, not to be trusted."""
        available = min(count, len(self.stack) - self.height)
        self.pop_all((expected,) * available)
        if available < count and not self.frames[-1].unreachable:
            raise ValidationError(f"type mismatch: instruction requires {count} operands but stack has {available}")

    def pop_condition(self):
        self.pop(I32)
