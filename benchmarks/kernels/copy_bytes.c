/* Memory copied a byte at a time (also backwards, and between overlapping places), 64 KiB n times. */
#include "kernel.h"

#define LENGTH 65536

static uint8_t from[LENGTH + 64], to[LENGTH + 64];

/* Without the attribute clang turns the loops into memory.copy, which is the kernel `memmove`. */
__attribute__((noinline, no_builtin)) static void copy(uint8_t *target, const uint8_t *source, int32_t length) {
    for (int32_t i = 0; i < length; i++) target[i] = source[i];
}

__attribute__((noinline, no_builtin)) static void copy_backwards(uint8_t *target, const uint8_t *source,
                                                                 int32_t length) {
    while (length-- > 0) target[length] = source[length];
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    for (int32_t i = 0; i < LENGTH + 64; i++) from[i] = (uint8_t)(i * 7 + (i >> 8));
    for (int32_t i = 0; i < n; i++) {
        copy(to + i % 61, from, LENGTH);
        copy_backwards(from + 1, to + 40, LENGTH - 40);
        copy(from, from + 32, LENGTH - 32);
        from[i * 31 % LENGTH] += (uint8_t)i;
        checksum = mix(checksum, from[i * 131 % LENGTH] << 8 | to[i * 17 % LENGTH]);
    }
    return checksum;
}
