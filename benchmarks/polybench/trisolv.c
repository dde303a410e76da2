/* L x = b, L lower triangular. */
#include "polybench.h"

#define N 400

static double (*L)[N], *x, *b;

void init(void) {
    ROWS(L, N), ROWS(x, N), ROWS(b, N);
    for (int i = 0; i < N; i++) {
        x[i] = -999;
        b[i] = i;
        for (int j = 0; j <= i; j++)
            L[i][j] = (double)(i + N - j + 1) * 2 / N;
    }
}

void kernel(void) {
    for (int i = 0; i < N; i++) {
        x[i] = b[i];
        for (int j = 0; j < i; j++)
            x[i] -= L[i][j] * x[j];
        x[i] = x[i] / L[i][i];
    }
}

double checksum(void) {
    return FOLD(x, N);
}
