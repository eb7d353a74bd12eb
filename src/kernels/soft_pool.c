/* soft_pool.c - soft pooling and unpooling with a sharpness beta (paper section 3.1) and their
 * gradients; docs/math.md. Plain loops over the lanes of a block, which compilers turn into
 * vectors: the same source is the reference and, compiled once for each, every instruction set's
 * kernel. */
#include "kernels/isa_name.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

static inline int smaller(int a, int b) { return a < b ? a : b; }

/* exp(x) for x <= 0. */
static inline real decay(real x) {
#ifdef SWWAE_DOUBLE
    return exp(x);
#else
    /* x = n log 2 + r, |r| <= log 2 / 2; a Taylor polynomial of degree 6 is then off by 2e-7 of
     * the result at most, and log 2 in two parts keeps r exact. Adding 1.5 * 2^23 rounds to a whole
     * number, which stands in the low bits of the sum. */
    const float shift = 12582912.0f;
    const float sum = x * 1.44269504f + shift;
    const float n = sum - shift;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float y = 1.0f / 720;
    y = y * r + 1.0f / 120;
    y = y * r + 1.0f / 24;
    y = y * r + 1.0f / 6;
    y = y * r + 0.5f;
    y = y * r + 1;
    y = y * r + 1;
    uint32_t bits, base;
    memcpy(&bits, &sum, sizeof bits);
    memcpy(&base, &shift, sizeof base);
    bits = (bits - base + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return x < -87 ? 0 : y * power;
#endif
}

/* Coordinate of cell i of a window, -1 .. 1. */
static inline real coordinate(int i, int pool) {
    return (real)(2.0 * i / (pool - 1) - 1); /* pool >= 2 */
}

static inline real *pixel(const struct map *map, int image, int block, int y, int x) {
    return map->data + image * map->image + block * map->block + y * map->row +
           (ptrdiff_t)x * LANES;
}

/* The softmax of one window: largest value, and sum of exp(beta (z - largest)), of each lane. */
static inline void window_softmax(real *largest, real *total, const real *z, ptrdiff_t row,
                                  int rows, int columns, real beta) {
    for (int l = 0; l < LANES; l++) largest[l] = z[l];
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            for (int l = 0; l < LANES; l++) {
                const real value = z[r * row + c * LANES + l];
                largest[l] = value > largest[l] ? value : largest[l];
            }
    for (int l = 0; l < LANES; l++) total[l] = 0;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            for (int l = 0; l < LANES; l++)
                total[l] += decay(beta * (z[r * row + c * LANES + l] - largest[l]));
}

static void soft_pool(struct map *what, struct map *px, struct map *py, const struct map *x,
                      int pool, real beta, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(what); b++)
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    const int rows = smaller(pool, x->height - i * pool);
                    const int columns = smaller(pool, x->width - j * pool);
                    const real *z = pixel(x, n, b, i * pool, j * pool);
                    real largest[LANES], total[LANES], m[LANES] = {0}, h[LANES] = {0},
                                                       v[LANES] = {0};
                    window_softmax(largest, total, z, x->row, rows, columns, beta);
                    for (int r = 0; r < rows; r++)
                        for (int c = 0; c < columns; c++) {
                            const real down = coordinate(r, pool), right = coordinate(c, pool);
                            for (int l = 0; l < LANES; l++) {
                                const real value = z[r * x->row + c * LANES + l];
                                const real w = decay(beta * (value - largest[l])) / total[l];
                                m[l] += w * value;
                                h[l] += w * right;
                                v[l] += w * down;
                            }
                        }
                    memcpy(pixel(what, n, b, i, j), m, sizeof m);
                    memcpy(pixel(px, n, b, i, j), h, sizeof h);
                    memcpy(pixel(py, n, b, i, j), v, sizeof v);
                }
}

