/* profile.c - what the passes of a step are, do and cost; see profile.h. */
#include "engine/profile.h"

#include "base/parallel.h"
#include "engine/cpu.h"
#include "kernels/winograd.h"

#include <stdio.h>
#include <stdlib.h>

swwae_status engine_profile(struct engine *e) {
    swwae_status status = SWWAE_OK;
    free(e->clock);
    e->clock = calloc((size_t)e->plan.ops * ENGINE_SHARES, sizeof *e->clock);
    CHECK(e->clock, SWWAE_E_MEMORY, "cannot allocate a profile");
fail:
    return status;
}

/* Operations that only load or draw have no way back, and terms no way forward. */
static bool runs(const struct plan *plan, const struct op *op, bool back) {
    const bool term = op - plan->op >= plan->terms.begin;
    return back ? op->kind->back != NULL && engine_has_gradient(plan, op) : !term;
}

static const struct op *find(const struct engine *e, int i, bool *back) {
    const struct plan *plan = &e->plan;
    for (int move = 0; move < 2 * plan->ops; move++) {
        *back = move >= plan->ops;
        const struct op *op = &plan->op[*back ? 2 * plan->ops - 1 - move : move];
        if (runs(plan, op, *back) && i-- == 0) return op;
    }
    return NULL;
}

int engine_passes(const struct engine *e) {
    int count = 0;
    for (int i = 0; i < e->plan.ops; i++)
        count += runs(&e->plan, &e->plan.op[i], false) + runs(&e->plan, &e->plan.op[i], true);
    return count;
}

/* ---- names ---- */

void engine_name_layer(char *text, size_t size, const struct plan *plan, const struct op *op) {
    const struct network *n = plan->network;
    *text = 0;
    for (int s = 0; s < n->stages; s++)
        for (int c = 0; c < n->stage[s].convs; c++) {
            if (op->layer == &plan->encoder_layer[s][c])
                snprintf(text, size, "encoder.%d.%d", s, c);
            if (op->layer == &plan->decoder_layer[s][c])
                snprintf(text, size, "decoder.%d.%d", s, c);
        }
    for (int j = 0; j < n->fcs; j++) {
        if (op->layer == &plan->fc[j]) snprintf(text, size, "classifier.%d", j);
        if (op->layer == &plan->mirror[j]) snprintf(text, size, "decoder.fc.%d", j);
    }
    if (op->layer) return;
    const bool staged = op->kind == &op_pool || op->kind == &op_soft_pool ||
                        op->kind == &op_unpool || op->kind == &op_soft_unpool ||
                        op->kind == &op_move || op->kind == &op_soft_move;
    if (staged) snprintf(text, size, "stage %d", op->stage);
    if (op->kind == &op_distance)
        snprintf(text, size, op->source >= 0 ? "image" : "boundary %d", op->stage);
}

/* ---- reasons ---- */

static bool beside_pool(const struct plan *plan, const struct layer *l, int *stage) {
    const struct network *n = plan->network;
    for (int s = 0; s < n->stages; s++) {
        *stage = s;
        if (l == &plan->encoder_layer[s][n->stage[s].convs - 1] ||
            l == &plan->decoder_layer[s][n->stage[s].convs - 1])
            return true;
    }
    return false;
}

static const char *reason(const struct plan *plan, const struct op *op, bool back) {
    int stage = 0;
    if (op->kind == &op_conv_pool) {
        if (!back) return "dense: every cell competes for the maximum; the map between is not kept";
        return op->layer->sparse_sum ? "sparse: a gradient at the switches only"
                                     : "sparse, but for the weights: few input maps";
    }
    if (op->kind == &op_unpool_conv)
        return back ? "sparse: both gradients meet at the switches"
                    : "sparse: values at the switches";
    if (op->kind == &op_unpool_few)
        return back ? "sparse: both gradients meet at the switches" : "dense: few output maps";
    if (op->kind != &op_conv) return "";
    if (!beside_pool(plan, op->layer, &stage)) return "dense: no pool beside it";
    if (!plan->sparse) return "dense: SWWAE_SPARSE=0";
    if (op->layer->kernel == 1) return "dense: a kernel of one cell gains nothing";
    if (plan->network->variant.beta[stage] > 0) return "dense: soft pooling uses every cell";
    if (plan->every_cell) return "dense: unpooling fills every cell";
    if (op->layer->few) return "dense: few output maps";
    if (op->layer->normed) return "dense: batch normalisation spreads the gradient";
    return "dense";
}

