/* Sieve of Eratosthenes over 1,000,000 bytes, n times. */
#include "kernel.h"

#define LIMIT 1000000

static uint8_t composite[LIMIT];

static void mark(int32_t first) {
    for (int32_t i = first; i < LIMIT; i++) composite[i] = 0;
    for (int32_t i = 2; i * i < LIMIT; i++)
        if (!composite[i])
            for (int32_t j = i * i; j < LIMIT; j += i) composite[j] = 1;
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    for (int32_t round = 0; round < n; round++) {
        int64_t sum = 0;
        mark(2);
        for (int32_t i = 2; i < LIMIT; i++)
            if (!composite[i]) sum += i;
        checksum = mix(checksum, sum);
    }
    return checksum;
}
