/* winograd_tiles.h - what products (conv_winograd.c) and the weights' gradient (winograd_outer.c)
 * by Winograd's filtering share: how tiles are counted, where a chunk's numbers lie, and the
 * patches.
 *
 * A chunk of tiles at a time: patches are transformed to [block of x][position][tile][LANES]. With
 * SWWAE_BF16 defined transformed numbers are rounded to pairs of bf16 (step.h): for products two
 * neighbouring channels, for the weights' gradient the same channel of two neighbouring tiles. */
#ifndef SWWAE_KERNELS_WINOGRAD_TILES_H
#define SWWAE_KERNELS_WINOGRAD_TILES_H

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

#endif
