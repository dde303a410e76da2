/* C = alpha (A B' + B A') + beta C, the lower triangle. */
#include "polybench.h"

#define M 200
#define N 240

static const double alpha = 1.5, beta = 1.2;
static double (*A)[M], (*B)[M], (*C)[N];

void init(void) {
    ROWS(A, N), ROWS(B, N), ROWS(C, N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < M; j++) {
            A[i][j] = (double)((i * j + 1) % N) / N;
            B[i][j] = (double)((i * j + 2) % M) / M;
        }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            C[i][j] = (double)((i * j + 3) % N) / M;
}

void kernel(void) {
    for (int i = 0; i < N; i++) {
        for (int j = 0; j <= i; j++)
            C[i][j] *= beta;
        for (int k = 0; k < M; k++)
            for (int j = 0; j <= i; j++)
                C[i][j] += A[j][k] * alpha * B[i][k] + B[j][k] * alpha * A[i][k];
    }
}

double checksum(void) {
    return FOLD(C, N);
}
