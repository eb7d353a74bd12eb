/* forward.c - the forward pass of a group of images; see pass.h. */
#include "engine/pass.h"

#include <math.h>
#include <string.h>

void pass_load(const struct pass *p, const real *images) {
    const struct map *to = &p->w->image;
    for (int n = 0; n < p->images; n++)
        for (int c = 0; c < to->channels; c++)
            for (int i = 0; i < to->height; i++, images += to->width) {
                real *row = map_at(to, n, c, i, 0);
                for (int j = 0; j < to->width; j++) row[j * to->lanes] = images[j];
            }
}

static void conv_run(const struct pass *p, const struct layer *layer, const struct map *y,
                     const struct map *x, bool relu) {
    const struct conv conv = {.y = *y,
                              .x = *x,
                              .weight = p->packed + layer->packed,
                              .bias = p->packed + layer->packed_bias,
                              .relu = relu,
                              .kernel = layer->kernel,
                              .images = p->images};
    (layer->few ? p->kernels->conv_few : p->kernels->conv)(&conv);
}

void pass_encode(const struct pass *p) {
    struct workspace *w = p->w;
    const struct network *network = p->plan->network;
    const struct map *x = &w->image;
    for (int s = 0; s < network->stages; s++) {
        const struct stage *stage = &network->stage[s];
        for (int c = 0; c < stage->convs; x = &w->encoded[s][c++])
            conv_run(p, &p->plan->encoder[s][c], &w->encoded[s][c], x, true);
        p->kernels->pool(&w->what[s], w->where[s], x, stage->pool, p->images);
        x = &w->what[s];
    }
}

void pass_classify(const struct pass *p) {
    const struct network *network = p->plan->network;
    const real *x = p->w->what[network->stages - 1].data;
    for (int j = 0; j < network->fcs; x = p->w->fc[j++]) {
        const struct layer *layer = &p->plan->fc[j];
        p->kernels->linear(p->w->fc[j], x, p->packed + layer->packed,
                           p->packed + layer->packed_bias,
                           pack_linear_rows(layer->in, layer->pixels), layer->out, p->images,
                           j + 1 < network->fcs);
    }
}

static void sigmoid(const struct map *x, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(x); b++)
            for (int i = 0; i < x->height; i++) {
                real *row = map_at(x, n, b * x->lanes, i, 0);
                /* padding lanes hold 0 and must stay 0 */
                for (int j = 0; j < x->width * x->lanes; j++)
                    if (x->lanes == 1 || b * x->lanes + j % x->lanes < x->channels)
                        row[j] = (real)(1 / (1 + exp(-(double)row[j])));
            }
}

uint8_t *const *pass_where(const struct pass *p) {
    switch (p->plan->network->variant.unpooling) {
    case UNPOOL_UPSAMPLE: return NULL;
    case UNPOOL_FIXED: return p->w->where_first;
    default: return p->w->where;
    }
}

void pass_decode(const struct pass *p, uint8_t *const *where, int bottom) {
    struct workspace *w = p->w;
    const struct network *network = p->plan->network;
    const struct map *what = &w->what[network->stages - 1];
    for (int s = network->stages - 1; s >= bottom; s--) {
        const struct stage *stage = &network->stage[s];
        if (where)
            p->kernels->unpool(&w->unpooled[s], what, where[s], NULL, stage->pool, p->images);
        else
            p->kernels->upsample(&w->unpooled[s], what, stage->pool, p->images);
        const struct map *x = &w->unpooled[s];
        for (int c = stage->convs - 1; c >= 0; x = &w->decoded[s][c--])
            conv_run(p, &p->plan->decoder[s][c], &w->decoded[s][c], x, s > 0 || c > 0);
        what = &w->decoded[s][0];
    }
    if (bottom == 0 && p->plan->network->variant.output == OUTPUT_SIGMOID) sigmoid(what, p->images);
}
