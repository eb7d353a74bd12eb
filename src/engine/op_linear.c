/* op_linear.c - fully connected layers, the classes at the decoder's top, and the sigmoid. */
#include "engine/op.h"

#include <math.h>
#include <string.h>

static void linear_forward(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    p->kernels->linear(pass_value(p, op->out[0]).data, pass_value(p, op->in[0].tensor).data,
                       p->packed + layer->packed, p->packed + layer->packed_bias,
                       pack_side_size(layer->from), pack_side_size(layer->to), p->images, op->relu);
}

static void linear_back(const struct pass *p, const struct op *op) {
    const struct layer *layer = op->layer;
    const int in = pack_side_size(layer->from), out = pack_side_size(layer->to);
    const real *d = pass_gradient(p, op->out[0]).data;
    p->kernels->linear_outer(p->sum + layer->sum, p->sum + layer->bias_sum,
                             pass_value(p, op->in[0].tensor).data, d, in, out, p->images);
    if (!gradient_wanted(p, &op->in[0])) return;
    p->kernels->linear_back(gradient_begin(p, &op->in[0]).map.data, d, p->packed + layer->packed,
                            in, out, p->images);
    gradient_end(p, &op->in[0], false);
}

const struct op_kind op_linear = {.name = "linear", .forward = linear_forward, .back = linear_back};

/* ---- classes at the top ---- */

/* The class image n of the group is clamped to, or -1. */
static int clamped(const struct pass *p, int n) {
    if (p->as_class) return *p->as_class;
    return p->labels ? p->labels[n] : -1;
}

/* q = softmax(z) */
static void softmax(double *total, int *best, const real *z, int classes) {
    *best = 0;
    for (int k = 1; k < classes; k++)
        if (z[k] > z[*best]) *best = k;
    *total = 0;
    for (int k = 0; k < classes; k++) *total += exp((double)z[k] - (double)z[*best]);
}

static void classes_forward(const struct pass *p, const struct op *op) {
    const int classes = p->plan->network->classes;
    const struct map z = pass_value(p, op->in[0].tensor), q = pass_value(p, op->out[0]);
    for (int n = 0; n < p->images; n++) {
        const real *from = z.data + n * z.image;
        real *to = q.data + n * q.image;
        const int label = clamped(p, n);
        memset(to, 0, (size_t)q.image * sizeof *to);
        if (label >= 0) {
            to[label] = 1;
            continue;
        }
        double total;
        int best;
        softmax(&total, &best, from, classes);
        for (int k = 0; k < classes; k++)
            to[k] = (real)(exp((double)from[k] - (double)from[best]) / total);
    }
}

static void classes_back(const struct pass *p, const struct op *op) {
    const int classes = p->plan->network->classes;
    const struct map q = pass_value(p, op->out[0]), d = pass_gradient(p, op->out[0]);
    const struct gradient dz = gradient_begin(p, &op->in[0]);
    for (int n = 0; n < p->images; n++) {
        const real *probability = q.data + n * q.image, *slope = d.data + n * d.image;
        real *to = dz.map.data + n * dz.map.image;
        memset(to, 0, (size_t)dz.map.image * sizeof *to);
        if (clamped(p, n) >= 0) continue;
        double mean = 0;
        for (int k = 0; k < classes; k++) mean += (double)probability[k] * (double)slope[k];
        for (int k = 0; k < classes; k++)
            to[k] = (real)((double)probability[k] * ((double)slope[k] - mean));
    }
    gradient_end(p, &op->in[0], false);
}

const struct op_kind op_classes = {
    .name = "classes", .forward = classes_forward, .back = classes_back};

/* ---- the sigmoid of the decoder's output ---- */

static void sigmoid_forward(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->in[0].tensor), y = pass_value(p, op->out[0]);
    for (int n = 0; n < p->images; n++)
        for (int c = 0; c < x.channels; c++)
            for (int i = 0; i < x.height; i++)
                for (int j = 0; j < x.width; j++)
                    *map_at(&y, n, c, i, j) =
                        (real)(1 / (1 + exp(-(double)*map_at(&x, n, c, i, j))));
}

static void sigmoid_back(const struct pass *p, const struct op *op) {
    const struct map y = pass_value(p, op->out[0]), d = pass_gradient(p, op->out[0]);
    const struct gradient dx = gradient_begin(p, &op->in[0]);
    for (int n = 0; n < p->images; n++)
        for (int c = 0; c < y.channels; c++)
            for (int i = 0; i < y.height; i++)
                for (int j = 0; j < y.width; j++) {
                    const real value = *map_at(&y, n, c, i, j);
                    *map_at(&dx.map, n, c, i, j) = *map_at(&d, n, c, i, j) * value * (1 - value);
                }
    gradient_end(p, &op->in[0], false);
}

const struct op_kind op_sigmoid = {
    .name = "sigmoid", .forward = sigmoid_forward, .back = sigmoid_back};
