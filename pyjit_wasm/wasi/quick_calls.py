"""A quick way through `fd_read` and `fd_write` for calls with one buffer, which is what C libraries do.

They do what `descriptor_calls` does, with everything at hand. Whatever is unusual goes there, before anything is done.
"""
from .abi import ESUCCESS, IOVEC, RIGHT_FD_READ, RIGHT_FD_WRITE, U32
from .calls import Failure, errno_of


def _quick(right, transfer):
    def make(guest, call):
        """The callable a module imports, given the general one."""
        find, unpack, pack = guest.descriptors.get, IOVEC.unpack_from, U32.pack_into

        def quick_call(fd, iovs, count, transferred):
            if count != 1 or iovs < 0 or transferred < 0:
                return call(fd, iovs, count, transferred)
            view, descriptor = memoryview(guest.memory), find(fd)
            size = len(view)
            if descriptor is None or not descriptor.rights & right or iovs + 8 > size or transferred + 4 > size:
                return call(fd, iovs, count, transferred)
            start, length = unpack(view, iovs)
            if start + length > size:
                return call(fd, iovs, count, transferred)
            try:
                pack(view, transferred, transfer(descriptor, [view[start:start + length]]))
            except Failure as failure:
                return failure.errno
            except OSError as error:
                return errno_of(error)
            return ESUCCESS

        return quick_call

    return make


QUICK = {"fd_read": _quick(RIGHT_FD_READ, lambda descriptor, buffers: descriptor.read(buffers)),
         "fd_write": _quick(RIGHT_FD_WRITE, lambda descriptor, buffers: descriptor.write(buffers))}
