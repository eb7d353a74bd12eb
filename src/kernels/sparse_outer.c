/* sparse_outer.c - weight gradients with a sparse operand, and the gradient at
 * the switches.
 *
 * A band of windows is turned into one list a sparse channel: value, pixel and
 * place of the result. Then by block of dense channels, sparse channel, entry:
 * the band's pixels of one block stay in the first-level cache and a channel's
 * kernel^2 sums (and weights) in registers, while each entry meets its patch.
 * The dot products of VEC entries are added across lanes at once. */
#include "kernels/sparse_list.h"

#define PARTS (LANES / VEC)

/* Kernel rows whose sums the registers hold. */
#if VEC == 16
#define HELD_TAPS 25
#else
#define HELD_TAPS 11
#endif

/* One channel's list against kernel rows of one part of a block. */
struct channel {
    const float *value;
    const int32_t *offset; /* of a patch's corner */
    int count;
    const float *dense; /* image and kernel row where offsets start */
    ptrdiff_t row;
    const float *weight;
    float *sum;
    float *dot; /* (count) */
    bool first; /* dot holds nothing yet */
};

#if VEC == 16
INLINE void channel_run(const struct channel *c, const int kernel, const int rows, const bool outer,
                        const bool dot) {
    const int taps = kernel * rows;
    /* weights that would not fit beside the sums are read again for each entry */
    const bool held = dot && (!outer || taps <= 9);
    vx sum[HELD_TAPS], weight[HELD_TAPS];
    UNROLL
    for (int k = 0; k < taps; k++) {
        if (outer) sum[k] = x_load(c->sum + k * LANES);
        if (held) weight[k] = x_load(c->weight + k * LANES);
    }
    float products[VEC * VEC];
    for (int i = 0; i < c->count; i += VEC) {
        const int end = c->count - i < VEC ? c->count - i : VEC;
        for (int j = 0; j < end; j++) {
            const float *p = c->dense + c->offset[i + j];
            const vx value = x_splat_at(c->value + i + j);
            vx product[3] = {(vx){0}, (vx){0}, (vx){0}};
            UNROLL
            for (int y = 0; y < rows; y++, p += c->row) {
                UNROLL
                for (int x = 0; x < kernel; x++) {
                    const int k = y * kernel + x;
                    vx pixel = x_load(p + x * LANES);
                    if (outer && dot) pixel = x_held(pixel);
                    if (outer) sum[k] += value * pixel;
                    if (dot)
                        product[k % 3] +=
                            pixel * (held ? weight[k] : x_load(c->weight + k * LANES));
                }
            }
            if (dot) x_store(products + j * VEC, product[0] + product[1] + product[2]);
        }
        if (dot) {
            for (int j = end; j < VEC; j++) x_store(products + j * VEC, (vx){0});
            const vx sums = x_sums(products);
            x_store(c->dot + i, c->first ? sums : x_load(c->dot + i) + sums);
        }
    }
    UNROLL
    for (int k = 0; k < taps; k++)
        if (outer) x_store(c->sum + k * LANES, sum[k]);
}
#else
/* Entries whose dot products wait to be added across lanes. */
#define WAITING 64

INLINE void channel_run(const struct channel *c, const int kernel, const int rows, const bool outer,
                        const bool dot) {
    const int taps = kernel * rows;
    const bool held = dot && !outer; /* weights beside sums do not fit: read for each entry */
    vx sum[HELD_TAPS], weight[HELD_TAPS];
    UNROLL
    for (int k = 0; k < taps; k++) {
        if (outer) sum[k] = x_load(c->sum + k * LANES);
        if (held) weight[k] = x_load(c->weight + k * LANES);
    }
    float products[WAITING * VEC];
    for (int i = 0; i < c->count; i += WAITING) {
        const int end = c->count - i < WAITING ? c->count - i : WAITING;
        for (int j = 0; j < end; j++) {
            const float *p = c->dense + c->offset[i + j];
            const vx value = x_splat(c->value[i + j]);
            vx product[3] = {(vx){0}, (vx){0}, (vx){0}};
            UNROLL
            for (int y = 0; y < rows; y++, p += c->row) {
                UNROLL
                for (int x = 0; x < kernel; x++) {
                    const int k = y * kernel + x;
                    vx pixel = x_load(p + x * VEC);
                    if (outer && dot) pixel = x_held(pixel);
                    if (outer) sum[k] += value * pixel;
                    if (dot)
                        product[k % 3] +=
                            pixel * (held ? weight[k] : x_load(c->weight + k * LANES));
                }
            }
            if (dot) x_store(products + j * VEC, product[0] + product[1] + product[2]);
        }
        for (int j = 0; dot && j < end; j += VEC) {
            if (end - j < VEC) /* else sums of what was never written */
                for (int k = end; k < j + VEC; k++) x_store(products + k * VEC, (vx){0});
            const vx sums = x_sums(products + j * VEC);
            float *to = c->dot + i + j;
            x_store(to, c->first ? sums : x_load(to) + sums);
        }
    }
    UNROLL
    for (int k = 0; k < taps; k++)
        if (outer) x_store(c->sum + k * LANES, sum[k]);
}
#endif

