/* Bulk memory: memory.copy and memory.fill of 16 bytes to 64 KiB, overlapping too, n times. */
#include "kernel.h"

#define LENGTH 131072

static uint8_t buffer[LENGTH];

static int32_t length_of(uint32_t random) { return 16 << random % 13; }

int64_t run(int32_t n) {
    int64_t checksum = 0;
    uint32_t state = 1;
    for (int32_t i = 0; i < LENGTH; i++) buffer[i] = (uint8_t)(i ^ i >> 8);
    for (int32_t i = 0; i < n; i++) {
        int32_t length = length_of(lcg(&state) >> 8);
        uint32_t to = lcg(&state) % (uint32_t)(LENGTH - length);
        uint32_t from = lcg(&state) % (uint32_t)(LENGTH - length);
        __builtin_memmove(buffer + to, buffer + from, (unsigned long)length);
        __builtin_memset(buffer + from, i, (unsigned long)length / 16);
        checksum = mix(checksum, buffer[to] << 8 | buffer[from]);
    }
    return checksum;
}
