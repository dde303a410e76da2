/* Calls through a table of function pointers: n pseudo-random operations on one accumulator. */
#include "kernel.h"

typedef uint64_t (*operation)(uint64_t accumulator, uint64_t operand);

static uint64_t add(uint64_t x, uint64_t y) { return x + y; }
static uint64_t subtract(uint64_t x, uint64_t y) { return x - 3 * y; }
static uint64_t multiply(uint64_t x, uint64_t y) { return x * (y | 1); }
static uint64_t exclusive_or(uint64_t x, uint64_t y) { return x ^ y << 7; }
static uint64_t rotate(uint64_t x, uint64_t y) { return x << (y & 31) | x >> (64 - (y & 31)) % 64; }
static uint64_t average(uint64_t x, uint64_t y) { return (x >> 1) + (y >> 1); }
static uint64_t invert(uint64_t x, uint64_t y) { return ~x + y; }
static uint64_t scramble(uint64_t x, uint64_t y) { return (x ^ x >> 17) + y; }

static operation operations[8] = {add, subtract, multiply, exclusive_or, rotate, average, invert, scramble};

int64_t run(int32_t n) {
    uint64_t accumulator = 1;
    uint32_t state = 42;
    for (int32_t i = 0; i < n; i++) {
        uint32_t random = lcg(&state);
        accumulator = operations[random >> 20 & 7](accumulator, random);
    }
    return (int64_t)accumulator;
}
