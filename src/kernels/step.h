/* step.h - what a step of a convolution's sum multiplies: two fp32 numbers, or with SWWAE_BF16
 * defined two pairs of bf16 numbers, of which each is a 32-bit word of a map, and adds both
 * products in fp32. */
#ifndef SWWAE_KERNELS_STEP_H
#define SWWAE_KERNELS_STEP_H

#include "kernels/isa.h"

#ifdef SWWAE_BF16
#include <immintrin.h>

#define STEP 2 /* numbers */
#define STEP_PLANAR(map) false

INLINE v16 step_splat(const float *x) {
    int32_t pair;
    memcpy(&pair, x, sizeof pair);
    return (v16){(vx)_mm512_set1_epi32(pair)};
}

INLINE v16 step_fma(v16 x, v16 y, v16 sum) {
    return (v16){_mm512_dpbf16_ps(sum.a, (__m512bh)x.a, (__m512bh)y.a)};
}

/* Neighbouring numbers of a register as pairs, which fill half of one. */
INLINE void step_store(float *to, vx x) {
    const __m256bh rounded = _mm512_cvtneps_pbh((__m512)x);
    memcpy(to, &rounded, sizeof rounded);
}

/* The first or the second numbers of a register of pairs; the first come first. */
INLINE void step_store_lanes(float *to, vx x, const bool second) {
    __m512i pairs = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)x));
    if (second) pairs = _mm512_or_si512(_mm512_slli_epi32(pairs, 16), _mm512_loadu_si512(to));
    _mm512_storeu_si512(to, pairs);
}
#else
#define STEP 1
#define STEP_PLANAR(map) ((map)->lanes == 1)

INLINE v16 step_splat(const float *x) { return v_splat(*x); }

INLINE v16 step_fma(v16 x, v16 y, v16 sum) { return v_fma(x, y, sum); }

INLINE void step_store(float *to, vx x) { x_store(to, x); }

INLINE void step_store_lanes(float *to, vx x, const bool second) {
    (void)second;
    x_store(to, x);
}
#endif

#endif
