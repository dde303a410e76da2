"""The command line, `pyjit-wasm`."""
import os
import sys

UNUSABLE_INPUT, BROKEN_PIPE, INTERRUPTED = 2, 128 + 13, 128 + 2     # the last two as after the signals
COMPLETION = "_PYJIT_WASM_COMPLETE"     # set by what `pyjit-wasm completion` prints


def main(arguments=None):
    """Run the command that `arguments` (default `sys.argv[1:]`) names; return the exit code.

    Every error the user can cause is one line on stderr and exit code 2.
    """
    import click

    from .commands import NAME, program
    if COMPLETION in os.environ:
        from click.shell_completion import shell_complete
        return shell_complete(program, {}, NAME, COMPLETION, os.environ[COMPLETION])
    try:
        with program.make_context(NAME, sys.argv[1:] if arguments is None else list(arguments)) as context:
            code = program.invoke(context)
        sys.stdout.flush()
        return code
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except BrokenPipeError:
        _discard_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else NAME
        return _report(f"{path}: {error.format_message().rstrip('.')}; see {path} --help")
    except click.ClickException as error:
        return _report(f"{NAME}: {error.format_message()}")
    except MemoryError as error:
        return _report(f"{NAME}: not enough memory" + f": {error}" * bool(str(error)))
    except OSError as error:
        return _report(f"{NAME}: {error.filename}: {error.strerror}" if error.filename else f"{NAME}: {error}")


def _report(error):
    print(error, file=sys.stderr)
    return UNUSABLE_INPUT


def _discard_output():
    """Let the interpreter flush what is left of stdout at exit to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
