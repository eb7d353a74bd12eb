/* reference_sparse.c - the switch-sparse kernels as their contracts read; see reference.c. Sums
 * are kept in double. */
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/sparse.h"

#include <math.h>

static int smaller(int a, int b) { return a < b ? a : b; }

/* The switch of (image, channel, window). */
static size_t switch_at(const struct map *what, int image, int channel, int row, int column) {
    const size_t block = (size_t)image * (size_t)map_blocks(what) + (size_t)(channel / LANES);
    return ((block * (size_t)what->height + (size_t)row) * (size_t)what->width + (size_t)column) *
               LANES +
           (size_t)(channel % LANES);
}

/* Value of the unpooled map at any pixel; zero outside. */
static real value_at(const struct sparse *s, int image, int channel, int y, int x) {
    if (y < 0 || x < 0 || y >= s->height || x >= s->width) return 0;
    const int row = y / s->pool, column = x / s->pool;
    const int cell = y % s->pool * s->pool + x % s->pool;
    if (s->where[switch_at(&s->what, image, channel, row, column)] != cell) return 0;
    if (s->gate && !(*map_at(s->gate, image, channel, row, column) > 0)) return 0;
    return *map_at(&s->what, image, channel, row, column);
}

/* Where pack_sparse puts a weight. */
static size_t weight_at(const struct map *dense, int channels, int taps, int o, int c, int cell) {
    const size_t row = dense->lanes == 1 ? (size_t)(o * pack_blocks(channels) + c / LANES)
                                         : (size_t)(o / LANES * channels + c);
    return (row * (size_t)taps + (size_t)cell) * LANES +
           (size_t)((dense->lanes == 1 ? c : o) % LANES);
}

static void scatter(const struct scatter *s) {
    const int kernel = s->kernel, taps = kernel * kernel, channels = s->x.what.channels;
    for (int n = 0; n < s->images; n++)
        for (int o = 0; o < s->y.channels; o++)
            for (int y = 0; y < s->y.height; y++)
                for (int x = 0; x < s->y.width; x++) {
                    double sum = s->bias ? s->bias[o] : 0;
                    for (int c = 0; c < channels; c++)
                        for (int cell = 0; cell < taps; cell++)
                            sum += (double)value_at(&s->x, n, c, y - cell / kernel + kernel / 2,
                                                    x - cell % kernel + kernel / 2) *
                                   s->weight[weight_at(&s->y, channels, taps, o, c, cell)];
                    if (s->relu && sum < 0) sum = 0;
                    if (s->gate && !(*map_at(s->gate, n, o, y, x) > 0)) sum = 0;
                    *map_at(&s->y, n, o, y, x) = (real)sum;
                }
}

static void sparse_outer(real *sum, const struct sparse *s, const struct map *dense, int kernel,
                         int images, void *scratch) {
    (void)scratch;
    const int taps = kernel * kernel, radius = kernel / 2;
    for (int o = 0; o < dense->channels; o++)
        for (int c = 0; c < s->what.channels; c++)
            for (int cell = 0; cell < taps; cell++) {
                double total = 0;
                for (int n = 0; n < images; n++)
                    for (int y = 0; y < s->height; y++)
                        for (int x = 0; x < s->width; x++)
                            total += (double)value_at(s, n, c, y, x) *
                                     *map_at(dense, n, o, y + cell / kernel - radius,
                                             x + cell % kernel - radius);
                real *to = &sum[weight_at(dense, s->what.channels, taps, o, c, cell)];
                *to = (real)(*to + total);
            }
}

