"""Rules of control instructions (spec 3.4.1, 3.4.2), exceptions and legacy exceptions included."""
from pyjit_wasm.errors import ValidationError
from pyjit_wasm.types import EXNREF, FUNCREF, FuncType, RefType, matches
from pyjit_wasm.valid.body import BOTTOM, all_fit, listed, lookup

EXN = RefType(False, "exn")


def function_type(body, index):
    """The FuncType of a type index."""
    comp = lookup(body.module.types, index, "type").comp
    if not isinstance(comp, FuncType):
        raise ValidationError(f"type mismatch: type {index} is not a function type")
    return comp


def block_type(body, imm):
    """Parameters and results of a block type."""
    if imm is None:
        return (), ()
    if isinstance(imm, int):
        comp = function_type(body, imm)
        return comp.params, comp.results
    return (), (imm,)


def unreachable(body, _):
    body.set_unreachable()


def block(mnemonic):
    def rule(body, imm):
        params, results = block_type(body, imm)
        body.pop_all(params)
        body.enter(mnemonic, params, results)
    return rule


_try = block("try")


def loop(body, imm):
    body.has_loop = True
    enter_loop(body, imm)


def if_(body, imm):
    body.pop_condition()
    enter_if(body, imm)


enter_loop, enter_if, enter_try_table = block("loop"), block("if"), block("try_table")


def else_(body, _):
    frame = body.leave()
    body.enter("else", frame.params, frame.results)


def end(body, _):
    if body.frames[-1].mnemonic == "if":
        else_(body, None)
    body.stack += body.leave().results


def br(body, imm):
    body.pop_all(body.label(imm))
    body.set_unreachable()


def br_if(body, imm):
    body.pop_condition()
    label = body.label(imm)
    body.apply(label, label)


def br_table(body, imm):
    targets, default = imm
    body.pop_condition()
    arity = len(body.label(default))
    # labels of one type need only one check; there may be thousands
    for label in {id(label): label for label in map(body.label, {*targets, default})}.values():
        if len(label) != arity:
            raise ValidationError(f"type mismatch: labels of {arity} and {len(label)} values")
        body.require(label)
    body.set_unreachable()


def return_(body, _):
    body.pop_all(body.results)
    body.set_unreachable()


def _tail(body, comp):
    """The rest of a tail call: the callee's results become the caller's."""
    if not all_fit(comp.results, body.results):
        raise ValidationError(f"type mismatch: current function requires result type {listed(body.results)} "
                              f"but callee returns {listed(comp.results)}")
    body.pop_all(comp.params)
    body.set_unreachable()


def _callee(body, imm):
    body.calls.add(imm)
    return lookup(body.module.funcs, imm, "function").comp


def _indirect_callee(body, imm):
    typeidx, tableidx = imm
    table = lookup(body.module.tables, tableidx, "table")
    if not matches(table.elem, FUNCREF):
        raise ValidationError(f"type mismatch: instruction requires table of functions but table has {table.elem}")
    body.indirect = True
    comp = function_type(body, typeidx)
    body.pop(table.addr)
    return comp


def _reference_callee(body, imm):
    body.indirect = True
    comp = function_type(body, imm)
    body.pop(RefType(True, body.module.types[imm]))
    return comp


def call(callee):
    """A call, `callee` finds out of what type."""
    def rule(body, imm):
        comp = callee(body, imm)
        body.apply(comp.params, comp.results)
    return rule


def tail_call(callee):
    def rule(body, imm):
        body.tail_calls = True
        _tail(body, callee(body, imm))
    return rule


def tag_params(body, index):
    return lookup(body.module.tags, index, "tag").deftype.comp.params


def try_(body, imm):
    body.exceptions = body.legacy_exceptions = True
    _try(body, imm)


def throw(body, imm):
    body.exceptions = True
    body.pop_all(tag_params(body, imm))
    body.set_unreachable()


def throw_ref(body, _):
    body.exceptions = True
    body.pop(EXNREF)
    body.set_unreachable()


def try_table(body, imm):
    blocktype, catches = imm
    body.exceptions = True
    for kind, tagidx, labelidx in catches:
        caught = () if tagidx is None else tag_params(body, tagidx)
        if kind & 1:    # catch_ref, catch_all_ref
            caught += (EXN,)
        label = body.label(labelidx)
        if not all_fit(caught, label):
            raise ValidationError(f"type mismatch: catch yields {listed(caught)} but label takes {listed(label)}")
    enter_try_table(body, blocktype)


def catch(body, imm):
    results = body.leave().results
    body.enter("catch", tag_params(body, imm), results)


def catch_all(body, _):
    results = body.leave().results
    body.enter("catch_all", (), results)


def delegate(body, imm):
    frame = body.leave()
    body.label(imm)
    body.stack += frame.results


def rethrow(body, imm):
    body.label(imm)
    if body.frames[~imm].mnemonic not in ("catch", "catch_all"):
        raise ValidationError("invalid rethrow label")
    body.set_unreachable()


def drop(body, _):
    body.pop_any()


def select(body, imm):
    if imm is not None and len(imm) != 1:
        raise ValidationError("invalid result arity")
    body.pop_condition()
    if imm is not None:
        body.apply(imm * 2, imm)
        return
    second, first = body.pop_any(), body.pop_any()
    for actual in (first, second):
        if isinstance(actual, RefType):
            raise ValidationError(f"type mismatch: select without a type but stack has [{actual}]")
    if first != second and BOTTOM not in (first, second):
        raise ValidationError(f"type mismatch: select between {first} and {second}")
    body.stack.append(second if first == BOTTOM else first)


RULES = {
    "unreachable": unreachable, "block": block("block"), "loop": loop, "if": if_, "else": else_, "end": end,
    "br": br, "br_if": br_if, "br_table": br_table, "return": return_,
    "call": call(_callee), "call_indirect": call(_indirect_callee), "call_ref": call(_reference_callee),
    "return_call": tail_call(_callee), "return_call_indirect": tail_call(_indirect_callee),
    "return_call_ref": tail_call(_reference_callee),
    "throw": throw, "throw_ref": throw_ref, "try_table": try_table,
    "try": try_, "catch": catch, "catch_all": catch_all, "delegate": delegate, "rethrow": rethrow,
    "drop": drop, "select": select,
}
