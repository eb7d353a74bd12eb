/* op_conv.c - convolutions and their gradients. */
#include "engine/op.h"

static void conv_forward(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const struct conv conv = {.y = pass_value(p, op->out[0]),
                              .x = pass_value(p, op->in[0].tensor),
                              .weight = p->packed + layer->packed,
                              .bias = p->packed + layer->packed_bias,
                              .relu = op->relu,
                              .kernel = layer->kernel,
                              .images = p->images};
    (layer->few ? p->kernels->conv_few : p->kernels->conv)(&conv);
}

static void conv_back(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const struct map d = pass_gradient(p, op->out[0]), x = pass_value(p, op->in[0].tensor);
    if (layer->few)
        p->kernels->conv_outer(p->sum + layer->sum, &x, &d, layer->kernel, p->images);
    else
        p->kernels->conv_outer(p->sum + layer->sum, &d, &x, layer->kernel, p->images);
    if (!layer->normed) p->kernels->sum_pixels(p->sum + layer->bias_sum, &d, p->images);
    if (!gradient_wanted(p, &op->in[0])) return;
    const struct gradient dx = gradient_begin(p, &op->in[0]);
    const struct conv conv = {.y = dx.map,
                              .x = d,
                              .weight = p->packed + layer->packed_back,
                              .gate = dx.gated ? &dx.open : NULL,
                              .kernel = layer->kernel,
                              .images = p->images};
    p->kernels->conv(&conv);
    gradient_end(p, &op->in[0], true);
}

const struct op_kind op_conv = {.name = "conv", .forward = conv_forward, .back = conv_back};
