/* C = alpha A B + beta C, of the symmetric A only the lower triangle. */
#include "polybench.h"

#define M 200
#define N 240

static const double alpha = 1.5, beta = 1.2;
static double (*A)[M], (*B)[N], (*C)[N];

void init(void) {
    ROWS(A, M), ROWS(B, M), ROWS(C, M);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            C[i][j] = (double)((i + j) % 100) / M;
            B[i][j] = (double)((N + i - j) % 100) / M;
        }
    for (int i = 0; i < M; i++)
        for (int j = 0; j < M; j++)
            A[i][j] = j <= i ? (double)((i + j) % 100) / M : -999;
}

void kernel(void) {
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < i; k++) {
                C[k][j] += alpha * B[i][j] * A[i][k];
                sum += B[k][j] * A[i][k];
            }
            C[i][j] = beta * C[i][j] + alpha * B[i][j] * A[i][i] + alpha * sum;
        }
}

double checksum(void) {
    return FOLD(C, M);
}
