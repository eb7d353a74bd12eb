/* conv_scatter.c - a convolution of an unpooled map that never exists.
 *
 * Each nonzero value of the sparse map, once broadcast, is multiplied with the kernel^2 weight
 * vectors of its channel and added to the patch of sums around its switched pixel. Work goes in
 * bands of window rows, whose sums lie in scratch with a margin for the patches' overhang; inside,
 * by block of output channels, chunk of sparse channels, window: the chunk's weights stay in the
 * first-level cache. How the values of a window are listed and met depends on the registers. */
#include "kernels/scatter_band.h"

#if VEC == 16
#include "kernels/scatter_wide.h"
#else
#include "kernels/scatter_narrow.h"
#endif

/* ---- one block of y ---- */

/* Sums start at the bias, or at what the band above has left. */
static void sums_start(const struct band *band, int b) {
    const struct scatter *s = band->s;
    const v16 start = s->bias ? v_load(s->bias + b * LANES) : v_zero();
    const int margin = s->kernel - 1, height = band->rows * s->x.pool + margin;
    const int width = (int)band->width / LANES, carried = band->row > 0 ? margin : 0;
    for (int n = 0; n < band->images; n++) {
        float *sums = band->sums + n * band->slot;
        if (carried)
            memcpy(sums, band->carry + b * margin * band->width,
                   (size_t)(margin * band->width) * sizeof *sums);
        for (int i = carried; i < height; i++)
            for (int j = 0; j < width; j++) sums_store(band, sums + i * band->width, j, start);
    }
}

/* Writes the rows that are complete, and keeps the others for the next band. */
static void sums_finish(const struct band *band, int b) {
    const struct scatter *s = band->s;
    const int margin = s->kernel - 1, radius = s->kernel / 2;
    const int complete = band->rows * s->x.pool;
    const bool last = band->row + band->rows == s->x.what.height;
    const int above = band->row * s->x.pool - radius; /* row of y of the first row of sums */
    const int first = above < 0 ? 0 : above;
    const int end = last ? s->y.height : above + complete;
    for (int n = 0; n < band->images; n++) {
        const float *sums = band->sums + n * band->slot;
        const int image = band->image + n;
        for (int i = first; i < end; i++) {
            const float *from = sums + (i - above) * band->width;
            float *to = s->y.data + image * s->y.image + b * s->y.block + i * s->y.row;
            const float *gate = s->gate ? s->gate->data + image * s->gate->image +
                                              b * s->gate->block + i * s->gate->row
                                        : NULL;
            for (int j = 0; j < s->y.width; j++) {
                v16 y = sums_load(band, from, radius + j);
                if (s->relu) y = v_relu(y);
                if (gate) y = v_gate(y, v_load(gate + j * LANES));
                v_store(to + j * LANES, y);
            }
        }
    }
    if (!last)
        memcpy(band->carry + b * margin * band->width, band->sums + complete * band->width,
               (size_t)(margin * band->width) * sizeof *band->sums);
}

static void band_run(const struct band *band) {
    const struct scatter *s = band->s;
    const size_t block = (size_t)(s->x.what.channels * s->kernel * s->kernel) * LANES;
    lists_build(band);
    for (int b = 0; b < map_blocks(&s->y); b++) {
        sums_start(band, b);
        block_run(band, s->weight + (size_t)b * block);
        sums_finish(band, b);
    }
}

static void scatter(const struct scatter *s) {
#if VEC == 16
    const struct bands bands = scatter_bands(&s->x, s->kernel);
#else
    const struct bands bands = scatter_bands_narrow(&s->x, s->kernel);
#endif
    const int margin = s->kernel - 1;
    struct band band = {.s = s, .width = (ptrdiff_t)(s->x.what.width * s->x.pool + margin) * LANES};
    band.slot = (bands.rows * s->x.pool + margin) * band.width;
    band.weight = s->scratch;
    band.sums = band.weight + narrow_weights(s->kernel);
    band.carry = band.sums + bands.images * band.slot;
    band.lists = (void *)(band.carry + map_blocks(&s->y) * margin * band.width);
    for (band.image = 0; band.image < s->images; band.image += band.images) {
        band.images = s->images - band.image;
        if (band.images > bands.images) band.images = bands.images;
        for (band.row = 0; band.row < s->x.what.height; band.row += band.rows) {
            band.rows = s->x.what.height - band.row;
            if (band.rows > bands.rows) band.rows = bands.rows;
            band_run(&band);
        }
    }
}

void ISA(conv_scatter_install)(struct kernels *table) { table->scatter = scatter; }
