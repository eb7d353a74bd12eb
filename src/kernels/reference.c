/* reference.c - every kernel as its contract reads, for any shape: the truth the others are
 * tested against. Sums are kept in double; the finite-difference tests compile this file with
 * real = double. */
#include "kernels/kernels.h"
#include "kernels/pack.h"

#include <math.h>
#include <string.h>

static int smaller(int a, int b) { return a < b ? a : b; }

/* Weight of (output channel, input channel, tap) inside pack_conv's order. */
static real packed_weight(const struct conv *c, int group, int out, int in, int tap) {
    const int taps = c->kernel * c->kernel, lanes = c->x.lanes;
    const int first = out / (group * LANES) * (group * LANES);
    const int width = smaller(group, pack_blocks(c->y.channels - first)) * LANES;
    const int in_first = in / lanes * lanes, in_lanes = smaller(lanes, c->x.channels - in_first);
    const size_t row = (size_t)in_first * (size_t)taps + (size_t)(tap * in_lanes + in - in_first);
    return c->weight[(size_t)first * (size_t)(c->x.channels * taps) + row * (size_t)width +
                     (size_t)(out - first)];
}

static void conv(const struct conv *c) {
    const int radius = c->kernel / 2;
    for (int n = 0; n < c->images; n++)
        for (int o = 0; o < c->y.channels; o++)
            for (int y = 0; y < c->y.height; y++)
                for (int x = 0; x < c->y.width; x++) {
                    double sum = c->bias ? c->bias[o] : 0;
                    for (int i = 0; i < c->x.channels; i++)
                        for (int ky = 0; ky < c->kernel; ky++)
                            for (int kx = 0; kx < c->kernel; kx++)
                                sum +=
                                    (double)*map_at(&c->x, n, i, y + ky - radius, x + kx - radius) *
                                    packed_weight(c, 1, o, i, ky * c->kernel + kx);
                    if (c->relu && sum < 0) sum = 0;
                    if (c->gate && !(*map_at(c->gate, n, o, y, x) > 0)) sum = 0;
                    *map_at(&c->y, n, o, y, x) = (real)sum;
                }
}

static void conv_few(const struct conv *c) {
    const int radius = c->kernel / 2, taps = c->kernel * c->kernel;
    for (int n = 0; n < c->images; n++)
        for (int o = 0; o < c->y.channels; o++)
            for (int y = 0; y < c->y.height; y++)
                for (int x = 0; x < c->y.width; x++) {
                    double sum = c->bias ? c->bias[o] : 0;
                    for (int i = 0; i < c->x.channels; i++)
                        for (int tap = 0; tap < taps; tap++) {
                            const int block = o * map_blocks(&c->x) + i / LANES;
                            sum += (double)*map_at(&c->x, n, i, y + tap / c->kernel - radius,
                                                   x + tap % c->kernel - radius) *
                                   c->weight[(block * taps + tap) * LANES + i % LANES];
                        }
                    *map_at(&c->y, n, o, y, x) = (real)sum;
                }
}

static void conv_outer(real *sum, const struct map *v, const struct map *s, int kernel,
                       int images) {
    const int radius = kernel / 2, taps = kernel * kernel;
    for (int o = 0; o < v->channels; o++)
        for (int i = 0; i < s->channels; i++)
            for (int tap = 0; tap < taps; tap++) {
                double total = 0;
                for (int n = 0; n < images; n++)
                    for (int y = 0; y < v->height; y++)
                        for (int x = 0; x < v->width; x++)
                            total += (double)*map_at(v, n, o, y, x) *
                                     *map_at(s, n, i, y + tap / kernel - radius,
                                             x + tap % kernel - radius);
                real *to = &sum[((o / LANES * taps + tap) * s->channels + i) * LANES + o % LANES];
                *to = (real)(*to + total);
            }
}

