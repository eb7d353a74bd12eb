/* plan.c - from a network and a loss to a list of operations; see plan.h. */
#include "engine/layers.h"
#include "engine/op.h"

#include <stdlib.h>
#include <string.h>

/* Room for a group's maps. More than a core's second-level cache: where a stage's dense passes come
 * one after the other, weights read once for four images are worth more. Measured: docs/speed.md.
 */
#define GROUP_BYTES (1u << 24)

/* ---- tensors and operations ---- */

/* Room for one element more. Without it, plan_build fails at its end. */
static bool grow(struct plan *plan, void **array, int count, size_t size) {
    if (count & (count - 1)) return true; /* room up to the next power of two */
    void *more = realloc(*array, (size_t)(count ? 2 * count : 1) * size);
    if (more)
        *array = more;
    else
        plan->failed = true;
    return more != NULL;
}

/* Appends a tensor; -1 when memory is out, and so for what is built on it. */
static int add_tensor(struct plan *plan, int channels, int height, int width, int lanes,
                      bool relu) {
    if (!grow(plan, (void **)&plan->tensor, plan->tensors, sizeof *plan->tensor)) return -1;
    plan->tensor[plan->tensors] =
        (struct tensor){.map = map_shape(channels, height, width, 0, lanes),
                        .relu = relu,
                        .gradient = plan->training};
    return plan->tensors++;
}

static int add_like(struct plan *plan, int tensor, bool relu) {
    if (tensor < 0) return -1;
    const struct map map = plan->tensor[tensor].map;
    return add_tensor(plan, map.channels, map.height, map.width, map.lanes, relu);
}

static void add_op(struct plan *plan, struct op op) {
    if (!grow(plan, (void **)&plan->op, plan->ops, sizeof *plan->op)) return;
    plan->op[plan->ops++] = op;
}

/* An operation of one tensor to another. */
static struct op plain(const struct op_kind *kind, int from, int to) {
    return (struct op){.kind = kind,
                       .in = {{.tensor = from}, {.tensor = -1}, {.tensor = -1}},
                       .out = {to, -1, -1},
                       .source = -1};
}

static void need_ring(struct plan *plan, int tensor, int ring) {
    struct map *map = &plan->tensor[tensor].map;
    if (map->ring < ring)
        *map = map_shape(map->channels, map->height, map->width, ring, map->lanes);
}

/* The last convolution of a stage with the pool after it, in one; its output, the what. */
static int add_conv_pool(struct plan *plan, int s, int x) {
    const struct stage *stage = &plan->network->stage[s];
    struct layer *l = &plan->encoder_layer[s][stage->convs - 1];
    if (x < 0) return -1;
    need_ring(plan, x, l->kernel / 2);
    const int what =
        add_tensor(plan, stage->maps, stage->pooled_height, stage->pooled_width, LANES, false);
    struct op op = plain(&op_conv_pool, x, what);
    op.layer = l;
    op.stage = s;
    op.relu = !l->pool_first;
    add_op(plan, op);
    return what;
}

/* Batch normalisation of what layer l made. */
static int add_norm(struct plan *plan, struct layer *l, int y, bool relu) {
    const int z = add_like(plan, y, relu);
    struct op op = plain(&op_norm_sums, y, z);
    op.layer = l;
    op.relu = relu;
    if (plan->training) add_op(plan, op);
    op.kind = &op_norm;
    op.in[0].tensor = -1;
    op.source = y;
    add_op(plan, op);
    return z;
}

/* An operation that ends in the convolution of layer l, height by width, and what follows it; its
 * output. */
static int add_conv_op(struct plan *plan, struct op op, struct layer *l, int height, int width,
                       bool relu) {
    const bool normed = l->normed && !l->folded;
    const int y = add_tensor(plan, l->out, height, width, l->few ? 1 : LANES, relu && !normed);
    if (y < 0) return -1;
    plan->tensor[y].gradient_ring = l->kernel / 2;
    op.out[0] = y;
    op.layer = l;
    op.relu = relu && !normed;
    add_op(plan, op);
    return normed && !l->pool_first ? add_norm(plan, l, y, relu) : y;
}

static int add_conv(struct plan *plan, struct layer *l, int x, bool relu) {
    if (x < 0) return -1;
    need_ring(plan, x, l->kernel / 2);
    const struct map from = plan->tensor[x].map;
    return add_conv_op(plan, plain(&op_conv, x, -1), l, from.height, from.width, relu);
}

