"""Custom sections to text: as annotations `(@custom ...)` in their places.

A `name` section that identifiers say and branch hints that annotations say are left out, if the assembler makes
exactly these sections again.
"""
from pyjit_wasm.binary import body, encode
from pyjit_wasm.binary.decode import CUSTOM, MAGIC, VERSION
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.errors import DecodeError
from pyjit_wasm.text.annotations import BRANCH_HINT, BRANCHES, branch_hint_section
from pyjit_wasm.text.print_lines import wrapped
from pyjit_wasm.text.print_literals import name
from pyjit_wasm.text.print_segments import strings

SECTION_NAMES = {code: title for title, code in encode.SECTIONS.items()}
CODE = encode.SECTIONS["code"]


class Section:
    """`code`, and where the contents are in the binary. `title`: the name of a custom one, else None; `previous`:
    the code of the latest section before it that is not custom, or None."""

    __slots__ = ("code", "title", "start", "end", "previous")

    def __init__(self, code, title, start, end, previous):
        self.code, self.title, self.start, self.end, self.previous = code, title, start, end, previous


def layout(data):
    """The Sections of a well-formed binary, as a list."""
    reader, found, previous = Reader(data, len(MAGIC + VERSION)), [], None
    while reader.peek() is not None:
        code, size = reader.byte(), reader.size()
        end = reader.pos + size
        title = reader.name() if code == CUSTOM else None
        found.append(Section(code, title, reader.pos, end, previous))
        previous = previous if code == CUSTOM else code
        reader.pos = end
    return found


class Customs:
    """The custom sections of a module. `layout` are all its Sections, `hints` the branch hints by byte offset of the
    instruction."""

    def __init__(self, module, names):
        self.module, self.layout = module, layout(module.data)
        self.last = next((section.code for section in reversed(self.layout) if section.code != CUSTOM), None)
        self.hints = {}
        self.name_section, self.hint_section = self.said_by_identifiers(names), self.said_by_hints()

    def lines(self, section):
        """The lines of the annotation, none where it is not needed."""
        if section in (self.name_section, self.hint_section):
            return []
        head = " ".join(filter(None, [f"(@custom {name(section.title)}", self.placement(section)]))
        return wrapped(head, strings(self.contents(section)))

    def placement(self, section):
        """`(after ...)` or `(before first)`; none for the very end, which is behind the names."""
        before_names = self.name_section and section.start < self.name_section.start
        if section.previous == self.last and not before_names:
            return ""
        return "(before first)" if section.previous is None else f"(after {SECTION_NAMES[section.previous]})"

    def contents(self, section):
        return self.module.data[section.start:section.end]

    def encoded(self, section):
        return encode.custom_section(section.title, self.contents(section))

    def only(self, title):
        """The one section of that name, None if there are none or several."""
        found = [section for section in self.layout if section.title == title]
        return found[0] if len(found) == 1 else None

    def said_by_identifiers(self, names):
        """The `name` section, if it is that of `names` and at the end; else None."""
        section = self.only("name")
        if section and section.previous == self.last and self.encoded(section) == names.section:
            return section
        return None

    def said_by_hints(self):
        """The section of the branch hints, if all of them can be annotations; else None. Fills `hints`."""
        section = self.only(BRANCH_HINT)
        following = self.layout[self.layout.index(section) + 1:][:1] if section else []
        if not following or following[0].code != CODE:
            return None
        functions = read_hints(self.contents(section))
        hints = self.located(functions, following[0])
        if hints is None or branch_hint_section(functions) != self.encoded(section):
            return None
        self.hints = hints
        return section

    def located(self, functions, code_section):
        """Hints by byte offset in the module, None if one is not at a branch."""
        first, hints = self.module.imported_funcs, {}
        starts = function_starts(Reader(self.module.data, code_section.start))
        for funcidx, places in functions.items():
            if not first <= funcidx < first + len(starts):
                return None
            code, start = self.module.codes[funcidx - first], starts[funcidx - first]
            branches = {offset for op, _, offset in body.instructions(self.module, code.start, code.end)
                        if op.mnemonic in BRANCHES}
            offsets = [start + offset for offset, _ in places]
            if not offsets or offsets != sorted(branches.intersection(offsets)):
                return None
            hints |= zip(offsets, [hint for _, hint in places])
        return hints


def read_hints(contents):
    """{funcidx: [(offset in the function, hint)]}, empty if the section is malformed."""
    try:
        return dict(Reader(contents).vec(_function_hints))
    except DecodeError:
        return {}


def _function_hints(reader):
    return reader.u32(), reader.vec(_hint)


def _hint(reader):
    return reader.u32(), reader.take(reader.size())


def function_starts(reader):
    """Where the functions of the code section are that comes next, behind their sizes."""
    starts = []
    for _ in range(reader.count()):
        size = reader.size()
        starts.append(reader.pos)
        reader.pos += size
    return starts
