/* Heat diffusion in space: seven points, two arrays in turn. */
#include "polybench.h"

#define STEPS 100
#define N 40

static double (*A)[N][N], (*B)[N][N];

void init(void) {
    ROWS(A, N), ROWS(B, N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int k = 0; k < N; k++)
                A[i][j][k] = B[i][j][k] = (double)(i + j + (N - k)) * 10 / N;
}

/* The new value of a point of `a`. */
#define POINT(a)                                                          \
    (0.125 * (a[i + 1][j][k] - 2.0 * a[i][j][k] + a[i - 1][j][k])         \
     + 0.125 * (a[i][j + 1][k] - 2.0 * a[i][j][k] + a[i][j - 1][k])       \
     + 0.125 * (a[i][j][k + 1] - 2.0 * a[i][j][k] + a[i][j][k - 1])       \
     + a[i][j][k])

void kernel(void) {
    for (int t = 1; t <= STEPS; t++) {
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                for (int k = 1; k < N - 1; k++)
                    B[i][j][k] = POINT(A);
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                for (int k = 1; k < N - 1; k++)
                    A[i][j][k] = POINT(B);
    }
}

double checksum(void) {
    return FOLD(A, N);
}
