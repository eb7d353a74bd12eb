/* op_norm.c - batch normalisation in training, with statistics of the whole batch; docs/math.md.
 * Forward-only engines have it folded into the weights, or use the running ones (layers.c). */
#include "engine/layers.h"
#include "engine/op.h"

#include <math.h>

static size_t padded(const struct plan *plan, const struct op *op) {
    const struct map *map = &plan->tensor[op->out[0]].map;
    return (size_t)map_blocks(map) * (size_t)map->lanes;
}

static const real *values(const struct pass *p, const struct op *op, size_t which) {
    return p->norm_values + op->layer->norm_value + which * padded(p->plan, op);
}

/* Sum k of channel c over the shares, in a fixed order. */
static double total(const struct join *j, const struct op *op, size_t k, size_t c) {
    const size_t at = op->layer->norm_sum + k * padded(j->plan, op) + c;
    double sum = 0;
    for (int share = 0; share < ENGINE_SHARES; share++) sum += j->norm_sum[share][at];
    return sum;
}

static double pixels(const struct join *j, const struct op *op) {
    const struct map *map = &j->plan->tensor[op->out[0]].map;
    return (double)j->n * map->height * map->width;
}

/* Square root of variance and epsilon, inverted. */
static double inverse_deviation(const struct join *j, const struct op *op, size_t c) {
    const double count = pixels(j, op), mean = total(j, op, 0, c) / count;
    const double variance = total(j, op, 1, c) / count - mean * mean;
    return 1 / sqrt((variance > 0 ? variance : 0) + NORM_EPSILON);
}

static void sums_forward(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->in[0].tensor);
    p->kernels->norm_sums(p->norm_sum + op->layer->norm_sum, &x, p->images);
}

/* Mean and variance of the batch; they are left in the gradient for the running ones. */
static void sums_join(const struct join *j, const struct op *op) {
    const struct layer *l = op->layer;
    const size_t width = padded(j->plan, op);
    const double count = pixels(j, op);
    real *value = j->norm_values + l->norm_value;
    for (size_t c = 0; c < (size_t)l->out; c++) {
        const double mean = total(j, op, 0, c) / count;
        double variance = total(j, op, 1, c) / count - mean * mean;
        if (variance < 0) variance = 0; /* rounding */
        value[NORM_MEAN * width + c] = (real)mean;
        value[NORM_FACTOR * width + c] =
            (real)(layers_scale(l, j->parameters, c) * inverse_deviation(j, op, c));
        value[NORM_BIAS * width + c] = j->parameters[l->bias + c];
        j->gradient[l->mean + c] = (real)mean;
        j->gradient[l->variance + c] = (real)(count > 1 ? variance * count / (count - 1) : 0);
    }
}

static void norm_forward(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->source);
    struct map y = pass_value(p, op->out[0]);
    p->kernels->norm(&y, &x, values(p, op, NORM_MEAN), values(p, op, NORM_FACTOR),
                     values(p, op, NORM_BIAS), op->relu, p->images);
}

static void norm_back(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->source), d = pass_gradient(p, op->out[0]);
    p->kernels->norm_back_sums(p->norm_sum + op->layer->norm_sum + 2 * padded(p->plan, op), &d, &x,
                               values(p, op, NORM_MEAN), p->images);
}

/* With s the inverse deviation and xhat = s (x - mean):
 * dx = scale s (d - mean of d - xhat mean of (d xhat)). */
static void norm_join(const struct join *j, const struct op *op) {
    const struct layer *l = op->layer;
    const size_t width = padded(j->plan, op);
    const double count = pixels(j, op);
    real *value = j->norm_values + l->norm_value;
    for (size_t c = 0; c < (size_t)l->out; c++) {
        const double slope = total(j, op, 2, c), tilt = total(j, op, 3, c);
        const double s = inverse_deviation(j, op, c), scale = layers_scale(l, j->parameters, c);
        const bool turned = l->pool_first && j->parameters[l->scale + c] < 0;
        value[NORM_TILT * width + c] = (real)(-scale * s * s * s * tilt / count);
        value[NORM_SLOPE * width + c] = (real)(slope / count);
        j->gradient[l->bias + c] = (real)slope;
        j->gradient[l->scale + c] = (real)(turned ? -s * tilt : s * tilt);
    }
}

static void sums_back(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->in[0].tensor), d = pass_gradient(p, op->out[0]);
    struct gradient dx = gradient_begin(p, &op->in[0]);
    p->kernels->norm_back(&dx.map, &d, &x, values(p, op, NORM_MEAN), values(p, op, NORM_SLOPE),
                          values(p, op, NORM_FACTOR), values(p, op, NORM_TILT), p->images);
    gradient_end(p, &op->in[0], false);
}

const struct op_kind op_norm_sums = {
    .name = "norm-sums", .forward = sums_forward, .back = sums_back, .join = sums_join};
const struct op_kind op_norm = {
    .name = "norm", .forward = norm_forward, .back = norm_back, .join_back = norm_join};
