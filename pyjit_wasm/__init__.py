"""A tiered WebAssembly runtime inside Python."""
