/* conv_winograd.c - 3x3 convolutions by Winograd's F(2x2, 3x3); see winograd.h.
 *
 * A chunk of tiles at a time: patches are transformed to [position][block of x][tile][LANES]; for
 * each group of output vectors and each position, tiles meet the transformed weights in the same
 * register tile as a direct convolution's pixels (conv_tile.h); the products are transformed to
 * outputs. A tile of outputs is a window of a 2x2 pool: its maximum never leaves the registers. */
#include "kernels/isa.h"
#include "kernels/winograd.h"

#define PARTS (LANES / VEC)

/* Tile `t` of a map of images, row-major in each. */
struct place {
    int image, row, column; /* in tiles */
};

/* Of a call: how tiles are counted and where a chunk's numbers lie. */
struct tiling {
    int rows, columns; /* of tiles in an image */
    int chunk;
    ptrdiff_t block;    /* from a block of one position to the next */
    ptrdiff_t position; /* the same for positions, of the patches of x */
    float *patches;
    float *products; /* or the transformed gradients of winograd_outer */
};

/* Where the products of a group of vectors lie: with wide registers
 * [position][vector][tile][LANES], else [vector][tile][position][LANES], whose steps are constants:
 * 16 addresses more would not fit AVX2's registers. */
#define PRODUCTS_BY_TILE (VEC < 16)

INLINE ptrdiff_t next_position(const struct tiling *t, const int vectors) {
    return PRODUCTS_BY_TILE ? LANES : vectors * t->block;
}

INLINE ptrdiff_t next_tile(void) { return PRODUCTS_BY_TILE ? WINOGRAD_POSITIONS * LANES : LANES; }

INLINE ptrdiff_t next_vector(const struct tiling *t) {
    return PRODUCTS_BY_TILE ? WINOGRAD_POSITIONS * t->block : t->block;
}

INLINE struct place place_of(const struct tiling *t, int tile) {
    const int in_image = tile % (t->rows * t->columns);
    return (struct place){tile / (t->rows * t->columns), in_image / t->columns,
                          in_image % t->columns};
}

INLINE void place_next(const struct tiling *t, struct place *p) {
    if (++p->column < t->columns) return;
    p->column = 0;
    if (++p->row < t->rows) return;
    p->row = 0;
    p->image++;
}

static struct tiling tiling_make(const struct map *x, int images, void *scratch) {
    struct tiling t = {.rows = (x->height + 1) / 2, .columns = (x->width + 1) / 2};
    t.chunk = winograd_chunk(x->channels, winograd_tiles(x->height, x->width, images));
    t.block = (ptrdiff_t)t.chunk * LANES;
    t.position = t.block * map_blocks(x);
    t.patches = scratch;
    t.products = t.patches + t.position * WINOGRAD_POSITIONS;
    return t;
}

/* ---- patches ---- */

/* to = B^T d B, d the 4x4 pixels from p on; `next` values between positions. */
INLINE void patch_transform(float *to, ptrdiff_t next, const float *p, ptrdiff_t row) {
    for (int part = 0; part < PARTS; part++, to += VEC, p += VEC) {
        vx t[16];
        UNROLL
        for (int j = 0; j < 4; j++) {
            const vx d0 = x_load(p + j * LANES), d1 = x_load(p + row + j * LANES),
                     d2 = x_load(p + 2 * row + j * LANES), d3 = x_load(p + 3 * row + j * LANES);
            t[j] = d0 - d2;
            t[4 + j] = d1 + d2;
            t[8 + j] = d2 - d1;
            t[12 + j] = d1 - d3;
        }
        UNROLL
        for (int i = 0; i < 16; i += 4) {
            x_store(to + i * next, t[i] - t[i + 2]);
            x_store(to + (i + 1) * next, t[i + 1] + t[i + 2]);
            x_store(to + (i + 2) * next, t[i + 2] - t[i + 1]);
            x_store(to + (i + 3) * next, t[i + 1] - t[i + 3]);
        }
    }
}

