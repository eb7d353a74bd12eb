/* conv_pool.c - dense convolution, bias, ReLU if wanted, max pooling and switches in one pass.
 *
 * A tile's pixels go from the registers that hold their sums straight into the running maximum of
 * their window. Windows of 2x2 lie whole inside tiles of two rows; for larger ones a tile is a
 * piece of one row, and the running maxima of some windows stay on the stack from row to row. Sums
 * and comparisons run in the order of conv and pool, so the result is theirs bit for bit. */
#include "kernels/conv_tile.h"

#define ROW_WINDOWS 8 /* whose running maxima are kept */
#define PAIR_WINDOWS (TILE_PIXELS > 4 ? TILE_PIXELS / 4 : 1)

struct target {
    const struct conv *c;
    uint8_t *where; /* first vector, window (0, 0) */
    float *what;
    ptrdiff_t next_where; /* from a vector to the next */
    int pool;
    bool relu;
};

INLINE void window_write(const struct target *to, int i, int j, v16 best, i16 cell, int v) {
    const struct map *what = &to->c->y;
    v_store(to->what + v * what->block + i * what->row + (ptrdiff_t)j * LANES, best);
    i_store_bytes(to->where + v * to->next_where + ((ptrdiff_t)i * what->width + j) * LANES, cell);
}

/* A window's first maximum. After ReLU what is below 0 in other cells is not above it. */
INLINE v16 first_of(const struct target *to, v16 y) { return to->relu ? v_relu(y) : y; }

/* ---- 2x2 windows ---- */

/* `windows` of row i from column j on, which x holds whole. */
INLINE void pairs_run(const struct target *to, struct tile t, int i, int j, const int windows,
                      const int vectors, const int pixel, const int known) {
    v16 sum[TILE_PIXELS * TILE_VECTORS];
    tile_sum(sum, to->c, t, 2, 2 * windows, vectors, pixel, known);
    UNROLL
    for (int k = 0; k < windows * vectors; k++) {
        const int v = k % vectors, w = k / vectors;
        v16 best = first_of(to, sum[2 * w * vectors + v]);
        i16 cell = i_zero();
        v_keep_larger(&best, &cell, sum[(2 * w + 1) * vectors + v], 1);
        v_keep_larger(&best, &cell, sum[(2 * w + 2 * windows) * vectors + v], 2);
        v_keep_larger(&best, &cell, sum[(2 * w + 2 * windows + 1) * vectors + v], 3);
        window_write(to, i, j + w, best, cell, v);
    }
}

INLINE void pairs_choose(const struct target *to, struct tile t, int i, int j, int windows,
                         const int vectors, const int pixel, const int known) {
    switch (windows) {
#define CASE(n)                                                                     \
    case n:                                                                         \
        if (4 * n <= TILE_PIXELS) pairs_run(to, t, i, j, n, vectors, pixel, known); \
        break;
        CASE(1) CASE(2) CASE(3)
#undef CASE
    }
}

/* ---- windows of any size, row by row ---- */

struct running {
    v16 best[ROW_WINDOWS * TILE_VECTORS];
    i16 cell[ROW_WINDOWS * TILE_VECTORS];
};

/* `columns` pixels of a row of windows, the first of which is pixel `at` of the row. first: cell of
 * window column 0. */
INLINE void row_run(struct running *r, const struct target *to, struct tile t, int at, int first,
                    const int columns, const int vectors, const int pixel, const int known) {
    v16 sum[TILE_PIXELS * TILE_VECTORS];
    tile_sum(sum, to->c, t, 1, columns, vectors, pixel, known);
    int window = at / to->pool, column = at % to->pool;
    UNROLL
    for (int p = 0; p < columns; p++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            const v16 y = sum[p * vectors + v];
            v16 *best = &r->best[window * vectors + v];
            i16 *cell = &r->cell[window * vectors + v];
            if (first + column == 0) {
                *best = first_of(to, y);
                *cell = i_zero();
            } else
                v_keep_larger(best, cell, y, first + column);
        }
        if (++column == to->pool) column = 0, window++;
    }
}

INLINE void row_choose(struct running *r, const struct target *to, struct tile t, int at, int first,
                       int columns, const int vectors, const int pixel, const int known) {
    switch (columns) {
#define CASE(n)                                                                       \
    case n:                                                                           \
        if (n <= TILE_PIXELS) row_run(r, to, t, at, first, n, vectors, pixel, known); \
        break;
        // clang-format off
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
        CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
        // clang-format on
#undef CASE
    }
}

