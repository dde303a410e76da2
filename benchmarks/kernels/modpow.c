/* i64 arithmetic: xorshift numbers and 64-bit remainders; n Fermat tests by square-and-multiply. */
#include "kernel.h"

static uint64_t xorshift(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static NOINLINE uint64_t power_modulo(uint64_t base, uint64_t exponent, uint64_t modulus) {
    uint64_t result = 1;
    for (base %= modulus; exponent; exponent >>= 1) {
        if (exponent & 1) result = result * base % modulus;
        base = base * base % modulus;
    }
    return result;
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    uint64_t state = 88172645463325252u;
    for (int32_t i = 0; i < n; i++) {
        uint64_t candidate = (xorshift(&state) >> 32) | 0x80000001u;
        uint64_t residue = power_modulo(2, candidate - 1, candidate);
        if (residue == 1) checksum = mix(checksum, (int64_t)candidate);
        checksum += (int64_t)residue;
    }
    return checksum;
}
