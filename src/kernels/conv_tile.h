/* conv_tile.h - the sums of a tile of a dense convolution, in registers: rows x columns pixels
 * times one or two vectors of output channels, while every input channel and tap is broadcast
 * against the packed weights: per input value two FMAs for one broadcast. With SWWAE_BF16 defined
 * an input value is a pair of bf16, and an FMA adds both products in fp32: of neighbouring
 * channels, or in a planar map of neighbouring taps of a row. */
#ifndef SWWAE_KERNELS_CONV_TILE_H
#define SWWAE_KERNELS_CONV_TILE_H

#include "kernels/step.h"

struct tile {
    const float *x; /* tap (0, 0) of the tile's first pixel */
    const float *weight;
    float *y;
    const float *gate;
    const float *bias;
};

INLINE void tile_begin(v16 *sum, struct tile t, const int pixels, const int vectors) {
    UNROLL
    for (int v = 0; v < vectors; v++) {
        const v16 start = t.bias ? v_load(t.bias + v * LANES) : v_zero();
        UNROLL
        for (int p = 0; p < pixels; p++) sum[p * vectors + v] = start;
    }
}

/* tile_sum of a planar x and a kernel that is a constant: a row of taps at once. In narrow
 * registers a tile is so small that loops over taps of one channel each took a third of the time
 * (docs/speed.md). */
INLINE void tile_sum_planar(v16 *sum, const struct conv *c, struct tile t, const int rows,
                            const int columns, const int vectors, const int kernel) {
    const ptrdiff_t row = c->x.row;
    const float *w = t.weight;
    for (int channel = 0; channel < c->x.channels; channel++, t.x += c->x.block)
        for (int ky = 0; ky < kernel; ky++, w += kernel * vectors * LANES) {
            UNROLL
            for (int kx = 0; kx < kernel; kx++) {
                const float *x = t.x + ky * row + kx;
                load_again();
                v16 weight[TILE_VECTORS];
                UNROLL
                for (int v = 0; v < vectors; v++)
                    weight[v] = v_load(w + (kx * vectors + v) * LANES);
                UNROLL
                for (int p = 0; p < rows * columns; p++) {
                    const v16 value = step_splat(x + p / columns * row + p % columns);
                    UNROLL
                    for (int v = 0; v < vectors; v++)
                        sum[p * vectors + v] = step_fma(value, weight[v], sum[p * vectors + v]);
                }
            }
        }
}

/* Packed weights of a vector of output channels. */
INLINE ptrdiff_t tile_weights(const struct conv *c) {
    const int row = STEP_PLANAR(&c->x) ? steps_of(c->kernel) : c->kernel; /* steps over its taps */
    return (ptrdiff_t)c->x.channels * c->kernel * row * LANES;
}

/* sum[pixel * vectors + vector]. rows, columns, vectors, pixel (values from one pixel of x to
 * the next) and known (the kernel, or 0) are constants at every call, so that all inner loops
 * unroll. The order of a sum does not depend on the tile: bias, then block of x, tap, lane. */
INLINE void tile_sum(v16 *sum, const struct conv *c, struct tile t, const int rows,
                     const int columns, const int vectors, const int pixel, const int known) {
    tile_begin(sum, t, rows * columns, vectors);
    if (known) {
        tile_sum_planar(sum, c, t, rows, columns, vectors, known);
        return;
    }
    const int kernel = c->kernel, step = 1 + (pixel == 1) * (STEP - 1); /* over taps */
    const ptrdiff_t row = c->x.row;
    const float *w = t.weight;
    for (int first = 0; first < c->x.channels; first += pixel, t.x += c->x.block) {
        const int lanes = c->x.channels - first < pixel ? c->x.channels - first : pixel;
        for (int ky = 0; ky < kernel; ky++)
            for (int kx = 0; kx < kernel; kx += step) {
                const float *x = t.x + ky * row + kx * pixel;
                for (int lane = 0; lane < lanes; lane++, x++, w += vectors * LANES) {
                    v16 weight[TILE_VECTORS];
                    if (STEP > 1 && pixel == 1) load_again(); /* neighbouring pixels share values */
                    UNROLL
                    for (int v = 0; v < vectors; v++) weight[v] = v_load(w + v * LANES);
                    UNROLL
                    for (int p = 0; p < rows * columns; p++) {
                        const v16 value = step_splat(x + p / columns * row + p % columns * pixel);
                        UNROLL
                        for (int v = 0; v < vectors; v++)
                            sum[p * vectors + v] = step_fma(value, weight[v], sum[p * vectors + v]);
                    }
                }
            }
    }
}

#endif
