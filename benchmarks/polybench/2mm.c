/* D = alpha A B C + beta D. */
#include "polybench.h"

#define NI 180
#define NJ 190
#define NK 210
#define NL 220

static const double alpha = 1.5, beta = 1.2;
static double (*AB)[NJ], (*A)[NK], (*B)[NJ], (*C)[NL], (*D)[NL];

void init(void) {
    ROWS(AB, NI), ROWS(A, NI), ROWS(B, NK), ROWS(C, NJ), ROWS(D, NI);
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NK; j++)
            A[i][j] = (double)((i * j + 1) % NI) / NI;
    for (int i = 0; i < NK; i++)
        for (int j = 0; j < NJ; j++)
            B[i][j] = (double)(i * (j + 1) % NJ) / NJ;
    for (int i = 0; i < NJ; i++)
        for (int j = 0; j < NL; j++)
            C[i][j] = (double)((i * (j + 3) + 1) % NL) / NL;
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NL; j++)
            D[i][j] = (double)(i * (j + 2) % NK) / NK;
}

void kernel(void) {
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NJ; j++) {
            AB[i][j] = 0;
            for (int k = 0; k < NK; k++)
                AB[i][j] += alpha * A[i][k] * B[k][j];
        }
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NL; j++) {
            D[i][j] *= beta;
            for (int k = 0; k < NJ; k++)
                D[i][j] += AB[i][k] * C[k][j];
        }
}

double checksum(void) {
    return FOLD(D, NI);
}
