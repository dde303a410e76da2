/* y = alpha A x + beta B x. */
#include "polybench.h"

#define N 250

static const double alpha = 1.5, beta = 1.2;
static double (*A)[N], (*B)[N], *sums, *x, *y;

void init(void) {
    ROWS(A, N), ROWS(B, N), ROWS(sums, N), ROWS(x, N), ROWS(y, N);
    for (int i = 0; i < N; i++) {
        x[i] = (double)(i % N) / N;
        for (int j = 0; j < N; j++) {
            A[i][j] = (double)((i * j + 1) % N) / N;
            B[i][j] = (double)((i * j + 2) % N) / N;
        }
    }
}

void kernel(void) {
    for (int i = 0; i < N; i++) {
        sums[i] = y[i] = 0;
        for (int j = 0; j < N; j++) {
            sums[i] = A[i][j] * x[j] + sums[i];
            y[i] = B[i][j] * x[j] + y[i];
        }
        y[i] = alpha * sums[i] + beta * y[i];
    }
}

double checksum(void) {
    return FOLD(y, N);
}
