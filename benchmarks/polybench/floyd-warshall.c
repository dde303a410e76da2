/* The shortest paths between all pairs of nodes. */
#define DATA int
#include "polybench.h"

#define N 500

static int (*path)[N];

void init(void) {
    ROWS(path, N);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int sum = i + j, far = sum % 13 == 0 || sum % 7 == 0 || sum % 11 == 0;
            path[i][j] = far ? 999 : i * j % 7 + 1;
        }
}

void kernel(void) {
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                path[i][j] = path[i][j] < path[i][k] + path[k][j] ? path[i][j] : path[i][k] + path[k][j];
}

double checksum(void) {
    return FOLD(path, N);
}
