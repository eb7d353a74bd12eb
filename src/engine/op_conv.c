/* op_conv.c - convolutions and their gradients. */
#include "engine/op.h"

struct map op_operand(const struct pass *p, const struct layer *layer, struct map x, bool bf16) {
    if (!bf16 || layer->winograd) return x;
    struct map pairs = map_place(pack_pairs_shape(&x), p->w->pairs);
    p->kernels->round_bf16(&pairs, &x, p->images);
    return pairs;
}

/* The dense convolution of a layer, or of its gradient. */
static void dense(const struct pass *p, const struct layer *layer, const struct conv *conv,
                  bool bf16) {
    const struct kernels *k = p->kernels;
    if (layer->winograd)
        (bf16 ? k->winograd_bf16 : k->winograd)(conv);
    else
        (bf16 ? k->conv_bf16 : k->conv)(conv);
}

static void conv_forward(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const struct conv conv = {
        .y = pass_value(p, op->out[0]),
        .x = op_operand(p, layer, pass_value(p, op->in[0].tensor), layer->bf16),
        .weight = p->packed + layer->packed,
        .bias = p->packed + layer->packed_bias,
        .relu = op->relu,
        .kernel = layer->kernel,
        .images = p->images,
        .scratch = p->w->work};
    if (layer->few)
        p->kernels->conv_few(&conv);
    else
        dense(p, layer, &conv, layer->bf16);
}

/* The gradient of the weights of a layer with blocked maps on both sides. */
static void add_outer(const struct pass *p, const struct layer *layer, const struct map *d,
                      const struct map *x) {
    if (layer->winograd) {
        (layer->bf16 ? p->kernels->winograd_outer_bf16 : p->kernels->winograd_outer)(
            p->sum + layer->sum, d, x, p->images, p->w->work);
        return;
    }
    if (!layer->bf16) {
        p->kernels->conv_outer(p->sum + layer->sum, d, x, layer->kernel, p->images);
        return;
    }
    struct map d_pairs = map_place(*d, p->w->pairs);
    struct map x_pairs = map_place(*x, p->w->pairs + map_size(d, p->images));
    p->kernels->round_neighbours(&d_pairs, d, p->images);
    p->kernels->round_neighbours(&x_pairs, x, p->images);
    p->kernels->conv_outer_bf16(p->sum + layer->sum, &d_pairs, &x_pairs, layer->kernel, p->images);
}

static void conv_back(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const struct map d = pass_gradient(p, op->out[0]), x = pass_value(p, op->in[0].tensor);
    if (layer->few)
        p->kernels->conv_outer(p->sum + layer->sum, &x, &d, layer->kernel, p->images);
    else
        add_outer(p, layer, &d, &x);
    if (!layer->normed) p->kernels->sum_pixels(p->sum + layer->bias_sum, &d, p->images);
    if (!gradient_wanted(p, &op->in[0])) return;
    const struct gradient dx = gradient_begin(p, &op->in[0]);
    const struct conv conv = {.y = dx.map,
                              .x = op_operand(p, layer, d, layer->bf16_back),
                              .weight = p->packed + layer->packed_back,
                              .gate = dx.gated ? &dx.open : NULL,
                              .kernel = layer->kernel,
                              .images = p->images,
                              .scratch = p->w->work};
    dense(p, layer, &conv, layer->bf16_back);
    gradient_end(p, &op->in[0], true);
}

const struct op_kind op_conv = {.name = "conv", .forward = conv_forward, .back = conv_back};
