/* Products of 4 by 4 matrices of f32: n rounds over 256 pairs. */
#include "simd.h"

#define PAIRS 256

typedef struct { f32x4 rows[4]; } Matrix;

static Matrix a[PAIRS], b[PAIRS], c[PAIRS];

#define LANE(v, i) __builtin_shufflevector(v, v, i, i, i, i)

static inline void multiply(Matrix *restrict to, const Matrix *restrict left, const Matrix *restrict right) {
    for (int row = 0; row < 4; row++) {
        f32x4 r = left->rows[row];
        to->rows[row] = LANE(r, 0) * right->rows[0] + LANE(r, 1) * right->rows[1] + LANE(r, 2) * right->rows[2] +
                        LANE(r, 3) * right->rows[3];
    }
}

static NOINLINE void round_of(int32_t shift) {
    for (int32_t i = 0; i < PAIRS; i++) multiply(&c[i], &a[i], &b[(i + shift) % PAIRS]);
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    for (int32_t i = 0; i < PAIRS; i++)
        for (int row = 0; row < 4; row++) {
            a[i].rows[row] = (f32x4){i * 0.01f, row + 1.0f, 0.5f, i - row * 2.0f};
            b[i].rows[row] = (f32x4){row * 0.25f, i * 0.125f, 1.0f - i, 0.75f};
        }
    for (int32_t round = 0; round < n; round++) {
        round_of(round);
        checksum = mix_lanes(checksum, c[round % PAIRS].rows[round & 3]);
    }
    return checksum;
}
