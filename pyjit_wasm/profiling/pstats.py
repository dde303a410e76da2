"""Profiles for `pstats.Stats(path)`, and so for snakeviz, tuna, gprof2dot and others."""
import marshal

from pyjit_wasm.profiling.places import readable

FORMAT = 2          # of marshal: later ones depend on reference counts, and so differ from run to run
SECONDS = 1e-9
NOWHERE = "~", 0    # where `pstats` has functions without a file


def write(profile):
    """Bytes as cProfile writes: {(file, line, name): (primitive calls, calls, seconds in itself, seconds in total, callers)}.

    Calls that were not counted are numbers of samples. A function's line is not known: it is 0, and of wasm functions
    without a source file their index. Functions that have the same key are added up."""
    stats = {}
    edges = _edges(profile)
    for row in profile.functions:
        calls = row.samples if row.calls is None else row.calls
        again = min(calls, edges.get((row.place, row.place), (0,))[0])
        _add(stats.setdefault(_key(row.place), [0, 0, 0, 0, {}]),
             (calls - again, calls, row.self_ns * SECONDS, row.total_ns * SECONDS))
    for (caller, callee), (calls, self_ns, total_ns) in edges.items():
        callers = stats.setdefault(_key(callee), [0, 0, 0, 0, {}])[4]
        _add(callers.setdefault(_key(caller), [0, 0, 0, 0]), (calls, calls, self_ns * SECONDS, total_ns * SECONDS))
    return marshal.dumps({key: (*numbers, {caller: tuple(times) for caller, times in callers.items()})
                          for key, (*numbers, callers) in stats.items()}, FORMAT)


def _edges(profile):
    """{(caller, callee): (calls or samples, nanoseconds in the callee itself, in total)}."""
    times = profile.samples.edges if profile.samples else {}
    if profile.counts is None:
        return {edge: (time.samples, time.self_ns, time.total_ns) for edge, time in times.items()}
    counted = profile.counts.edges_of()
    found = {}
    for edge in [*counted, *(edge for edge in times if edge not in counted)]:
        time = times.get(edge)
        found[edge] = counted.get(edge, 0), time.self_ns if time else 0, time.total_ns if time else 0
    return found


def _key(place):
    name = readable(place.name)
    if place.file:
        return readable(place.file), 0, name
    if place.kind == "wasm":
        return readable(place.module) or "wasm", place.funcidx or 0, name
    return (readable(place.module), 0, name) if place.module else (*NOWHERE, name)


def _add(sums, numbers):
    for index, number in enumerate(numbers):
        sums[index] += number
