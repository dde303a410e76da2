"""Files that are there as a whole or not at all."""
import os
import stat


def write(path, content):
    """Write bytes to `path`: as `replace` does, or into what is there if it is no file, such as a pipe. Raises OSError."""
    if is_special(path):
        with open(path, "wb") as file:
            file.write(content)
    else:
        replace(path, content)


def is_special(path):
    """Whether there is something other than a file, such as a pipe, which a file must not replace."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def replace(path, content):
    """Write a temporary file and rename it; links are followed. Who may use the file that was there may use the new one.
    Raises OSError, with the name of the file."""
    target = os.path.realpath(path)
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        if os.path.exists(target):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.rename(temporary, target)
    except BaseException as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename = path   # the temporary one means nothing to the user
        raise
