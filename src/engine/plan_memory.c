/* plan_memory.c - what a worker needs for a plan: maps, switches, scratch; see plan.h. */
#include "engine/op.h"
#include "kernels/sparse.h"
#include "kernels/winograd.h"

static struct map book(struct arena *arena, const struct plan *plan, const struct map *like,
                       int ring) {
    const struct map map = map_shape(like->channels, like->height, like->width, ring, like->lanes);
    return map_place(map, arena_take(arena, map_size(&map, plan->slots), sizeof(real)));
}

size_t plan_switches(const struct plan *plan, int stage) {
    const struct stage *s = &plan->network->stage[stage];
    return (size_t)pack_blocks(s->maps) * LANES * (size_t)s->pooled_height *
           (size_t)s->pooled_width;
}

static void book_where(struct workspace *w, struct arena *arena, const struct plan *plan) {
    const struct network *n = plan->network;
    size_t most = 0;
    for (int s = 0; s < n->stages; s++) {
        const size_t size = plan_switches(plan, s);
        if (size > most) most = size;
        if (plan->what[s] < 0 || n->variant.beta[s] > 0) continue;
        w->where[s] = arena_take(arena, size, (size_t)plan->slots);
        if (plan->objective.where_noise > 0)
            w->where_moved[s] = arena_take(arena, size, (size_t)plan->slots);
        if (plan->other) w->where_other[s] = arena_take(arena, size, (size_t)plan->slots);
    }
    if (n->variant.unpooling == UNPOOL_FIXED)
        w->where_first = arena_take(arena, most, (size_t)plan->group);
}

/* Bytes that the switch-sparse kernels need, and values of a map before a pool. */
static void measure_sparse(const struct plan *plan, size_t *work, size_t *scratch) {
    const struct network *n = plan->network;
    for (int i = 0; i < plan->ops; i++) {
        const struct op *op = &plan->op[i];
        if (op->kind != &op_conv_pool && op->kind != &op_unpool_conv && op->kind != &op_unpool_few)
            continue;
        const struct stage *stage = &n->stage[op->stage];
        const int sparse = op->kind == &op_conv_pool ? op->out[0] : op->in[0].tensor;
        const struct sparse s = {.what = plan->tensor[sparse].map,
                                 .pool = stage->pool,
                                 .height = stage->height,
                                 .width = stage->width};
        const struct layer *l = op->layer;
        const size_t scatter =
            scatter_scratch(&s, op->kind == &op_conv_pool ? l->in : l->out, l->kernel);
        const size_t outer = sparse_scratch(&s, l->kernel);
        if (scatter > *work) *work = scatter;
        if (outer > *work) *work = outer;
        if (op->kind != &op_conv_pool || l->sparse_sum || !l->trained) continue;
        const struct map full = map_shape(l->out, stage->height, stage->width, 0, LANES);
        const size_t size = map_size(&full, plan->group);
        if (size > *scratch) *scratch = size;
    }
}

/* Bytes that the Winograd kernels need. */
static size_t measure_winograd(const struct plan *plan) {
    size_t most = 0;
    for (int i = 0; i < plan->ops; i++) {
        const struct op *op = &plan->op[i];
        const struct layer *l = op->layer;
        if ((op->kind != &op_conv && op->kind != &op_conv_pool) || !l->winograd) continue;
        const struct map *x = &plan->tensor[op->in[0].tensor].map;
        const size_t size = op->kind == &op_conv
                                ? winograd_scratch(l->out, l->in)
                                : winograd_pool_scratch(l->out, l->in, x->height, x->width);
        if (size > most) most = size;
    }
    return most;
}

/* Values of the maps that a group's direct convolution reads as bf16: pairs of channels of what
 * goes in or of its gradient, or pairs of pixels of both. */
static size_t measure_pairs(const struct plan *plan) {
    size_t most = 0;
    for (int i = 0; i < plan->ops; i++) {
        const struct op *op = &plan->op[i];
        const struct layer *l = op->layer;
        if ((op->kind != &op_conv && op->kind != &op_conv_pool) || !(l->bf16 || l->bf16_outer) ||
            l->winograd)
            continue;
        const struct tensor *y = &plan->tensor[op->out[0]];
        const struct map *x = &plan->tensor[op->in[0].tensor].map;
        const struct map d =
            map_shape(y->map.channels, y->map.height, y->map.width, y->gradient_ring, y->map.lanes);
        size_t size = map_size(x, plan->group);
        if (l->bf16_outer) size += map_size(&d, plan->group);
        if (size > most) most = size;
    }
    return most;
}

void plan_book(struct workspace *w, struct arena *arena, const struct plan *plan) {
    size_t scratch = 0, work = measure_winograd(plan);
    measure_sparse(plan, &work, &scratch);
    for (int t = 0; t < plan->tensors; t++) {
        const struct tensor *tensor = &plan->tensor[t];
        w->value[t] = book(arena, plan, &tensor->map, tensor->map.ring);
        if (!tensor->uses) continue;
        w->gradient[t] = book(arena, plan, &tensor->map, tensor->gradient_ring);
        const struct map bare = map_shape(tensor->map.channels, tensor->map.height,
                                          tensor->map.width, 0, tensor->map.lanes);
        const size_t size = map_size(&bare, plan->group);
        if (tensor->uses > 1 && size > scratch) scratch = size;
    }
    w->scratch = arena_take(arena, scratch, sizeof(real));
    w->work = arena_take(arena, work, 1);
    w->pairs = arena_take(arena, measure_pairs(plan), sizeof(real));
    book_where(w, arena, plan);
}
