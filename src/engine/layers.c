/* layers.c - packing weights and reading gradients; see layers.h. */
#include "engine/layers.h"

#include "kernels/sparse.h"
#include "kernels/winograd.h"

#include <math.h>
#include <string.h>

/* Images of up to this many channels are kept planar: blocks of 16 would be mostly padding. */
#define PLANAR_CHANNELS 4

int layers_image_lanes(const struct network *n) {
    return n->channels <= PLANAR_CHANNELS ? 1 : LANES;
}

static size_t weights_of(const struct layer *l) {
    return (size_t)l->out * (size_t)l->in * (size_t)(l->kernel ? l->kernel * l->kernel : 1);
}

/* ---- where everything lies ---- */

/* lanes: of what the convolution reads. */
static size_t dense_size(const struct layer *l, int out, int in, int lanes, bool bf16) {
    if (l->winograd) return bf16 ? pack_winograd_bf16_size(out, in) : pack_winograd_size(out, in);
    return bf16 ? pack_conv_bf16_size(out, in, l->kernel, lanes)
                : pack_conv_size(out, in, l->kernel);
}

/* Fewer channels would leave most of a vector, or of the transforms' work, unused; and small maps
 * most of a tile: at least a third of the tiles' 16 products for 9 must be saved (docs/speed.md).
 */
static bool winograd_pays(const struct layer *l, int height, int width) {
    return l->kernel == 3 && l->in >= LANES && l->out >= LANES &&
           3 * winograd_tiles(height, width, 1) <= height * width;
}

/* height, width: of a convolution's maps. */
static void layer_add(struct plan *plan, struct layer *l, bool back, int height, int width) {
    plan->layer[plan->layers++] = l;
    l->folded = l->normed && !plan->training && !l->pool_first;
    l->bf16 = plan->bf16 && l->kernel && !l->unpool_conv && !l->few;
    l->bf16_outer =
        plan->bf16 && l->kernel && l->trained && !l->unpool_conv && !l->conv_pool && !l->unpool_few;
    l->bf16_back = l->bf16_outer && back;
    l->winograd = plan->winograd && l->lanes == LANES && !l->unpool_conv && !l->few &&
                  winograd_pays(l, height, width);
    const size_t bias =
        l->kernel ? (size_t)pack_blocks(l->out) * LANES : (size_t)pack_side_size(l->to);
    size_t size;
    if (!l->kernel)
        size = pack_linear_size(l->to, l->from);
    else if (l->unpool_conv)
        size = pack_sparse_size(l->out, l->in, l->kernel, LANES);
    else if (l->few)
        size = pack_conv_few_size(l->out, l->in, l->kernel);
    else
        size = dense_size(l, l->out, l->in, l->lanes, l->bf16);
    if (weights_of(l) > plan->largest_weight) plan->largest_weight = weights_of(l);
    l->packed = plan->packed_size;
    l->packed_bias = l->packed + size;
    plan->packed_size = l->packed_bias + bias;
    if (l->normed && !l->folded) {
        l->norm_value = plan->norm_values;
        plan->norm_values += NORM_VALUES * bias;
    }
    if (!l->trained) return;
    if (l->kernel && back && !l->unpool_conv) {
        l->packed_back = plan->packed_size;
        if (l->conv_pool)
            plan->packed_size += pack_sparse_size(l->in, l->out, l->kernel, l->lanes);
        else if (l->unpool_few)
            plan->packed_size += pack_sparse_size(l->out, l->in, l->kernel, 1);
        else
            plan->packed_size += dense_size(l, l->in, l->out, l->few ? 1 : LANES, l->bf16_back);
    }
    l->sum = plan->sum_size;
    if (l->sparse_sum)
        size = l->conv_pool ? pack_sparse_size(l->in, l->out, l->kernel, l->lanes)
                            : pack_sparse_size(l->out, l->in, l->kernel, l->few ? 1 : LANES);
    else if (l->winograd)
        size = pack_winograd_size(l->out, l->in);
    else if (l->kernel)
        size = l->few ? pack_outer_size(l->in, l->out, l->kernel)
                      : pack_outer_size(l->out, l->in, l->kernel);
    l->bias_sum = l->sum + size;
    l->sum_end = plan->sum_size = l->bias_sum + bias;
    if (!l->normed) return;
    l->norm_sum = plan->norm_sums;
    plan->norm_sums += 4 * bias;
}

