/* Counts and finds bytes in a text of 64 KiB, 16 at a time: n searches from changing places. */
#include "simd.h"

#define SIZE 65536

static i8x16 text[SIZE / 16];

/* Index of the first `wanted` in or behind block `from`, or SIZE. */
static NOINLINE int32_t find(char wanted, int32_t from) {
    i8x16 needle = (i8x16){} + wanted;
    for (int32_t i = from; i < SIZE / 16; i++) {
        uint32_t found = bitmask(text[i] == needle);
        if (found) return i * 16 + __builtin_ctz(found);
    }
    return SIZE;
}

static NOINLINE int32_t count(char wanted) {
    i8x16 needle = (i8x16){} + wanted;
    int32_t total = 0;
    for (int32_t i = 0; i < SIZE / 16; i++) total += __builtin_popcount(bitmask(text[i] == needle));
    return total;
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    uint32_t state = 7;
    char *bytes = (char *)text;
    for (int32_t i = 0; i < SIZE; i++) bytes[i] = 'a' + lcg(&state) % 25;
    for (int32_t i = 0; i < 16; i++) bytes[i * 4099] = 'z';
    for (int32_t round = 0; round < n; round++) {
        checksum = mix(checksum, find('z', lcg(&state) % (SIZE / 16)));
        if (round % 16 == 0) checksum = mix(checksum, count('a' + round / 16 % 26));
    }
    return checksum;
}
