/* backward.c - terms of the loss and their gradients for a group of images; docs/math.md. */
#include "engine/pass.h"

#include <math.h>
#include <string.h>

/* The raw term of one image from the sum of its squared differences. */
static double term_of(enum reduction reduction, double squared, size_t elements) {
    switch (reduction) {
    case REDUCTION_SUM: return squared;
    case REDUCTION_NORM: return sqrt(squared);
    default: return squared / (double)elements;
    }
}

/* The factor of (a - b) in the derivative of that term with respect to a. */
static double term_slope(enum reduction reduction, double squared, size_t elements) {
    switch (reduction) {
    case REDUCTION_SUM: return 2;
    case REDUCTION_NORM: return squared > 0 ? 1 / sqrt(squared) : 0; /* 0 at the kink */
    default: return 2 / (double)elements;
    }
}

static size_t map_elements(const struct map *map) {
    return (size_t)map->channels * (size_t)map->height * (size_t)map->width;
}

/* difference(to) = d (weight * term(a, b) / batch) / da, image by image; adds the raw term. */
static void distance_back(const struct pass *p, struct map *to, const struct map *a,
                          const struct map *b, double weight, size_t batch, double *sum) {
    const enum reduction reduction = p->plan->objective.reduction;
    const size_t elements = map_elements(a);
    for (int n = 0; n < p->images; n++) {
        const double squared = p->kernels->squared_distance(a, b, n);
        if (sum) *sum += term_of(reduction, squared, elements);
        const double scale = weight * term_slope(reduction, squared, elements) / (double)batch;
        p->kernels->difference(to, a, b, (real)scale, n);
    }
}

/* Softmax cross-entropy: its term, and the gradient of the logits (zero rows without a label). */
static void softmax_back(const struct pass *p, const struct target *t, struct term_sums *sums) {
    const int last = p->plan->network->fcs - 1, classes = p->plan->network->classes;
    const int width = pack_blocks(classes) * LANES;
    for (int n = 0; n < p->images; n++) {
        const real *z = p->w->fc[last] + (ptrdiff_t)n * width;
        real *d = p->w->g_fc[last] + (ptrdiff_t)n * width;
        memset(d, 0, (size_t)width * sizeof *d);
        const int label = t->labels ? t->labels[n] : -1;
        if (label < 0) continue;
        int best = 0;
        for (int k = 1; k < classes; k++)
            if (z[k] > z[best]) best = k;
        double total = 0;
        for (int k = 0; k < classes; k++) total += exp((double)z[k] - (double)z[best]);
        sums->nll += log(total) + (double)z[best] - (double)z[label];
        sums->wrong += best != label;
        const double scale = p->plan->objective.nll / (double)t->labelled;
        for (int k = 0; k < classes; k++)
            d[k] = (real)(scale * (exp((double)z[k] - (double)z[best]) / total - (k == label)));
    }
}

/* d *= y (1 - y): through the sigmoid that gave y. */
static void sigmoid_back(const struct map *d, const struct map *y, int images) {
    for (int n = 0; n < images; n++)
        for (int b = 0; b < map_blocks(d); b++)
            for (int i = 0; i < d->height; i++) {
                real *to = map_at(d, n, b * d->lanes, i, 0);
                const real *from = map_at(y, n, b * d->lanes, i, 0);
                for (int j = 0; j < d->width * d->lanes; j++) to[j] *= from[j] * (1 - from[j]);
            }
}

/* Gradients of a layer's weights and bias from its output's gradient d and its input x. */
static void layer_sums(const struct pass *p, const struct layer *layer, real *sum,
                       const struct map *d, const struct map *x) {
    if (layer->few)
        p->kernels->conv_outer(sum + layer->sum, x, d, layer->kernel, p->images);
    else
        p->kernels->conv_outer(sum + layer->sum, d, x, layer->kernel, p->images);
    p->kernels->sum_pixels(sum + layer->bias_sum, d, p->images);
}

/* dx = gradient to the layer's input, through gate's ReLU when given. */
static void layer_back(const struct pass *p, const struct layer *layer, const struct map *dx,
                       const struct map *d, const struct map *gate) {
    const struct conv conv = {.y = *dx,
                              .x = *d,
                              .weight = p->packed + layer->packed_back,
                              .gate = gate,
                              .kernel = layer->kernel,
                              .images = p->images};
    p->kernels->conv(&conv);
}

static void classifier_back(const struct pass *p, const struct target *t, struct term_sums *sums) {
    struct workspace *w = p->w;
    const struct network *network = p->plan->network;
    const int top = network->stages - 1;
    softmax_back(p, t, sums);
    for (int j = network->fcs - 1; j >= 0; j--) {
        const struct layer *layer = &p->plan->fc[j];
        const int rows = pack_linear_rows(layer->in, layer->pixels);
        const real *x = j ? w->fc[j - 1] : w->what[top].data;
        real *dx = j ? w->g_fc[j - 1] : w->g_what[top].data;
        p->kernels->linear_outer(t->sum + layer->sum, t->sum + layer->bias_sum, x, w->g_fc[j], rows,
                                 layer->out, p->images);
        p->kernels->linear_back(dx, w->g_fc[j], p->packed + layer->packed, rows, layer->out,
                                p->images);
        if (j) /* through the ReLU of the hidden layer */
            for (ptrdiff_t i = 0; i < (ptrdiff_t)rows * p->images; i++)
                if (!(x[i] > 0)) dx[i] = 0;
    }
}

