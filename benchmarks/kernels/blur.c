/* f32 arithmetic and conversions: n passes of a 3 by 3 filter over an image of bytes, a fresh row each time. */
#include "kernel.h"

#define SIZE 256

static uint8_t image[SIZE][SIZE], blurred[SIZE][SIZE];

static void draw_row(int32_t y, uint32_t *state) {
    for (int32_t x = 0; x < SIZE; x++) image[y][x] = blurred[y][x] = (uint8_t)(lcg(state) >> 16);
}

static float weighted_sum(uint8_t from[SIZE][SIZE], int32_t y, int32_t x) {
    static const float weights[3] = {0.2491f, 0.5013f, 0.2491f};
    float sum = 0.0f;
    for (int32_t dy = 0; dy < 3; dy++)
        for (int32_t dx = 0; dx < 3; dx++) sum += weights[dy] * weights[dx] * from[y + dy - 1][x + dx - 1];
    return sum;
}

static void filter(uint8_t to[SIZE][SIZE], uint8_t from[SIZE][SIZE]) {
    for (int32_t y = 1; y < SIZE - 1; y++)
        for (int32_t x = 1; x < SIZE - 1; x++) to[y][x] = (uint8_t)(int32_t)(weighted_sum(from, y, x) + 0.5f);
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    uint32_t state = 7;
    for (int32_t y = 0; y < SIZE; y++) draw_row(y, &state);
    for (int32_t i = 0; i < n; i++) {
        draw_row(i % SIZE, &state);
        filter(blurred, image);
        filter(image, blurred);
    }
    for (int32_t y = 0; y < SIZE; y++)
        for (int32_t x = 0; x < SIZE; x++) checksum = mix(checksum, image[y][x]);
    return checksum;
}
