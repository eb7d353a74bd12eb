/* kernels.h - the table of raw loops and the contract of each.
 *
 * A kernel allocates nothing, reports no errors and knows no layers: its caller has checked every
 * size. `images` maps of one group are processed by each call. Outputs come first, then inputs,
 * parameters, sizes. The table of an instruction set is the reference's, overwritten where a
 * faster form exists (dispatch.c). All sums over channels run in a fixed order, so a result does
 * not depend on how many images a call gets. */
#ifndef SWWAE_KERNELS_KERNELS_H
#define SWWAE_KERNELS_KERNELS_H

#include "base/cpu.h"
#include "tensor/map.h"

#include <stdbool.h>
#include <stdint.h>

/* A "same" convolution of odd size `kernel`, stride 1: y = x * w (+ bias) (then ReLU or gate).
 * Forward: x is the input. Gradient to the input: x is the gradient of the output, w is packed
 * transposed. x's ring is at least kernel / 2 wide. */
struct conv {
    struct map y;
    struct map x;
    const real *weight;     /* packed by conv_pack: see there */
    const real *bias;       /* (channels of y, padded to whole lanes); NULL: none */
    bool relu;              /* y = max(y, 0), NaN kept */
    const struct map *gate; /* NULL, or y = gate > 0 ? y : 0: the gradient through gate's ReLU */
    int kernel;
    int images;
    void *scratch; /* winograd kernels only: their bytes, see winograd.h */
};

/* A pooled map and its switches, as `pool` leaves them, read as the unpooled map they stand for:
 * height x width pixels, of which each window and channel holds one value at its switch and zeros
 * elsewhere. The padding lanes of what are zero. Zeros are skipped, so what they meet must be
 * finite. */
struct sparse {
    struct map what;        /* blocked */
    const uint8_t *where;   /* (image, block, window row, window column, LANES) */
    const struct map *gate; /* NULL, or shaped like what: values where !(gate > 0) count as zero */
    int pool;
    int height, width; /* windows at the right and bottom edge may be partial */
};

/* A "same" convolution of odd size `kernel` whose input is sparse: y = x * w (+ bias) (then ReLU or
 * gate, as in struct conv). Forward: the decoder's convolution of an unpooled map. Gradient to the
 * input: x is the gradient of a convolution's output that was pooled. */
struct scatter {
    struct map y; /* blocked, x.height by x.width */
    struct sparse x;
    const real *weight; /* pack_sparse */
    const real *bias;
    bool relu;
    const struct map *gate;
    int kernel;
    int images;
    void *scratch; /* scatter_scratch bytes */
};

struct kernels {
    const char *name;

    /* Vectors of LANES output channels a group of packed weights holds (see pack.h). */
    int group;

    /* y blocked, x blocked or planar; weight from pack_conv. */
    void (*conv)(const struct conv *conv);

    /* y planar (few channels), x blocked; weight from pack_conv_few. relu and gate are not
     * supported; bias is (channels of y). */
    void (*conv_few)(const struct conv *conv);

    /* sum[((b * kernel^2 + tap) * s.channels + c) * LANES + lane] +=
     *     sum over images and pixels p of v(b * LANES + lane, p) * s(c, p + tap - kernel / 2)
     * with tap = row * kernel + column, v blocked, s blocked or planar with ring >= kernel / 2.
     * For a convolution's weights v is the output's gradient and s the input; with v the input
     * and s the output's gradient the taps come out mirrored. */
    void (*conv_outer)(real *sum, const struct map *v, const struct map *s, int kernel, int images);

    /* sum(channels padded to lanes) += sum over images and pixels of x. */
    void (*sum_pixels)(real *sum, const struct map *x, int images);

    /* what(c, w) = maximum over window w of x; where = its cell, row-major inside the window
     * (row * pool + column), the first maximum wins, the first NaN wins over everything; windows at
     * the right and bottom edge may be partial. where is (image, block, window row, window column,
     * LANES) bytes. A window of equal values, as where ReLU left nothing, has switch 0. */
    void (*pool)(struct map *what, uint8_t *where, const struct map *x, int pool, int images);

    /* x = 0 but for the switched cell of each window, which takes its value of `what` (unpooling,
     * paper section 3). Also the gradient of pool. gate: as in struct conv, shaped like `what`. */
    void (*unpool)(struct map *x, const struct map *what, const uint8_t *where,
                   const struct map *gate, int pool, int images);

    /* what(c, w) = x at the switched cell: the gradient of unpool. */
    void (*gather)(struct map *what, const struct map *x, const uint8_t *where, int pool,
                   int images);

