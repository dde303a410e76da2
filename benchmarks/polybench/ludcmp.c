/* A x = b by A = L U, then forward and backward substitution. */
#include "polybench.h"

#define N 400

static double (*A)[N], *b, *x, *y;

void init(void) {
    ROWS(A, N), ROWS(b, N), ROWS(x, N), ROWS(y, N);
    for (int i = 0; i < N; i++) {
        x[i] = y[i] = 0;
        b[i] = (i + 1) / (double)N / 2.0 + 4;
    }
    positive_definite(N, A);
}

void kernel(void) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            double w = A[i][j];
            for (int k = 0; k < j; k++)
                w -= A[i][k] * A[k][j];
            A[i][j] = w / A[j][j];
        }
        for (int j = i; j < N; j++) {
            double w = A[i][j];
            for (int k = 0; k < i; k++)
                w -= A[i][k] * A[k][j];
            A[i][j] = w;
        }
    }
    for (int i = 0; i < N; i++) {
        double w = b[i];
        for (int j = 0; j < i; j++)
            w -= A[i][j] * y[j];
        y[i] = w;
    }
    for (int i = N - 1; i >= 0; i--) {
        double w = y[i];
        for (int j = i + 1; j < N; j++)
            w -= A[i][j] * x[j];
        x[i] = w / A[i][i];
    }
}

double checksum(void) {
    return FOLD(x, N);
}
