/* Shared by the PolyBench kernels: exports, arrays and checksums.
 *
 * A kernel defines init(), kernel() and checksum(). Its arrays are pointers to rows that init() allocates, so the
 * compiler does not know that they do not overlap, as it does not in PolyBench. DATA is their element type. */
#ifndef POLYBENCH_H
#define POLYBENCH_H

#include <stddef.h>
#include <stdlib.h>

#ifndef DATA
#define DATA double
#endif
#define EXPORT __attribute__((visibility("default"), noinline))

EXPORT void init(void);       /* gives the arrays their first values; the kernel may have changed them */
EXPORT void kernel(void);     /* the loops that are measured */
EXPORT double checksum(void); /* of what the kernel leaves, by FOLD */

EXPORT void run(void) {
    init();
    kernel();
}

EXPORT void nothing(void) {} /* what a call costs */

static inline void *allocate(size_t bytes) {
    void *block = 0;
    if (posix_memalign(&block, 4096, bytes)) __builtin_trap();
    return block;
}

/* Allocates `count` rows the first time it runs. */
#define ROWS(array, count) ((array) = (array) ? (array) : allocate((count) * sizeof *(array)))

/* The sum of all elements of `count` rows, each with a weight that depends on its place. */
#define FOLD(array, count) fold((const DATA *)(array), (count) * sizeof *(array) / sizeof(DATA))

static inline double fold(const DATA *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)(i % 1021 + 1);
    return sum;
}

/* Makes A the product L * transposed(L) of the lower triangular L with a unit diagonal and L[i][j] = 1 - j / n. */
static inline void positive_definite(int n, double (*A)[n]) {
    static double *lower;
    if (!lower) lower = allocate(sizeof(double) * n * n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++)
            lower[i * n + j] = i == j ? 1.0 : (double)-j / n + 1;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = 0;
            for (int k = 0; k <= j; k++)
                sum += lower[i * n + k] * lower[j * n + k];
            A[i][j] = A[j][i] = sum;
        }
}

#endif
