"""The text of one function, with the byte offset of every instruction."""
from pyjit_wasm.binary import encode
from pyjit_wasm.binary.body import expression
from pyjit_wasm.binary.reader import Reader
from pyjit_wasm.binary.types import functype
from pyjit_wasm.text.print_body import Body
from pyjit_wasm.text.print_lines import INDENT
from pyjit_wasm.text.print_module import ModulePrinter
from pyjit_wasm.text.print_names import NO_NAMES
from pyjit_wasm.text.print_types import declarations


def function_lines(binary, funcidx):
    """[(byte offset in the module, or None, and text)] of the lines of a defined function. Raises DecodeError, and
    ValidationError for a type index without a type."""
    printer = ModulePrinter(binary)
    module, sections = printer.module, {section.code: section.start for section in printer.customs.layout}
    uses, data = printer.types.uses, module.data
    printer.type_section(Reader(data, sections[encode.SECTIONS["type"]]))
    defined = funcidx - module.imported_funcs
    use = Reader(data, sections[encode.SECTIONS["func"]], uses).vec(functype)[defined]
    code, names = module.codes[defined], printer.names.locals.get(funcidx, NO_NAMES)
    title = printer.spaces["func"].numbered(funcidx)
    types = [valtype for count, valtype in code.locals for _ in range(count)]
    variables = declarations("local", types, names, len(use.comp.params))
    decoded = expression(Reader(data, code.start, uses))
    lines = Body(printer.types, printer.spaces | {"local": names}).lines(decoded[:-1], {}, 1)
    return [(None, f"(func {title} {printer.types.spelled(use, names)}"),
            *[(None, INDENT + text) for text in variables],
            *[(offset, line) for (_, _, offset), line in zip(decoded, lines)],
            (decoded[-1][2], ")")]
