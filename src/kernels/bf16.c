/* bf16.c - maps rounded to bf16, and the table of the kernels that read them: conv_dense.c and
 * conv_pool.c, compiled once more with SWWAE_BF16. */
#include "kernels/isa.h"

#include <immintrin.h>

static void round_bf16(struct map *pairs, const struct map *x, int images) {
    const float *from = x->data - x->ring * x->row - (ptrdiff_t)x->ring * LANES;
    float *to = pairs->data - pairs->ring * pairs->row - (ptrdiff_t)pairs->ring * (LANES / 2);
    const ptrdiff_t pixels = x->image / LANES * images;
    for (ptrdiff_t p = 0; p < pixels; p++, from += LANES, to += LANES / 2) {
        const __m256bh pixel = _mm512_cvtneps_pbh(_mm512_loadu_ps(from));
        memcpy(to, &pixel, sizeof pixel);
    }
}

void ISA(kernels)(struct kernels *table) {
    table->round_bf16 = round_bf16;
    ISA(conv_install)(table);
    ISA(conv_pool_install)(table);
}
