/* Escape times of the Mandelbrot set on an n by n raster, up to 200 iterations. */
#include "kernel.h"

#define ITERATIONS 200

static int32_t escape_time(double re, double im) {
    double x = 0.0, y = 0.0;
    int32_t i = 0;
    while (i < ITERATIONS && x * x + y * y <= 4.0) {
        double next = x * x - y * y + re;
        y = 2.0 * x * y + im;
        x = next;
        i++;
    }
    return i;
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    for (int32_t row = 0; row < n; row++)
        for (int32_t column = 0; column < n; column++)
            checksum += escape_time(column * 3.0 / n - 2.0, row * 2.0 / n - 1.0) * (row ^ column);
    return checksum;
}