/* `windows` of row i from column j on; windows may be partial. */
INLINE void windows_run(const struct target *to, struct tile t, int i, int j, int windows,
                        const int vectors, const int pixel, const int known) {
    const struct map *x = &to->c->x;
    const int pool = to->pool;
    const int left = x->width - j * pool, below = x->height - i * pool;
    const int width = left < windows * pool ? left : windows * pool;
    const int height = below < pool ? below : pool;
    struct running r;
    for (int row = 0; row < height; row++) {
        struct tile piece = t;
        piece.x += row * x->row;
        int columns;
        for (int at = 0; at < width; at += columns, piece.x += columns * pixel) {
            columns = tile_length(width - at, TILE_PIXELS);
            row_choose(&r, to, piece, at, row * pool, columns, vectors, pixel, known);
        }
    }
    for (int w = 0; w < windows; w++)
        for (int v = 0; v < vectors; v++)
            window_write(to, i, j + w, r.best[w * vectors + v], r.cell[w * vectors + v], v);
}

/* ---- one image, one group of output channels ---- */

INLINE void group_run(const struct target *to, struct tile start, const int vectors,
                      const int pixel, const int known) {
    const struct map *x = &to->c->x, *what = &to->c->y;
    const int pool = to->pool;
    /* windows of a strip: one tile's, or enough to cut into even tiles */
    const int most = TILE_PIXELS / pool >= 2 ? TILE_PIXELS / pool : ROW_WINDOWS;
    for (int i = 0; i < what->height; i++) {
        const bool pairs = pool == 2 && TILE_PIXELS >= 4 && (i + 1) * 2 <= x->height;
        const int whole = pairs ? x->width / 2 : 0; /* windows for pairs_run */
        int windows;
        for (int j = 0; j < what->width; j += windows) {
            struct tile t = start;
            t.x += i * pool * x->row + (ptrdiff_t)j * pool * pixel;
            if (j < whole) {
                windows = tile_length(whole - j, PAIR_WINDOWS);
                pairs_choose(to, t, i, j, windows, vectors, pixel, known);
            } else {
                windows = tile_length(what->width - j, most);
                windows_run(to, t, i, j, windows, vectors, pixel, known);
            }
        }
    }
}

static void group_one_blocked(const struct target *to, struct tile t) {
    group_run(to, t, 1, LANES / STEP, 0);
}
static void group_one_planar(const struct target *to, struct tile t) { group_run(to, t, 1, 1, 0); }
#if TILE_VECTORS == 1
static void group_one_planar_3(const struct target *to, struct tile t) {
    group_run(to, t, 1, 1, 3);
}
static void group_one_planar_5(const struct target *to, struct tile t) {
    group_run(to, t, 1, 1, 5);
}
#endif
INLINE void group_one(const struct target *to, struct tile t) {
    if (!STEP_PLANAR(&to->c->x)) group_one_blocked(to, t);
#if TILE_VECTORS == 1
    else if (to->c->kernel == 3)
        group_one_planar_3(to, t);
    else if (to->c->kernel == 5)
        group_one_planar_5(to, t);
#endif
    else
        group_one_planar(to, t);
}
#if TILE_VECTORS == 2
static void group_two_blocked(const struct target *to, struct tile t) {
    group_run(to, t, 2, LANES / STEP, 0);
}
static void group_two_planar(const struct target *to, struct tile t) { group_run(to, t, 2, 1, 0); }
#endif

static void conv_pool(const struct conv *c, uint8_t *where, int pool) {
    const struct map *what = &c->y;
    const int blocks = map_blocks(what), radius = c->kernel / 2;
    struct target to = {.c = c, .pool = pool, .relu = c->relu};
    to.next_where = (ptrdiff_t)what->height * what->width * LANES;
    for (int b = 0; b < blocks; b += TILE_VECTORS)
        for (int n = 0; n < c->images; n++) {
            to.what = what->data + n * what->image + b * what->block;
            to.where = where + (n * blocks + b) * to.next_where;
            const struct tile t = {
                .x = map_at(&c->x, n, 0, -radius, -radius),
                .weight = c->weight + b * tile_weights(c),
                .bias = c->bias ? c->bias + b * LANES : NULL,
            };
#if TILE_VECTORS == 2
            if (blocks - b >= 2) {
                (STEP_PLANAR(&c->x) ? group_two_planar : group_two_blocked)(&to, t);
                continue;
            }
#endif
            group_one(&to, t);
        }
}

void ISA(conv_pool_install)(struct kernels *table) {
#ifdef SWWAE_BF16
    table->conv_pool_bf16 = conv_pool;
#else
    table->conv_pool = conv_pool;
#endif
}
