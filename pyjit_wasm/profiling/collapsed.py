"""Collapsed (folded) stacks, as Brendan Gregg's FlameGraph, inferno and speedscope read them."""
JIT = "_[j]"    # what FlameGraph marks compiled code with


def write(profile):
    """Bytes: a line for each stack, in the order of the text: its functions, outermost first, joined by semicolons, and the
    nanoseconds spent there. Semicolons in names become colons."""
    sums, names = {}, {}
    for stack, (weight, _) in profile.sampled.stacks.items():
        line = ";".join([names.get(place) or names.setdefault(place, _name(place)) for place in stack])
        sums[line] = sums.get(line, 0) + weight
    return "".join([f"{line} {sums[line]}\n" for line in sorted(sums) if line]).encode()


def _name(place):
    return place.label.replace(";", ":") + (JIT if place.tier == "jit" else "")
