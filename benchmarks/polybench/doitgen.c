/* A[r][q] = A[r][q] C4, vector by vector (multiresolution analysis). */
#include "polybench.h"

#define NR 50
#define NQ 40
#define NP 60

static double (*A)[NQ][NP], (*C4)[NP], *sum;

void init(void) {
    ROWS(A, NR), ROWS(C4, NP), ROWS(sum, NP);
    for (int r = 0; r < NR; r++)
        for (int q = 0; q < NQ; q++)
            for (int p = 0; p < NP; p++)
                A[r][q][p] = (double)((r * q + p) % NP) / NP;
    for (int s = 0; s < NP; s++)
        for (int p = 0; p < NP; p++)
            C4[s][p] = (double)(s * p % NP) / NP;
}

void kernel(void) {
    for (int r = 0; r < NR; r++)
        for (int q = 0; q < NQ; q++) {
            for (int p = 0; p < NP; p++) {
                sum[p] = 0;
                for (int s = 0; s < NP; s++)
                    sum[p] += A[r][q][s] * C4[s][p];
            }
            for (int p = 0; p < NP; p++)
                A[r][q][p] = sum[p];
        }
}

double checksum(void) {
    return FOLD(A, NR);
}
