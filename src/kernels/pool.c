/* pool.c - max pooling with switches, unpooling, and their gradients, 16 channels at a time. */
#include "kernels/isa.h"

static int smaller(int a, int b) { return a < b ? a : b; }

/* Windows side by side whose maxima run together: each waits several cycles for its last
 * comparison. */
#define POOLED_WINDOWS (VEC == 16 ? 4 : 2)

/* `windows` of a row, of rows x columns cells each; windows is a constant. */
INLINE void windows_pool(float *to, uint8_t *where, const float *from, ptrdiff_t row, int pool,
                         int rows, int columns, const int windows) {
    v16 best[POOLED_WINDOWS];
    i16 cell[POOLED_WINDOWS];
    UNROLL
    for (int w = 0; w < windows; w++) {
        best[w] = v_load(from + w * pool * LANES);
        cell[w] = i_zero();
    }
    for (int r = 0; r < rows; r++)
        for (int q = r == 0; q < columns; q++) {
            UNROLL
            for (int w = 0; w < windows; w++)
                v_keep_larger(&best[w], &cell[w], v_load(from + r * row + (w * pool + q) * LANES),
                              r * pool + q);
        }
    UNROLL
    for (int w = 0; w < windows; w++) {
        v_store(to + w * LANES, best[w]);
        i_store_bytes(where + w * LANES, cell[w]);
    }
}

void ISA(pool_run)(struct map *what, uint8_t *where, const struct map *x, int pool, int images) {
    const int blocks = map_blocks(what), whole = x->width / pool;
    for (int n = 0; n < images; n++)
        for (int b = 0; b < blocks; b++)
            for (int i = 0; i < what->height; i++) {
                const int rows = smaller(pool, x->height - i * pool);
                float *to = what->data + n * what->image + b * what->block + i * what->row;
                const float *from = x->data + n * x->image + b * x->block + i * pool * x->row;
                int j = 0;
                for (; j + POOLED_WINDOWS <= whole; j += POOLED_WINDOWS)
                    windows_pool(to + j * LANES, where + j * LANES, from + j * pool * LANES, x->row,
                                 pool, rows, pool, POOLED_WINDOWS);
                for (; j < what->width; j++)
                    windows_pool(to + j * LANES, where + j * LANES, from + j * pool * LANES, x->row,
                                 pool, rows, smaller(pool, x->width - j * pool), 1);
                where += what->width * LANES;
            }
}

/* Larger windows are unpooled, or gathered from, cell by cell of the switch; in smaller ones every
 * cell is compared with it, 16 channels at once. */
#define COMPARED_POOL 3

/* pool may be a constant. */
INLINE void unpool_compared(struct map *x, const struct map *what, const uint8_t *where,
                            const struct map *gate, const int pool, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(what); b++)
            for (int i = 0; i < what->height; i++) {
                const int rows = smaller(pool, x->height - i * pool);
                const float *from = what->data + n * what->image + b * what->block + i * what->row;
                const float *open =
                    gate ? gate->data + n * gate->image + b * gate->block + i * gate->row : NULL;
                float *to = x->data + n * x->image + b * x->block + i * pool * x->row;
                for (int j = 0; j < what->width;
                     j++, from += LANES, where += LANES, to += pool * LANES) {
                    const int columns = smaller(pool, x->width - j * pool);
                    const i16 cell = i_load_bytes(where);
                    v16 value = v_load(from);
                    if (open) value = v_gate(value, v_load(open + j * LANES));
                    for (int r = 0; r < rows; r++)
                        for (int q = 0; q < columns; q++)
                            v_store(to + r * x->row + q * LANES, v_only(value, cell, r * pool + q));
                }
            }
}

INLINE void gather_compared(struct map *what, const struct map *x, const uint8_t *where,
                            const int pool, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(what); b++)
            for (int i = 0; i < what->height; i++) {
                const int rows = smaller(pool, x->height - i * pool);
                const float *from = x->data + n * x->image + b * x->block + i * pool * x->row;
                float *to = what->data + n * what->image + b * what->block + i * what->row;
                for (int j = 0; j < what->width;
                     j++, to += LANES, where += LANES, from += pool * LANES) {
                    const int columns = smaller(pool, x->width - j * pool);
                    const i16 cell = i_load_bytes(where);
                    v16 value = v_zero();
                    for (int r = 0; r < rows; r++)
                        for (int q = 0; q < columns; q++)
                            value = v_either(value, v_only(v_load(from + r * x->row + q * LANES),
                                                           cell, r * pool + q));
                    v_store(to, value);
                }
            }
}

