/* The Cholesky factor of a positive definite matrix, in its lower triangle. */
#include "polybench.h"

#define N 400

static double (*A)[N];

void init(void) {
    ROWS(A, N);
    positive_definite(N, A);
}

void kernel(void) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            for (int k = 0; k < j; k++)
                A[i][j] -= A[i][k] * A[j][k];
            A[i][j] /= A[j][j];
        }
        for (int k = 0; k < i; k++)
            A[i][i] -= A[i][k] * A[i][k];
        A[i][i] = __builtin_sqrt(A[i][i]);
    }
}

double checksum(void) {
    return FOLD(A, N);
}