static void sum_pixels(real *sum, const struct map *x, int images) {
    for (int c = 0; c < x->channels; c++) {
        double total = 0;
        for (int n = 0; n < images; n++)
            for (int i = 0; i < x->height; i++)
                for (int j = 0; j < x->width; j++) total += *map_at(x, n, c, i, j);
        sum[c] = (real)(sum[c] + total);
    }
}

/* The switch of (image, channel, window). */
static size_t switch_at(const struct map *what, int image, int channel, int row, int column) {
    return ((((size_t)image * (size_t)map_blocks(what) + (size_t)(channel / LANES)) *
                 (size_t)what->height +
             (size_t)row) *
                (size_t)what->width +
            (size_t)column) *
               LANES +
           (size_t)(channel % LANES);
}

static void pool(struct map *what, uint8_t *where, const struct map *x, int pool, int images) {
    /* padding lanes too: they hold zeros and get switch 0 */
    const int channels = map_blocks(what) * LANES;
    for (int n = 0; n < images; n++)
        for (int c = 0; c < channels; c++)
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    const int rows = smaller(pool, x->height - i * pool);
                    const int columns = smaller(pool, x->width - j * pool);
                    real best = *map_at(x, n, c, i * pool, j * pool);
                    int cell = 0;
                    for (int a = 0; a < rows; a++)
                        for (int b = 0; b < columns; b++) {
                            const real value = *map_at(x, n, c, i * pool + a, j * pool + b);
                            if (value > best || (isnan(value) && !isnan(best))) {
                                best = value;
                                cell = a * pool + b;
                            }
                        }
                    *map_at(what, n, c, i, j) = best;
                    where[switch_at(what, n, c, i, j)] = (uint8_t)cell;
                }
}

static void clear(struct map *x, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(x); b++)
            for (int i = 0; i < x->height; i++)
                memset(map_at(x, n, b * x->lanes, i, 0), 0,
                       (size_t)(x->width * x->lanes) * sizeof(real));
}

static void unpool(struct map *x, const struct map *what, const uint8_t *where,
                   const struct map *gate, int pool, int images) {
    clear(x, images);
    for (int n = 0; n < images; n++)
        for (int c = 0; c < what->channels; c++)
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    if (gate && !(*map_at(gate, n, c, i, j) > 0)) continue;
                    const int cell = where[switch_at(what, n, c, i, j)];
                    *map_at(x, n, c, i * pool + cell / pool, j * pool + cell % pool) =
                        *map_at(what, n, c, i, j);
                }
}

static void gather(struct map *what, const struct map *x, const uint8_t *where, int pool,
                   int images) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < what->channels; c++)
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    const int cell = where[switch_at(what, n, c, i, j)];
                    *map_at(what, n, c, i, j) =
                        *map_at(x, n, c, i * pool + cell / pool, j * pool + cell % pool);
                }
}

/* 1 / the number of cells of the window that holds pixel (y, x). */
static double cell_share(const struct map *x, int pool, int i, int j) {
    return 1.0 /
           (smaller(pool, x->height - i / pool * pool) * smaller(pool, x->width - j / pool * pool));
}

static void upsample(struct map *x, const struct map *what, int pool, bool average, int images) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < x->channels; c++)
            for (int i = 0; i < x->height; i++)
                for (int j = 0; j < x->width; j++)
                    *map_at(x, n, c, i, j) = (real)(*map_at(what, n, c, i / pool, j / pool) *
                                                    (average ? cell_share(x, pool, i, j) : 1));
}

static void sum_windows(struct map *what, const struct map *x, int pool, bool average, int images) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < what->channels; c++)
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    double sum = 0;
                    for (int a = i * pool; a < smaller((i + 1) * pool, x->height); a++)
                        for (int b = j * pool; b < smaller((j + 1) * pool, x->width); b++)
                            sum += *map_at(x, n, c, a, b);
                    if (average) sum *= cell_share(x, pool, i * pool, j * pool);
                    *map_at(what, n, c, i, j) = (real)sum;
                }
}