static struct layer conv_layer(const struct conv_layer *conv, int lanes) {
    return (struct layer){.weight = conv->weight,
                          .bias = conv->bias,
                          .scale = conv->scale,
                          .mean = conv->mean,
                          .variance = conv->variance,
                          .out = conv->out,
                          .in = conv->in,
                          .kernel = conv->kernel,
                          .lanes = lanes,
                          .normed = conv->normed};
}

/* Smaller kernels gain nothing by sparsity: docs/speed.md. */
#define SPARSE_KERNEL 3

static void add_conv_layers(struct plan *plan, const bool encoder[], const bool decoder[],
                            bool (*few)(int pool, int kernel)) {
    const struct network *n = plan->network;
    for (int s = 0; s < n->stages; s++)
        for (int c = 0; c < n->stage[s].convs; c++) {
            struct layer *l = &plan->encoder_layer[s][c];
            *l = conv_layer(&n->stage[s].encoder[c],
                            s == 0 && c == 0 ? layers_image_lanes(n) : LANES);
            const bool last = c + 1 == n->stage[s].convs;
            l->pool_first = last && n->variant.norm == NORM_POOLED;
            l->conv_pool = plan->sparse && l->kernel >= SPARSE_KERNEL && last &&
                           !n->variant.beta[s] && (!l->normed || l->pool_first || !plan->training);
            l->sparse_sum = l->conv_pool && (l->lanes == LANES || few(n->stage[s].pool, l->kernel));
            l->trained = plan->training && encoder[s];
            layer_add(plan, l, s > 0 || c > 0, n->stage[s].height, n->stage[s].width);
        }
    for (int s = 0; s < n->stages; s++)
        for (int c = 0; c < n->stage[s].convs; c++) {
            struct layer *l = &plan->decoder_layer[s][c];
            *l = conv_layer(&n->stage[s].decoder[c], LANES);
            l->few = s == 0 && c == 0 && layers_image_lanes(n) == 1;
            const bool unpools = plan->sparse && l->kernel >= SPARSE_KERNEL && !plan->every_cell &&
                                 c + 1 == n->stage[s].convs && !n->variant.beta[s];
            l->unpool_conv = unpools && !l->few;
            l->unpool_few = unpools && l->few && few(n->stage[s].pool, l->kernel);
            l->sparse_sum = l->unpool_conv || l->unpool_few;
            l->tied = n->variant.tied;
            l->partner = &plan->encoder_layer[s][c];
            l->trained = plan->training && decoder[s];
            layer_add(plan, l, true, n->stage[s].height, n->stage[s].width);
        }
}

static void add_fc_layers(struct plan *plan, bool mirror) {
    const struct network *n = plan->network;
    const struct stage *top = &n->stage[n->stages - 1];
    for (int j = 0; j < n->fcs; j++) {
        const struct fc_layer *fc = &n->fc[j];
        const int pixels = j ? 1 : top->pooled_height * top->pooled_width;
        struct layer *l = &plan->fc[j];
        *l = (struct layer){.weight = fc->weight,
                            .bias = fc->bias,
                            .out = fc->out,
                            .in = fc->in,
                            .from = {fc->in, pixels},
                            .to = {fc->out, 1},
                            .trained = plan->training && plan->classifier};
        layer_add(plan, l, false, 1, 1);
        if (!n->variant.classes_top) continue;
        struct layer *m = &plan->mirror[j];
        *m = (struct layer){.weight = fc->mirror_weight,
                            .bias = fc->mirror_bias,
                            .out = fc->in,
                            .in = fc->out,
                            .from = {fc->out, 1},
                            .to = {fc->in, pixels},
                            .tied = n->variant.tied,
                            .partner = l,
                            .trained = plan->training && mirror};
        layer_add(plan, m, false, 1, 1);
    }
}

