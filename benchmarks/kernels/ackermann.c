/* Deep recursion: ackermann(3, 6 or 7), n times; at most 1,024 calls deep. */
#include "kernel.h"

static NOINLINE int32_t ackermann(int32_t m, int32_t n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    for (int32_t i = 0; i < n; i++) checksum = mix(checksum, ackermann(3, 6 + (checksum & 1)));
    return checksum;
}
