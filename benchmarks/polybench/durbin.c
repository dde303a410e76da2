/* Durbin's recursion for the Yule-Walker equations. */
#include "polybench.h"

#define N 400

static double *r, *y;

void init(void) {
    ROWS(r, N), ROWS(y, N);
    for (int i = 0; i < N; i++)
        r[i] = N + 1 - i;
}

void kernel(void) {
    double z[N], alpha = -r[0], beta = 1;
    y[0] = -r[0];
    for (int k = 1; k < N; k++) {
        double sum = 0;
        beta = (1 - alpha * alpha) * beta;
        for (int i = 0; i < k; i++)
            sum += r[k - i - 1] * y[i];
        alpha = -(r[k] + sum) / beta;
        for (int i = 0; i < k; i++)
            z[i] = y[i] + alpha * y[k - i - 1];
        for (int i = 0; i < k; i++)
            y[i] = z[i];
        y[k] = alpha;
    }
}

double checksum(void) {
    return FOLD(y, N);
}
