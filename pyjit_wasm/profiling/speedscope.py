"""Profiles for https://www.speedscope.app: its file format, with sampled profiles."""
import json

from pyjit_wasm.profiling.places import readable
from pyjit_wasm.profiling.tables import Numbers, by_thread

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def write(profile):
    """Bytes of JSON as SCHEMA says: a profile for each thread, the frames shared, weights in nanoseconds. Samples with the
    same stack that follow each other are one."""
    samples, frames = profile.sampled, Numbers()
    numbered = {stack: [frames[place.function] for place in stack] for stack in samples.stacks}
    profiles = [_profile(samples.threads.get(thread, f"thread {thread}"), found, numbered)
                for thread, found in by_thread(samples).items()]
    return json.dumps({
        "$schema": SCHEMA, "exporter": "pyjit_wasm", "name": "pyjit_wasm", "activeProfileIndex": 0,
        "shared": {"frames": [_frame(function) for function in frames]}, "profiles": profiles}).encode()


def _profile(name, found, numbered):
    stacks, weights, last = [], [], None
    for _, _, stack, weight in found:
        if stack == last:
            weights[-1] += weight
            continue
        stacks.append(numbered[stack])
        weights.append(weight)
        last = stack
    return {"type": "sampled", "name": readable(name), "unit": "nanoseconds", "startValue": 0, "endValue": sum(weights),
            "samples": stacks, "weights": weights}


def _frame(function):
    frame = {"name": readable(function.name) + (f" [{function.tier}]" if function.tier else "")}
    return {**frame, "file": readable(function.source)} if function.source else frame