/* All kernel rows, `rows` at a time and the rest one at a time. */
INLINE void channel_pieces(struct channel c, const int kernel, const int rows, const bool outer,
                           const bool dot) {
    int done = 0;
    for (; done + rows <= kernel; done += rows) {
        channel_run(&c, kernel, rows, outer, dot);
        c.dense += rows * c.row;
        if (dot) c.weight += rows * kernel * LANES;
        if (outer) c.sum += rows * kernel * LANES;
        c.first = false;
    }
    for (; done < kernel; done++) {
        channel_run(&c, kernel, 1, outer, dot);
        c.dense += c.row;
        if (dot) c.weight += kernel * LANES;
        if (outer) c.sum += kernel * LANES;
        c.first = false;
    }
}

INLINE void channel_choose(const struct channel *c, int kernel, const bool outer, const bool dot) {
    switch (kernel) {
#if VEC == 16
    case 5: channel_pieces(*c, 5, 5, outer, dot); break;
    case 7: channel_pieces(*c, 7, 3, outer, dot); break;
    case 9: channel_pieces(*c, 9, 2, outer, dot); break;
    case 11: channel_pieces(*c, 11, 2, outer, dot); break;
#else
    case 5: channel_pieces(*c, 5, 2, outer, dot); break;
    case 7: channel_pieces(*c, 7, 1, outer, dot); break;
    case 9: channel_pieces(*c, 9, 1, outer, dot); break;
    case 11: channel_pieces(*c, 11, 1, outer, dot); break;
#endif
    case 3: channel_pieces(*c, 3, 3, outer, dot); break;
    case 1: channel_pieces(*c, 1, 1, outer, dot); break;
    }
}

/* ---- bands ---- */

/* What the three kernels are asked; sum or what is NULL. */
struct task {
    real *sum;
    struct map *what;
    const struct sparse *s;
    const struct map *dense;
    const float *weight;
    int kernel;
};

struct band {
    const struct task *t;
    int image, images, row, rows; /* windows */
    int windows;
    int places; /* of a list */
    /* of each window, from the band's first image: its patches' corner, its place
     * in the result */
    int32_t *corner, *to;
    /* (channel) and (channel, places) */
    int32_t *count, *offset, *target;
    float *value, *dot;
#if VEC < 16
    float *copy;         /* what the band meets of one part of a block of the dense map,
                            side by side */
    int columns, height; /* of an image's copy */
#endif
};

#if VEC == 16
/* The corner of a window's patch from where offsets start. */
INLINE ptrdiff_t band_corner(const struct band *band, int image, int row, int column) {
    const struct map *d = band->t->dense;
    const int pool = band->t->s->pool, radius = band->t->kernel / 2;
    return image * d->image + (row * pool - radius) * d->row + (column * pool - radius) * LANES;
}

INLINE const float *band_dense(const struct band *band, int b, int part) {
    const struct map *d = band->t->dense;
    return d->data + band->image * d->image + b * d->block + part * VEC;
}

INLINE ptrdiff_t band_row(const struct band *band) { return band->t->dense->row; }
#else
INLINE ptrdiff_t band_corner(const struct band *band, int image, int row, int column) {
    const int pool = band->t->s->pool, y = image * band->height + (row - band->row) * pool;
    return (ptrdiff_t)(y * band->columns + column * pool) * VEC;
}

