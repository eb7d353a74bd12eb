/* conv_outer.c - gradient of a convolution's weights: sums over pixels of outer products.
 *
 * A tile is some scalars times one or two vectors; its sums stay in registers over all pixels.
 * The scalars lie side by side in memory: neighbouring channels of a blocked map, or neighbouring
 * columns (taps) of a planar one, of one row of taps or several. With SWWAE_BF16 defined a word of
 * v or s is a pixel and the one to its right, and a step takes both; beside a planar s, which
 * meets each vector of v a few times only, v is in fp32 and paired here. */
#include "kernels/step.h"

/* Taps of a planar map against one vector: of one row's few sums each would wait for its last. In
 * fp32 GCC keeps some scalars for the next pixel, which pays; in bf16 it would put them elsewhere.
 */
#define TILE_TAPS (VEC < 16 ? 1 : STEP > 1 ? 25 : 21)

#define MOST_SUMS \
    (TILE_TAPS > TILE_SCALARS * TILE_VECTORS ? TILE_TAPS : TILE_SCALARS * TILE_VECTORS)

struct outer {
    const struct map *v, *s;
    const float *from;     /* s at the tile's first scalar and tap, image 0, pixel (0, 0) */
    const float *vector;   /* v at the tile's first vector, image 0, pixel (0, 0) */
    float *sum;            /* of the first scalar and vector */
    ptrdiff_t next_scalar; /* in sum */
    ptrdiff_t next_row;    /* of taps, in sum */
    ptrdiff_t next_vector; /* in sum */
    int images;
};

INLINE float *sum_at(const struct outer *o, int row, int column, int vector) {
    return o->sum + row * o->next_row + column * o->next_scalar + vector * o->next_vector;
}

INLINE void tile_run(const struct outer *o, const int rows, const int columns, const int vectors,
                     const int pixel) {
    const int scalars = rows * columns;
    v16 sum[MOST_SUMS];
    UNROLL
    for (int k = 0; k < scalars * vectors; k++)
        sum[k] = v_load(sum_at(o, k / vectors / columns, k / vectors % columns, k % vectors));
    const int width = o->v->width, height = o->v->height;
    const ptrdiff_t block = o->v->block, row = o->s->row;
    for (int n = 0; n < o->images; n++)
        for (int i = 0; i < height; i++) {
            const float *from = o->from + n * o->s->image + i * row;
            const float *vector = o->vector + n * o->v->image + i * o->v->row;
            for (int j = 0; j < width; j += STEP, from += STEP * pixel, vector += STEP * LANES) {
                v16 value[TILE_VECTORS];
                if (VEC < 16 || STEP > 1) load_again(); /* neighbouring pixels share scalars */
                UNROLL
                for (int v = 0; v < vectors; v++) {
                    value[v] = v_load(vector + v * block);
                    if (STEP > 1 && pixel == 1)
                        value[v] =
                            step_pair(value[v], j + 1 < width ? v_load(vector + v * block + LANES)
                                                              : v_zero());
                }
                UNROLL
                for (int k = 0; k < scalars; k++) {
                    const v16 scalar = step_splat(from + k / columns * row + k % columns);
                    UNROLL
                    for (int v = 0; v < vectors; v++)
                        sum[k * vectors + v] = step_fma(scalar, value[v], sum[k * vectors + v]);
                }
            }
        }
    UNROLL
    for (int k = 0; k < scalars * vectors; k++)
        v_store(sum_at(o, k / vectors / columns, k / vectors % columns, k % vectors), sum[k]);
}

/* Rows of taps of a tile, at most. */
INLINE int most_rows(int columns, const int vectors, const int pixel) {
    if (vectors > 1 || pixel > 1 || TILE_TAPS <= columns) return 1;
    return TILE_TAPS / columns < 5 ? TILE_TAPS / columns : 5;
}

INLINE void tile_choose(const struct outer *o, int rows, int columns, const int vectors,
                        const int pixel) {
    switch (rows * 16 + columns) {
#define CASE(r, k)                                                  \
    case r * 16 + k:                                                \
        if (k <= TILE_SCALARS && r <= most_rows(k, vectors, pixel)) \
            tile_run(o, r, k, vectors, pixel);                      \
        break;
        // clang-format off
        CASE(1, 1) CASE(1, 2) CASE(1, 3) CASE(1, 4) CASE(1, 5) CASE(1, 6) CASE(1, 7) CASE(1, 8)
        CASE(2, 1) CASE(2, 2) CASE(2, 3) CASE(2, 4) CASE(2, 5) CASE(2, 6) CASE(2, 7) CASE(2, 8)
        CASE(3, 1) CASE(3, 2) CASE(3, 3) CASE(3, 4) CASE(3, 5) CASE(3, 6) CASE(3, 7) CASE(3, 8)
        CASE(4, 1) CASE(4, 2) CASE(4, 3) CASE(4, 4) CASE(4, 5) CASE(4, 6)
        CASE(5, 1) CASE(5, 2) CASE(5, 3) CASE(5, 4) CASE(5, 5)
        // clang-format on
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
        o.next_row = kernel * o.next_scalar;
        for (int c = 0; c < s->channels; c++) {
            int rows, columns;
            for (int kx = 0; kx < kernel; kx += columns) {
                columns = tile_length(kernel - kx, TILE_SCALARS);
                for (int ky = 0; ky < kernel; ky += rows) {
                    rows = tile_length(kernel - ky, most_rows(columns, vectors, pixel));
                    o.from = map_at(s, 0, c, ky - radius, kx - radius);
                    o.sum = sum + ((ky * kernel + kx) * s->channels + c) * LANES;
                    tile_choose(&o, rows, columns, vectors, pixel);
                }
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
                tile_choose(&o, 1, count, vectors, pixel);
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
