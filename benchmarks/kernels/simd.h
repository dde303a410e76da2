/* Shared by the SIMD kernels: vectors of 16 bytes in clang's notation, so that the same source builds everywhere. */
#ifndef SIMD_H
#define SIMD_H

#include "kernel.h"
#if !defined(__wasm_simd128__)
#include <emmintrin.h>
#endif

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef signed char i8x16 __attribute__((vector_size(16)));

static inline f32x4 splat(float x) { return (f32x4){x, x, x, x}; }

/* The sign bits of 16 lanes. */
static inline uint32_t bitmask(i8x16 v) {
#if defined(__wasm_simd128__)
    return (uint32_t)__builtin_wasm_bitmask_i8x16(v);
#else
    return (uint32_t)_mm_movemask_epi8((__m128i)v);
#endif
}

static inline int64_t mix_lanes(int64_t checksum, f32x4 v) {
    i32x4 bits = (i32x4)v;
    for (int lane = 0; lane < 4; lane++) checksum = mix(checksum, bits[lane]);
    return checksum;
}

#endif
