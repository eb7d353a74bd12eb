/* vec.h - one vector of 16 floats, from the GCC/Clang vector extension.
 *
 * The same kernel source is compiled for every instruction set; VEC is how many floats one
 * machine register holds there (16: AVX-512, 8: AVX2, 4: SSE2, NEON). A v16 is a struct of 16 / VEC
 * registers: with one 64-byte vector type, GCC would keep values in memory where a register is
 * narrower. */
#ifndef SWWAE_KERNELS_VEC_H
#define SWWAE_KERNELS_VEC_H

#include "tensor/map.h"

#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VEC 16
#elif defined(__AVX2__)
#define VEC 8
#else
#define VEC 4
#endif

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
/* GCC keeps an array of vectors in registers only when every loop over it is unrolled. */
#define UNROLL _Pragma("GCC unroll 32")
#endif

typedef float vx __attribute__((vector_size(4 * VEC)));
typedef int32_t ix __attribute__((vector_size(4 * VEC)));

#if VEC == 16
typedef struct {
    vx a;
} v16;
typedef struct {
    ix a;
} i16;
#define EACH(S) S(a, 0)
#elif VEC == 8
typedef struct {
    vx a, b;
} v16;
typedef struct {
    ix a, b;
} i16;
#define EACH(S) S(a, 0) S(b, 1)
#else
typedef struct {
    vx a, b, c, d;
} v16;
typedef struct {
    ix a, b, c, d;
} i16;
#define EACH(S) S(a, 0) S(b, 1) S(c, 2) S(d, 3)
#endif

INLINE v16 v_load(const float *p) {
    v16 r;
#define S(part, k) memcpy(&r.part, p + k * VEC, sizeof r.part);
    EACH(S)
#undef S
    return r;
}

INLINE void v_store(float *p, v16 x) {
#define S(part, k) memcpy(p + k * VEC, &x.part, sizeof x.part);
    EACH(S)
#undef S
}

INLINE v16 v_splat(float x) {
    v16 r;
#define S(part, k) r.part = x - (vx){0};
    EACH(S)
#undef S
    return r;
}

/* One register. */
INLINE vx x_load(const float *p) {
    vx r;
    memcpy(&r, p, sizeof r);
    return r;
}

INLINE void x_store(float *p, vx x) { memcpy(p, &x, sizeof x); }

INLINE vx x_splat(float x) { return x - (vx){0}; }

/* VEC bytes as integers. */
INLINE ix x_load_bytes(const uint8_t *p) {
#if VEC == 8
    return (ix)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p));
#elif VEC == 16
    return (ix)_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p));
#else
    typedef uint8_t bytes __attribute__((vector_size(VEC)));
    bytes r;
    memcpy(&r, p, sizeof r);
    return __builtin_convertvector(r, ix);
#endif
}

/* Keeps the compiler from reading x from memory again at each use. */
INLINE vx x_held(vx x) {
#if defined(__x86_64__) && !defined(SWWAE_EMULATED_AVX512)
    __asm__("" : "+v"(x));
#endif
    return x;
}

/* x_splat of a value in memory as a load of four bytes: a broadcasting load takes as long as one of
 * a whole register. */
INLINE vx x_splat_at(const float *p) {
    float x = *p;
#if defined(__x86_64__)
    __asm__("" : "+v"(x));
#endif
    return x_splat(x);
}

INLINE v16 v_zero(void) {
    v16 r;
#define S(part, k) r.part = (vx){0};
    EACH(S)
#undef S
    return r;
}

INLINE v16 v_add(v16 x, v16 y) {
#define S(part, k) x.part += y.part;
    EACH(S)
#undef S
    return x;
}

INLINE v16 v_sub(v16 x, v16 y) {
#define S(part, k) x.part -= y.part;
    EACH(S)
#undef S
    return x;
}

INLINE v16 v_mul(v16 x, v16 y) {
#define S(part, k) x.part *= y.part;
    EACH(S)
#undef S
    return x;
}

/* x y + z; one rounding where the machine has it */
INLINE v16 v_fma(v16 x, v16 y, v16 z) {
#define S(part, k) z.part += x.part * y.part;
    EACH(S)
#undef S
    return z;
}

/* max(x, 0), NaN and -0 kept */
INLINE v16 v_relu(v16 x) {
#if VEC == 16 && !defined(SWWAE_EMULATED_AVX512)
    return (v16){(vx)_mm512_max_ps(_mm512_setzero_ps(), x.a)};
#else
#define S(part, k) x.part = (vx)((ix)x.part & ~(ix)(x.part < 0));
    EACH(S)
#undef S
    return x;
#endif
}

