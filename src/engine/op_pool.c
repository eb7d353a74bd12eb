/* op_pool.c - pooling, which splits what from where, and unpooling, which joins them again. */
#include "engine/op.h"

static int pool_of(const struct pass *p, const struct op *op) {
    return p->plan->network->stage[op->stage].pool;
}

static real beta_of(const struct pass *p, const struct op *op) {
    return (real)p->plan->network->variant.beta[op->stage];
}

static void pool_forward(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->in[0].tensor);
    struct map what = pass_value(p, op->out[0]);
    p->kernels->pool(&what, pass_where(p, p->w->where[op->stage], op->stage), &x, pool_of(p, op),
                     p->images);
}

/* Back through pool and ReLU at once: a window whose maximum is 0 passes nothing. */
static void pool_back(const struct pass *p, const struct op *op) {
    const struct map d = pass_gradient(p, op->out[0]), what = pass_value(p, op->out[0]);
    struct gradient dx = gradient_begin(p, &op->in[0]);
    p->kernels->unpool(&dx.map, &d, pass_where(p, p->w->where[op->stage], op->stage),
                       dx.gated ? &what : NULL, pool_of(p, op), p->images);
    gradient_end(p, &op->in[0], true);
}

static void soft_pool_forward(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->in[0].tensor);
    struct map what = pass_value(p, op->out[0]), px = pass_value(p, op->out[1]),
               py = pass_value(p, op->out[2]);
    p->kernels->soft_pool(&what, &px, &py, &x, pool_of(p, op), beta_of(p, op), p->images);
}

static void soft_pool_back(const struct pass *p, const struct op *op) {
    const struct map x = pass_value(p, op->in[0].tensor), what = pass_value(p, op->out[0]),
                     px = pass_value(p, op->out[1]), py = pass_value(p, op->out[2]),
                     d_what = pass_gradient(p, op->out[0]), d_px = pass_gradient(p, op->out[1]),
                     d_py = pass_gradient(p, op->out[2]);
    const bool positions = p->plan->tensor[op->out[1]].uses > 0;
    struct gradient dx = gradient_begin(p, &op->in[0]);
    p->kernels->soft_pool_back(&dx.map, &x, &what, &px, &py, &d_what, positions ? &d_px : NULL,
                               positions ? &d_py : NULL, pool_of(p, op), beta_of(p, op), p->images);
    gradient_end(p, &op->in[0], false);
}

const struct op_kind op_pool = {.name = "pool", .forward = pool_forward, .back = pool_back};
const struct op_kind op_soft_pool = {
    .name = "soft-pool", .forward = soft_pool_forward, .back = soft_pool_back};

/* ---- unpooling ---- */

uint8_t *op_where(const struct pass *p, const struct op *op) {
    struct workspace *w = p->w;
    if (p->plan->network->variant.unpooling == UNPOOL_FIXED) return w->where_first;
    if (p->plan->other) return pass_where(p, w->where_other[op->stage], op->stage);
    return pass_where(p, op->weight > 0 ? w->where_moved[op->stage] : w->where[op->stage],
                      op->stage);
}

static void unpool_forward(const struct pass *p, const struct op *op) {
    const struct map what = pass_value(p, op->in[0].tensor);
    struct map x = pass_value(p, op->out[0]);
    const bool average = p->plan->network->variant.unpooling == UNPOOL_AVERAGE;
    if (p->plan->every_cell)
        p->kernels->upsample(&x, &what, pool_of(p, op), average, p->images);
    else
        p->kernels->unpool(&x, &what, op_where(p, op), NULL, pool_of(p, op), p->images);
}

static void unpool_back(const struct pass *p, const struct op *op) {
    const struct map d = pass_gradient(p, op->out[0]);
    const bool average = p->plan->network->variant.unpooling == UNPOOL_AVERAGE;
    struct gradient d_what = gradient_begin(p, &op->in[0]);
    if (p->plan->every_cell)
        p->kernels->sum_windows(&d_what.map, &d, pool_of(p, op), average, p->images);
    else
        p->kernels->gather(&d_what.map, &d, op_where(p, op), pool_of(p, op), p->images);
    gradient_end(p, &op->in[0], false);
}

static void soft_unpool_forward(const struct pass *p, const struct op *op) {
    const bool other = p->plan->other;
    const struct map what = pass_value(p, op->in[0].tensor);
    const struct map px = pass_value(p, other ? p->plan->px_other[op->stage] : op->in[1].tensor);
    const struct map py = pass_value(p, other ? p->plan->py_other[op->stage] : op->in[2].tensor);
    struct map x = pass_value(p, op->out[0]);
    p->kernels->soft_unpool(&x, &what, &px, &py, pool_of(p, op), p->images);
}

static void soft_unpool_back(const struct pass *p, const struct op *op) {
    const struct map what = pass_value(p, op->in[0].tensor), px = pass_value(p, op->in[1].tensor),
                     py = pass_value(p, op->in[2].tensor), d = pass_gradient(p, op->out[0]);
    struct gradient d_what = gradient_begin(p, &op->in[0]);
    /* nothing else reads the coordinates, so that scratch is free for d_what */
    struct gradient d_px = gradient_begin(p, &op->in[1]), d_py = gradient_begin(p, &op->in[2]);
    p->kernels->soft_unpool_back(&d_what.map, &d_px.map, &d_py.map, &d, &what, &px, &py,
                                 pool_of(p, op), p->images);
    for (int k = 0; k < 3; k++) gradient_end(p, &op->in[k], false);
}

const struct op_kind op_unpool = {.name = "unpool", .forward = unpool_forward, .back = unpool_back};
const struct op_kind op_soft_unpool = {
    .name = "soft-unpool", .forward = soft_unpool_forward, .back = soft_unpool_back};
