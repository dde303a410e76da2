/* f64 matrix product, the plain triple loop over two-dimensional C arrays: n by n, n <= 900. */
#include "kernel.h"

#define MAX 900

static double a[MAX][MAX], b[MAX][MAX], c[MAX][MAX];

static void fill(int32_t n) {
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < n; j++) {
            a[i][j] = (i + 1) * 0.5 - j * 0.25;
            b[i][j] = (j + 1) * 0.125 + i * 0.75;
            c[i][j] = 0.0;
        }
}

static void multiply(int32_t n) {
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < n; j++)
            for (int32_t k = 0; k < n; k++) c[i][j] += a[i][k] * b[k][j];
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    fill(n);
    multiply(n);
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < n; j++) checksum = mix(checksum, bits_of(c[i][j]));
    return checksum;
}
