/* bf16.c - maps rounded to bf16, and the table of the kernels that multiply them: conv_dense.c,
 * conv_pool.c, conv_outer.c, conv_winograd.c and winograd_outer.c, compiled once more with
 * SWWAE_BF16. */
#include "kernels/step.h"

static void round_bf16(struct map *pairs, const struct map *x, int images) {
    const float *from = x->data - x->ring * x->row - (ptrdiff_t)x->ring * LANES;
    float *to = pairs->data - pairs->ring * pairs->row - (ptrdiff_t)pairs->ring * (LANES / 2);
    const ptrdiff_t pixels = x->image / LANES * images;
    for (ptrdiff_t p = 0; p < pixels; p++, from += LANES, to += LANES / 2) {
        const __m256bh pixel = _mm512_cvtneps_pbh(_mm512_loadu_ps(from));
        memcpy(to, &pixel, sizeof pixel);
    }
}

static void blocked_neighbours(struct map *pairs, const struct map *x, int images) {
    const float *from = x->data - x->ring * x->row - (ptrdiff_t)x->ring * LANES;
    float *to = pairs->data - pairs->ring * pairs->row - (ptrdiff_t)pairs->ring * LANES;
    const ptrdiff_t rows = x->image / x->row * images, pixels = x->row / LANES;
    for (ptrdiff_t row = 0; row < rows; row++) {
        __m512i right = _mm512_setzero_si512();
        for (ptrdiff_t p = pixels - 1; p >= 0; p--) {
            const ptrdiff_t at = row * x->row + p * LANES;
            const __m512i pixel = step_lower(x_load(from + at));
            _mm512_storeu_si512(to + at, _mm512_or_si512(pixel, step_upper(right)));
            right = pixel;
        }
    }
}

/* Row after row: beyond a row's end is the next one's ring. */
static void planar_neighbours(struct map *pairs, const struct map *x, int images) {
    const float *from = x->data - x->ring * x->row - x->ring;
    float *to = pairs->data - pairs->ring * pairs->row - pairs->ring;
    ptrdiff_t left = x->image * images;
    for (; left > LANES; left -= LANES, from += LANES, to += LANES)
        v_store(to, step_pair(v_load(from), v_load(from + 1)));
    float last[2 * LANES] = {0};
    memcpy(last, from, (size_t)left * sizeof *last);
    const v16 words = step_pair(v_load(last), v_load(last + 1));
    memcpy(to, &words, (size_t)left * sizeof *to);
}

static void round_neighbours(struct map *pairs, const struct map *x, int images) {
    (x->lanes == 1 ? planar_neighbours : blocked_neighbours)(pairs, x, images);
}

void ISA(kernels)(struct kernels *table) {
    table->round_bf16 = round_bf16;
    table->round_neighbours = round_neighbours;
    ISA(conv_install)(table);
    ISA(conv_pool_install)(table);
    ISA(conv_outer_install)(table);
    ISA(conv_winograd_install)(table);
    ISA(winograd_outer_install)(table);
}
