/* s = A' r and q = A p. */
#include "polybench.h"

#define M 390
#define N 410

static double (*A)[M], *s, *q, *p, *r;

void init(void) {
    ROWS(A, N), ROWS(s, M), ROWS(q, N), ROWS(p, M), ROWS(r, N);
    for (int i = 0; i < M; i++)
        p[i] = (double)(i % M) / M;
    for (int i = 0; i < N; i++) {
        r[i] = (double)(i % N) / N;
        for (int j = 0; j < M; j++)
            A[i][j] = (double)(i * (j + 1) % N) / N;
    }
}

void kernel(void) {
    for (int i = 0; i < M; i++)
        s[i] = 0;
    for (int i = 0; i < N; i++) {
        q[i] = 0;
        for (int j = 0; j < M; j++) {
            s[j] = s[j] + r[i] * A[i][j];
            q[i] = q[i] + A[i][j] * p[j];
        }
    }
}

double checksum(void) {
    return FOLD(s, M) + FOLD(q, N);
}
