"""How much LLVM may be given to do. Some of its passes take time that grows with the square of what they see: of a function of
240 KB they make minutes. What is more than a little is compiled in another process, which can be ended, and what is too much
for that stays interpreted.
"""
from pyjit_wasm import config
from pyjit_wasm.errors import UnsupportedError


class OverBudget(UnsupportedError):
    """Compiling takes more than it may."""


class Budget:
    """For one unit: `seconds` of processor time, `memory` in bytes."""

    def __init__(self, seconds, memory):
        self.seconds, self.memory = seconds, memory


def check(module, facts, functions):
    """Raises OverBudget if one of the functions, given by index, is so large that nobody tries."""
    for funcidx in functions:
        code, fact = (seq[funcidx - module.imported_funcs] for seq in (module.codes, facts))
        if fact.instructions > config.COMPILED_INSTRUCTIONS or code.end - code.start > config.COMPILED_BYTES:
            raise OverBudget(f"function {funcidx} has {fact.instructions} instructions in {code.end - code.start} bytes, more than "
                             f"are compiled ({config.COMPILED_INSTRUCTIONS}, {config.COMPILED_BYTES})")


def is_small(text):
    """Whether any IR text like this is compiled soon enough to wait for it."""
    return len(text) <= config.SOON_TEXT and text.count("label %") <= config.SOON_BRANCHES