static void soft_pool_back(struct map *dx, const struct map *x, const struct map *what,
                           const struct map *px, const struct map *py, const struct map *d_what,
                           const struct map *d_px, const struct map *d_py, int pool, real beta,
                           int images) {
    static const real none[LANES] = {0};
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(what); b++)
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    const int rows = smaller(pool, x->height - i * pool);
                    const int columns = smaller(pool, x->width - j * pool);
                    const real *z = pixel(x, n, b, i * pool, j * pool);
                    real *to = pixel(dx, n, b, i * pool, j * pool);
                    const real *m = pixel(what, n, b, i, j), *h = pixel(px, n, b, i, j),
                               *v = pixel(py, n, b, i, j), *dm = pixel(d_what, n, b, i, j);
                    const real *dh = d_px ? pixel(d_px, n, b, i, j) : none;
                    const real *dv = d_py ? pixel(d_py, n, b, i, j) : none;
                    real largest[LANES], total[LANES];
                    window_softmax(largest, total, z, x->row, rows, columns, beta);
                    for (int r = 0; r < rows; r++)
                        for (int c = 0; c < columns; c++) {
                            const real down = coordinate(r, pool), right = coordinate(c, pool);
                            for (int l = 0; l < LANES; l++) {
                                const real value = z[r * x->row + c * LANES + l];
                                const real w = decay(beta * (value - largest[l])) / total[l];
                                to[r * dx->row + c * LANES + l] =
                                    w * (dm[l] +
                                         beta * (dm[l] * (value - m[l]) + dh[l] * (right - h[l]) +
                                                 dv[l] * (down - v[l])));
                            }
                        }
                }
}

/* The cell at or before a position, and how far beyond it the position lies, in cells. */
static inline int cell_before(real *beyond, real p, int pool) {
    const real u = (p + 1) / 2 * (real)(pool - 1);
    int cell = u > 0 ? (int)u : 0; /* also for NaN */
    if (cell > pool - 2) cell = pool - 2;
    *beyond = u - (real)cell;
    return cell;
}

static void soft_unpool(struct map *x, const struct map *what, const struct map *px,
                        const struct map *py, int pool, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(what); b++) {
            for (int i = 0; i < x->height; i++)
                memset(pixel(x, n, b, i, 0), 0, (size_t)x->width * LANES * sizeof(real));
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    const real *m = pixel(what, n, b, i, j), *h = pixel(px, n, b, i, j),
                               *v = pixel(py, n, b, i, j);
                    for (int l = 0; l < LANES; l++) {
                        real right, down;
                        const int c = j * pool + cell_before(&right, h[l], pool);
                        const int r = i * pool + cell_before(&down, v[l], pool);
                        const bool beside = c + 1 < x->width, below = r + 1 < x->height;
                        real *to = pixel(x, n, b, r, c) + l;
                        to[0] = m[l] * (1 - right) * (1 - down);
                        if (beside) to[LANES] = m[l] * right * (1 - down);
                        if (below) to[x->row] = m[l] * (1 - right) * down;
                        if (beside && below) to[x->row + LANES] = m[l] * right * down;
                    }
                }
        }
}

static void soft_unpool_back(struct map *d_what, struct map *d_px, struct map *d_py,
                             const struct map *dx, const struct map *what, const struct map *px,
                             const struct map *py, int pool, int images) {
    const real slope = (real)(pool - 1) / 2;
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(what); b++)
            for (int i = 0; i < what->height; i++)
                for (int j = 0; j < what->width; j++) {
                    const real *m = pixel(what, n, b, i, j), *h = pixel(px, n, b, i, j),
                               *v = pixel(py, n, b, i, j);
                    real *dm = pixel(d_what, n, b, i, j);
                    real *dh = d_px ? pixel(d_px, n, b, i, j) : NULL;
                    real *dv = d_py ? pixel(d_py, n, b, i, j) : NULL;
                    for (int l = 0; l < LANES; l++) {
                        real right, down;
                        const int c = j * pool + cell_before(&right, h[l], pool);
                        const int r = i * pool + cell_before(&down, v[l], pool);
                        const bool beside = c + 1 < dx->width, below = r + 1 < dx->height;
                        const real *from = pixel(dx, n, b, r, c) + l;
                        const real d00 = from[0], d01 = beside ? from[LANES] : 0;
                        const real d10 = below ? from[dx->row] : 0;
                        const real d11 = beside && below ? from[dx->row + LANES] : 0;
                        const real top = d00 + right * (d01 - d00);
                        const real bottom = d10 + right * (d11 - d10);
                        dm[l] = top + down * (bottom - top);
                        const real across = (d01 - d00) + down * ((d11 - d10) - (d01 - d00));
                        if (dh) dh[l] = m[l] * slope * across;
                        if (dv) dv[l] = m[l] * slope * (bottom - top);
                    }
                }
}

void ISA(soft_pool_install)(struct kernels *table) {
    table->soft_pool = soft_pool;
    table->soft_pool_back = soft_pool_back;
    table->soft_unpool = soft_unpool;
    table->soft_unpool_back = soft_unpool_back;
}
