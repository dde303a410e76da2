/* A = L U without pivots, in place. */
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
                A[i][j] -= A[i][k] * A[k][j];
            A[i][j] /= A[j][j];
        }
        for (int j = i; j < N; j++)
            for (int k = 0; k < i; k++)
                A[i][j] -= A[i][k] * A[k][j];
    }
}

double checksum(void) {
    return FOLD(A, N);
}
