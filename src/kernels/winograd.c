/* winograd.c - weights of the Winograd kernels, and the memory they need; see winograd.h. */
#include "kernels/winograd.h"

#include "kernels/pack.h"

#include <string.h>

static int smaller(int a, int b) { return a < b ? a : b; }

size_t winograd_scratch(int y_channels, int x_channels) {
    const size_t vectors = (size_t)pack_blocks(x_channels) + (size_t)pack_blocks(y_channels);
    return vectors * WINOGRAD_POSITIONS * WINOGRAD_CHUNK * LANES * sizeof(real);
}

size_t winograd_pool_scratch(int y_channels, int x_channels, int height, int width) {
    const struct map between = map_shape(y_channels, height, width, 0, LANES);
    return winograd_scratch(y_channels, x_channels) + map_size(&between, 1) * sizeof(real);
}

/* LANES filters at once: whole cache lines are written, though positions lie a power of two apart.
 */

/* u = G g G^T, `step` values between positions */
static void transform(real *u, ptrdiff_t step, real g[9][LANES]) {
    real rows[4][3][LANES];
    for (int j = 0; j < 3; j++)
        for (int k = 0; k < LANES; k++) {
            const real sum = g[j][k] + g[6 + j][k];
            rows[0][j][k] = g[j][k];
            rows[1][j][k] = (sum + g[3 + j][k]) / 2;
            rows[2][j][k] = (sum - g[3 + j][k]) / 2;
            rows[3][j][k] = g[6 + j][k];
        }
    for (int i = 0; i < 4; i++, u += 4 * step)
        for (int k = 0; k < LANES; k++) {
            const real *row = &rows[i][0][k], sum = row[0] + row[2 * LANES];
            u[k] = row[0];
            u[step + k] = (sum + row[LANES]) / 2;
            u[2 * step + k] = (sum - row[LANES]) / 2;
            u[3 * step + k] = row[2 * LANES];
        }
}

/* g = G^T u G */
static void transform_back(real g[9][LANES], const real *u, ptrdiff_t step) {
    real rows[3][4][LANES];
    for (int j = 0; j < 4; j++)
        for (int k = 0; k < LANES; k++) {
            const real u0 = u[j * step + k], u1 = u[(4 + j) * step + k], u2 = u[(8 + j) * step + k],
                       u3 = u[(12 + j) * step + k];
            rows[0][j][k] = u0 + (u1 + u2) / 2;
            rows[1][j][k] = (u1 - u2) / 2;
            rows[2][j][k] = (u1 + u2) / 2 + u3;
        }
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < LANES; k++) {
            const real u1 = rows[i][1][k], u2 = rows[i][2][k];
            g[3 * i][k] = rows[i][0][k] + (u1 + u2) / 2;
            g[3 * i + 1][k] = (u1 - u2) / 2;
            g[3 * i + 2][k] = (u1 + u2) / 2 + rows[i][3][k];
        }
}

size_t pack_winograd_size(int out, int in) {
    return (size_t)pack_blocks(out) * LANES * (size_t)in * WINOGRAD_POSITIONS;
}

/* The filters of a convolution from x to y. */
struct filters {
    const real *weight;
    int y_channels, x_channels;
    size_t y_stride, x_stride;
    bool mirrored;
};

static struct filters filters_of(const real *weight, int out, int in, bool transposed) {
    const size_t row = (size_t)in * 9;
    return transposed ? (struct filters){weight, in, out, 9, row, true}
                      : (struct filters){weight, out, in, row, 9, false};
}

/* Those from channel x to channels y.., `step` values between positions. */
static void filters_transform(real *u, ptrdiff_t step, const struct filters *f, int y, int x) {
    real g[9][LANES] = {{0}};
    for (int k = 0; k < smaller(LANES, f->y_channels - y); k++) {
        const real *from = f->weight + (size_t)x * f->x_stride + (size_t)(y + k) * f->y_stride;
        for (int tap = 0; tap < 9; tap++) g[f->mirrored ? 8 - tap : tap][k] = from[tap];
    }
    transform(u, step, g);
}

void pack_winograd(real *packed, const real *weight, int out, int in, int group, bool transposed) {
    const struct filters f = filters_of(weight, out, in, transposed);
    for (int y0 = 0; y0 < f.y_channels; y0 += group * LANES) {
        const int width = smaller(group, pack_blocks(f.y_channels - y0)) * LANES;
        const ptrdiff_t step = (ptrdiff_t)f.x_channels * width;
        for (int x = 0; x < f.x_channels; x++)
            for (int y = y0; y < y0 + width; y += LANES)
                filters_transform(packed + (ptrdiff_t)x * width + (y - y0), step, &f, y, x);
        packed += step * WINOGRAD_POSITIONS;
    }
}

static void pack_pairs_of(real *to, const real *first, const real *second) {
    uint32_t pair[LANES];
    for (int k = 0; k < LANES; k++)
        pair[k] = pack_bf16((float)second[k]) << 16 | pack_bf16((float)first[k]);
    memcpy(to, pair, sizeof pair);
}

size_t pack_winograd_bf16_size(int out, int in) { return pack_winograd_size(out, pack_pairs(in)); }

void pack_winograd_bf16(real *packed, const real *weight, int out, int in, int group,
                        bool transposed) {
    const struct filters f = filters_of(weight, out, in, transposed);
    for (int y0 = 0; y0 < f.y_channels; y0 += group * LANES) {
        const int width = smaller(group, pack_blocks(f.y_channels - y0)) * LANES;
        const ptrdiff_t step = (ptrdiff_t)pack_pairs(f.x_channels) * width;
        for (int x = 0; x < f.x_channels; x += 2)
            for (int y = y0; y < y0 + width; y += LANES) {
                real first[WINOGRAD_POSITIONS * LANES], second[WINOGRAD_POSITIONS * LANES] = {0};
                filters_transform(first, LANES, &f, y, x);
                if (x + 1 < f.x_channels) filters_transform(second, LANES, &f, y, x + 1);
                real *to = packed + (ptrdiff_t)(x / 2) * width + (y - y0);
                for (int p = 0; p < WINOGRAD_POSITIONS; p++, to += step)
                    pack_pairs_of(to, first + p * LANES, second + p * LANES);
            }
        packed += step * WINOGRAD_POSITIONS;
    }
}

void pack_winograd_read(real *gradient, const real *sum, int out, int in, int group) {
    for (int y0 = 0; y0 < out; y0 += group * LANES) {
        const int width = smaller(group, pack_blocks(out - y0)) * LANES;
        const ptrdiff_t step = (ptrdiff_t)in * width;
        for (int x = 0; x < in; x++)
            for (int y = y0; y < y0 + width; y += LANES) {
                real g[9][LANES];
                transform_back(g, sum + (ptrdiff_t)x * width + (y - y0), step);
                for (int k = 0; k < smaller(LANES, out - y); k++)
                    for (int tap = 0; tap < 9; tap++)
                        gradient[((size_t)(y + k) * (size_t)in + (size_t)x) * 9 + (size_t)tap] =
                            g[tap][k];
            }
        sum += step * WINOGRAD_POSITIONS;
    }
}
