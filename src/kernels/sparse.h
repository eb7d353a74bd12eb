/* sparse.h - how the switch-sparse kernels cut their work, the memory that takes, and the order
 * of their weights.
 *
 * Everything a sparse map touches in a dense one lies in the `kernel` x `kernel` patch around a
 * switched pixel q: patch cell (i, j) is the pixel q + (i, j) - kernel / 2. Weights and their
 * gradients are stored the way the loops meet them:
 * [block of dense channels][sparse channel][patch cell, row-major][LANES], or, where the dense map
 * is planar, [dense channel][block of sparse channels][patch cell][LANES]. */
#ifndef SWWAE_KERNELS_SPARSE_H
#define SWWAE_KERNELS_SPARSE_H

#include "kernels/kernels.h"

/* Values of packed weights, and of the sums of sparse_outer. dense, sparse: channels; lanes: the
 * dense map's. */
size_t pack_sparse_size(int dense, int sparse, int kernel, int lanes);

/* Weights (out, in, kernel, kernel) of a flat array in that order. transposed false: the sparse map
 * is the convolution's input (the decoder: scatter, sparse_dot). transposed true: it is the
 * gradient of the convolution's output (the encoder: scatter as gradient to the input). */
void pack_sparse(real *packed, const real *weight, int out, int in, int kernel, int lanes,
                 bool transposed);

/* gradient (out, in, kernel, kernel) = the sums of sparse_outer in that order. */
void pack_sparse_read(real *gradient, const real *sum, int out, int in, int kernel, int lanes,
                      bool transposed);

/* Bytes of scratch, aligned to 64, for any number of images. channels: of y. */
size_t scatter_scratch(const struct sparse *x, int channels, int kernel);
/* For sparse_outer, sparse_dot and sparse_outer_dot. */
size_t sparse_scratch(const struct sparse *s, int kernel);

/* ---- what the kernels and the scratch sizes agree on ---- */

/* Windows worked on at a time: `images` whole images, or `rows` window rows of one. */
struct bands {
    int images, rows;
};

/* The most whole images, else window rows, whose pixels (kernel - 1 rows and columns beyond the
 * windows included, 16 channels) stay within `bytes`, and at least `windows` windows. */
struct bands sparse_bands(const struct sparse *s, int kernel, size_t bytes, int windows);

/* Channels of a sparse map whose weights stay in the first-level cache in scatter. */
#define SCATTER_CHANNELS 32

/* With 32 registers (scatter_wide.h):
 * the entries of one window and SCATTER_CHANNELS channels: sorted by cell for small pools. Vectors
 * of 16 are stored, so each array has 16 places more. */
struct scatter_list {
    float value[SCATTER_CHANNELS + 16];
    uint16_t weight[SCATTER_CHANNELS + 16]; /* values from the chunk's first weight */
    uint8_t cell[SCATTER_CHANNELS + 16];
    uint8_t count[16]; /* of each cell; [0]: of all, for pools above SCATTER_SORTED */
};
#define SCATTER_SORTED 3 /* largest pool whose lists are sorted by cell */

/* With fewer (scatter_narrow.h): the entries of a row of windows and NARROW_CHANNELS channels, of
 * small pools in a list for each row of cells. Sizes in numbers of four bytes. */
#define NARROW_CHANNELS 64

static inline int narrow_lists(int pool) { return pool <= SCATTER_SORTED ? pool : 1; }

/* Entries of a list, and a vector to overrun. */
static inline int narrow_places(int windows) { return windows * NARROW_CHANNELS + LANES; }

static inline size_t narrow_words(int windows, int pool) {
    const bool sorted = pool <= SCATTER_SORTED;
    return (sorted ? 2 : 3) * (size_t)narrow_places(windows) +
           (sorted ? (size_t)(windows * pool) : 1);
}

/* Weights worked on at a time: of 10 taps, or one kernel row, and at most 8 output channels. */
static inline size_t narrow_weights(int kernel) {
    return (size_t)NARROW_CHANNELS * 8 * (size_t)(kernel > 10 ? kernel : 10);
}

/* The bands of both families. */
struct bands scatter_bands(const struct sparse *x, int kernel);
struct bands scatter_bands_narrow(const struct sparse *x, int kernel); /* not smaller */
struct bands outer_bands(const struct sparse *s, int kernel);
/* Of a register's width of 8 floats or less, copied: not smaller. */
struct bands outer_bands_copied(const struct sparse *s, int kernel);

/* Places for one channel's list in sparse_outer: windows of a band, and a vector to overrun. */
static inline int outer_places(const struct sparse *s, struct bands bands) {
    return (bands.images * bands.rows * s->what.width + 15) / 16 * 16 + 16;
}

#endif
