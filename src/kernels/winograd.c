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

void pack_winograd(real *packed, const real *weight, int out, int in, int group, bool transposed) {
    const int y_channels = transposed ? in : out, x_channels = transposed ? out : in;
    const size_t y_stride = transposed ? 9 : (size_t)in * 9;
    const size_t x_stride = transposed ? (size_t)in * 9 : 9;
    for (int y0 = 0; y0 < y_channels; y0 += group * LANES) {
        const int width = smaller(group, pack_blocks(y_channels - y0)) * LANES;
        const ptrdiff_t step = (ptrdiff_t)x_channels * width;
        for (int x = 0; x < x_channels; x++)
            for (int y = y0; y < y0 + width; y += LANES) {
                real g[9][LANES] = {{0}};
                for (int k = 0; k < smaller(LANES, y_channels - y); k++) {
                    const real *from = weight + (size_t)x * x_stride + (size_t)(y + k) * y_stride;
                    for (int tap = 0; tap < 9; tap++) g[transposed ? 8 - tap : tap][k] = from[tap];
                }
                transform(packed + (ptrdiff_t)x * width + (y - y0), step, g);
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
