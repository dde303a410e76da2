/* The correlation matrix of N observations of M variables. */
#include "polybench.h"

#define M 240
#define N 260

static double (*data)[M], (*corr)[M], *mean, *deviation;

void init(void) {
    ROWS(data, N), ROWS(corr, M), ROWS(mean, M), ROWS(deviation, M);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < M; j++)
            data[i][j] = (double)(i * j) / M + i;
}

void kernel(void) {
    for (int j = 0; j < M; j++) {
        mean[j] = 0;
        for (int i = 0; i < N; i++)
            mean[j] += data[i][j];
        mean[j] /= N;
    }
    for (int j = 0; j < M; j++) {
        deviation[j] = 0;
        for (int i = 0; i < N; i++)
            deviation[j] += (data[i][j] - mean[j]) * (data[i][j] - mean[j]);
        deviation[j] = __builtin_sqrt(deviation[j] / N);
        if (deviation[j] <= 0.1) deviation[j] = 1;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < M; j++) {
            data[i][j] -= mean[j];
            data[i][j] /= __builtin_sqrt(N) * deviation[j];
        }
    for (int i = 0; i < M - 1; i++) {
        corr[i][i] = 1;
        for (int j = i + 1; j < M; j++) {
            corr[i][j] = 0;
            for (int k = 0; k < N; k++)
                corr[i][j] += data[k][i] * data[k][j];
            corr[j][i] = corr[i][j];
        }
    }
    corr[M - 1][M - 1] = 1;
}

double checksum(void) {
    return FOLD(corr, M);
}
