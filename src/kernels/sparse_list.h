/* sparse_list.h - reading a sparse map, to turn it into lists of its nonzero values: with AVX-512
 * 16 places at a time by compressing registers, elsewhere VEC at a time by permuting lanes. */
#ifndef SWWAE_KERNELS_SPARSE_LIST_H
#define SWWAE_KERNELS_SPARSE_LIST_H

#include "kernels/isa.h"
#include "kernels/sparse.h"

#if VEC == 16
#include <immintrin.h>

/* rows[i][j] = rows[j][i] */
INLINE void transpose16(__m512i rows[16]) {
    __m512i t[16];
    UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 16; i += 4) {
        rows[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        rows[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        rows[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        rows[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xdd);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        rows[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        rows[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        rows[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        rows[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}
#else
/* The lanes set in mask m, in order, a byte each; the same for every m. */
#define LANE(m, i) \
    ((uint64_t)((m) >> (i)&1) * (i) << 8 * __builtin_popcount((m) & ((1 << (i)) - 1)))
#define LANES_1(m)                                                                             \
    LANE(m, 0) | LANE(m, 1) | LANE(m, 2) | LANE(m, 3) | LANE(m, 4) | LANE(m, 5) | LANE(m, 6) | \
        LANE(m, 7)
#define LANES_4(m) LANES_1(m), LANES_1((m) + 1), LANES_1((m) + 2), LANES_1((m) + 3)
#define LANES_16(m) LANES_4(m), LANES_4((m) + 4), LANES_4((m) + 8), LANES_4((m) + 12)
#define LANES_64(m) LANES_16(m), LANES_16((m) + 16), LANES_16((m) + 32), LANES_16((m) + 48)
static const uint64_t lanes_of[256] = {LANES_64(0), LANES_64(64), LANES_64(128), LANES_64(192)};

/* Which lanes of a vector a list takes. */
struct taken {
    ix order; /* those lanes, then others */
    int count;
};

INLINE struct taken lanes_taken(ix take) {
#if VEC == 8
    const unsigned mask = (unsigned)_mm256_movemask_ps((__m256)take);
#else
    const unsigned mask = (take[0] & 1) | (take[1] & 2) | (take[2] & 4) | (take[3] & 8);
#endif
    return (struct taken){x_load_bytes((const uint8_t *)&lanes_of[mask]), __builtin_popcount(mask)};
}

INLINE vx lanes_first(vx x, const struct taken *t) {
#if VEC == 8
    return (vx)_mm256_permutevar8x32_ps((__m256)x, (__m256i)t->order);
#else
    return (vx){x[t->order[0]], x[t->order[1]], x[t->order[2]], x[t->order[3]]};
#endif
}

INLINE void lanes_store(float *to, vx x, const struct taken *t) { x_store(to, lanes_first(x, t)); }

INLINE void lanes_store_int(int32_t *to, ix x, const struct taken *t) {
    const ix r = (ix)lanes_first((vx)x, t);
    memcpy(to, &r, sizeof r);
}

/* rows[i][j] = rows[j][i] */
INLINE void x_transpose(vx rows[VEC]) {
    vx t[VEC];
#if VEC == 8
    UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    UNROLL
    for (int i = 0; i < 8; i += 4) {
        rows[i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        rows[i + 1] = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        rows[i + 2] = __builtin_shufflevector(t[i + 1], t[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        rows[i + 3] = __builtin_shufflevector(t[i + 1], t[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        t[i] = __builtin_shufflevector(rows[i], rows[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        t[i + 4] = __builtin_shufflevector(rows[i], rows[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    UNROLL
    for (int i = 0; i < 8; i++) rows[i] = t[i];
#else
    UNROLL
    for (int i = 0; i < 4; i += 2) {
        t[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 4, 1, 5);
        t[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 6, 3, 7);
    }
    rows[0] = __builtin_shufflevector(t[0], t[2], 0, 1, 4, 5);
    rows[1] = __builtin_shufflevector(t[0], t[2], 2, 3, 6, 7);
    rows[2] = __builtin_shufflevector(t[1], t[3], 0, 1, 4, 5);
    rows[3] = __builtin_shufflevector(t[1], t[3], 2, 3, 6, 7);
#endif
}

/* 0, 1, 2.. */
INLINE ix lane_numbers(void) {
    ix r;
    UNROLL
    for (int k = 0; k < VEC; k++) r[k] = k;
    return r;
}
#endif

/* Where one window of 16 channels starts. */
INLINE const float *sparse_what(const struct map *m, int image, int block, int row, int column) {
    return m->data + image * m->image + block * m->block + row * m->row + (ptrdiff_t)column * LANES;
}

INLINE const uint8_t *sparse_where(const struct sparse *s, int image, int block, int row,
                                   int column) {
    const size_t at = (size_t)(image * map_blocks(&s->what) + block) * (size_t)s->what.height;
    return s->where + ((at + (size_t)row) * (size_t)s->what.width + (size_t)column) * LANES;
}

/* Values of 16 channels of a window, gated. */
INLINE v16 sparse_values(const struct sparse *s, int image, int block, int row, int column) {
    const v16 value = v_load(sparse_what(&s->what, image, block, row, column));
    if (!s->gate) return value;
    return v_gate(value, v_load(sparse_what(s->gate, image, block, row, column)));
}

#endif
