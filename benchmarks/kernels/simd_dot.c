/* Dot products of f32x4 vectors with four sums, n times over 64 KiB with changing offsets. */
#include "simd.h"

#define COUNT 2048
#define LENGTH (COUNT - 16)

static f32x4 a[COUNT], b[COUNT];

static NOINLINE f32x4 dot(const f32x4 *p, const f32x4 *q) {
    f32x4 s0 = splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (int32_t i = 0; i < LENGTH; i += 4) {
        s0 += p[i] * q[i];
        s1 += p[i + 1] * q[i + 1];
        s2 += p[i + 2] * q[i + 2];
        s3 += p[i + 3] * q[i + 3];
    }
    return (s0 + s1) + (s2 + s3);
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    for (int32_t i = 0; i < COUNT; i++) {
        a[i] = (f32x4){i * 0.5f, 2.0f, -i * 0.25f, 1.0f / (i + 1)};
        b[i] = (f32x4){0.001f, i * 0.003f, 1.0f / (i + 3), -i * 0.002f};
    }
    for (int32_t round = 0; round < n; round++) checksum = mix_lanes(checksum, dot(a + (round & 15), b + (round >> 4 & 15)));
    return checksum;
}
