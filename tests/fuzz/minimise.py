"""The fewest and least choices that still show a finding."""


def shrunk(sequences, fails, trials=150):
    """Lists of choices, made shorter and simpler as long as `fails(sequences)` is true; at most so many calls of it."""
    left = trials

    def better(place, candidate):
        nonlocal left
        if not left or candidate == sequences[place]:
            return False
        left -= 1
        tried = [*sequences[:place], candidate, *sequences[place + 1:]]
        if fails(tried):
            sequences[place] = candidate
            return True
        return False

    sequences = [list(one) for one in sequences]
    for place in range(len(sequences)):
        length = len(sequences[place])
        while length and left:
            start = 0
            while start < len(sequences[place]) and left:
                made = sequences[place]
                before, middle, after = made[:start], made[start:start + length], made[start + length:]
                if not (better(place, before + after) or any(middle) and better(place, before + [0] * len(middle) + after)):
                    start += length
            length //= 2
    return sequences
