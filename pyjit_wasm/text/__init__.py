"""The text format (spec chapter 6): WebAssembly text to binary, and back."""
from pyjit_wasm.text.module import assemble

__all__ = ["assemble", "disassemble"]


def disassemble(binary):
    """The text of a binary module, valid or not, which assembles to the same module. Raises DecodeError, and
    ValidationError for a type index without a type."""
    from pyjit_wasm.text.print_module import ModulePrinter     # who assembles can do without all of it
    return ModulePrinter(binary).text()
