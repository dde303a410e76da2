"""Who catches an exception: the frames of an interpreter activation, from the one that throws outwards."""
from pyjit_wasm.codegen import native
from pyjit_wasm.interp.interpreter import restore_handlers
from pyjit_wasm.runtime import exceptions, trace
from pyjit_wasm.runtime.collector import hold
from pyjit_wasm.runtime.crossings import crossing
from pyjit_wasm.runtime.exceptions import word
from pyjit_wasm.runtime.layout import EXEC_ENV, EXN, FRAME
from pyjit_wasm.runtime.services import provides
from pyjit_wasm.types import slots

_WORD = 8
_SAVED_INSTANCE = FRAME.size


@provides
def unwind(env, ip, _):
    """Where the exception goes on that is in flight: the address of threaded code, its frame and instance in
    `env`; or 0 if no frame of this activation catches it. `ip`: the instruction that throws, or 0 if the
    callee has that the frame belongs to."""
    with crossing:
        return _unwind(env, ip)


def _unwind(env, ip):
    fp, inst = word(env + EXEC_ENV.exit_fp).value, word(env + EXEC_ENV.next_inst).value
    exn = word(env + EXEC_ENV.exception).value
    while True:
        place = ip
        if not ip:
            return_ip, fp, inst = _caller(fp, inst)
            if not fp:
                word(env + EXEC_ENV.next_entry).value = native.externals["rt_throw"]
                return 0
            place = return_ip - 1
        code = trace.owner_of(place)
        clause = _clause(code, code.attempt_at(place - code.address), inst, exn)
        if clause is not None:
            word(env + EXEC_ENV.exception).value = 0
            word(env + EXEC_ENV.next_fp).value, word(env + EXEC_ENV.next_inst).value = fp, inst
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
