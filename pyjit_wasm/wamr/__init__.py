"""WAMR's embedding interface (wasm_export.h) under its names, without the prefix `wasm_runtime_` or `wasm_`.

Handles are this package's own objects: a module is a `wasm.Module`, an instance a `wasm.Instance`, an exec_env a
`wasm.ExecEnv`, a function a `wasm.Function`. Sizes of arguments and error buffers, which Python needs none of, are left out.
docs/wamr.md compares function by function.
"""
from pyjit_wasm.wamr.application import application_execute_func, application_execute_main
from pyjit_wasm.wamr.calls import (call_wasm, call_wasm_a, call_wasm_v, create_exec_env, destroy_exec_env,
                                   get_exec_env_singleton, get_module_inst, get_user_data, lookup_function, set_user_data)
from pyjit_wasm.wamr.dumps import (dump_call_stack, dump_call_stack_to_buf, dump_mem_consumption, get_call_stack_buf_size)
from pyjit_wasm.wamr.memory import (addr_app_to_native, addr_native_to_app, get_app_addr_range, get_native_addr_range,
                                    module_dup_data, module_free, module_malloc, validate_app_addr, validate_app_str_addr,
                                    validate_native_addr)
from pyjit_wasm.wamr.modules import (Mode_Default, Mode_Fast_JIT, Mode_Interp, Mode_LLVM_JIT, Mode_Multi_Tier_JIT,
                                     RunningMode, deinstantiate, destroy, get_running_mode, init, instantiate,
                                     is_running_mode_supported, load, set_default_running_mode, set_running_mode,
                                     set_wasi_args, set_wasi_args_ex, unload)
from pyjit_wasm.wamr.natives import get_function_attachment, register_natives, unregister_natives
from pyjit_wasm.wamr.perf import dump_perf_profiling, get_wasm_func_exec_time, start_perf_profiling, sum_wasm_exec_time
from pyjit_wasm.wamr.state import (clear_exception, get_custom_data, get_exception, get_wasi_exit_code, set_custom_data,
                                   set_exception, terminate)

__all__ = [
    "Mode_Default", "Mode_Fast_JIT", "Mode_Interp", "Mode_LLVM_JIT", "Mode_Multi_Tier_JIT", "RunningMode",
    "addr_app_to_native", "addr_native_to_app", "application_execute_func", "application_execute_main", "call_wasm",
    "call_wasm_a", "call_wasm_v", "clear_exception", "create_exec_env", "deinstantiate", "destroy", "destroy_exec_env",
    "dump_call_stack", "dump_call_stack_to_buf", "dump_mem_consumption", "dump_perf_profiling", "get_app_addr_range",
    "get_call_stack_buf_size", "get_custom_data", "get_exception", "get_exec_env_singleton", "get_function_attachment",
    "get_module_inst", "get_native_addr_range", "get_running_mode", "get_user_data", "get_wasi_exit_code",
    "get_wasm_func_exec_time", "init", "instantiate", "is_running_mode_supported", "load", "lookup_function",
    "module_dup_data", "module_free", "module_malloc", "register_natives", "set_custom_data", "set_default_running_mode",
    "set_exception", "set_running_mode", "set_user_data", "set_wasi_args", "set_wasi_args_ex", "start_perf_profiling",
    "sum_wasm_exec_time", "terminate", "unload", "unregister_natives", "validate_app_addr", "validate_app_str_addr",
    "validate_native_addr",
]
