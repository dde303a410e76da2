/* y = A' (A x). */
#include "polybench.h"

#define M 390
#define N 410

static double (*A)[N], *x, *y, *product;

void init(void) {
    ROWS(A, M), ROWS(x, N), ROWS(y, N), ROWS(product, M);
    for (int i = 0; i < N; i++)
        x[i] = 1 + i / (double)N;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++)
            A[i][j] = (double)((i + j) % N) / (5 * M);
}

void kernel(void) {
    for (int i = 0; i < N; i++)
        y[i] = 0;
    for (int i = 0; i < M; i++) {
        product[i] = 0;
        for (int j = 0; j < N; j++)
            product[i] = product[i] + A[i][j] * x[j];
        for (int j = 0; j < N; j++)
            y[j] = y[j] + A[i][j] * product[i];
    }
}

double checksum(void) {
    return FOLD(y, N);
}