/* A patch that reaches past the ring, which holds zeros there. */
static void patch_at_edge(float *to, ptrdiff_t next, const float *p, ptrdiff_t row, int rows,
                          int columns) {
    float inside[16 * LANES] = {0};
    for (int i = 0; i < rows; i++)
        memcpy(inside + i * 4 * LANES, p + i * row, (size_t)columns * LANES * sizeof *p);
    patch_transform(to, next, inside, 4 * LANES);
}

/* The patches of tiles first.. of x, which pads with one pixel. */
static void patches_make(const struct tiling *t, const struct map *x, int first, int tiles) {
    for (int b = 0; b < map_blocks(x); b++) {
        struct place at = place_of(t, first);
        float *to = t->patches + b * t->block;
        for (int k = 0; k < tiles; k++, to += LANES, place_next(t, &at)) {
            const int i = 2 * at.row - 1, j = 2 * at.column - 1;
            const float *p =
                x->data + at.image * x->image + b * x->block + i * x->row + (ptrdiff_t)j * LANES;
            const int rows = x->height + 1 - i, columns = x->width + 1 - j;
            if (rows >= 4 && columns >= 4)
                patch_transform(to, t->position, p, x->row);
            else
                patch_at_edge(to, t->position, p, x->row, rows < 4 ? rows : 4,
                              columns < 4 ? columns : 4);
        }
    }
}

/* ---- products ---- */

/* Channels a round of the loop: of 16 channels one by one, the loop's end took a sixth of the time
 * with AVX2, and all at once its instructions came too slowly (docs/speed.md). */
#define PRODUCT_STEPS (VEC < 16 ? 4 : 1)

/* One channel of `tiles` tiles times its `vectors` vectors of weights. */
INLINE void product_step(v16 *sum, const float *x, const float *u, const int tiles,
                         const int vectors) {
    v16 weight[TILE_VECTORS];
    if (PRODUCT_STEPS > 1) load_again();
    UNROLL
    for (int k = 0; k < vectors; k++) weight[k] = v_load(u + k * LANES);
    UNROLL
    for (int p = 0; p < tiles; p++) {
        const v16 value = v_splat(x[p * LANES]);
        UNROLL
        for (int k = 0; k < vectors; k++)
            sum[p * vectors + k] = v_fma(value, weight[k], sum[p * vectors + k]);
    }
}

/* `tiles` tiles of one position times `vectors` vectors of weights; `next` values from a vector of
 * products to the next. */
INLINE void product_run(float *to, ptrdiff_t next, const float *v, ptrdiff_t block, const float *u,
                        const float *soon, int channels, const int tiles, const int vectors) {
    v16 sum[TILE_PIXELS * TILE_VECTORS];
    UNROLL
    for (int k = 0; k < tiles * vectors; k++) sum[k] = v_zero();
    for (int first = 0; first < channels; first += LANES, v += block) {
        const int lanes = channels - first < LANES ? channels - first : LANES;
        const float *x = v;
        int left = lanes;
        for (; left >= PRODUCT_STEPS; left -= PRODUCT_STEPS) {
            UNROLL
            for (int k = 0; k < PRODUCT_STEPS; k++, x++, u += vectors * LANES)
                product_step(sum, x, u, tiles, vectors);
            if (PRODUCT_STEPS > 1) __builtin_prefetch(soon, 0, 2), soon += LANES;
        }
        for (; left > 0; left--, x++, u += vectors * LANES) product_step(sum, x, u, tiles, vectors);
    }
    UNROLL
    for (int k = 0; k < vectors; k++) {
        UNROLL
        for (int p = 0; p < tiles; p++)
            v_store(to + k * next + p * next_tile(), sum[p * vectors + k]);
    }
}

