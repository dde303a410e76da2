"""Tables and code for people: with colours and as wide as the terminal, plain and as wide as need be elsewhere."""
import sys

from rich.console import Console, Group
from rich.syntax import Syntax
from rich.table import Table as RichTable
from rich.text import Text

from ..text.print_literals import printable
from . import outputs

UNLIMITED = 10_000
LEAST_WIDTH = 40    # of a column of code
MOST_LINES = 2000   # of columns that stand side by side: tables of more take long to lay out
LEXERS = {"wasm": "wast", "ir": "llvm", "asm": "gas"}


class Table:
    """`title` or None, `columns` and `rows` of str and int; numbers are right justified."""

    def __init__(self, title, columns, rows):
        self.title, self.columns, self.rows = title, columns, rows

    def __rich__(self):
        table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for index, column in enumerate(self.columns):
            numeric = any(isinstance(row[index], int) for row in self.rows)
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*[Text("" if cell is None else printable(str(cell))) for cell in row])
        return Group(Text(self.title, style="bold underline"), table) if self.title else table


def open_console():
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, width=None if terminal else UNLIMITED, highlight=False, markup=False, emoji=False)


def show(*parts):
    """Print lines (str) and Tables; Tables without rows are left out."""
    console, blank = open_console(), False
    with console.capture() as captured:
        for part in parts:
            if isinstance(part, str):
                console.print(Text(printable(part)))
                blank = True
            elif part.rows:
                if blank:
                    console.print()
                console.print(part)
                blank = True
    _write(captured.get())


def _write(text):
    """UTF-8, whatever the locale says; rich fills lines with spaces."""
    outputs.write(outputs.STDOUT, "".join(f"{line.rstrip()}\n" for line in text.rstrip("\n").split("\n")))


def show_code(disassembly):
    """Print a Disassembly: its forms side by side on a terminal that is wide enough, else one after the other."""
    console = open_console()
    if not console.is_terminal:
        outputs.write(outputs.STDOUT, disassembly.text())
        return
    with console.capture() as captured:
        longest = max(map(len, disassembly.forms.values()))
        if console.width >= LEAST_WIDTH * len(disassembly.forms) > LEAST_WIDTH and longest <= MOST_LINES:
            console.print(_side_by_side(disassembly))
        else:
            console.print(Group(*[part for form in disassembly.forms for part in (
                Text(disassembly.title(form), style="bold underline"), _highlighted(form, disassembly.commented(form)), "")]))
    _write(captured.get())


def _side_by_side(disassembly):
    table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline")
    columns = {form: _highlighted(form, lines).split("\n") for form, lines in disassembly.aligned().items()}
    for form in columns:
        table.add_column(disassembly.title(form), overflow="fold")
    for index in range(max(map(len, columns.values()))):
        table.add_row(*[lines[index] if index < len(lines) else "" for lines in columns.values()])
    return table


def _highlighted(form, lines):
    text = "\n".join(lines)
    if form not in LEXERS:
        return Text(text)
    highlighted = Syntax("", LEXERS[form], theme="ansi_dark", background_color="default").highlight(text)
    highlighted.rstrip()
    return highlighted
