/* Backtracking on bit sets: the number of ways to place n queens on an n by n board. */
#include "kernel.h"

static NOINLINE int32_t place(uint32_t free_columns, uint32_t left, uint32_t right) {
    int32_t count = 0;
    if (!free_columns) return 1;
    for (uint32_t open = free_columns & ~left & ~right; open; open &= open - 1) {
        uint32_t queen = open & -open;
        count += place(free_columns & ~queen, (left | queen) << 1, (right | queen) >> 1);
    }
    return count;
}

int64_t run(int32_t n) { return place((1u << n) - 1, 0, 0); }