/* gate > 0 ? x : 0 */
INLINE v16 v_gate(v16 x, v16 gate) {
#define S(part, k) x.part = (vx)((ix)x.part & (ix)(gate.part > 0));
    EACH(S)
#undef S
    return x;
}

/* Where x is above best, or the first NaN: best = x and index = i. */
INLINE void v_keep_larger(v16 *best, i16 *index, v16 x, int i){
#define S(part, k)                                                            \
    {                                                                         \
        const ix take = ~(x.part <= best->part) & (best->part == best->part); \
        best->part = (vx)(((ix)x.part & take) | ((ix)best->part & ~take));    \
        index->part = ((i - (ix){0}) & take) | (index->part & ~take);         \
    }
    EACH(S)
#undef S
}

/* Sums of neighbours: of x's in the lower half, of y's in the upper; with AVX2 of each half's. */
INLINE vx x_pairs(vx x, vx y) {
#if VEC == 16
    return __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28,
                                   30) +
           __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif VEC == 8
    return __builtin_shufflevector(x, y, 0, 2, 8, 10, 4, 6, 12, 14) +
           __builtin_shufflevector(x, y, 1, 3, 9, 11, 5, 7, 13, 15);
#else
    return __builtin_shufflevector(x, y, 0, 2, 4, 6) + __builtin_shufflevector(x, y, 1, 3, 5, 7);
#endif
}

/* Lane i = sum of the lanes of x[i]. */
INLINE vx x_sums_of(const vx x[VEC]) {
    vx t[VEC / 2];
    UNROLL
    for (int i = 0; i < VEC / 2; i++) t[i] = x_pairs(x[2 * i], x[2 * i + 1]);
    UNROLL
    for (int i = 0; i < VEC / 4; i++) t[i] = x_pairs(t[2 * i], t[2 * i + 1]);
#if VEC == 8
    return __builtin_shufflevector(t[0], t[1], 0, 1, 2, 3, 8, 9, 10, 11) +
           __builtin_shufflevector(t[0], t[1], 4, 5, 6, 7, 12, 13, 14, 15);
#else
#if VEC == 16
    UNROLL
    for (int i = 0; i < VEC / 8; i++) t[i] = x_pairs(t[2 * i], t[2 * i + 1]);
    t[0] = x_pairs(t[0], t[1]);
#endif
    return t[0];
#endif
}

/* The same of VEC registers in memory. */
INLINE vx x_sums(const float *p) {
    vx x[VEC];
    UNROLL
    for (int i = 0; i < VEC; i++) x[i] = x_load(p + i * VEC);
    return x_sums_of(x);
}

INLINE i16 i_zero(void) {
    i16 r;
#define S(part, k) r.part = (ix){0};
    EACH(S)
#undef S
    return r;
}

/* The 16 integers, 0 to 255, as bytes. */
INLINE void i_store_bytes(uint8_t *p, i16 x) {
#if VEC == 8 /* GCC would take them out one by one */
    const __m256i pairs = _mm256_packs_epi32((__m256i)x.a, (__m256i)x.b);
    const __m256i in_order = _mm256_permute4x64_epi64(pairs, 0xd8);
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi16(_mm256_castsi256_si128(in_order),
                                                    _mm256_extracti128_si256(in_order, 1)));
#elif VEC == 16
    _mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8((__m512i)x.a));
#else
    int32_t all[16];
#define S(part, k) memcpy(all + k * VEC, &x.part, sizeof x.part);
    EACH(S)
#undef S
    for (int i = 0; i < 16; i++) p[i] = (uint8_t)all[i];
#endif
}

/* Sum of the 16 lanes, in a fixed tree. */
INLINE float v_sum(v16 x) {
    float t[16];
    v_store(t, x);
    UNROLL
    for (int i = 0; i < 8; i++) t[i] += t[i + 8];
    UNROLL
    for (int i = 0; i < 4; i++) t[i] += t[i + 4];
    return (t[0] + t[2]) + (t[1] + t[3]);
}

/* 16 bytes as integers. */
INLINE i16 i_load_bytes(const uint8_t *p) {
    i16 r;
#define S(part, k) r.part = x_load_bytes(p + k * VEC);
    EACH(S)
#undef S
    return r;
}

/* index == i ? x : 0 */
INLINE v16 v_only(v16 x, i16 index, int i) {
#define S(part, k) x.part = (vx)((ix)x.part & (ix)(index.part == i));
    EACH(S)
#undef S
    return x;
}

/* The bits of both, where at most one is not 0. */
INLINE v16 v_either(v16 x, v16 y) {
#define S(part, k) x.part = (vx)((ix)x.part | (ix)y.part);
    EACH(S)
#undef S
    return x;
}

#endif
