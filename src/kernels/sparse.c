/* sparse.c - bands, scratch sizes and packing of the switch-sparse kernels; see sparse.h. */
#include "kernels/sparse.h"

#include "kernels/pack.h"

#include <string.h>

/* Scatter keeps a band's sums beside 18 KB of weights (3x3) and the lists in 32 KB. */
#define SCATTER_BYTES (10u << 10)
/* The dense operand of sparse_outer: an image of 16x16 and its ring, or four of 8x8. */
#define OUTER_BYTES (26u << 10)
/* Loading and storing a channel's sums once a band must not outweigh the entries between. */
#define OUTER_WINDOWS 16

struct bands sparse_bands(const struct sparse *s, int kernel, size_t bytes, int windows) {
    const size_t margin = (size_t)kernel - 1, pool = (size_t)s->pool;
    const size_t width = (size_t)s->what.width * pool + margin;
    const size_t row = width * pool * LANES * sizeof(float);
    const size_t edge = width * margin * LANES * sizeof(float);
    const size_t image = (size_t)s->what.height * row + edge;
    const int in_image = s->what.height * s->what.width;
    struct bands bands = {.images = (int)(bytes / image), .rows = s->what.height};
    if (bands.images * in_image < windows) bands.images = windows / in_image;
    if (bands.images >= 1) return bands;
    bands.images = 1;
    bands.rows = bytes > edge ? (int)((bytes - edge) / row) : 0;
    while (bands.rows * s->what.width < windows) bands.rows++;
    if (bands.rows < 1) bands.rows = 1;
    if (bands.rows > s->what.height) bands.rows = s->what.height;
    /* equal bands */
    const int count = (s->what.height + bands.rows - 1) / bands.rows;
    bands.rows = (s->what.height + count - 1) / count;
    return bands;
}

struct bands scatter_bands(const struct sparse *x, int kernel) {
    return sparse_bands(x, kernel, SCATTER_BYTES, 1);
}

struct bands outer_bands(const struct sparse *s, int kernel) {
    return sparse_bands(s, kernel, OUTER_BYTES, OUTER_WINDOWS);
}

size_t scatter_scratch(const struct sparse *x, int channels, int kernel) {
    const struct bands bands = scatter_bands(x, kernel);
    const size_t margin = (size_t)kernel - 1;
    const size_t width = (size_t)(x->what.width * x->pool) + margin;
    const size_t height = (size_t)(bands.rows * x->pool) + margin;
    const size_t chunks =
        (size_t)(x->what.channels + SCATTER_CHANNELS - 1) / SCATTER_CHANNELS;
    const size_t windows = (size_t)(bands.images * bands.rows * x->what.width);
    return (size_t)bands.images * height * width * LANES * sizeof(float) +
           (size_t)pack_blocks(channels) * margin * width * LANES * sizeof(float) +
           chunks * windows * sizeof(struct scatter_list);
}

size_t sparse_scratch(const struct sparse *s, int kernel) {
    const struct bands bands = outer_bands(s, kernel);
    const size_t places = (size_t)outer_places(s, bands);
    const size_t channels = (size_t)pack_blocks(s->what.channels) * LANES;
    /* two numbers a window; a count a channel; three numbers and a dot product an entry */
    return (places * 2 + channels * (1 + places * 4)) * sizeof(float);
}

size_t pack_sparse_size(int dense, int sparse, int kernel) {
    return (size_t)pack_blocks(dense) * LANES * (size_t)sparse * (size_t)(kernel * kernel);
}

/* Where (out, in, tap) lies. The decoder's patch is around the input's pixel, which tap t reaches
 * from the output pixel opposite. */
static size_t place(int out, int in, int taps, int o, int i, int tap, bool transposed) {
    const int dense = transposed ? i : o, sparse = transposed ? o : i;
    const int channels = transposed ? out : in, cell = transposed ? tap : taps - 1 - tap;
    return ((size_t)(dense / LANES * channels + sparse) * (size_t)taps + (size_t)cell) * LANES +
           (size_t)(dense % LANES);
}

void pack_sparse(real *packed, const real *weight, int out, int in, int kernel, bool transposed) {
    const int taps = kernel * kernel;
    const size_t size = transposed ? pack_sparse_size(in, out, kernel)
                                   : pack_sparse_size(out, in, kernel);
    memset(packed, 0, size * sizeof *packed);
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++)
            for (int tap = 0; tap < taps; tap++)
                packed[place(out, in, taps, o, i, tap, transposed)] = *weight++;
}

void pack_sparse_read(real *gradient, const real *sum, int out, int in, int kernel,
                      bool transposed) {
    const int taps = kernel * kernel;
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++)
            for (int tap = 0; tap < taps; tap++)
                *gradient++ = sum[place(out, in, taps, o, i, tap, transposed)];
}
