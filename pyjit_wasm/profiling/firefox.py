"""Profiles for https://profiler.firefox.com: its processed profile format."""
import json

from pyjit_wasm.profiling.places import readable
from pyjit_wasm.profiling.tables import Numbers, Stacks, by_thread

# documented in docs-developer/CHANGELOG-formats.md of github.com/firefox-devtools/profiler, which converts older profiles
PROCESSED_VERSION, GECKO_VERSION = 48, 27

MILLISECONDS = 1e-6     # in a nanosecond
INTERVAL = 1            # phase of a marker with a start and an end
PID = "0"

# of `Place.engine`, with the colours that the profiler knows; it wants a grey one for what has none
CATEGORIES = {"": ("Other", "grey"), "python": ("Python", "blue"), "wasm": ("Wasm", "brown"),
              "wasm interp": ("Wasm interpreted", "yellow"), "wasm jit": ("Wasm compiled", "orange"),
              "host": ("Host", "purple")}
CATEGORY = {engine: number for number, engine in enumerate(CATEGORIES)}

MARKER = {
    "name": "tier", "display": ["marker-chart", "marker-table", "timeline-overview"],
    "tooltipLabel": "{marker.name}", "tableLabel": "{marker.data.functions}", "chartLabel": "{marker.data.functions}",
    "data": [{"key": "functions", "label": "Functions", "format": "string", "searchable": True},
             {"key": "reason", "label": "Reason", "format": "string"}, {"key": "bytes", "label": "Code", "format": "bytes"},
             {"key": "cached", "label": "From the cache", "format": "string"}]}


def write(profile):
    """Bytes of JSON: a thread for each of the samples, and what the tiers did as markers of the first. Times are in
    milliseconds."""
    samples, events = profile.sampled, profile.counts.events if profile.counts else ()
    threads = [_thread(samples, thread, found) for thread, found in by_thread(samples).items()] or [_thread(samples, 0, [])]
    strings = threads[0].pop("strings")
    threads[0] |= {"isMainThread": True, "markers": _markers(events, strings), "stringArray": list(strings)}
    for thread in threads[1:]:
        thread["stringArray"] = list(thread.pop("strings"))
    return json.dumps({"meta": _meta(samples), "libs": [], "pages": [], "counters": [], "threads": threads}).encode()


def _meta(samples):
    return {
        "interval": samples.period * MILLISECONDS, "startTime": samples.start * MILLISECONDS, "processType": 0,
        "product": "pyjit_wasm", "importedFrom": "pyjit_wasm", "stackwalk": 1, "version": GECKO_VERSION,
        "preprocessedProfileVersion": PROCESSED_VERSION, "symbolicated": True, "symbolicationNotSupported": True,
        "usesOnlyOneStackType": True, "sourceCodeIsNotOnSearchfox": True, "debug": False,
        "extensions": {"baseURL": [], "id": [], "name": [], "length": 0}, "markerSchema": [MARKER],
        "sampleUnits": {"time": "ms", "eventDelay": "ms", "threadCPUDelta": "ns"},
        "categories": [{"name": name, "color": color, "subcategories": ["Other"]} for name, color in CATEGORIES.values()]}


def _thread(samples, thread, found):
    strings, functions = Numbers(), Numbers()
    stacks = Stacks(Numbers(), lambda place: (functions[place.function], place.line))
    numbered = [stacks.number(stack) for _, _, stack, _ in found]
    places = list(functions)
    times = [time * MILLISECONDS for time, *_ in found]
    return {
        "name": readable(samples.threads.get(thread, f"thread {thread}")), "isMainThread": False, "pid": PID, "tid": thread,
        "processType": "default", "processName": "pyjit_wasm", "processStartupTime": 0, "processShutdownTime": None,
        "registerTime": 0, "unregisterTime": None, "pausedRanges": [],
        "samples": {"stack": numbered, "time": times, "weight": [weight * MILLISECONDS for *_, weight in found],
                    "weightType": "tracing-ms", "eventDelay": [None] * len(found), "length": len(found)},
        "stackTable": _stack_table(stacks, places), "frameTable": _frame_table(list(stacks.frames), places),
        "funcTable": _function_table(places, strings), "markers": _markers((), strings), "strings": strings,
        "resourceTable": {"lib": [], "name": [], "host": [], "type": [], "length": 0},
        "nativeSymbols": {"libIndex": [], "address": [], "name": [], "functionSize": [], "length": 0}}


def _stack_table(stacks, places):
    frames = list(stacks.frames)
    return {"frame": stacks.frame, "prefix": stacks.prefix, "subcategory": [0] * len(stacks.frame),
            "category": [_category(places[frames[frame][0]]) for frame in stacks.frame], "length": len(stacks.frame)}


def _frame_table(frames, places):
    nothing, zeros = [None] * len(frames), [0] * len(frames)
    return {"func": [function for function, _ in frames], "line": [line for _, line in frames], "column": nothing,
            "address": [-1] * len(frames), "inlineDepth": zeros, "subcategory": zeros, "innerWindowID": zeros,
            "category": [_category(places[function]) for function, _ in frames], "nativeSymbol": nothing,
            "implementation": nothing, "length": len(frames)}


def _function_table(places, strings):
    nothing, no = [None] * len(places), [False] * len(places)
    return {"name": [strings[readable(place.name)] for place in places], "isJS": no, "relevantForJS": no,
            "resource": [-1] * len(places), "lineNumber": nothing, "columnNumber": nothing, "length": len(places),
            "fileName": [strings[readable(place.source)] if place.source else None for place in places]}


def _category(place):
    return CATEGORY.get(place.engine, CATEGORY[""])


def _markers(events, strings):
    return {"name": [strings[event.kind] for event in events], "category": [CATEGORY["wasm"]] * len(events),
            "startTime": [event.time * MILLISECONDS for event in events],
            "endTime": [event.time * MILLISECONDS + event.seconds * 1e3 for event in events],
            "phase": [INTERVAL] * len(events), "data": [_payload(event) for event in events], "length": len(events)}


def _payload(event):
    return {"type": MARKER["name"], "functions": readable(", ".join(event.functions)), "reason": readable(event.reason),
            "bytes": event.bytes, "cached": "yes" if event.from_cache else "no"}
