/* plan.c - layers, packed offsets and maps; see plan.h. */
#include "engine/plan.h"

#include <string.h>

/* Images of up to this many channels are kept planar: blocks of 16 would be mostly padding. */
#define PLANAR_CHANNELS 4

/* A group's maps should stay in a core's second-level cache. */
#define GROUP_BYTES (1u << 20)
#define GROUP_MOST 4

static int image_lanes(const struct network *n) {
    return n->channels <= PLANAR_CHANNELS ? 1 : LANES;
}

static void layer_add(struct plan *plan, struct layer *layer, bool back) {
    plan->layer[plan->layers++] = layer;
    const size_t bias = (size_t)pack_blocks(layer->out) * LANES;
    size_t size;
    if (!layer->kernel)
        size = pack_linear_size(layer->out, layer->in, layer->pixels);
    else if (layer->few)
        size = pack_conv_few_size(layer->out, layer->in, layer->kernel);
    else
        size = pack_conv_size(layer->out, layer->in, layer->kernel);
    layer->packed = plan->packed_size;
    layer->packed_bias = layer->packed + size;
    plan->packed_size = layer->packed_bias + bias;
    if (!layer->trained) return;
    if (layer->kernel && back) {
        layer->packed_back = plan->packed_size;
        plan->packed_size += pack_conv_size(layer->in, layer->out, layer->kernel);
    }
    layer->sum = plan->sum_size;
    if (!layer->kernel)
        size = pack_linear_size(layer->out, layer->in, layer->pixels);
    else if (layer->few)
        size = pack_outer_size(layer->in, layer->out, layer->kernel);
    else
        size = pack_outer_size(layer->out, layer->in, layer->kernel);
    layer->bias_sum = layer->sum + size;
    plan->sum_size = layer->bias_sum + bias;
}

static struct layer conv_layer(const struct conv_layer *conv, int lanes) {
    return (struct layer){.weight = conv->weight,
                          .bias = conv->bias,
                          .out = conv->out,
                          .in = conv->in,
                          .kernel = conv->kernel,
                          .lanes = lanes};
}

void plan_build(struct plan *plan, const struct network *network,
                const struct engine_options *options) {
    const struct objective *objective = options->objective;
    memset(plan, 0, sizeof *plan);
    plan->network = network;
    plan->training = objective != NULL;
    plan->decoder_bottom = network->stages;
    if (objective) {
        plan->objective = *objective;
        plan->decoder_bottom = objective_decoder_bottom(objective, network);
        plan->classifier = objective->nll > 0;
    }
    for (int s = 0; s < network->stages; s++)
        for (int c = 0; c < network->stage[s].convs; c++) {
            const int lanes = s == 0 && c == 0 ? image_lanes(network) : LANES;
            struct layer *layer = &plan->encoder[s][c];
            *layer = conv_layer(&network->stage[s].encoder[c], lanes);
            layer->trained = plan->training;
            layer_add(plan, layer, s > 0 || c > 0);
        }
    for (int j = 0; j < network->fcs; j++) {
        const struct fc_layer *fc = &network->fc[j];
        const struct stage *top = &network->stage[network->stages - 1];
        plan->fc[j] = (struct layer){.weight = fc->weight,
                                     .bias = fc->bias,
                                     .out = fc->out,
                                     .in = fc->in,
                                     .pixels = j ? 1 : top->pooled_height * top->pooled_width,
                                     .trained = plan->classifier};
        layer_add(plan, &plan->fc[j], false);
    }
    for (int s = 0; s < network->stages; s++)
        for (int c = 0; c < network->stage[s].convs; c++) {
            struct layer *layer = &plan->decoder[s][c];
            *layer = conv_layer(&network->stage[s].decoder[c], LANES);
            layer->few = s == 0 && c == 0 && image_lanes(network) == 1;
            layer->trained = s >= plan->decoder_bottom;
            layer_add(plan, layer, true);
        }

    plan->group = 1;
    struct workspace workspace;
    struct arena arena = {0};
    plan_book(&workspace, &arena, plan);
    if (!arena.overflowed && arena.used < GROUP_BYTES)
        plan->group = (int)(GROUP_BYTES / arena.used) < GROUP_MOST ? (int)(GROUP_BYTES / arena.used)
                                                                   : GROUP_MOST;
}

static struct map book(struct arena *arena, const struct plan *plan, int channels, int height,
                       int width, int ring, int lanes) {
    const struct map map = map_shape(channels, height, width, ring, lanes);
    return map_place(map, arena_take(arena, map_size(&map, plan->group), sizeof(real)));
}

