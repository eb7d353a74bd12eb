/* sparse.c - bands, scratch sizes and packing of the switch-sparse kernels; see sparse.h. */
#include "kernels/sparse.h"

#include "kernels/pack.h"

#include <string.h>

/* A band's sums in scatter, beside 18 KB of weights (3x3) and the lists. Times are flat from 10 to
 * 26 KB; less makes narrow bands, whose margins weigh. */
#define SCATTER_BYTES (20u << 10)
/* With 16 registers, where weights are copied once a band and a row's sums are met in a sweep, the
 * second-level cache is near enough. */
#define NARROW_BYTES (48u << 10)
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

struct bands scatter_bands_narrow(const struct sparse *x, int kernel) {
    return sparse_bands(x, kernel, NARROW_BYTES, 1);
}

struct bands outer_bands(const struct sparse *s, int kernel) {
    return sparse_bands(s, kernel, OUTER_BYTES, OUTER_WINDOWS);
}

struct bands outer_bands_copied(const struct sparse *s, int kernel) {
    return sparse_bands(s, kernel, 2 * OUTER_BYTES, OUTER_WINDOWS);
}

size_t scatter_scratch(const struct sparse *x, int y_channels, int kernel) {
    const struct bands bands = scatter_bands_narrow(x, kernel);
    const size_t margin = (size_t)kernel - 1;
    const size_t width = (size_t)x->what.width * (size_t)x->pool + margin;
    const size_t height = (size_t)bands.rows * (size_t)x->pool + margin;
    const size_t channels = (size_t)x->what.channels,
                 rows = (size_t)bands.images * (size_t)bands.rows;
    const size_t wide = (channels + SCATTER_CHANNELS - 1) / SCATTER_CHANNELS * rows *
                        (size_t)x->what.width * sizeof(struct scatter_list);
    const size_t narrow = (channels + NARROW_CHANNELS - 1) / NARROW_CHANNELS * rows *
                          (size_t)narrow_lists(x->pool) * narrow_words(x->what.width, x->pool) *
                          sizeof(int32_t);
    return (size_t)bands.images * height * width * LANES * sizeof(float) +
           (size_t)pack_blocks(y_channels) * margin * width * LANES * sizeof(float) +
           narrow_weights(kernel) * sizeof(float) + (wide > narrow ? wide : narrow);
}

size_t sparse_scratch(const struct sparse *s, int kernel) {
    const struct bands bands = outer_bands_copied(s, kernel);
    const size_t places = (size_t)outer_places(s, bands), pool = (size_t)s->pool;
    const size_t channels = (size_t)pack_blocks(s->what.channels) * LANES;
    const size_t margin = (size_t)kernel - 1;
    const size_t copy = (size_t)bands.images * ((size_t)bands.rows * pool + margin) *
                        ((size_t)s->what.width * pool + margin) * 8;
    /* two numbers a window; a count a channel; three numbers and a dot product an entry */
    return (copy + places * 2 + channels * (1 + places * 4)) * sizeof(float);
}

size_t pack_sparse_size(int dense, int sparse, int kernel, int lanes) {
    const size_t taps = (size_t)kernel * (size_t)kernel;
    if (lanes == 1) return (size_t)dense * (size_t)pack_blocks(sparse) * LANES * taps;
    return (size_t)pack_blocks(dense) * LANES * (size_t)sparse * taps;
}

/* How one convolution's weights lie. The channels that fill vectors are the dense ones, or the
 * sparse ones where the dense map is planar; the others make rows. */
struct order {
    int filling, rows, taps;
    bool planar;
    size_t filling_step, row_step; /* in the flat array */
    ptrdiff_t first, next;         /* tap of patch cell 0, step to that of the next */
};

static struct order order_of(int out, int in, int kernel, int lanes, bool transposed) {
    struct order order = {.taps = kernel * kernel, .planar = lanes == 1};
    const bool out_fills = transposed == order.planar;
    const size_t taps = (size_t)order.taps;
    order.filling = out_fills ? out : in;
    order.rows = out_fills ? in : out;
    order.filling_step = out_fills ? (size_t)in * taps : taps;
    order.row_step = out_fills ? taps : (size_t)in * taps;
    /* the decoder's patch is around the input's pixel, which tap t reaches from the output pixel
     * opposite */
    order.first = transposed ? 0 : order.taps - 1;
    order.next = transposed ? 1 : -1;
    return order;
}

/* The vector of patch cell 0 of a block and a row. */
static size_t vector_at(const struct order *o, int block, int row) {
    const size_t at = o->planar ? (size_t)row * (size_t)pack_blocks(o->filling) + (size_t)block
                                : (size_t)block * (size_t)o->rows + (size_t)row;
    return at * (size_t)o->taps * LANES;
}

void pack_sparse(real *packed, const real *weight, int out, int in, int kernel, int lanes,
                 bool transposed) {
    const struct order o = order_of(out, in, kernel, lanes, transposed);
    for (int block = 0; block < pack_blocks(o.filling); block++)
        for (int row = 0; row < o.rows; row++) {
            real *to = packed + vector_at(&o, block, row);
            for (int lane = 0; lane < LANES; lane++) {
                const int channel = block * LANES + lane;
                const real *from = weight + (size_t)row * o.row_step + o.first;
                if (channel < o.filling) from += (size_t)channel * o.filling_step;
                for (int cell = 0; cell < o.taps; cell++)
                    to[cell * LANES + lane] = channel < o.filling ? from[cell * o.next] : 0;
            }
        }
}

void pack_sparse_read(real *gradient, const real *sum, int out, int in, int kernel, int lanes,
                      bool transposed) {
    const struct order o = order_of(out, in, kernel, lanes, transposed);
    for (int block = 0; block < pack_blocks(o.filling); block++)
        for (int row = 0; row < o.rows; row++) {
            const real *from = sum + vector_at(&o, block, row);
            for (int lane = 0; lane < LANES && block * LANES + lane < o.filling; lane++) {
                real *to = gradient + (size_t)row * o.row_step +
                           (size_t)(block * LANES + lane) * o.filling_step + o.first;
                for (int cell = 0; cell < o.taps; cell++)
                    to[cell * o.next] = from[cell * LANES + lane];
            }
        }
}
