"""Source positions: from a byte offset in a module to file, line, column and inlined calls. See `positions.Positions`."""
