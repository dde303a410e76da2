/* G = (A B) (C D). */
#include "polybench.h"

#define NI 180
#define NJ 190
#define NK 200
#define NL 210
#define NM 220

static double (*A)[NK], (*B)[NJ], (*C)[NM], (*D)[NL], (*E)[NJ], (*F)[NL], (*G)[NL];

void init(void) {
    ROWS(A, NI), ROWS(B, NK), ROWS(C, NJ), ROWS(D, NM), ROWS(E, NI), ROWS(F, NJ), ROWS(G, NI);
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NK; j++)
            A[i][j] = (double)((i * j + 1) % NI) / (5 * NI);
    for (int i = 0; i < NK; i++)
        for (int j = 0; j < NJ; j++)
            B[i][j] = (double)((i * (j + 1) + 2) % NJ) / (5 * NJ);
    for (int i = 0; i < NJ; i++)
        for (int j = 0; j < NM; j++)
            C[i][j] = (double)(i * (j + 3) % NL) / (5 * NL);
    for (int i = 0; i < NM; i++)
        for (int j = 0; j < NL; j++)
            D[i][j] = (double)((i * (j + 2) + 2) % NK) / (5 * NK);
}

void kernel(void) {
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NJ; j++) {
            E[i][j] = 0;
            for (int k = 0; k < NK; k++)
                E[i][j] += A[i][k] * B[k][j];
        }
    for (int i = 0; i < NJ; i++)
        for (int j = 0; j < NL; j++) {
            F[i][j] = 0;
            for (int k = 0; k < NM; k++)
                F[i][j] += C[i][k] * D[k][j];
        }
    for (int i = 0; i < NI; i++)
        for (int j = 0; j < NL; j++) {
            G[i][j] = 0;
            for (int k = 0; k < NJ; k++)
                G[i][j] += E[i][k] * F[k][j];
        }
}

double checksum(void) {
    return FOLD(G, NI);
}
