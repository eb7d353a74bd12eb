/* conv_dense.c - dense "same" convolution, forward and gradient to the input.
 *
 * A tile of rows x columns pixels times one or two vectors of output channels stays in registers
 * while every input channel and tap is broadcast against the packed weights: per input value two
 * FMAs for one broadcast. Small maps take several rows a tile, so that enough independent FMAs are
 * in flight. */
#include "kernels/conv_tile.h"

/* rows, columns, vectors, pixel and known are constants at every call: see tile_sum. */
INLINE void tile_run(const struct conv *c, struct tile t, const int rows, const int columns,
                     const int vectors, const int pixel, const int known) {
    v16 sum[TILE_PIXELS * TILE_VECTORS];
    tile_sum(sum, c, t, rows, columns, vectors, pixel, known);
    UNROLL
    for (int p = 0; p < rows * columns; p++) {
        const int i = p / columns, j = p % columns;
        UNROLL
        for (int v = 0; v < vectors; v++) {
            v16 y = sum[p * vectors + v];
            if (c->relu) y = v_relu(y);
            if (t.gate)
                y = v_gate(y, v_load(t.gate + v * c->gate->block + i * c->gate->row + j * LANES));
            v_store(t.y + v * c->y.block + i * c->y.row + j * LANES, y);
        }
    }
}

/* The tile sizes that exist: single rows of up to TILE_PIXELS, and several rows of narrow maps. */
// clang-format off
#define TILES(CASE)                                                                          \
    CASE(1, 1) CASE(1, 2) CASE(1, 3) CASE(1, 4) CASE(1, 5) CASE(1, 6) CASE(1, 7) CASE(1, 8)  \
    CASE(1, 9) CASE(1, 10) CASE(1, 11) CASE(1, 12) CASE(1, 13) CASE(1, 14)                   \
    CASE(2, 2) CASE(2, 3) CASE(2, 4) CASE(2, 5) CASE(2, 6) CASE(2, 7)                        \
    CASE(3, 4) CASE(4, 1) CASE(4, 2) CASE(4, 3)
// clang-format on

INLINE void tile_choose(const struct conv *c, struct tile t, int rows, int columns,
                        const int vectors, const int pixel, const int known) {
    switch (rows * 16 + columns) {
#define CASE(r, q)                                                             \
    case r * 16 + q:                                                           \
        if (r * q <= TILE_PIXELS) tile_run(c, t, r, q, vectors, pixel, known); \
        break;
        TILES(CASE)
#undef CASE
    }
}

/* Rows of a tile of so many columns when `left` rows remain: the most that TILES lists and the
 * registers hold. */
INLINE int tile_rows(int columns, int left) {
    int rows = columns <= 3 ? 4 : columns == 4 ? 3 : columns <= 7 ? 2 : 1;
    if (rows > left || rows * columns > TILE_PIXELS) rows = columns > 1 && left >= 2 ? 2 : 1;
    return rows * columns > TILE_PIXELS ? 1 : rows;
}

/* All pixels of one image, one group of output channels. */
INLINE void group_run(const struct conv *c, struct tile start, const int vectors, const int pixel,
                      const int known) {
    int columns;
    for (int x = 0; x < c->y.width; x += columns) {
        columns = tile_length(c->y.width - x, TILE_PIXELS);
        int rows;
        for (int y = 0; y < c->y.height; y += rows) {
            rows = tile_rows(columns, c->y.height - y);
            struct tile t = start;
            t.x += y * c->x.row + (ptrdiff_t)x * pixel;
            t.y += y * c->y.row + (ptrdiff_t)x * LANES;
            if (t.gate) t.gate += y * c->gate->row + (ptrdiff_t)x * LANES;
            tile_choose(c, t, rows, columns, vectors, pixel, known);
        }
    }
}

static void group_one_blocked(const struct conv *c, struct tile t) {
    group_run(c, t, 1, LANES / STEP, 0);
}
static void group_one_planar(const struct conv *c, struct tile t) { group_run(c, t, 1, 1, 0); }
#if TILE_VECTORS == 1
static void group_one_planar_3(const struct conv *c, struct tile t) { group_run(c, t, 1, 1, 3); }
static void group_one_planar_5(const struct conv *c, struct tile t) { group_run(c, t, 1, 1, 5); }
#endif
INLINE void group_one(const struct conv *c, struct tile t) {
    if (!STEP_PLANAR(&c->x)) group_one_blocked(c, t);
#if TILE_VECTORS == 1
    else if (c->kernel == 3)
        group_one_planar_3(c, t);
    else if (c->kernel == 5)
        group_one_planar_5(c, t);
#endif
    else
        group_one_planar(c, t);
}
#if TILE_VECTORS == 2
static void group_two_blocked(const struct conv *c, struct tile t) {
    group_run(c, t, 2, LANES / STEP, 0);
}
static void group_two_planar(const struct conv *c, struct tile t) { group_run(c, t, 2, 1, 0); }
#endif

static void conv(const struct conv *c) {
    const int blocks = map_blocks(&c->y), radius = c->kernel / 2;
    for (int b = 0; b < blocks; b += TILE_VECTORS)
        for (int n = 0; n < c->images; n++) {
            const struct tile t = {
                .x = map_at(&c->x, n, 0, -radius, -radius),
                .weight = c->weight + b * tile_weights(c),
                .y = c->y.data + n * c->y.image + b * c->y.block,
                .gate = c->gate ? c->gate->data + n * c->gate->image + b * c->gate->block : NULL,
                .bias = c->bias ? c->bias + b * LANES : NULL,
            };
#if TILE_VECTORS == 2
            if (blocks - b >= 2) {
                (STEP_PLANAR(&c->x) ? group_two_planar : group_two_blocked)(c, t);
                continue;
            }
#endif
            group_one(c, t);
        }
}

void ISA(conv_install)(struct kernels *table) {
#ifdef SWWAE_BF16
    table->conv_bf16 = conv;
#else
    table->group = TILE_VECTORS;
    table->conv = conv;
#endif
}