    /* x = its window's value in every cell (the paper's "upsampling", section 4.1); average: that
     * value divided by the number of the window's cells. */
    void (*upsample)(struct map *x, const struct map *what, int pool, bool average, int images);

    /* what(c, w) = sum, or average, of x over the window: the gradient of upsample. */
    void (*sum_windows)(struct map *what, const struct map *x, int pool, bool average, int images);

    /* Soft pooling (paper section 3.1), pool >= 2: with weights w = softmax(beta z) over the
     * window's cells, what = sum w z and (px, py) = sum w (column, row), in coordinates from -1
     * (first cell) to 1 (last cell of a full window). px and py are shaped like what. */
    void (*soft_pool)(struct map *what, struct map *px, struct map *py, const struct map *x,
                      int pool, real beta, int images);
    /* Its gradient; d_px and d_py may be NULL: zero. */
    void (*soft_pool_back)(struct map *dx, const struct map *x, const struct map *what,
                           const struct map *px, const struct map *py, const struct map *d_what,
                           const struct map *d_px, const struct map *d_py, int pool, real beta,
                           int images);
    /* x = each what spread bilinearly over the four cells around (px, py), zeros elsewhere. */
    void (*soft_unpool)(struct map *x, const struct map *what, const struct map *px,
                        const struct map *py, int pool, int images);
    /* Its gradients; d_px and d_py may be NULL: not wanted. */
    void (*soft_unpool_back)(struct map *d_what, struct map *d_px, struct map *d_py,
                             const struct map *dx, const struct map *what, const struct map *px,
                             const struct map *py, int pool, int images);

    /* Batch normalisation. Arrays of one value a channel are padded to whole lanes of the map, with
     * zeros. norm_sums: sum(2, channels padded) += sums of x and of x^2. */
    void (*norm_sums)(double *sum, const struct map *x, int images);
    /* y = (x - mean) factor + bias, then ReLU. */
    void (*norm)(struct map *y, const struct map *x, const real *mean, const real *factor,
                 const real *bias, bool relu, int images);
    /* sum(2, channels padded) += sums of d and of d (x - mean). */
    void (*norm_back_sums)(double *sum, const struct map *d, const struct map *x, const real *mean,
                           int images);
    /* dx = factor (d - d_mean) + tilt (x - mean). */
    void (*norm_back)(struct map *dx, const struct map *d, const struct map *x, const real *mean,
                      const real *d_mean, const real *factor, const real *tilt, int images);

    /* y = pool(x * w + bias), relu before the pool if wanted, without the map between: bit for bit
     * what conv and then pool give. conv->y is the pooled map, blocked; gate is not supported;
     * weight from pack_conv. where: as in pool. */
    void (*conv_pool)(const struct conv *conv, uint8_t *where, int pool);

    /* conv, conv_pool and conv_outer of kernel 3 with blocked maps, by Winograd's filtering: 16
     * products where those have 36. weight from pack_winograd, sum read by pack_winograd_read. The
     * same pixels all around give the same bits, so that flat places stay ties for the pool. */
    void (*winograd)(const struct conv *conv);
    void (*winograd_pool)(const struct conv *conv, uint8_t *where, int pool);
    /* v and s as in conv_outer; scratch: winograd_scratch bytes, with v's channels for y's. */
    void (*winograd_outer)(real *sum, const struct map *v, const struct map *s, int images,
                           void *scratch);

    /* The dense convolutions with inputs and weights rounded to bf16, sums in fp32. NULL where the
     * machine has no such instructions. pairs = x, blocked, to the nearest bf16, ties to even:
     * two neighbouring channels are one value of the map, pack_pairs_shape's. */
    void (*round_bf16)(struct map *pairs, const struct map *x, int images);
    /* As conv and conv_pool; x a map of pairs, blocked from round_bf16 or planar from
     * round_neighbours, weight from pack_conv_bf16. */
    void (*conv_bf16)(const struct conv *conv);
    void (*conv_pool_bf16)(const struct conv *conv, uint8_t *where, int pool);
    /* pairs, of x's shape, = x rounded and x's neighbour to the right: past the ring's end 0, or in
     * a planar map what comes next. */
    void (*round_neighbours)(struct map *pairs, const struct map *x, int images);
    /* As conv_outer; s from round_neighbours, and v too unless s is planar. */
    void (*conv_outer_bf16)(real *sum, const struct map *v, const struct map *s, int kernel,
                            int images);