/* Of each cell from its window's first. */
static void cell_offsets(int32_t offset[256], const struct map *x, int pool) {
    for (int cell = 0; cell < pool * pool; cell++)
        offset[cell] = (int32_t)(cell / pool * x->row + cell % pool * LANES);
}

static void unpool(struct map *x, const struct map *what, const uint8_t *where,
                   const struct map *gate, int pool, int images) {
    if (pool == 2) {
        unpool_compared(x, what, where, gate, 2, images);
        return;
    }
    if (pool <= COMPARED_POOL) {
        unpool_compared(x, what, where, gate, pool, images);
        return;
    }
    const int blocks = map_blocks(what);
    int32_t offset[256];
    cell_offsets(offset, x, pool);
    for (int n = 0; n < images; n++)
        for (int b = 0; b < blocks; b++) {
            float *map = x->data + n * x->image + b * x->block;
            for (int i = 0; i < x->height; i++)
                memset(map + i * x->row, 0, (size_t)x->width * LANES * sizeof *map);
            for (int i = 0; i < what->height; i++) {
                const float *from = what->data + n * what->image + b * what->block + i * what->row;
                const float *open =
                    gate ? gate->data + n * gate->image + b * gate->block + i * gate->row : NULL;
                float *to = map + i * pool * x->row;
                for (int j = 0; j < what->width; j++, from += LANES, where += LANES) {
                    float value[LANES];
                    v_store(value,
                            open ? v_gate(v_load(from), v_load(open + j * LANES)) : v_load(from));
                    for (int lane = 0; lane < LANES; lane++)
                        to[offset[where[lane]] + lane] = value[lane];
                    to += pool * LANES;
                }
            }
        }
}

static void gather(struct map *what, const struct map *x, const uint8_t *where, int pool,
                   int images) {
    if (pool == 2) {
        gather_compared(what, x, where, 2, images);
        return;
    }
    if (pool <= COMPARED_POOL) {
        gather_compared(what, x, where, pool, images);
        return;
    }
    const int blocks = map_blocks(what);
    int32_t offset[256];
    cell_offsets(offset, x, pool);
    for (int n = 0; n < images; n++)
        for (int b = 0; b < blocks; b++)
            for (int i = 0; i < what->height; i++) {
                float *to = what->data + n * what->image + b * what->block + i * what->row;
                const float *from = x->data + n * x->image + b * x->block + i * pool * x->row;
                for (int j = 0; j < what->width; j++, to += LANES, where += LANES) {
                    for (int lane = 0; lane < LANES; lane++)
                        to[lane] = from[offset[where[lane]] + lane];
                    from += pool * LANES;
                }
            }
}

static void upsample(struct map *x, const struct map *what, int pool, bool average, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(what); b++)
            for (int i = 0; i < x->height; i++) {
                const float *from =
                    what->data + n * what->image + b * what->block + i / pool * what->row;
                float *to = x->data + n * x->image + b * x->block + i * x->row;
                const int rows = smaller(pool, x->height - i / pool * pool);
                for (int j = 0; j < x->width; j += pool, from += LANES) {
                    const int end = smaller(j + pool, x->width);
                    v16 value = v_load(from);
                    if (average) value = v_mul(value, v_splat(1.0f / (float)(rows * (end - j))));
                    for (int k = j; k < end; k++, to += LANES) v_store(to, value);
                }
            }
}

static void sum_windows(struct map *what, const struct map *x, int pool, bool average, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(what); b++)
            for (int i = 0; i < what->height; i++) {
                const int rows = smaller(pool, x->height - i * pool);
                float *to = what->data + n * what->image + b * what->block + i * what->row;
                for (int j = 0; j < what->width; j++, to += LANES) {
                    const int columns = smaller(pool, x->width - j * pool);
                    const float *from = x->data + n * x->image + b * x->block + i * pool * x->row +
                                        (ptrdiff_t)j * pool * LANES;
                    v16 sum = v_zero();
                    for (int r = 0; r < rows; r++)
                        for (int q = 0; q < columns; q++)
                            sum = v_add(sum, v_load(from + r * x->row + q * LANES));
                    if (average) sum = v_mul(sum, v_splat(1.0f / (float)(rows * columns)));
                    v_store(to, sum);
                }
            }
}

void ISA(pool_install)(struct kernels *table) {
    table->pool = ISA(pool_run);
    table->unpool = unpool;
    table->gather = gather;
    table->upsample = upsample;
    table->sum_windows = sum_windows;
}
