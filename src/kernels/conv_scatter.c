/* conv_scatter.c - a convolution of an unpooled map that never exists.
 *
 * Each nonzero value of the sparse map, once broadcast, is multiplied with the kernel^2 weight
 * vectors of its channel and added to the patch of sums around its switched pixel. Work goes in
 * bands of window rows, whose sums lie in scratch with a margin for the patches' overhang; inside,
 * by block of output channels, chunk of sparse channels, window: the chunk's weights stay in the
 * first-level cache. For small pools a window's values are sorted by cell, so that the registers
 * an entry adds to are known: the loop over a cell's entries has no branches and no addresses but
 * those of the weights. With 32 registers the whole window's patch stays in them. */
#include "kernels/sparse_list.h"

#define PARTS (LANES / VEC)

struct band {
    const struct scatter *s;
    int image, images, row, rows; /* windows */
    ptrdiff_t width, slot;        /* values of a row of sums, of an image's sums */
    float *sums;
    float *carry; /* per block the last kernel - 1 rows, to which the next band adds */
    struct scatter_list *lists;   /* (chunk, image, window) */
};

/* ---- lists ---- */

#if VEC == 16
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
#endif

/* The entries of one window and the chunk of channels from block b on. cells: 0, or the cells the
 * list is sorted by. */
