/* pack.h - parameters between the flat array's order and the order kernels read.
 *
 * weight is (out, in, kernel, kernel) as stored in the flat array. */
#ifndef SWWAE_KERNELS_PACK_H
#define SWWAE_KERNELS_PACK_H

#include "tensor/map.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Blocks of LANES that hold n channels. */
static inline int pack_blocks(int n) { return (n + LANES - 1) / LANES; }

/* For kernels->conv. Output channels go in groups of `group` vectors (the last may be narrower):
 * [group of y][channel of x][tap]... in the order the loop reads:
 * [group][block of x][tap][lane of x][vectors of the group * LANES], x's real channels only.
 * lanes: x's. transposed: packs the weights of the gradient to the input (channels swapped, taps
 * mirrored). */
size_t pack_conv_size(int out, int in, int kernel);
void pack_conv(real *packed, const real *weight, int out, int in, int kernel, int lanes, int group,
               bool transposed);

/* For kernels->conv_bf16: the same order, with pairs for lanes, each 32 bits, the first number in
 * the lower half, rounded to the nearest bf16: of neighbouring channels of x, or where x is planar
 * of neighbouring taps of a row. Sizes in such pairs. */
static inline int pack_pairs(int n) { return (n + 1) / 2; }
size_t pack_conv_bf16_size(int out, int in, int kernel, int lanes);
void pack_conv_bf16(real *packed, const real *weight, int out, int in, int kernel, int lanes,
                    int group, bool transposed);

/* The bf16 bits nearest to a number, ties to even. Without a branch, so that loops of it become
 * vectors. */
static inline uint32_t pack_bf16(float number) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    const uint32_t nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    return (bits & 0x7fffffff) > 0x7f800000 ? quiet : nearest;
}

/* The shape of x's pairs: of channels, or of a planar map's neighbours. */
struct map pack_pairs_shape(const struct map *x);

/* For kernels->conv_few: [out][block of in][tap][LANES of in]. */
size_t pack_conv_few_size(int out, int in, int kernel);
void pack_conv_few(real *packed, const real *weight, int out, int in, int kernel);

/* gradient (out, in, kernel, kernel) = conv_outer's sum; mirrored: v was the input, s the output
 * gradient. */
size_t pack_outer_size(int v_channels, int s_channels, int kernel);
void pack_outer_read(real *gradient, const real *sum, int out, int in, int kernel, bool mirrored);

/* One side of a fully connected layer: `units` values as the flat array counts them. Where they are
 * a map, the flat array says (channel, pixel) and kernels [block][pixel][LANES]; pixels is height *
 * width then, else 1. */
struct pack_side {
    int units, pixels;
};

/* Units as the kernels count them, padding included. */
int pack_side_size(struct pack_side side);

/* fc weights (out, in) <-> [in][out], and biases (out) <-> [out], as kernels count. Padding is
 * zero. */
size_t pack_linear_size(struct pack_side out, struct pack_side in);
void pack_linear(real *packed, const real *weight, struct pack_side out, struct pack_side in);
void pack_linear_read(real *gradient, const real *sum, struct pack_side out, struct pack_side in);
void pack_bias(real *packed, const real *bias, struct pack_side out);
void pack_bias_read(real *gradient, const real *sum, struct pack_side out);

#endif
