/* How RNA folds: the most pairs of bases, by dynamic programming. */
#define DATA int
#include "polybench.h"

#define N 500

static char *bases;
static int (*table)[N];

static inline int larger(int a, int b) {
    return a >= b ? a : b;
}

static inline int pairs(char a, char b) {
    return a + b == 3 ? 1 : 0;
}

void init(void) {
    ROWS(bases, N), ROWS(table, N);
    for (int i = 0; i < N; i++)
        bases[i] = (char)((i + 1) % 4);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            table[i][j] = 0;
}

void kernel(void) {
    for (int i = N - 1; i >= 0; i--)
        for (int j = i + 1; j < N; j++) {
            table[i][j] = larger(table[i][j], table[i][j - 1]);
            if (i + 1 < N) {
                table[i][j] = larger(table[i][j], table[i + 1][j]);
                if (i < j - 1)
                    table[i][j] = larger(table[i][j], table[i + 1][j - 1] + pairs(bases[i], bases[j]));
                else
                    table[i][j] = larger(table[i][j], table[i + 1][j - 1]);
            }
            for (int k = i + 1; k < j; k++)
                table[i][j] = larger(table[i][j], table[i][k] + table[k + 1][j]);
        }
}

double checksum(void) {
    return FOLD(table, N);
}