static int add_dropout(struct plan *plan, int x, double share) {
    if (!(share > 0)) return x;
    const int y = add_like(plan, x, false);
    struct op op = plain(&op_dropout, x, y);
    op.weight = share;
    add_op(plan, op);
    return y;
}

static int add_pool(struct plan *plan, int s, int x) {
    const struct stage *stage = &plan->network->stage[s];
    const bool soft = plan->network->variant.beta[s] > 0;
    const int what =
        add_tensor(plan, stage->maps, stage->pooled_height, stage->pooled_width, LANES, false);
    struct op op = plain(soft ? &op_soft_pool : &op_pool, x, what);
    op.stage = s;
    if (soft) {
        op.out[1] = plan->px[s] = add_like(plan, what, false);
        op.out[2] = plan->py[s] = add_like(plan, what, false);
        if (plan->other) {
            plan->px_other[s] = add_like(plan, what, false);
            plan->py_other[s] = add_like(plan, what, false);
        }
    }
    add_op(plan, op);
    return what;
}

static void add_encoder(struct plan *plan, int stages) {
    const struct network *n = plan->network;
    const struct objective *o = &plan->objective;
    int x = plan->image =
        add_tensor(plan, n->channels, n->height, n->width, layers_image_lanes(n), false);
    if (x < 0) return;
    plan->tensor[x].gradient = false;
    add_op(plan, plain(&op_load, -1, x));
    if (o->noise > 0) {
        const int noisy = add_like(plan, x, false);
        if (noisy < 0) return;
        plan->tensor[noisy].gradient = false;
        struct op op = plain(&op_noise, -1, noisy);
        op.source = x;
        op.weight = o->noise;
        add_op(plan, op);
        x = noisy;
    }
    for (int s = 0; s < stages; s++) {
        for (int c = 0; c < n->stage[s].convs; c++) {
            struct layer *l = &plan->encoder_layer[s][c];
            if (s > 0 || c > 0) x = add_dropout(plan, x, o->dropout_conv);
            x = l->conv_pool ? add_conv_pool(plan, s, x) : add_conv(plan, l, x, true);
        }
        struct layer *last = &plan->encoder_layer[s][n->stage[s].convs - 1];
        if (!last->conv_pool) x = add_pool(plan, s, x);
        if (last->pool_first) x = add_norm(plan, last, x, true);
        plan->what[s] = x;
    }
}

static int add_linear(struct plan *plan, struct layer *l, int x, const struct stage *shape,
                      bool relu) {
    const int y = shape ? add_tensor(plan, shape->maps, shape->pooled_height, shape->pooled_width,
                                     LANES, relu)
                        : add_tensor(plan, l->out, 1, 1, LANES, relu);
    struct op op = plain(&op_linear, x, y);
    op.layer = l;
    op.relu = relu;
    add_op(plan, op);
    return y;
}

static void add_classifier(struct plan *plan) {
    const struct network *n = plan->network;
    int x = plan->what[n->stages - 1];
    for (int j = 0; j < n->fcs; j++) {
        x = add_dropout(plan, x, plan->objective.dropout);
        x = add_linear(plan, &plan->fc[j], x, NULL, j + 1 < n->fcs);
    }
    plan->logits = x;
}

/* From the classes down to the top pooled map. */
static int add_mirror(struct plan *plan) {
    const struct network *n = plan->network;
    int x = add_like(plan, plan->logits, false);
    add_op(plan, plain(&op_classes, plan->logits, x));
    for (int j = n->fcs - 1; j >= 0; j--)
        x = add_linear(plan, &plan->mirror[j], x, j ? NULL : &n->stage[n->stages - 1], true);
    return x;
}

