"""The IR text of kernels (`codegen.kernels`)."""
import ast
import inspect
import textwrap

from pyjit_wasm.codegen.text import Function
from pyjit_wasm.errors import InternalError

_ELEMENT = {"u8": ("i8", 1, "zext"), "i32": ("i32", 4, "sext"), "i64": ("i64", 8, None)}
_ARITHMETIC = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
               ast.LShift: "shl", ast.RShift: "ashr"}
_COMPARISON = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "slt", ast.LtE: "sle", ast.Gt: "sgt", ast.GtE: "sge"}


def source(main, others=()):
    """IR text of a kernel and those it calls."""
    names = {f.__name__ for f in (*others, main)}
    return "".join([_Kernel(f, names, "internal ").text() for f in others] + [_Kernel(main, names, "").text()])


class _Kernel:
    """Writes one kernel."""

    def __init__(self, function, kernels, linkage):
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        self.globals, self.kernels, self.body = function.__globals__, kernels, tree.body
        self.arrays = {a.arg: a.annotation.id for a in tree.args.args if a.annotation}
        params = ", ".join(f"{'ptr' if a.arg in self.arrays else 'i64'} %{a.arg}" for a in tree.args.args)
        self.f = Function(f"{linkage}i64", function.__name__, params, "nounwind")
        self.locals = sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
                             | {a.arg for a in tree.args.args} - set(self.arrays))
        self.numbers = [a.arg for a in tree.args.args if a.arg not in self.arrays]
        self.loops = []     # (label of the test, label behind) of the enclosing loops
        self.open = True    # whether the current block may be added to

    def text(self):
        f = self.f
        for name in self.locals:
            f.do(f"%{name}.v = alloca i64")
        for name in self.numbers:
            f.do(f"store i64 %{name}, ptr %{name}.v")
        self.statements(self.body)
        if self.open:
            f.do("ret i64 0")
        return str(f)

    def statements(self, nodes):
        for node in nodes:
            if not self.open:   # behind a jump
                break
            method = getattr(self, f"do_{type(node).__name__}", None)
            if method is None:
                raise InternalError(f"kernels have no {type(node).__name__}")
            method(node)

    def jump(self, label):
        if self.open:
            self.f.do(f"br label %{label}")
            self.open = False

    def start(self, label):
        self.f.label(label)
        self.open = True

    # --- statements

    def do_Expr(self, node):
        if not isinstance(node.value, ast.Constant):    # a docstring
            self.value(node.value)

    def do_Pass(self, node):
        pass

    def do_Assign(self, node):
        target, *more = node.targets
        if more or isinstance(target, ast.Tuple):
            raise InternalError("kernels assign one value to one name")
        self.assign(target, self.value(node.value))

    def do_AugAssign(self, node):
        value = ast.BinOp(ast.copy_location(self.as_load(node.target), node), node.op, node.value)
        self.assign(node.target, self.value(value))

    @staticmethod
    def as_load(target):
        if isinstance(target, ast.Name):
            return ast.Name(target.id, ast.Load())
        return ast.Subscript(target.value, target.slice, ast.Load())

    def assign(self, target, value):
        if isinstance(target, ast.Name):
            self.f.do(f"store i64 {value}, ptr %{target.id}.v")
            return
        place, (type, _, _) = self.element(target)
        if type != "i64":
            value = self.f.let(f"trunc i64 {value} to {type}")
        self.f.do(f"store {type} {value}, ptr {place}")

    def do_If(self, node):
        then, other, after = (self.f.new_label(hint) for hint in ("then", "else", "after"))
        self.condition(node.test, then, other if node.orelse else after)
        for label, nodes in ((then, node.body), (other, node.orelse)):
            if nodes:
                self.start(label)
                self.statements(nodes)
                self.jump(after)
        self.start(after)

    def do_While(self, node):
        test, body, after = (self.f.new_label(hint) for hint in ("while", "body", "done"))
        self.jump(test)
        self.start(test)
        self.condition(node.test, body, after)
        self.loops.append((test, after))
        self.start(body)
        self.statements(node.body)
        self.jump(test)
        self.loops.pop()
        self.start(after)

    def do_Break(self, node):
        self.jump(self.loops[-1][1])

    def do_Continue(self, node):
        self.jump(self.loops[-1][0])

    def do_Return(self, node):
        self.f.do(f"ret i64 {self.value(node.value)}")
        self.open = False

    # --- expressions

    def condition(self, node, then, otherwise):
        """Branch on it; nothing is added to this block any more."""
        if isinstance(node, ast.BoolOp):
            *first, last = node.values
            for value in first:
                more = self.f.new_label("and")
                self.condition(value, *((more, otherwise) if isinstance(node.op, ast.And) else (then, more)))
                self.start(more)
            self.condition(last, then, otherwise)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.condition(node.operand, otherwise, then)
        elif isinstance(node, ast.Constant):
            self.jump(then if node.value else otherwise)
        else:
            test = self.comparison(node) if isinstance(node, ast.Compare) else self.f.let(f"icmp ne i64 {self.value(node)}, 0")
            self.f.branch(test, then, otherwise)
            self.open = False

    def comparison(self, node):
        """i1 of a comparison or a chain of them."""
        values = [self.value(v) for v in (node.left, *node.comparators)]
        tests = [self.f.let(f"icmp {_COMPARISON[type(op)]} i64 {a}, {b}") for op, a, b in zip(node.ops, values, values[1:])]
        result = tests[0]
        for test in tests[1:]:
            result = self.f.let(f"and i1 {result}, {test}")
        return result

    def value(self, node):
        method = getattr(self, f"value_of_{type(node).__name__}", None)
        if method is None:
            raise InternalError(f"kernels have no {type(node).__name__}")
        return method(node)

    def value_of_Constant(self, node):
        return str(int(node.value))

    def value_of_Name(self, node):
        if node.id in self.locals:
            return self.f.let(f"load i64, ptr %{node.id}.v")
        return str(int(self.globals[node.id]))

    def value_of_BoolOp(self, node):
        """1 or 0."""
        yes, no, both = (self.f.new_label(hint) for hint in ("yes", "no", "both"))
        self.condition(node, yes, no)
        for label in (yes, no):
            self.start(label)
            self.jump(both)
        self.start(both)
        return self.f.let(f"phi i64 [ 1, %{yes} ], [ 0, %{no} ]")

    def value_of_UnaryOp(self, node):
        if isinstance(node.op, ast.Not):
            return self.value_of_BoolOp(node)
        value = self.value(node.operand)
        return self.f.let(f"sub i64 0, {value}" if isinstance(node.op, ast.USub) else f"xor i64 {value}, -1")

    def value_of_BinOp(self, node):
        return self.f.let(f"{_ARITHMETIC[type(node.op)]} i64 {self.value(node.left)}, {self.value(node.right)}")

    def value_of_Compare(self, node):
        return self.f.let(f"zext i1 {self.comparison(node)} to i64")

    def value_of_Subscript(self, node):
        place, (type, _, extend) = self.element(node)
        value = self.f.let(f"load {type}, ptr {place}")
        return self.f.let(f"{extend} {type} {value} to i64") if extend else value

    def element(self, node):
        kind = _ELEMENT[self.arrays[node.value.id]]
        return self.f.let(f"getelementptr {kind[0]}, ptr %{node.value.id}, i64 {self.value(node.slice)}"), kind

    def value_of_Call(self, node):
        if node.func.id not in self.kernels:
            raise InternalError(f"{node.func.id} is no kernel")
        arguments = [f"ptr %{a.id}" if isinstance(a, ast.Name) and a.id in self.arrays else f"i64 {self.value(a)}"
                     for a in node.args]
        return self.f.let(f"call i64 @{node.func.id}({', '.join(arguments)})")
