/* Shared by every kernel: the one export, and a mixer for checksums. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdint.h>

#define NOINLINE __attribute__((noinline))

/* The only export of a kernel: does work that grows with n and returns a checksum of it. */
__attribute__((visibility("default"))) int64_t run(int32_t n);

/* Folds one value into a checksum; the order of the values matters. */
static inline int64_t mix(int64_t checksum, int64_t value) {
    uint64_t h = ((uint64_t)checksum ^ (uint64_t)value) * 0x9E3779B97F4A7C15u;
    return (int64_t)(h ^ (h >> 29));
}

static inline int64_t bits_of(double value) {
    union { double f; int64_t i; } u = {value};
    return u.i;
}

/* A linear congruential generator: 31 pseudo-random bits a call. */
static inline uint32_t lcg(uint32_t *state) {
    *state = *state * 1103515245u + 12345u;
    return *state >> 1;
}

#endif
