/* Heapsort of n pseudo-random doubles, n <= 2,000,000. */
#include "kernel.h"

#define MAX 2000000

static double heap[MAX];

static void sift_down(int32_t at, int32_t size) {
    double value = heap[at];
    for (int32_t child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && heap[child + 1] > heap[child]) child++;
        if (heap[child] <= value) break;
        heap[at] = heap[child];
    }
    heap[at] = value;
}

static void sort(int32_t size) {
    for (int32_t i = size / 2 - 1; i >= 0; i--) sift_down(i, size);
    for (int32_t last = size - 1; last > 0; last--) {
        double largest = heap[0];
        heap[0] = heap[last];
        heap[last] = largest;
        sift_down(0, last);
    }
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    uint32_t state = 11;
    for (int32_t i = 0; i < n; i++) heap[i] = lcg(&state) * 0.001;
    sort(n);
    for (int32_t i = 0; i < n; i += 1 + n / 1000) checksum = mix(checksum, bits_of(heap[i]));
    return checksum;
}
