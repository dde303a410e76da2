"""Instruction sequences (spec 6.5): plain and folded instructions to binary, without recursion.

Every open block and every open parenthesis is a frame. Frames know what may come inside them and what
their closing parenthesis emits.
"""
from pyjit_wasm.binary import encode
from pyjit_wasm.opcodes import BY_NAME
from pyjit_wasm.text import annotations
from pyjit_wasm.text.immediates import encoder
from pyjit_wasm.text.spaces import Labels, Space

BLOCKS = frozenset(mnemonic for mnemonic, op in BY_NAME.items() if op.imm[:1] == ("blocktype",))
ELSE = encode.opcode(BY_NAME["else"].code)


class Frame:
    """A sequence of instructions whose end is somebody else's: a function body or an expression."""

    sequence = True   # plain instructions and any folded ones may follow

    def open(self, body, keyword, hint):
        """A folded instruction inside this frame, from its keyword on."""
        body.open_folded(keyword, hint)

    def close(self, body):
        raise body.tokens.unexpected()


class PlainBlock(Frame):
    """A block up to `end`; `keyword` is the latest that continued it."""

    def __init__(self, keyword):
        self.keyword = keyword


class FoldedBlock(Frame):
    """`(block ...)`, `(loop ...)`, `(try_table ...)`: the parenthesis is the end."""

    def close(self, body):
        body.end_block()


class Arm(Frame):
    """`(then ...)`, `(else ...)`, `(do ...)`, `(catch ...)`: a sequence inside a folded block."""

    def close(self, body):
        pass


class Operands(Frame):
    """`(op operands)`: the instruction `pending` comes after its operands."""

    sequence = False

    def __init__(self, pending, hint):
        self.pending, self.hint = pending, hint

    def close(self, body):
        body.emit(self.pending, self.hint)


class FoldedIf(Frame):
    """`(if condition (then ...) (else ...)?)`. The label is in scope in the arms only."""

    sequence = False

    def __init__(self, label, pending, hint):
        self.label, self.pending, self.hint, self.expected = label, pending, hint, "then"

    def open(self, body, keyword, hint):
        if keyword != self.expected:
            if self.expected != "then":
                raise body.tokens.unexpected()
            body.open_folded(keyword, hint)
            return
        body.tokens.next()
        if keyword == "then":
            body.emit(self.pending, self.hint)
            body.labels.stack.append(self.label)
            self.expected = "else"
        else:
            body.emit(ELSE)
            self.expected = None
        body.frames.append(Arm())

    def close(self, body):
        if self.expected == "then":
            raise body.tokens.unexpected()
        body.end_block()


class FoldedTry(Frame):
    """`(try (do ...) (catch ...)* (catch_all ...)?)` or `(try (do ...) (delegate l))`, legacy exceptions."""

    sequence = False

    def __init__(self):
        self.latest = None

    def open(self, body, keyword, hint):
        if keyword not in _NEXT_ARMS[self.latest]:
            raise body.tokens.unexpected()
        body.tokens.next()
        self.latest = keyword
        if keyword == "delegate":
            body.delegate()
            body.tokens.close()
        else:
            if keyword != "do":
                body.emit(body.encoded(keyword))
            body.frames.append(Arm())

    def close(self, body):
        if self.latest is None:
            raise body.tokens.unexpected()
        if self.latest != "delegate":
            body.end_block()


_NEXT_ARMS = {None: ("do",), "do": ("catch", "catch_all", "delegate"), "catch": ("catch", "catch_all"),
              "catch_all": (), "delegate": ()}


class Body:
    """Assembles one instruction sequence into `out`. `hints` are (offset in `out`, branch hint)."""

    def __init__(self, module, local_space=None):
        self.module, self.tokens, self.types = module, module.tokens, module.types
        self.spaces = module.spaces | {"local": local_space or Space("local")}
        self.labels = Labels()
        self.frames = [Frame()]
        self.out, self.hints = bytearray(), []

    def sequence(self):
        """Instructions up to the parenthesis that closes what they are in, which stays."""
        while self.tokens.peek() != ")" or len(self.frames) > 1:
            self.step()

    def folded(self):
        """One folded instruction."""
        if self.tokens.peek() != "(":
            raise self.tokens.unexpected()
        self.step()
        while len(self.frames) > 1:
            self.step()

    def step(self):
        tokens = self.tokens
        hint = annotations.branch_hint(tokens) if tokens.annotations else None
        token = tokens.peek()
        if token == "(":
            tokens.next()
            self.frames[-1].open(self, tokens.peek(), hint)
        elif token == ")":
            self.frames[-1].close(self)
            self.frames.pop()
            tokens.next()
        else:
            self.plain(token, hint)

    def emit(self, instruction, hint=None):
        if hint is not None:
            self.hints.append((len(self.out), hint))
        self.out += instruction

    def encoded(self, keyword):
        """The instruction of a keyword that has been consumed, with its immediates."""
        instruction = encoder(keyword)
        return instruction if isinstance(instruction, bytes) else instruction(self)

    # folded instructions

    def open_folded(self, keyword, hint):
        if keyword not in BY_NAME or keyword in PLAIN_ONLY:
            raise self.tokens.unexpected()
        self.tokens.next()
        if keyword not in BLOCKS:
            self.frames.append(Operands(self.encoded(keyword), hint))
            return
        label = self.tokens.identifier()
        encoded = self.encoded(keyword)
        if keyword == "if":
            self.frames.append(FoldedIf(label, encoded, hint))
            return
        self.emit(encoded)
        self.labels.stack.append(label)
        self.frames.append(FoldedTry() if keyword == "try" else FoldedBlock())

    def end_block(self):
        self.emit(encode.END)
        self.labels.stack.pop()

    # plain instructions

    def plain(self, keyword, hint):
        if not self.frames[-1].sequence or keyword not in BY_NAME:
            raise self.tokens.unexpected()
        if keyword in PLAIN_ONLY:
            self.continue_block(keyword)
            return
        self.tokens.next()
        if keyword not in BLOCKS:
            self.emit(self.encoded(keyword), hint)
            return
        label = self.tokens.identifier()
        self.emit(self.encoded(keyword), hint)
        self.labels.stack.append(label)
        self.frames.append(PlainBlock(keyword))

    def continue_block(self, keyword):
        """A keyword that only makes sense inside a plain block, and only in some."""
        frame = self.frames[-1]
        if not isinstance(frame, PlainBlock) or frame.keyword not in PLAIN_ONLY[keyword]:
            raise self.tokens.unexpected()
        self.tokens.next()
        if keyword == "delegate":
            self.delegate()
            self.frames.pop()
            return
        if keyword in ("end", "else"):
            self.labels.check(self.tokens)
        frame.keyword = keyword
        if keyword == "end":
            self.end_block()
            self.frames.pop()
        else:
            self.emit(self.encoded(keyword))

    def delegate(self):
        """The end of a `try` whose label is not in scope of the label it delegates to."""
        self.labels.stack.pop()
        self.emit(self.encoded("delegate"))


# keywords inside plain blocks, and the keywords of the blocks or parts of blocks that they may follow
PLAIN_ONLY = {"else": ("if",), "catch": ("try", "catch"), "catch_all": ("try", "catch"), "delegate": ("try",),
              "end": BLOCKS | {"else", "catch", "catch_all"}}
