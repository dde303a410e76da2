"""The same pass for single steps: before every instruction all values are in their canonical slots, as the
specification's machine has them on its stack, and a `step` form stands there."""
from pyjit_wasm.frames.operands import Operands


class Stepwise(Operands):
    """Operands that folds nothing across instructions."""

    def reached(self, offset):
        self.materialise_stack(len(self.stack))
        self.release()
        super().reached(offset)
        self.emit("step", (0, 0))
