/* C = alpha A B + beta C. */
#include "polybench.h"

#define NI 200
#define NJ 220
#define NK 240

static const double alpha = 1.5, beta = 1.2;
static double (*A)[NK], (*B)[NJ], (*C)[NJ];

void init(void) {
    ROWS(A, NI), ROWS(B, NK), ROWS(C, NI);
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NJ; j++)
            C[i][j] = (double)((i * j + 1) % NI) / NI;
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NK; j++)
            A[i][j] = (double)(i * (j + 1) % NK) / NK;
    for (int i = 0; i < NK; i++)
        for (int j = 0; j < NJ; j++)
            B[i][j] = (double)(i * (j + 2) % NJ) / NJ;
}

void kernel(void) {
    for (int i = 0; i < NI; i++) {
        for (int j = 0; j < NJ; j++)
            C[i][j] *= beta;
        for (int k = 0; k < NK; k++)
            for (int j = 0; j < NJ; j++)
                C[i][j] += alpha * A[i][k] * B[k][j];
    }
}

double checksum(void) {
    return FOLD(C, NI);
}
