/* Recursive calls with three arguments: Takeuchi's function, n times. */
#include "kernel.h"

static NOINLINE int32_t tak(int32_t x, int32_t y, int32_t z) {
    if (y >= x) return z;
    return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    for (int32_t i = 0; i < n; i++) checksum = mix(checksum, tak(18, 12 - (checksum & 1), 6));
    return checksum;
}
