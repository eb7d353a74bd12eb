/* sparse_few.c - weight gradients and gradients at the switches against a planar map, the image of
 * one channel or three.
 *
 * Here the vector runs over sparse channels, zeros included: no lists. Each lane wants another
 * pixel of its window's patch. With AVX-512 the patch's rows lie in registers, eight pixels each,
 * and a permutation by the lanes' switches gives all lanes the pixel under one kernel cell: that
 * takes a patch of at most eight columns, and at most four rows to choose from. Elsewhere, for
 * windows of 2 x 2, each lane chooses between four pixels that all lanes have: one of two rows,
 * then one of two columns, which neighbouring kernel cells share. Other windows are left to the
 * dense kernels. */
#include "kernels/sparse_list.h"

/* What one plane of the dense map is asked. */
struct few {
    const struct sparse *s;
    const struct map *dense;
    struct map *what;
    const float *weight; /* (block, cell, LANES) */
    float *sum;
    int plane, kernel, images;
};

#if VEC == 16

/* Two rows of a patch, of which the columns in the mask exist. */
INLINE __m512 row_pair(const float *above, const float *below, __mmask8 columns) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_maskz_loadu_ps(columns, above)),
                              _mm256_maskz_loadu_ps(columns, below), 1);
}

/* Kernel rows first.. of block b. large: pool 3 or 4, whose switches choose from four rows. */
INLINE void block_run(const struct few *f, int b, int first, const int kernel, const int rows,
                      const bool large, const bool outer, const bool dot) {
    const struct sparse *s = f->s;
    const struct map *d = f->dense;
    const int radius = kernel / 2, pool = s->pool;
    const size_t packed = ((size_t)b * kernel * kernel + (size_t)(first * kernel)) * LANES;
    const float *weight = dot ? f->weight + packed : NULL;
    const int bottom = s->height - 1 + radius; /* last row there is */
    uint8_t place_of[16] = {0};                /* of each cell among rows of eight */
    for (int c = 0; c < pool * pool; c++) place_of[c] = (uint8_t)(c / pool * 8 + c % pool);
    const __m128i places = _mm_loadu_si128((const void *)place_of);
    vx sum[25];
    UNROLL
    for (int k = 0; k < rows * kernel; k++)
        if (outer) sum[k] = x_load(f->sum + packed + k * LANES);
    for (int n = 0; n < f->images; n++)
        for (int i = 0; i < s->what.height; i++) {
            const int top = i * pool - radius + first;
            /* the last window's patch may reach below the map, its switches do not */
            const float *row[16];
            for (int y = 0; y < rows + (large ? 3 : 1); y++)
                row[y] = d->data + n * d->image + f->plane * d->block +
                         (top + y < bottom ? top + y : bottom) * d->row;
            const float *what = sparse_what(&s->what, n, b, i, 0);
            const float *gate = s->gate ? sparse_what(s->gate, n, b, i, 0) : NULL;
            const uint8_t *where = sparse_where(s, n, b, i, 0);
            float *to = dot ? map_at(f->what, n, b * LANES, i, 0) : NULL;
            for (int j = 0; j < s->what.width; j++, where += LANES) {
                const int left = j * pool - radius, reach = s->width + radius - left;
                const int columns = reach < pool + kernel - 1 ? reach : pool + kernel - 1;
                const __mmask8 mask = (__mmask8)((1u << columns) - 1);
                const __m128i cell = _mm_loadu_si128((const void *)where);
                const __m512i lanes_at = _mm512_cvtepu8_epi32(_mm_shuffle_epi8(places, cell));
                v16 value = v_load(what + j * LANES);
                if (gate) value = v_gate(value, v_load(gate + j * LANES));
                vx product[2] = {(vx){0}, (vx){0}};
                UNROLL
                for (int y = 0; y < rows; y++) {
                    const __m512 low = row_pair(row[y] + left, row[y + 1] + left, mask);
                    const __m512 high =
                        large ? row_pair(row[y + 2] + left, row[y + 3] + left, mask) : low;
                    /* keeping the sums in registers matters more than adding again */
                    const __m512i at = (__m512i)x_held((vx)lanes_at);
                    UNROLL
                    for (int x = 0; x < kernel; x++) {
                        const __m512i wanted = _mm512_add_epi32(at, _mm512_set1_epi32(x));
                        vx pixel = (vx)(large ? _mm512_permutex2var_ps(low, wanted, high)
                                              : _mm512_permutexvar_ps(wanted, low));
                        const int k = y * kernel + x;
                        if (outer) sum[k] += value.a * pixel;
                        if (dot) product[k % 2] += pixel * x_load(weight + k * LANES);
                    }
                }
                if (!dot) continue;
                v16 total = {product[0] + product[1]};
                if (gate) total = v_gate(total, v_load(gate + j * LANES));
                if (first > 0 || f->plane > 0) total = v_add(v_load(to + j * LANES), total);
                v_store(to + j * LANES, total);
            }
        }
    UNROLL
    for (int k = 0; k < rows * kernel; k++)
        if (outer) x_store(f->sum + packed + k * LANES, sum[k]);
}