/* Where offsets start in one part of block b: here in a copy, since its pixels
 * are met by every sparse channel, and half as wide twice as many images fit
 * the first-level cache. */
static void band_copy(const struct band *band, int b, int part) {
    const struct map *d = band->t->dense;
    const int radius = band->t->kernel / 2, first = band->row * band->t->s->pool;
    const int wide = d->width + 2 * radius, high = d->height + 2 * radius - first;
    const int width = band->columns < wide ? band->columns : wide;
    const int height = band->height < high ? band->height : high;
    for (int n = 0; n < band->images; n++)
        for (int y = 0; y < height; y++) {
            const float *from = d->data + (band->image + n) * d->image + b * d->block +
                                (first + y - radius) * d->row - radius * LANES + part * VEC;
            float *to = band->copy + (n * band->height + y) * band->columns * VEC;
            for (int x = 0; x < width; x++) x_store(to + x * VEC, x_load(from + x * LANES));
        }
}

INLINE const float *band_dense(const struct band *band, int b, int part) {
    (void)b, (void)part;
    return band->copy;
}

INLINE ptrdiff_t band_row(const struct band *band) { return (ptrdiff_t)band->columns * VEC; }
#endif

static void band_windows(struct band *band) {
    const struct task *t = band->t;
    const struct sparse *s = t->s;
    int w = 0;
    for (int n = 0; n < band->images; n++)
        for (int i = band->row; i < band->row + band->rows; i++)
            for (int j = 0; j < s->what.width; j++, w++) {
                band->corner[w] = (int32_t)band_corner(band, n, i, j);
                if (t->what)
                    band->to[w] = (int32_t)(n * t->what->image + i * t->what->row + j * LANES);
            }
    band->windows = w;
}

/* Lists of the 16 channels of block b. With dot products wanted every open
 * window has an entry; else every window that is not zero. */
