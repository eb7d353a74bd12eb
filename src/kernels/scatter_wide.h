/* scatter_wide.h - scatter's lists and inner loops with 32 registers of 16 floats.
 *
 * Lists are of one window and chunk of channels. For small pools they are sorted by cell, so that
 * the registers an entry adds to are known: the loop over a cell's entries has no branches and no
 * addresses but those of the weights. The whole window's patch stays in registers. */
#ifndef SWWAE_KERNELS_SCATTER_WIDE_H
#define SWWAE_KERNELS_SCATTER_WIDE_H

#include "kernels/scatter_band.h"

/* ---- lists ---- */

/* Places the masked lanes of one vector. */
INLINE int list_append(struct scatter_list *list, int n, __mmask16 take, __m512 value,
                       __m512i weight, __m128i cell, const bool cells) {
    _mm512_storeu_ps(list->value + n, _mm512_maskz_compress_ps(take, value));
    weight = _mm512_maskz_compress_epi32(take, weight);
    _mm256_storeu_si256((void *)(list->weight + n), _mm512_cvtepi32_epi16(weight));
    if (cells) {
        const __m512i wide = _mm512_maskz_compress_epi32(take, _mm512_cvtepu8_epi32(cell));
        _mm_storeu_si128((void *)(list->cell + n), _mm512_cvtepi32_epi8(wide));
    }
    return n + __builtin_popcount(take);
}

/* The entries of one window and the chunk of channels from block b on. cells: 0, or the cells the
 * list is sorted by. */
INLINE void list_window(struct scatter_list *list, const struct sparse *x, int kernel, int image,
                        int b, int row, int column, const int cells) {
    const int taps = kernel * kernel, blocks = map_blocks(&x->what);
    const int vectors = blocks - b >= SCATTER_CHANNELS / LANES ? SCATTER_CHANNELS / LANES : 1;
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i step = _mm512_set1_epi32(taps * LANES);
    __m512 value[SCATTER_CHANNELS / LANES];
    __m512i weight[SCATTER_CHANNELS / LANES];
    __m128i cell[SCATTER_CHANNELS / LANES];
    __mmask16 some[SCATTER_CHANNELS / LANES];
    UNROLL
    for (int k = 0; k < SCATTER_CHANNELS / LANES; k++) {
        const int block = k < vectors ? b + k : b;
        value[k] = (__m512)sparse_values(x, image, block, row, column).a;
        cell[k] = _mm_loadu_si128((const void *)sparse_where(x, image, block, row, column));
        weight[k] = _mm512_mullo_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(k * LANES)), step);
        some[k] = _mm512_cmp_ps_mask(value[k], _mm512_setzero_ps(), _CMP_NEQ_UQ);
        if (k >= vectors) some[k] = 0;
    }
    int n = 0;
    for (int c = 0; c < (cells ? cells : 1); c++) {
        const int before = n;
        UNROLL
        for (int k = 0; k < SCATTER_CHANNELS / LANES; k++) {
            const __mmask16 here =
                cells ? _mm_cmpeq_epi8_mask(cell[k], _mm_set1_epi8((char)c)) : (__mmask16)-1;
            n = list_append(list, n, some[k] & here, value[k], weight[k], cell[k], !cells);
        }
        list->count[c] = (uint8_t)(n - before);
    }
}

INLINE void lists_fill(const struct band *band, const int cells) {
    const struct sparse *x = &band->s->x;
    struct scatter_list *list = band->lists;
    for (int b = 0; b < map_blocks(&x->what); b += SCATTER_CHANNELS / LANES)
        for (int n = 0; n < band->images; n++)
            for (int i = 0; i < band->rows; i++)
                for (int j = 0; j < x->what.width; j++)
                    list_window(list++, x, band->s->kernel, band->image + n, b, band->row + i, j,
                                cells);
}

static void lists_build(const struct band *band) {
    switch (band->s->x.pool) {
    case 2: lists_fill(band, 4); break;
    case 3: lists_fill(band, 9); break;
    default: lists_fill(band, 0);
    }
}

/* ---- one row of windows, one chunk, one block of y ---- */

struct row {
    const struct scatter_list *list;
    const float *weight; /* the chunk's first, kernel row first_row */
    float *sums;         /* of the row's first window, first_row rows below its patch's corner */
    ptrdiff_t width;
    int windows;
    int pool;
};

struct cursor {
    const float *value;
    const uint16_t *weight;
    const uint8_t *count;
};

