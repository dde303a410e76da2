"""Subscriptions of poll_oneoff: clocks and streams, and waiting for the first event."""
import select
import time

from . import abi
from .calls import Failure
from .process_calls import CLOCKS

_MOST = 4096    # subscriptions in one call

_LONGEST_WAIT = 86_400 * 10**9      # ns; `poll` counts ms in an int, so longer waits are repeated
_BROKEN = select.POLLHUP | select.POLLERR | select.POLLNVAL

# eventtype: (right the descriptor needs, what to poll for)
_STREAM_INTERESTS = {
    abi.EVENTTYPE_FD_READ: (abi.RIGHT_FD_READ, select.POLLIN),
    abi.EVENTTYPE_FD_WRITE: (abi.RIGHT_FD_WRITE, select.POLLOUT),
}


class _Subscription:
    """What to wait for: `deadline` in ns of `time.monotonic_ns` or None, and for streams `fileno`,
    the host descriptor to poll for the mask `interest`; None for others."""

    __slots__ = ("userdata", "eventtype")
    deadline = fileno = interest = None

    def __init__(self, userdata, eventtype):
        self.userdata, self.eventtype = userdata, eventtype

    def event(self, error=abi.ESUCCESS, nbytes=0, flags=0):
        """The fields of `abi.EVENT`."""
        return self.userdata, error, self.eventtype, nbytes, flags


class _Immediate(_Subscription):
    """A stream that is always ready, or an error: its event occurs at once."""

    __slots__ = ("error", "nbytes")
    deadline = 0

    def __init__(self, userdata, eventtype, error, nbytes):
        super().__init__(userdata, eventtype)
        self.error, self.nbytes = error, nbytes

    def occurred(self, revents):
        """The event."""
        return self.event(self.error, self.nbytes)


class _Clock(_Subscription):
    """A point in time, `timeout` ns from now or, with ABSTIME, on `clock`."""

    __slots__ = ("deadline",)

    def __init__(self, guest, userdata, eventtype, clock, timeout, precision, flags):
        super().__init__(userdata, eventtype)
        if clock not in (abi.CLOCK_REALTIME, abi.CLOCK_MONOTONIC):
            raise Failure(abi.ENOTSUP if clock in CLOCKS else abi.EINVAL)
        if flags & abi.SUBSCRIPTION_CLOCK_ABSTIME:
            timeout -= CLOCKS[clock][0]()
        self.deadline = time.monotonic_ns() + timeout

    def occurred(self, revents):
        """The event, once the deadline has passed, else None."""
        return self.event() if time.monotonic_ns() >= self.deadline else None


class _HostStream(_Subscription):
    """A stream on a host descriptor."""

    __slots__ = ("descriptor", "fileno", "interest")

    def __init__(self, userdata, eventtype, descriptor, interest):
        super().__init__(userdata, eventtype)
        self.descriptor, self.fileno, self.interest = descriptor, descriptor.fileno, interest

    def occurred(self, revents):
        """The event, if the stream is ready, hung up or broken, else None."""
        signals = revents.get(self.fileno, 0)
        if not signals & (self.interest | _BROKEN):
            return None
        if signals & select.POLLNVAL:
            return self.event(abi.EBADF)
        hangup = abi.EVENT_FD_READWRITE_HANGUP if signals & select.POLLHUP else 0
        return self.event(nbytes=self.descriptor.available(), flags=hangup)


def _stream(guest, userdata, eventtype, fd, *_):
    right, interest = _STREAM_INTERESTS[eventtype]
    descriptor = guest.descriptors.with_right(fd, abi.RIGHT_POLL_FD_READWRITE | right)
    if not descriptor.rights & right:
        raise Failure(abi.EBADF)
    if descriptor.fileno is None:
        return _Immediate(userdata, eventtype, abi.ESUCCESS, descriptor.available())
    return _HostStream(userdata, eventtype, descriptor, interest)


_KINDS = {abi.EVENTTYPE_CLOCK: _Clock, abi.EVENTTYPE_FD_READ: _stream, abi.EVENTTYPE_FD_WRITE: _stream}


def _subscription(guest, userdata, eventtype, *fields):
    if eventtype not in _KINDS:
        raise Failure(abi.EINVAL)
    try:
        return _KINDS[eventtype](guest, userdata, eventtype, *fields)
    except Failure as failure:
        return _Immediate(userdata, eventtype, failure.errno, 0)


def stored_subscriptions(guest, address, count):
    """The fields of `abi.SUBSCRIPTION` for each of `count` at `address`."""
    return abi.SUBSCRIPTION.iter_unpack(bytes(guest.span(address, count * abi.SUBSCRIPTION.size)))


def unstable_subscriptions(guest, address, count):
    """The same of `wasi_unstable`, whose clocks have one field more."""
    records = bytes(guest.span(address, count * abi.UNSTABLE_SUBSCRIPTION.size))
    for userdata, tag, fd, clock, *rest in abi.UNSTABLE_SUBSCRIPTION.iter_unpack(records):
        yield userdata, tag, clock if tag == abi.EVENTTYPE_CLOCK else fd, *rest


def poll_oneoff(guest, subscriptions, events, count, stored, decode=stored_subscriptions):
    """Wait until one of the `count` subscriptions stored at `subscriptions` occurs. Store every event
    that has at `events` and their number at `stored`. Raises Failure(EINVAL) if there is nothing to
    wait for, too much or something unknown; an error of one subscription is told by its event."""
    if not 0 < count <= _MOST:
        raise Failure(abi.EINVAL)
    results, number = guest.span(events, count * abi.EVENT.size), guest.span(stored, abi.U32.size)
    occurred = _first_events([_subscription(guest, *fields) for fields in decode(guest, subscriptions, count)])
    for index, event in enumerate(occurred):
        abi.EVENT.pack_into(results, index * abi.EVENT.size, *event)
    abi.U32.pack_into(number, 0, len(occurred))


def _first_events(awaited):
    deadline = min((s.deadline for s in awaited if s.deadline is not None), default=None)
    wait = _waiter([s for s in awaited if s.fileno is not None])
    while True:
        remaining = _LONGEST_WAIT if deadline is None else deadline - time.monotonic_ns()
        revents = wait(min(max(remaining, 0), _LONGEST_WAIT))
        events = [event for s in awaited if (event := s.occurred(revents)) is not None]
        if events:
            return events


def _waiter(streams):
    """A function that waits for some ns at most and returns {host descriptor: poll's signals}."""
    if not streams:
        return _sleep
    poll, interests = select.poll(), {}
    for stream in streams:
        interests[stream.fileno] = interests.get(stream.fileno, 0) | stream.interest
    for fileno, interest in interests.items():
        poll.register(fileno, interest)
    return lambda nanoseconds: dict(poll.poll(-(-nanoseconds // 1_000_000)))


def _sleep(nanoseconds):
    time.sleep(nanoseconds / 1e9)
    return {}
