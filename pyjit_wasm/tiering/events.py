"""What the tiers do, for those who listen: code that was made, when, why, and how long it took."""
import time

listeners = []  # called with (nanoseconds of time.monotonic_ns, kind, module, functions, reason, seconds, bytes, from_cache)


class Making:
    """A `with` block that makes code of functions, for `reason`, and tells the listeners; it sets `bytes` and `from_cache`."""

    def __init__(self, kind, module, functions, reason):
        self._what = kind, module, functions, reason
        self.bytes, self.from_cache = 0, False

    def __enter__(self):
        self._start = time.monotonic_ns()
        return self

    def __exit__(self, error, *_):
        if error is None:
            end = time.monotonic_ns()
            for listener in list(listeners):
                listener(end, *self._what, (end - self._start) / 1e9, self.bytes, self.from_cache)
