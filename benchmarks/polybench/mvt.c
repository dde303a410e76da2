/* x1 += A y1 and x2 += A' y2. */
#include "polybench.h"

#define N 400

static double (*A)[N], *x1, *x2, *y1, *y2;

void init(void) {
    ROWS(A, N), ROWS(x1, N), ROWS(x2, N), ROWS(y1, N), ROWS(y2, N);
    for (int i = 0; i < N; i++) {
        x1[i] = (double)(i % N) / N;
        x2[i] = (double)((i + 1) % N) / N;
        y1[i] = (double)((i + 3) % N) / N;
        y2[i] = (double)((i + 4) % N) / N;
        for (int j = 0; j < N; j++)
            A[i][j] = (double)(i * j % N) / N;
    }
}

void kernel(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            x1[i] = x1[i] + A[i][j] * y1[j];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            x2[i] = x2[i] + A[j][i] * y2[j];
}

double checksum(void) {
    return FOLD(x1, N) + FOLD(x2, N);
}
