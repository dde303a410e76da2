"""The command line, `pyjit-wasm`."""
import sys

from .options import CommandError

UNUSABLE_INPUT, BROKEN_PIPE, INTERRUPTED = 2, 128 + 13, 128 + 2     # the last two as after the signals


def main(arguments=None):
    """Run the command that `arguments` (default `sys.argv[1:]`) names; return the exit code.

    Every error the user can cause is one line on stderr and exit code 2.
    """
    from .commands import dispatch
    try:
        code = dispatch(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _discard_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except CommandError as error:
        return _report(error)
    except OSError as error:
        return _report(f"{error.filename}: {error.strerror}" if error.filename else error)


def _report(error):
    print(f"pyjit-wasm: error: {error}", file=sys.stderr)
    return UNUSABLE_INPUT


def _discard_output():
    """Let the interpreter flush what is left of stdout at exit to nowhere."""
    import os
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
