/* Recursive quicksort of n pseudo-random 32-bit integers, n <= 8,000,000. */
#include "kernel.h"

#define MAX 8000000

static int32_t values[MAX];

static int32_t partition(int32_t low, int32_t high) {
    int32_t pivot = values[low + (high - low) / 2];
    for (;;) {
        while (values[low] < pivot) low++;
        while (values[high] > pivot) high--;
        if (low >= high) return high;
        int32_t swapped = values[low];
        values[low++] = values[high];
        values[high--] = swapped;
    }
}

static NOINLINE void sort(int32_t low, int32_t high) {
    if (low >= high) return;
    int32_t middle = partition(low, high);
    sort(low, middle);
    sort(middle + 1, high);
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    uint32_t state = 3;
    for (int32_t i = 0; i < n; i++) values[i] = (int32_t)(lcg(&state) << 1);
    sort(0, n - 1);
    for (int32_t i = 0; i < n; i += 1 + n / 1000) checksum = mix(checksum, values[i]);
    for (int32_t i = 1; i < n; i++) checksum += values[i - 1] > values[i];
    return checksum;
}
