/* emulated_avx512.h - included before each kernel of AVX-512 in a build with
 * -DSWWAE_EMULATE_AVX512=ON: its instructions in plain C, so that a machine without them can test
 * these kernels too. Slow. After the Intel 64 and IA-32 Architectures Software Developer's Manual,
 * volume 2. */
#ifndef SWWAE_EMULATED_AVX512_H
#define SWWAE_EMULATED_AVX512_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* What the compiler defines where it may use them; only after its own header. */
#define __AVX512F__ 1
#define __AVX512BW__ 1
#define __AVX512VL__ 1
#define __AVX512DQ__ 1
#define SWWAE_EMULATED_AVX512 1

#define EMULATED static inline __attribute__((always_inline, unused))

typedef float emulated_floats __attribute__((vector_size(64)));
typedef int32_t emulated_ints __attribute__((vector_size(64)));

/* The vector whose lane i is VALUE. */
#define LANES_OF(type, count, value)                                                  \
    ({                                                                                \
        type result;                                                                  \
        for (int i = 0; i < (count); i++) result[i] = (__typeof__(result[0]))(value); \
        result;                                                                       \
    })
#define INTS(value) (__m512i) LANES_OF(emulated_ints, 16, value)
#define FLOATS(value) (__m512) LANES_OF(emulated_floats, 16, value)

EMULATED __m512i emulated_load(const void *from) {
    __m512i x;
    memcpy(&x, from, sizeof x);
    return x;
}
EMULATED void emulated_store(void *to, __m512i x) { memcpy(to, &x, sizeof x); }

EMULATED __m512i emulated_add(__m512i x, __m512i y) {
    return (__m512i)((emulated_ints)x + (emulated_ints)y);
}
EMULATED __m512i emulated_multiply(__m512i x, __m512i y) {
    return (__m512i)((emulated_ints)x * (emulated_ints)y);
}

/* Of each 128 bits: the lower or upper half of both, by turns. */
EMULATED __m512i emulated_unpack32(__m512i x, __m512i y, int upper) {
    const emulated_ints a = (emulated_ints)x, b = (emulated_ints)y;
    return INTS((i & 1 ? b : a)[(i & ~3) + 2 * upper + (i >> 1 & 1)]);
}
EMULATED __m512i emulated_unpack64(__m512i x, __m512i y, int upper) {
    const emulated_ints a = (emulated_ints)x, b = (emulated_ints)y;
    return INTS((i & 2 ? b : a)[(i & ~3) + 2 * upper + (i & 1)]);
}

/* 128 bits at a time: two of x, then two of y, chosen by two bits each. */
EMULATED __m512i emulated_shuffle(__m512i x, __m512i y, int choice) {
    const emulated_ints a = (emulated_ints)x, b = (emulated_ints)y;
    return INTS((i < 8 ? a : b)[(choice >> 2 * (i / 4) & 3) * 4 + i % 4]);
}

EMULATED __m512i emulated_compress(__mmask16 take, __m512i x) {
    const emulated_ints from = (emulated_ints)x;
    emulated_ints to = {0};
    for (int i = 0, n = 0; i < 16; i++)
        if (take >> i & 1) to[n++] = from[i];
    return (__m512i)to;
}

EMULATED __mmask16 emulated_compare(__m512 x, __m512 y, int predicate) {
    const emulated_floats a = (emulated_floats)x, b = (emulated_floats)y;
    __mmask16 mask = 0;
    for (int i = 0; i < 16; i++) {
        const int holds = predicate == _CMP_GT_OQ ? a[i] > b[i] : !(a[i] == b[i]); /* _CMP_NEQ_UQ */
        mask |= (__mmask16)(holds << i);
    }
    return mask;
}

EMULATED __mmask16 emulated_compare_bytes(__m128i x, __m128i y) {
    return (__mmask16)_mm_movemask_epi8(_mm_cmpeq_epi8(x, y));
}

typedef uint8_t emulated_bytes __attribute__((vector_size(16)));
typedef uint16_t emulated_shorts __attribute__((vector_size(32)));
typedef float emulated_half __attribute__((vector_size(32)));

EMULATED __m128i emulated_narrow8(__m512i x) {
    return (__m128i)LANES_OF(emulated_bytes, 16, ((emulated_ints)x)[i]);
}
EMULATED __m256i emulated_narrow16(__m512i x) {
    return (__m256i)LANES_OF(emulated_shorts, 16, ((emulated_ints)x)[i]);
}

/* Lanes that the mask leaves out are not read. */
EMULATED __m256 emulated_load_some(__mmask8 mask, const float *from) {
    return (__m256)LANES_OF(emulated_half, 8, mask >> i & 1 ? from[i] : 0);
}

