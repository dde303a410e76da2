"""Aggregate, i31, cast and external conversion instructions (spec 4.4.2, prefix 0xFB)."""

ROWS = ()
