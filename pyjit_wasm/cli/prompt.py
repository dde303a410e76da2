"""The prompt of `trace --interactive`."""
import cmd
import sys

from .. import errors
from ..disassembly import disassemble
from ..text.print_literals import printable
from .states import Screen, headline, labels, operands, variables
from .trace import parse_number, set_breakpoint

SHORT = {"s": "step", "n": "next", "f": "finish", "c": "continue", "b": "break", "d": "delete", "l": "list", "bt": "frames",
         "q": "quit"}
AROUND = 6      # instructions that `list` shows before and behind the current one


class Prompt(cmd.Cmd):
    """Commands for a Debugger; an empty line repeats the last one. Of a command's name an unambiguous beginning is enough,
    or what SHORT has."""

    intro = "help or ? lists the commands."
    doc_header = f"Commands, or beginnings of them, or {', '.join(SHORT)}; an empty line repeats the last one:"

    def __init__(self, debugger, places):
        super().__init__()
        self.debugger, self.screen = debugger, Screen()
        self.prompt = "(trace) " if sys.stdin.isatty() else ""
        for place in places:
            set_breakpoint(debugger, place)

    def session(self, name, values):
        """Step through a call of an export; whether it has ended by itself."""
        self._show(self.debugger.start(name, *values))
        while self.debugger.state is not None:
            try:
                self.cmdloop(self.intro if sys.stdin.isatty() else "")
                return self.debugger.state is None
            except KeyboardInterrupt:
                self.intro = ""
                self.screen.lines("", "interrupted")
                self._show(self.debugger.state)
        return True

    # running on

    def do_step(self, count):
        """step [N]: execute an instruction, or N of them, into functions that are called."""
        return self._move(self.debugger.step, count)

    def do_next(self, count):
        """next [N]: execute an instruction, or N of them, with all that they call."""
        return self._move(self.debugger.next, count)

    def do_finish(self, _):
        """finish: go on until this frame has returned."""
        return self._move(self.debugger.finish)

    def do_continue(self, _):
        """continue: go on until a breakpoint is reached."""
        return self._move(self.debugger.run)

    def do_quit(self, _):
        """quit: abandon the call."""
        return True

    # breakpoints

    def do_break(self, place):
        """break [PLACE]: stop there: an index or name of a function, or a byte offset that begins with 0x; or list them."""
        if place:
            self._say(f"breakpoint at {set_breakpoint(self.debugger, place):#06x}")
        else:
            self._say(*[f"{offset:#06x}" for offset in self.debugger.breakpoints])

    def complete_break(self, text, *_):
        """Names of functions."""
        syntax = self.debugger.instance.module.syntax
        names = [syntax.function_name(index) for index in range(syntax.imported_funcs, len(syntax.funcs))]
        return [name for name in names if name.startswith(text)]

    def do_delete(self, place):
        """delete [OFFSET]: do not stop there any more; or anywhere."""
        for offset in [parse_number(place)] if place else self.debugger.breakpoints:
            self.debugger.delete(offset)

    # looking

    def do_stack(self, _):
        """stack: the operands, the bottom first."""
        self._say(*operands(self._frame))

    def do_locals(self, _):
        """locals: all of them, parameters first."""
        self._say(*variables(self._frame))

    def do_labels(self, _):
        """labels: the control stack, as kind@offset/arity^height."""
        self._say(*labels(self._frame))

    def do_frames(self, _):
        """frames: those of the functions that are running, innermost first."""
        frames = self.debugger.state.frames
        for number, frame in enumerate(frames):
            self._say(f"{headline(frame, len(frames) - number)}: {frame.pc:#06x} {printable(frame.instruction)}")

    def do_list(self, everything):
        """list [all]: the instructions around the current one, which has an arrow; breakpoints have a star."""
        frame, debugger = self._frame, self.debugger
        lines = disassemble(debugger.instance.module, frame.funcidx, ["wasm"]).forms["wasm"]
        here = next(index for index, line in enumerate(lines) if line.offset == frame.pc)
        for line in lines if everything else lines[max(here - AROUND, 0):here + AROUND + 1]:
            mark = "->" if line.offset == frame.pc else " *" if line.offset in debugger.breakpoints else "  "
            offset = "" if line.offset is None else f"{line.offset:#06x}"
            self._say(f"{mark} {offset:8}{printable(line.text)}")

    # what cmd.Cmd asks for

    def onecmd(self, line):
        """Bad input is answered, not raised."""
        try:
            return super().onecmd(line)
        except (errors.LinkError, ValueError) as error:
            self._say(str(error))
        except KeyError as error:
            self._say(f"no breakpoint at byte {error.args[0]:#x}")
        return False

    def default(self, line):
        """An unambiguous beginning of a command."""
        if line == "EOF":
            self._say(*[""] * bool(self.prompt))
            return True
        word, argument, _ = self.parseline(line)
        names = self._meant(word or "")
        if len(names) == 1:
            return self.onecmd(f"{names[0]} {argument}")
        self._say(f"{line.split()[0]}: {' or '.join(names) if names else 'no such command'}")
        return False

    def do_help(self, word):
        """help [COMMAND]: explain a command, or list them."""
        names = self._meant(word)
        super().do_help(names[0] if len(names) == 1 else word)

    def _meant(self, word):
        """The commands that a word may mean."""
        return [SHORT[word]] if word in SHORT else self.completenames(word) if word else []

    def _move(self, how, count=""):
        """Go on, several times unless a breakpoint is reached; True at the end of the call, which ends the loop."""
        for _ in range(parse_number(count or "1")):
            state = how()
            if state is None:
                return True
            if state.frames[0].pc in self.debugger.breakpoints:
                break
        self._show(self.debugger.state)
        return False

    _frame = property(lambda self: self.debugger.state.frames[0])

    def _show(self, state):
        if state is not None:
            self.screen.state(state)

    def _say(self, *lines):
        self.screen.lines(*lines)