size_t plan_switches(const struct plan *plan, int stage) {
    const struct stage *s = &plan->network->stage[stage];
    return (size_t)pack_blocks(s->maps) * LANES * (size_t)s->pooled_height *
           (size_t)s->pooled_width;
}

static void book_forward(struct workspace *w, struct arena *arena, const struct plan *plan) {
    const struct network *n = plan->network;
    w->image = book(arena, plan, n->channels, n->height, n->width,
                    n->stage[0].encoder[0].kernel / 2, image_lanes(n));
    for (int s = 0; s < n->stages; s++) {
        const struct stage *stage = &n->stage[s];
        for (int c = 0; c < stage->convs; c++) {
            const int ring = c + 1 < stage->convs ? stage->encoder[c + 1].kernel / 2 : 0;
            w->encoded[s][c] =
                book(arena, plan, stage->encoder[c].out, stage->height, stage->width, ring, LANES);
        }
        const int ring = s + 1 < n->stages ? n->stage[s + 1].encoder[0].kernel / 2 : 0;
        w->what[s] =
            book(arena, plan, stage->maps, stage->pooled_height, stage->pooled_width, ring, LANES);
        w->where[s] = arena_take(arena, plan_switches(plan, s), (size_t)plan->group);
    }
    for (int j = 0; j < n->fcs; j++)
        if (!plan->training || plan->classifier)
            w->fc[j] = arena_take(arena, (size_t)pack_blocks(n->fc[j].out) * LANES,
                                  sizeof(real) * (size_t)plan->group);
    for (int s = plan->training ? plan->decoder_bottom : 0; s < n->stages; s++) {
        const struct stage *stage = &n->stage[s];
        w->unpooled[s] = book(arena, plan, stage->maps, stage->height, stage->width,
                              stage->decoder[stage->convs - 1].kernel / 2, LANES);
        for (int c = 0; c < stage->convs; c++) {
            const bool last = s == 0 && c == 0;
            w->decoded[s][c] =
                book(arena, plan, stage->decoder[c].out, stage->height, stage->width,
                     c > 0 ? stage->decoder[c - 1].kernel / 2 : 0, last ? image_lanes(n) : LANES);
        }
        if (!plan->training)
            w->where_other[s] = arena_take(arena, plan_switches(plan, s), (size_t)plan->group);
    }
}

/* One block of zeros, as large as the largest stage's switches, serves every stage. */
static void book_first(struct workspace *w, struct arena *arena, const struct plan *plan) {
    size_t most = 0;
    for (int s = 0; s < plan->network->stages; s++)
        if (plan_switches(plan, s) > most) most = plan_switches(plan, s);
    w->where_first[0] = arena_take(arena, most, (size_t)plan->group);
    for (int s = 1; s < plan->network->stages; s++) w->where_first[s] = w->where_first[0];
}

static void book_backward(struct workspace *w, struct arena *arena, const struct plan *plan) {
    const struct network *n = plan->network;
    for (int s = 0; s < n->stages; s++) {
        const struct stage *stage = &n->stage[s];
        for (int c = 0; c < stage->convs; c++)
            w->g_encoded[s][c] = book(arena, plan, stage->encoder[c].out, stage->height,
                                      stage->width, stage->encoder[c].kernel / 2, LANES);
        w->g_what[s] =
            book(arena, plan, stage->maps, stage->pooled_height, stage->pooled_width, 0, LANES);
        w->g_pair[s] =
            book(arena, plan, stage->maps, stage->pooled_height, stage->pooled_width, 0, LANES);
    }
    if (plan->classifier)
        for (int j = 0; j < n->fcs; j++)
            w->g_fc[j] = arena_take(arena, (size_t)pack_blocks(n->fc[j].out) * LANES,
                                    sizeof(real) * (size_t)plan->group);
    for (int s = plan->decoder_bottom; s < n->stages; s++) {
        const struct stage *stage = &n->stage[s];
        w->g_unpooled[s] = book(arena, plan, stage->maps, stage->height, stage->width, 0, LANES);
        for (int c = 0; c < stage->convs; c++)
            w->g_decoded[s][c] =
                book(arena, plan, stage->decoder[c].out, stage->height, stage->width,
                     stage->decoder[c].kernel / 2, s == 0 && c == 0 ? image_lanes(n) : LANES);
    }
}

void plan_book(struct workspace *workspace, struct arena *arena, const struct plan *plan) {
    memset(workspace, 0, sizeof *workspace);
    book_forward(workspace, arena, plan);
    if (plan->network->variant.unpooling == UNPOOL_FIXED) book_first(workspace, arena, plan);
    if (plan->training) book_backward(workspace, arena, plan);
}