/* to = gradient of stage s's unpooling, from g_unpooled. */
static void unpool_back(const struct pass *p, struct map *to, int s) {
    uint8_t *const *where = pass_where(p);
    const int pool = p->plan->network->stage[s].pool;
    if (where)
        p->kernels->gather(to, &p->w->g_unpooled[s], where[s], pool, p->images);
    else
        p->kernels->sum_windows(to, &p->w->g_unpooled[s], pool, p->images);
}

/* g_decoded of the image: the reconstruction term. */
static void image_back(const struct pass *p, const struct target *t, struct term_sums *sums) {
    struct map *d = &p->w->g_decoded[0][0], *rebuilt = &p->w->decoded[0][0];
    const struct objective *objective = &p->plan->objective;
    distance_back(p, d, rebuilt, &p->w->image, objective->rec, t->batch, &sums->rec);
    if (p->plan->network->variant.output == OUTPUT_SIGMOID) sigmoid_back(d, rebuilt, p->images);
}

/* g_decoded of stage s > 0's output: what comes back through the unpooling below it, if that
 * runs, and the term of the boundary; then through the output's ReLU. g_pair keeps the term's part
 * for the encoder's side. */
static void boundary_back(const struct pass *p, const struct target *t, struct term_sums *sums,
                          int s) {
    const int b = s - 1;
    const double weight = p->plan->objective.m[b];
    struct map *d = &p->w->g_decoded[s][0], *decoded = &p->w->decoded[s][0];
    struct map *pair = &p->w->g_pair[b], *what = &p->w->what[b];
    if (weight > 0) distance_back(p, pair, decoded, what, weight, t->batch, &sums->m[b]);
    if (s > p->plan->decoder_bottom)
        unpool_back(p, d, b);
    else /* the bottom is where a term is: its part is all there is */
        distance_back(p, d, decoded, what, weight, t->batch, NULL);
    if (s > p->plan->decoder_bottom && weight > 0)
        p->kernels->add(d, pair, decoded, p->images);
    else
        p->kernels->gate(d, decoded, p->images);
}

/* From the reconstruction up to the top what, whose gradient is added to g_what[top]. */
static void decoder_back(const struct pass *p, const struct target *t, struct term_sums *sums) {
    struct workspace *w = p->w;
    const struct network *network = p->plan->network;
    const int top = network->stages - 1;
    for (int s = p->plan->decoder_bottom; s <= top; s++) {
        const struct stage *stage = &network->stage[s];
        if (s == 0)
            image_back(p, t, sums);
        else
            boundary_back(p, t, sums, s);
        for (int c = 0; c < stage->convs; c++) {
            const struct layer *layer = &p->plan->decoder[s][c];
            const bool last = c + 1 == stage->convs;
            const struct map *x = last ? &w->unpooled[s] : &w->decoded[s][c + 1];
            layer_sums(p, layer, t->sum, &w->g_decoded[s][c], x);
            layer_back(p, layer, last ? &w->g_unpooled[s] : &w->g_decoded[s][c + 1],
                       &w->g_decoded[s][c], last ? NULL : x);
        }
    }
    struct map *g_top = &w->g_what[top], *from_decoder = &w->g_pair[top];
    if (!p->plan->classifier) from_decoder = g_top;
    unpool_back(p, from_decoder, top);
    if (p->plan->classifier) p->kernels->add(g_top, from_decoder, NULL, p->images);
}

static void encoder_back(const struct pass *p, const struct target *t) {
    struct workspace *w = p->w;
    const struct network *network = p->plan->network;
    for (int s = network->stages - 1; s >= 0; s--) {
        const struct stage *stage = &network->stage[s];
        if (s + 1 < network->stages && p->plan->objective.m[s] > 0) {
            /* g_pair is the gradient to the decoder's side: the encoder's is its negative */
            p->kernels->subtract(&w->g_what[s], &w->g_pair[s], p->images);
        }
        /* back through pool and ReLU at once: a window whose maximum is 0 passes nothing */
        p->kernels->unpool(&w->g_encoded[s][stage->convs - 1], &w->g_what[s], w->where[s],
                           &w->what[s], stage->pool, p->images);
        for (int c = stage->convs - 1; c >= 0; c--) {
            const struct layer *layer = &p->plan->encoder[s][c];
            const struct map *d = &w->g_encoded[s][c];
            const struct map *x = c ? &w->encoded[s][c - 1] : s ? &w->what[s - 1] : &w->image;
            layer_sums(p, layer, t->sum, d, x);
            if (c)
                layer_back(p, layer, &w->g_encoded[s][c - 1], d, x);
            else if (s)
                layer_back(p, layer, &w->g_what[s - 1], d, NULL);
        }
    }
}

void pass_back(const struct pass *p, const struct target *t, struct term_sums *sums) {
    if (p->plan->classifier) classifier_back(p, t, sums);
    if (p->plan->decoder_bottom < p->plan->network->stages) decoder_back(p, t, sums);
    encoder_back(p, t);
}
