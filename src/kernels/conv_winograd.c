/* conv_winograd.c - 3x3 convolutions by Winograd's F(2x2, 3x3); see winograd.h.
 *
 * For each group of output vectors and each position, a chunk's tiles (winograd_tiles.h) meet the
 * transformed weights in the same register tile as a direct convolution's pixels (conv_tile.h); the
 * products, [vector][position][tile][LANES], are transformed to outputs. A tile of outputs is a
 * window of a 2x2 pool: its maximum never leaves the registers. */
#include "kernels/winograd_tiles.h"

static void patches_for_products(const struct tiling *t, const struct map *x, int first,
                                 int tiles) {
    patches_make(t, x, first, tiles, PRODUCTS);
}

/* ---- products ---- */

/* Steps a round of the loop: of 16 channels one by one, the loop's end took a sixth of the time
 * with AVX2, and all at once its instructions came too slowly (docs/speed.md). */
#define PRODUCT_STEPS (VEC < 16 ? 4 : 1)

/* One step over the channels of `tiles` tiles times its `vectors` vectors of weights. */
INLINE void product_step(v16 *sum, const float *x, const float *u, const int tiles,
                         const int vectors) {
    v16 weight[TILE_VECTORS];
    if (PRODUCT_STEPS > 1) load_again();
    UNROLL
    for (int k = 0; k < vectors; k++) weight[k] = v_load(u + k * LANES);
    UNROLL
    for (int p = 0; p < tiles; p++) {
        const v16 value = step_splat(x + p * WORDS);
        UNROLL
        for (int k = 0; k < vectors; k++)
            sum[p * vectors + k] = step_fma(value, weight[k], sum[p * vectors + k]);
    }
}

/* `tiles` tiles of one position times `vectors` vectors of weights. */
INLINE void product_run(float *to, const float *v, const float *u, const float *soon, int channels,
                        const int tiles, const int vectors) {
    v16 sum[TILE_PIXELS * TILE_VECTORS];
    UNROLL
    for (int k = 0; k < tiles * vectors; k++) sum[k] = v_zero();
    for (int first = 0; first < channels; first += LANES, v += FACTOR_BLOCK) {
        const int lanes = channels - first < LANES ? channels - first : LANES;
        const float *x = v;
        int left = steps_of(lanes);
        for (; left >= PRODUCT_STEPS; left -= PRODUCT_STEPS) {
            UNROLL
            for (int k = 0; k < PRODUCT_STEPS; k++, x++, u += vectors * LANES)
                product_step(sum, x, u, tiles, vectors);
            __builtin_prefetch(soon, 0, 2), soon += LANES;
        }
        for (; left > 0; left--, x++, u += vectors * LANES) product_step(sum, x, u, tiles, vectors);
    }
    UNROLL
    for (int k = 0; k < vectors; k++) {
        UNROLL
        for (int p = 0; p < tiles; p++)
            v_store(to + k * NEXT_BLOCK + p * LANES, sum[p * vectors + k]);
    }
}

INLINE void product_choose(float *to, const float *v, const float *u, const float *soon,
                           int channels, int tiles, const int vectors) {
    switch (tiles) {
#define CASE(n)                                                                  \
    case n:                                                                      \
        if (n <= TILE_PIXELS) product_run(to, v, u, soon, channels, n, vectors); \
        break;
        // clang-format off
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
        CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
        // clang-format on
#undef CASE
    }
}

/* Products of a chunk's tiles with a group's weights. */
INLINE void products_make(const struct tiling *t, const float *u, int channels, int tiles,
                          const int vectors) {
    const ptrdiff_t weights = (ptrdiff_t)steps_of(channels) * vectors * LANES;
    for (int position = 0; position < WINOGRAD_POSITIONS; position++, u += weights) {
        const float *v = t->patches + position * FACTOR_POSITION;
        float *to = t->products + position * NEXT_POSITION;
        /* each piece fetches some of the next position's weights from a far cache */
        const float *soon = u + weights;
        int count;
        for (int k = 0; k < tiles; k += count, v += count * WORDS, to += count * LANES) {
            count = tile_length(tiles - k, TILE_PIXELS);
            product_choose(to, v, u, soon, channels, count, vectors);
            soon += steps_of(channels) / PRODUCT_STEPS * LANES;
        }
    }
}