INLINE void pool_run(const struct few *f, const int kernel, const int rows, const bool outer,
                     const bool dot) {
    for (int b = 0; b < map_blocks(&f->s->what); b++) {
        int first = 0;
        for (; first + rows <= kernel; first += rows)
            if (f->s->pool == 2)
                block_run(f, b, first, kernel, rows, false, outer, dot);
            else
                block_run(f, b, first, kernel, rows, true, outer, dot);
        for (; first < kernel; first++) block_run(f, b, first, kernel, 1, true, outer, dot);
    }
}

INLINE void kernel_run(const struct few *f, const bool outer, const bool dot) {
    switch (f->kernel) {
    case 1: pool_run(f, 1, 1, outer, dot); break;
    case 3: pool_run(f, 3, 3, outer, dot); break;
    case 5: pool_run(f, 5, 5, outer, dot); break;
    case 7: pool_run(f, 7, 3, outer, dot); break;
    }
}

static bool sparse_few(int pool, int kernel) {
    return pool >= 2 && pool <= 4 && kernel <= 7 && pool + kernel - 1 <= 8;
}

#else

/* yes where set's sign bit is, else no */
INLINE vx x_choose(vx no, vx yes, ix set) {
#if VEC == 8
    return (vx)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)set);
#else
    set >>= 31;
    return (vx)(((ix)yes & set) | ((ix)no & ~set));
#endif
}