INLINE void product_choose(float *to, ptrdiff_t next, const float *v, ptrdiff_t block,
                           const float *u, const float *soon, int channels, int tiles,
                           const int vectors) {
    switch (tiles) {
#define CASE(n)                                                                               \
    case n:                                                                                   \
        if (n <= TILE_PIXELS) product_run(to, next, v, block, u, soon, channels, n, vectors); \
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
    for (int position = 0; position < WINOGRAD_POSITIONS; position++) {
        const float *v = t->patches + position * t->position;
        float *to = t->products + position * next_position(t, vectors);
        /* each piece fetches some of the next position's weights from a far cache */
        const float *soon = u + (ptrdiff_t)channels * vectors * LANES;
        int count;
        for (int k = 0; k < tiles; k += count, v += count * LANES, to += count * next_tile()) {
            count = tile_length(tiles - k, TILE_PIXELS);
            product_choose(to, next_vector(t), v, t->block, u, soon, channels, count, vectors);
            soon += channels / PRODUCT_STEPS * LANES;
        }
        u += (ptrdiff_t)channels * vectors * LANES;
    }
}

/* ---- outputs ---- */

/* y = A^T m A + bias, one part of a vector; `next` values between positions. */
INLINE void tile_transform(vx y[4], const float *m, ptrdiff_t next, vx bias) {
    UNROLL
    for (int j = 0; j < 4; j++) {
        const vx m0 = x_load(m + j * next), m1 = x_load(m + (4 + j) * next),
                 m2 = x_load(m + (8 + j) * next), m3 = x_load(m + (12 + j) * next);
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

INLINE void tile_write(const struct conv *c, const v16 y[4], struct place at, int block) {
    const ptrdiff_t corner = 2 * at.row * c->y.row + (ptrdiff_t)2 * at.column * LANES;
    float *to = c->y.data + at.image * c->y.image + block * c->y.block + corner;
    const float *gate = c->gate
                            ? c->gate->data + at.image * c->gate->image + block * c->gate->block +
                                  2 * at.row * c->gate->row + (ptrdiff_t)2 * at.column * LANES
                            : NULL;
    UNROLL
    for (int k = 0; k < 4; k++) {
        const int i = k / 2, j = k % 2;
        if ((i && 2 * at.row + 1 == c->y.height) || (j && 2 * at.column + 1 == c->y.width))
            continue;
        v16 out = y[k];
        if (c->relu) out = v_relu(out);
        if (gate) out = v_gate(out, v_load(gate + i * c->gate->row + j * LANES));
        v_store(to + i * c->y.row + j * LANES, out);
    }
}

INLINE void tile_pool(const struct sink *s, const v16 y[4], struct place at, int block) {
    const struct map *what = &s->c->y;
    const int blocks = map_blocks(what);
    v16 best = s->c->relu ? v_relu(y[0]) : y[0];
    i16 cell = i_zero();
    const bool right = 2 * at.column + 1 < s->c->x.width, below = 2 * at.row + 1 < s->c->x.height;
    if (right) v_keep_larger(&best, &cell, y[1], 1);
    if (below) v_keep_larger(&best, &cell, y[2], 2);
    if (right && below) v_keep_larger(&best, &cell, y[3], 3);
    v_store(what->data + at.image * what->image + block * what->block + at.row * what->row +
                (ptrdiff_t)at.column * LANES,
            best);
    i_store_bytes(
        s->where + (((ptrdiff_t)(at.image * blocks + block) * what->height + at.row) * what->width +
                    at.column) *
                       LANES,
        cell);
}

INLINE void outputs_make(const struct tiling *t, const struct sink *s, int block, int first,
                         int tiles, const int vectors) {
    for (int v = 0; v < vectors; v++, block++) {
        struct place at = place_of(t, first);
        const float *m = t->products + v * next_vector(t);
        const float *bias = s->c->bias ? s->c->bias + block * LANES : NULL;
        for (int k = 0; k < tiles; k++, m += next_tile(), place_next(t, &at)) {
            vx parts[4][PARTS];
            v16 y[4];
            UNROLL
            for (int part = 0; part < PARTS; part++) {
                vx out[4];
                tile_transform(out, m + part * VEC, next_position(t, vectors),
                               bias ? x_load(bias + part * VEC) : (vx){0});
                UNROLL
                for (int i = 0; i < 4; i++) parts[i][part] = out[i];
            }
            UNROLL
            for (int i = 0; i < 4; i++) y[i] = part_of(parts[i]);
            if (s->where)
                tile_pool(s, y, at, block);
            else
                tile_write(s->c, y, at, block);
        }
    }
}

static void conv_run(const struct sink *s) {
    const struct conv *c = s->c;
    const int tiles = winograd_tiles(c->x.height, c->x.width, c->images);
    const int channels = c->x.channels, blocks = map_blocks(&c->y);
    const struct tiling t = tiling_make(&c->x, c->images, c->scratch);
    for (int first = 0; first < tiles; first += t.chunk) {
        const int count = tiles - first < t.chunk ? tiles - first : t.chunk;
        patches_make(&t, &c->x, first, count);
        for (int b = 0; b < blocks; b += TILE_VECTORS) {
            const float *u = c->weight + (size_t)b * WINOGRAD_POSITIONS * (size_t)channels * LANES;
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
INLINE void gradient_transform(float *to, ptrdiff_t next, const float *p, ptrdiff_t row) {
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
            x_store(to + 4 * i * next, t[2 * i]);
            x_store(to + (4 * i + 1) * next, t[2 * i] + t[2 * i + 1]);
            x_store(to + (4 * i + 2) * next, t[2 * i] - t[2 * i + 1]);
            x_store(to + (4 * i + 3) * next, -t[2 * i + 1]);
        }
    }
}

/* [position][block][tile][LANES] of tiles first.. of dy */
static void gradients_make(const struct tiling *t, const struct map *dy, int first, int tiles) {
    const int blocks = map_blocks(dy);
    for (int b = 0; b < blocks; b++) {
        struct place at = place_of(t, first);
        float *to = t->products + b * t->block;
        for (int k = 0; k < tiles; k++, to += LANES, place_next(t, &at)) {
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
            gradient_transform(to, blocks * t->block, p, row);
        }
    }
}

/* sum += over tiles of `scalars` neighbouring channels of the patches times vectors of the
 * gradients */
INLINE void outer_run(float *to, const float *v, const float *w, ptrdiff_t block, int tiles,
                      const int scalars, const int vectors) {
    v16 sum[TILE_SCALARS * TILE_VECTORS];
    UNROLL
    for (int k = 0; k < scalars * vectors; k++) sum[k] = v_load(to + k * LANES);
    for (int t = 0; t < tiles; t++, v += LANES, w += LANES) {
        v16 value[TILE_VECTORS];
        UNROLL
        for (int k = 0; k < vectors; k++) value[k] = v_load(w + k * block);
        UNROLL
        for (int s = 0; s < scalars; s++) {
            const v16 scalar = v_splat(v[s]);
            UNROLL
            for (int k = 0; k < vectors; k++)
                sum[s * vectors + k] = v_fma(scalar, value[k], sum[s * vectors + k]);
        }
    }
    UNROLL
    for (int k = 0; k < scalars * vectors; k++) v_store(to + k * LANES, sum[k]);
}

INLINE void outer_choose(float *to, const float *v, const float *w, ptrdiff_t block, int tiles,
                         int scalars, const int vectors) {
    switch (scalars) {
#define CASE(k)                                                               \
    case k:                                                                   \
        if (k <= TILE_SCALARS) outer_run(to, v, w, block, tiles, k, vectors); \
        break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
    }
}

/* Every position and channel of x against the vectors b.. of dy. */
INLINE void outers_add(float *sum, const struct tiling *t, int channels, int blocks, int b,
                       int tiles, const int vectors) {
    for (int position = 0; position < WINOGRAD_POSITIONS; position++) {
        const float *v = t->patches + position * t->position;
        const float *w = t->products + (position * blocks + b) * t->block;
        for (int c = 0; c < channels;) {
            const int left = channels - c, end = LANES - c % LANES; /* of the block */
            const int count = tile_length(left < end ? left : end, TILE_SCALARS);
            outer_choose(sum, v + c / LANES * t->block + c % LANES, w, t->block, tiles, count,
                         vectors);
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
        patches_make(&t, x, first, count);
        gradients_make(&t, dy, first, count);
        for (int b = 0; b < blocks; b += TILE_VECTORS) {
            float *to = sum + (size_t)b * WINOGRAD_POSITIONS * (size_t)channels * LANES;
#if TILE_VECTORS == 2
            if (blocks - b >= 2) {
                outers_add(to, &t, channels, blocks, b, count, 2);
                continue;
            }
#endif
            outers_add(to, &t, channels, blocks, b, count, 1);
        }
    }
}

void ISA(conv_winograd_install)(struct kernels *table) {
    table->winograd = winograd;
    table->winograd_pool = winograd_pool;
    table->winograd_outer = winograd_outer;
}