/* A stage's unpooling and the convolution after it; its output. */
static int add_unpool(struct plan *plan, int s, int what, bool relu) {
    const struct stage *stage = &plan->network->stage[s];
    struct layer *l = &plan->decoder_layer[s][stage->convs - 1];
    const bool switches = plan->network->variant.unpooling == UNPOOL_SWITCHES && !plan->every_cell;
    const double moved = switches ? plan->objective.where_noise : 0;
    int px = plan->px[s], py = plan->py[s];
    const bool soft = switches && px >= 0;
    if (moved > 0) {
        struct op op = plain(soft ? &op_soft_move : &op_move, px, -1);
        op.stage = s;
        op.weight = moved;
        if (soft) {
            op.in[1].tensor = py;
            op.out[0] = px = add_like(plan, px, false);
            op.out[1] = py = add_like(plan, py, false);
        }
        add_op(plan, op);
    }
    struct op op = plain(soft ? &op_soft_unpool : &op_unpool, what, -1);
    op.stage = s;
    op.weight = moved;
    if (l->unpool_conv) {
        op.kind = &op_unpool_conv;
        return add_conv_op(plan, op, l, stage->height, stage->width, relu);
    }
    const int x = add_tensor(plan, stage->maps, stage->height, stage->width, LANES, false);
    if (l->unpool_few && x >= 0) {
        op.kind = &op_unpool_few;
        op.out[1] = x;
        need_ring(plan, x, l->kernel / 2);
        return add_conv_op(plan, op, l, stage->height, stage->width, relu);
    }
    op.out[0] = x;
    if (soft) {
        op.in[1].tensor = px;
        op.in[2].tensor = py;
    }
    add_op(plan, op);
    return add_conv(plan, l, x, relu);
}

/* A term that compares the decoder's tensor with the encoder's, or with the image. */
static void add_distance(struct plan *plan, int decoded, int encoded, int s, double weight) {
    struct op op = plain(&op_distance, decoded, -1);
    op.stage = s;
    op.weight = weight;
    if (encoded == plan->image)
        op.source = encoded;
    else
        op.in[1].tensor = encoded;
    add_op(plan, op);
}

static void add_decoder(struct plan *plan, int top, const bool needed[], int decoded[]) {
    const struct network *n = plan->network;
    for (int s = n->stages - 1; s >= 0; s--) {
        if (!needed[s]) continue;
        int x = s == n->stages - 1 ? top : decoded[s + 1];
        if (plan->objective.layers == LAYERS_LAYERWISE) x = plan->what[s];
        x = add_unpool(plan, s, x, s > 0 || n->stage[s].convs > 1);
        for (int c = n->stage[s].convs - 2; c >= 0; c--)
            x = add_conv(plan, &plan->decoder_layer[s][c], x, s > 0 || c > 0);
        if (s == 0 && n->variant.output == OUTPUT_SIGMOID && x >= 0) {
            const int y = add_like(plan, x, false);
            add_op(plan, plain(&op_sigmoid, x, y));
            x = y;
        }
        decoded[s] = x;
    }
    plan->rebuilt = decoded[0];
}

static void add_terms(struct plan *plan, int stages, int top, const int decoded[]) {
    const struct network *n = plan->network;
    const struct objective *o = &plan->objective;
    if (o->nll > 0) {
        struct op op = plain(&op_nll, plan->logits, -1);
        op.weight = o->nll;
        add_op(plan, op);
    }
    if (o->rec > 0) add_distance(plan, plan->rebuilt, plan->image, 0, o->rec);
    for (int b = 0; b < objective_boundaries(n); b++)
        if (o->m[b] > 0)
            add_distance(plan, b + 1 < n->stages ? decoded[b + 1] : top, plan->what[b], b, o->m[b]);
    for (int s = 0; o->l1 > 0 && s < stages; s++) {
        struct op op = plain(&op_l1, plan->what[s], -1);
        op.weight = o->l1;
        add_op(plan, op);
    }
}

/* Counts the gradients of every tensor, and marks the first and the last of each. */
static void link_gradients(struct plan *plan) {
    for (int i = plan->ops - 1; i >= 0; i--)
        for (int k = 0; k < OP_INPUTS; k++) {
            struct input *in = &plan->op[i].in[k];
            if (in->tensor >= 0 && plan->tensor[in->tensor].gradient)
                in->first = !plan->tensor[in->tensor].uses++;
        }
    bool *seen = calloc((size_t)plan->tensors, sizeof *seen);
    plan->failed |= !seen;
    for (int i = 0; seen && i < plan->ops; i++)
        for (int k = 0; k < OP_INPUTS; k++) {
            struct input *in = &plan->op[i].in[k];
            if (in->tensor < 0 || seen[in->tensor]) continue;
            seen[in->tensor] = in->last = true;
        }
    free(seen);
}