void layers_plan(struct plan *plan, const bool encoder[], const bool decoder[], bool mirror,
                 bool (*few)(int pool, int kernel)) {
    plan->packed_size = LANES; /* so that no layer's offset is 0, which says "none" */
    add_conv_layers(plan, encoder, decoder, few);
    add_fc_layers(plan, mirror);
}

/* ---- weights ---- */

/* to (out, in, taps) = from (in, out, taps) with mirrored taps: the weights of the transposed
 * convolution or of the transposed matrix. */
static void transpose(real *to, const real *from, size_t out, size_t in, size_t taps) {
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t t = 0; t < taps; t++) *to++ = from[(i * out + o) * taps + taps - 1 - t];
}

static size_t taps_of(const struct layer *l) {
    return l->kernel ? (size_t)(l->kernel * l->kernel) : 1;
}

double layers_scale(const struct layer *l, const real *parameters, size_t channel) {
    const double scale = (double)parameters[l->scale + channel];
    return l->pool_first ? fabs(scale) : scale;
}

/* What normalisation by the running statistics multiplies a channel by. */
static double running_factor(const struct layer *l, const real *parameters, size_t channel) {
    return layers_scale(l, parameters, channel) /
           sqrt((double)parameters[l->variance + channel] + NORM_EPSILON);
}

/* The layer's weights (out, in, ...): where they lie, or worked out in spare. */
static const real *weights(const struct layer *l, const real *parameters, real *spare) {
    const real *own = parameters + l->weight;
    if (l->tied) {
        transpose(spare, own, (size_t)l->out, (size_t)l->in, taps_of(l));
        own = spare;
    }
    if (!l->folded) return own;
    const size_t inputs = weights_of(l) / (size_t)l->out;
    for (size_t o = 0; o < (size_t)l->out; o++) {
        const double factor = running_factor(l, parameters, o);
        for (size_t i = 0; i < inputs; i++)
            spare[o * inputs + i] = (real)(factor * (double)own[o * inputs + i]);
    }
    return spare;
}

static void pack_layer_bias(real *packed, const struct layer *l, const real *parameters) {
    if (!l->kernel) {
        pack_bias(packed, parameters + l->bias, l->to);
        return;
    }
    memset(packed, 0, (size_t)pack_blocks(l->out) * LANES * sizeof *packed);
    for (size_t o = 0; o < (size_t)l->out; o++) {
        const double bias = (double)parameters[l->bias + o];
        if (!l->normed) {
            packed[o] = parameters[l->bias + o];
        } else if (l->folded) {
            const double factor = running_factor(l, parameters, o);
            packed[o] = (real)(bias - (double)parameters[l->mean + o] * factor);
        }
    }
}

/* lanes: of what the convolution reads. */
static void pack_dense(real *to, const struct layer *l, const real *weight, int lanes, int group,
                       bool bf16, bool transposed) {
    if (l->winograd)
        (bf16 ? pack_winograd_bf16 : pack_winograd)(to, weight, l->out, l->in, group, transposed);
    else if (bf16)
        pack_conv_bf16(to, weight, l->out, l->in, l->kernel, lanes, group, transposed);
    else
        pack_conv(to, weight, l->out, l->in, l->kernel, lanes, group, transposed);
}

