"""Instruction sequences to text (spec 6.5): plain instructions, one on a line, blocks indented."""
from pyjit_wasm.text.annotations import BRANCH_HINT
from pyjit_wasm.text.body import BLOCKS, PLAIN_ONLY
from pyjit_wasm.text.print_immediates import printer
from pyjit_wasm.text.print_lines import INDENT
from pyjit_wasm.text.print_literals import string

DEEPEST = 50    # blocks further inside are not indented more
CONTINUING = PLAIN_ONLY.keys() - {"end", "delegate"}


class Body:
    """Prints the instructions of a function or an expression. `types` is the module's `Types`, `spaces` has the
    Identifiers by kind; `depth` is the number of open blocks."""

    def __init__(self, types, spaces):
        self.types, self.spaces, self.depth = types, spaces, 0

    def lines(self, instructions, hints, margin=0):
        """The lines of decoded instructions; `hints` are branch hints by offset of the instruction."""
        lines = []
        for op, immediates, offset in instructions:
            self.depth -= op.mnemonic in PLAIN_ONLY
            indent = INDENT * (margin + min(self.depth, DEEPEST))
            if offset in hints:
                lines.append(f"{indent}(@{BRANCH_HINT} {string(hints[offset])})")
            lines.append(indent + self.instruction(op, immediates))
            self.depth += op.mnemonic in CONTINUING
        return lines

    def instruction(self, op, immediates):
        """One instruction. After it the block that it opens is open, and has its number in a comment."""
        print_immediates = printer(op)
        text = op.mnemonic
        if print_immediates:
            immediates_text = print_immediates(self, immediates)
            if text in BLOCKS:
                self.depth += 1
                text += f" (;@{self.depth};)"
            if immediates_text:
                text += " " + immediates_text
        return text

    def expression(self, instructions, keyword=None):
        """A constant expression in one line: a single instruction folded, others in `(keyword ...)` if given."""
        texts = [line.lstrip() for line in self.lines(instructions, {})]
        if len(texts) == 1:
            return f"({texts[0]})"
        return f"({' '.join([keyword, *texts])})" if keyword else " ".join(texts)
