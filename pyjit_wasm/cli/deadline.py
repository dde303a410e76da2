"""The time limit of `run --timeout`."""
import os

from ..errors import Interrupted

TIMED_OUT = 124     # as of timeout(1)
GRACE = 1.0         # seconds for what runs to stop by itself


class Deadline:
    """Inside a `with` block: after `seconds` (None: never), what runs in `instance` is interrupted; the block ends with
    Interrupted. If that does not help, because there is no instance yet or the host is waiting for something, the process
    ends, after calling `report`."""

    def __init__(self, seconds, report):
        self.seconds, self.report, self.instance = seconds, report, None

    def __enter__(self):
        if self.seconds is not None:
            import threading
            self._over = threading.Event()
            self._timer = threading.Timer(self.seconds, self._expire)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """What is limited has ended: the rest may take as long as it does."""
        if self.seconds is not None:
            self._over.set()
            self._timer.cancel()

    def _expire(self):
        running = self.instance is not None and self.instance.interrupt(Interrupted("timed out"))
        if not self._over.wait(GRACE if running else 0):
            self.report()
            os._exit(TIMED_OUT)
