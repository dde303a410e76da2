"""The commands `inspect` and `disas`."""
import click

from ..errors import LinkError
from .options import BOUNDS, FILE, Command
from .sources import load, naming, similar


@click.command("inspect", cls=Command, examples=(
    ("pyjit-wasm inspect prog.wasm", "What it imports and exports, and what is large in it."),
    ("pyjit-wasm inspect --json prog.wasm | jq .proposals", "The proposals that a runtime must have for it."),))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--functions", type=click.IntRange(min=0), default=10, show_default=True, metavar="N",
              help="How many of the largest functions to show.")
@click.argument("file", type=FILE)
def inspect(file, as_json, functions):
    """Show what is in a module: sections with their sizes, imports and exports with their types, memories, tables, globals and
    tags, the proposals that it uses beyond WebAssembly 1.0, and its largest functions.

    The module need not be valid, only well formed.
    """
    from ..inspection import inspect as inspected
    with naming(file):
        report = inspected(load(file), functions)
    if as_json:
        import json
        click.echo(json.dumps(report.as_dict(), indent=2))
    else:
        _show(file, report)
    return 0


def _show(file, report):
    from .terminal import Table, show
    facts = [f"{file}: {report.size} bytes, {report.functions} functions, {report.instructions} instructions"]
    for label, value in (("name", report.name), ("proposals", ", ".join(report.proposals)), ("invalid", report.invalid),
                         ("start", None if report.start is None else f"function {report.start}")):
        facts += [f"{label}: {value}"] if value else []
    items = [Table(title, ("index", "name", "type", ""), [
        (item.index, item.name, item.type, "imported" if item.imported else "") for item in spaces])
        for title, spaces in (("Memories", report.memories), ("Tables", report.tables), ("Globals", report.globals),
                              ("Tags", report.tags))]
    show(*facts,
         Table("Sections", ("section", "offset", "bytes", "items"), [
             (section.title or section.name if section.name != "custom" else f"custom {section.title!r}",
              f"{section.offset:#x}", section.size, section.count) for section in report.sections]),
         Table("Imports", ("module", "name", "kind", "index", "type"), [
             (item.module, item.name, item.kind, item.index, item.type) for item in report.imports]),
         Table("Exports", ("name", "kind", "index", "type"), [
             (item.name, item.kind, item.index, item.type) for item in report.exports]),
         *items,
         Table("Largest functions", ("index", "name", "bytes", "instructions", "locals"), [
             (item.index, item.name, item.bytes, item.instructions, item.locals) for item in report.largest]))


def _function_names(ctx, parameter, incomplete):
    """Exported functions of the FILE before, for shell completion."""
    from ..binary.decode import decode
    try:
        exports = decode(load(ctx.params["file"])).exports
    except Exception:       # no usable file: nothing to complete
        return []
    return [export.name for export in exports if export.kind == "func" and export.name.startswith(incomplete)]


@click.command("disas", cls=Command, examples=(
    ("pyjit-wasm disas prog.wasm main", "All forms of the function."),
    ("pyjit-wasm disas --wasm --asm prog.wasm 12", "WebAssembly and machine code of function 12."),))
@click.option("--wasm", is_flag=True, help="Show the WebAssembly.")
@click.option("--threaded", is_flag=True, help="Show the threaded code, what the interpreter runs.")
@click.option("--ir", is_flag=True, help="Show the LLVM IR, optimised.")
@click.option("--asm", is_flag=True, help="Show the machine code.")
@BOUNDS
@click.argument("file", type=FILE)
@click.argument("function", shell_complete=_function_names)
def disas(file, function, bounds, **wanted):
    """Show a function in the forms that the tiers give it.

    FUNCTION is an index, the name of an export, or a name from the name section. Without --wasm, --threaded, --ir and --asm
    all forms are shown: side by side on a terminal that is wide enough, else one after the other. The numbers in comments
    are byte offsets in the module, as in the traces of traps.

    In threaded code $0 is local 0, [5] slot 5 of the frame, and -> a place in the code. IR and machine code are those of the
    function compiled alone; together with its callers and callees it is inlined and may look different.
    """
    from .. import Engine, Module
    from ..disassembly import TITLES, disassemble
    from .terminal import show_code
    with naming(file):
        module = Module(load(file), path=file, engine=Engine(memory_bounds=bounds))
        forms = [form for form in TITLES if wanted[form]] or TITLES
        try:
            disassembly = disassemble(module, function, forms)
        except KeyError:
            raise LinkError(f"no function is called {function!r}{similar(function, _names(module))}") from None
        except ValueError as error:
            raise LinkError(str(error)) from None
    show_code(disassembly)
    return 0


def _names(module):
    return [module.syntax.function_name(index) for index in range(len(module.syntax.funcs))]
