/* Nested loops of unpredictable length: the longest Collatz chains below n. */
#include "kernel.h"

static int32_t chain_length(int64_t start) {
    int32_t length = 1;
    for (int64_t value = start; value != 1; length++) value = value & 1 ? 3 * value + 1 : value >> 1;
    return length;
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    int32_t longest = 0;
    for (int32_t start = 1; start <= n; start++) {
        int32_t length = chain_length(start);
        if (length > longest) {
            longest = length;
            checksum = mix(checksum, start);
        }
        checksum += length;
    }
    return checksum;
}
