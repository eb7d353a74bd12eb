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
#else
#define STEP 1
#define STEP_PLANAR(map) ((map)->lanes == 1)

INLINE v16 step_splat(const float *x) { return v_splat(*x); }

INLINE v16 step_fma(v16 x, v16 y, v16 sum) { return v_fma(x, y, sum); }
#endif

#endif
