/* Prints a greeting and its arguments; the exit code is the number of arguments.
 *
 *     python -m ziglang cc -target wasm32-wasi -O2 -s examples/hello.c -o examples/hello.wasm
 */
#include <stdio.h>

int main(int argc, char **argv) {
    printf("Hello from WebAssembly!\n");
    for (int i = 1; i < argc; i++) printf("argument %d: %s\n", i, argv[i]);
    return argc - 1;
}