EMULATED __m512 emulated_insert(__m512 x, __m256 half, int upper) {
    return FLOATS(i / 8 == upper ? ((emulated_half)half)[i % 8] : ((emulated_floats)x)[i]);
}

EMULATED __m512 emulated_permute(__m512 low, __m512i at, __m512 high, int registers) {
    const emulated_floats a = (emulated_floats)low, b = (emulated_floats)high;
    const emulated_ints from = (emulated_ints)at & (16 * registers - 1);
    return FLOATS(from[i] < 16 ? a[from[i] & 15] : b[from[i] & 15]);
}

/* bf16: the upper half of a float, rounded to the nearest, ties to even; subnormals are 0. */
EMULATED float emulated_normal(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; }

EMULATED uint16_t emulated_round(float x) {
    uint32_t bits;
    x = emulated_normal(x);
    memcpy(&bits, &x, sizeof bits);
    if (x != x) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

EMULATED float emulated_widened(uint32_t bits) {
    float x;
    bits <<= 16;
    memcpy(&x, &bits, sizeof x);
    return emulated_normal(x);
}

EMULATED __m256i emulated_rounded(__m512 x) {
    return (__m256i)LANES_OF(emulated_shorts, 16, emulated_round(((emulated_floats)x)[i]));
}

/* sum + the upper half's product, then + the lower's; a rounding each. */
EMULATED __m512 emulated_dot(__m512 sum, __m512i x, __m512i y) {
    const emulated_ints a = (emulated_ints)x, b = (emulated_ints)y;
    emulated_floats s = (emulated_floats)sum;
    for (int i = 0; i < 16; i++) {
        const uint32_t p = (uint32_t)a[i], q = (uint32_t)b[i];
        const float high = fmaf(emulated_widened(p >> 16), emulated_widened(q >> 16), s[i]);
        s[i] = fmaf(emulated_widened(p & 0xffff), emulated_widened(q & 0xffff), high);
    }
    return (__m512)s;
}

#define _mm512_loadu_ps(from) ((__m512)emulated_load(from))
#define _mm512_loadu_si512 emulated_load
#define _mm512_storeu_ps(to, x) emulated_store(to, (__m512i)(x))
#define _mm512_storeu_si512 emulated_store
#define _mm512_setzero_ps() ((__m512){0})
#define _mm512_setzero_si512() ((__m512i){0})
#define _mm512_set1_epi32(value) INTS(value)
#undef _mm512_setr_epi32
#define _mm512_setr_epi32(...) ((__m512i)(emulated_ints){__VA_ARGS__})
#define _mm512_add_epi32 emulated_add
#define _mm512_mullo_epi32 emulated_multiply
#define _mm512_or_si512(x, y) ((x) | (y))
#define _mm512_slli_epi32(x, bits) ((__m512i)((emulated_ints)(x) << (bits)))
#define _mm512_srli_epi32(x, bits) INTS((uint32_t)((emulated_ints)(x))[i] >> (bits))
#define _mm512_unpacklo_epi32(x, y) emulated_unpack32(x, y, 0)
#define _mm512_unpackhi_epi32(x, y) emulated_unpack32(x, y, 1)
#define _mm512_unpacklo_epi64(x, y) emulated_unpack64(x, y, 0)
#define _mm512_unpackhi_epi64(x, y) emulated_unpack64(x, y, 1)
#define _mm512_shuffle_i32x4 emulated_shuffle
#define _mm512_maskz_compress_epi32 emulated_compress
#define _mm512_maskz_compress_ps(take, x) ((__m512)emulated_compress(take, (__m512i)(x)))
#define _mm512_cmp_ps_mask emulated_compare
#define _mm_cmpeq_epi8_mask emulated_compare_bytes
#define _mm512_cvtepu8_epi32(x) INTS(((emulated_bytes)(x))[i])
#define _mm512_cvtepu16_epi32(x) INTS(((emulated_shorts)(x))[i])
#define _mm512_cvtepi32_epi8 emulated_narrow8
#define _mm512_cvtepi32_epi16 emulated_narrow16
#define _mm256_maskz_loadu_ps emulated_load_some
#define _mm512_castps256_ps512(half) emulated_insert((__m512){0}, half, 0)
#define _mm512_insertf32x8(x, half, upper) emulated_insert(x, half, upper)
#define _mm512_permutex2var_ps(low, at, high) emulated_permute(low, at, high, 2)
#define _mm512_permutexvar_ps(at, low) emulated_permute(low, at, low, 1)
#define __m256bh __m256i
#define __m512bh __m512i
#define _mm512_cvtneps_pbh emulated_rounded
#define _mm512_dpbf16_ps emulated_dot

#endif
