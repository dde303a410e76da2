/* Gauss-Seidel iteration in the plane: nine points, in place. */
#include "polybench.h"

#define STEPS 100
#define N 400

static double (*A)[N];

void init(void) {
    ROWS(A, N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            A[i][j] = ((double)i * (j + 2) + 2) / N;
}

void kernel(void) {
    for (int t = 0; t < STEPS; t++)
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                A[i][j] = (A[i - 1][j - 1] + A[i - 1][j] + A[i - 1][j + 1]
                           + A[i][j - 1] + A[i][j] + A[i][j + 1]
                           + A[i + 1][j - 1] + A[i + 1][j] + A[i + 1][j + 1]) / 9.0;
}

double checksum(void) {
    return FOLD(A, N);
}
