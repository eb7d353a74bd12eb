/* scatter_narrow.h - scatter's lists and inner loops with 16 registers of 4 or 8 floats.
 *
 * A window's whole patch does not fit the registers, that of one row of its cells does: lists are
 * of one row of cells in a row of windows and a chunk of channels, sorted by cell. A sweep along
 * the row loads and stores only the columns that are new to the next window. For larger pools,
 * whose cells meet few entries, each entry's patch is loaded and stored.
 *
 * A block of y is worked on a register's width at a time, as many kernel rows at once as leave the
 * sums in registers; their weights are copied to lie side by side in the first-level cache. */
#ifndef SWWAE_KERNELS_SCATTER_NARROW_H
#define SWWAE_KERNELS_SCATTER_NARROW_H

#include "kernels/scatter_band.h"

/* An entry is a value and the channel of the chunk whose weights it meets. */
struct row_list {
    int32_t *count; /* (window, column of cells); large pools: (1) */
    float *value;
    int32_t *channel;
    int32_t *patch; /* large pools: the corner of each entry's patch */
};

/* A band has lists of (chunk, image, row, row of cells); of large pools (chunk, image, row). */
static struct row_list row_list_at(const struct band *band, int index) {
    const struct sparse *x = &band->s->x;
    const int places = narrow_places(x->what.width);
    int32_t *room = (int32_t *)band->lists + (size_t)index * narrow_words(x->what.width, x->pool);
    struct row_list list = {
        .value = (float *)room, .channel = room + places, .patch = room + 2 * places};
    list.count = list.patch + (x->pool > SCATTER_SORTED ? places : 0);
    return list;
}

/* ---- lists ---- */

/* One window and chunk of channels. */
struct window {
    float value[NARROW_CHANNELS];
    int32_t cell[NARROW_CHANNELS]; /* -1 where the value is zero */
    int channels;
};

INLINE void window_read(struct window *w, const struct sparse *x, int image, int block, int row,
                        int column) {
    for (int k = 0; k < w->channels; k += LANES, block++) {
        v_store(w->value + k, sparse_values(x, image, block, row, column));
        const uint8_t *where = sparse_where(x, image, block, row, column);
        UNROLL
        for (int part = 0; part < LANES; part += VEC) {
            const ix cell = x_load_bytes(where + part) | (ix)(x_load(w->value + k + part) == 0);
            memcpy(w->cell + k + part, &cell, sizeof cell);
        }
    }
}

INLINE ix window_cells(const struct window *w, int channel) {
    ix r;
    memcpy(&r, w->cell + channel, sizeof r);
    return r;
}

/* Rows of windows with small pools: pool lists. */
INLINE void row_sort(const struct band *band, int index, struct window *w, int image, int block,
                     int row, const int pool) {
    const struct sparse *x = &band->s->x;
    struct row_list list[SCATTER_SORTED];
    int used[SCATTER_SORTED] = {0};
    for (int y = 0; y < pool; y++) list[y] = row_list_at(band, index + y);
    for (int j = 0; j < x->what.width; j++) {
        window_read(w, x, image, block, row, j);
        for (int c = 0; c < pool * pool; c++) {
            const struct row_list *to = &list[c / pool];
            const int before = used[c / pool];
            int n = before;
            for (int k = 0; k < w->channels; k += VEC) {
                const struct taken t = lanes_taken(window_cells(w, k) == c);
                lanes_store(to->value + n, x_load(w->value + k), &t);
                lanes_store_int(to->channel + n, lane_numbers() + k, &t);
                n += t.count;
            }
            to->count[j * pool + c % pool] = n - before;
            used[c / pool] = n;
        }
    }
}

/* A row of windows with large pools: one list. */
static void row_list_all(const struct band *band, int index, struct window *w, int image, int block,
                         int row) {
    const struct sparse *x = &band->s->x;
    const struct row_list to = row_list_at(band, index);
    const int32_t inverse = (65536 + x->pool - 1) / x->pool;
    const int32_t down = (int32_t)band->width - x->pool * VEC;
    int n = 0;
    for (int j = 0; j < x->what.width; j++) {
        window_read(w, x, image, block, row, j);
        for (int k = 0; k < w->channels; k += VEC) {
            const ix cell = window_cells(w, k);
            const struct taken t = lanes_taken(cell >= 0);
            /* the cell's row, exact below 256 */
            const ix patch = j * x->pool * VEC + cell * VEC + (cell * inverse >> 16) * down;
            lanes_store(to.value + n, x_load(w->value + k), &t);
            lanes_store_int(to.channel + n, lane_numbers() + k, &t);
            lanes_store_int(to.patch + n, patch, &t);
            n += t.count;
        }
    }
    *to.count = n;
}