/* The entries of cell (dy, dx): sums is a patch of `columns` columns. */
INLINE void cell_run(vx *sums, struct cursor *at, const float *weight, const int dy, const int dx,
                     const int columns, const int kernel, const int rows) {
    for (int n = *at->count++; n > 0; n--) {
        const vx value = x_splat_at(at->value++);
        const float *w = weight + *at->weight++;
        UNROLL
        for (int k = 0; k < rows * kernel; k++)
            sums[(dy + k / kernel) * columns + dx + k % kernel] += value * x_load(w + k * LANES);
    }
}

/* `rows` kernel rows, with the patch of a window in registers; from one window to the next the
 * columns move by the pool's size. */
INLINE void row_in_registers(const struct row *r, const int pool, const int kernel,
                             const int rows) {
    const int columns = pool + kernel - 1, height = pool + rows - 1;
    vx sums[36];
    float *p = r->sums;
    UNROLL
    for (int k = 0; k < height * columns; k++)
        if (k % columns < kernel - 1)
            sums[k] = x_load(p + k / columns * r->width + k % columns * LANES);
    const struct scatter_list *list = r->list;
    for (int j = 0; j < r->windows; j++, list++, p += pool * LANES) {
        UNROLL
        for (int k = 0; k < height * columns; k++)
            if (k % columns >= kernel - 1)
                sums[k] = x_load(p + k / columns * r->width + k % columns * LANES);
        struct cursor at = {list->value, list->weight, list->count};
        cell_run(sums, &at, r->weight, 0, 0, columns, kernel, rows);
        cell_run(sums, &at, r->weight, 0, 1, columns, kernel, rows);
        if (pool == 3) cell_run(sums, &at, r->weight, 0, 2, columns, kernel, rows);
        cell_run(sums, &at, r->weight, 1, 0, columns, kernel, rows);
        cell_run(sums, &at, r->weight, 1, 1, columns, kernel, rows);
        if (pool == 3) {
            cell_run(sums, &at, r->weight, 1, 2, columns, kernel, rows);
            cell_run(sums, &at, r->weight, 2, 0, columns, kernel, rows);
            cell_run(sums, &at, r->weight, 2, 1, columns, kernel, rows);
            cell_run(sums, &at, r->weight, 2, 2, columns, kernel, rows);
        }
        UNROLL
        for (int k = 0; k < height * columns; k++)
            if (k % columns < pool)
                x_store(p + k / columns * r->width + k % columns * LANES, sums[k]);
        UNROLL
        for (int k = 0; k < height * columns; k++)
            if (k % columns < kernel - 1) sums[k] = sums[k + pool];
    }
    UNROLL
    for (int k = 0; k < height * columns; k++)
        if (k % columns < kernel - 1)
            x_store(p + k / columns * r->width + k % columns * LANES, sums[k]);
}

/* `rows` kernel rows with the sums of one cell's patch in registers, a part of a vector at a time:
 * for sorted lists. */
INLINE void row_by_cells(const struct row *r, const int kernel, const int rows) {
    const struct scatter_list *list = r->list;
    float *window = r->sums;
    for (int j = 0; j < r->windows; j++, list++, window += r->pool * LANES) {
        int first = 0;
        for (int c = 0; c < r->pool * r->pool; first += list->count[c++]) {
            if (!list->count[c]) continue;
            for (int part = 0; part < PARTS; part++) {
                float *p = window + c / r->pool * r->width + c % r->pool * LANES + part * VEC;
                vx sums[16];
                UNROLL
                for (int k = 0; k < rows * kernel; k++)
                    sums[k] = x_load(p + k / kernel * r->width + k % kernel * LANES);
                for (int n = first; n < first + list->count[c]; n++) {
                    const vx value = x_splat(list->value[n]);
                    const float *w = r->weight + list->weight[n] + part * VEC;
                    UNROLL
                    for (int k = 0; k < rows * kernel; k++)
                        sums[k] += value * x_load(w + k * LANES);
                }
                UNROLL
                for (int k = 0; k < rows * kernel; k++)
                    x_store(p + k / kernel * r->width + k % kernel * LANES, sums[k]);
            }
        }
    }
}

/* Windows whose entries take turns, so that an entry's patch is seldom the last one's: its sums
 * would have to wait until they are stored. */
#define TURNS 4

