"""Rules of variable instructions (spec 3.4.4)."""
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.types import RefType, defaultable
from pyjit_wasm.valid.body import lookup


def local_get(body, imm):
    try:
        body.stack.append(body.locals[imm])
    except IndexError:
        raise ValidationError(f"unknown local {imm}") from None
    if body.assigned is not None and imm not in body.assigned and not defaultable(body.locals[imm]):
        raise ValidationError(f"uninitialized local {imm}")


def _initialize(body, index):
    if body.assigned is not None and index not in body.assigned:
        body.assigned.add(index)
        body.initialized.append(index)


def local_set(body, imm):
    body.pop(lookup(body.locals, imm, "local"))
    _initialize(body, imm)


def local_tee(body, imm):
    valtype = lookup(body.locals, imm, "local")
    body.pop(valtype)
    body.stack.append(valtype)
    _initialize(body, imm)


def _global(body, index):
    if index >= body.globals:
        raise ValidationError(f"unknown global {index}")
    return body.module.globals[index]


def global_get(body, imm):
    body.stack.append(_global(body, imm).valtype)


def global_set(body, imm):
    variable = _global(body, imm)
    if not variable.mutable:
        raise ValidationError(f"immutable global {imm}")
    if isinstance(variable.valtype, RefType):
        body.writes_references = True
    body.pop(variable.valtype)


RULES = {"local.get": local_get, "local.set": local_set, "local.tee": local_tee, "global.get": global_get,
         "global.set": global_set}