static void sparse_dot(struct map *what, const struct sparse *s, const struct map *dense,
                       const real *weight, int kernel, int images, void *scratch) {
    (void)scratch;
    const int taps = kernel * kernel, radius = kernel / 2, channels = s->what.channels;
    for (int n = 0; n < images; n++)
        for (int c = 0; c < channels; c++)
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    const int at = s->where[switch_at(&s->what, n, c, i, j)];
                    const int y = i * s->pool + at / s->pool, x = j * s->pool + at % s->pool;
                    double sum = 0;
                    for (int o = 0; o < dense->channels; o++)
                        for (int cell = 0; cell < taps; cell++)
                            sum += (double)*map_at(dense, n, o, y + cell / kernel - radius,
                                                   x + cell % kernel - radius) *
                                   weight[weight_at(dense, channels, taps, o, c, cell)];
                    if (s->gate && !(*map_at(s->gate, n, c, i, j) > 0)) sum = 0;
                    *map_at(what, n, c, i, j) = (real)sum;
                }
}

static void sparse_outer_dot(real *sum, struct map *what, const struct sparse *s,
                             const struct map *dense, const real *weight, int kernel, int images,
                             void *scratch) {
    sparse_outer(sum, s, dense, kernel, images, scratch);
    sparse_dot(what, s, dense, weight, kernel, images, scratch);
}

static bool sparse_few(int pool, int kernel) {
    (void)pool, (void)kernel;
    return true;
}

static void sparse_sum(real *sum, const struct sparse *s, int images) {
    for (int c = 0; c < s->what.channels; c++) {
        double total = 0;
        for (int n = 0; n < images; n++)
            for (int i = 0; i < s->what.height; i++)
                for (int j = 0; j < s->what.width; j++)
                    if (!s->gate || *map_at(s->gate, n, c, i, j) > 0)
                        total += *map_at(&s->what, n, c, i, j);
        sum[c] = (real)(sum[c] + total);
    }
}

/* Weight of (output channel, input channel, tap) in pack_conv's order with groups of one vector. */
static real dense_weight(const struct conv *c, int out, int in, int tap) {
    const int taps = c->kernel * c->kernel, lanes = c->x.lanes;
    const int first = in / lanes * lanes, width = smaller(lanes, c->x.channels - first);
    const size_t row = (size_t)(first * taps + tap * width + in - first);
    const size_t group = (size_t)(out / LANES) * (size_t)(c->x.channels * taps);
    return c->weight[(group + row) * LANES + (size_t)(out % LANES)];
}

/* One value; padding lanes hold zero. */
static real conv_at(const struct conv *c, int image, int out, int y, int x) {
    if (out >= c->y.channels) return 0;
    const int radius = c->kernel / 2;
    double sum = c->bias ? c->bias[out] : 0;
    for (int i = 0; i < c->x.channels; i++)
        for (int tap = 0; tap < c->kernel * c->kernel; tap++)
            sum += (double)*map_at(&c->x, image, i, y + tap / c->kernel - radius,
                                   x + tap % c->kernel - radius) *
                   dense_weight(c, out, i, tap);
    return (real)(c->relu && sum < 0 ? 0 : sum);
}

static void conv_pool(const struct conv *c, uint8_t *where, int pool) {
    const struct map *what = &c->y;
    for (int n = 0; n < c->images; n++)
        for (int o = 0; o < map_blocks(what) * LANES; o++)
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    const int rows = smaller(pool, c->x.height - i * pool);
                    const int columns = smaller(pool, c->x.width - j * pool);
                    real best = -INFINITY;
                    int cell = 0;
                    for (int a = 0; a < rows; a++)
                        for (int b = 0; b < columns; b++) {
                            const real value = conv_at(c, n, o, i * pool + a, j * pool + b);
                            if (value > best || (isnan(value) && !isnan(best))) {
                                best = value;
                                cell = a * pool + b;
                            }
                        }
                    *map_at(what, n, o, i, j) = best;
                    where[switch_at(what, n, o, i, j)] = (uint8_t)cell;
                }
}

void kernels_reference_sparse(struct kernels *table) {
    table->conv_pool = conv_pool;
    table->scatter = scatter;
    table->sparse_outer = sparse_outer;
    table->sparse_dot = sparse_dot;
    table->sparse_outer_dot = sparse_outer_dot;
    table->sparse_sum = sparse_sum;
    table->sparse_few = sparse_few;
}