INLINE void lists_build(struct band *band, int b, const bool dot) {
    const struct task *t = band->t;
    const struct sparse *s = t->s;
    const int channels =
        s->what.channels - b * LANES < LANES ? s->what.channels - b * LANES : LANES;
    int32_t *count = band->count + b * LANES;
    for (int c = 0; c < channels; c++) count[c] = 0;
    int n = 0, i = 0, j = 0; /* of window w */
#if VEC == 16
    const __m512i inverse = _mm512_set1_epi32((65536 + s->pool - 1) / s->pool);
    const __m512i down = _mm512_set1_epi32((int)t->dense->row - s->pool * LANES);
    for (int w = 0; w < band->windows; w += 16) {
        const int used = band->windows - w < 16 ? band->windows - w : 16;
        __m512i value[16], offset[16], open[16];
        for (int k = 0; k < 16; k++) {
            value[k] = offset[k] = open[k] = _mm512_setzero_si512();
            if (k >= used) continue;
            const int image = band->image + n, row = band->row + i;
            value[k] = (__m512i)v_load(sparse_what(&s->what, image, b, row, j)).a;
            open[k] =
                s->gate ? (__m512i)v_load(sparse_what(s->gate, image, b, row, j)).a : value[k];
            const __m512i cell = (__m512i)x_load_bytes(sparse_where(s, image, b, row, j));
            /* cell / pool, exact below 256 */
            const __m512i y = _mm512_srli_epi32(_mm512_mullo_epi32(cell, inverse), 16);
            offset[k] = _mm512_add_epi32(_mm512_slli_epi32(cell, 4), _mm512_mullo_epi32(y, down));
            if (++j == s->what.width) j = 0, i++;
            if (i == band->rows) i = 0, n++;
        }
        transpose16(value);
        transpose16(offset);
        if (s->gate) transpose16(open);
        const __m512i corner = _mm512_loadu_si512(band->corner + w);
        const __m512i to = _mm512_loadu_si512(band->to + w);
        const __mmask16 inside = (__mmask16)((1u << used) - 1);
        UNROLL
        for (int c = 0; c < 16; c++) {
            if (c >= channels) continue;
            const size_t at = (size_t)(b * LANES + c) * (size_t)band->places + (size_t)count[c];
            __mmask16 take = inside;
            if (s->gate)
                take &= _mm512_cmp_ps_mask((__m512)open[c], _mm512_setzero_ps(), _CMP_GT_OQ);
            if (!dot)
                take &= _mm512_cmp_ps_mask((__m512)value[c], _mm512_setzero_ps(), _CMP_NEQ_UQ);
            _mm512_storeu_si512(band->value + at, _mm512_maskz_compress_epi32(take, value[c]));
            _mm512_storeu_si512(band->offset + at, _mm512_maskz_compress_epi32(
                                                       take, _mm512_add_epi32(offset[c], corner)));
            if (dot) _mm512_storeu_si512(band->target + at, _mm512_maskz_compress_epi32(take, to));
            count[c] += __builtin_popcount(take);
        }
    }
#else
    const int32_t inverse = (65536 + s->pool - 1) / s->pool;
    const int32_t down = (band->columns - s->pool) * VEC;
    for (int w = 0; w < band->windows; w += VEC) {
        const int used = band->windows - w < VEC ? band->windows - w : VEC;
        const float *what[VEC], *gate[VEC];
        const uint8_t *where[VEC];
        for (int k = 0; k < VEC; k++) {
            const int image = band->image + n, row = band->row + i;
            what[k] = sparse_what(&s->what, image, b, row, j);
            gate[k] = s->gate ? sparse_what(s->gate, image, b, row, j) : what[k];
            where[k] = sparse_where(s, image, b, row, j);
            if (k + 1 >= used) continue; /* beyond the last: it once more */
            if (++j == s->what.width) j = 0, i++;
            if (i == band->rows) i = 0, n++;
        }
        const ix inside = lane_numbers() < used;
        ix corner, to;
        memcpy(&corner, band->corner + w, sizeof corner);
        memcpy(&to, band->to + w, sizeof to);
        for (int part = 0; part < LANES; part += VEC) {
            vx value[VEC], open[VEC], offset[VEC];
            UNROLL
            for (int k = 0; k < VEC; k++) {
                const ix cell = x_load_bytes(where[k] + part);
                value[k] = x_load(what[k] + part);
                /* cell / pool, exact below 256 */
                offset[k] = (vx)(cell * VEC + (cell * inverse >> 16) * down);
                open[k] = x_load(gate[k] + part);
            }
            x_transpose(value);
            x_transpose(offset);
            if (s->gate) x_transpose(open);
            UNROLL
            for (int c = 0; c < VEC; c++) {
                if (part + c >= channels) continue;
                const size_t at =
                    (size_t)(b * LANES + part + c) * (size_t)band->places + (size_t)count[part + c];
                ix take = inside;
                if (s->gate) take &= open[c] > 0;
                if (!dot) take &= value[c] != 0;
                const struct taken taken = lanes_taken(take);
                lanes_store(band->value + at, value[c], &taken);
                lanes_store_int(band->offset + at, (ix)offset[c] + corner, &taken);
                if (dot) lanes_store_int(band->target + at, to, &taken);
                count[part + c] += taken.count;
            }
        }
        if (++j == s->what.width) j = 0, i++;
        if (i == band->rows) i = 0, n++;
    }
#endif
}

INLINE void band_run(struct band *band, const bool outer, const bool dot) {
    const struct task *t = band->t;
    const int channels = t->s->what.channels, taps = t->kernel * t->kernel;
    band_windows(band);
    for (int b = 0; b < map_blocks(&t->s->what); b++) lists_build(band, b, dot);
    for (int b = 0; b < map_blocks(t->dense); b++)
        for (int part = 0; part < PARTS; part++) {
#if VEC < 16
            band_copy(band, b, part);
#endif
            for (int c = 0; c < channels; c++) {
                const size_t list = (size_t)c * (size_t)band->places;
                const size_t packed =
                    (size_t)(b * channels + c) * (size_t)taps * LANES + (size_t)(part * VEC);
                const struct channel channel = {
                    .value = band->value + list,
                    .offset = band->offset + list,
                    .count = band->count[c],
                    .dense = band_dense(band, b, part),
                    .row = band_row(band),
                    .weight = dot ? t->weight + packed : NULL,
                    .sum = outer ? t->sum + packed : NULL,
                    .dot = band->dot + list,
                    .first = b == 0 && part == 0,
                };
                channel_choose(&channel, t->kernel, outer, dot);
            }
        }
    if (!dot) return;
    for (int c = 0; c < channels; c++) {
        const size_t list = (size_t)c * (size_t)band->places;
        float *what = map_at(t->what, band->image, c, 0, 0);
        for (int i = 0; i < band->count[c]; i++)
            what[band->target[list + (size_t)i]] = band->dot[list + (size_t)i];
    }
}

