/* Finite differences in the time domain: electric and magnetic fields in the plane. */
#include "polybench.h"

#define STEPS 100
#define NX 200
#define NY 240

static double (*ex)[NY], (*ey)[NY], (*hz)[NY], *source;

void init(void) {
    ROWS(ex, NX), ROWS(ey, NX), ROWS(hz, NX), ROWS(source, STEPS);
    for (int t = 0; t < STEPS; t++)
        source[t] = t;
    for (int i = 0; i < NX; i++)
        for (int j = 0; j < NY; j++) {
            ex[i][j] = (double)i * (j + 1) / NX;
            ey[i][j] = (double)i * (j + 2) / NY;
            hz[i][j] = (double)i * (j + 3) / NX;
        }
}

void kernel(void) {
    for (int t = 0; t < STEPS; t++) {
        for (int j = 0; j < NY; j++)
            ey[0][j] = source[t];
        for (int i = 1; i < NX; i++)
            for (int j = 0; j < NY; j++)
                ey[i][j] = ey[i][j] - 0.5 * (hz[i][j] - hz[i - 1][j]);
        for (int i = 0; i < NX; i++)
            for (int j = 1; j < NY; j++)
                ex[i][j] = ex[i][j] - 0.5 * (hz[i][j] - hz[i][j - 1]);
        for (int i = 0; i < NX - 1; i++)
            for (int j = 0; j < NY - 1; j++)
                hz[i][j] = hz[i][j] - 0.7 * (ex[i][j + 1] - ex[i][j] + ey[i + 1][j] - ey[i][j]);
    }
}

double checksum(void) {
    return FOLD(ex, NX) + FOLD(ey, NX) + FOLD(hz, NX);
}