static void lists_build(const struct band *band) {
    const struct sparse *x = &band->s->x;
    const int blocks = map_blocks(&x->what), most = NARROW_CHANNELS / LANES;
    int index = 0;
    for (int b = 0; b < blocks; b += most) {
        struct window w = {.channels = (blocks - b < most ? blocks - b : most) * LANES};
        for (int n = band->image; n < band->image + band->images; n++)
            for (int i = band->row; i < band->row + band->rows; i++) {
                if (x->pool == 2)
                    row_sort(band, index, &w, n, b, i, 2);
                else if (x->pool == 3)
                    row_sort(band, index, &w, n, b, i, 3);
                else
                    row_list_all(band, index, &w, n, b, i);
                index += narrow_lists(x->pool);
            }
    }
}

/* ---- one row of windows, one chunk, a part of a block of y ---- */

struct target {
    const float *weight; /* (channel, tap, VEC) */
    float *sums;         /* of the row's first window, the patch's corner */
    ptrdiff_t width;
    int windows;
};

/* The entries of one cell in column dx: sums is a patch of `columns` columns. */
INLINE void cell_run(vx *sums, const float *value, const int32_t *channel, int count,
                     const float *weight, const int dx, const int columns, const int kernel,
                     const int rows) {
    for (int n = 0; n < count; n++) {
        const vx x = x_splat(value[n]);
        const float *w = weight + channel[n] * (rows * kernel * VEC);
        UNROLL
        for (int k = 0; k < rows * kernel; k++)
            sums[k / kernel * columns + dx + k % kernel] += x * x_load(w + k * VEC);
    }
}

/* One row of cells. */
INLINE void cells_sweep(const struct target *t, const struct row_list *list, const int pool,
                        const int kernel, const int rows) {
    const int columns = pool + kernel - 1;
    const float *value = list->value;
    const int32_t *channel = list->channel, *count = list->count;
    vx sums[15];
    float *p = t->sums;
    UNROLL
    for (int k = 0; k < rows * columns; k++)
        if (k % columns < kernel - 1)
            sums[k] = x_load(p + k / columns * t->width + k % columns * VEC);
    for (int j = 0; j < t->windows; j++, p += pool * VEC) {
        UNROLL
        for (int k = 0; k < rows * columns; k++)
            if (k % columns >= kernel - 1)
                sums[k] = x_load(p + k / columns * t->width + k % columns * VEC);
        UNROLL
        for (int dx = 0; dx < pool; dx++) {
            const int n = *count++;
            cell_run(sums, value, channel, n, t->weight, dx, columns, kernel, rows);
            value += n, channel += n;
        }
        UNROLL
        for (int k = 0; k < rows * columns; k++)
            if (k % columns < pool)
                x_store(p + k / columns * t->width + k % columns * VEC, sums[k]);
        UNROLL
        for (int k = 0; k < rows * columns; k++)
            if (k % columns < kernel - 1) sums[k] = sums[k + pool];
    }
    UNROLL
    for (int k = 0; k < rows * columns; k++)
        if (k % columns < kernel - 1)
            x_store(p + k / columns * t->width + k % columns * VEC, sums[k]);
}

/* ---- one block of y ---- */

struct piece {
    const struct band *band;
    const float *from; /* the first kernel row's first weight of the chunk's first channel */
    float *weight;
    int channels, part, first; /* kernel row */
    int index;                 /* of the chunk's first list */
};

/* `rows` kernel rows. */
INLINE void piece_run(const struct piece *p, const int kernel, const int rows) {
    const struct band *band = p->band;
    const int pool = band->s->x.pool;
    for (int c = 0; c < p->channels; c++)
        for (int k = 0; k < rows * kernel; k++)
            x_store(p->weight + (c * rows * kernel + k) * VEC,
                    x_load(p->from + (c * kernel * kernel + k) * LANES));
    struct target t = {.weight = p->weight, .width = band->width, .windows = band->s->x.what.width};
    int index = p->index;
    for (int n = 0; n < band->images; n++)
        for (int i = 0; i < band->rows; i++) {
            t.sums = band->sums + n * band->slot + (i * pool + p->first) * band->width +
                     p->part * (band->width / PARTS);
            for (int y = 0; y < pool; y++, t.sums += band->width) {
                const struct row_list list = row_list_at(band, index++);
                if (pool == 2)
                    cells_sweep(&t, &list, 2, kernel, rows);
                else
                    cells_sweep(&t, &list, 3, kernel, rows);
            }
        }
}

