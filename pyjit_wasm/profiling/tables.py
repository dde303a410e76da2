"""What formats of profiles number: strings, functions, frames, stacks."""


class Numbers(dict):
    """Numbers from 0 for keys, in the order in which they are first asked for: `numbers[key]`."""

    def __missing__(self, key):
        number = self[key] = len(self)
        return number


class Stacks:
    """Stacks as a tree in two columns: `prefix` has the number of the node above or None, `frame` the number of the frame in
    `frames`, a Numbers of what `key` makes of a Place."""

    def __init__(self, frames, key):
        self.frames, self.key, self.prefix, self.frame = frames, key, [], []
        self._numbers, self._known = Numbers(), {}

    def number(self, stack):
        """The number of the node of a stack, a tuple of Place with the outermost first, which must live as long as this; None
        of the empty one."""
        if (known := self._known.get(id(stack))) is not None:
            return known
        above = None
        for place in stack:
            frame = self.frames[self.key(place)]
            node = self._numbers[above, frame]
            if node == len(self.prefix):
                self.prefix.append(above)
                self.frame.append(frame)
            above = node
        self._known[id(stack)] = above
        return above


def by_thread(samples):
    """{native id: its samples in the order of time}, in the order of the ids."""
    threads = {}
    for sample in samples.samples:
        threads.setdefault(sample[1], []).append(sample)
    return {thread: sorted(threads[thread], key=lambda sample: sample[0]) for thread in sorted(threads)}
