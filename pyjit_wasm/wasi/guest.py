"""Guest memory: spans, buffers and strings inside a byte view, checked against its bounds."""
from .abi import EFAULT, IOVEC, U32
from .calls import Failure


def span(view, offset, length):
    """The `length` bytes at `offset` as a view. Raises Failure(EFAULT) unless all are in memory."""
    end = offset + length
    if end > len(view):
        raise Failure(EFAULT)
    return view[offset:end]


def buffers(view, iovs, count):
    """The views that the `count` iovecs (or ciovecs) at `iovs` name. Raises Failure(EFAULT)."""
    size, views = len(view), []
    for start, length in IOVEC.iter_unpack(span(view, iovs, count * IOVEC.size)):
        end = start + length
        if end > size:
            raise Failure(EFAULT)
        views.append(view[start:end])
    return views


def store_strings(view, strings, pointers, buffer):
    """Store the byte strings one after another at `buffer` and the address of each in the u32 array
    at `pointers`. Raises Failure(EFAULT) or struct.error."""
    for index, string in enumerate(strings):
        U32.pack_into(view, pointers + index * U32.size, buffer)
        span(view, buffer, len(string))[:] = string
        buffer += len(string)
