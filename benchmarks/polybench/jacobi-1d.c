/* Jacobi iteration on a line: three points, two arrays in turn. */
#include "polybench.h"

#define STEPS 100
#define N 400

static double *A, *B;

void init(void) {
    ROWS(A, N), ROWS(B, N);
    for (int i = 0; i < N; i++) {
        A[i] = ((double)i + 2) / N;
        B[i] = ((double)i + 3) / N;
    }
}

void kernel(void) {
    for (int t = 0; t < STEPS; t++) {
        for (int i = 1; i < N - 1; i++)
            B[i] = 0.33333 * (A[i - 1] + A[i] + A[i + 1]);
        for (int i = 1; i < N - 1; i++)
            A[i] = 0.33333 * (B[i - 1] + B[i] + B[i + 1]);
    }
}

double checksum(void) {
    return FOLD(A, N);
}