void layers_pack(real *packed, const struct plan *plan, int j, const real *parameters, int group,
                 real *spare) {
    const struct layer *l = plan->layer[j];
    const real *weight = weights(l, parameters, spare);
    pack_layer_bias(packed + l->packed_bias, l, parameters);
    if (!l->kernel)
        pack_linear(packed + l->packed, weight, l->to, l->from);
    else if (l->unpool_conv)
        pack_sparse(packed + l->packed, weight, l->out, l->in, l->kernel, LANES, false);
    else if (l->few)
        pack_conv_few(packed + l->packed, weight, l->out, l->in, l->kernel);
    else
        pack_dense(packed + l->packed, l, weight, l->lanes, group, l->bf16, false);
    if (!l->packed_back) return;
    if (l->conv_pool)
        pack_sparse(packed + l->packed_back, weight, l->out, l->in, l->kernel, l->lanes, true);
    else if (l->unpool_few)
        pack_sparse(packed + l->packed_back, weight, l->out, l->in, l->kernel, 1, false);
    else
        pack_dense(packed + l->packed_back, l, weight, l->few ? 1 : LANES, group, l->bf16_back,
                   true);
}

void layers_norm(real *values, const struct plan *plan, int j, const real *parameters) {
    const struct layer *l = plan->layer[j];
    if (plan->training || !l->normed || l->folded) return;
    const size_t width = (size_t)pack_blocks(l->out) * LANES;
    real *value = values + l->norm_value;
    for (size_t c = 0; c < (size_t)l->out; c++) {
        value[NORM_MEAN * width + c] = parameters[l->mean + c];
        value[NORM_FACTOR * width + c] = (real)running_factor(l, parameters, c);
        value[NORM_BIAS * width + c] = parameters[l->bias + c];
    }
}

static void read_weights(real *to, const struct layer *l, const real *sum, int group) {
    if (l->sparse_sum)
        pack_sparse_read(to, sum + l->sum, l->out, l->in, l->kernel,
                         l->few || l->lanes == 1 ? 1 : LANES, l->conv_pool);
    else if (l->winograd)
        pack_winograd_read(to, sum + l->sum, l->out, l->in, group);
    else if (l->kernel)
        pack_outer_read(to, sum + l->sum, l->out, l->in, l->kernel, l->few);
    else
        pack_linear_read(to, sum + l->sum, l->to, l->from);
}

/* The gradient of a tied decoder layer, transposed and added to its partner's. */
static void add_tied(real *gradient, const struct plan *plan, const struct layer *l,
                     const real *sum, int group, real *spare) {
    for (int j = 0; j < plan->layers; j++) {
        const struct layer *d = plan->layer[j];
        if (!d->trained || !d->tied || d->partner != l) continue;
        read_weights(spare, d, sum, group);
        real *turned = spare + weights_of(d);
        transpose(turned, spare, (size_t)l->out, (size_t)l->in, taps_of(l));
        for (size_t k = 0; k < weights_of(l); k++) gradient[l->weight + k] += turned[k];
    }
}

void layers_read(real *gradient, const struct plan *plan, int j, const real *parameters,
                 const real *sum, int group, real *spare) {
    const struct layer *l = plan->layer[j];
    const size_t out = (size_t)l->out;
    if (!l->trained) {
        memset(gradient + l->bias, 0, out * sizeof *gradient);
        if (l->normed) {
            memset(gradient + l->scale, 0, out * sizeof *gradient);
            memcpy(gradient + l->mean, parameters + l->mean, out * sizeof *gradient);
            memcpy(gradient + l->variance, parameters + l->variance, out * sizeof *gradient);
        }
    } else if (!l->normed) {
        if (l->kernel)
            memcpy(gradient + l->bias, sum + l->bias_sum, out * sizeof *gradient);
        else
            pack_bias_read(gradient + l->bias, sum + l->bias_sum, l->to);
    }
    if (l->tied) return; /* its partner's */
    if (l->trained)
        read_weights(gradient + l->weight, l, sum, group);
    else
        memset(gradient + l->weight, 0, weights_of(l) * sizeof *gradient);
    add_tied(gradient, plan, l, sum, group, spare);
}
