/* f64 matrix product with the loops interchanged (i, k, j): contiguous inner loop; n by n, n <= 1,000. */
#include "kernel.h"

#define MAX 1000

static double a[MAX][MAX], b[MAX][MAX], c[MAX][MAX];

static void fill(int32_t n) {
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < n; j++) {
            a[i][j] = (i - j) * 0.03125;
            b[i][j] = (i + j) * 0.0625;
            c[i][j] = 0.0;
        }
}

static void multiply(int32_t n) {
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; k < n; k++)
            for (int32_t j = 0; j < n; j++) c[i][j] += a[i][k] * b[k][j];
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    fill(n);
    multiply(n);
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < n; j++) checksum = mix(checksum, bits_of(c[i][j]));
    return checksum;
}