/* ---- outputs ---- */

/* y = A^T m A + bias, one part of a vector. */
INLINE void tile_transform(vx y[4], const float *m, vx bias) {
    UNROLL
    for (int j = 0; j < 4; j++) {
        const vx m0 = x_load(m + j * NEXT_POSITION), m1 = x_load(m + (4 + j) * NEXT_POSITION),
                 m2 = x_load(m + (8 + j) * NEXT_POSITION),
                 m3 = x_load(m + (12 + j) * NEXT_POSITION);
        vx t[2] = {m0 + m1 + m2, m1 - m2 - m3}; /* column j of A^T m */
        UNROLL
        for (int i = 0; i < 2; i++) {
            y[2 * i] = j == 0 ? t[i] : j < 3 ? y[2 * i] + t[i] : y[2 * i] + bias;
            if (j > 0) y[2 * i + 1] = j == 1 ? t[i] : y[2 * i + 1] - t[i];
            if (j == 3) y[2 * i + 1] += bias;
        }
    }
}

/* What becomes of a tile. */
struct sink {
    const struct conv *c;
    uint8_t *where; /* NULL: to c->y, pixel by pixel; else to c->y, pooled */
};

INLINE v16 part_of(const vx *parts) {
    v16 whole;
#define S(part, k) whole.part = parts[k];
    EACH(S)
#undef S
    return whole;
}

/* A tile's place, and that of the next in its row: 2x2 pixels, or a pooled one. */
struct spot {
    float *to;
    const float *gate; /* NULL: none */
    uint8_t *where;
};

INLINE struct spot spot_of(const struct sink *s, struct place at, int block) {
    const struct map *y = &s->c->y, *gate = s->c->gate;
    const int side = s->where ? 1 : 2; /* of a tile in y */
    struct spot spot = {y->data + at.image * y->image + block * y->block + side * at.row * y->row +
                            (ptrdiff_t)side * at.column * LANES,
                        NULL, NULL};
    if (gate)
        spot.gate = gate->data + at.image * gate->image + block * gate->block +
                    2 * at.row * gate->row + (ptrdiff_t)2 * at.column * LANES;
    if (s->where) {
        const ptrdiff_t map = (ptrdiff_t)(at.image * map_blocks(y) + block) * y->height;
        spot.where = s->where + ((map + at.row) * y->width + at.column) * LANES;
    }
    return spot;
}

/* right, below: whether the tile has a second column, row. */
INLINE void tile_write(const struct conv *c, const v16 y[4], struct spot spot, bool right,
                       bool below) {
    UNROLL
    for (int k = 0; k < 4; k++) {
        const int i = k / 2, j = k % 2;
        if ((i && !below) || (j && !right)) continue;
        v16 out = y[k];
        if (c->relu) out = v_relu(out);
        if (spot.gate) out = v_gate(out, v_load(spot.gate + i * c->gate->row + j * LANES));
        v_store(spot.to + i * c->y.row + j * LANES, out);
    }
}

INLINE void tile_pool(const struct conv *c, const v16 y[4], struct spot spot, bool right,
                      bool below) {
    v16 best = c->relu ? v_relu(y[0]) : y[0];
    i16 cell = i_zero();
    if (right) v_keep_larger(&best, &cell, y[1], 1);
    if (below) v_keep_larger(&best, &cell, y[2], 2);
    if (right && below) v_keep_larger(&best, &cell, y[3], 3);
    v_store(spot.to, best);
    i_store_bytes(spot.where, cell);
}

