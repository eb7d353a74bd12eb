/* sparse_list.h - turning a sparse map into lists of its nonzero values.
 *
 * With AVX-512 a list is written 16 places at a time by compressing registers; elsewhere place by
 * place, without branches on the values. */
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
