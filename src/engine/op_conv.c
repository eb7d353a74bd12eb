/* op_conv.c - convolutions and their gradients. */
#include "engine/op.h"

/* What a layer's convolution reads: x, or in bf16 its pairs. */
static struct map operand(const struct pass *p, const struct layer *layer, struct map x,
                          bool bf16) {
    if (!bf16 || layer->winograd) return x;
    struct map pairs = map_place(pack_pairs_shape(&x), p->w->pairs);
    (x.lanes == 1 ? p->kernels->round_neighbours : p->kernels->round_bf16)(&pairs, &x, p->images);
    return pairs;
}

struct conv op_conv_forward(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    return (struct conv){.y = pass_value(p, op->out[0]),
                         .x = operand(p, layer, pass_value(p, op->in[0].tensor), layer->bf16),
                         .weight = p->packed + layer->packed,
                         .bias = p->packed + layer->packed_bias,
                         .relu = op->relu,
                         .kernel = layer->kernel,
                         .images = p->images,
                         .scratch = p->w->work};
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
    const struct conv conv = op_conv_forward(p, op);
    if (op->layer->few)
        p->kernels->conv_few(&conv);
    else
        dense(p, op->layer, &conv, op->layer->bf16);
}

/* The gradient of the weights; v and s as in conv_outer. */
static void add_outer(const struct pass *p, const struct layer *layer, const struct map *v,
                      const struct map *s) {
    const struct kernels *k = p->kernels;
    real *sum = p->sum + layer->sum;
    if (layer->winograd)
        (layer->bf16_outer ? k->winograd_outer_bf16 : k->winograd_outer)(sum, v, s, p->images,
                                                                         p->w->work);
    else if (layer->bf16_outer) {
        struct map s_pairs = map_place(*s, p->w->pairs);
        k->round_neighbours(&s_pairs, s, p->images);
        struct map v_pairs = *v;
        if (s->lanes == LANES) {
            v_pairs = map_place(*v, p->w->pairs + map_size(s, p->images));
            k->round_neighbours(&v_pairs, v, p->images);
        }
        k->conv_outer_bf16(sum, &v_pairs, &s_pairs, layer->kernel, p->images);
    } else
        k->conv_outer(sum, v, s, layer->kernel, p->images);
}

static void conv_back(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const struct map d = pass_gradient(p, op->out[0]), x = pass_value(p, op->in[0].tensor);
    add_outer(p, layer, layer->few ? &x : &d, layer->few ? &d : &x);
    if (!layer->normed) p->kernels->sum_pixels(p->sum + layer->bias_sum, &d, p->images);
    if (!gradient_wanted(p, &op->in[0])) return;
    const struct gradient dx = gradient_begin(p, &op->in[0]);
    const struct conv conv = {.y = dx.map,
                              .x = operand(p, layer, d, layer->bf16_back),
                              .weight = p->packed + layer->packed_back,
                              .gate = dx.gated ? &dx.open : NULL,
                              .kernel = layer->kernel,
                              .images = p->images,
                              .scratch = p->w->work};
    dense(p, layer, &conv, layer->bf16_back);
    gradient_end(p, &op->in[0], true);
}

const struct op_kind op_conv = {.name = "conv", .forward = conv_forward, .back = conv_back};
