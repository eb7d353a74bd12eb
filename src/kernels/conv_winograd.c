/* conv_winograd.c - 3x3 convolutions by Winograd's F(2x2, 3x3); see winograd.h.
 *
 * A chunk of tiles at a time: patches are transformed to [block of x][position][tile][LANES]; for
 * each group of output vectors and each position, tiles meet the transformed weights in the same
 * register tile as a direct convolution's pixels (conv_tile.h); the products, [vector][position]
 * [tile][LANES], are transformed to outputs. A tile of outputs is a window of a 2x2 pool: its
 * maximum never leaves the registers.
 *
 * With SWWAE_BF16 defined transformed numbers are rounded to pairs of bf16 (step.h): for products
 * two neighbouring channels, for the weights' gradient the same channel of two neighbouring tiles.
 */
#include "kernels/step.h"
#include "kernels/winograd.h"

#define PARTS (LANES / VEC)

/* From a position to the next, and from a block or vector to the next, of products and of what is
 * multiplied: constants, so that a transform's 16 places are offsets from one address. */
#define NEXT_POSITION (WINOGRAD_CHUNK * LANES)
#define NEXT_BLOCK (WINOGRAD_POSITIONS * NEXT_POSITION)
#define WORDS (LANES / STEP) /* of a block's channels, or tiles' pairs of one */
#define FACTOR_POSITION (WINOGRAD_CHUNK * WORDS)
#define FACTOR_BLOCK (WINOGRAD_POSITIONS * FACTOR_POSITION)

/* Tile `t` of a map of images, row-major in each. */
struct place {
    int image, row, column; /* in tiles */
};

/* Of a call: how tiles are counted and where a chunk's numbers lie. */
struct tiling {
    int rows, columns; /* of tiles in an image */
    int chunk;
    float *patches;
    float *products; /* or the transformed gradients of winograd_outer */
};

INLINE struct place place_of(const struct tiling *t, int tile) {
    const int in_image = tile % (t->rows * t->columns);
    return (struct place){tile / (t->rows * t->columns), in_image / t->columns,
                          in_image % t->columns};
}

/* `tiles` on, at most to the next row. */
INLINE void place_skip(const struct tiling *t, struct place *p, int tiles) {
    p->column += tiles;
    if (p->column < t->columns) return;
    p->column = 0;
    if (++p->row < t->rows) return;
    p->row = 0;
    p->image++;
}

/* Tiles of a chunk, in equal chunks. Their patches stay in the second-level cache, and transformed
 * weights are read from far away only once for so many. One block's products are done so soon that
 * they had better stay in the first-level cache too. Measured: docs/speed.md. */
#define CHUNK_BYTES (512 << 10)

static int chunk_tiles(const struct map *x, int tiles) {
    const int fit = CHUNK_BYTES / (map_blocks(x) * WINOGRAD_POSITIONS * LANES * (int)sizeof(float));
    int most = fit < WINOGRAD_CHUNK ? fit : WINOGRAD_CHUNK;
    if (most < 14) most = 14; /* a full tile of the multiplication */
    if (VEC == 16 && map_blocks(x) == 1) most = 7;
    return tile_length(tiles, most);
}

static struct tiling tiling_make(const struct map *x, int images, void *scratch) {
    struct tiling t = {.rows = (x->height + 1) / 2, .columns = (x->width + 1) / 2};
    t.chunk = chunk_tiles(x, winograd_tiles(x->height, x->width, images));
    t.patches = scratch;
    t.products = t.patches + (ptrdiff_t)map_blocks(x) * FACTOR_BLOCK;
    return t;
}

/* ---- patches ---- */

/* Who reads transformed numbers: products step over channels, the weights' gradient over tiles. */
enum reader { PRODUCTS, OUTERS };

/* Where a tile's numbers of a block and position 0 go. */
INLINE float *tile_at(float *block, int tile, const enum reader reader) {
    return block + (reader == PRODUCTS ? tile * WORDS : tile / STEP * LANES);
}

INLINE void tile_put(float *to, vx x, const enum reader reader, const bool second) {
    if (reader == PRODUCTS)
        step_store(to, x);
    else
        step_store_lanes(to, x, second);
}

