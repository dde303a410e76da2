"""The text of functions, with the byte offset of every instruction."""
from pyjit_wasm.binary import encode
from pyjit_wasm.binary.body import expression
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.binary.types import functype
from pyjit_wasm.text.print_body import Body
from pyjit_wasm.text.print_lines import INDENT
from pyjit_wasm.text.print_module import ModulePrinter
from pyjit_wasm.text.print_names import NO_NAMES
from pyjit_wasm.text.print_types import declarations


class FunctionPrinter:
    """Prints the defined functions of a binary. Raises DecodeError, and ValidationError for a type index without a type."""

    def __init__(self, binary):
        self.printer = ModulePrinter(binary)
        self.module, self.sections = self.printer.module, {
            section.code: section.start for section in self.printer.customs.layout}
        self.printer.type_section(self._reader("type"))
        self.uses = self._reader("func").vec(functype)

    def _reader(self, section):
        return Reader(self.module.data, self.sections[encode.SECTIONS[section]], self.printer.types.uses)

    def lines(self, funcidx):
        """[(byte offset in the module, or None, and text)] of the lines of a function."""
        printer, module = self.printer, self.module
        defined = funcidx - module.imported_funcs
        use, code, names = self.uses[defined], module.codes[defined], printer.names.locals.get(funcidx, NO_NAMES)
        title = printer.spaces["func"].numbered(funcidx)
        types = [valtype for count, valtype in code.locals for _ in range(count)]
        variables = declarations("local", types, names, len(use.comp.params))
        decoded = expression(Reader(module.data, code.start, printer.types.uses))
        lines = Body(printer.types, printer.spaces | {"local": names}).lines(decoded[:-1], {}, 1)
        return [(None, f"(func {title} {printer.types.spelled(use, names)}"),
                *[(None, INDENT + text) for text in variables],
                *[(offset, line) for (_, _, offset), line in zip(decoded, lines)],
                (decoded[-1][2], ")")]
