"""The states of a call that is stepped through, for people: a block of aligned columns for each, on a terminal that is not
wide enough one below the other."""
import itertools
import sys
import textwrap

from ..text.print_literals import printable
from . import outputs

COLUMNS = (("pc", 8), ("instruction", 28), ("operand stack", 26), ("locals", 34), ("labels", 0))    # and widths
GAP = 2
LEAST_WIDTH = 110       # of a terminal for columns side by side
INSTRUCTION = 24        # width of that column where the others are as wide as the terminal lets them be
SHOWN = 12              # values and labels of a column: the first locals, what is on top of stacks
STYLES = ((r"(?m)^ *0x[0-9a-f]+", "cyan"), (r":(i32|i64|f32|f64|v128|\(ref [^)]*\)|\w+ref)\b", "dim"),
          (r"(?m)^ +(stack|locals|labels) ", "bold"), (r"(?m)^\S.*, frame \d+$", "bold"))


class Screen:
    """Where states are shown: standard output, in colours and as wide as it is if that is a terminal."""

    def __init__(self):
        self.place, self.headed, self.console = None, False, None
        if sys.stdout.isatty():
            from .terminal import open_console   # imports rich
            self.console = open_console()

    def state(self, state):
        """Show the innermost frame of a State, with a headline where that is another one than the last time."""
        frame, place = state.frames[0], (state.frames[0].funcidx, len(state.frames))
        if self.console and self.console.width < LEAST_WIDTH:
            lines = _stacked(frame, self.console.width)
        else:
            widths = self._widths()
            lines = list(_columns(_cells(frame), widths, fold=self.console))
            if not self.headed:
                self.headed = True
                self.lines(*_columns([name for name, _ in COLUMNS], widths))
        if place != self.place:
            self.place = place
            self.lines(headline(frame, len(state.frames)))
        self.lines(*lines)

    def _widths(self):
        if self.console is None:
            return [width for _, width in COLUMNS]
        third = (self.console.width - COLUMNS[0][1] - INSTRUCTION - GAP * (len(COLUMNS) - 1)) // 3
        return COLUMNS[0][1], INSTRUCTION, third, third, third

    def lines(self, *lines):
        """Show lines at once: what the program writes itself comes between."""
        text = "".join(f"{line}\n" for line in lines)
        outputs.write(outputs.STDOUT, text if self.console is None else self._coloured(text))
        sys.stdout.flush()

    def _coloured(self, text):
        from rich.text import Text
        text = Text(text)
        for pattern, style in STYLES:
            text.highlight_regex(pattern, style)
        with self.console.capture() as captured:
            self.console.print(text, end="", soft_wrap=True)
        return captured.get()


def headline(frame, number):
    """What frame this is; the outermost one is number 1."""
    return f"{printable(frame.name)}, frame {number}"


def operands(frame):
    return [typed(value) for value in frame.operands]


def variables(frame):
    """Locals, by name or else by number."""
    return [f"${printable(name) or index}={typed(value)}"
            for index, (name, value) in enumerate(zip(frame.local_names, frame.locals))]


def labels(frame):
    """Labels as kind@offset/arity^height, the function's as function/arity."""
    function, *blocks = frame.labels
    return [f"{function.kind}/{function.arity}",
            *[f"{label.kind}@{label.offset:#x}/{label.arity}^{label.height}" for label in blocks]]


def typed(value):
    return f"{value}:{value.type}"


def _cells(frame):
    return (f"{frame.pc:#06x}", printable(frame.instruction),
            _top(operands(frame)), _first(variables(frame)), _top(labels(frame)))


def _top(texts):
    left_out = len(texts) - SHOWN
    return " ".join([f"({left_out} more)", *texts[left_out:]] if left_out > 0 else texts)


def _first(texts):
    left_out = len(texts) - SHOWN
    return " ".join([*texts[:SHOWN], f"({left_out} more)"] if left_out > 0 else texts)


def _columns(cells, widths, fold=False):
    """The lines of a block. Cells that are too wide push the next ones to the right unless they are folded."""
    parts = [_fold(cell, width) if fold else [cell] for cell, width in zip(cells, widths)]
    for row in itertools.zip_longest(*parts, fillvalue=""):
        yield (" " * GAP).join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip()


def _fold(text, width):
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _stacked(frame, width):
    """The block for a narrow terminal: empty columns are left out."""
    pc, instruction, *rest = _cells(frame)
    indent = " " * (COLUMNS[0][1] + GAP)
    lines = textwrap.wrap(instruction, width, initial_indent=f"{pc:{len(indent)}}", subsequent_indent=indent)
    for name, text in zip(("stack", "locals", "labels"), rest):
        if text:
            lines += textwrap.wrap(text, width, initial_indent=f"{indent}{name:8}", subsequent_indent=indent + " " * 8,
                                   break_on_hyphens=False)
    return lines