/* The kind of operation, and how its dense pass multiplies. */
static const char *kernel_name(const struct op *op, bool back) {
    const struct layer *l = op->layer;
    const bool bf16 = l && (back ? l->bf16_outer : l->bf16);
    if (op->kind == &op_conv && l->winograd) return bf16 ? "conv/winograd-bf16" : "conv/winograd";
    if (op->kind == &op_conv && bf16) return "conv/bf16";
    if (op->kind != &op_conv_pool || back) return op->kind->name;
    if (l->winograd) return bf16 ? "conv-pool/winograd-bf16" : "conv-pool/winograd";
    return bf16 ? "conv-pool/bf16" : op->kind->name;
}

/* ---- operations ---- */

/* Of one image, and of one value where the pass is sparse. */
static void count_flops(const struct plan *plan, const struct op *op, bool back, double entries,
                        double images, double *done, double *dense) {
    const struct layer *l = op->layer;
    *done = *dense = 0;
    if (!l || op->kind == &op_norm || op->kind == &op_norm_sums) return;
    const double weights = 2.0 * l->out * l->in * (l->kernel ? l->kernel * l->kernel : 1);
    const struct map *y = &plan->tensor[op->out[0]].map;
    const double pixels = l->kernel ? (double)y->height * y->width : 1;
    const double winograd = 2.0 * l->out * l->in * WINOGRAD_POSITIONS; /* a tile */
    const bool input = op->in[0].tensor >= 0 && plan->tensor[op->in[0].tensor].gradient;
    if (op->kind != &op_conv_pool && op->kind != &op_unpool_conv && op->kind != &op_unpool_few) {
        *dense = *done = images * weights * pixels * (back ? 1 + input : 1);
        if (l->winograd && op->kind == &op_conv)
            *done =
                winograd * winograd_tiles(y->height, y->width, 1) * images * (back ? 1 + input : 1);
        return;
    }
    const struct stage *stage = &plan->network->stage[op->stage];
    const double full = images * weights * stage->height * stage->width;
    const int channels = op->kind == &op_conv_pool ? l->out : l->in;
    const double sparse = entries * weights / channels;
    *dense = full * (back ? 1 + input : 1);
    if (!back)
        *done = op->kind == &op_unpool_conv ? sparse
                : l->winograd ? winograd * winograd_tiles(stage->height, stage->width, 1) * images
                              : full;
    else
        *done = (l->sparse_sum ? sparse : full) + (input ? sparse : 0);
}

struct engine_pass engine_pass_at(const struct engine *e, int i) {
    struct engine_pass pass = {.kernel = ""};
    const struct op *op = find(e, i, &pass.back);
    if (!op) return pass;
    double entries = 0, images = 0;
    for (int share = 0; e->clock && share < ENGINE_SHARES; share++) {
        const struct op_clock *c = &e->clock[share * e->plan.ops + (int)(op - e->plan.op)];
        pass.seconds += c->seconds[pass.back];
        entries += c->entries;
        images += c->images;
    }
    engine_name_layer(pass.layer, sizeof pass.layer, &e->plan, op);
    pass.kernel = kernel_name(op, pass.back);
    pass.reason = reason(&e->plan, op, pass.back);
    count_flops(&e->plan, op, pass.back, entries, images, &pass.flops, &pass.flops_dense);
    return pass;
}

/* ---- measuring ---- */

/* Values above 0 of the group in a pooled map: what a sparse pass does not skip. */
static double entries_of(const struct pass *p, int tensor) {
    const struct map map = pass_value(p, tensor);
    double count = 0;
    for (int n = 0; n < p->images; n++)
        for (int c = 0; c < map.channels; c++)
            for (int i = 0; i < map.height; i++)
                for (int j = 0; j < map.width; j++) count += *map_at(&map, n, c, i, j) > 0;
    return count;
}

/* Its windows: a maximum that is normalised passes a gradient whatever it is. */
static double windows_of(const struct pass *p, int tensor) {
    const struct map *map = &p->plan->tensor[tensor].map;
    return (double)p->images * map->channels * map->height * map->width;
}

void profile_run(struct op_clock *clock, const struct pass *pass, const struct op *op, bool back) {
    const double start = parallel_clock();
    (back ? op->kind->back : op->kind->forward)(pass, op);
    clock->seconds[back] += parallel_clock() - start;
    if (back) return;
    clock->images += pass->images;
    if (op->kind == &op_conv_pool)
        clock->entries += op->relu ? entries_of(pass, op->out[0]) : windows_of(pass, op->out[0]);
    if (op->kind == &op_unpool_conv || op->kind == &op_unpool_few)
        clock->entries += entries_of(pass, op->in[0].tensor);
}