INLINE void list_window(struct scatter_list *list, const struct sparse *x, int kernel, int image,
                        int b, int row, int column, const int cells) {
    const int taps = kernel * kernel, blocks = map_blocks(&x->what);
    const int vectors = blocks - b >= SCATTER_CHANNELS / LANES ? SCATTER_CHANNELS / LANES : 1;
#if VEC == 16
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
#else
    float value[SCATTER_CHANNELS];
    const uint8_t *cell[SCATTER_CHANNELS / LANES];
    for (int k = 0; k < vectors; k++) {
        v_store(value + k * LANES, sparse_values(x, image, b + k, row, column));
        cell[k] = sparse_where(x, image, b + k, row, column);
    }
    /* counting sort; a zero is written where the next value goes */
    int place[SCATTER_SORTED * SCATTER_SORTED + 1] = {0};
    if (cells) {
        for (int c = 0; c < vectors * LANES; c++)
            place[cell[c / LANES][c % LANES] + 1] += value[c] != 0;
        for (int c = 0; c < cells; c++) {
            list->count[c] = (uint8_t)place[c + 1];
            place[c + 1] += place[c];
        }
    }
    for (int c = 0; c < vectors * LANES; c++) {
        const int at = cell[c / LANES][c % LANES];
        int *n = &place[cells ? at : 0];
        if (value[c] == 0) continue;
        list->value[*n] = value[c];
        list->weight[*n] = (uint16_t)(c * taps * LANES);
        list->cell[*n] = (uint8_t)at;
        ++*n;
    }
    if (!cells) list->count[0] = (uint8_t)place[0];
#endif
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

#if VEC == 16
struct cursor {
    const float *value;
    const uint16_t *weight;
    const uint8_t *count;
};

/* The entries of cell (dy, dx): sums is a patch of `columns` columns. */
INLINE void cell_run(vx *sums, struct cursor *at, const float *weight, const int dy, const int dx,
                     const int columns, const int kernel, const int rows) {
    for (int n = *at->count++; n > 0; n--) {
        const vx value = x_splat(*at->value++);
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
#endif

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

/* Kernel rows entry by entry: for pools with many cells, which meet few entries each. */
INLINE void row_by_entries(const struct row *r, const int kernel, const int rows) {
    const struct scatter_list *list = r->list;
    float *window = r->sums;
    int32_t corner[256];
    for (int c = 0; c < r->pool * r->pool; c++)
        corner[c] = (int32_t)(c / r->pool * r->width + c % r->pool * LANES);
    for (int j = 0; j < r->windows; j++, list++, window += r->pool * LANES)
        for (int n = 0; n < list->count[0]; n++) {
            const v16 value = v_splat(list->value[n]);
            const float *w = r->weight + list->weight[n];
            float *p = window + corner[list->cell[n]];
            UNROLL
            for (int i = 0; i < rows; i++, p += r->width, w += kernel * LANES) {
                UNROLL
                for (int k = 0; k < kernel; k++)
                    v_store(p + k * LANES,
                            v_fma(value, v_load(w + k * LANES), v_load(p + k * LANES)));
            }
        }
}

/* All kernel rows of one row of windows, `rows` at a time and the rest one at a time. */
INLINE void row_pieces(struct row r, const int kernel, const int rows, const int form) {
    int done = 0;
    for (; done + rows <= kernel; done += rows) {
#if VEC == 16
        if (form == 2) row_in_registers(&r, 2, kernel, rows);
        if (form == 3) row_in_registers(&r, 3, kernel, rows);
#endif
        if (form == 1) row_by_cells(&r, kernel, rows);
        if (form == 0) row_by_entries(&r, kernel, rows);
        r.sums += rows * r.width;
        r.weight += rows * kernel * LANES;
    }
    for (; done < kernel; done++) {
#if VEC == 16
        if (form == 2) row_in_registers(&r, 2, kernel, 1);
#endif
        if (form == 1) row_by_cells(&r, kernel, 1);
        r.sums += r.width;
        r.weight += kernel * LANES;
    }
}

static void row_sorted(const struct row *r, int kernel) {
    switch (kernel) {
#if VEC == 16
    case 1: row_pieces(*r, 1, 1, 1); break;
    case 3: row_pieces(*r, 3, 3, r->pool == 3 ? 3 : 2); break;
    case 5:
        if (r->pool == 2)
            row_pieces(*r, 5, 3, 2);
        else
            row_pieces(*r, 5, 3, 1);
        break;
    case 7: row_pieces(*r, 7, 2, 1); break;
#else
    case 1: row_pieces(*r, 1, 1, 1); break;
    case 3: row_pieces(*r, 3, 3, 1); break;
    case 5: row_pieces(*r, 5, 2, 1); break;
    case 7: row_pieces(*r, 7, 1, 1); break;
#endif
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

/* ---- one block of y ---- */

/* Sums start at the bias, or at what the band above has left. */
static void sums_start(const struct band *band, int b) {
    const struct scatter *s = band->s;
    const v16 start = s->bias ? v_load(s->bias + b * LANES) : v_zero();
    const int margin = s->kernel - 1, height = band->rows * s->x.pool + margin;
    for (int n = 0; n < band->images; n++) {
        float *sums = band->sums + n * band->slot;
        ptrdiff_t from = 0;
        if (band->row > 0) {
            from = margin * band->width;
            memcpy(sums, band->carry + b * from, (size_t)from * sizeof *sums);
        }
        for (ptrdiff_t i = from; i < height * band->width; i += LANES) v_store(sums + i, start);
    }
}

/* Writes the rows that are complete, and keeps the others for the next band. */
static void sums_finish(const struct band *band, int b) {
    const struct scatter *s = band->s;
    const int margin = s->kernel - 1, radius = s->kernel / 2;
    const int complete = band->rows * s->x.pool;
    const bool last = band->row + band->rows == s->x.what.height;
    const int above = band->row * s->x.pool - radius; /* row of y of the first row of sums */
    const int first = above < 0 ? 0 : above;
    const int end = last ? s->y.height : above + complete;
    for (int n = 0; n < band->images; n++) {
        const float *sums = band->sums + n * band->slot;
        const int image = band->image + n;
        for (int i = first; i < end; i++) {
            const float *from = sums + (i - above) * band->width + radius * LANES;
            float *to = s->y.data + image * s->y.image + b * s->y.block + i * s->y.row;
            const float *gate =
                s->gate ? s->gate->data + image * s->gate->image + b * s->gate->block +
                              i * s->gate->row
                        : NULL;
            for (int j = 0; j < s->y.width * LANES; j += LANES) {
                v16 y = v_load(from + j);
                if (s->relu) y = v_relu(y);
                if (gate) y = v_gate(y, v_load(gate + j));
                v_store(to + j, y);
            }
        }
    }
    if (!last)
        memcpy(band->carry + b * margin * band->width, band->sums + complete * band->width,
               (size_t)(margin * band->width) * sizeof *band->sums);
}

static void band_run(const struct band *band) {
    const struct scatter *s = band->s;
    const struct sparse *x = &s->x;
    const int taps = s->kernel * s->kernel, channels = x->what.channels;
    struct row r = {.width = band->width, .windows = x->what.width, .pool = x->pool};
    lists_build(band);
    for (int b = 0; b < map_blocks(&s->y); b++) {
        sums_start(band, b);
        r.list = band->lists;
        for (int c = 0; c < channels; c += SCATTER_CHANNELS) {
            r.weight = s->weight + (size_t)(b * channels + c) * (size_t)taps * LANES;
            for (int n = 0; n < band->images; n++)
                for (int i = 0; i < band->rows; i++, r.list += x->what.width) {
                    r.sums = band->sums + n * band->slot + i * x->pool * band->width;
                    (x->pool <= SCATTER_SORTED ? row_sorted : row_unsorted)(&r, s->kernel);
                }
        }
        sums_finish(band, b);
    }
}

static void scatter(const struct scatter *s) {
    const struct bands bands = scatter_bands(&s->x, s->kernel);
    const int margin = s->kernel - 1;
    struct band band = {.s = s, .width = (ptrdiff_t)(s->x.what.width * s->x.pool + margin) * LANES};
    band.slot = (bands.rows * s->x.pool + margin) * band.width;
    band.sums = s->scratch;
    band.carry = band.sums + bands.images * band.slot;
    band.lists = (void *)(band.carry + map_blocks(&s->y) * margin * band.width);
    for (band.image = 0; band.image < s->images; band.image += band.images) {
        band.images = s->images - band.image;
        if (band.images > bands.images) band.images = bands.images;
        for (band.row = 0; band.row < s->x.what.height; band.row += band.rows) {
            band.rows = s->x.what.height - band.row;
            if (band.rows > bands.rows) band.rows = bands.rows;
            band_run(&band);
        }
    }
}

void ISA(conv_scatter_install)(struct kernels *table) { table->scatter = scatter; }
