/* plan.h - everything about running a network that is known before the first step: which layers
 * a loss reaches, where their packed weights and gradient sums lie, and the maps of a group of
 * images. */
#ifndef SWWAE_ENGINE_PLAN_H
#define SWWAE_ENGINE_PLAN_H

#include "base/arena.h"
#include "engine/engine.h"
#include "kernels/kernels.h"
#include "kernels/pack.h"

/* One layer with parameters. Offsets are values into the packed arrays. */
struct layer {
    size_t weight, bias;        /* in the flat parameters */
    int out, in, kernel;        /* kernel 0: fully connected */
    int lanes;                  /* of the input map */
    int pixels;                 /* fully connected: see pack_linear */
    bool few;                   /* few output maps: planar output, conv_few */
    bool trained;               /* a term of the loss reaches it */
    size_t packed, packed_bias; /* in the packed weights */
    size_t packed_back;         /* the same for the gradient to the input; trained only */
    size_t sum, bias_sum;       /* in a share's gradient sums; trained only */
};

struct plan {
    const struct network *network;
    struct objective objective; /* all weights 0 for an engine without a loss */
    bool training;
    int group;          /* images that go through the net together */
    int decoder_bottom; /* lowest decoder stage the loss needs; stages: none */
    bool classifier;    /* the loss needs the fc layers */
    struct layer encoder[NOTATION_STAGES][NOTATION_CONVS];
    struct layer decoder[NOTATION_STAGES][NOTATION_CONVS];
    struct layer fc[NOTATION_FCS];
    struct layer *layer[NOTATION_STAGES * NOTATION_CONVS * 2 + NOTATION_FCS]; /* all of them */
    int layers;
    size_t packed_size, sum_size; /* values */
};

/* The memory of one worker: the maps of one group of images. Gradient maps exist in training
 * only, and where the loss needs them. */
struct workspace {
    struct map image;                                    /* the input */
    struct map encoded[NOTATION_STAGES][NOTATION_CONVS]; /* after each convolution and ReLU */
    struct map what[NOTATION_STAGES];
    uint8_t *where[NOTATION_STAGES];
    uint8_t *where_other[NOTATION_STAGES]; /* another image's; forward only */
    uint8_t *where_first[NOTATION_STAGES]; /* all zero, one memory for all; UNPOOL_FIXED only */
    struct map unpooled[NOTATION_STAGES];
    struct map decoded[NOTATION_STAGES][NOTATION_CONVS]; /* [s][c]: output of decoder[c] */
    real *fc[NOTATION_FCS];                              /* (group, units padded) */

    struct map g_encoded[NOTATION_STAGES][NOTATION_CONVS];
    struct map g_what[NOTATION_STAGES];
    struct map g_unpooled[NOTATION_STAGES];
    struct map g_decoded[NOTATION_STAGES][NOTATION_CONVS];
    struct map g_pair[NOTATION_STAGES]; /* scratch shaped like what[s] */
    real *g_fc[NOTATION_FCS];
};

/* Lays out a network for kernels, and chooses the group. */
void plan_build(struct plan *plan, const struct network *network,
                const struct engine_options *options);

/* Books one worker's maps; called once to measure and once to place. */
void plan_book(struct workspace *workspace, struct arena *arena, const struct plan *plan);

/* Bytes of the switches of stage s for one image. */
size_t plan_switches(const struct plan *plan, int stage);

#endif