/* `tiles` neighbours in a row; pooled is a constant. */
INLINE void outputs_run(const struct conv *c, struct spot spot, const float *m, const float *bias,
                        int tiles, bool right, bool below, const bool pooled) {
    for (int k = 0; k < tiles; k++, m += LANES) {
        vx parts[4][PARTS];
        v16 y[4];
        UNROLL
        for (int part = 0; part < PARTS; part++) {
            vx out[4];
            tile_transform(out, m + part * VEC, bias ? x_load(bias + part * VEC) : (vx){0});
            UNROLL
            for (int i = 0; i < 4; i++) parts[i][part] = out[i];
        }
        UNROLL
        for (int i = 0; i < 4; i++) y[i] = part_of(parts[i]);
        if (pooled) {
            tile_pool(c, y, spot, right, below);
            spot.to += LANES;
            spot.where += LANES;
        } else {
            tile_write(c, y, spot, right, below);
            spot.to += 2 * LANES;
            if (spot.gate) spot.gate += 2 * LANES;
        }
    }
}

/* Of tiles first.. and `vectors` vectors from `block` on. */
static void outputs_make(const struct tiling *t, const struct sink *s, int block, int first,
                         int tiles, int vectors) {
    const struct conv *c = s->c;
    for (int v = 0; v < vectors; v++, block++) {
        struct place at = place_of(t, first);
        const float *m = t->products + v * NEXT_BLOCK;
        const float *bias = c->bias ? c->bias + block * LANES : NULL;
        int count;
        for (int k = 0; k < tiles; k += count, m += count * LANES) {
            const bool right = 2 * at.column + 1 < c->x.width, below = 2 * at.row + 1 < c->x.height;
            count = right ? smaller(tiles - k, c->x.width / 2 - at.column) : 1;
            const struct spot spot = spot_of(s, at, block);
            if (!s->where)
                outputs_run(c, spot, m, bias, count, right, below, false);
            else if (right && below)
                outputs_run(c, spot, m, bias, count, true, true, true);
            else
                outputs_run(c, spot, m, bias, count, right, below, true);
            place_skip(t, &at, count);
        }
    }
}

static void conv_run(const struct sink *s) {
    const struct conv *c = s->c;
    const int tiles = winograd_tiles(c->x.height, c->x.width, c->images);
    const int channels = c->x.channels, blocks = map_blocks(&c->y);
    const ptrdiff_t weights = (ptrdiff_t)WINOGRAD_POSITIONS * steps_of(channels) * LANES;
    const struct tiling t = tiling_make(&c->x, c->images, c->scratch);
    for (int first = 0; first < tiles; first += t.chunk) {
        const int count = tiles - first < t.chunk ? tiles - first : t.chunk;
        patches_for_products(&t, &c->x, first, count);
        for (int b = 0; b < blocks; b += TILE_VECTORS) {
            const float *u = c->weight + b * weights;
#if TILE_VECTORS == 2
            if (blocks - b >= 2) {
                products_make(&t, u, channels, count, 2);
                outputs_make(&t, s, b, first, count, 2);
                continue;
            }
#endif
            products_make(&t, u, channels, count, 1);
            outputs_make(&t, s, b, first, count, 1);
        }
    }
}

static void winograd(const struct conv *c) { conv_run(&(struct sink){.c = c}); }

/* Larger pools: an image's map before the pool, then the pool. */
static void winograd_pool(const struct conv *c, uint8_t *where, int pool) {
    if (pool == 2) {
        conv_run(&(struct sink){.c = c, .where = where});
        return;
    }
    const struct map between = map_shape(c->y.channels, c->x.height, c->x.width, 0, LANES);
    struct conv one = *c;
    struct map what = c->y;
    one.y = map_place(between, c->scratch);
    one.scratch = (float *)c->scratch + map_size(&between, 1);
    one.images = 1;
    for (int n = 0; n < c->images; n++) {
        winograd(&one);
        ISA(pool_run)(&what, where, &one.y, pool, 1);
        one.x.data += c->x.image;
        what.data += what.image;
        where += map_blocks(&what) * what.height * what.width * LANES;
    }
}

void ISA(conv_winograd_install)(struct kernels *table) {
#ifdef SWWAE_BF16
    table->winograd_bf16 = winograd;
    table->winograd_pool_bf16 = winograd_pool;
#else
    table->winograd = winograd;
    table->winograd_pool = winograd_pool;
#endif
}
