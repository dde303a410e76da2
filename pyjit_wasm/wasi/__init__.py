"""WASI preview 1: files, directories, sockets, standard streams, clocks, randomness, polling and exit."""
from .host import ReadOnly, Wasi
from .streams import CAPTURE

__all__ = ["CAPTURE", "MemoryTree", "ReadOnly", "Wasi"]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .trees import MemoryTree


def __getattr__(name):
    if name != "MemoryTree":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .trees import MemoryTree
    return MemoryTree