/* what = 0 where no entry will be written. */
static void clear(const struct map *what, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(what); b++)
            for (int i = 0; i < what->height; i++)
                memset(what->data + n * what->image + b * what->block + i * what->row, 0,
                       (size_t)what->width * LANES * sizeof(float));
}

INLINE void task_run(const struct task *t, int images, void *scratch, const bool outer,
                     const bool dot) {
    const struct sparse *s = t->s;
#if VEC == 16
    const struct bands bands = outer_bands(s, t->kernel);
#else
    const struct bands bands = outer_bands_copied(s, t->kernel);
#endif
    struct band band = {.t = t, .places = outer_places(s, bands)};
    const int channels = map_blocks(&s->what) * LANES, places = channels * band.places;
    band.corner = scratch;
#if VEC < 16
    band.copy = scratch;
    band.columns = s->what.width * s->pool + t->kernel - 1;
    band.height = bands.rows * s->pool + t->kernel - 1;
    band.corner += bands.images * band.height * band.columns * VEC;
#endif
    band.to = band.corner + band.places;
    band.count = band.to + band.places;
    band.offset = band.count + channels;
    band.target = band.offset + places;
    band.value = (float *)(band.target + places);
    band.dot = band.value + places;
    if (dot && s->gate) clear(t->what, images);
    for (band.image = 0; band.image < images; band.image += band.images) {
        band.images = images - band.image;
        if (band.images > bands.images) band.images = bands.images;
        for (band.row = 0; band.row < s->what.height; band.row += band.rows) {
            band.rows = s->what.height - band.row;
            if (band.rows > bands.rows) band.rows = bands.rows;
            band_run(&band, outer, dot);
        }
    }
}

static void sparse_outer(real *sum, const struct sparse *s, const struct map *dense, int kernel,
                         int images, void *scratch) {
    if (dense->lanes == 1) {
        ISA(sparse_few_run)(sum, NULL, s, dense, NULL, kernel, images);
        return;
    }
    const struct task t = {.sum = sum, .s = s, .dense = dense, .kernel = kernel};
    task_run(&t, images, scratch, true, false);
}

static void sparse_dot(struct map *what, const struct sparse *s, const struct map *dense,
                       const real *weight, int kernel, int images, void *scratch) {
    if (dense->lanes == 1) {
        ISA(sparse_few_run)(NULL, what, s, dense, weight, kernel, images);
        return;
    }
    const struct task t = {
        .what = what, .s = s, .dense = dense, .weight = weight, .kernel = kernel};
    task_run(&t, images, scratch, false, true);
}

static void sparse_outer_dot(real *sum, struct map *what, const struct sparse *s,
                             const struct map *dense, const real *weight, int kernel, int images,
                             void *scratch) {
    if (dense->lanes == 1) {
        ISA(sparse_few_run)(sum, what, s, dense, weight, kernel, images);
        return;
    }
    const struct task t = {
        .sum = sum, .what = what, .s = s, .dense = dense, .weight = weight, .kernel = kernel};
    task_run(&t, images, scratch, true, true);
}

static void sparse_sum(real *sum, const struct sparse *s, int images) {
    for (int b = 0; b < map_blocks(&s->what); b++) {
        v16 total = v_load(sum + b * LANES);
        for (int n = 0; n < images; n++)
            for (int i = 0; i < s->what.height; i++)
                for (int j = 0; j < s->what.width; j++)
                    total = v_add(total, sparse_values(s, n, b, i, j));
        v_store(sum + b * LANES, total);
    }
}

void ISA(sparse_outer_install)(struct kernels *table) {
    table->sparse_outer = sparse_outer;
    table->sparse_dot = sparse_dot;
    table->sparse_outer_dot = sparse_outer_dot;
    table->sparse_sum = sparse_sum;
}
