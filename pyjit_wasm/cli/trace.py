"""The command `trace`: a program that runs one instruction at a time."""
import contextlib

import click

from .. import errors
from .options import BOUNDS, FILE, Command
from .program import ENDINGS, exit_code, host_options, hosted, prepared, require_function
from .sources import load, naming, similar


@click.command("trace", cls=Command, context_settings={"allow_interspersed_args": False}, examples=(
    ("pyjit-wasm trace --invoke add math.wat 8 2", "Show every instruction that a call executes, and the stack before it."),
    ("pyjit-wasm trace --function parse --max 100 prog.wasm", "Show the first 100 instructions of a function."),
    ("pyjit-wasm trace -i --break main prog.wasm one two", "Step through a program by hand, from `main` on."),
), exit_codes=(
    ("the program's own", "of a program that ends by `proc_exit`"),
    ("130", "after Ctrl-C"), ("134", "after a trap or an uncaught exception, as for `run`")))
@host_options
@click.option("--break", "places", multiple=True, metavar="PLACE", help="Show only what is reached here; repeatable.")
@click.option("--function", "functions", multiple=True, metavar="NAME", help="Show only the instructions of this function; "
              "repeatable.")
@click.option("--from", "first", metavar="PLACE", help="Show nothing before this is reached.")
@click.option("--max", "most", type=click.IntRange(min=1), metavar="N", help="End after N instructions that were shown.")
@click.option("-i", "--interactive", is_flag=True, help="Ask what to do at the start, at each PLACE and after each step; "
              "`help` says what can be answered.")
@BOUNDS
@click.argument("file", type=FILE)
@click.argument("arguments", nargs=-1, type=FILE, metavar="[ARGS]...")
def trace(file, arguments, places, functions, first, most, interactive, **options):
    """Run the WebAssembly program in FILE, or call one of its functions, one instruction at a time, and show before each of
    them its byte offset (pc), the operand stack and the locals with their types, and the labels of the control stack.

    FILE, ARGS and --invoke are those of `run`. The bottom of a stack is on the left. A label is kind@offset/arity^height: the
    instruction that opened the block, how many values a branch takes along, and the operands below the block.

    PLACE is an index or a name of a function, as for `disas`, or a byte offset in the module that begins with 0x.
    """
    if interactive and (functions or first or most):
        raise click.UsageError("--function, --from and --max are not for --interactive", click.get_current_context())
    with naming(file):
        try:
            with _debugger(file, arguments, options) as (debugger, name, values):
                if interactive:
                    from .prompt import Prompt
                    ended = Prompt(debugger, places).session(name, values)
                else:
                    ended = _show(_reached(debugger, name, values, places, functions, first), most)
                return _outcome(debugger, name) if ended else 0
        except ENDINGS as error:
            return exit_code(error)


@contextlib.contextmanager
def _debugger(file, arguments, options):
    """(Debugger, name of the export that is to be called, arguments for it)."""
    from .. import Debugger, Engine, Module
    module = Module(load(file), engine=Engine("interp", memory_bounds=options["bounds"]))
    name = options["invoke"] or "_start"
    require_function(module, name)
    with hosted(module, (file, *arguments), options) as instance, Debugger(instance) as debugger:
        yield debugger, name, prepared(instance, name, arguments) if options["invoke"] else ()


def _reached(debugger, name, values, places, functions, first):
    """The States that are to be shown."""
    state = debugger.start(name, *values)
    if first:
        offset = set_breakpoint(debugger, first)
        state = _to_breakpoint(debugger, state)
        debugger.delete(offset)
    for place in places:
        set_breakpoint(debugger, place)
    for text in functions:
        for offset in debugger.instructions(function_called(debugger, text)):
            debugger.breakpoint(offset=offset)
    if debugger.breakpoints:
        state = _to_breakpoint(debugger, state)
    while state is not None:
        yield state
        state = debugger.run() if debugger.breakpoints else debugger.step()


def _to_breakpoint(debugger, state):
    """The next State at a breakpoint, which may be this one."""
    return debugger.run() if state is not None and state.frames[0].pc not in debugger.breakpoints else state


def _show(states, most):
    """Show states; whether they came to an end before there were `most`."""
    from .states import Screen
    screen = Screen()
    for number, state in enumerate(states, 1):
        screen.state(state)
        if number == most:
            return False
    return True


def _outcome(debugger, name):
    """Print what the call of an export returned, or raise its error."""
    from .values import format_results
    if debugger.error is not None:
        raise debugger.error
    for text in format_results(debugger.result, debugger.instance.exports[name].type.results):
        print(text)
    return 0


def function_called(debugger, text):
    """The index of a function. Raises LinkError, with similar names."""
    from ..disassembly import function_index
    module = debugger.instance.module
    try:
        return function_index(module, text)
    except KeyError:
        names = [module.syntax.function_name(index) for index in range(len(module.syntax.funcs))]
        raise errors.LinkError(f"no function is called {text!r}{similar(text, names)}") from None


def set_breakpoint(debugger, text):
    """Set a breakpoint at a PLACE; its byte offset. Raises LinkError."""
    try:
        if text[:2].lower() == "0x":
            return debugger.breakpoint(offset=parse_number(text))
        return debugger.breakpoint(function_called(debugger, text))
    except ValueError as error:
        raise errors.LinkError(f"{text}: {error}") from None


def parse_number(text):
    """A count or a byte offset; ValueError says what is wrong."""
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError("not a number") from None
