"""Going over a function body: a rule for each instruction, and none in unreachable code.

What both tiers implement by hand stands in RULES; every other row has a body in the opcode table.
"""
from pyjit_wasm.errors import UnsupportedError
from pyjit_wasm.types import FuncType

_SAME = """block loop end br br_if br_table call call_indirect unreachable nop drop select
local.get local.set local.tee global.get global.set
memory.size memory.grow memory.fill memory.copy memory.init data.drop
table.get table.set table.size table.grow table.fill table.copy table.init elem.drop
ref.null ref.is_null ref.func ref.as_non_null br_on_null br_on_non_null
call_ref return_call return_call_indirect return_call_ref
throw throw_ref try_table catch catch_all delegate rethrow atomic.fence"""
# mnemonic: name of the method
RULES = {name: name.replace(".", "_") for name in _SAME.split()}
RULES |= {"if": "if_", "else": "else_", "return": "return_", "try": "try_", "i8x16.shuffle": "shuffle"}
RULES |= {f"memory.atomic.{name}": "wait_or_notify" for name in ("wait32", "wait64", "notify")}
RULES |= {f"{t}.const": "constant" for t in ("i32", "i64", "f32", "f64", "v128")}

_OPENS = frozenset(("block", "loop", "if", "try_table", "try"))
_ENDS = frozenset(("end", "else", "catch", "catch_all", "delegate"))


def block_type(module, immediate):
    """The FuncType of a blocktype immediate."""
    if isinstance(immediate, int):
        return module.types[immediate].comp
    return FuncType((), () if immediate is None else (immediate,))


def memarg(op, imm):
    """(memarg, lane number or None) of a memory access."""
    return imm if "laneidx" in op.imm else (imm, None)


class Walk:
    """Base of what translates a body. Subclasses have a method for each of RULES, called with (op, imm);
    `numeric(op, lane)` and `access(op, memarg, lane)` for rows with a body; `reached(offset)`, called before each;
    `module`; `controls`, the open blocks; `start_else(control)`, `start_catch(control, tag index or None)`,
    `start_delegate(control, label index)`, `close(control)`; `passed(mnemonic)`, called for
    blocks in unreachable code. `dead` is 0, or in unreachable code 1 plus the blocks opened there."""

    dead = 0

    def visit(self, body):
        for op, imm, offset in body:
            if self.dead:
                self.skip(op.mnemonic, imm)
                continue
            self.reached(offset)
            rule = RULES.get(op.mnemonic)
            if rule is not None:
                getattr(self, rule)(op, imm)
            elif op.ir is None:
                raise UnsupportedError(f"{op.mnemonic} is not supported yet")
            elif op.access is not None:
                self.access(op, *memarg(op, imm))
            else:
                self.numeric(op, imm)

    def skip(self, mnemonic, imm):
        """Unreachable code: only the nesting matters."""
        if mnemonic in _OPENS:
            self.dead += 1
            self.passed(mnemonic)
        elif mnemonic in ("end", "delegate") and self.dead > 1:
            self.dead -= 1
        elif self.dead == 1 and mnemonic in _ENDS:
            self.dead = 0
            control = self.controls[-1]
            if mnemonic == "else":
                self.start_else(control)
            elif mnemonic in ("catch", "catch_all"):
                self.start_catch(control, imm)
            else:
                if mnemonic == "delegate":
                    self.start_delegate(control, imm)
                self.close(control)
