"""The text format (spec chapter 6): WebAssembly text to binary, and back."""
from pyjit_wasm.text.module import assemble
from pyjit_wasm.text.print_module import disassemble

__all__ = ["assemble", "disassemble"]
