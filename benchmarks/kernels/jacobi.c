/* Five-point stencil: n sweeps of a 2-D Jacobi iteration over 256 by 256 doubles. */
#include "kernel.h"

#define SIZE 256

static double old_grid[SIZE][SIZE], new_grid[SIZE][SIZE];

static void set_up(void) {
    for (int32_t i = 0; i < SIZE; i++)
        for (int32_t j = 0; j < SIZE; j++) old_grid[i][j] = new_grid[i][j] = (i * j % 17) * 0.0625;
}

static void sweep(double to[SIZE][SIZE], double from[SIZE][SIZE]) {
    for (int32_t i = 1; i < SIZE - 1; i++)
        for (int32_t j = 1; j < SIZE - 1; j++)
            to[i][j] = 0.25 * (from[i - 1][j] + from[i + 1][j] + from[i][j - 1] + from[i][j + 1]);
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    set_up();
    for (int32_t i = 0; i < n; i++) {
        sweep(new_grid, old_grid);
        sweep(old_grid, new_grid);
    }
    for (int32_t i = 0; i < SIZE; i++)
        for (int32_t j = 0; j < SIZE; j++) checksum = mix(checksum, bits_of(old_grid[i][j]));
    return checksum;
}