/* Kernel rows first.. of one part of block b. */
INLINE void rows_run(const struct few *f, int b, int part, int first, const int kernel,
                     const int rows, const bool outer, const bool dot) {
    const struct sparse *s = f->s;
    const struct map *d = f->dense;
    const int radius = kernel / 2, bottom = s->height - 1 + radius;
    const size_t packed =
        ((size_t)b * kernel * kernel + (size_t)(first * kernel)) * LANES + (size_t)part;
    const float *weight = dot ? f->weight + packed : NULL;
    vx sum[14];
    UNROLL
    for (int k = 0; k < rows * kernel; k++)
        if (outer) sum[k] = x_load(f->sum + packed + k * LANES);
    for (int n = 0; n < f->images; n++)
        for (int i = 0; i < s->what.height; i++) {
            /* the last window's patch may reach below the map, its switches do not */
            const float *row[3];
            for (int y = 0; y <= rows; y++) {
                const int at = i * 2 - radius + first + y;
                row[y] = d->data + n * d->image + f->plane * d->block - radius +
                         (at < bottom ? at : bottom) * d->row;
            }
            const float *what = sparse_what(&s->what, n, b, i, 0) + part;
            const float *gate = s->gate ? sparse_what(s->gate, n, b, i, 0) + part : NULL;
            const uint8_t *where = sparse_where(s, n, b, i, 0) + part;
            float *to = dot ? map_at(f->what, n, b * LANES, i, 0) + part : NULL;
            for (int j = 0; j < s->what.width; j++) {
                const ix cell = x_load_bytes(where + j * LANES);
                /* bits 0 and 1 where a choice looks: at the sign */
                const ix right = cell << 31, lower = cell << 30;
                vx value = x_load(what + j * LANES);
                if (gate) value = (vx)((ix)value & (x_load(gate + j * LANES) > 0));
                /* there is no column right of a partial window's, nor a switch */
                const int last = j * 2 + 1 < s->width ? kernel : kernel - 1;
                vx product[2] = {(vx){0}, (vx){0}}, left[2];
                UNROLL
                for (int x = 0; x <= kernel; x++) {
                    const int column = j * 2 + (x < kernel ? x : last);
                    vx above = x_splat(row[0][column]);
                    UNROLL
                    for (int y = 0; y < rows; y++) {
                        const int k = y * kernel + x - 1;
                        const vx below = x_splat(row[y + 1][column]);
                        const vx chosen = x_choose(above, below, lower);
                        above = below;
                        if (x > 0) {
                            const vx pixel = x_choose(left[y], chosen, right);
                            if (outer) sum[k] += value * pixel;
                            if (dot) product[k % 2] += pixel * x_load(weight + k * LANES);
                        }
                        left[y] = chosen;
                    }
                }
                if (!dot) continue;
                vx total = product[0] + product[1];
                if (gate) total = (vx)((ix)total & (x_load(gate + j * LANES) > 0));
                if (first > 0 || f->plane > 0) total += x_load(to + j * LANES);
                x_store(to + j * LANES, total);
            }
        }
    UNROLL
    for (int k = 0; k < rows * kernel; k++)
        if (outer) x_store(f->sum + packed + k * LANES, sum[k]);
}

INLINE void pool_run(const struct few *f, const int kernel, const int rows, const bool outer,
                     const bool dot) {
    for (int b = 0; b < map_blocks(&f->s->what); b++)
        for (int part = 0; part < LANES; part += VEC) {
            int first = 0;
            for (; first + rows <= kernel; first += rows)
                rows_run(f, b, part, first, kernel, rows, outer, dot);
            for (; first < kernel; first++) rows_run(f, b, part, first, kernel, 1, outer, dot);
        }
}

INLINE void kernel_run(const struct few *f, const bool outer, const bool dot) {
    switch (f->kernel) {
    case 1: pool_run(f, 1, 1, outer, dot); break;
    case 3: pool_run(f, 3, 2, outer, dot); break;
    case 5: pool_run(f, 5, 2, outer, dot); break;
    case 7: pool_run(f, 7, 1, outer, dot); break;
    }
}

static bool sparse_few(int pool, int kernel) { return pool == 2 && kernel <= 7; }

#endif

void ISA(sparse_few_run)(real *sum, struct map *what, const struct sparse *s,
                         const struct map *dense, const real *weight, int kernel, int images) {
    const size_t size = (size_t)map_blocks(&s->what) * LANES * (size_t)(kernel * kernel);
    for (int plane = 0; plane < dense->channels; plane++) {
        const struct few f = {.s = s,
                              .dense = dense,
                              .what = what,
                              .weight = what ? weight + (size_t)plane * size : NULL,
                              .sum = sum ? sum + (size_t)plane * size : NULL,
                              .plane = plane,
                              .kernel = kernel,
                              .images = images};
        if (sum && what)
            kernel_run(&f, true, true);
        else if (sum)
            kernel_run(&f, true, false);
        else if (what)
            kernel_run(&f, false, true);
    }
}

void ISA(sparse_few_install)(struct kernels *table) { table->sparse_few = sparse_few; }
