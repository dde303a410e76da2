"""The guest: the instance that calls, and its memory, checked."""
from .abi import EFAULT, EILSEQ, EINVAL, IOVEC, U32
from .calls import Failure

IOV_MAX = 1024      # what Linux takes in one readv or writev; the rest is for the guest's next call


class Guest:
    """One instance that imports a Wasi. `memory` is what it exports under that name, empty if nothing: looked up
    at the first use, as an instance has no exports yet when its imports are made."""

    __slots__ = ("wasi", "descriptors", "memory", "_importer")

    def __init__(self, wasi, importer):
        self.wasi, self.descriptors, self._importer = wasi, wasi.descriptors, importer

    def __getattr__(self, name):
        if name != "memory":
            raise AttributeError(name)
        importer = self._importer
        if importer is not None:    # else another thread has just found it
            found = exported_memory(importer.exports)
            self.memory = b"" if found is None else found
            self._importer = None
        return self.memory

    def span(self, offset, length):
        """The `length` bytes at `offset` as a view. Raises Failure(EFAULT) unless all are in memory."""
        return span(memoryview(self.memory), offset, length)

    def path(self, offset, length):
        """The path at `offset`, bytes. Raises Failure: EFAULT, EILSEQ if it is not UTF-8, EINVAL for a NUL."""
        path = bytes(self.span(offset, length))
        try:
            path.decode()
        except UnicodeDecodeError:
            raise Failure(EILSEQ) from None
        if b"\0" in path:
            raise Failure(EINVAL)
        return path


def exported_memory(exports):
    """The Memory that is exported as "memory", None if there is none."""
    if "memory" in exports:
        try:
            memoryview(exports["memory"])
        except TypeError:       # something else has that name
            return None
        return exports["memory"]
    return None


def span(view, offset, length):
    """The `length` bytes at `offset` as a view. Raises Failure(EFAULT) unless all are in memory."""
    end = offset + length
    if end > len(view):
        raise Failure(EFAULT)
    return view[offset:end]


def number(view, offset):
    """The place of a u32 result, to be assigned the bytes of `word`. Raises Failure(EFAULT)."""
    return span(view, offset, 4)


def word(value):
    """The bytes of a u32."""
    return value.to_bytes(4, "little")


def buffers(view, iovs, count):
    """The views that the `count` iovecs (or ciovecs) at `iovs` name; IOV_MAX at most. Raises Failure(EFAULT)."""
    size, views = len(view), []
    if count == 1 and iovs + IOVEC.size <= size:    # most often
        start, length = IOVEC.unpack_from(view, iovs)
        return [span(view, start, length)]
    for start, length in IOVEC.iter_unpack(span(view, iovs, min(count, IOV_MAX) * IOVEC.size)):
        end = start + length
        if end > size:
            raise Failure(EFAULT)
        views.append(view[start:end])
    return views


def store_strings(view, strings, pointers, buffer):
    """Store the byte strings one after another at `buffer` and the address of each in the u32 array
    at `pointers`. Raises Failure(EFAULT)."""
    for index, string in enumerate(strings):
        number(view, pointers + index * U32.size)[:] = word(buffer)
        span(view, buffer, len(string))[:] = string
        buffer += len(string)
