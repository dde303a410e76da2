"""Lines of text: lists of words that may be too long for one."""
INDENT = "  "
WIDTH = 110


def wrapped(head, words):
    """`head words)` as one line, or as several with the words indented."""
    line = f"{' '.join([head, *words])})"
    return [line] if len(line) <= WIDTH else [head, *[INDENT + part for part in filled(words)], ")"]


def filled(words):
    """Lines of as many words as fit."""
    lines, line, length = [], [], 0
    for word in words:
        if line and length + len(word) > WIDTH:
            lines.append(" ".join(line))
            line, length = [], 0
        line.append(word)
        length += len(word) + 1
    return [*lines, " ".join(line)]