static void linear(real *y, const real *x, const real *weight, const real *bias, int in, int out,
                   int n, bool relu) {
    const int width = pack_blocks(out) * LANES;
    for (int k = 0; k < n; k++)
        for (int o = 0; o < width; o++) {
            double sum = bias[o];
            for (int i = 0; i < in; i++) sum += (double)x[k * in + i] * weight[i * width + o];
            y[k * width + o] = (real)(relu && sum < 0 ? 0 : sum);
        }
}

static void linear_back(real *dx, const real *dy, const real *weight, int in, int out, int n) {
    const int width = pack_blocks(out) * LANES;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < in; i++) {
            double sum = 0;
            for (int o = 0; o < width; o++)
                sum += (double)dy[k * width + o] * weight[i * width + o];
            dx[k * in + i] = (real)sum;
        }
}

static void linear_outer(real *sum, real *bias_sum, const real *x, const real *dy, int in, int out,
                         int n) {
    const int width = pack_blocks(out) * LANES;
    for (int k = 0; k < n; k++)
        for (int o = 0; o < width; o++) {
            bias_sum[o] += dy[k * width + o];
            for (int i = 0; i < in; i++) sum[i * width + o] += x[k * in + i] * dy[k * width + o];
        }
}

static double squared_distance(const struct map *a, const struct map *b, int image) {
    double sum = 0;
    for (int c = 0; c < a->channels; c++)
        for (int i = 0; i < a->height; i++)
            for (int j = 0; j < a->width; j++) {
                const double d =
                    (double)*map_at(a, image, c, i, j) - (double)*map_at(b, image, c, i, j);
                sum += d * d;
            }
    return sum;
}

static void difference(struct map *d, const struct map *a, const struct map *b, real scale,
                       int image) {
    for (int c = 0; c < a->channels; c++)
        for (int i = 0; i < a->height; i++)
            for (int j = 0; j < a->width; j++)
                *map_at(d, image, c, i, j) =
                    scale * (*map_at(a, image, c, i, j) - *map_at(b, image, c, i, j));
}

static double spin(real *out, long rounds) {
    double sum = 1;
    for (long i = 0; i < rounds; i++) sum = sum * 0.999 + 1e-3;
    for (int l = 0; l < LANES; l++) out[l] = (real)sum;
    return 2.0 * (double)rounds;
}

static void add(struct map *x, const struct map *y, const struct map *gate, int images) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < x->channels; c++)
            for (int i = 0; i < x->height; i++)
                for (int j = 0; j < x->width; j++) {
                    real *to = map_at(x, n, c, i, j);
                    const real sum = *to + *map_at(y, n, c, i, j);
                    *to = gate && !(*map_at(gate, n, c, i, j) > 0) ? 0 : sum;
                }
}

static void subtract(struct map *x, const struct map *y, int images) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < x->channels; c++)
            for (int i = 0; i < x->height; i++)
                for (int j = 0; j < x->width; j++) *map_at(x, n, c, i, j) -= *map_at(y, n, c, i, j);
}

static void gate(struct map *x, const struct map *gate, int images) {
    for (int n = 0; n < images; n++)
        for (int c = 0; c < x->channels; c++)
            for (int i = 0; i < x->height; i++)
                for (int j = 0; j < x->width; j++)
                    if (!(*map_at(gate, n, c, i, j) > 0)) *map_at(x, n, c, i, j) = 0;
}

void kernels_reference(struct kernels *table) {
    *table = (struct kernels){
        .name = "reference",
        .group = 1,
        .conv = conv,
        .conv_few = conv_few,
        .conv_outer = conv_outer,
        .sum_pixels = sum_pixels,
        .pool = pool,
        .unpool = unpool,
        .gather = gather,
        .upsample = upsample,
        .sum_windows = sum_windows,
        .linear = linear,
        .linear_back = linear_back,
        .linear_outer = linear_outer,
        .spin = spin,
        .squared_distance = squared_distance,
        .difference = difference,
        .add = add,
        .subtract = subtract,
        .gate = gate,
    };
    soft_pool_install_reference(table);
    norm_install_reference(table);
}
