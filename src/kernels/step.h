/* step.h - what a step of a convolution's sum multiplies: two fp32 numbers, or with SWWAE_BF16
 * defined two pairs of bf16 numbers, of which each is a 32-bit word of a map, and adds both
 * products in fp32. */
#ifndef SWWAE_KERNELS_STEP_H
#define SWWAE_KERNELS_STEP_H

#include "kernels/isa.h"

#ifdef SWWAE_BF16
#include <immintrin.h>

#define STEP 2 /* numbers */

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

/* Rounded, each number in the lower half of a pair or in the upper. */
INLINE __m512i step_lower(vx x) {
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)x));
}
INLINE __m512i step_upper(__m512i lower) { return _mm512_slli_epi32(lower, 16); }

/* The first or the second numbers of a register of pairs; the first come first. */
INLINE void step_store_lanes(float *to, vx x, const bool second) {
    __m512i pairs = step_lower(x);
    if (second) pairs = _mm512_or_si512(step_upper(pairs), _mm512_loadu_si512(to));
    _mm512_storeu_si512(to, pairs);
}

/* A register of pairs of numbers in fp32. */
INLINE v16 step_pair(v16 first, v16 second) {
    return (v16){(vx)_mm512_or_si512(step_lower(first.a), step_upper(step_lower(second.a)))};
}
#else
#define STEP 1

INLINE v16 step_splat(const float *x) { return v_splat(*x); }

INLINE v16 step_fma(v16 x, v16 y, v16 sum) { return v_fma(x, y, sum); }

INLINE v16 step_pair(v16 first, v16 second) {
    (void)second;
    return first;
}

INLINE void step_store(float *to, vx x) { x_store(to, x); }

INLINE void step_store_lanes(float *to, vx x, const bool second) {
    (void)second;
    x_store(to, x);
}
#endif

#define STEP_PLANAR(map) ((map)->lanes == 1)

/* Steps over so many numbers. */
INLINE int steps_of(int numbers) { return (numbers + STEP - 1) / STEP; }

#endif