    /* As winograd, winograd_pool and winograd_outer, with what they multiply rounded to bf16 after
     * its transformation; weight from pack_winograd_bf16. NULL where conv_bf16 is. */
    void (*winograd_bf16)(const struct conv *conv);
    void (*winograd_pool_bf16)(const struct conv *conv, uint8_t *where, int pool);
    void (*winograd_outer_bf16)(real *sum, const struct map *v, const struct map *s, int images,
                                void *scratch);

    /* See struct scatter. Every element of y is written; its sum runs in an order of the
     * instruction set's own, after the bias. */
    void (*scatter)(const struct scatter *scatter);

    /* sum[((b * channels of s + c) * kernel^2 + cell) * LANES + lane] +=
     *     sum over images and pixels q of s(c, q) * dense(b * LANES + lane, q + cell - kernel / 2)
     * (sparse.h), dense blocked with ring >= kernel / 2, or planar where sparse_few says so (then
     * sums and weights lie as sparse.h says). The gradient of a convolution's weights,
     * read by pack_sparse_read: with s the input and dense the output's gradient (decoder,
     * transposed false), or s the output's gradient and dense the input (encoder, true).
     * scratch of this and the next two: sparse_scratch bytes. */
    void (*sparse_outer)(real *sum, const struct sparse *s, const struct map *dense, int kernel,
                         int images, void *scratch);

    /* what(c, w) = sum over dense channels o and cells of
     *     weight(o, c, cell) * dense(o, q + cell - kernel / 2), q the switched pixel of window w:
     * the gradient of scatter to x.what, of which only the switches, channels and gate of s are
     * read; 0 where !(gate > 0). weight from pack_sparse. */
    void (*sparse_dot)(struct map *what, const struct sparse *s, const struct map *dense,
                       const real *weight, int kernel, int images, void *scratch);

    /* Both at once, which shares their loads. */
    void (*sparse_outer_dot)(real *sum, struct map *what, const struct sparse *s,
                             const struct map *dense, const real *weight, int kernel, int images,
                             void *scratch);

    /* Whether sparse_outer, sparse_dot and sparse_outer_dot take planar dense maps for this pool
     * and kernel: false where conv_outer and conv are faster. */
    bool (*sparse_few)(int pool, int kernel);

    /* sum(channels padded to lanes) += sum over images and windows of s: the gradient of a bias. */
    void (*sparse_sum)(real *sum, const struct sparse *s, int images);

    /* y(n, out) = bias + x(n, in) w; weight (in, out padded to lanes) row-major, y (n, padded). */
    void (*linear)(real *y, const real *x, const real *weight, const real *bias, int in, int out,
                   int n, bool relu);
    /* dx(n, in) = dy(n, out padded) w^T, not accumulated. */
    void (*linear_back)(real *dx, const real *dy, const real *weight, int in, int out, int n);
    /* sum(in, out padded) += x^T dy; bias_sum(out padded) += sum of dy over n. */
    void (*linear_outer)(real *sum, real *bias_sum, const real *x, const real *dy, int in, int out,
                         int n);

    /* `rounds` of nothing but multiply-adds, whose result goes to out (LANES); returns how many
     * operations that were. The bound that passes are measured against. */
    double (*spin)(real *out, long rounds);

    /* Sum of (a - b)^2 over the interior of one image, accumulated in double. */
    double (*squared_distance)(const struct map *a, const struct map *b, int image);
    /* d = scale * (a - b) over the interior of one image (gradient of the distances). */
    void (*difference)(struct map *d, const struct map *a, const struct map *b, real scale,
                       int image);
    /* x += y, then x = gate > 0 ? x : 0 when gate is not NULL. Blocked maps. */
    void (*add)(struct map *x, const struct map *y, const struct map *gate, int images);
    /* x -= y. Blocked maps. */
    void (*subtract)(struct map *x, const struct map *y, int images);
    /* x = gate > 0 ? x : 0. Blocked maps. */
    void (*gate)(struct map *x, const struct map *gate, int images);
};

/* Fills the table of one instruction set; false when this machine or build lacks it. */
bool kernels_get(struct kernels *table, enum cpu_isa isa);

/* One instruction set's own kernels, written over a table that holds the reference. */
void kernels_reference(struct kernels *table);
void soft_pool_install_reference(struct kernels *table);
void norm_install_reference(struct kernels *table);
void kernels_reference_sparse(struct kernels *table);
void kernels_reference_winograd(struct kernels *table);
void kernels_plain(struct kernels *table);
void kernels_avx2(struct kernels *table);
void kernels_avx512(struct kernels *table);
void kernels_avx512bf16(struct kernels *table); /* those in bf16, over kernels_avx512's */

#endif