/* All kernel rows, `rows` at a time and the rest one at a time. */
INLINE void pieces_run(struct piece p, const int kernel, const int rows) {
    for (; p.first + rows <= kernel; p.first += rows, p.from += rows * kernel * LANES)
        piece_run(&p, kernel, rows);
    for (; p.first < kernel; p.first++, p.from += kernel * LANES) piece_run(&p, kernel, 1);
}

/* Small pools: kernel rows in pieces whose weights are copied. */
INLINE void chunk_sweep(struct piece p, const float *weight, int kernel) {
    for (p.part = 0; p.part < PARTS; p.part++) {
        p.from = weight + p.part * VEC;
        switch (kernel) {
        case 1: pieces_run(p, 1, 1); break;
        case 3:
            if (p.band->s->x.pool == 3)
                pieces_run(p, 3, 2);
            else
                pieces_run(p, 3, 3);
            break;
        case 5: pieces_run(p, 5, 2); break;
        case 7: pieces_run(p, 7, 1); break;
        case 9: pieces_run(p, 9, 1); break;
        case 11: pieces_run(p, 11, 1); break;
        }
    }
}

/* Large pools. weight: of the chunk's first channel. */
INLINE void chunk_entries(const struct band *band, int index, const float *weight,
                          const int kernel) {
    const ptrdiff_t next = band->width / PARTS; /* part */
    for (int n = 0; n < band->images; n++)
        for (int i = 0; i < band->rows; i++) {
            const struct row_list list = row_list_at(band, index++);
            float *sums = band->sums + n * band->slot + i * band->s->x.pool * band->width;
            for (int e = 0; e < *list.count; e++) {
                const vx x = x_splat(list.value[e]);
                const float *w = weight + list.channel[e] * (kernel * kernel * LANES);
                float *p = sums + list.patch[e];
                for (int y = 0; y < kernel; y++, p += band->width, w += kernel * LANES) {
                    UNROLL
                    for (int k = 0; k < kernel * PARTS; k++) {
                        float *sum = p + k % PARTS * next + k / PARTS * VEC;
                        x_store(sum, x_load(sum) + x * x_load(w + k * VEC));
                    }
                }
            }
        }
}

/* weight: of the block's first channel. */
static void block_run(const struct band *band, const float *weight) {
    const struct sparse *x = &band->s->x;
    const int kernel = band->s->kernel, channels = x->what.channels;
    struct piece p = {.band = band, .weight = band->weight};
    for (int c = 0; c < channels; c += NARROW_CHANNELS) {
        p.channels = channels - c < NARROW_CHANNELS ? channels - c : NARROW_CHANNELS;
        if (x->pool <= SCATTER_SORTED)
            chunk_sweep(p, weight, kernel);
        else
            switch (kernel) {
            case 1: chunk_entries(band, p.index, weight, 1); break;
            case 3: chunk_entries(band, p.index, weight, 3); break;
            case 5: chunk_entries(band, p.index, weight, 5); break;
            case 7: chunk_entries(band, p.index, weight, 7); break;
            case 9: chunk_entries(band, p.index, weight, 9); break;
            case 11: chunk_entries(band, p.index, weight, 11); break;
            }
        p.index += band->images * band->rows * narrow_lists(x->pool);
        weight += p.channels * kernel * kernel * LANES;
    }
}

/* ---- sums: a row is (part of a block, column, VEC) ---- */

INLINE v16 sums_load(const struct band *band, const float *row, int column) {
    v16 r;
    const float *p = row + column * VEC;
#define S(part, k) r.part = x_load(p + k * (band->width / PARTS));
    EACH(S)
#undef S
    return r;
}

INLINE void sums_store(const struct band *band, float *row, int column, v16 x) {
    float *p = row + column * VEC;
#define S(part, k) x_store(p + k * (band->width / PARTS), x.part);
    EACH(S)
#undef S
}

#endif
