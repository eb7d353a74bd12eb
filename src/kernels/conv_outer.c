/* conv_outer.c - gradient of a convolution's weights: sums over pixels of outer products.
 *
 * A tile is some scalars times one or two vectors; its sums stay in registers over all pixels.
 * The scalars lie side by side in memory: neighbouring channels of a blocked map, or neighbouring
 * columns (taps) of a planar one. With SWWAE_BF16 defined a word of v or s is a pixel and the one
 * to its right, and a step takes both. */
#include "kernels/step.h"

struct outer {
    const struct map *v, *s;
    const float *from;     /* s at the tile's first scalar and tap, image 0, pixel (0, 0) */
    const float *vector;   /* v at the tile's first vector, image 0, pixel (0, 0) */
    float *sum;            /* of the first scalar and vector */
    ptrdiff_t next_scalar; /* in sum */
    ptrdiff_t next_vector; /* in sum */
    int images;
};

INLINE void tile_run(const struct outer *o, const int scalars, const int vectors, const int pixel) {
    v16 sum[TILE_SCALARS * TILE_VECTORS];
    UNROLL
    for (int k = 0; k < scalars; k++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[k * vectors + v] = v_load(o->sum + k * o->next_scalar + v * o->next_vector);
    }
    const int width = o->v->width, height = o->v->height;
    const ptrdiff_t block = o->v->block;
    for (int n = 0; n < o->images; n++)
        for (int i = 0; i < height; i++) {
            const float *from = o->from + n * o->s->image + i * o->s->row;
            const float *vector = o->vector + n * o->v->image + i * o->v->row;
            for (int j = 0; j < width; j += STEP, from += STEP * pixel, vector += STEP * LANES) {
                v16 value[TILE_VECTORS];
                if (VEC < 16) load_again(); /* neighbouring pixels share scalars */
                UNROLL
                for (int v = 0; v < vectors; v++) value[v] = v_load(vector + v * block);
                UNROLL
                for (int k = 0; k < scalars; k++) {
                    const v16 scalar = step_splat(from + k);
                    UNROLL
                    for (int v = 0; v < vectors; v++)
                        sum[k * vectors + v] = step_fma(scalar, value[v], sum[k * vectors + v]);
                }
            }
        }
    UNROLL
    for (int k = 0; k < scalars; k++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            v_store(o->sum + k * o->next_scalar + v * o->next_vector, sum[k * vectors + v]);
    }
}

INLINE void tile_choose(const struct outer *o, int scalars, const int vectors, const int pixel) {
    switch (scalars) {
#define CASE(k)                                                \
    case k:                                                    \
        if (k <= TILE_SCALARS) tile_run(o, k, vectors, pixel); \
        break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
    }
}

/* Vectors b.. of v against every scalar and tap. */
INLINE void block_run(real *sum, const struct map *v, const struct map *s, int kernel, int images,
                      int b, const int vectors, const int pixel) {
    const int taps = kernel * kernel, radius = kernel / 2;
    struct outer o = {.v = v, .s = s, .images = images};
    o.vector = v->data + b * v->block;
    o.next_vector = (ptrdiff_t)taps * s->channels * LANES;
    sum += b * o.next_vector;
    if (pixel == 1) {
        o.next_scalar = (ptrdiff_t)s->channels * LANES;
        for (int c = 0; c < s->channels; c++)
            for (int ky = 0; ky < kernel; ky++) {
                int count;
                for (int kx = 0; kx < kernel; kx += count) {
                    count = tile_length(kernel - kx, TILE_SCALARS);
                    o.from = map_at(s, 0, c, ky - radius, kx - radius);
                    o.sum = sum + ((ky * kernel + kx) * s->channels + c) * LANES;
                    tile_choose(&o, count, vectors, pixel);
                }
            }
    } else {
        o.next_scalar = LANES;
        for (int c = 0; c < s->channels;) {
            const int left = s->channels - c, end = LANES - c % LANES; /* of the block */
            const int count = tile_length(left < end ? left : end, TILE_SCALARS);
            for (int tap = 0; tap < taps; tap++) {
                o.from = map_at(s, 0, c, tap / kernel - radius, tap % kernel - radius);
                o.sum = sum + (tap * s->channels + c) * LANES;
                tile_choose(&o, count, vectors, pixel);
            }
            c += count;
        }
    }
}

static void one_blocked(real *sum, const struct map *v, const struct map *s, int kernel, int images,
                        int b) {
    block_run(sum, v, s, kernel, images, b, 1, LANES);
}
static void one_planar(real *sum, const struct map *v, const struct map *s, int kernel, int images,
                       int b) {
    block_run(sum, v, s, kernel, images, b, 1, 1);
}
#if TILE_VECTORS == 2
static void two_blocked(real *sum, const struct map *v, const struct map *s, int kernel, int images,
                        int b) {
    block_run(sum, v, s, kernel, images, b, 2, LANES);
}
static void two_planar(real *sum, const struct map *v, const struct map *s, int kernel, int images,
                       int b) {
    block_run(sum, v, s, kernel, images, b, 2, 1);
}
#endif

static void conv_outer(real *sum, const struct map *v, const struct map *s, int kernel,
                       int images) {
    const int blocks = map_blocks(v);
    for (int b = 0; b < blocks; b += TILE_VECTORS) {
#if TILE_VECTORS == 2
        if (blocks - b >= 2) {
            (STEP_PLANAR(s) ? two_planar : two_blocked)(sum, v, s, kernel, images, b);
            continue;
        }
#endif
        (STEP_PLANAR(s) ? one_planar : one_blocked)(sum, v, s, kernel, images, b);
    }
}

void ISA(conv_outer_install)(struct kernels *table) {
#ifdef SWWAE_BF16
    table->conv_outer_bf16 = conv_outer;
#else
    table->conv_outer = conv_outer;
#endif
}
