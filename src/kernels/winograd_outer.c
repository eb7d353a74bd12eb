/* winograd_outer.c - the gradient of a 3x3 convolution's weights by Winograd's filtering: a chunk's
 * patches (winograd_tiles.h) and transformed gradients, position by position, as sums of outer
 * products; see winograd.h. */
#include "kernels/winograd_tiles.h"

static void patches_for_outers(const struct tiling *t, const struct map *x, int first, int tiles) {
    patches_make(t, x, first, tiles, OUTERS);
}

/* to = A dy A^T, dy the 2x2 pixels from p on. */
INLINE void gradient_transform(float *to, const float *p, ptrdiff_t row, const bool second) {
    for (int part = 0; part < PARTS; part++, to += VEC, p += VEC) {
        vx t[8]; /* rows of A dy */
        UNROLL
        for (int j = 0; j < 2; j++) {
            const vx y0 = x_load(p + j * LANES), y1 = x_load(p + row + j * LANES);
            t[j] = y0;
            t[2 + j] = y0 + y1;
            t[4 + j] = y0 - y1;
            t[6 + j] = -y1;
        }
        UNROLL
        for (int i = 0; i < 4; i++) {
            float *at = to + 4 * i * FACTOR_POSITION;
            tile_put(at, t[2 * i], OUTERS, second);
            tile_put(at + FACTOR_POSITION, t[2 * i] + t[2 * i + 1], OUTERS, second);
            tile_put(at + 2 * FACTOR_POSITION, t[2 * i] - t[2 * i + 1], OUTERS, second);
            tile_put(at + 3 * FACTOR_POSITION, -t[2 * i + 1], OUTERS, second);
        }
    }
}

/* Those of tiles first.. of dy, in place of products and laid out as patches. */
static void gradients_make(const struct tiling *t, const struct map *dy, int first, int tiles) {
    for (int b = 0; b < map_blocks(dy); b++) {
        struct place at = place_of(t, first);
        float *block = t->products + (ptrdiff_t)b * FACTOR_BLOCK;
        for (int k = 0; k < tiles; k++, place_skip(t, &at, 1)) {
            const float *p = dy->data + at.image * dy->image + b * dy->block +
                             2 * at.row * dy->row + (ptrdiff_t)2 * at.column * LANES;
            ptrdiff_t row = dy->row;
            float inside[4 * LANES] = {0};
            const int rows = dy->height - 2 * at.row, columns = dy->width - 2 * at.column;
            if (rows < 2 || columns < 2) {
                for (int i = 0; i < rows && i < 2; i++)
                    memcpy(inside + i * 2 * LANES, p + i * row,
                           (size_t)(columns < 2 ? columns : 2) * LANES * sizeof *p);
                p = inside;
                row = 2 * LANES;
            }
            if (k % STEP)
                gradient_transform(tile_at(block, k, OUTERS), p, row, true);
            else
                gradient_transform(tile_at(block, k, OUTERS), p, row, false);
        }
    }
}

/* sum += over the tiles' steps of `scalars` neighbouring channels of the patches times vectors of
 * the gradients */
INLINE void outer_run(float *to, const float *v, const float *w, int steps, const int scalars,
                      const int vectors) {
    v16 sum[TILE_SCALARS * TILE_VECTORS];
    UNROLL
    for (int k = 0; k < scalars * vectors; k++) sum[k] = v_load(to + k * LANES);
    const float *soon = to + scalars * vectors * LANES; /* the next call's, from a far cache */
    for (int t = 0; t < steps; t++, v += LANES, w += LANES, soon += LANES) {
        __builtin_prefetch(soon, 1, 2);
        v16 value[TILE_VECTORS];
        UNROLL
        for (int k = 0; k < vectors; k++) value[k] = v_load(w + k * FACTOR_BLOCK);
        UNROLL
        for (int s = 0; s < scalars; s++) {
            const v16 scalar = step_splat(v + s);
            UNROLL
            for (int k = 0; k < vectors; k++)
                sum[s * vectors + k] = step_fma(scalar, value[k], sum[s * vectors + k]);
        }
    }
    UNROLL
    for (int k = 0; k < scalars * vectors; k++) v_store(to + k * LANES, sum[k]);
}

INLINE void outer_choose(float *to, const float *v, const float *w, int steps, int scalars,
                         const int vectors) {
    switch (scalars) {
#define CASE(k)                                                        \
    case k:                                                            \
        if (k <= TILE_SCALARS) outer_run(to, v, w, steps, k, vectors); \
        break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
    }
}

/* Every position and channel of x against the vectors b.. of dy. */
INLINE void outers_add(float *sum, const struct tiling *t, int channels, int b, int tiles,
                       const int vectors) {
    for (int position = 0; position < WINOGRAD_POSITIONS; position++) {
        const float *v = t->patches + position * FACTOR_POSITION;
        const float *w = t->products + (ptrdiff_t)b * FACTOR_BLOCK + position * FACTOR_POSITION;
        for (int c = 0; c < channels;) {
            const int left = channels - c, end = LANES - c % LANES; /* of the block */
            const int count = tile_length(left < end ? left : end, TILE_SCALARS);
            outer_choose(sum, v + (ptrdiff_t)(c / LANES) * FACTOR_BLOCK + c % LANES, w,
                         steps_of(tiles), count, vectors);
            sum += count * vectors * LANES;
            c += count;
        }
    }
}

static void winograd_outer(real *sum, const struct map *dy, const struct map *x, int images,
                           void *scratch) {
    const int tiles = winograd_tiles(dy->height, dy->width, images);
    const int channels = x->channels, blocks = map_blocks(dy);
    const struct tiling t = tiling_make(x, images, scratch);
    for (int first = 0; first < tiles; first += t.chunk) {
        const int count = tiles - first < t.chunk ? tiles - first : t.chunk;
        patches_for_outers(&t, x, first, count);
        gradients_make(&t, dy, first, count);
        for (int b = 0; b < blocks; b += TILE_VECTORS) {
            float *to = sum + (size_t)b * WINOGRAD_POSITIONS * (size_t)channels * LANES;
#if TILE_VECTORS == 2
            if (blocks - b >= 2) {
                outers_add(to, &t, channels, b, count, 2);
                continue;
            }
#endif
            outers_add(to, &t, channels, b, count, 1);
        }
    }
}

void ISA(winograd_outer_install)(struct kernels *table) {
#ifdef SWWAE_BF16
    table->winograd_outer_bf16 = winograd_outer;
#else
    table->winograd_outer = winograd_outer;
#endif
}
