/* The covariance matrix of N observations of M variables. */
#include "polybench.h"

#define M 240
#define N 260

static double (*data)[M], (*cov)[M], *mean;

void init(void) {
    ROWS(data, N), ROWS(cov, M), ROWS(mean, M);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < M; j++)
            data[i][j] = (double)i * j / M;
}

void kernel(void) {
    for (int j = 0; j < M; j++) {
        mean[j] = 0;
        for (int i = 0; i < N; i++)
            mean[j] += data[i][j];
        mean[j] /= N;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < M; j++)
            data[i][j] -= mean[j];
    for (int i = 0; i < M; i++)
        for (int j = i; j < M; j++) {
            cov[i][j] = 0;
            for (int k = 0; k < N; k++)
                cov[i][j] += data[k][i] * data[k][j];
            cov[i][j] /= N - 1.0;
            cov[j][i] = cov[i][j];
        }
}

double checksum(void) {
    return FOLD(cov, M);
}
