"""A writer of LLVM IR text: fresh names, loads and stores at byte offsets, labels, whole functions."""


VECTOR = "<2 x i64>"    # a v128


def alignment(type):
    """Of a load or store; the slots and cells that vectors are in are only aligned to eight bytes."""
    return ", align 8" if type == VECTOR else ""


class Text:
    """Lines of one LLVM function body. Methods that compute return the name of the result."""

    def __init__(self):
        self.lines = []
        self.count = 0

    def fresh(self):
        self.count += 1
        return f"%v{self.count}"

    def let(self, expression):
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {expression}")
        return name

    def do(self, instruction):
        self.lines.append("  " + instruction)

    def label(self, name):
        self.lines.append(name + ":")

    def room(self, type, align=8):
        """Memory in the frame: an `alloca` at the function's start."""
        name = self.fresh()
        self.lines.insert(0, f"  {name} = alloca {type}, align {align}")
        return name

    def new_label(self, hint="l"):
        self.count += 1
        return f"{hint}{self.count}"

    def at(self, base, offset):
        """The pointer `base + offset`; offset an int or the name of an i64."""
        return base if offset == 0 else self.let(f"getelementptr i8, ptr {base}, i64 {offset}")

    def load(self, type, base, offset=0, suffix="", volatile=False):
        return self.let(f"load {'volatile ' * volatile}{type}, ptr {self.at(base, offset)}{alignment(type)}{suffix}")

    def store(self, type, value, base, offset=0, volatile=False):
        self.do(f"store {'volatile ' * volatile}{type} {value}, ptr {self.at(base, offset)}{alignment(type)}")

    def branch(self, condition, then, otherwise):
        self.do(f"br i1 {condition}, label %{then}, label %{otherwise}")

    def unlikely(self, condition, then):
        """Branch to label `then` if the condition holds, which is rare; go on in a new block."""
        go_on = self.new_label("ok")
        self.do(f"br i1 {condition}, label %{then}, label %{go_on}, !prof !0")
        self.label(go_on)

    def __str__(self):
        return "\n".join(self.lines)


COLD = "!0 = !{!\"branch_weights\", i32 1, i32 1048576}\n"

FRAMED = 'nounwind "frame-pointer"="all"'

class Function(Text):
    """A `define` with its body."""

    def __init__(self, result, name, params, attributes=FRAMED):
        super().__init__()
        self.head = f"define {result} @{name}({params}) {attributes} {{"

    def __str__(self):
        return "\n".join([self.head, *self.lines, "}", ""])
