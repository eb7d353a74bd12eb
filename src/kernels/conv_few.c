/* conv_few.c - convolution to few output maps (the decoder's last, one map or three).
 *
 * The vector runs over input channels instead of output channels, which would leave 15 lanes of 16
 * empty; the lanes are summed once a pixel at the end. */
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

static void few_any(const struct conv *c) {
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

/* ---- kernels 3 and 5 ----
 *
 * One register of channels at a time: it meets the weights of a row of taps, which stay in
 * registers, each for another pixel. So a value is loaded once, not once a tap. */
#define ROW_PIXELS (VEC < 16 ? 10 : 16) /* and the weights and a value are 16 or 22 registers */

INLINE void row_run(const struct conv *c, const float *x, const float *w, float *y, float bias,
                    const int columns, const int kernel) {
    vx sum[(ROW_PIXELS + VEC - 1) / VEC * VEC];
    UNROLL
    for (int j = 0; j < (ROW_PIXELS + VEC - 1) / VEC * VEC; j++) sum[j] = (vx){0};
    for (int b = 0; b < map_blocks(&c->x); b++, x += c->x.block, w += kernel * kernel * LANES)
        for (int part = 0; part < LANES; part += VEC)
            for (int ky = 0; ky < kernel; ky++) {
                const float *from = x + ky * c->x.row + part, *row = w + ky * kernel * LANES + part;
                vx weight[5];
                UNROLL
                for (int kx = 0; kx < kernel; kx++) weight[kx] = x_load(row + kx * LANES);
                UNROLL
                for (int i = 0; i < columns + kernel - 1; i++) {
                    const vx value = x_load(from + i * LANES);
                    UNROLL
                    for (int kx = 0; kx < kernel; kx++)
                        if (i >= kx && i - kx < columns) sum[i - kx] += value * weight[kx];
                }
            }
    float out[(ROW_PIXELS + VEC - 1) / VEC * VEC];
    UNROLL
    for (int j = 0; j < columns; j += VEC) x_store(out + j, x_sums_of(sum + j) + x_splat(bias));
    memcpy(y, out, (size_t)columns * sizeof *y);
}

INLINE void row_choose(const struct conv *c, const float *x, const float *w, float *y, float bias,
                       int columns, const int kernel) {
    switch (columns) {
#define CASE(q)                                                    \
    case q:                                                        \
        if (q <= ROW_PIXELS) row_run(c, x, w, y, bias, q, kernel); \
        break;
        // clang-format off
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10)
        CASE(11) CASE(12) CASE(13) CASE(14) CASE(15) CASE(16)
        // clang-format on
#undef CASE
    }
}

/* Down a column of pieces, so that most rows of x are still in the first-level cache. */
INLINE void few_rows(const struct conv *c, const int kernel) {
    const int radius = kernel / 2;
    const size_t depth = (size_t)(map_blocks(&c->x) * kernel * kernel) * LANES;
    for (int n = 0; n < c->images; n++) {
        int columns;
        for (int x = 0; x < c->y.width; x += columns) {
            columns = tile_length(c->y.width - x, ROW_PIXELS);
            for (int y = 0; y < c->y.height; y++)
                for (int o = 0; o < c->y.channels; o++)
                    row_choose(c, map_at(&c->x, n, 0, y - radius, x - radius),
                               c->weight + (size_t)o * depth, map_at(&c->y, n, o, y, x),
                               c->bias ? c->bias[o] : 0, columns, kernel);
        }
    }
}

static void few_rows_3(const struct conv *c) { few_rows(c, 3); }
static void few_rows_5(const struct conv *c) { few_rows(c, 5); }

static void conv_few(const struct conv *c) {
    (c->kernel == 3 ? few_rows_3 : c->kernel == 5 ? few_rows_5 : few_any)(c);
}

void ISA(conv_few_install)(struct kernels *table) { table->conv_few = conv_few; }
