"""Swaps a directory and a file with links that lead out, again and again until `stop` is there.

    python wasi_swapper.py DIR
"""
import os
import sys


def swap(top):
    """`top`/swap is by turns a directory and a link, `top`/swap/file a file and a link."""
    path = {name: os.path.join(top, name) for name in ("swap", "real", "stop", "swap/file", "swap/link", "swap/plain")}
    while not os.path.exists(path["stop"]):
        _attempt(os.rename, path["swap"], path["real"])
        _attempt(os.symlink, "../outside", path["swap"])
        _attempt(os.unlink, path["swap"])
        _attempt(os.rename, path["real"], path["swap"])
        _attempt(os.mkdir, path["swap"])
        _attempt(os.symlink, "../../outside/canary", path["swap/link"])
        _attempt(os.rename, path["swap/link"], path["swap/file"])
        _attempt(os.mknod, path["swap/plain"], 0o644)
        _attempt(os.rename, path["swap/plain"], path["swap/file"])


def _attempt(change, *arguments):
    """The guest may have been quicker."""
    try:
        change(*arguments)
    except OSError:
        pass


if __name__ == "__main__":
    swap(sys.argv[1])
