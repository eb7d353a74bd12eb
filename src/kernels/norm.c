/* norm.c - batch normalisation: per-channel sums over a group of images, and what is done with
 * them; docs/math.md. As soft_pool.c, one source for the reference and every instruction set. Sums
 * run in double: a variance is a difference of two of them. */
#include "kernels/isa_name.h"
#include "kernels/kernels.h"

/* A row of one block: width * lanes values, channel k % lanes of the block. */
static inline real *row_of(const struct map *map, int image, int block, int y) {
    return map->data + image * map->image + block * map->block + y * map->row;
}

static void norm_sums(double *sum, const struct map *x, int images) {
    const int lanes = x->lanes, blocks = map_blocks(x);
    for (int b = 0; b < blocks; b++) {
        double first[LANES] = {0}, second[LANES] = {0};
        for (int n = 0; n < images; n++)
            for (int i = 0; i < x->height; i++) {
                const real *row = row_of(x, n, b, i);
                for (int j = 0; j < x->width; j++)
                    for (int l = 0; l < lanes; l++) {
                        const double value = row[j * lanes + l];
                        first[l] += value;
                        second[l] += value * value;
                    }
            }
        for (int l = 0; l < lanes; l++) {
            sum[b * lanes + l] += first[l];
            sum[(blocks + b) * lanes + l] += second[l];
        }
    }
}

static void norm(struct map *y, const struct map *x, const real *mean, const real *factor,
                 const real *bias, bool relu, int images) {
    const int lanes = x->lanes;
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(x); b++)
            for (int i = 0; i < x->height; i++) {
                const real *from = row_of(x, n, b, i);
                real *to = row_of(y, n, b, i);
                for (int j = 0; j < x->width; j++)
                    for (int l = 0; l < lanes; l++) {
                        const int c = b * lanes + l;
                        const real value = (from[j * lanes + l] - mean[c]) * factor[c] + bias[c];
                        to[j * lanes + l] = relu && value < 0 ? 0 : value;
                    }
            }
}

static void norm_back_sums(double *sum, const struct map *d, const struct map *x, const real *mean,
                           int images) {
    const int lanes = x->lanes, blocks = map_blocks(x);
    for (int b = 0; b < blocks; b++) {
        double first[LANES] = {0}, second[LANES] = {0};
        for (int n = 0; n < images; n++)
            for (int i = 0; i < x->height; i++) {
                const real *value = row_of(x, n, b, i), *slope = row_of(d, n, b, i);
                for (int j = 0; j < x->width; j++)
                    for (int l = 0; l < lanes; l++) {
                        const double s = slope[j * lanes + l];
                        first[l] += s;
                        second[l] += s * (double)(value[j * lanes + l] - mean[b * lanes + l]);
                    }
            }
        for (int l = 0; l < lanes; l++) {
            sum[b * lanes + l] += first[l];
            sum[(blocks + b) * lanes + l] += second[l];
        }
    }
}

static void norm_back(struct map *dx, const struct map *d, const struct map *x, const real *mean,
                      const real *d_mean, const real *factor, const real *tilt, int images) {
    const int lanes = x->lanes;
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(x); b++)
            for (int i = 0; i < x->height; i++) {
                const real *value = row_of(x, n, b, i), *slope = row_of(d, n, b, i);
                real *to = row_of(dx, n, b, i);
                for (int j = 0; j < x->width; j++)
                    for (int l = 0; l < lanes; l++) {
                        const int c = b * lanes + l, k = j * lanes + l;
                        to[k] = factor[c] * (slope[k] - d_mean[c]) + tilt[c] * (value[k] - mean[c]);
                    }
            }
}

void ISA(norm_install)(struct kernels *table) {
    table->norm_sums = norm_sums;
    table->norm = norm;
    table->norm_back_sums = norm_back_sums;
    table->norm_back = norm_back;
}
