/* i64 shifts, rotates, multiplications and bit counts: n steps of two generators. */
#include "kernel.h"

static uint64_t rotate(uint64_t x, int32_t by) { return x << by | x >> (64 - by); }

int64_t run(int32_t n) {
    uint64_t s0 = 1, s1 = 2, weyl = 0, sum = 0;
    for (int32_t i = 0; i < n; i++) {
        uint64_t x = s0 + s1;
        s1 ^= s0;
        s0 = rotate(s0, 24) ^ s1 ^ s1 << 16;
        s1 = rotate(s1, 37);
        weyl += 0x9E3779B97F4A7C15u;
        x ^= (weyl ^ weyl >> 30) * 0xBF58476D1CE4E5B9u;
        sum = sum * 31 + x + (uint64_t)__builtin_popcountll(x) + (uint64_t)__builtin_clzll(x | 1);
    }
    return (int64_t)sum;
}
