/* op_sparse.c - a convolution and the pool after it, or the unpooling before it, in one: of each
 * window only the switched cell carries anything in five of the six passes (docs/speed.md). The map
 * between the two is never written. */
#include "engine/op.h"

/* The pooled map as the full one it stands for. */
static struct sparse sparse_of(const struct pass *p, const struct op *op, const struct map *what,
                               const uint8_t *where, const struct map *gate) {
    const struct stage *stage = &p->plan->network->stage[op->stage];
    return (struct sparse){.what = *what,
                           .where = where,
                           .gate = gate,
                           .pool = stage->pool,
                           .height = stage->height,
                           .width = stage->width};
}

/* ---- convolution and pool ---- */

static void conv_pool_forward(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const struct conv conv = op_conv_forward(p, op);
    const struct kernels *k = p->kernels;
    (layer->winograd ? (layer->bf16 ? k->winograd_pool_bf16 : k->winograd_pool)
     : layer->bf16   ? k->conv_pool_bf16
                     : k->conv_pool)(&conv, pass_where(p, p->w->where[op->stage], op->stage),
                                   p->plan->network->stage[op->stage].pool);
}

/* The dense gradient of a layer's weights, for an image of a few channels. */
static void dense_sums(const struct pass *p, const struct layer *layer, const struct sparse *d,
                       const struct map *x) {
    struct map full =
        map_place(map_shape(layer->out, d->height, d->width, 0, LANES), p->w->scratch);
    p->kernels->unpool(&full, &d->what, d->where, d->gate, d->pool, p->images);
    p->kernels->conv_outer(p->sum + layer->sum, &full, x, layer->kernel, p->images);
}

static void conv_pool_back(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const struct map slope = pass_gradient(p, op->out[0]), what = pass_value(p, op->out[0]),
                     x = pass_value(p, op->in[0].tensor);
    /* a window whose maximum is 0 passes nothing: the gate is the ReLU's */
    const struct sparse d = sparse_of(
        p, op, &slope, pass_where(p, p->w->where[op->stage], op->stage), op->relu ? &what : NULL);
    if (!layer->normed) p->kernels->sparse_sum(p->sum + layer->bias_sum, &d, p->images);
    if (layer->sparse_sum)
        p->kernels->sparse_outer(p->sum + layer->sum, &d, &x, layer->kernel, p->images, p->w->work);
    else
        dense_sums(p, layer, &d, &x);
    if (!gradient_wanted(p, &op->in[0])) return;
    const struct gradient dx = gradient_begin(p, &op->in[0]);
    const struct scatter scatter = {.y = dx.map,
                                    .x = d,
                                    .weight = p->packed + layer->packed_back,
                                    .gate = dx.gated ? &dx.open : NULL,
                                    .kernel = layer->kernel,
                                    .images = p->images,
                                    .scratch = p->w->work};
    p->kernels->scatter(&scatter);
    gradient_end(p, &op->in[0], true);
}

const struct op_kind op_conv_pool = {
    .name = "conv-pool", .forward = conv_pool_forward, .back = conv_pool_back};

/* ---- unpooling and convolution ---- */

static void unpool_conv_forward(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const struct map what = pass_value(p, op->in[0].tensor);
    const struct scatter scatter = {.y = pass_value(p, op->out[0]),
                                    .x = sparse_of(p, op, &what, op_where(p, op), NULL),
                                    .weight = p->packed + layer->packed,
                                    .bias = p->packed + layer->packed_bias,
                                    .relu = op->relu,
                                    .kernel = layer->kernel,
                                    .images = p->images,
                                    .scratch = p->w->work};
    p->kernels->scatter(&scatter);
}

static void unpool_conv_back(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const size_t weight = layer->few ? layer->packed_back : layer->packed;
    const struct map d = pass_gradient(p, op->out[0]), what = pass_value(p, op->in[0].tensor);
    struct gradient d_what = gradient_begin(p, &op->in[0]);
    const struct sparse x =
        sparse_of(p, op, &what, op_where(p, op), d_what.gated ? &d_what.open : NULL);
    if (!layer->normed) p->kernels->sum_pixels(p->sum + layer->bias_sum, &d, p->images);
    p->kernels->sparse_outer_dot(p->sum + layer->sum, &d_what.map, &x, &d, p->packed + weight,
                                 layer->kernel, p->images, p->w->work);
    gradient_end(p, &op->in[0], true);
}

const struct op_kind op_unpool_conv = {
    .name = "unpool-conv", .forward = unpool_conv_forward, .back = unpool_conv_back};

/* Forward, few output maps are no work for scatter: the dense kernel reads whole vectors of inputs.
 */
static void unpool_few_forward(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const struct map what = pass_value(p, op->in[0].tensor);
    struct map x = pass_value(p, op->out[1]);
    p->kernels->unpool(&x, &what, op_where(p, op), NULL, p->plan->network->stage[op->stage].pool,
                       p->images);
    const struct conv conv = {.y = pass_value(p, op->out[0]),
                              .x = x,
                              .weight = p->packed + layer->packed,
                              .bias = p->packed + layer->packed_bias,
                              .kernel = layer->kernel,
                              .images = p->images};
    p->kernels->conv_few(&conv);
}

const struct op_kind op_unpool_few = {
    .name = "unpool-few", .forward = unpool_few_forward, .back = unpool_conv_back};
