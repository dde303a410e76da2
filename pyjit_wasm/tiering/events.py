"""What the tiers do, for those who listen: code that was made, when, why, and how long it took."""
import contextlib
import time

listeners = []  # called with (nanoseconds of time.monotonic_ns, kind, module, functions, reason, seconds, bytes, from_cache)


@contextlib.contextmanager
def making(kind, module, functions, reason):
    """Note the making of code of these functions: the block sets "bytes" and "from_cache" of the dictionary that it gets."""
    if not listeners:
        yield {}
        return
    made, start = {"bytes": 0, "from_cache": False}, time.monotonic_ns()
    yield made
    end = time.monotonic_ns()
    for listener in list(listeners):
        listener(end, kind, module, tuple(functions), reason, (end - start) / 1e9, made["bytes"], made["from_cache"])