/* Column of B^T d, d the four pixels from p on. */
INLINE void column_transform(vx t[4], const float *p, ptrdiff_t row) {
    const vx d0 = x_load(p), d1 = x_load(p + row), d2 = x_load(p + 2 * row),
             d3 = x_load(p + 3 * row);
    t[0] = d0 - d2;
    t[1] = d1 + d2;
    t[2] = d2 - d1;
    t[3] = d1 - d3;
}

/* to = t B, t the columns of B^T d. */
INLINE void patch_put(float *to, const vx t0[4], const vx t1[4], const vx t2[4], const vx t3[4],
                      const enum reader reader, const bool second) {
    UNROLL
    for (int i = 0; i < 4; i++, to += 4 * FACTOR_POSITION) {
        tile_put(to, t0[i] - t2[i], reader, second);
        tile_put(to + FACTOR_POSITION, t1[i] + t2[i], reader, second);
        tile_put(to + 2 * FACTOR_POSITION, t2[i] - t1[i], reader, second);
        tile_put(to + 3 * FACTOR_POSITION, t1[i] - t3[i], reader, second);
    }
}

/* B^T d B, d the 4x4 pixels from p on, for the chunk's tiles first.. first + tiles - 1, which are
 * neighbours in a row: the last two columns of a patch are the first two of the next. */
INLINE void patches_transform(float *block, int first, const float *p, ptrdiff_t row, int tiles,
                              const enum reader reader) {
    for (int part = 0; part < PARTS; part++) {
        const float *from = p + part * VEC;
        vx t0[4], t1[4];
        column_transform(t0, from, row);
        column_transform(t1, from + LANES, row);
        for (int k = first; k < first + tiles; k++) {
            float *to = tile_at(block, k, reader) + part * VEC;
            vx t2[4], t3[4];
            from += 2 * LANES;
            column_transform(t2, from, row);
            column_transform(t3, from + LANES, row);
            if (STEP > 1 && reader == OUTERS && k % STEP)
                patch_put(to, t0, t1, t2, t3, reader, true);
            else
                patch_put(to, t0, t1, t2, t3, reader, false);
            UNROLL
            for (int i = 0; i < 4; i++) {
                t0[i] = t2[i];
                t1[i] = t3[i];
            }
        }
    }
}

static int smaller(int a, int b) { return a < b ? a : b; }

/* The patches of tiles first.. of x, whose ring is the padding; one that reaches past it ends in
 * zeros. */
INLINE void patches_make(const struct tiling *t, const struct map *x, int first, int tiles,
                         const enum reader reader) {
    for (int b = 0; b < map_blocks(x); b++) {
        struct place at = place_of(t, first);
        float *block = t->patches + (ptrdiff_t)b * FACTOR_BLOCK;
        int count;
        for (int k = 0; k < tiles; k += count) {
            const int i = 2 * at.row - 1, j = 2 * at.column - 1;
            const float *p =
                x->data + at.image * x->image + b * x->block + i * x->row + (ptrdiff_t)j * LANES;
            const int rows = smaller(4, x->height + 1 - i), columns = smaller(4, x->width + 1 - j);
            if (rows == 4 && columns == 4) {
                count = smaller(tiles - k, x->width / 2 - at.column);
                patches_transform(block, k, p, x->row, count, reader);
            } else {
                float inside[16 * LANES] = {0};
                for (int r = 0; r < rows; r++)
                    memcpy(inside + r * 4 * LANES, p + r * x->row,
                           (size_t)columns * LANES * sizeof *p);
                count = 1;
                patches_transform(block, k, inside, 4 * LANES, 1, reader);
            }
            place_skip(t, &at, count);
        }
    }
}

static void patches_for_products(const struct tiling *t, const struct map *x, int first,
                                 int tiles) {
    patches_make(t, x, first, tiles, PRODUCTS);
}

static void patches_for_outers(const struct tiling *t, const struct map *x, int first, int tiles) {
    patches_make(t, x, first, tiles, OUTERS);
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

/* ---- the gradient of the weights ---- */

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

void ISA(conv_winograd_install)(struct kernels *table) {
#ifdef SWWAE_BF16
    table->winograd_bf16 = winograd;
    table->winograd_pool_bf16 = winograd_pool;
    table->winograd_outer_bf16 = winograd_outer;
#else
    table->winograd = winograd;
    table->winograd_pool = winograd_pool;
    table->winograd_outer = winograd_outer;
#endif
}
