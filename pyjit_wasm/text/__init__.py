"""The text format (spec chapter 6): WebAssembly text to binary."""
from pyjit_wasm.text.module import assemble

__all__ = ["assemble"]
