"""Vector instructions (spec 4.4.3, prefix 0xFD), relaxed ones included."""

ROWS = ()
