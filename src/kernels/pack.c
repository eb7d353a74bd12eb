/* pack.c - reordering of parameters; see pack.h. */
#include "kernels/pack.h"

#include <string.h>

static int smaller(int a, int b) { return a < b ? a : b; }

size_t pack_conv_size(int out, int in, int kernel) {
    return (size_t)pack_blocks(out) * LANES * (size_t)in * (size_t)kernel * (size_t)kernel;
}

void pack_conv(real *packed, const real *weight, int out, int in, int kernel, int lanes, int group,
               bool transposed) {
    const int taps = kernel * kernel;
    const int y_channels = transposed ? in : out, x_channels = transposed ? out : in;
    const size_t y_stride = transposed ? (size_t)taps : (size_t)in * (size_t)taps;
    const size_t x_stride = transposed ? (size_t)in * (size_t)taps : (size_t)taps;
    for (int y0 = 0; y0 < y_channels; y0 += group * LANES) {
        const int width = smaller(group, pack_blocks(y_channels - y0)) * LANES;
        const int used = smaller(width, y_channels - y0);
        for (int x0 = 0; x0 < x_channels; x0 += lanes)
            for (int tap = 0; tap < taps; tap++)
                for (int x = x0; x < smaller(x0 + lanes, x_channels); x++, packed += width) {
                    const real *from = weight + (size_t)y0 * y_stride + (size_t)x * x_stride +
                                       (transposed ? taps - 1 - tap : tap);
                    for (int y = 0; y < used; y++) packed[y] = from[(size_t)y * y_stride];
                    for (int y = used; y < width; y++) packed[y] = 0;
                }
    }
}

struct map pack_pairs_shape(const struct map *x) {
    if (x->lanes == 1) return *x;
    return map_shape(pack_pairs(x->channels), x->height, x->width, x->ring, LANES / 2);
}

size_t pack_conv_bf16_size(int out, int in, int kernel, int lanes) {
    const int steps =
        lanes == 1 ? in * kernel * pack_pairs(kernel) : pack_pairs(in) * kernel * kernel;
    return (size_t)pack_blocks(out) * LANES * (size_t)steps;
}

void pack_conv_bf16(real *packed, const real *weight, int out, int in, int kernel, int lanes,
                    int group, bool transposed) {
    const int taps = kernel * kernel, over_taps = lanes == 1 ? 2 : 1, over_x = 3 - over_taps;
    const int y_channels = transposed ? in : out, x_channels = transposed ? out : in;
    const size_t y_stride = transposed ? (size_t)taps : (size_t)in * (size_t)taps;
    const size_t x_stride = transposed ? (size_t)in * (size_t)taps : (size_t)taps;
    const ptrdiff_t tap_stride = transposed ? -1 : 1;
    const ptrdiff_t second = lanes == 1 ? tap_stride : (ptrdiff_t)x_stride; /* of a pair */
    for (int y0 = 0; y0 < y_channels; y0 += group * LANES) {
        const int width = smaller(group, pack_blocks(y_channels - y0)) * LANES;
        const int used = smaller(width, y_channels - y0);
        for (int x0 = 0; x0 < x_channels; x0 += lanes)
            for (int row = 0; row < taps; row += kernel)
                for (int column = 0; column < kernel; column += over_taps)
                    for (int x = x0; x < smaller(x0 + lanes, x_channels);
                         x += over_x, packed += width) {
                        const real *from = weight + (size_t)y0 * y_stride + (size_t)x * x_stride +
                                           (transposed ? taps - 1 : 0) +
                                           tap_stride * (row + column);
                        const bool both = lanes == 1 ? column + 1 < kernel : x + 1 < x_channels;
                        for (int y = 0; y < used; y++, from += y_stride) {
                            uint32_t pair = pack_bf16((float)from[0]);
                            if (both) pair |= pack_bf16((float)from[second]) << 16;
                            memcpy(packed + y, &pair, sizeof pair);
                        }
                        for (int y = used; y < width; y++) packed[y] = 0;
                    }
    }
}

size_t pack_conv_few_size(int out, int in, int kernel) {
    return (size_t)out * (size_t)pack_blocks(in) * LANES * (size_t)kernel * (size_t)kernel;
}

void pack_conv_few(real *packed, const real *weight, int out, int in, int kernel) {
    const int taps = kernel * kernel;
    for (int o = 0; o < out; o++)
        for (int b = 0; b < pack_blocks(in); b++)
            for (int tap = 0; tap < taps; tap++)
                for (int lane = 0; lane < LANES; lane++) {
                    const int i = b * LANES + lane;
                    *packed++ = i < in
                                    ? weight[((size_t)o * (size_t)in + (size_t)i) * (size_t)taps +
                                             (size_t)tap]
                                    : 0;
                }
}

size_t pack_outer_size(int v_channels, int s_channels, int kernel) {
    return (size_t)pack_blocks(v_channels) * LANES * (size_t)s_channels * (size_t)kernel *
           (size_t)kernel;
}

void pack_outer_read(real *gradient, const real *sum, int out, int in, int kernel, bool mirrored) {
    const size_t taps = (size_t)kernel * (size_t)kernel;
    const size_t s_channels = (size_t)(mirrored ? out : in);
    for (size_t o = 0; o < (size_t)out; o++)
        for (size_t i = 0; i < (size_t)in; i++) {
            const size_t v = mirrored ? i : o, s = mirrored ? o : i;
            const real *from = sum + (v / LANES * taps * s_channels + s) * LANES + v % LANES;
            for (size_t tap = 0; tap < taps; tap++)
                *gradient++ = from[(mirrored ? taps - 1 - tap : tap) * s_channels * LANES];
        }
}

int pack_side_size(struct pack_side side) {
    return pack_blocks(side.units / side.pixels) * LANES * side.pixels;
}

/* Where kernels keep unit i of the flat array. */
static size_t place(struct pack_side side, size_t i) {
    const size_t pixels = (size_t)side.pixels, channel = i / pixels, pixel = i % pixels;
    return (channel / LANES * pixels + pixel) * LANES + channel % LANES;
}

size_t pack_linear_size(struct pack_side out, struct pack_side in) {
    return (size_t)pack_side_size(out) * (size_t)pack_side_size(in);
}

void pack_linear(real *packed, const real *weight, struct pack_side out, struct pack_side in) {
    const size_t width = (size_t)pack_side_size(out);
    memset(packed, 0, pack_linear_size(out, in) * sizeof *packed);
    for (size_t o = 0; o < (size_t)out.units; o++) {
        real *column = packed + place(out, o);
        for (size_t i = 0; i < (size_t)in.units; i++) column[place(in, i) * width] = *weight++;
    }
}

void pack_linear_read(real *gradient, const real *sum, struct pack_side out, struct pack_side in) {
    const size_t width = (size_t)pack_side_size(out);
    for (size_t o = 0; o < (size_t)out.units; o++) {
        const real *column = sum + place(out, o);
        for (size_t i = 0; i < (size_t)in.units; i++) *gradient++ = column[place(in, i) * width];
    }
}

void pack_bias(real *packed, const real *bias, struct pack_side out) {
    memset(packed, 0, (size_t)pack_side_size(out) * sizeof *packed);
    for (size_t o = 0; o < (size_t)out.units; o++) packed[place(out, o)] = bias[o];
}

void pack_bias_read(real *gradient, const real *sum, struct pack_side out) {
    for (size_t o = 0; o < (size_t)out.units; o++) gradient[o] = sum[place(out, o)];
}
