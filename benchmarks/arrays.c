/* The loops that benchmarks/arrays.py compares with: what C makes of the functions in arrays.wat. */
#include <stddef.h>
#include <stdint.h>

void polynomial(const double *x, double *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = 0.25 + x[i] * (-1.5 + x[i] * (0.75 + x[i] * (-0.125 + x[i] * 2)));
}

void hash(const uint32_t *x, uint32_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t h = x[i];
        h = (h ^ h >> 16) * 0x7feb352d;
        h = (h ^ h >> 15) * 0x846ca68b;
        out[i] = h ^ h >> 16;
    }
}

void weighted(const double *x, double weight, double *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = __builtin_sqrt(x[i] * weight + 1);
}
