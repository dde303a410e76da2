/* y += a * x over f32x4 vectors, n times over the same 64 KiB. */
#include "simd.h"

#define COUNT 2048

static f32x4 x[COUNT], y[COUNT];

static NOINLINE void saxpy(float a) {
    f32x4 factor = splat(a);
    for (int32_t i = 0; i < COUNT; i++) y[i] += factor * x[i];
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    for (int32_t i = 0; i < COUNT; i++) {
        x[i] = (f32x4){i * 0.5f, 1.0f - i, i * 0.25f, 3.0f};
        y[i] = splat(i * 0.125f);
    }
    for (int32_t round = 0; round < n; round++) saxpy((round & 7) * 0.0625f - 0.2f);
    for (int32_t i = 0; i < COUNT; i++) checksum = mix_lanes(checksum, y[i]);
    return checksum;
}
