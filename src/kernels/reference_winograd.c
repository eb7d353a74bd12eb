/* reference_winograd.c - Winograd's filtering as winograd.h writes it, one output at a time; see
 * reference.c. Sums are kept in double. */
#include "kernels/winograd.h"

#include "kernels/kernels.h"
#include "kernels/pack.h"

#include <string.h>

/* Transposed as they stand in the formulas. */
static const double A[4][2] = {{1, 0}, {1, 1}, {1, -1}, {0, -1}};
static const double B[4][4] = {{1, 0, 0, 0}, {0, 1, -1, 1}, {-1, 1, 1, 0}, {0, 0, 0, -1}};

/* Pixel of a map, zero outside. */
static double pixel(const struct map *m, int image, int channel, int y, int x) {
    if (y < 0 || x < 0 || y >= m->height || x >= m->width) return 0;
    return *map_at(m, image, channel, y, x);
}

/* (B^T d B) of the tile at (row, column), at position p. */
static double patch(const struct map *x, int image, int channel, int row, int column, int p) {
    double sum = 0;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            if (B[i][p / 4] != 0 && B[j][p % 4] != 0)
                sum += B[i][p / 4] * B[j][p % 4] *
                       pixel(x, image, channel, 2 * row - 1 + i, 2 * column - 1 + j);
    return sum;
}

/* Where pack_winograd puts a weight; the reference's group is one vector. */
static size_t weight_at(int channels, int o, int c, int p) {
    return ((size_t)(o / LANES * WINOGRAD_POSITIONS + p) * (size_t)channels + (size_t)c) * LANES +
           (size_t)(o % LANES);
}

/* The patches of every channel: scratch (channels, position). */
static real *patches(const struct conv *c, int image, int row, int column) {
    real *patch_of = c->scratch;
    for (int k = 0; k < c->x.channels; k++)
        for (int p = 0; p < WINOGRAD_POSITIONS; p++)
            patch_of[k * WINOGRAD_POSITIONS + p] = (real)patch(&c->x, image, k, row, column, p);
    return patch_of;
}

/* y (2x2): the outputs of channel o. */
static void outputs(double y[4], const struct conv *c, const real *patch_of, int o) {
    for (int k = 0; k < 4; k++) y[k] = c->bias ? (double)c->bias[o] : 0;
    for (int p = 0; p < WINOGRAD_POSITIONS; p++) {
        double product = 0;
        for (int k = 0; k < c->x.channels; k++)
            product += (double)patch_of[k * WINOGRAD_POSITIONS + p] *
                       (double)c->weight[weight_at(c->x.channels, o, k, p)];
        for (int k = 0; k < 4; k++) y[k] += A[p / 4][k / 2] * A[p % 4][k % 2] * product;
    }
    for (int k = 0; k < 4; k++)
        if (c->relu && y[k] < 0) y[k] = 0;
}

static void winograd(const struct conv *c) {
    double out[4];
    for (int n = 0; n < c->images; n++)
        for (int row = 0; row < c->x.height; row += 2)
            for (int column = 0; column < c->x.width; column += 2) {
                const real *patch_of = patches(c, n, row / 2, column / 2);
                for (int o = 0; o < c->y.channels; o++) {
                    outputs(out, c, patch_of, o);
                    for (int k = 0; k < 4; k++) {
                        const int y = row + k / 2, x = column + k % 2;
                        if (y >= c->x.height || x >= c->x.width) continue;
                        const bool open = !c->gate || *map_at(c->gate, n, o, y, x) > 0;
                        *map_at(&c->y, n, o, y, x) = open ? (real)out[k] : 0;
                    }
                }
            }
}

/* A map of one image, then pooled. */
static void winograd_pool(const struct conv *c, uint8_t *where, int pool) {
    struct conv one = *c;
    struct map what = c->y;
    struct kernels kernels;
    kernels_reference(&kernels);
    one.y = map_place(map_shape(c->y.channels, c->x.height, c->x.width, 0, LANES), c->scratch);
    one.scratch = (real *)c->scratch + map_size(&one.y, 1);
    one.images = 1;
    memset(c->scratch, 0, map_size(&one.y, 1) * sizeof(real)); /* padding lanes */
    for (int n = 0; n < c->images; n++) {
        winograd(&one);
        kernels.pool(&what, where, &one.y, pool, 1);
        one.x.data += c->x.image;
        what.data += what.image;
        where += map_blocks(&what) * what.height * what.width * LANES;
    }
}

/* (A dy A^T) of a tile, at position p. */
static double gradient(const struct map *dy, int image, int channel, int row, int column, int p) {
    double sum = 0;
    for (int k = 0; k < 4; k++)
        sum += A[p / 4][k / 2] * A[p % 4][k % 2] *
               pixel(dy, image, channel, 2 * row + k / 2, 2 * column + k % 2);
    return sum;
}

static void winograd_outer(real *sum, const struct map *v, const struct map *s, int images,
                           void *scratch) {
    (void)scratch;
    for (int o = 0; o < v->channels; o++)
        for (int c = 0; c < s->channels; c++)
            for (int p = 0; p < WINOGRAD_POSITIONS; p++) {
                double total = 0;
                for (int n = 0; n < images; n++)
                    for (int i = 0; i < v->height; i += 2)
                        for (int j = 0; j < v->width; j += 2)
                            total += patch(s, n, c, i / 2, j / 2, p) *
                                     gradient(v, n, o, i / 2, j / 2, p);
                real *to = &sum[weight_at(s->channels, o, c, p)];
                *to = (real)((double)*to + total);
            }
}

void kernels_reference_winograd(struct kernels *table) {
    table->winograd = winograd;
    table->winograd_pool = winograd_pool;
    table->winograd_outer = winograd_outer;
}
