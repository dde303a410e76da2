"""Profiles as JSON with everything that is known, which can be read back."""
import dataclasses
import json

from pyjit_wasm.profiling.counts import Counts, TierEvent
from pyjit_wasm.profiling.places import Place
from pyjit_wasm.profiling.report import Profile
from pyjit_wasm.profiling.samples import Samples
from pyjit_wasm.profiling.tables import Numbers, Stacks

MAGIC, VERSION = "pyjit_wasm profile", 1
NONE = type(None)
TEXT, INTEGER = (str,), (int,)
PLACE = TEXT, TEXT, TEXT, (int, NONE), TEXT, (int, NONE), (str, NONE)      # the fields of Place
EVENT = INTEGER, TEXT, (list,), TEXT, (int, float), INTEGER, (bool,)       # and of TierEvent


def write(profile):
    """Bytes of JSON: {"format": "pyjit_wasm profile", "version": 1, "places": [fields of Place], "samples": or null, "counts":
    or null}.

    Stacks are a tree: node i has the place `places[frame[i]]` and the node `prefix[i]` above it. Samples are columns: `time`,
    `thread`, `stack` (a node, or null) and `weight`. Counts are lists: `calls` of [place, number], `edges` of [caller, callee,
    number], `opcodes` {mnemonic: number} or null, `events` of the fields of TierEvent."""
    places = Numbers()
    samples = profile.samples and _samples(profile.samples, places)
    counts = profile.counts and _counts(profile.counts, places)
    return json.dumps({"format": MAGIC, "version": VERSION, "places": list(places), "samples": samples, "counts": counts},
                      separators=(",", ":")).encode()


def _samples(samples, places):
    stacks = Stacks(places, lambda place: place)
    times, threads, found, weights = zip(*samples.samples) if samples.samples else ((), (), (), ())
    numbers = [stacks.number(stack) for stack in found]
    return {"period": samples.period, "clock": samples.clock, "start": samples.start,
            "threads": [[thread, name] for thread, name in sorted(samples.threads.items())],
            "stacks": {"frame": stacks.frame, "prefix": stacks.prefix},
            "time": times, "thread": threads, "stack": numbers, "weight": weights}


def _counts(counts, places):
    return {"calls": [[places[place], number] for place, number in counts.calls.items()],
            "edges": [[places[caller], places[callee], number] for (caller, callee), number in counts.edges.items()],
            "opcodes": counts.opcodes, "events": [dataclasses.astuple(event) for event in counts.events]}


def read(path):
    """The Profile in the file `path`. Raises ValueError if it is no such JSON, and OSError."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        record = json.loads(content)
        if (record["format"], record["version"]) != (MAGIC, VERSION):
            raise ValueError
        places = [Place(*_typed(fields, PLACE)) for fields in record["places"]]
        samples, counts = record["samples"], record["counts"]
        return Profile(None if samples is None else _read_samples(samples, places),
                       None if counts is None else _read_counts(counts, places))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise ValueError(f"{path}: not a profile that was saved as json, or damaged") from None


def _read_samples(record, places):
    columns = [record[name] for name in ("time", "thread", "stack", "weight")]
    for column in (columns[0], columns[1], columns[3]):
        _typed(column, [INTEGER] * len(column))
    stacks = {node: _stack(record["stacks"], node, places) for node in set(columns[2])}
    samples = [(time, thread, stacks[stack], weight) for time, thread, stack, weight in zip(*columns, strict=True)]
    period, clock, start = _typed([record["period"], record["clock"], record["start"]], (INTEGER, TEXT, INTEGER))
    return Samples(period, clock, start, samples, dict(_typed(entry, (INTEGER, TEXT)) for entry in record["threads"]))


def _stack(record, node, places):
    """The stack, outermost first, that ends at a node."""
    stack = []
    while node is not None:
        stack.append(_item(places, _item(record["frame"], node)))
        above = record["prefix"][node]
        if above is not None and not 0 <= _integer(above) < node:
            raise ValueError
        node = above
    return tuple(reversed(stack))


def _read_counts(record, places):
    calls = {_item(places, place): _integer(number) for place, number in record["calls"]}
    edges = {(_item(places, caller), _item(places, callee)): _integer(number) for caller, callee, number in record["edges"]}
    opcodes = record["opcodes"]
    if opcodes is not None:
        opcodes = {name: _integer(number) for name, number in opcodes.items()}
    return Counts(calls, edges, opcodes, [_event(fields) for fields in record["events"]])


def _event(fields):
    time, kind, functions, *rest = _typed(fields, EVENT)
    return TierEvent(time, kind, tuple(_typed(functions, [TEXT] * len(functions))), *rest)


def _item(items, number):
    if _integer(number) < 0:
        raise IndexError
    return items[number]


def _integer(number):
    return _typed([number], [INTEGER])[0]


def _typed(values, types):
    """The values, if they have the types; else ValueError."""
    if len(values) != len(types) or not all(type(value) in allowed for value, allowed in zip(values, types)):
        raise ValueError
    return values