/* Which stages of encoder and decoder a loss needs. */
static int needed_stages(const struct plan *plan, bool decoder[]) {
    const struct network *n = plan->network;
    const struct objective *o = &plan->objective;
    const bool layerwise = o->layers == LAYERS_LAYERWISE;
    int encoder = 0;
    for (int s = 0; s < n->stages; s++) {
        const bool term = s ? o->m[s - 1] > 0 : o->rec > 0;
        decoder[s] = !plan->training || (layerwise ? term : s >= plan->lowest);
        if (decoder[s]) encoder = s + 1;
    }
    return !plan->training || !layerwise || plan->classifier || o->l1 > 0 ? n->stages : encoder;
}

swwae_status plan_build(struct plan *plan, const struct network *network,
                        const struct engine_options *options, const struct kernels *kernels) {
    swwae_status status = SWWAE_OK;
    bool encoder[NOTATION_STAGES], decoder[NOTATION_STAGES], mirror = network->variant.classes_top;
    int decoded[NOTATION_STAGES], top = -1;
    memset(plan, 0, sizeof *plan);
    plan->network = network;
    plan->training = options->objective != NULL;
    plan->classifier = network->fcs > 0;
    plan->image = plan->logits = plan->rebuilt = -1;
    for (int s = 0; s < NOTATION_STAGES; s++)
        plan->what[s] = plan->px[s] = plan->py[s] = plan->px_other[s] = plan->py_other[s] =
            decoded[s] = -1;
    if (plan->training) {
        plan->objective = *options->objective;
        plan->lowest = objective_decoder_bottom(&plan->objective, network);
        mirror = objective_mirror_on(&plan->objective, network);
        plan->classifier = plan->objective.nll > 0 || mirror;
    }
    plan->sparse = !options->dense;
    plan->bf16 = options->precision == PRECISION_BF16;
    plan->winograd = !options->direct;
    plan->other = !plan->training && options->where == SWWAE_WHERE_OTHER &&
                  network->variant.unpooling == UNPOOL_SWITCHES;
    plan->every_cell = network->variant.unpooling == UNPOOL_UPSAMPLE ||
                       network->variant.unpooling == UNPOOL_AVERAGE ||
                       (!plan->training && options->where == SWWAE_WHERE_NONE);
    const int stages = needed_stages(plan, decoder);
    for (int s = 0; s < network->stages; s++) encoder[s] = s < stages;
    layers_plan(plan, encoder, decoder, mirror, kernels->sparse_few);

    add_encoder(plan, stages);
    plan->encoder = (struct range){0, plan->ops};
    if (plan->classifier) add_classifier(plan);
    plan->classify = (struct range){plan->encoder.end, plan->ops};
    top = mirror ? add_mirror(plan) : plan->what[network->stages - 1];
    add_decoder(plan, top, decoder, decoded);
    plan->decoder = (struct range){plan->classify.end, plan->ops};
    if (plan->training) add_terms(plan, stages, top, decoded);
    plan->terms = (struct range){plan->decoder.end, plan->ops};
    for (int i = 0; i < plan->ops; i++) plan->whole |= plan->op[i].kind->join != NULL;
    CHECK(!plan->failed, SWWAE_E_MEMORY, "cannot allocate an engine");
    if (plan->training) link_gradients(plan);

    plan->group = plan->slots = 1;
    struct arena arena = {0};
    struct workspace workspace = {0};
    workspace.value = calloc((size_t)plan->tensors, sizeof *workspace.value);
    workspace.gradient = calloc((size_t)plan->tensors, sizeof *workspace.gradient);
    plan->failed |= !workspace.value || !workspace.gradient;
    if (!plan->failed) plan_book(&workspace, &arena, plan);
    free(workspace.value);
    free(workspace.gradient);
    CHECK(!plan->failed, SWWAE_E_MEMORY, "cannot allocate an engine");
    if (!arena.overflowed && arena.used && arena.used < GROUP_BYTES)
        plan->group = (int)(GROUP_BYTES / arena.used);
    if (plan->group > PLAN_GROUP) plan->group = PLAN_GROUP;
    plan->slots = plan->group;
    if (plan->whole) plan->slots = (options->batch + ENGINE_SHARES - 1) / ENGINE_SHARES;
fail:
    if (status != SWWAE_OK) plan_free(plan);
    return status;
}

void plan_free(struct plan *plan) {
    free(plan->tensor);
    free(plan->op);
    plan->tensor = NULL;
    plan->op = NULL;
}
