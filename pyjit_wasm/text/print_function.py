"""The text of functions, with the byte offset of every instruction."""
from pyjit_wasm.binary import encode
from pyjit_wasm.binary.body import expression
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.binary.types import functype, valtype
from pyjit_wasm.text.print_body import Body
from pyjit_wasm.text.print_lines import INDENT
from pyjit_wasm.text.print_module import ModulePrinter
from pyjit_wasm.text.print_names import NO_NAMES
from pyjit_wasm.text.print_types import declarations


class FunctionPrinter:
    """Prints the defined functions of a valid binary."""

    def __init__(self, binary):
        self.printer = ModulePrinter(binary, read_bodies=False)
        self.module, self.sections = self.printer.module, {
            section.code: section.start for section in self.printer.customs.layout}
        self.printer.type_section(self._reader("type"))
        self.uses, self.bodies = self._reader("func").vec(functype), list(self._bodies())

    def _reader(self, section):
        return Reader(self.module.data, self.sections[encode.SECTIONS[section]], self.printer.types.uses)

    def _bodies(self):
        """Where functions begin, with their locals."""
        reader = self._reader("code")
        for _ in range(reader.count()):
            size = reader.size()
            yield reader.pos
            reader.pos += size

    def lines(self, funcidx):
        """[(byte offset in the module, or None, and text)] of the lines of a function."""
        printer, defined = self.printer, funcidx - self.module.imported_funcs
        use, names = self.uses[defined], printer.names.locals.get(funcidx, NO_NAMES)
        reader = Reader(self.module.data, self.bodies[defined], printer.types.uses)
        title = printer.spaces["func"].numbered(funcidx)
        runs = reader.vec(lambda reader: (reader.u32(), valtype(reader)))
        types = [declared for count, declared in runs for _ in range(count)]
        variables = declarations("local", types, names, len(use.comp.params))
        decoded = expression(reader)
        lines = Body(printer.types, printer.spaces | {"local": names}).lines(decoded[:-1], {}, 1)
        return [(None, f"(func {title} {printer.types.spelled(use, names)}"),
                *[(None, INDENT + text) for text in variables],
                *[(offset, line) for (_, _, offset), line in zip(decoded, lines)],
                (decoded[-1][2], ")")]
