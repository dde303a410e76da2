"""Frames of compiled functions in the stack buffer of the exec_env, for dumps (`Engine(dump_call_stack=True)`).

A function puts a BUFFER_FRAME behind what is in the buffer, notes in it where it calls, and takes it away when it returns.
"""
from pyjit_wasm.opcodes import TRAP_CODE
from pyjit_wasm.runtime.layout import BUFFER_FRAME, EXEC_ENV


def push(body):
    """At a function's start."""
    top = body.load("ptr", "%env", EXEC_ENV.top)
    end = body.at(top, BUFFER_FRAME.size)
    body.trap(body.let(f"icmp ugt ptr {end}, {body.load('ptr', '%env', EXEC_ENV.stack_end)}"),
              TRAP_CODE["call stack exhausted"])
    previous = body.load("ptr", "%env", EXEC_ENV.frame)
    body.store("ptr", previous, top, BUFFER_FRAME.previous)
    body.store("ptr", "%inst", top, BUFFER_FRAME.inst)
    body.store("i64", body.funcidx, top, BUFFER_FRAME.funcidx)
    body.store("i64", body.code.start, top, BUFFER_FRAME.offset)
    body.store("ptr", top, "%env", EXEC_ENV.frame)
    body.store("ptr", end, "%env", EXEC_ENV.top)
    return top, previous


def note(body, frame):
    """Before a call."""
    body.store("i64", body.offset, frame[0], BUFFER_FRAME.offset)


def pop(body, frame):
    """Before the function ends."""
    top, previous = frame
    body.store("ptr", top, "%env", EXEC_ENV.top)
    body.store("ptr", previous, "%env", EXEC_ENV.frame)
