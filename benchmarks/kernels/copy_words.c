/* Memory copied a word at a time: rows of 32- and 64-bit words gathered and transposed, n times. */
#include "kernel.h"

#define LENGTH 8192
#define SIDE 128

static uint64_t wide_from[LENGTH], wide_to[LENGTH];
static uint32_t narrow_from[SIDE][SIDE], narrow_to[SIDE][SIDE];

/* Without the attribute clang turns the loop into memory.copy, which is the kernel `memmove`. */
__attribute__((noinline, no_builtin)) static void copy(uint64_t *target, const uint64_t *source, int32_t length) {
    for (int32_t i = 0; i < length; i++) target[i] = source[i];
}

static NOINLINE void transpose(uint32_t to[SIDE][SIDE], uint32_t from[SIDE][SIDE]) {
    for (int32_t y = 0; y < SIDE; y++)
        for (int32_t x = 0; x < SIDE; x++) to[x][y] = from[y][x];
}

static void set_up(void) {
    for (int32_t i = 0; i < LENGTH; i++) wide_from[i] = (uint64_t)i * 0x9E3779B97F4A7C15u;
    for (int32_t i = 0; i < SIDE * SIDE; i++) narrow_from[i / SIDE][i % SIDE] = (uint32_t)i * 2654435761u;
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    set_up();
    for (int32_t i = 0; i < n; i++) {
        int32_t shift = i % 64;
        copy(wide_to, wide_from + shift, LENGTH - shift);
        copy(wide_from + 32, wide_to, LENGTH - 64);
        transpose(narrow_to, narrow_from);
        transpose(narrow_from, narrow_to);
        wide_from[i % LENGTH] ^= narrow_from[i % SIDE][i * 7 % SIDE]++;
        checksum = mix(checksum, (int64_t)wide_to[i * 31 % LENGTH]);
    }
    return checksum;
}
