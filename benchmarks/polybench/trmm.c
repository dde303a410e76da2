/* B = alpha A' B, A lower triangular with a unit diagonal. */
#include "polybench.h"

#define M 200
#define N 240

static const double alpha = 1.5;
static double (*A)[M], (*B)[N];

void init(void) {
    ROWS(A, M), ROWS(B, M);
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < i; j++)
            A[i][j] = (double)((i + j) % M) / M;
        A[i][i] = 1;
        for (int j = 0; j < N; j++)
            B[i][j] = (double)((N + (i - j)) % N) / N;
    }
}

void kernel(void) {
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            for (int k = i + 1; k < M; k++)
                B[i][j] += A[k][i] * B[k][j];
            B[i][j] = alpha * B[i][j];
        }
}

double checksum(void) {
    return FOLD(B, M);
}