/* Kernel rows entry by entry: for pools with many cells, which meet few entries each. */
INLINE void row_by_entries(const struct row *r, const int kernel, const int rows) {
    const struct scatter_list *list = r->list;
    float *window = r->sums;
    int32_t corner[256];
    for (int c = 0; c < r->pool * r->pool; c++)
        corner[c] = (int32_t)(c / r->pool * r->width + c % r->pool * LANES);
    int windows;
    for (int j = 0; j < r->windows; j += windows, list += windows) {
        windows = r->windows - j < TURNS ? r->windows - j : TURNS;
        int most = 0;
        for (int k = 0; k < windows; k++)
            if (list[k].count[0] > most) most = list[k].count[0];
        for (int n = 0; n < most; n++)
            for (int k = 0; k < windows; k++) {
                if (n >= list[k].count[0]) continue;
                const v16 value = v_splat(list[k].value[n]);
                const float *w = r->weight + list[k].weight[n];
                float *p = window + (j + k) * r->pool * LANES + corner[list[k].cell[n]];
                UNROLL
                for (int i = 0; i < rows; i++, p += r->width, w += kernel * LANES) {
                    UNROLL
                    for (int q = 0; q < kernel; q++)
                        v_store(p + q * LANES,
                                v_fma(value, v_load(w + q * LANES), v_load(p + q * LANES)));
                }
            }
    }
}

/* All kernel rows of one row of windows, `rows` at a time and the rest one at a time. */
INLINE void row_pieces(struct row r, const int kernel, const int rows, const int form) {
    int done = 0;
    for (; done + rows <= kernel; done += rows) {
        if (form == 2) row_in_registers(&r, 2, kernel, rows);
        if (form == 3) row_in_registers(&r, 3, kernel, rows);
        if (form == 1) row_by_cells(&r, kernel, rows);
        if (form == 0) row_by_entries(&r, kernel, rows);
        r.sums += rows * r.width;
        r.weight += rows * kernel * LANES;
    }
    for (; done < kernel; done++) {
        if (form == 2) row_in_registers(&r, 2, kernel, 1);
        if (form == 1) row_by_cells(&r, kernel, 1);
        r.sums += r.width;
        r.weight += kernel * LANES;
    }
}

static void row_sorted(const struct row *r, int kernel) {
    switch (kernel) {
    case 1: row_pieces(*r, 1, 1, 1); break;
    case 3: row_pieces(*r, 3, 3, r->pool == 3 ? 3 : 2); break;
    case 5:
        if (r->pool == 2)
            row_pieces(*r, 5, 3, 2);
        else
            row_pieces(*r, 5, 3, 1);
        break;
    case 7: row_pieces(*r, 7, 2, 1); break;
    case 9: row_pieces(*r, 9, 1, 1); break;
    case 11: row_pieces(*r, 11, 1, 1); break;
    }
}

static void row_unsorted(const struct row *r, int kernel) {
    switch (kernel) {
    case 1: row_pieces(*r, 1, 1, 0); break;
    case 3: row_pieces(*r, 3, 3, 0); break;
    case 5: row_pieces(*r, 5, 1, 0); break;
    case 7: row_pieces(*r, 7, 1, 0); break;
    case 9: row_pieces(*r, 9, 1, 0); break;
    case 11: row_pieces(*r, 11, 1, 0); break;
    }
}

/* One block of y. weight: of its first channel. */
static void block_run(const struct band *band, const float *weight) {
    const struct sparse *x = &band->s->x;
    const int kernel = band->s->kernel, taps = kernel * kernel;
    struct row r = {
        .list = band->lists, .width = band->width, .windows = x->what.width, .pool = x->pool};
    for (int c = 0; c < x->what.channels; c += SCATTER_CHANNELS) {
        r.weight = weight + c * taps * LANES;
        for (int n = 0; n < band->images; n++)
            for (int i = 0; i < band->rows; i++, r.list += x->what.width) {
                r.sums = band->sums + n * band->slot + i * x->pool * band->width;
                (x->pool <= SCATTER_SORTED ? row_sorted : row_unsorted)(&r, kernel);
            }
    }
}

/* ---- sums: a row is (column, LANES) ---- */

INLINE v16 sums_load(const struct band *band, const float *row, int column) {
    (void)band;
    return v_load(row + column * LANES);
}

INLINE void sums_store(const struct band *band, float *row, int column, v16 x) {
    (void)band;
    v_store(row + column * LANES, x);
}

#endif
