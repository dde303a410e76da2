"""Who catches an exception: the frames of an interpreter activation, from the one that throws outwards."""
from pyjit_wasm.interp.interpreter import restore_handlers
from pyjit_wasm.runtime import exceptions, trace
from pyjit_wasm.runtime.collector import hold
from pyjit_wasm.runtime.crossings import crossing
from pyjit_wasm.runtime.exceptions import word
from pyjit_wasm.runtime.layout import EXN, FRAME, UNWINDING
from pyjit_wasm.runtime.services import provides
from pyjit_wasm.types import slots

_WORD = 8
_SAVED_INSTANCE = FRAME.size


@provides
def unwind(unwinding, ip, _):
    """Where the exception goes on that the UNWINDING is about: the address of threaded code, its frame and instance in
    there; or 0 if no frame of this activation catches it. `ip`: the instruction that throws, or 0 if the
    callee has that the frame belongs to."""
    with crossing:
        return _unwind(unwinding, ip)


def _unwind(unwinding, ip):
    fp, inst = word(unwinding + UNWINDING.fp).value, word(unwinding + UNWINDING.inst).value
    exn = word(unwinding + UNWINDING.exception).value
    while True:
        place = ip
        if not ip:
            return_ip, fp, inst = _caller(fp, inst)
            if not fp:
                return 0
            place = return_ip - 1
        code = trace.owner_of(place)
        clause = _clause(code, code.attempt_at(place - code.address), inst, exn)
        if clause is not None:
            word(unwinding + UNWINDING.fp).value, word(unwinding + UNWINDING.inst).value = fp, inst
            _deliver(exn, code, clause, fp)
            return code.address + clause[1].position
        ip = 0


def _caller(fp, inst):
    """(return ip, frame, instance) of the frame below, whose instance is another one if it is restored there."""
    return_ip, caller = word(fp + FRAME.return_ip).value, word(fp + FRAME.caller_fp).value
    if caller and word(return_ip).value in restore_handlers():
        inst = word(caller + _SAVED_INSTANCE).value
    return return_ip, caller, inst


def _clause(code, attempt, inst, exn):
    tag = word(exn + EXN.tag).value
    while attempt is not None:
        for clause in attempt.clauses:
            if clause[0] is None or word(inst + code.layout.tags[clause[0]]).value == tag:
                return clause
        attempt = attempt.outer
    return None


def _deliver(exn, code, clause, fp):
    """Put payload and reference where the clause wants them."""
    tagidx, _, payload, reference = clause
    if tagidx is not None:
        count = slots(code.module.tags[tagidx].deftype.comp.params)
        for index, value in enumerate(exceptions.payload(exn, count)):
            word(fp + _WORD * (payload + index)).value = value
    if reference is None:
        exceptions.drop(exn)
    else:
        hold(exn)
        word(fp + _WORD * reference).value = exn
