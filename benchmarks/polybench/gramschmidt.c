/* A = Q R by the modified Gram-Schmidt process. */
#include "polybench.h"

#define M 200
#define N 240

static double (*A)[N], (*R)[N], (*Q)[N];

void init(void) {
    ROWS(A, M), ROWS(R, N), ROWS(Q, M);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            A[i][j] = (double)(i * j % M) / M * 100 + 10;
            Q[i][j] = 0;
        }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            R[i][j] = 0;
}

void kernel(void) {
    for (int k = 0; k < N; k++) {
        double norm = 0;
        for (int i = 0; i < M; i++)
            norm += A[i][k] * A[i][k];
        R[k][k] = __builtin_sqrt(norm);
        for (int i = 0; i < M; i++)
            Q[i][k] = A[i][k] / R[k][k];
        for (int j = k + 1; j < N; j++) {
            R[k][j] = 0;
            for (int i = 0; i < M; i++)
                R[k][j] += Q[i][k] * A[i][j];
            for (int i = 0; i < M; i++)
                A[i][j] = A[i][j] - Q[i][k] * R[k][j];
        }
    }
}

double checksum(void) {
    return FOLD(R, N) + FOLD(Q, M);
}
