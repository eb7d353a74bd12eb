/* winograd.h - 3x3 convolutions by Winograd's minimal filtering, F(2x2, 3x3): what its kernels and
 * its packing agree on (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * arXiv 1509.09308).
 *
 * A tile of 2x2 outputs comes from the 4x4 patch d of inputs around it:
 *     y = A^T ((G g G^T) * (B^T d B)) A, * position by position, summed over channels between,
 * which is 16 products where the direct sum has 36. All entries of A, B and G are 0, +-1 or +-1/2.
 * The gradient of the weights goes the same way back: dg = G^T (sum of (B^T d B) * (A dy A^T)) G.
 *
 * Transformed weights, and the sums of their gradients, lie as the loops read them:
 * [group of vectors of y][position][channel of x][vectors of the group * LANES]. */
#ifndef SWWAE_KERNELS_WINOGRAD_H
#define SWWAE_KERNELS_WINOGRAD_H

#include "tensor/map.h"

#include <stdbool.h>

#define WINOGRAD_POSITIONS 16 /* of a patch */

/* Tiles that are transformed before any is multiplied, at most. */
#define WINOGRAD_CHUNK 28

/* Values of transformed weights or of their sums. */
size_t pack_winograd_size(int out, int in);

/* weight (out, in, 3, 3) as stored in the flat array; group: of the kernels. transposed: for the
 * gradient to the input (channels swapped, taps mirrored). */
void pack_winograd(real *packed, const real *weight, int out, int in, int group, bool transposed);

/* The same rounded to the nearest bf16, two neighbouring channels of x a value: pack_conv_bf16's
 * pairs. */
size_t pack_winograd_bf16_size(int out, int in);
void pack_winograd_bf16(real *packed, const real *weight, int out, int in, int group,
                        bool transposed);

/* gradient (out, in, 3, 3) = G^T sum G, the sums of kernels->winograd_outer. */
void pack_winograd_read(real *gradient, const real *sum, int out, int in, int group);

/* Tiles of so many images of height x width. */
static inline int winograd_tiles(int height, int width, int images) {
    return (height + 1) / 2 * ((width + 1) / 2) * images;
}

/* Bytes of scratch, aligned to 64: of winograd and winograd_outer; of winograd_pool, which keeps
 * an image's map before the pool. height, width: of the convolution's output. */
size_t winograd_scratch(int y_channels, int x_channels);
size_t winograd_pool_scratch(int y_channels, int x_channels, int height, int width);

#endif
