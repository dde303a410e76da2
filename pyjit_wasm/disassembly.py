"""A function as WebAssembly, threaded code, LLVM IR and machine code, line by line.

    from pyjit_wasm.disassembly import disassemble
    print(disassemble(wasm.Module("prog.wasm"), "main").text())
"""
import collections
import dataclasses
import os
import re
from collections.abc import Iterable, Iterator

from pyjit_wasm import errors
from pyjit_wasm.engine import Module
from pyjit_wasm.interp.listing import listing
from pyjit_wasm.text.print_function import FunctionPrinter
from pyjit_wasm.text.print_literals import printable
from pyjit_wasm.values import integer

# the forms a function takes, in the order in which they are made, and their titles
TITLES = {"wasm": "WebAssembly", "threaded": "threaded code", "ir": "LLVM IR", "asm": "machine code"}
COMMENTS = {"wasm": ";;", "threaded": ";", "ir": ";", "asm": "#"}


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of `text`, made of the WebAssembly instruction at byte `offset` of the module, or None."""

    offset: int | None
    text: str


@dataclasses.dataclass(frozen=True)
class Disassembly:
    """A function: `index`, `name`, `forms` {"wasm", "threaded", "ir", "asm": its Lines}, and `sources` {byte offset:
    "file:line"} of the instructions whose source line is known."""

    index: int
    name: str
    forms: dict[str, tuple[Line, ...]]
    sources: dict[int, str] = dataclasses.field(default_factory=dict)

    def text(self) -> str:
        """The forms one after the other, each with a title; the byte offset of a line is a comment behind it."""
        return "\n".join(line for form in self.forms for line in (
            f"{COMMENTS[form]} {self.title(form)}", *self.commented(form), ""))

    def title(self, form: str) -> str:
        """What a form is called."""
        return f"{TITLES[form]} of function {self.index}, {printable(self.name)}"

    def aligned(self) -> dict[str, list[str]]:
        """The lines of each form for columns that stand side by side: threaded code begins where the instructions do that it
        was made of, if WebAssembly is there too."""
        columns = {form: list(self.commented(form)) for form in self.forms}
        if "wasm" in columns and "threaded" in columns:
            columns["wasm"], columns["threaded"] = self._paired(columns["wasm"])
        return columns

    def _paired(self, wasm):
        left, right, threaded = [], [], collections.deque(self.forms["threaded"])
        for text, line in zip(wasm, self.forms["wasm"]):
            group = []
            while threaded and line.offset is not None and (threaded[0].offset or 0) <= line.offset:
                group.append(threaded.popleft().text)
            left += [text, *[""] * (len(group) - 1)]
            right += group or [""]
        return left, right + [line.text for line in threaded]

    def commented(self, form: str) -> Iterator[str]:
        """The lines of a form with their offsets as comments, and their source lines where another one begins."""
        lines, source = self.forms[form], None
        column = min(max((len(line.text) for line in lines if line.offset is not None), default=0), 60)
        for line in lines:
            comment = ""
            if line.offset is not None:
                before, source = source, self.sources.get(line.offset)
                comment = f"  {COMMENTS[form]} {line.offset:#x}{f' {source}' if source and source != before else ''}"
            yield f"{line.text:<{column if comment else 0}}{comment}"


def function_index(module: Module, name: int | str) -> int:
    """The index of a function given by its index, also as a string, by the name it is exported under, or by its name in the
    name section, with or without `$`. Raises KeyError without such a function."""
    syntax = module.syntax
    if not isinstance(name, str) or name.isdecimal():
        index = int(name) if isinstance(name, str) else integer(name)
        if 0 <= index < len(syntax.funcs):
            return index
        raise KeyError(name)
    for export in syntax.exports:
        if export.kind == "func" and export.name == name:
            return export.index
    for index in range(len(syntax.funcs)):
        if syntax.function_name(index) in (name, name.removeprefix("$")):
            return index
    raise KeyError(name)


def disassemble(module: Module, function: int | str, forms: Iterable[str] = tuple(TITLES)) -> Disassembly:
    """A function of a module, named as for `function_index`, in the `forms` asked for. IR and machine code are those of the
    function alone, after all optimisations; compiled with its callers and callees it is inlined and may look different.
    Raises KeyError without such a function or form, ValueError for an imported one, UnsupportedError if it has instructions
    that are not executed yet."""
    index = function_index(module, function)
    if index < module.syntax.imported_funcs:
        raise ValueError(f"function {index}, {module.syntax.function_name(index)}, is imported")
    made = {form: tuple(_FORMS[form](module, index)) for form in forms}
    return Disassembly(index, module.syntax.function_name(index), made, _sources(module, made))


def _sources(module, forms):
    """{byte offset: "file:line"} of the lines of some forms: the innermost place, where calls are inlined."""
    found = {}
    for offset in {line.offset for lines in forms.values() for line in lines} - {None}:
        places = module.syntax.positions.at(offset)
        if places and places[0].file and places[0].line:
            found[offset] = f"{printable(os.path.basename(places[0].file))}:{places[0].line}"
    return found


def _wasm(module, index):
    return [Line(*line) for line in FunctionPrinter(module.syntax.data).lines(index)]


def _threaded(module, index):
    try:
        return [Line(*line) for line in listing(module.syntax, index, module.code.layout)]
    except errors.FrameTooLarge as error:
        return [Line(None, f"; always compiled: {error}")]


def _source(module, index):
    return module.code.unit({index}, [index]).source()


_LOCATION = re.compile(r"^(!\d+) = (?:distinct )?!DILocation\(line: (\d+)", re.M)
_ATTACHED = re.compile(r", !dbg (!\d+)")
_METADATA = re.compile(r"(,? ![a-z.]+ !\d+)+| local_unnamed_addr| #\d+| +; preds = .*")


def _ir(module, index):
    """The functions of the module, without their metadata."""
    from pyjit_wasm.codegen import llvm

    text = llvm.optimised(_source(module, index))
    offsets = {name: int(line) or None for name, line in _LOCATION.findall(text)}
    inside = False
    for line in text.splitlines():
        inside = inside or line.startswith("define ")
        if inside:
            place = _ATTACHED.search(line)
            yield Line(offsets.get(place[1]) if place else None, _METADATA.sub("", line).rstrip())
        inside = inside and line != "}"


_LABEL = re.compile(r"(entry|osr|f|\.LBB)\d+(_\d+)?:")
_SECTION = re.compile(r"(?:\.section\s+)?(\.(?:text|rodata|debug_|note|data)\S*)")
_LINE = re.compile(r"\.loc\s+\d+ (\d+)")


def _asm(module, index):
    """Instructions and the labels that are jumped to."""
    from pyjit_wasm.codegen import llvm

    offset, inside = None, False
    for line in llvm.assembly(_source(module, index)).splitlines():
        place, section, line = _LINE.match(line.strip()), _SECTION.match(line.strip()), line.expandtabs(8)
        if section:
            inside = section[1].startswith(".text")
        elif not inside:
            continue
        elif place:
            offset = int(place[1]) or None
        elif _LABEL.match(line):
            yield Line(None, line)
        elif line.startswith(" ") and not line.strip().startswith("."):
            yield Line(offset, line)


_FORMS = {"wasm": _wasm, "threaded": _threaded, "ir": _ir, "asm": _asm}
