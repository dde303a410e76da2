/* A += u1 v1' + u2 v2'; x = beta A' y + z; w = alpha A x. */
#include "polybench.h"

#define N 400

static const double alpha = 1.5, beta = 1.2;
static double (*A)[N], *u1, *v1, *u2, *v2, *w, *x, *y, *z;

void init(void) {
    ROWS(A, N), ROWS(u1, N), ROWS(v1, N), ROWS(u2, N), ROWS(v2, N), ROWS(w, N), ROWS(x, N), ROWS(y, N), ROWS(z, N);
    for (int i = 0; i < N; i++) {
        double part = (i + 1) / (double)N;
        u1[i] = i;
        u2[i] = part / 2.0;
        v1[i] = part / 4.0;
        v2[i] = part / 6.0;
        y[i] = part / 8.0;
        z[i] = part / 9.0;
        x[i] = w[i] = 0;
        for (int j = 0; j < N; j++)
            A[i][j] = (double)(i * j % N) / N;
    }
}

void kernel(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            A[i][j] = A[i][j] + u1[i] * v1[j] + u2[i] * v2[j];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            x[i] = x[i] + beta * A[j][i] * y[j];
    for (int i = 0; i < N; i++)
        x[i] = x[i] + z[i];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            w[i] = w[i] + alpha * A[i][j] * x[j];
}

double checksum(void) {
    return FOLD(w, N);
}
