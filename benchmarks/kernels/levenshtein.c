/* Edit distance of two pseudo-random texts of 1,000 letters, n times, one letter changed each time. */
#include "kernel.h"

#define LENGTH 1000

static uint8_t left[LENGTH], right[LENGTH];
static int32_t row[LENGTH + 1];

static int32_t smaller(int32_t x, int32_t y) { return x < y ? x : y; }

static int32_t distance(void) {
    for (int32_t j = 0; j <= LENGTH; j++) row[j] = j;
    for (int32_t i = 0; i < LENGTH; i++) {
        int32_t diagonal = row[0];
        row[0] = i + 1;
        for (int32_t j = 0; j < LENGTH; j++) {
            int32_t substituted = diagonal + (left[i] != right[j]);
            diagonal = row[j + 1];
            row[j + 1] = smaller(smaller(diagonal, row[j]) + 1, substituted);
        }
    }
    return row[LENGTH];
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    uint32_t state = 5;
    for (int32_t i = 0; i < LENGTH; i++) {
        left[i] = 'a' + lcg(&state) / 65536 % 4;
        right[i] = 'a' + lcg(&state) / 65536 % 4;
    }
    for (int32_t i = 0; i < n; i++) {
        checksum = mix(checksum, distance());
        left[lcg(&state) % LENGTH] = 'a' + i % 4;
    }
    return checksum;
}
