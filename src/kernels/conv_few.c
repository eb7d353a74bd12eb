/* conv_few.c - convolution to few output maps (the decoder's last, one map or three).
 *
 * The vector runs over 16 input channels instead of output channels, which would leave 15 lanes of
 * 16 empty; the lanes are summed once a pixel at the end. */
#include "kernels/isa.h"

INLINE void tile_run(const struct conv *c, const float *x, const float *w, float *y, float bias,
                     const int columns) {
    v16 sum[TILE_PIXELS];
    UNROLL
    for (int j = 0; j < columns; j++) sum[j] = v_zero();
    for (int b = 0; b < map_blocks(&c->x); b++, x += c->x.block)
        for (int ky = 0; ky < c->kernel; ky++)
            for (int kx = 0; kx < c->kernel; kx++, w += LANES) {
                const v16 weight = v_load(w);
                const float *from = x + ky * c->x.row + kx * LANES;
                UNROLL
                for (int j = 0; j < columns; j++)
                    sum[j] = v_fma(v_load(from + j * LANES), weight, sum[j]);
            }
    UNROLL
    for (int j = 0; j < columns; j++) y[j] = v_sum(sum[j]) + bias;
}

static void tile_choose(const struct conv *c, const float *x, const float *w, float *y, float bias,
                        int columns) {
    switch (columns) {
#define CASE(q)                                              \
    case q:                                                  \
        if (q <= TILE_PIXELS) tile_run(c, x, w, y, bias, q); \
        break;
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#undef CASE
    }
}

static void conv_few(const struct conv *c) {
    const int radius = c->kernel / 2;
    const size_t depth = (size_t)(map_blocks(&c->x) * c->kernel * c->kernel) * LANES;
    for (int n = 0; n < c->images; n++)
        for (int y = 0; y < c->y.height; y++)
            for (int o = 0; o < c->y.channels; o++) {
                const float *from = map_at(&c->x, n, 0, y - radius, -radius);
                float *to = map_at(&c->y, n, o, y, 0);
                int columns;
                for (int x = 0; x < c->y.width; x += columns) {
                    columns = tile_length(c->y.width - x, TILE_PIXELS);
                    tile_choose(c, from + (ptrdiff_t)x * LANES, c->weight + (size_t)o * depth,
                                to + x, c->bias ? c->bias[o] : 0, columns);
                }
            }
}

void ISA(conv_few_install)(struct kernels *table) { table->conv_few = conv_few; }
